//! The seats of the validator set: who votes, who was voted in, who replaces whom.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use super::RegistryRecord;
use crate::bounded::List;
use crate::hash::ProposalId;
use crate::identifiers::Uscc;
use crate::ids::{Power, TimeMs};
use crate::key::PublicKey;
use crate::limits::VALIDATORS_MAX;
use crate::map_value::{Kind, MapValue};
use crate::validators::{Address, Validator, ValidatorSet, ValidatorSetError};

/// How far a seat has come.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatState {
    /// Given, and not yet taken by a transaction signed with its key.
    Decided {
        /// It lapses when the parent's time has passed this.
        until: TimeMs,
    },
    /// In the set from the next epoch on.
    Active,
    /// Given in place of another seat, which stays until this one is taken.
    Replacing {
        /// Key of the seat that goes.
        old: PublicKey,
        /// It lapses when the parent's time has passed this.
        until: TimeMs,
    },
}

/// One seat.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Seat {
    /// Whose.
    pub bureau: Uscc,
    /// Signs its votes.
    pub key: PublicKey,
    /// At least 1.
    pub power: Power,
    /// How far it has come.
    pub state: SeatState,
    /// The proposal that gave it in this form; nothing if the founders did.
    pub by: Option<ProposalId>,
}

/// All seats in ascending order of their key's address, each key once.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Serialize)]
pub struct Seats {
    seats: List<Seat, VALIDATORS_MAX>,
}

#[derive(Encode, Decode, Deserialize)]
struct Unchecked {
    seats: List<Seat, VALIDATORS_MAX>,
}

impl Seats {
    /// Sorts and checks: each key once, and the active ones are a validator set.
    pub fn new(mut seats: Vec<Seat>) -> Result<Self, ValidatorSetError> {
        seats.sort_by_cached_key(|seat| Address::of(&seat.key));
        Self::sorted(List::new(seats).map_err(|_| ValidatorSetError::TooMany)?)
    }
    fn sorted(seats: List<Seat, VALIDATORS_MAX>) -> Result<Self, ValidatorSetError> {
        let addresses: Vec<Address> = seats.iter().map(|seat| Address::of(&seat.key)).collect();
        if addresses.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(ValidatorSetError::Order);
        }
        let seats = Self { seats };
        seats.validator_set()?;
        Ok(seats)
    }
    /// In ascending order of address.
    pub fn all(&self) -> &[Seat] {
        &self.seats
    }
    /// The seat of a key.
    pub fn get(&self, key: &PublicKey) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.key == *key)
    }
    /// The set of the next epoch: the active seats. What a rotation still waits to replace is active.
    pub fn validator_set(&self) -> Result<ValidatorSet, ValidatorSetError> {
        let active = self.seats.iter().filter(|seat| seat.state == SeatState::Active);
        ValidatorSet::new(active.map(|seat| Validator::new(seat.key.clone(), seat.power)).collect())
    }
}

crate::codec::impl_decode!(Seats, decoder => {
    let unchecked = Unchecked::decode(decoder)?;
    Self::sorted(unchecked.seats).map_err(|error| bincode::error::DecodeError::OtherString(error.to_string()))
});
impl<'de> Deserialize<'de> for Seats {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let unchecked = Unchecked::deserialize(deserializer)?;
        Self::sorted(unchecked.seats).map_err(serde::de::Error::custom)
    }
}

impl MapValue for Seats {
    const KIND: Kind = Kind::Seats;
}
impl RegistryRecord for Seats {
    type Id = ();
    fn id(&self) {}
}
