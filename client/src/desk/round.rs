//! The desk at work: what is the bureau's turn, and taking each row as far as it goes.

use std::collections::BTreeSet;
use std::sync::Arc;

use kanhe_proto::account::Mandate;
use kanhe_proto::bounded::Blob;
use kanhe_proto::case::{Act, Case, CaseStatus, Outcome, SignedAct, StepState, commitment};
use kanhe_proto::codec;
use kanhe_proto::genesis::Genesis;
use kanhe_proto::hash::{CaseId, LicenceDigest, sha256};
use kanhe_proto::ids::LogIndex;
use kanhe_proto::key::Signer as _;
use kanhe_proto::limits::CASE_PAYLOAD_BYTES_MAX;
use kanhe_proto::response::Response;
use kanhe_proto::text;

use super::accounts;
use super::checking::{Checking, Opened, trouble};
use super::decision::{Signing, can_return};
use super::files::{Fetched, fetch_file};
use super::letter;
use super::machine::{Checks, Hands, Issuance, Rest, Settled, advance};
use super::mandate::{Acted, Brought};
use super::passing;
use super::reading::Reading;
use super::row::{Checked, Decision, Fault, Issued, Kept, OnWay, Row, RowKey, State, Trouble};
use super::wanted::{Wanted, wanted};
use crate::account;
use crate::case::{self, Items, KnownItem};
use crate::clock;
use crate::follow::Follower;
use crate::issuer::{Granting, Office, Register};
use crate::rules::Runner;
use crate::talk::{ExitCode, Failure};
use crate::verifier::{Evidences, fresh};

/// Most pages of open cases that are asked for in one round.
const PAGES_MAX: usize = 64;

/// A bureau's desk.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The bureau, with its issuing and sealing keys.
    pub office: &'a Office,
    /// The chain's beginning, for the types.
    pub genesis: &'a Genesis,
    /// The bureau's name, as licences show it.
    pub issuer_name: &'a str,
    /// Runs rules.
    pub runner: Runner,
    /// Items that were read.
    pub items: Items,
}

/// How a row went on.
#[derive(Debug)]
pub struct Moved {
    /// The row as it is now.
    pub row: Row,
    /// Whether anything changed.
    pub changed: bool,
    /// Why it rests; nothing: it could not go on.
    pub rest: Option<Rest>,
}

impl Desk<'_> {
    /// Steps that are the bureau's turn, as rows to begin with. Which cases there are is the nodes' word; each is proved.
    pub fn ready(&mut self, follower: &mut Follower) -> Result<Vec<Row>, Failure> {
        let (issuer, mut ids, mut after) = (self.office.issuer, BTreeSet::<CaseId>::new(), None::<String>);
        for _ in 0..PAGES_MAX {
            let page = follower.ask(|_, node| Ok(node.cases_of(&issuer, after.as_deref())?))?;
            ids.extend(page.cases);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let mut rows = Vec::new();
        for id in ids {
            let Some(found) = case::read(follower, &mut self.items, &id)? else { continue };
            if !found.case.runs_at(found.time) {
                continue;
            }
            for (step, known) in (0u8..).zip(found.case.steps.iter()) {
                let ours = found.case.bureau_of(&found.item.public, step) == Some(issuer);
                if ours && known.state == StepState::Ready {
                    rows.extend(row_of(&found.item, &found.case, step));
                }
            }
        }
        Ok(rows)
    }

    /// Keeps the rows that are new.
    pub fn begin(register: &Register, ready: &[Row]) -> Result<Vec<RowKey>, Failure> {
        let mut begun = Vec::new();
        for row in ready {
            if register.row(&row.key)?.is_none() {
                register.put_row(row)?;
                begun.push(row.key);
            }
        }
        Ok(begun)
    }

    /// Sees to what was passed on and may not be there yet: it is brought to every node that does not have it, and kept until
    /// all of them say that its recipient does, or the case is proved to be over. Whether something is left.
    pub fn look_after(&mut self, register: &Register, follower: &mut Follower) -> Result<bool, Failure> {
        let mut any_left = false;
        for (key, row) in register.rows()? {
            let Some(author) = row.decision.as_ref().map(|decision| decision.key) else { continue };
            let is_left = |file: &&OnWay| !passing::bring_everywhere(follower, &key.case, &author, file);
            let mut left: Vec<OnWay> = row.on_way().iter().filter(is_left).cloned().collect();
            if !left.is_empty() {
                let found = case::read(follower, &mut self.items, &key.case)?;
                if found.is_none_or(|found| found.case.status != CaseStatus::Open) {
                    left.clear();
                }
            }
            any_left |= !left.is_empty();
            if left.len() < row.on_way().len() {
                register.change_row(&key, |row| {
                    row.decision.iter_mut().for_each(|decision| decision.on_way.clone_from(&left));
                    Ok(())
                })?;
            }
        }
        Ok(any_left)
    }

    /// Takes a row as far as it goes. What keeps it from going on is kept with it; only that no node answers is a failure.
    pub fn go_on(
        &mut self,
        register: &Register,
        follower: &mut Follower,
        key: &RowKey,
        is_ready: bool,
    ) -> Result<Moved, Failure> {
        let unknown = || super::officer::unknown(&key.case);
        let mut row = register.row(key)?.ok_or_else(unknown)?;
        let before = (row.state, row.trouble.clone());
        let went = {
            let mut hands = At { desk: self, register, follower };
            hands.still_open(&mut row, is_ready).and_then(|()| advance(&mut row, &mut hands))
        };
        let rest = match went {
            Ok(rest) => Some(rest),
            Err(failure) if failure.exit == ExitCode::Unreachable || failure.code == "conflict" => return Err(failure),
            Err(failure) => {
                let found = Trouble { code: failure.code, message: failure.message };
                if row.trouble.as_ref() != Some(&found) {
                    row.trouble = Some(found);
                    register.put_row(&row)?;
                }
                None
            }
        };
        let changed = before != (row.state, row.trouble.clone());
        Ok(Moved { row, changed, rest })
    }
}

