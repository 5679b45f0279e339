//! Signing and verifying for the engine: our sign bytes, and no signature past the guard.

use std::sync::Arc;

use async_trait::async_trait;
use kanhe_proto::key::{PublicKey, Signer};
use kanhe_proto::vote::ChainContext;
use malachite_signing::{Error, VerificationResult};
use malachite_types::{SignedMessage, ValidatorProof, VoteExtensionScope};

use super::context::{self, KanheContext, Proposal, Seal, Vote};
use super::fatal::{Fatal, FatalSender};
use super::guard::{Guard, Refusal, SignSlot};

/// Verifies what other validators signed.
#[derive(Debug, Clone, Copy)]
pub struct VoteVerifier {
    /// Chain and era in every sign bytes.
    pub chain: ChainContext,
}

fn answer(valid: bool) -> Result<VerificationResult, Error> {
    Ok(VerificationResult::from_bool(valid))
}

#[async_trait]
impl malachite_signing::Verifier<KanheContext> for VoteVerifier {
    async fn verify_signed_vote(
        &self,
        vote: &Vote,
        signature: &Seal,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        answer(context::verify(key, context::vote_bytes(vote, &self.chain), signature))
    }

    async fn verify_signed_proposal(
        &self,
        proposal: &Proposal,
        signature: &Seal,
        key: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        answer(context::verify(key, context::proposal_bytes(proposal, &self.chain), signature))
    }

    async fn verify_signed_vote_extension(
        &self,
        _: &VoteExtensionScope<KanheContext>,
        (): &(),
        _: &Seal,
        _: &PublicKey,
    ) -> Result<VerificationResult, Error> {
        // Extensions are off: none is ever good.
        answer(false)
    }

    async fn verify_validator_proof(&self, proof: &ValidatorProof<KanheContext>) -> Result<VerificationResult, Error> {
        let key = proof.decoded_public_key();
        answer(key.is_ok_and(|key| context::verify(&key, Some(proof.preimage()), &proof.signature)))
    }
}

/// Signs for this validator. Answers [`Seal::Withheld`] where the guard refuses: an error would stop the engine.
#[derive(Clone)]
pub struct VoteSigner {
    /// Holds the secret key.
    pub signer: Arc<dyn Signer>,
    /// Sees every message first.
    pub guard: Arc<Guard>,
    /// Chain and era in every sign bytes.
    pub chain: ChainContext,
    /// Learns of a guard that cannot write.
    pub fatal: FatalSender,
}

impl VoteSigner {
    async fn seal(&self, slot: SignSlot, message: Vec<u8>) -> Seal {
        let (guard, signer) = (Arc::clone(&self.guard), Arc::clone(&self.signer));
        let signing = tokio::task::spawn_blocking(move || guard.sign(slot, &message, signer.as_ref()));
        match signing.await {
            Ok(Ok(signature)) => Seal::Signed(signature),
            Ok(Err(
                refusal @ (Refusal::Different(_)
                | Refusal::TooOld(_)
                | Refusal::Silent(_)
                | Refusal::Unknown(_)
                | Refusal::Passed(_)
                | Refusal::Moved(_)),
            )) => {
                tracing::warn!(?slot, "not signed: {refusal}");
                Seal::Withheld
            }
            Ok(Err(refusal @ (Refusal::Sign(_) | Refusal::Journal(_)))) => {
                self.fatal.report(Fatal::Guard(refusal.to_string()));
                Seal::Withheld
            }
            Err(panicked) => {
                self.fatal.report(Fatal::Guard(panicked.to_string()));
                Seal::Withheld
            }
        }
    }
}

#[async_trait]
impl malachite_signing::Signer<KanheContext> for VoteSigner {
    async fn sign_vote(&self, vote: Vote) -> Result<SignedMessage<KanheContext, Vote>, Error> {
        let seal = match vote.to_proto() {
            Some(proto) => self.seal(SignSlot::of_vote(&proto), proto.sign_bytes(&self.chain)).await,
            None => Seal::Withheld,
        };
        Ok(SignedMessage::new(vote, seal))
    }

    async fn sign_proposal(&self, proposal: Proposal) -> Result<SignedMessage<KanheContext, Proposal>, Error> {
        let seal = match proposal.to_proto() {
            Some(proto) => {
                let slot = SignSlot::of_proposal(proto.height, proto.round);
                self.seal(slot, proto.sign_bytes(&self.chain)).await
            }
            None => Seal::Withheld,
        };
        Ok(SignedMessage::new(proposal, seal))
    }

    async fn sign_vote_extension(
        &self,
        _: VoteExtensionScope<KanheContext>,
        extension: (),
    ) -> Result<SignedMessage<KanheContext, ()>, Error> {
        Ok(SignedMessage::new(extension, Seal::Withheld))
    }

    async fn sign_validator_proof(
        &self,
        public_key: Vec<u8>,
        peer_id: Vec<u8>,
    ) -> Result<ValidatorProof<KanheContext>, Error> {
        // Says nothing about a block, so the guard has no slot for it.
        let message = ValidatorProof::<KanheContext>::signing_bytes(&public_key, &peer_id);
        let signature = self.signer.sign(&message).map_err(Error::from_source)?;
        Ok(ValidatorProof::new(public_key, peer_id, Seal::Signed(signature)))
    }
}
