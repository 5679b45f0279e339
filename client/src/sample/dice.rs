//! A seeded source of choices: SHA-256 of seed and counter. For sample data only, never for keys.

use kanhe_proto::hash::sha256;

/// Deterministic choices.
#[derive(Debug, Clone)]
pub struct Dice {
    seed: [u8; 32],
    counter: u64,
}

impl Dice {
    /// A source for a seed and a label; different labels give unrelated choices.
    pub fn new(seed: u64, label: &str) -> Self {
        Self { seed: sha256(&[b"kanhe sample", &seed.to_be_bytes(), label.as_bytes()]), counter: 0 }
    }

    /// A number below a bound (above zero). The bias is below 2^-32 for bounds of this use.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.counter += 1;
        let hash = sha256(&[&self.seed, &self.counter.to_be_bytes()]);
        u64::from_be_bytes(*hash.first_chunk().expect("8 of 32 bytes")) % bound
    }

    /// A number from a range, both ends included.
    pub fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.below(most - least + 1)
    }

    /// One of several.
    pub fn pick<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// True so many times in a hundred.
    pub fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}
