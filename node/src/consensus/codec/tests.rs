//! What is written is read back, and nothing else is.

use bytes::Bytes;
use kanhe_proto::hash::{ChainId, HeaderHash};
use kanhe_proto::ids::{Era, Height as BlockNumber, Round as Attempt};
use kanhe_proto::key::{SecretKey, Signer};
use kanhe_proto::validators::Address as ValidatorAddress;
use kanhe_proto::vote as proto;
use kanhe_proto::vote::ChainContext;
use malachite_app::streaming::{StreamContent, StreamId, StreamMessage};
use malachite_app::types::PeerId;
use malachite_codec::{Codec, HasEncodedLen};
use malachite_core::{LivenessMsg, ProposedValue, SignedConsensusMsg};
use malachite_sync::{RawDecidedValue, Request, Response, Status, ValueRequest, ValueResponse};
use malachite_types::{
    ExtendedCommitCertificate, ExtendedCommitSignature, NilOrVal, PolkaCertificate, PolkaSignature, Round,
    RoundCertificate, RoundCertificateType, RoundSignature, SignedProposal, SignedVote, ValidatorProof, Validity,
    VoteType,
};

use super::super::context::{Address, Height, KanheContext, Proposal, ProposalPart, Seal, Value, Vote};
use super::super::streaming::split as streaming_split;
use super::super::streaming::{PART_BYTES, StreamInit};
use super::super::tips::StatusKey;
use super::{EngineCodec, MessageError};

fn key() -> SecretKey {
    SecretKey::from_seed([1; 32])
}
fn address() -> ValidatorAddress {
    ValidatorAddress::of(&key().public_key())
}
fn seal() -> Seal {
    Seal::Signed(key().sign(b"x").unwrap())
}
fn vote(seal: Seal) -> SignedVote<KanheContext> {
    let vote = proto::Vote {
        vote_type: proto::VoteType::Precommit,
        height: BlockNumber(5),
        round: Attempt(2),
        value: Some(HeaderHash([4; 32])),
        address: address(),
    };
    SignedVote::new(Vote::from(vote), seal)
}
fn init(len: usize) -> StreamInit {
    let fields = (BlockNumber(5), Attempt(0), Some(Attempt(1)), HeaderHash([3; 32]), len as u64, address());
    StreamInit::from_fields(fields, key().sign(b"y").unwrap())
}
fn decided(body: &'static [u8]) -> RawDecidedValue<KanheContext> {
    let certificate = ExtendedCommitCertificate {
        height: Height(BlockNumber(9)),
        round: Round::new(1),
        value_id: HeaderHash([2; 32]),
        commit_signatures: vec![ExtendedCommitSignature::new(Address(address()), seal(), None)],
    };
    RawDecidedValue::new(Bytes::from_static(body), certificate)
}

/// Round trip; every truncation and one appended byte are refused.
fn check<T>(value: &T)
where
    T: std::fmt::Debug + PartialEq,
    EngineCodec: Codec<T, Error = MessageError>,
{
    let chain = ChainContext { chain_id: ChainId([7; 32]), era: Era(0) };
    let codec = EngineCodec { watch: None, status: Some(StatusKey { key: key(), chain }) };
    let bytes = Codec::<T>::encode(&codec, value).unwrap();
    assert_eq!(&Codec::<T>::decode(&codec, bytes.clone()).unwrap(), value);
    for cut in 0..bytes.len().min(400) {
        let cut = Codec::<T>::decode(&codec, bytes.slice(..cut));
        assert!(cut.as_ref() != Ok(value));
    }
}

#[test]
fn messages_come_back_as_they_went() {
    check(&SignedConsensusMsg::Vote(vote(seal())));
    let proposal = proto::Proposal {
        height: BlockNumber(5),
        round: Attempt(2),
        value: HeaderHash([4; 32]),
        valid_round: Some(Attempt(1)),
        address: address(),
    };
    check(&SignedConsensusMsg::Proposal(SignedProposal::new(Proposal::from(proposal), seal())));
    check(&LivenessMsg::Vote(vote(seal())));
    let polka = PolkaCertificate {
        height: Height(BlockNumber(5)),
        round: Round::new(0),
        value_id: HeaderHash([4; 32]),
        polka_signatures: vec![PolkaSignature::new(Address(address()), seal())],
    };
    check(&polka);
    check(&LivenessMsg::PolkaCertificate(polka));
    let round = RoundCertificate {
        height: Height(BlockNumber(5)),
        round: Round::new(0),
        cert_type: RoundCertificateType::Skip,
        round_signatures: vec![RoundSignature::new(VoteType::Prevote, NilOrVal::Nil, Address(address()), seal())],
    };
    check(&LivenessMsg::SkipRoundCertificate(round));
    check(&ValidatorProof::<KanheContext>::new(vec![1; 42], vec![2; 38], seal()));
    let (tip_height, history_min_height) = (Height(BlockNumber(9)), Height(BlockNumber(1)));
    check(&Status::<KanheContext> {
        peer_id: PeerId::from_bytes(&[0, 3, 1, 2, 3]).unwrap(),
        tip_height,
        history_min_height,
    });
    check(&ProposedValue::<KanheContext> {
        height: Height(BlockNumber(5)),
        round: Round::Nil,
        valid_round: Round::new(3),
        proposer: Address(address()),
        value: Value(HeaderHash([4; 32])),
        validity: Validity::Invalid,
    });
}

#[test]
fn parts_and_answers_come_back_as_they_went() {
    let body = Bytes::from(vec![7; 1000]);
    check(&ProposalPart::Data(body.clone()));
    for part in streaming_split(3, init(1000), &body) {
        check(&part);
    }
    check(&StreamMessage::new(StreamId::new(Bytes::from_static(b"id")), 4, StreamContent::<ProposalPart>::Fin));
    check(&Request::<KanheContext>::ValueRequest(ValueRequest::new(Height(BlockNumber(1))..=Height(BlockNumber(9)))));
    let values = vec![decided(b"one"), decided(b"two")];
    let response = Response::ValueResponse(ValueResponse::new(Height(BlockNumber(9)), values));
    check(&response);
    let codec = EngineCodec::plain();
    let len = Codec::<Response<KanheContext>>::encode(&codec, &response).unwrap().len();
    assert_eq!(codec.encoded_len(&response).unwrap(), len);
}

#[test]
fn what_the_guard_withheld_is_not_sent() {
    let codec = EngineCodec::plain();
    let withheld = SignedConsensusMsg::Vote(vote(Seal::Withheld));
    assert_eq!(codec.encode(&withheld), Err(MessageError::Withheld));
    assert_eq!(codec.encode(&LivenessMsg::Vote(vote(Seal::Withheld))), Err(MessageError::Withheld));
}

#[test]
fn a_part_beyond_its_limit_is_refused() {
    let codec = EngineCodec::plain();
    let part = ProposalPart::Data(vec![0; PART_BYTES + 1].into());
    let bytes = Codec::<ProposalPart>::encode(&codec, &part).unwrap();
    assert!(Codec::<ProposalPart>::decode(&codec, bytes).is_err());
}
