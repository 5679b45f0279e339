//! What the desk does for rows, on the chain and at its node.
//!
//! While it waits for anybody else (files, blocks) the register is closed. From the look at a row to its signed decision it is
//! open without a break: an officer speaks before or after, and not in between.

use std::collections::{BTreeMap, BTreeSet};

use kanhe_proto::bounded::Blob;
use kanhe_proto::case::{Act, Case, CaseStatus, Outcome, SignedAct, StepState, commitment};
use kanhe_proto::codec;
use kanhe_proto::hash::{CaseId, LicenceDigest};
use kanhe_proto::ids::LogIndex;
use kanhe_proto::key::Signer as _;
use kanhe_proto::limits::CASE_PAYLOAD_BYTES_MAX;

use super::accounts;
use super::decision::Signing;
use super::keeping::Keeping;
use super::letter;
use super::machine::{Checks, Hands, Issuance, Settled};
use super::passing::{self, SealingKeys};
use super::round::Desk;
use super::row::{Checked, Decision, Fault, Granted, Issued, Kept, OnWay, Row, RowKey, State, Trouble};
use crate::case::{self, ProvedCase};
use crate::clock;
use crate::follow::Follower;
use crate::issuer::{Due, Granting, Taken, Types, await_batches};
use crate::parallel;
use crate::talk::{ExitCode, Failure};

/// Rows whose passed files are handed in at once.
const PASSED_AT_ONCE: usize = 8;

/// Why there is nothing to decide any more, by the proved leaf.
pub(super) fn over(case: Option<&Case>, key: &RowKey) -> Option<String> {
    let Some(case) = case else { return Some("case_gone".to_owned()) };
    let step = case.steps.get(usize::from(key.step));
    let why = match step {
        _ if case.status != CaseStatus::Open => "case_over",
        Some(step) if step.round != key.round => "replaced",
        Some(step) if matches!(step.state, StepState::Approved | StepState::Rejected) => "decided_elsewhere",
        Some(_) => return None,
        None => "case_gone",
    };
    Some(why.to_owned())
}

/// Why nothing is issued that is not in the journal yet: the case was taken back or rejected meanwhile, or what the step yields
/// was issued already, by what a register that is older than that does not know.
fn no_issue(case: Option<&Case>, step: u8) -> Option<&'static str> {
    let Some(case) = case.filter(|case| case.status == CaseStatus::Open) else { return Some("case_over") };
    case.steps.get(usize::from(step)).is_none_or(|step| step.issued).then_some("issued_elsewhere")
}

/// What was issued for a row, or why nothing is.
type Given = Result<Result<Issued, String>, Failure>;

/// The desk, with what it works on now.
pub(super) struct At<'d, 'a, 'r> {
    pub(super) desk: &'d mut Desk<'a>,
    pub(super) keeping: &'r mut Keeping,
    pub(super) follower: &'r mut Follower,
}

/// Something of each row, or for each what kept all of them from it.
fn for_all<T>(
    rows: &[&Row],
    work: impl FnOnce() -> Result<Vec<Result<T, Failure>>, Failure>,
) -> Vec<Result<T, Failure>> {
    work().unwrap_or_else(|failure| rows.iter().map(|_| Err(failure.clone())).collect())
}

