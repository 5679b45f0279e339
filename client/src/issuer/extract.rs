//! A row that awaits pickup, signed once under a key that nobody has: what another bureau reads of it.

use kanhe_proto::genesis::Genesis;
use kanhe_proto::key::PublicKey;

use super::batch::{Signing, fresh_number};
use super::journal::{Planned, anchor, plan};
use super::records::Awaiting;
use super::{Definition, LicenceEntry, Office, Prepared, Register};
use crate::clock;
use crate::follow::Follower;
use crate::sheet::Row;
use crate::talk::{ExitCode, Failure};

/// Makes extracts.
#[derive(Debug)]
pub struct Extracting<'a> {
    /// Who signs.
    pub office: &'a Office,
    /// The chain's beginning, for the types.
    pub genesis: &'a Genesis,
    /// The bureau's name, as licences show it.
    pub issuer_name: &'a str,
    /// Its register.
    pub register: &'a Register,
    /// Names the run.
    pub run: &'a str,
}

impl Extracting<'_> {
    /// Signs, journals and anchors the extract of a row, under a number of its own: that of the row stays free.
    pub fn issue(&self, row: &Awaiting, key: PublicKey, follower: &mut Follower) -> Result<LicenceEntry, Failure> {
        let Self { office, genesis, issuer_name, register, run } = *self;
        office.check_right(follower, &row.vct.code)?;
        let definition = Definition::fetch(&row.vct, genesis, follower)?;
        let prepared = Prepared {
            row: Row { line: row.line, claims: row.claims.clone(), application: None },
            number: Some(fresh_number(office, &definition)?),
            replaces: None,
            keys: vec![key],
            binding: None,
        };
        let signing =
            Signing { office, definition: &definition, register, issuer_name, run, place: 0, now: clock::now() };
        let mut licences = signing.sign(std::slice::from_ref(&prepared))?;
        for licence in &mut licences {
            licence.extract_of = Some(row.number.clone());
        }
        let made =
            licences.first().cloned().ok_or_else(|| Failure::of(ExitCode::Failure, "batch_root", &[("run", &run)]))?;
        let planned =
            Planned { run, place: 0, lines: vec![row.line], licences, redeemed: Vec::new(), names: Vec::new() };
        let batch = plan(office, &definition, register, follower, planned)?;
        anchor(office, register, follower, batch)?;
        Ok(made)
    }
}
