//! Seeded randomness. The seed is printed, so that a failure can be had again.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of random numbers that a seed determines.
#[derive(Debug)]
pub struct Dice(ChaCha8Rng);

impl Dice {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }
    /// From `KANHE_TEST_SEED`, else from this one; says which.
    pub fn of_test(name: &str, usual: u64) -> Self {
        let seed = std::env::var("KANHE_TEST_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(usual);
        println!("{name}: KANHE_TEST_SEED={seed}");
        Self::new(seed)
    }
    /// A number below a bound.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0.random_range(0..bound.max(1))
    }
    /// A place in a list of this length.
    pub fn place(&mut self, length: usize) -> usize {
        self.0.random_range(0..length.max(1))
    }
    /// 32 random bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        self.0.random()
    }
}
