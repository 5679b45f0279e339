//! Service items as people write, check and read them.

mod fit;
mod mistake;
mod source;
mod trial;

pub use fit::{Fit, Owned, fit};
pub use mistake::Mistake;
pub use source::ItemSource;
pub use trial::{Tried, try_samples};