fn row_of(known: &KnownItem, case: &Case, step: u8) -> Option<Row> {
    let place = usize::from(step);
    let (asked, stands) = (known.item.step.get(place)?, case.steps.get(place)?);
    Some(Row {
        key: RowKey { case: case.id, step, round: stands.round },
        state: State::Seen,
        item: case.item.clone(),
        version: case.version,
        item_names: known.item.names.clone(),
        step_code: asked.code.clone(),
        step_names: asked.names.clone(),
        since: stands.since,
        due: stands.due,
        can_return: can_return(&known.public, case, step),
        rules: asked.rules.to_vec(),
        trouble: None,
        checked: None,
        ruling: None,
        decision: None,
        recorded: None,
        issued: None,
        lost: None,
    })
}

/// Why there is nothing to decide any more, by the proved leaf.
fn over(case: Option<&Case>, key: &RowKey) -> Option<String> {
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

/// The desk, with what it works on now.
struct At<'d, 'a, 'r> {
    desk: &'d mut Desk<'a>,
    register: &'r Register,
    follower: &'r mut Follower,
}

impl At<'_, '_, '_> {
    /// A row on which nobody has decided here ends if there is nothing to decide any more.
    fn still_open(&mut self, row: &mut Row, is_ready: bool) -> Result<(), Failure> {
        if is_ready || !row.is_open() {
            return Ok(());
        }
        let found = case::read(self.follower, &mut self.desk.items, &row.key.case)?;
        if let Some(why) = over(found.as_ref().map(|found| &found.case), &row.key) {
            (row.state, row.lost, row.trouble) = (State::Lost, Some(why), None);
            self.keep(row)?;
        }
        Ok(())
    }

    fn case(&mut self, key: &RowKey) -> Result<(Case, Arc<KnownItem>), Failure> {
        let found = case::read(self.follower, &mut self.desk.items, &key.case)?;
        let found = found.ok_or_else(|| super::officer::unknown(&key.case))?;
        Ok((found.case, found.item))
    }

    /// Fetches what the chain says was sent; the code of what is not here yet otherwise.
    fn fetch(&mut self, key: &RowKey, all: Vec<Wanted>) -> Result<Result<Vec<Opened>, &'static str>, Failure> {
        let nodes = self.follower.nodes().to_vec();
        let mut opened = Vec::with_capacity(all.len());
        for wanted in all {
            let file = match fetch_file(self.desk.office, &nodes, &key.case, &wanted)? {
                Fetched::NotYet(code) => return Ok(Err(code)),
                Fetched::Here(bound) => Ok(bound),
                Fetched::Wrong(fault) => Err(fault),
            };
            let presentation = file.as_ref().ok().map(|bound| &bound.file().presentation);
            let (fresh, trouble) = match presentation.and_then(|bytes| Response::from_bytes(bytes).ok()) {
                Some(response) => fresh(&response, self.follower)?,
                None => (Evidences::default(), None),
            };
            let mandate = file.as_ref().ok().and_then(|bound| bound.file().mandate.as_ref());
            let brought = mandate.map(|bytes| self.brought(&key.case, bytes)).transpose()?;
            opened.push(Opened { wanted, file, fresh, trouble, brought });
        }
        Ok(Ok(opened))
    }

    /// What a decision passes on, ready to be sent.
    fn seal(&mut self, decision: &Decision) -> Result<Vec<OnWay>, Failure> {
        let office = self.desk.office;
        decision.passed.iter().map(|bytes| passing::seal(office, self.follower, bytes)).collect()
    }

    /// A mandate, with the account as it is now.
    fn brought(&mut self, case: &CaseId, bytes: &[u8]) -> Result<Brought, Failure> {
        let mandate = match Mandate::decode(bytes) {
            Ok(mandate) => mandate,
            Err(error) => return Ok(Brought { mandate: Err(error), account: None, cases_before: 0 }),
        };
        // Reading also follows hand-overs, so that a header which this desk did not know is known if it is one.
        let account = account::read(self.follower, &mandate.body.account)?.account;
        let key = mandate.body.key.id();
        let delegate = account.as_ref().and_then(|account| Some((account.uscc, account.delegate(&key)?)));
        let counted = delegate.filter(|(_, delegate)| delegate.grant.cases_max.is_some());
        let cases_before = match counted {
            Some((uscc, delegate)) => self.register.acted_before(case, &Acted { uscc, key, since: delegate.since })?,
            None => 0,
        };
        Ok(Brought { mandate: Ok(Box::new(mandate)), account, cases_before })
    }

    /// Why what a step yields could not be issued, before anybody approves it.
    fn check_grants(&mut self, key: &RowKey, checked: &mut Checked) -> Result<(), Failure> {
        if checked.yields.is_empty() {
            return Ok(());
        }
        let grants: Vec<_> = checked.yields.iter().map(|granted| granted.grant.clone()).collect();
        let run = run_of(key);
        let Desk { office, genesis, issuer_name, .. } = &*self.desk;
        let granting = Granting { office, genesis, issuer_name, register: self.register, run: &run };
        for granted in &checked.yields {
            checked.faults.extend(accounts::check(self.follower, granted)?);
        }
        if !checked.faults.is_empty() {
            checked.automatic = None;
        }
        for (place, code, message) in granting.check(&grants, self.follower)? {
            let about = checked.yields.get(place).map(|granted| granted.code.to_string()).unwrap_or_default();
            checked.blocked.push(Fault::of(&code, None, format!("{about}: {message}")));
        }
        if !checked.blocked.is_empty() && checked.automatic == Some(Outcome::Approved) {
            checked.automatic = None;
        }
        Ok(())
    }
}

