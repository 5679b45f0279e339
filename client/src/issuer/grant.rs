//! Licences that a case yields: signed and journaled as any other, each for the application in the party's case file.
//!
//! Each has a name that comes from what it is for, and what is journaled under a name is journaled once. So whoever comes back
//! after a crash finds it and brings that onto the chain: nothing is signed twice. Licences of one type share a batch, whatever
//! cases they are of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::LicenceDigest;
use kanhe_proto::identifiers::{Day, TypeCode, Vct};
use kanhe_proto::ids::{LogIndex, TimeMs};
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::pickup::{PickupEntry, PickupHash, chain_salt};
use kanhe_proto::text;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::batch::{Signing, fresh_number};
use super::journal::{Planned, anchor_each, plan, wait_for};
use super::prepare::bind;
use super::records::{Awaiting, pickup_bytes};
use super::{BatchEntry, Definition, Office, Prepared, Register};
use crate::clock;
use crate::follow::Follower;
use crate::sheet::Row;
use crate::talk::{ExitCode, Failure};

/// Stands in the place of a run for licences that a clerk hands over codes for.
const COUNTERS: &str = "counters";

/// A licence to be issued.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Grant {
    /// Type and version.
    pub vct: Vct,
    /// Claims, but for those that the issuer fills in.
    pub claims: Map<String, Value>,
    /// How its holder gets it.
    pub way: Way,
    /// The application is judged as of then.
    pub as_of: TimeMs,
}

/// How a licence reaches its holder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// It is signed for the keys of this application.
    Application(String),
    /// It awaits whoever brings a code, of which this is the hash with the chain's salt.
    Pickup(PickupHash),
}

impl std::fmt::Debug for Grant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal claims stay out of logs.
        write!(f, "Grant({})", self.vct)
    }
}

/// A licence that is issued once, whatever stops in between: its name is of what it is for.
#[derive(Debug, Clone)]
pub struct Due<'a> {
    /// Its name.
    pub name: String,
    /// What is issued.
    pub grant: &'a Grant,
}

/// A licence of the journal that is on the chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// Type and version.
    pub vct: Vct,
    /// Its batch.
    pub batch: LogIndex,
    /// Digests of its copies.
    pub digests: Vec<LicenceDigest>,
}

/// Issues what cases yield.
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
}

/// Types that were looked up, with the right to issue them: asked for once where many licences are of one type.
#[derive(Debug, Default)]
pub struct Types(BTreeMap<Vct, Result<Arc<Definition>, Failure>>);

impl Types {
    fn get(&mut self, granting: &Granting<'_>, vct: &Vct, follower: &mut Follower) -> Result<Arc<Definition>, Failure> {
        if let Some(known) = self.0.get(vct) {
            return known.clone();
        }
        let found = granting
            .office
            .check_right(follower, &vct.code)
            .and_then(|()| Definition::fetch(vct, granting.genesis, follower).map(Arc::new));
        self.0.insert(vct.clone(), found.clone());
        found
    }
}

/// What was given out together with it already: of two that claim the same, the second is refused.
#[derive(Debug, Clone, Default)]
pub struct Taken {
    keys: BTreeSet<KeyId>,
    codes: BTreeSet<PickupHash>,
    values: BTreeSet<(TypeCode, String, String)>,
}

/// A row that awaits whoever comes with the code of this hash.
type Promise = (Awaiting, PickupHash);

/// A licence that can be issued.
enum Ready {
    /// To keys.
    Bound(Prepared),
    /// To whoever comes with a code.
    Promised(Awaiting, PickupHash),
}

/// Names are those of a row with a place after the last slash: what cannot be issued whole is not issued in part.
fn leave_out_parts<T>(names: &[String], ends: &mut [Result<(), Failure>], new: &mut BTreeMap<Vct, Vec<(usize, T)>>) {
    let row = |at: usize| names[at].rsplit_once('/').map_or(names[at].as_str(), |(row, _)| row);
    let failed = ends.iter().enumerate().filter_map(|(at, end)| Some((row(at), end.as_ref().err()?.clone())));
    let failed: BTreeMap<&str, Failure> = failed.collect();
    for some in new.values_mut() {
        some.retain(|(at, _)| match failed.get(row(*at)) {
            Some(failure) => {
                ends[*at] = Err(failure.clone());
                false
            }
            None => true,
        });
    }
}