impl At<'_, '_, '_> {
    /// Rows on which nobody has decided here end if there is nothing to decide any more.
    pub(super) fn end_what_is_over(
        &mut self,
        rows: &mut [Row],
        over_by_nodes: &BTreeSet<RowKey>,
    ) -> Result<(), Failure> {
        let doubtful = |row: &Row| over_by_nodes.contains(&row.key) && row.is_open();
        let ids: Vec<CaseId> = rows.iter().filter(|row| doubtful(row)).map(|row| row.key.case).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let found = case::read_many(self.follower, &mut self.desk.items, &ids)?;
        let mut lost = BTreeSet::new();
        for (row, found) in rows.iter_mut().filter(|row| doubtful(row)).zip(found) {
            if let Some(why) = over(found.as_ref().map(|found| &found.case), &row.key) {
                (row.state, row.lost, row.trouble) = (State::Lost, Some(why), None);
                lost.insert(row.key);
            }
        }
        self.keep(&mut rows.iter_mut().filter(|row| lost.contains(&row.key)))
    }

    fn read(&mut self, rows: &[&Row]) -> Result<Vec<Option<ProvedCase>>, Failure> {
        let ids: Vec<CaseId> = rows.iter().map(|row| row.key.case).collect();
        case::read_many(self.follower, &mut self.desk.items, &ids)
    }

    /// Why what steps yield could not be issued, before anybody approves them.
    fn check_grants(&mut self, looked: &mut [Result<Checks, Failure>]) -> Result<(), Failure> {
        let yields = |checks: &Result<Checks, Failure>| match checks {
            Ok(Checks::Done(checked)) => !checked.yields.is_empty(),
            _ => false,
        };
        // Of rows that claim the same one comes first; the next is looked at again once the register has it.
        let (mut types, mut taken) = (Types::default(), Taken::default());
        for checks in looked.iter_mut().filter(|checks| yields(checks)) {
            let Ok(Checks::Done(checked)) = checks else { continue };
            match self.check_grant(checked, &mut types, &mut taken) {
                Ok(None) => {}
                Ok(Some(trouble)) => *checks = Ok(Checks::NotYet(trouble)),
                Err(failure) => *checks = Err(failure),
            }
        }
        Ok(())
    }

    fn check_grant(
        &mut self,
        checked: &mut Checked,
        types: &mut Types,
        taken: &mut Taken,
    ) -> Result<Option<Trouble>, Failure> {
        for granted in &checked.yields {
            checked.faults.extend(accounts::check(self.follower, granted)?);
        }
        if !checked.faults.is_empty() {
            checked.automatic = None;
        }
        let register = self.keeping.register()?;
        let Desk { office, genesis, issuer_name, .. } = &*self.desk;
        let granting = Granting { office, genesis, issuer_name, register };
        let grants: Vec<_> = checked.yields.iter().map(|granted| &granted.grant).collect();
        for (place, code, message) in granting.check(&grants, types, &mut Taken::default(), self.follower)? {
            let about = checked.yields.get(place).map(|granted| granted.code.to_string()).unwrap_or_default();
            checked.blocked.push(Fault::of(&code, None, format!("{about}: {message}")));
        }
        if checked.automatic != Some(Outcome::Approved) {
            return Ok(None);
        }
        if !checked.blocked.is_empty() {
            checked.automatic = None;
            return Ok(None);
        }
        let mut with_these = taken.clone();
        let collides = granting.check(&grants, types, &mut with_these, self.follower)?.into_iter().next();
        let trouble = collides.map(|(_, code, message)| Trouble { code, message });
        if trouble.is_none() {
            *taken = with_these;
        }
        Ok(trouble)
    }

    fn decide(&mut self, row: &Row, found: Option<ProvedCase>, sealing: &mut SealingKeys) -> Result<Decision, Failure> {
        let found = found.ok_or_else(|| super::officer::unknown(&row.key.case))?;
        let signing = Signing { office: self.desk.office, item: &found.item.public, case: &found.case };
        let mut decision = signing.decide(row)?;
        decision.on_way = self.seal(&decision, sealing)?;
        Ok(decision)
    }

    /// What a decision passes on, ready to be sent.
    fn seal(&mut self, decision: &Decision, sealing: &mut SealingKeys) -> Result<Vec<OnWay>, Failure> {
        let office = self.desk.office;
        decision.passed.iter().map(|bytes| passing::seal(office, self.follower, sealing, bytes)).collect()
    }

    /// Brings what decisions pass on and say in words to a node, by several hands, and gives their acts.
    fn pass(&mut self, rows: &[&Row]) -> Vec<Result<SignedAct, Failure>> {
        let mut sealing = SealingKeys::default();
        let sealed_now: Vec<_> = rows.iter().map(|row| self.sealed_now(row, &mut sealing)).collect();
        let rows: Vec<(&Row, Result<Vec<OnWay>, Failure>)> = rows.iter().copied().zip(sealed_now).collect();
        let (office, follower) = (self.desk.office, &*self.follower);
        parallel::each(&rows, PASSED_AT_ONCE, |(row, sealed_now)| {
            let decision = decision_of(row);
            for file in decision.on_way.iter().chain(sealed_now.as_ref().map_err(Failure::clone)?) {
                passing::store(follower, &row.key.case, &decision.key, file)?;
            }
            letter::send(office, follower.nodes(), &decision.letters)?;
            read_act(&decision.act)
        })
    }

    /// Rows from before parts were signed have none.
    fn sealed_now(&mut self, row: &Row, sealing: &mut SealingKeys) -> Result<Vec<OnWay>, Failure> {
        let decision = decision_of(row);
        if decision.on_way.is_empty() { self.seal(decision, sealing) } else { Ok(Vec::new()) }
    }

    /// A node's word is not enough to give up: first the leaf, then all events, neither older than what is known.
    fn refused(&mut self, row: &Row, act: &SignedAct, failure: Failure) -> Result<Settled, Failure> {
        let found = case::read(self.follower, &mut self.desk.items, &row.key.case)?;
        let why = over(found.as_ref().map(|found| &found.case), &row.key);
        let is_ours = decision_of(row).key == self.desk.office.key.public_key().id();
        match (case::found(self.follower, act)?, why) {
            (Some(sent), _) => Ok(Settled::Ours(sent.index, sent.record.time)),
            (None, Some(why)) => Ok(Settled::Lost(why)),
            (None, None) if failure.code == "case_not_named" && !is_ours => {
                let decision = self.decide(row, found, &mut SealingKeys::default())?;
                Ok(Settled::Anew(Box::new(decision)))
            }
            (None, None) => Err(failure),
        }
    }

    /// The act that says what was issued.
    fn issued(&self, row: &Row, licences: Vec<Kept>) -> Result<Issued, Failure> {
        let office = self.desk.office;
        let salt: [u8; 32] = clock::random()?;
        let content: Vec<(LogIndex, Vec<LicenceDigest>)> =
            licences.iter().map(|kept| (kept.batch, kept.digests.clone())).collect();
        let key = office.key.public_key().id();
        let act = kanhe_proto::case::Issued {
            case: row.key.case,
            step: row.key.step,
            key,
            licences: commitment(&salt, &codec::encode(&content)),
        };
        let wrong = |error: &dyn std::fmt::Display| Failure::reported(ExitCode::Failure, "not_signed", error);
        let signed = Act::Issued(act).sign(&office.chain, &office.key).map_err(|error| wrong(&error))?;
        let act = Blob::new(codec::encode(&signed)).map_err(|error| wrong(&error))?;
        Ok(Issued { licences, salt: Blob::new(salt).expect("32 of 32 bytes"), key, act })
    }

    fn give(&mut self, rows: &[&Row]) -> Result<Vec<Given>, Failure> {
        let all: Vec<String> = rows.iter().copied().flat_map(names_of).collect();
        let journaled: BTreeSet<String> = {
            let known = self.keeping.register()?.are_named(&all)?;
            all.iter().zip(known).filter(|(_, is_known)| *is_known).map(|(name, _)| name.clone()).collect()
        };
        // What a register that is older than the issuing does not know is asked of the chain.
        let new: Vec<&Row> =
            rows.iter().copied().filter(|row| !names_of(row).iter().any(|name| journaled.contains(name))).collect();
        let stands: Vec<Option<&'static str>> = {
            let found = self.read(&new)?;
            let cases = new.iter().zip(&found);
            cases.map(|(row, found)| no_issue(found.as_ref().map(|found| &found.case), row.key.step)).collect()
        };
        let refused = |row: &Row| {
            let place = new.iter().position(|other| other.key == row.key);
            place.and_then(|place| stands[place])
        };
        let going: Vec<&Row> = rows.iter().copied().filter(|row| refused(row).is_none()).collect();
        let mut planned = self.plan(&going)?.into_iter();
        let names: Vec<String> = going.iter().copied().flat_map(names_of).collect();
        let missing = self.anchor(&names)?;
        let ends = rows.iter().map(|row| match refused(row) {
            Some(why) => Ok(Err(why.to_owned())),
            None => {
                planned.next().expect("one for each that goes on")?;
                // All of a row is issued, or nothing is said of it.
                match names_of(row).iter().find_map(|name| missing.get(name)) {
                    Some(why) => Err(why.clone()),
                    None => self.open_accounts(row).and_then(|()| self.given(row)).map(Ok),
                }
            }
        });
        Ok(ends.collect())
    }

    /// Journals what the rows yield: for each row that all of it stands there, or why not.
    fn plan(&mut self, rows: &[&Row]) -> Result<Vec<Result<(), Failure>>, Failure> {
        let register = self.keeping.register()?;
        let Desk { office, genesis, issuer_name, .. } = &*self.desk;
        let granting = Granting { office, genesis, issuer_name, register };
        let due: Vec<Due<'_>> = rows.iter().copied().flat_map(due_of).collect();
        let batch_max = genesis.parameters.batch_count_max as usize;
        let mut ends = granting.plan(&due, batch_max, self.follower)?.into_iter();
        let of_row = |row: &&Row| {
            let ends: Vec<Result<(), Failure>> = ends.by_ref().take(yields_of(row).len()).collect();
            ends.into_iter().collect()
        };
        Ok(rows.iter().map(of_row).collect())
    }

    /// Brings what is journaled under names onto the chain; while blocks are waited for the register is closed. Which of
    /// it is not there, and why.
    fn anchor(&mut self, names: &[String]) -> Result<BTreeMap<String, Failure>, Failure> {
        let office = self.desk.office;
        let batches = self.granting()?.batches(names)?;
        self.keeping.give_way();
        await_batches(office, self.follower, &batches)?;
        let register = self.keeping.register()?;
        let Desk { office, genesis, issuer_name, .. } = &*self.desk;
        Granting { office, genesis, issuer_name, register }.anchor(batches, names, self.follower)
    }

    fn granting(&mut self) -> Result<Granting<'_>, Failure> {
        let Desk { office, genesis, issuer_name, .. } = &*self.desk;
        Ok(Granting { office, genesis, issuer_name, register: self.keeping.register()? })
    }

    /// Opens the accounts that go with what a row yields; while their blocks are waited for the register is closed.
    fn open_accounts(&mut self, row: &Row) -> Result<(), Failure> {
        for granted in yields_of(row).iter().filter(|granted| granted.account.is_some()) {
            self.keeping.give_way();
            accounts::open(self.desk.office, self.follower, granted)?;
        }
        Ok(())
    }

    fn given(&mut self, row: &Row) -> Result<Issued, Failure> {
        let given = self.granting()?.given(&names_of(row))?;
        let licences = yields_of(row).iter().zip(given).filter_map(|(granted, given)| {
            let given = given?;
            Some(Kept { code: granted.code.clone(), vct: given.vct, batch: given.batch, digests: given.digests })
        });
        let licences: Vec<Kept> = licences.collect();
        self.issued(row, licences)
    }
}