/// Names the run of the journal: the same for the same round of the same step, so that after a crash it is found again.
fn run_of(key: &RowKey) -> String {
    text::hex(&sha256(&[b"kanhe desk ", key.to_string().as_bytes()])[..16])
}

fn read_act(bytes: &[u8]) -> Result<SignedAct, Failure> {
    codec::decode(bytes, CASE_PAYLOAD_BYTES_MAX)
        .map_err(|error| Failure::reported(ExitCode::Failure, "vault_damaged", error))
}

impl Hands for At<'_, '_, '_> {
    fn check(&mut self, row: &Row) -> Result<Checks, Failure> {
        let Some(found) = case::events(self.follower, &row.key.case)? else {
            return Ok(Checks::Over("case_gone".to_owned()));
        };
        if let Some(why) = over(Some(&found.case), &row.key) {
            return Ok(Checks::Over(why));
        }
        let stands = found.case.steps.get(usize::from(row.key.step)).map(|step| step.state);
        if stands != Some(StepState::Ready) {
            return Ok(Checks::NotYet(trouble("not_ready")));
        }
        let item = self.desk.items.get(self.follower, &found.case.item, found.case.version)?;
        let all = wanted(&item.public, &found.case, &found.events, row.key.step);
        let opened = match self.fetch(&row.key, all)? {
            Ok(opened) => opened,
            Err(code) => return Ok(Checks::NotYet(trouble(code))),
        };
        let trust = self.follower.trust().clone();
        let checking = Checking {
            office: self.desk.office,
            public: &item.public,
            item: &item.item,
            case: &found.case,
            key: &row.key,
            runner: &self.desk.runner,
            trust: &trust,
            now: clock::now(),
        };
        let parts = match checking.parts(&opened) {
            Ok(parts) => parts,
            Err(trouble) => return Ok(Checks::NotYet(trouble)),
        };
        let reading = Reading {
            office: self.desk.office,
            register: self.register,
            known: &item,
            case: &found.case,
            key: &row.key,
            parts: &parts,
            opened: &opened,
        };
        let read = match reading.all(self.follower)? {
            Ok(read) => read,
            Err(trouble) => return Ok(Checks::NotYet(trouble)),
        };
        match checking.check(&opened, read)? {
            Ok(mut checked) => {
                self.check_grants(&row.key, &mut checked)?;
                // Before the row says so: counted twice is counted once.
                self.register.note_acted(&row.key.case, &checked.acted)?;
                Ok(Checks::Done(Box::new(checked)))
            }
            Err(trouble) => Ok(Checks::NotYet(trouble)),
        }
    }

    fn sign(&mut self, row: &Row) -> Result<Decision, Failure> {
        let (case, item) = self.case(&row.key)?;
        let signing = Signing { office: self.desk.office, item: &item.public, case: &case };
        let mut decision = signing.decide(row)?;
        decision.on_way = self.seal(&decision)?;
        Ok(decision)
    }

    fn settle(&mut self, row: &Row, decision: &Decision) -> Result<Settled, Failure> {
        let act = read_act(&decision.act)?;
        // Rows from before parts were signed have none.
        let sealed_now = if decision.on_way.is_empty() { self.seal(decision)? } else { Vec::new() };
        for file in decision.on_way.iter().chain(&sealed_now) {
            passing::store(self.follower, &row.key.case, &decision.key, file)?;
        }
        letter::send(self.desk.office, self.follower.nodes(), &decision.letters)?;
        let failure = match case::send(self.follower, std::slice::from_ref(&act)) {
            Ok(sent) => {
                let index = sent.first().map(|sent| sent.index);
                return index.map(Settled::Ours).ok_or_else(|| super::officer::unknown(&row.key.case));
            }
            Err(failure) => failure,
        };
        if failure.exit != ExitCode::Refused {
            return Err(failure);
        }
        // A node's word is not enough to give up: first the leaf, then all events, neither older than what is known.
        let found = case::read(self.follower, &mut self.desk.items, &row.key.case)?;
        let why = over(found.as_ref().map(|found| &found.case), &row.key);
        match (case::found(self.follower, &act)?, why) {
            (Some(sent), _) => Ok(Settled::Ours(sent.index)),
            (None, Some(why)) => Ok(Settled::Lost(why)),
            (None, None)
                if failure.code == "case_not_named" && decision.key != self.desk.office.key.public_key().id() =>
            {
                Ok(Settled::Anew)
            }
            (None, None) => Err(failure),
        }
    }

    fn issue(&mut self, row: &Row) -> Result<Result<Issued, String>, Failure> {
        let yields = row.checked.as_ref().map(|checked| checked.yields.clone()).unwrap_or_default();
        let run = run_of(&row.key);
        if self.register.batches_of(&run)?.is_empty() {
            let found = case::read(self.follower, &mut self.desk.items, &row.key.case)?;
            if let Some(why) = no_issue(found.as_ref().map(|found| &found.case), row.key.step) {
                return Ok(Err(why.to_owned()));
            }
        }
        let grants: Vec<_> = yields.iter().map(|granted| granted.grant.clone()).collect();
        let Desk { office, genesis, issuer_name, .. } = &*self.desk;
        let granting = Granting { office, genesis, issuer_name, register: self.register, run: &run };
        let batches = granting.issue(&grants, self.follower)?;
        for granted in &yields {
            accounts::open(office, self.follower, granted)?;
        }
        let licences = yields.iter().zip(&batches).filter_map(|(granted, batch)| {
            let (code, vct, digests) = (granted.code.clone(), batch.vct.clone(), batch.leaves.clone());
            Some(Kept { code, vct, batch: batch.anchored?.batch, digests })
        });
        let licences: Vec<Kept> = licences.collect();
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
        Ok(Ok(Issued { licences, salt: Blob::new(salt).expect("32 of 32 bytes"), key, act }))
    }

    fn settle_issued(&mut self, row: &Row, issued: &Issued) -> Result<Issuance, Failure> {
        let act = read_act(&issued.act)?;
        let failure = match case::send(self.follower, std::slice::from_ref(&act)) {
            Ok(_) => return Ok(Issuance::Proved),
            Err(failure) => failure,
        };
        if failure.exit != ExitCode::Refused {
            return Err(failure);
        }
        let found = case::read(self.follower, &mut self.desk.items, &row.key.case)?;
        let ended = found.is_none_or(|found| found.case.status != CaseStatus::Open);
        match case::found(self.follower, &act)? {
            Some(_) => Ok(Issuance::Proved),
            None if ended => Ok(Issuance::Over("case_over".to_owned())),
            None if failure.code == "case_not_named" && issued.key != self.desk.office.key.public_key().id() => {
                Ok(Issuance::Anew)
            }
            None => Err(failure),
        }
    }

    fn keep(&mut self, row: &Row) -> Result<(), Failure> {
        self.register.put_row(row)
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
