//! Licences that a case yields: signed and journaled as any other, each for the application in the party's case file.
//!
//! A run's name comes from what it is for, and a licence's place in it is fixed. So whoever comes back after a crash finds
//! what was journaled and brings that onto the chain: nothing is signed twice.

use std::collections::BTreeSet;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::{Day, Vct};
use kanhe_proto::ids::TimeMs;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::batch::{Signing, fresh_number};
use super::journal::{Planned, anchor, plan};
use super::prepare::bind;
use super::{BatchEntry, Definition, Office, Prepared, Register};
use crate::clock;
use crate::follow::Follower;
use crate::sheet::Row;
use crate::talk::{ExitCode, Failure};

/// A licence to be issued.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Type and version.
    pub vct: Vct,
    /// Claims, but for those that the issuer fills in.
    pub claims: Map<String, Value>,
    /// The holder's application.
    pub application: String,
    /// The application is judged as of then.
    pub as_of: TimeMs,
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "Grant({})", self.vct)
    }
}

/// Issues what a case yields.
#[derive(Debug)]
pub struct Granting<'a> {
    /// Who issues.
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

impl Granting<'_> {
    /// Why these could not be issued as it stands: place, stable code and words. A failure says nothing about them.
    pub fn check(&self, grants: &[Grant], follower: &mut Follower) -> Result<Vec<(usize, String, String)>, Failure> {
        let (mut faults, mut keys) = (Vec::new(), BTreeSet::new());
        for (place, grant) in grants.iter().enumerate() {
            match self.prepare(grant, place, follower).and_then(|(definition, prepared)| {
                let number = fresh_number(self.office, &definition)?;
                definition.fill(prepared.row.claims.clone(), &number, self.issuer_name, Day::of(clock::now()))?;
                Ok(prepared)
            }) {
                Ok(prepared) if prepared.keys.iter().all(|key| keys.insert(key.id())) => {}
                Ok(_) => {
                    let failure = used();
                    faults.push((place, failure.code, failure.message));
                }
                Err(failure) if failure.exit == ExitCode::Unreachable => return Err(failure),
                Err(failure) => faults.push((place, failure.code, failure.message)),
            }
        }
        Ok(faults)
    }

    /// Issues all of them; what is journaled already goes on. Each is on the chain and proved when this returns.
    pub fn issue(&self, grants: &[Grant], follower: &mut Follower) -> Result<Vec<BatchEntry>, Failure> {
        let journaled = self.register.batches_of(self.run)?;
        let mut anchored = Vec::with_capacity(grants.len());
        for (place, grant) in (0u32..).zip(grants) {
            let batch = match journaled.iter().find(|batch| batch.place == place) {
                Some(batch) => batch.clone(),
                None => self.plan(grant, place, follower)?,
            };
            anchored.push(anchor(self.office, self.register, follower, batch)?);
        }
        Ok(anchored)
    }

    fn plan(&self, grant: &Grant, place: u32, follower: &mut Follower) -> Result<BatchEntry, Failure> {
        let (definition, prepared) = self.prepare(grant, place as usize, follower)?;
        let (office, issuer_name, run, now) = (self.office, self.issuer_name, self.run, clock::now());
        let register = self.register;
        let signing = Signing { office, definition: &definition, register, issuer_name, run, place, now };
        let licences = signing.sign(std::slice::from_ref(&prepared))?;
        let planned = Planned { run, place, lines: vec![place], licences, redeemed: Vec::new() };
        plan(office, &definition, self.register, follower, planned)
    }

    fn prepare(&self, grant: &Grant, place: usize, follower: &mut Follower) -> Result<(Definition, Prepared), Failure> {
        self.office.check_right(follower, &grant.vct.code)?;
        let definition = Definition::fetch(&grant.vct, self.genesis, follower)?;
        let line = u32::try_from(place).expect("an item yields few licences");
        let row = Row { line, claims: grant.claims.clone(), application: None };
        let prepared = bind(self.office, &definition, row, &grant.application, grant.as_of)
            .map_err(|fault| Failure::reported(ExitCode::Refused, "grant_application_wrong", fault.message()))?;
        for key in &prepared.keys {
            if self.register.of_application(&key.id())?.is_some() {
                return Err(used());
            }
        }
        for column in definition.columns.list().iter().filter(|column| column.unique && column.claim) {
            let value = grant.claims.get(&column.code).and_then(Value::as_str);
            if let Some(value) = value
                && self.register.user(&grant.vct.code, &column.code, value)?.is_some()
            {
                let args: &[(&str, &dyn std::fmt::Display)] = &[("claim", &column.code), ("type", &grant.vct.code)];
                return Err(Failure::of(ExitCode::Refused, "grant_claim_taken", args));
            }
        }
        Ok((definition, prepared))
    }
}

/// An application gets one licence.
fn used() -> Failure {
    Failure::of(ExitCode::Refused, "grant_application_used", &[])
}
