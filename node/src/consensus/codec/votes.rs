//! Votes, proposals and certificates of rounds.

use bytes::Bytes;
use kanhe_proto::bounded::List;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height as BlockNumber, Round as Attempt};
use kanhe_proto::key::Signature;
use kanhe_proto::limits::VALIDATORS_MAX;
use kanhe_proto::validators::Address as ValidatorAddress;
use kanhe_proto::vote as proto;
use malachite_codec::Codec;
use malachite_core::{LivenessMsg, SignedConsensusMsg};
use malachite_types::{
    PolkaCertificate, PolkaSignature, Round, RoundCertificate, RoundCertificateType, RoundSignature, SignedProposal,
    SignedVote,
};

use super::super::context::{self, Address, Height, KanheContext, Proposal, Seal, Vote, from_option, to_option};
use super::{
    CERTIFICATE_BYTES_MAX, EngineCodec, MessageError, POLKA, PROPOSAL, ROUND, SMALL_BYTES_MAX, VOTE, defined, fields,
    list, message, signature, split_kind,
};

fn encode_vote(vote: &SignedVote<KanheContext>) -> Result<Bytes, MessageError> {
    let fields = (vote.message.to_proto().ok_or(MessageError::NotOurs)?, signature(&vote.signature)?);
    Ok(message(VOTE, &fields))
}

impl EngineCodec {
    fn decode_vote(&self, bytes: &[u8]) -> Result<SignedVote<KanheContext>, MessageError> {
        let (vote, signature): (proto::Vote, Signature) = fields(VOTE, bytes, SMALL_BYTES_MAX)?;
        self.saw(|watch| watch.vote(&vote, &signature));
        Ok(SignedVote::new(Vote::from(vote), Seal::Signed(signature)))
    }
}

impl Codec<SignedConsensusMsg<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, signed: &SignedConsensusMsg<KanheContext>) -> Result<Bytes, MessageError> {
        match signed {
            SignedConsensusMsg::Vote(vote) => encode_vote(vote),
            SignedConsensusMsg::Proposal(proposal) => {
                let fields =
                    (proposal.message.to_proto().ok_or(MessageError::NotOurs)?, signature(&proposal.signature)?);
                Ok(message(PROPOSAL, &fields))
            }
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<SignedConsensusMsg<KanheContext>, MessageError> {
        match split_kind(&bytes)?.0 {
            VOTE => self.decode_vote(&bytes).map(SignedConsensusMsg::Vote),
            PROPOSAL => {
                let (proposal, signature): (proto::Proposal, Signature) = fields(PROPOSAL, &bytes, SMALL_BYTES_MAX)?;
                let proposal = Proposal::from(proposal);
                Ok(SignedConsensusMsg::Proposal(SignedProposal::new(proposal, Seal::Signed(signature))))
            }
            _ => Err(MessageError::Kind),
        }
    }
}

type PolkaFields = (BlockNumber, Attempt, HeaderHash, List<(ValidatorAddress, Signature), VALIDATORS_MAX>);
type RoundVote = (proto::VoteType, Option<HeaderHash>, ValidatorAddress, Signature);
type RoundFields = (BlockNumber, Attempt, bool, List<RoundVote, { VALIDATORS_MAX * 2 }>);

impl Codec<PolkaCertificate<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, polka: &PolkaCertificate<KanheContext>) -> Result<Bytes, MessageError> {
        let mut signatures = Vec::with_capacity(polka.polka_signatures.len());
        for signed in &polka.polka_signatures {
            signatures.push((signed.address.0, signature(&signed.signature)?));
        }
        let fields: PolkaFields = (polka.height.0, defined(polka.round)?, polka.value_id, list(signatures)?);
        Ok(message(POLKA, &fields))
    }

    fn decode(&self, bytes: Bytes) -> Result<PolkaCertificate<KanheContext>, MessageError> {
        let (height, attempt, value, signatures): PolkaFields = fields(POLKA, &bytes, CERTIFICATE_BYTES_MAX)?;
        for (address, signature) in &signatures {
            self.saw_in_certificate(proto::VoteType::Prevote, height, attempt, Some(value), *address, signature);
        }
        let signed = |(address, signature)| PolkaSignature::new(Address(address), Seal::Signed(signature));
        Ok(PolkaCertificate {
            height: Height(height),
            round: Round::new(attempt.0),
            value_id: value,
            polka_signatures: signatures.into_vec().into_iter().map(signed).collect(),
        })
    }
}

impl EngineCodec {
    fn decode_round_certificate(&self, bytes: &[u8]) -> Result<RoundCertificate<KanheContext>, MessageError> {
        let (height, attempt, skip, votes): RoundFields = fields(ROUND, bytes, CERTIFICATE_BYTES_MAX)?;
        for (vote_type, value, address, signature) in &votes {
            self.saw_in_certificate(*vote_type, height, attempt, *value, *address, signature);
        }
        let signed = |(vote_type, value, address, signature): RoundVote| {
            let vote_type = context::from_proto_type(vote_type);
            RoundSignature::new(vote_type, from_option(value), Address(address), Seal::Signed(signature))
        };
        Ok(RoundCertificate {
            height: Height(height),
            round: Round::new(attempt.0),
            cert_type: if skip { RoundCertificateType::Skip } else { RoundCertificateType::Precommit },
            round_signatures: votes.into_vec().into_iter().map(signed).collect(),
        })
    }
}

fn encode_round_certificate(certificate: &RoundCertificate<KanheContext>) -> Result<Bytes, MessageError> {
    let mut votes = Vec::with_capacity(certificate.round_signatures.len());
    for signed in &certificate.round_signatures {
        let vote_type = context::to_proto_type(signed.vote_type);
        votes.push((vote_type, to_option(&signed.value_id), signed.address.0, signature(&signed.signature)?));
    }
    let skip = certificate.cert_type == RoundCertificateType::Skip;
    let fields: RoundFields = (certificate.height.0, defined(certificate.round)?, skip, list(votes)?);
    Ok(message(ROUND, &fields))
}

impl Codec<LivenessMsg<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, liveness: &LivenessMsg<KanheContext>) -> Result<Bytes, MessageError> {
        match liveness {
            LivenessMsg::Vote(vote) => encode_vote(vote),
            LivenessMsg::PolkaCertificate(polka) => self.encode(polka),
            LivenessMsg::SkipRoundCertificate(certificate) => encode_round_certificate(certificate),
        }
    }

    fn decode(&self, bytes: Bytes) -> Result<LivenessMsg<KanheContext>, MessageError> {
        match split_kind(&bytes)?.0 {
            VOTE => self.decode_vote(&bytes).map(LivenessMsg::Vote),
            POLKA => self.decode(bytes).map(LivenessMsg::PolkaCertificate),
            ROUND => self.decode_round_certificate(&bytes).map(LivenessMsg::SkipRoundCertificate),
            _ => Err(MessageError::Kind),
        }
    }
}
