//! Licences whose holders have no wallet yet: each gets a code to collect it with.

use std::path::Path;

use kanhe_proto::identifiers::Day;
use kanhe_proto::ids::TimeMs;
use kanhe_proto::pickup::{PICKUP_LIFE, PickupCode, PickupEntry};

use super::batch::fresh_number;
use super::records::{Awaiting, pickup_bytes};
use super::{Definition, Office, Register, Run};
use crate::clock;
use crate::home;
use crate::sheet::{Format, Row, Writer};
use crate::talk::{ExitCode, Failure, say};

/// Makes a code for each row of a run that awaits pickup, and writes them to a file for the bureau alone: the register
/// keeps their hashes. The file is there before the register counts on it, so that a kill loses no code.
pub fn hand_out(
    office: &Office,
    definition: &Definition,
    register: &Register,
    run: &Run,
    rows: Vec<Row>,
    path: &Path,
) -> Result<(), Failure> {
    if run.awaiting.is_empty() || register.has_codes(&run.id)? {
        return Ok(());
    }
    if !run.awaiting.iter().copied().eq(rows.iter().map(|row| row.line)) {
        return Err(Failure::of(ExitCode::Failure, "run_rows", &[("run", &run.id)]));
    }
    let (salt, made) = (clock::random::<16>()?, TimeMs(run.started_ms));
    let until = Day::of(made.after(PICKUP_LIFE)).to_string();
    let headings = ["number", "holder", "code", "pickup", "until"];
    let headings = headings.iter().map(|name| say(&format!("pickup.{name}"), &[])).collect();
    let mut file = Writer::new(Format::Csv, headings);
    let mut all = Vec::with_capacity(rows.len());
    for row in rows {
        let code = PickupCode::from_random(clock::random()?);
        let entry = PickupEntry::new(&code, salt, made);
        let awaiting = Awaiting {
            number: fresh_number(office, definition)?,
            vct: definition.vct(),
            claims: row.claims,
            pickup: pickup_bytes(&entry),
            run: run.id.clone(),
            line: row.line,
        };
        let (number, holder) = (awaiting.number.to_string(), awaiting.claim("CZZT").to_owned());
        file.row(vec![number, holder, awaiting.claim("CZZTDM").to_owned(), code.shown(), until.clone()]);
        all.push((awaiting, entry.hash));
    }
    let bytes = file.bytes().map_err(|error| Failure::reported(ExitCode::Failure, "sheet_not_written", error))?;
    home::write_private(path, &bytes)?;
    register.await_pickup(definition, &run.id, &salt, &all, &[])
}
