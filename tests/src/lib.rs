//! What the tests of the whole share: networks of real processes, load, faults, and the judges that look at what is left.
//!
//! Everything here is seen by tests alone and nobody imports it. What fails in here fails the test that called it.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a harness: whatever fails fails the test")]

pub mod aim;
pub mod apart;
pub mod audit;
pub mod byzantine;
pub mod counter;
pub mod dice;
pub mod http;
pub mod inquiry;
pub mod liar;
pub mod load;
pub mod machines;
pub mod network;
pub mod officer;
pub mod person;
pub mod power;
pub mod privacy;
pub mod programs;
pub mod rogue;
pub mod witness;