fn decision_of(row: &Row) -> &Decision {
    row.decision.as_ref().expect("a signed row has its decision")
}

fn yields_of(row: &Row) -> &[Granted] {
    row.checked.as_ref().map_or(&[], |checked| &checked.yields)
}

/// Names of what a row yields: the same for the same round of the same step, so that after a crash it is found again.
fn names_of(row: &Row) -> Vec<String> {
    (0..yields_of(row).len()).map(|place| format!("{}/{place:03}", row.key)).collect()
}

fn due_of(row: &Row) -> Vec<Due<'_>> {
    names_of(row).into_iter().zip(yields_of(row)).map(|(name, granted)| Due { name, grant: &granted.grant }).collect()
}

fn read_act(bytes: &[u8]) -> Result<SignedAct, Failure> {
    codec::decode(bytes, CASE_PAYLOAD_BYTES_MAX)
        .map_err(|error| Failure::reported(ExitCode::Failure, "vault_damaged", error))
}

impl Hands for At<'_, '_, '_> {
    fn check(&mut self, rows: &[&Row]) -> Vec<Result<Checks, Failure>> {
        self.keeping.give_way();
        for_all(rows, || {
            let mut looked = self.look(rows)?;
            self.check_grants(&mut looked)?;
            Ok(looked)
        })
    }

    fn sign(&mut self, rows: &[&Row]) -> Vec<Result<Decision, Failure>> {
        for_all(rows, || {
            let found = self.read(rows)?;
            let mut sealing = SealingKeys::default();
            Ok(rows.iter().zip(found).map(|(row, found)| self.decide(row, found, &mut sealing)).collect())
        })
    }

    fn settle(&mut self, rows: &[&Row]) -> Vec<Result<Settled, Failure>> {
        self.keeping.give_way();
        let acts = self.pass(rows);
        let going: Vec<SignedAct> = acts.iter().filter_map(|act| act.as_ref().ok().cloned()).collect();
        let mut sent = case::send_each(self.follower, &going).into_iter();
        let ends = rows.iter().zip(acts).map(|(row, act)| {
            let act = act?;
            match sent.next().expect("something came of each act") {
                Ok(sent) => Ok(Settled::Ours(sent.index, sent.record.time)),
                Err(failure) if failure.exit == ExitCode::Refused => self.refused(row, &act, failure),
                Err(failure) => Err(failure),
            }
        });
        ends.collect()
    }

    fn issue(&mut self, rows: &[&Row]) -> Vec<Result<Result<Issued, String>, Failure>> {
        for_all(rows, || self.give(rows))
    }

    fn settle_issued(&mut self, rows: &[&Row]) -> Vec<Result<Issuance, Failure>> {
        self.keeping.give_way();
        let issued = |row: &&Row| read_act(&row.issued.as_ref().expect("what was issued is said").act);
        for_all(rows, || {
            let acts = rows.iter().map(issued).collect::<Result<Vec<SignedAct>, Failure>>()?;
            let sent = case::send_each(self.follower, &acts);
            let ends = rows.iter().zip(&acts).zip(sent).map(|((row, act), sent)| match sent {
                Ok(_) => Ok(Issuance::Proved),
                Err(failure) if failure.exit == ExitCode::Refused => self.refused_issued(row, act, failure),
                Err(failure) => Err(failure),
            });
            Ok(ends.collect())
        })
    }

    fn keep(&mut self, rows: &mut dyn Iterator<Item = &mut Row>) -> Result<(), Failure> {
        self.keeping.register()?.put_rows(rows)
    }
}

