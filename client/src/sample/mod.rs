//! Sample data of Jinan: companies, people and homes that do not exist, with valid check characters.
//!
//! The same seed gives the same data on every machine. Names and numbers are drawn at random from real patterns; that a
//! number is also some real person's cannot be excluded, so sample data is never to be mixed with real data.

mod company;
mod dice;
mod home;
mod person;
mod subject;

pub use dice::Dice;
pub use subject::{Subject, TypeFile};