impl Granting<'_> {
    /// Why these could not be issued as it stands: place, stable code and words. A failure says nothing about them.
    pub fn check(
        &self,
        grants: &[&Grant],
        types: &mut Types,
        taken: &mut Taken,
        follower: &mut Follower,
    ) -> Result<Vec<(usize, String, String)>, Failure> {
        let mut faults = Vec::new();
        for (place, grant) in grants.iter().enumerate() {
            match self.prepare(grant, place, types, taken, follower) {
                Ok(_) => {}
                Err(failure) if failure.exit == ExitCode::Unreachable => return Err(failure),
                Err(failure) => faults.push((place, failure.code, failure.message)),
            }
        }
        Ok(faults)
    }

    /// Journals what is not journaled yet, in as few batches as types and their limit allow. What cannot be issued says why.
    pub fn plan(
        &self,
        due: &[Due<'_>],
        batch_max: usize,
        follower: &mut Follower,
    ) -> Result<Vec<Result<(), Failure>>, Failure> {
        let names: Vec<String> = due.iter().map(|due| due.name.clone()).collect();
        let known = self.register.are_named(&names)?;
        let (mut types, mut taken) = (Types::default(), Taken::default());
        let mut ends: Vec<Result<(), Failure>> = Vec::with_capacity(due.len());
        let mut new: BTreeMap<Vct, Vec<(usize, Prepared)>> = BTreeMap::new();
        let mut promised: BTreeMap<Vct, Vec<(usize, Promise)>> = BTreeMap::new();
        for (at, (due, is_known)) in due.iter().zip(known).enumerate() {
            if is_known {
                ends.push(Ok(()));
                continue;
            }
            let vct = due.grant.vct.clone();
            ends.push(self.prepare(due.grant, at, &mut types, &mut taken, follower).map(|ready| match ready {
                Ready::Bound(prepared) => new.entry(vct).or_default().push((at, prepared)),
                Ready::Promised(row, hash) => promised.entry(vct).or_default().push((at, (row, hash))),
            }));
        }
        leave_out_parts(&names, &mut ends, &mut new);
        leave_out_parts(&names, &mut ends, &mut promised);
        for (vct, some) in promised {
            let definition = types.get(self, &vct, follower)?;
            let named: Vec<String> = some.iter().map(|(at, _)| names[*at].clone()).collect();
            let rows: Vec<Promise> = some.into_iter().map(|(_, row)| row).collect();
            self.register.await_pickup(&definition, COUNTERS, &self.salt(), &rows, &named)?;
        }
        for (vct, mut left) in new {
            let definition = types.get(self, &vct, follower)?;
            while !left.is_empty() {
                let rest = left.split_off(portion(&left, batch_max));
                let places: Vec<usize> = left.iter().map(|(at, _)| *at).collect();
                let named = places.iter().map(|at| names[*at].clone()).collect();
                let rows: Vec<Prepared> = left.into_iter().map(|(_, prepared)| prepared).collect();
                if let Err(failure) = self.journal(&definition, &rows, named, follower) {
                    places.into_iter().for_each(|at| ends[at] = Err(failure.clone()));
                }
                left = rest;
            }
        }
        Ok(ends)
    }

    fn journal(
        &self,
        definition: &Definition,
        rows: &[Prepared],
        names: Vec<String>,
        follower: &mut Follower,
    ) -> Result<(), Failure> {
        let (office, issuer_name, now) = (self.office, self.issuer_name, clock::now());
        let (run, place) = (text::hex(&clock::random::<16>()?), 0);
        let register = self.register;
        let licences = Signing { office, definition, register, issuer_name, run: &run, place, now }.sign(rows)?;
        let lines = rows.iter().map(|prepared| prepared.row.line).collect();
        let planned = Planned { run: &run, place, lines, licences, redeemed: Vec::new(), names };
        plan(office, definition, self.register, follower, planned).map(drop)
    }

    /// Batches of what is journaled under names, each once.
    pub fn batches(&self, names: &[String]) -> Result<Vec<BatchEntry>, Failure> {
        let places = self.register.journaled(names)?.into_iter().flatten().map(|(known, _)| (known.run, known.place));
        let places: BTreeSet<(String, u32)> = places.collect();
        let found = places.iter().map(|(run, place)| self.register.batch(run, *place)).filter_map(Result::transpose);
        found.collect()
    }

    /// Brings batches of what is journaled under names onto the chain, proved, each for itself. Names of what is not
    /// there, with the reason.
    pub fn anchor(
        &self,
        batches: Vec<BatchEntry>,
        names: &[String],
        follower: &mut Follower,
    ) -> Result<BTreeMap<String, Failure>, Failure> {
        let left = anchor_each(self.office, self.register, follower, batches)?;
        if left.is_empty() {
            return Ok(BTreeMap::new());
        }
        let journaled = self.register.journaled(names)?;
        let missing = names.iter().zip(journaled).filter_map(|(name, known)| {
            let (known, _) = known?;
            let left = left.iter().find(|left| (&left.batch.run, left.batch.place) == (&known.run, known.place))?;
            Some((name.clone(), left.why.clone()))
        });
        Ok(missing.collect())
    }

    /// What was issued under names; nothing of what is not on the chain.
    pub fn given(&self, names: &[String]) -> Result<Vec<Option<Given>>, Failure> {
        let anchored: BTreeMap<(String, u32), LogIndex> = self
            .batches(names)?
            .into_iter()
            .filter_map(|batch| Some(((batch.run, batch.place), batch.anchored?.batch)))
            .collect();
        let given = self.register.journaled(names)?.into_iter().map(|known| {
            let (known, licence) = known?;
            let batch = *anchored.get(&(known.run, known.place))?;
            let digests = licence.copies.iter().map(|copy| copy.digest).collect();
            Some(Given { vct: licence.vct, batch, digests })
        });
        Ok(given.collect())
    }

    /// A row of the register to be, if its application and values are still free.
    fn prepare(
        &self,
        grant: &Grant,
        place: usize,
        types: &mut Types,
        taken: &mut Taken,
        follower: &mut Follower,
    ) -> Result<Ready, Failure> {
        let definition = types.get(self, &grant.vct, follower)?;
        let line = u32::try_from(place).expect("a portion is bounded");
        let number = fresh_number(self.office, &definition)?;
        let ready = match &grant.way {
            Way::Application(text) => {
                let row = Row { line, claims: grant.claims.clone(), application: None };
                let prepared = bind(self.office, &definition, row, text, grant.as_of).map_err(|fault| {
                    Failure::reported(ExitCode::Refused, "grant_application_wrong", fault.message())
                })?;
                for key in &prepared.keys {
                    if taken.keys.contains(&key.id()) || self.register.of_application(&key.id())?.is_some() {
                        return Err(used());
                    }
                }
                Ready::Bound(prepared)
            }
            Way::Pickup(hash) => {
                if taken.codes.contains(hash) || self.register.has_code(hash)? {
                    return Err(Failure::of(ExitCode::Refused, "grant_code_taken", &[]));
                }
                let entry = PickupEntry::of(*hash, self.salt(), clock::now());
                let (vct, claims, pickup) = (grant.vct.clone(), grant.claims.clone(), pickup_bytes(&entry));
                let awaiting = Awaiting { number: number.clone(), vct, claims, pickup, run: COUNTERS.to_owned(), line };
                Ready::Promised(awaiting, *hash)
            }
        };
        let mut values = Vec::new();
        for column in definition.columns.list().iter().filter(|column| column.unique && column.claim) {
            let Some(value) = grant.claims.get(&column.code).and_then(Value::as_str) else { continue };
            let id = (grant.vct.code.clone(), column.code.clone(), value.to_owned());
            if taken.values.contains(&id) || self.register.user(&id.0, &id.1, value)?.is_some() {
                let args: &[(&str, &dyn std::fmt::Display)] = &[("claim", &column.code), ("type", &grant.vct.code)];
                return Err(Failure::of(ExitCode::Refused, "grant_claim_taken", args));
            }
            values.push(id);
        }
        definition.fill(grant.claims.clone(), &number, self.issuer_name, Day::of(clock::now()))?;
        match &ready {
            Ready::Bound(prepared) => taken.keys.extend(prepared.keys.iter().map(PublicKey::id)),
            Ready::Promised(_, hash) => drop(taken.codes.insert(*hash)),
        }
        taken.values.extend(values);
        Ok(ready)
    }

    /// Codes are hashed where the bureau is not known yet that will look for them.
    fn salt(&self) -> [u8; 16] {
        chain_salt(&self.office.chain.chain_id)
    }
}

