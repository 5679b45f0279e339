//! How much a proposer packs: blocks that take too long to build or check become smaller, not late.
//!
//! A block must be built, sent, and executed by the others before they stop waiting for it. How many changes that allows
//! depends on the machine, its disk and the size of the chain, so it is learned: work that took longer than it should
//! lowers what is packed, at most by half at a time, and full blocks that were quick raise it again, by small steps near
//! what was too much, as TCP finds the rate of a network. In later rounds of a height each turn packs half of the one before.
//!
//! This is a choice of the proposer alone. What a block may hold at most is the parameters' to say, and validators
//! accept all that these allow.

use std::time::Duration;

/// Changed leaves and log records: what execution, hashing and writing take time for.
pub(super) type Weight = usize;

/// What is always packed if it is there. Less would hardly be quicker: a block costs something by itself.
const WEIGHT_MIN: Weight = 64;
/// Of a block with less than half of this, something else was slow: a disk that stopped for a moment, peers that went away.
const WEIGHT_BLAMED: Weight = 256;
/// A raise is this part of what is packed now,
const RAISE_PART: usize = 4;
/// and this part near what was slow.
const CAREFUL_PART: usize = 32;

/// What is packed at most, as learned so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// How long building a block, or checking one, should take at most.
    target: Duration,
    /// What is packed; more than any block holds before anything was slow.
    weight_max: Weight,
    /// What was too much the last time, until more was quick.
    slow_at: Weight,
}

impl Pace {
    pub const fn new(target: Duration) -> Self {
        Self { target, weight_max: Weight::MAX, slow_at: Weight::MAX }
    }

    /// How long transactions are tried: half of the whole, for roots are made after.
    pub fn packing(&self) -> Duration {
        self.target / 2
    }

    /// What a turn may pack where the parameters allow so much.
    pub fn allowed(&self, most: Weight, round: u32) -> Weight {
        let halved = self.weight_max.min(most).checked_shr(round).unwrap_or(0);
        halved.max(WEIGHT_MIN)
    }

    /// A block was built here.
    pub fn built(&mut self, weight: Weight, took: Duration) {
        self.took(weight, took);
        // Only blocks near the limit say that more would do.
        if took < self.target / 2 && weight >= self.weight_max / 2 {
            self.raise();
        }
    }

    /// Another's block was checked here: the others are assumed to be no quicker.
    pub fn checked(&mut self, weight: Weight, took: Duration) {
        self.took(weight, took);
    }

    /// A block was proposed here and not decided in its round: too late for the others.
    pub fn missed(&mut self, weight: Weight) {
        self.lower(weight, weight / 2);
    }

    fn took(&mut self, weight: Weight, took: Duration) {
        if took > self.target {
            let fits = weight as u128 * self.target.as_nanos() / took.as_nanos().max(1);
            self.lower(weight, Weight::try_from(fits).unwrap_or(Weight::MAX).max(weight / 2));
        }
    }

    fn raise(&mut self) {
        let near = self.weight_max >= self.slow_at - self.slow_at / 4;
        let part = if near { CAREFUL_PART } else { RAISE_PART };
        self.weight_max = self.weight_max.saturating_add((self.weight_max / part).max(1));
        if self.weight_max > self.slow_at {
            self.slow_at = Weight::MAX;
        }
    }

    fn lower(&mut self, slow: Weight, to: Weight) {
        let to = to.max(WEIGHT_MIN);
        let blamed = slow >= self.weight_max.min(WEIGHT_BLAMED) / 2;
        if blamed && to < self.weight_max {
            tracing::info!(from = self.told(), to, "blocks take too long here: the next ones are smaller");
            (self.weight_max, self.slow_at) = (to, slow);
        }
    }

