//! When a registry record holds.

use bincode::{Decode, Encode};
use serde::{Deserialize, Serialize};

use crate::bounded::List;
use crate::hash::ProposalId;
use crate::identifiers::Uscc;
use crate::ids::Height;
use crate::limits::INTERVALS_MAX;

/// Who opened or ended an interval.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// The founders.
    Genesis,
    /// A vote of the bureaus.
    Vote(ProposalId),
    /// The bureau itself, within its own rights.
    Bureau(Uscc),
}

/// What the end of an interval means for what was done in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Effect {
    /// It stands.
    Keep,
    /// It is void from this height on.
    VoidFrom(Height),
}

/// `from_height` is in, `to_height` is out.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Interval {
    /// First height at which it holds.
    pub from_height: Height,
    /// First height at which it no longer holds.
    pub to_height: Option<Height>,
    /// Who said so last.
    pub by: Authority,
    /// Matters once `to_height` is set.
    pub effect_on_prior: Effect,
}

/// Why intervals cannot be, or cannot be changed so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntervalError {
    /// They overlap, or are out of order, or one ends before it begins.
    #[error("intervals overlap or are out of order")]
    Order,
    /// Only an end may take the last two places.
    #[error("no more than {INTERVALS_MAX} intervals, of which the last two may only end")]
    Full,
    /// Nothing is open to be ended.
    #[error("no interval is open")]
    NotOpen,
    /// An interval is open already.
    #[error("an interval is open already")]
    Open,
}

/// Intervals in ascending order, at most the last one open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Serialize)]
#[serde(transparent)]
pub struct Intervals(List<Interval, INTERVALS_MAX>);

impl Intervals {
    /// One open interval.
    pub fn from(height: Height, by: Authority) -> Self {
        let interval = Interval { from_height: height, to_height: None, by, effect_on_prior: Effect::Keep };
        Self(List::new(vec![interval]).expect("one is within the limit"))
    }
    /// Checks order.
    pub fn new(intervals: Vec<Interval>) -> Result<Self, IntervalError> {
        let ordered = intervals.iter().all(|interval| interval.to_height.is_none_or(|to| to >= interval.from_height))
            && intervals.windows(2).all(|pair| pair[0].to_height.is_some_and(|to| to <= pair[1].from_height));
        if !ordered {
            return Err(IntervalError::Order);
        }
        List::new(intervals).map(Self).map_err(|_| IntervalError::Full)
    }
    /// All of them, oldest first.
    pub fn all(&self) -> &[Interval] {
        &self.0
    }
    /// Does the record hold for something done at this height? What was voided since does not.
    pub fn hold_at(&self, height: Height) -> bool {
        self.0.iter().any(|interval| {
            let within = interval.from_height <= height && interval.to_height.is_none_or(|to| height < to);
            let voided = match interval.effect_on_prior {
                Effect::VoidFrom(from) if interval.to_height.is_some() => height >= from,
                Effect::VoidFrom(_) | Effect::Keep => false,
            };
            within && !voided
        })
    }
    /// Adds an open interval.
    pub fn open(&mut self, from: Height, by: Authority) -> Result<(), IntervalError> {
        if let Some(last) = self.0.last() {
            let to = last.to_height.ok_or(IntervalError::Open)?;
            if to > from {
                return Err(IntervalError::Order);
            }
        }
        if self.0.len() + 2 > INTERVALS_MAX {
            return Err(IntervalError::Full);
        }
        let interval = Interval { from_height: from, to_height: None, by, effect_on_prior: Effect::Keep };
        self.0.push(interval).map_err(|_| IntervalError::Full)
    }
    /// Ends the open interval.
    pub fn end(&mut self, to: Height, by: Authority, effect: Effect) -> Result<(), IntervalError> {
        let last = self.0.as_mut_slice().last_mut().ok_or(IntervalError::NotOpen)?;
        if last.to_height.is_some() {
            return Err(IntervalError::NotOpen);
        }
        if to < last.from_height {
            return Err(IntervalError::Order);
        }
        *last = Interval { from_height: last.from_height, to_height: Some(to), by, effect_on_prior: effect };
        Ok(())
    }
}

crate::codec::impl_decode!(Intervals, decoder => {
    let list = List::<Interval, INTERVALS_MAX>::decode(decoder)?;
    Self::new(list.into_vec()).map_err(|error| bincode::error::DecodeError::OtherString(error.to_string()))
});
impl<'de> Deserialize<'de> for Intervals {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_keeps_or_voids_what_was_before() {
        let mut intervals = Intervals::from(Height(5), Authority::Genesis);
        intervals.end(Height(20), Authority::Genesis, Effect::Keep).unwrap();
        assert!(!intervals.hold_at(Height(4)) && intervals.hold_at(Height(5)));
        assert!(intervals.hold_at(Height(19)) && !intervals.hold_at(Height(20)));
        intervals.open(Height(30), Authority::Genesis).unwrap();
        assert!(!intervals.hold_at(Height(29)) && intervals.hold_at(Height(30)));
        intervals.end(Height(50), Authority::Genesis, Effect::VoidFrom(Height(40))).unwrap();
        assert!(intervals.hold_at(Height(39)) && !intervals.hold_at(Height(40)) && intervals.hold_at(Height(6)));
    }

    #[test]
    fn the_last_two_places_only_end() {
        let mut intervals = Intervals::from(Height(0), Authority::Genesis);
        for i in 1.. {
            intervals.end(Height(2 * i - 1), Authority::Genesis, Effect::Keep).unwrap();
            if let Err(error) = intervals.open(Height(2 * i), Authority::Genesis) {
                assert_eq!(error, IntervalError::Full);
                break;
            }
        }
        assert_eq!(intervals.all().len(), INTERVALS_MAX - 1);
    }
}
