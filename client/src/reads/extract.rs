//! Of what awaits pickup nothing is signed: for a read it is signed once, under a key that nobody has.
//!
//! Such an extract is a licence like any other, in a batch of its own; it can be shown by nobody, and serves as proof of what
//! the register said. Who picks the licence up later finds the reads by the same key of traces.

use kanhe_proto::key::{SecretKey, Signer as _};
use kanhe_proto::text;

use super::serving::WithRegister;
use crate::clock;
use crate::follow::Follower;
use crate::issuer::{Awaiting, Extracting, LicenceEntry};
use crate::talk::Failure;

/// The extract of a row: that of before, or a new one, anchored.
pub(super) fn extract(
    serving: &WithRegister<'_>,
    awaiting: &Awaiting,
    follower: &mut Follower,
) -> Result<Box<LicenceEntry>, Failure> {
    if let Some(known) = serving.register.extract_of(&awaiting.number)? {
        return Ok(Box::new(known));
    }
    let nobody = SecretKey::from_seed(clock::random()?).public_key();
    let run = text::hex(&clock::random::<8>()?);
    let WithRegister { office, genesis, issuer_name, register } = *serving;
    let made = Extracting { office, genesis, issuer_name, register, run: &run }.issue(awaiting, nobody, follower)?;
    Ok(Box::new(made))
}
