//! The validators of a height and their power.

use std::fmt;

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::hash::{self, ValidatorsHash};
use crate::ids::Power;
use crate::key::PublicKey;
use crate::limits::{POWER_TOTAL_MAX, VALIDATORS_MAX};
use crate::tags;
use crate::text;

/// First 20 bytes of H(tag ‖ algorithm ‖ key) of a validator's key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode)]
pub struct Address(pub [u8; 20]);

impl Address {
    /// The address of a key.
    pub fn of(key: &PublicKey) -> Self {
        let hash = hash::tagged(tags::ADDRESS, key);
        Self(hash[..20].try_into().expect("20 of 32 bytes"))
    }
}
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&text::hex(&self.0))
    }
}
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
impl Serialize for Address {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = text::from_hex(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)?;
        bytes.try_into().map(Self).map_err(|_| serde::de::Error::custom("not an address of 20 bytes"))
    }
}

/// One validator.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Decode, Serialize, Deserialize)]
pub struct Validator {
    /// Follows from the key.
    pub address: Address,
    /// Verifies its votes.
    pub key: PublicKey,
    /// At least 1.
    pub power: Power,
}

impl Validator {
    /// A validator by its key.
    pub fn new(key: PublicKey, power: Power) -> Self {
        Self { address: Address::of(&key), key, power }
    }
}

/// Why a list is not a validator set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValidatorSetError {
    /// Nobody could certify anything.
    #[error("a validator set needs a member")]
    Empty,
    /// More than the limit.
    #[error("more than {VALIDATORS_MAX} validators")]
    TooMany,
    /// Not in strictly ascending order of address.
    #[error("validators are not in ascending order of address, each once")]
    Order,
    /// An address that is not its key's.
    #[error("address {0} is not that of its key")]
    Address(Address),
    /// A power of zero, or a total above the engine's limit.
    #[error("power is zero or the total above {POWER_TOTAL_MAX}")]
    Power,
}

/// A checked list of validators in ascending order of address.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Encode, Serialize)]
pub struct ValidatorSet {
    members: List<Validator, VALIDATORS_MAX>,
}

#[derive(Encode, Decode, Deserialize)]
struct Unchecked {
    members: List<Validator, VALIDATORS_MAX>,
}

impl ValidatorSet {
    /// Sorts and checks.
    pub fn new(mut members: Vec<Validator>) -> Result<Self, ValidatorSetError> {
        members.sort_by_key(|validator| validator.address);
        Self::sorted(List::new(members).map_err(|_| ValidatorSetError::TooMany)?)
    }

    fn sorted(members: List<Validator, VALIDATORS_MAX>) -> Result<Self, ValidatorSetError> {
        if members.is_empty() {
            return Err(ValidatorSetError::Empty);
        }
        if members.windows(2).any(|pair| pair[0].address >= pair[1].address) {
            return Err(ValidatorSetError::Order);
        }
        if let Some(wrong) = members.iter().find(|member| member.address != Address::of(&member.key)) {
            return Err(ValidatorSetError::Address(wrong.address));
        }
        let total = members.iter().try_fold(0u64, |sum, member| sum.checked_add(member.power.0));
        if total.is_none_or(|total| total > POWER_TOTAL_MAX) || members.iter().any(|member| member.power.0 == 0) {
            return Err(ValidatorSetError::Power);
        }
        Ok(Self { members })
    }
    /// In ascending order of address.
    pub fn members(&self) -> &[Validator] {
        &self.members
    }
    /// Its place in the order, and the validator.
    pub fn get(&self, address: &Address) -> Option<(usize, &Validator)> {
        let index = self.members.binary_search_by_key(address, |member| member.address).ok()?;
        Some((index, &self.members[index]))
    }
    /// Sum of all power.
    pub fn total_power(&self) -> Power {
        Power(self.members.iter().map(|member| member.power.0).sum())
    }
    /// More than two thirds of the power?
    pub fn is_quorum(&self, power: Power) -> bool {
        u128::from(power.0) * 3 > u128::from(self.total_power().0) * 2
    }
    /// H(tag ‖ list of address, algorithm, key, power).
    pub fn hash(&self) -> ValidatorsHash {
        ValidatorsHash(hash::tagged(tags::VALIDATORS, self))
    }
}

crate::codec::impl_decode!(ValidatorSet, decoder => {
    let unchecked = Unchecked::decode(decoder)?;
    Self::sorted(unchecked.members).map_err(|error| bincode::error::DecodeError::OtherString(error.to_string()))
});
impl<'de> Deserialize<'de> for ValidatorSet {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let unchecked = Unchecked::deserialize(deserializer)?;
        Self::sorted(unchecked.members).map_err(serde::de::Error::custom)
    }
}
