//! What the write-ahead log holds besides messages.

use bytes::Bytes;
use kanhe_proto::hash::HeaderHash;
use kanhe_proto::ids::{Height as BlockNumber, Round as Attempt};
use kanhe_proto::validators::Address as ValidatorAddress;
use malachite_codec::Codec;
use malachite_core::ProposedValue;
use malachite_types::Validity;

use super::super::context::{Address, Height, KanheContext, Value};
use super::{EngineCodec, MessageError, SMALL_BYTES_MAX, VALUE, attempt, fields, message, round};

type ValueFields = (BlockNumber, Option<Attempt>, Option<Attempt>, ValidatorAddress, HeaderHash, bool);

impl Codec<ProposedValue<KanheContext>> for EngineCodec {
    type Error = MessageError;

    fn encode(&self, value: &ProposedValue<KanheContext>) -> Result<Bytes, MessageError> {
        let fields: ValueFields = (
            value.height.0,
            attempt(value.round),
            attempt(value.valid_round),
            value.proposer.0,
            value.value.0,
            value.validity.is_valid(),
        );
        Ok(message(VALUE, &fields))
    }

    fn decode(&self, bytes: Bytes) -> Result<ProposedValue<KanheContext>, MessageError> {
        let (height, at, valid_round, proposer, value, valid): ValueFields = fields(VALUE, &bytes, SMALL_BYTES_MAX)?;
        Ok(ProposedValue {
            height: Height(height),
            round: round(at),
            valid_round: round(valid_round),
            proposer: Address(proposer),
            value: Value(value),
            validity: Validity::from_bool(valid),
        })
    }
}
