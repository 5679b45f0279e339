//! The chain's batches under the bureau's name against its register.

use kanhe_proto::identifiers::{Uscc, Vct};
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::record::{BatchRecord, Record};
use schemars::JsonSchema;
use serde::Serialize;

use super::Register;
use super::anchor::record_at;
use crate::follow::Follower;
use crate::talk::Failure;

/// A batch on the chain.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct Surveyed {
    /// The batch id.
    #[schemars(with = "u64")]
    pub batch: LogIndex,
    /// Type and version.
    #[schemars(with = "String")]
    pub vct: Vct,
    /// Licences in it.
    pub count: u32,
    /// When it was recorded, in milliseconds since 1970.
    #[schemars(with = "u64")]
    pub time: TimeMs,
    /// Whether the register has it; otherwise somebody else issues in the bureau's name.
    pub known: bool,
}

/// All batches of an issuer from a record on, each proved, and where to go on later.
///
/// What is on the chain was journaled before, so a register that is open while this looks knows all batches of its own.
pub fn survey(
    register: &Register,
    follower: &mut Follower,
    issuer: Uscc,
    from: LogIndex,
) -> Result<(Vec<Surveyed>, LogIndex), Failure> {
    follower.update()?;
    let size = follower.trust().newest().map_or(0, |newest| newest.log_size);
    let own = register.batches()?;
    let mut found = Vec::new();
    for index in from.0..size {
        let record = record_at(follower, LogIndex(index))?;
        let Ok(batch) = BatchRecord::from_record(&record.record) else { continue };
        if batch.issuer != issuer {
            continue;
        }
        found.push(Surveyed {
            batch: record.index,
            vct: Vct { code: batch.type_code, version: batch.type_version },
            count: batch.count,
            time: batch.time,
            known: own.iter().any(|entry| entry.root == batch.root),
        });
    }
    Ok((found, LogIndex(size.max(from.0))))
}