/// How many rows fill a batch; at least one.
fn portion(rows: &[(usize, Prepared)], batch_max: usize) -> usize {
    let mut copies = 0;
    let fits = rows.iter().take_while(|(_, prepared)| {
        copies += prepared.keys.len();
        copies <= batch_max
    });
    fits.count().max(1).min(rows.len())
}

/// Waits until batches are on the chain; the register may be closed meanwhile.
pub fn await_batches(office: &Office, follower: &mut Follower, batches: &[BatchEntry]) -> Result<(), Failure> {
    batches.iter().try_for_each(|batch| wait_for(office, follower, batch))
}

/// An application gets one licence.
fn used() -> Failure {
    Failure::of(ExitCode::Refused, "grant_application_used", &[])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_issued_whole_is_not_issued_in_part() {
        let (one, two): (Vct, Vct) =
            ("urn:kanhe:type:DEMO-1:1".parse().unwrap(), "urn:kanhe:type:DEMO-2:1".parse().unwrap());
        let names = ["a/0/000", "a/0/001", "b/0/000", "b/0/001"].map(str::to_owned);
        let prepared = |at: usize| {
            let row = Row { line: 0, claims: Map::new(), application: None };
            (at, Prepared { row, number: None, replaces: None, keys: Vec::new(), binding: None })
        };
        let mut ends = [Ok(()), Err(used()), Ok(()), Ok(())];
        let mut new = BTreeMap::from([(one, vec![prepared(0), prepared(2)]), (two, vec![prepared(3)])]);
        leave_out_parts(&names, &mut ends, &mut new);
        let left: Vec<usize> = new.values().flatten().map(|(at, _)| *at).collect();
        assert_eq!(left, [2, 3]);
        assert_eq!(ends.map(|end| end.is_ok()), [false, false, true, true]);
    }
}
