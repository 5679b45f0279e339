//! The clock of this machine and its random source: read here and nowhere below.

use std::time::{SystemTime, UNIX_EPOCH};

use kanhe_proto::ids::TimeMs;

use crate::talk::{ExitCode, Failure};

/// Now, in milliseconds since 1970.
pub fn now() -> TimeMs {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    TimeMs(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

/// Fresh random bytes of the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], Failure> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| Failure::of(ExitCode::Failure, "random_failed", &[("cause", &error)]))?;
    Ok(bytes)
}
