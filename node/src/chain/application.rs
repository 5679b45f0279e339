//! The chain as the consensus asks it.

use std::sync::Arc;

use bytes::Bytes;
use kanhe_proto::certificate::Certificate;
use kanhe_proto::equivocation::{EquivocationPayload, SignedVote};
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height, TimeMs};
use kanhe_proto::validators::ValidatorSet;
use tokio::sync::watch;

use super::check::{BlockCheck, CheckRules};
use super::error::ChainError;
use super::tip::TipState;
use super::{Chain, lock};
use crate::consensus::application::{
    Application, ApplicationError, Candidate, Check, Decided, Equivocation, Origin, Slot, Tip,
};

/// Proofs that wait to be handed in.
const MISDEEDS_MAX: usize = 64;

impl From<ChainError> for ApplicationError {
    fn from(error: ChainError) -> Self {
        // The consensus ends the process with this text: it must say what lies beneath.
        let mut text = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        match error {
            ChainError::Mismatch { .. } => Self::Mismatch(text),
            _ => Self::Storage(text),
        }
    }
}

impl From<&TipState> for Tip {
    fn from(tip: &TipState) -> Self {
        Self {
            height: tip.header.height,
            header_hash: tip.hash,
            time: tip.header.time,
            heartbeat: tip.parameters.heartbeat,
        }
    }
}

impl Application for Chain {
    fn tip(&self) -> Tip {
        Tip::from(&*Self::tip(self))
    }

    fn validator_set(&self, height: Height) -> Option<Arc<ValidatorSet>> {
        Self::validator_set(self, height)
            .inspect_err(|error| tracing::error!(%height, "validator set: {error}"))
            .ok()
            .flatten()
    }

    fn candidate(&self, slot: &Slot, last_certificate: Option<&Certificate>) -> Result<Candidate, ApplicationError> {
        let built = self.build_candidate((slot.height, slot.round), slot.proposer, self.now(), last_certificate)?;
        Ok(Candidate { header_hash: built.header_hash, body: built.body })
    }

    fn missed(&self, header_hash: &HeaderHash) {
        Self::missed(self, header_hash);
    }

    fn keep(&self, height: Height, candidate: &Candidate) -> Result<(), ApplicationError> {
        Ok(Self::keep(self, height, candidate.header_hash, &candidate.body)?)
    }

    fn check(&self, body: &Bytes, origin: &Origin) -> Result<Check, ApplicationError> {
        let drift = self.config.clock_drift;
        let latest = (!origin.synced).then(|| self.now().after(drift));
        let rules = CheckRules { height: origin.height, proposer: origin.proposer, latest };
        Ok(match self.check_block(body, &rules)? {
            BlockCheck::Valid(header_hash) => Check::Valid(header_hash),
            BlockCheck::Invalid { header_hash, reason } => Check::Invalid { header_hash, reason: reason.to_string() },
            BlockCheck::Ahead { header_hash, time } => {
                Check::NotYet { header_hash, until: TimeMs(time.0.saturating_sub(drift.0)) }
            }
        })
    }

    fn body(&self, header_hash: &HeaderHash) -> Result<Option<Bytes>, ApplicationError> {
        Ok(Self::body(self, header_hash)?)
    }

    fn undecided(&self, height: Height) -> Result<Vec<HeaderHash>, ApplicationError> {
        Ok(Self::undecided(self, height)?)
    }

    fn commit(&self, certificate: &Certificate) -> Result<Tip, ApplicationError> {
        Ok(Tip::from(&*Self::commit(self, certificate)?))
    }

    fn finalized(&self, certificate: &Certificate, equivocations: Vec<Equivocation>) {
        for equivocation in equivocations {
            tracing::error!(height = %certificate.height, ?equivocation, "a validator signed two values");
            // Only votes are recorded on the chain; of two proposals the operators are told.
            if let Equivocation::Votes(votes) = equivocation {
                let [one, other] = *votes;
                let signed = |(vote, signature)| SignedVote { vote, signature };
                let mut misdeeds = lock(&self.misdeeds);
                if misdeeds.len() < MISDEEDS_MAX {
                    misdeeds.push(EquivocationPayload::new(signed(one), signed(other)));
                }
            }
        }
    }

    fn decided(&self, height: Height) -> Result<Option<Decided>, ApplicationError> {
        let snapshot = self.snapshot()?;
        let Some(body) = snapshot.body(height)? else { return Ok(None) };
        let missing = || ChainError::Missing(format!("the certificate of height {height}"));
        let certificate = snapshot.reader.certificate(height).map_err(ChainError::from)?.ok_or_else(missing)?;
        Ok(Some(Decided { body: body.into(), certificate }))
    }

    fn certificate(&self, height: Height) -> Result<Option<Certificate>, ApplicationError> {
        Ok(self.storage.read().certificate(height).map_err(ChainError::from)?)
    }

    fn earliest(&self) -> Height {
        self.base.next()
    }

    fn work(&self) -> watch::Receiver<bool> {
        self.source().work()
    }
}