impl At<'_, '_, '_> {
    fn refused_issued(&mut self, row: &Row, act: &SignedAct, failure: Failure) -> Result<Issuance, Failure> {
        let found = case::read(self.follower, &mut self.desk.items, &row.key.case)?;
        let ended = found.is_none_or(|found| found.case.status != CaseStatus::Open);
        let issued = row.issued.as_ref().expect("what was issued is said");
        let is_ours = issued.key == self.desk.office.key.public_key().id();
        match case::found(self.follower, act)? {
            Some(_) => Ok(Issuance::Proved),
            None if ended => Ok(Issuance::Over("case_over".to_owned())),
            None if failure.code == "case_not_named" && !is_ours => {
                self.issued(row, issued.licences.clone()).map(|issued| Issuance::Anew(Box::new(issued)))
            }
            None => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::List;
    use kanhe_proto::case::CaseStep;
    use kanhe_proto::ids::TimeMs;
    use kanhe_proto::item::{ItemCode, ItemVersion};

    use super::*;

    fn case(status: CaseStatus, issued: bool) -> Case {
        let step = CaseStep { state: StepState::Approved, round: 0, since: TimeMs(0), due: None, issued };
        Case {
            id: CaseId([1; 32]),
            item: ItemCode::new("flat").unwrap(),
            version: ItemVersion(1),
            chosen: List::empty(),
            slots: List::empty(),
            steps: List::new(vec![step]).unwrap(),
            status,
            opened: TimeMs(0),
            ends: TimeMs(1),
            events: 1,
            last: LogIndex(0),
            forget: None,
            stars: None,
        }
    }

    #[test]
    fn a_register_that_is_older_than_the_issuing_issues_nothing_again() {
        assert_eq!(no_issue(Some(&case(CaseStatus::Open, false)), 0), None);
        assert_eq!(no_issue(Some(&case(CaseStatus::Open, true)), 0), Some("issued_elsewhere"));
        assert_eq!(no_issue(Some(&case(CaseStatus::Closed, true)), 0), Some("case_over"));
        assert_eq!(no_issue(None, 0), Some("case_over"));
        assert_eq!(no_issue(Some(&case(CaseStatus::Open, false)), 1), Some("issued_elsewhere"));
    }
}
