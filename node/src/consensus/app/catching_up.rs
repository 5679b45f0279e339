//! Blocks of heights that are decided already: taken from peers and given to them.

use bytes::Bytes;
use kanhe_proto::ids::Height as BlockNumber;
use kanhe_proto::validators::{Address as ValidatorAddress, ValidatorSet as ProtoSet};
use malachite_engine::host::SyncedValueOutcome;
use malachite_sync::RawDecidedValue;
use malachite_types::{ExtendedCommitCertificate, ExtendedCommitSignature, Round, Validity};

use super::super::application::{Application, Check, Decided, Origin};
use super::super::context::{Address, Height, KanheContext, Seal};
use super::super::fatal::Fatal;
use super::{Run, proposed};

/// Blocks in one answer to a node that catches up.
const ANSWER_BLOCKS_MAX: u64 = 16;
/// Bytes of bodies in one answer after which no more are added.
const ANSWER_BYTES: usize = 4 << 20;

impl Run {
    pub(super) async fn synced_value(
        &mut self,
        height: BlockNumber,
        round: Round,
        proposer: Address,
        body: Bytes,
    ) -> Result<SyncedValueOutcome<KanheContext>, Fatal> {
        if height != self.app.tip().height.next() {
            return Ok(SyncedValueOutcome::LocalTransientError);
        }
        let verdict = |value, validity| {
            SyncedValueOutcome::Verdict(proposed(height, round, Round::Nil, proposer.0, value, validity))
        };
        let origin = Origin { height, proposer: None, synced: true };
        match self.ask(move |app| app.check(&body, &origin)).await? {
            Check::Valid(header_hash) => {
                if height == self.working {
                    self.bodies.valid.insert(header_hash);
                }
                Ok(verdict(header_hash, Validity::Valid))
            }
            Check::Invalid { header_hash: Some(header_hash), reason } => {
                let set = self.set_of(height)?;
                if self.watch.certified(height, header_hash, &set).is_some() {
                    return Err(Fatal::ExecutionMismatch { height, header_hash, reason });
                }
                tracing::warn!(%height, %header_hash, "a peer sent a block that is not certified: {reason}");
                Ok(verdict(header_hash, Validity::Invalid))
            }
            Check::Invalid { header_hash: None, .. } => Ok(SyncedValueOutcome::PeerFault),
            Check::NotYet { .. } => Ok(SyncedValueOutcome::LocalTransientError),
        }
    }

    pub(super) async fn decided_values(
        &self,
        first: BlockNumber,
        last: BlockNumber,
    ) -> Result<Vec<RawDecidedValue<KanheContext>>, Fatal> {
        let first = first.max(self.app.earliest()).max(BlockNumber(1));
        let last = last.min(self.app.tip().height).min(BlockNumber(first.0.saturating_add(ANSWER_BLOCKS_MAX - 1)));
        let collect = move |app: &dyn Application| {
            let (mut values, mut bytes) = (Vec::new(), 0);
            for height in first.0..=last.0 {
                let Some(decided) = app.decided(BlockNumber(height))? else { break };
                let Some(set) = app.validator_set(BlockNumber(height)) else { break };
                bytes += decided.body.len();
                values.push(raw_value(decided, &set));
                if bytes >= ANSWER_BYTES {
                    break;
                }
            }
            Ok(values)
        };
        self.ask(collect).await
    }
}

fn raw_value(decided: Decided, set: &ProtoSet) -> RawDecidedValue<KanheContext> {
    let Decided { body, certificate } = decided;
    let signatures = certificate.signers(set).zip(certificate.signatures.iter());
    let signed = |(address, signature): (ValidatorAddress, &kanhe_proto::key::Signature)| {
        ExtendedCommitSignature::new(Address(address), Seal::Signed(signature.clone()), None)
    };
    let certificate = ExtendedCommitCertificate {
        height: Height(certificate.height),
        round: Round::new(certificate.round.0),
        value_id: certificate.header_hash,
        commit_signatures: signatures.map(signed).collect(),
    };
    RawDecidedValue::new(body, certificate)
}
