//! Service items as people write, check and read them.

mod fit;
mod mistake;
mod paperwork;
mod source;
mod trial;

pub use fit::{Fit, Owned, fit};
pub use mistake::Mistake;
pub use paperwork::Paperwork;
pub use source::ItemSource;
pub use trial::{Tried, try_samples};
