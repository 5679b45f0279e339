//! How a consortium begins and how a bureau comes to it: keys, membership cards, genesis, a home for a node.
//!
//! Everyone makes his own keys with `kanhe-node init` and shows a card. The founders put their cards and one agreement
//! together: the same files give the same genesis on every machine, and people compare its hash. Whoever comes later is
//! admitted by vote on his card and starts from the same genesis.

pub mod agreement;
pub mod bureau;
pub mod home;
pub mod keys;

pub use agreement::{AGREEMENT_EXAMPLE, AgreementError, found};
pub use bureau::{BureauOptions, InitError, Made, init};
pub use home::{InstallError, install};

/// The membership card of a bureau in its home.
pub const CARD_FILE: &str = "card.bin";
