//! Decided heights: committed before they are answered for, and held until the next one may start.

use std::collections::BTreeMap;
use std::sync::Arc;

use kanhe_proto::certificate::Certificate;
use kanhe_proto::ids::Round as Attempt;
use malachite::Reply;
use malachite_app::types::MisbehaviorEvidence;
use malachite_engine::host::Next;
use malachite_types::{CommitCertificate, SignedProposal, SignedVote};

use super::super::application::{ApplicationError, Equivocation};
use super::super::context::{Address, Height, KanheContext, Seal};
use super::super::fatal::Fatal;
use super::super::guard::UNTOLD;
use super::super::pacing::{self, Reason};
use super::{Held, Run, attempt};

impl Run {
    pub(super) fn certificate(&self, certificate: &CommitCertificate<KanheContext>) -> Result<Certificate, Fatal> {
        let height = certificate.height.0;
        let set = self.set_of(height)?;
        let signed = certificate.commit_signatures.iter().filter_map(|signed| match &signed.signature {
            Seal::Signed(signature) => Some((signed.address.0, signature.clone())),
            Seal::Withheld => None,
        });
        Certificate::new(&set, height, attempt(certificate.round), certificate.value_id, signed.collect())
            .map_err(|error| Fatal::EngineStopped(format!("it decided by a certificate that is none: {error}")))
    }

    pub(super) async fn decided(
        &mut self,
        certificate: &CommitCertificate<KanheContext>,
        reply: Reply<()>,
    ) -> Result<(), Fatal> {
        let certificate = self.certificate(certificate)?;
        let (height, header_hash) = (certificate.height, certificate.header_hash);
        let app = Arc::clone(&self.app);
        let committed = tokio::task::spawn_blocking(move || app.commit(&certificate)).await;
        match committed {
            Ok(Ok(_)) => {}
            Ok(Err(ApplicationError::Mismatch(reason))) => {
                return Err(Fatal::ExecutionMismatch { height, header_hash, reason });
            }
            Ok(Err(ApplicationError::Storage(reason))) => return Err(Fatal::Storage(reason)),
            Err(panicked) => return Err(Fatal::Storage(panicked.to_string())),
        }
        if let Some((key, _)) = &self.validator {
            if key.guard.silenced() == Some(UNTOLD) {
                self.set_silence()?;
            }
            let lifted = key.guard.decided(height).map_err(|error| Fatal::Guard(error.to_string()))?;
            if lifted {
                tracing::info!(%height, "this validator signs again");
            }
        }
        self.tell();
        let _ = reply.send(());
        Ok(())
    }

    pub(super) fn finalized(
        &mut self,
        certificate: &CommitCertificate<KanheContext>,
        evidence: &MisbehaviorEvidence<KanheContext>,
        reply: Reply<Next<KanheContext>>,
    ) -> Result<(), Fatal> {
        let certificate = self.certificate(certificate)?;
        self.app.finalized(&certificate, equivocations(evidence));
        let tip = self.app.tip();
        if tip.height != certificate.height {
            let reason = format!("height {} is finalized but {} is committed", certificate.height, tip.height);
            return Err(Fatal::Storage(reason));
        }
        self.last_certificate = Some(certificate);
        self.building = None;
        self.built = None;
        self.held = Some(Held { reply, height: tip.height.next(), due: pacing::heartbeat_due(&tip) });
        self.tell();
        Ok(())
    }

    pub(super) fn release(&mut self, reason: Reason) -> Result<(), Fatal> {
        let Some(Held { reply, height, .. }) = self.held.take() else { return Ok(()) };
        tracing::debug!(%height, ?reason, "next height");
        let set = self.set_of(height)?;
        self.build(height, Attempt(0))?;
        let _ = reply.send(Next::Start(Height(height), self.parameters(&set)));
        Ok(())
    }
}

fn equivocations(evidence: &MisbehaviorEvidence<KanheContext>) -> Vec<Equivocation> {
    let mut by_validator: BTreeMap<Address, Vec<Equivocation>> = BTreeMap::new();
    let vote = |signed: &SignedVote<KanheContext>| match &signed.signature {
        Seal::Signed(signature) => signed.message.to_proto().map(|vote| (vote, signature.clone())),
        Seal::Withheld => None,
    };
    for (address, pairs) in evidence.votes.iter() {
        let found =
            pairs.iter().filter_map(|(one, other)| Some(Equivocation::Votes(Box::new([vote(one)?, vote(other)?]))));
        by_validator.entry(*address).or_default().extend(found);
    }
    let proposal = |signed: &SignedProposal<KanheContext>| match &signed.signature {
        Seal::Signed(signature) => signed.message.to_proto().map(|proposal| (proposal, signature.clone())),
        Seal::Withheld => None,
    };
    for (address, pairs) in evidence.proposals.iter() {
        let found = pairs
            .iter()
            .filter_map(|(one, other)| Some(Equivocation::Proposals(Box::new([proposal(one)?, proposal(other)?]))));
        by_validator.entry(*address).or_default().extend(found);
    }
    by_validator.into_values().flatten().collect()
}