    /// What is packed, for people: nothing is too much before anything was slow.
    fn told(&self) -> Option<Weight> {
        (self.weight_max < Weight::MAX).then_some(self.weight_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Duration = Duration::from_millis(100);
    const MOST: Weight = 24_000;

    fn pace() -> Pace {
        Pace::new(TARGET)
    }

    #[test]
    fn nothing_is_held_back_until_something_is_slow() {
        let mut pace = pace();
        assert_eq!(pace.allowed(MOST, 0), MOST);
        pace.built(MOST, TARGET / 3);
        pace.checked(MOST, TARGET);
        assert_eq!(pace.allowed(MOST, 0), MOST);
    }

    #[test]
    fn slow_blocks_shrink_by_half_at_most_until_they_fit_and_grow_again() {
        let mut pace = pace();
        // A leaf takes a millisecond: 100 fit.
        let cost = |weight: Weight| Duration::from_millis(weight as u64);
        let mut sizes = vec![pace.allowed(MOST, 0)];
        while cost(*sizes.last().unwrap_or(&0)) > TARGET {
            let weight = pace.allowed(MOST, 0);
            pace.built(weight, cost(weight));
            sizes.push(pace.allowed(MOST, 0));
        }
        assert!(sizes.windows(2).all(|pair| pair[1] >= pair[0] / 2 && pair[1] < pair[0]), "{sizes:?}");
        assert_eq!(sizes.last(), Some(&100));
        // The machine is quick again.
        for _ in 0..100 {
            pace.built(pace.allowed(MOST, 0), TARGET / 10);
        }
        assert!(pace.allowed(MOST, 0) > 10_000);
    }

    #[test]
    fn small_blocks_that_are_quick_prove_nothing_about_large_ones() {
        let mut pace = pace();
        pace.built(1_000, TARGET * 2);
        assert_eq!(pace.allowed(MOST, 0), 500);
        for _ in 0..100 {
            pace.built(10, Duration::from_millis(1));
        }
        assert_eq!(pace.allowed(MOST, 0), 500);
    }

    #[test]
    fn small_blocks_are_not_blamed_unless_no_more_was_allowed() {
        let mut pace = pace();
        pace.missed(0);
        pace.built(100, TARGET * 50);
        pace.checked(100, TARGET * 50);
        assert_eq!(pace.allowed(MOST, 0), MOST);
        pace.missed(400);
        pace.missed(100);
        assert_eq!(pace.allowed(MOST, 0), WEIGHT_MIN.max(50));
    }

    #[test]
    fn steps_are_small_near_what_was_too_much() {
        let mut pace = pace();
        pace.missed(8_000);
        let mut sizes = vec![4_000];
        while sizes.last().is_some_and(|size| *size < 12_000) {
            pace.built(pace.allowed(MOST, 0), TARGET / 10);
            sizes.push(pace.allowed(MOST, 0));
        }
        let steps = |from, to| sizes.iter().filter(|size| (from..to).contains(*size)).count();
        assert!(steps(4_000, 6_000) <= 3 && steps(6_000, 8_000) >= 8 && steps(8_300, 12_000) <= 3, "{sizes:?}");
    }

    #[test]
    fn a_missed_round_halves_what_was_proposed_and_so_does_each_later_round() {
        let mut pace = pace();
        pace.missed(8_000);
        assert_eq!(pace.allowed(MOST, 0), 4_000);
        assert_eq!(pace.allowed(MOST, 1), 2_000);
        assert_eq!(pace.allowed(MOST, 5), 125);
        // Something is always packed.
        assert_eq!(pace.allowed(MOST, 40), WEIGHT_MIN);
        assert_eq!(pace.allowed(MOST, u32::MAX), WEIGHT_MIN);
        (0..20).for_each(|_| pace.missed(pace.allowed(MOST, 0)));
        assert_eq!(pace.allowed(MOST, 0), WEIGHT_MIN);
        // The limit of the parameters counts where it is lower.
        assert_eq!(self::pace().allowed(1_000, 2), 250);
    }
}
