//! Looking at what was said to the bureau in several cases at once: events in few questions, files by several hands, rules on
//! all cores.

use std::collections::BTreeMap;
use std::sync::Arc;

use kanhe_proto::account::{EnterpriseAccount, Mandate};
use kanhe_proto::case::StepState;
use kanhe_proto::hash::CaseId;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::response::Response;

use super::checking::{Checking, Opened, trouble};
use super::files::{Fetched, fetch_file};
use super::hands::{At, over};
use super::machine::Checks;
use super::mandate::Brought;
use super::reading::{Reading, Readings};
use super::row::{Checked, Row, Trouble};
use super::wanted::{Wanted, wanted};
use crate::account;
use crate::case::{self, Events, KnownItem};
use crate::clock;
use crate::issuer::Register;
use crate::parallel;
use crate::talk::Failure;
use crate::verifier::fresh_many;

/// Files that are fetched at once.
const FETCHED_AT_ONCE: usize = 8;
/// Bytes of files that are looked at together, unless one alone has more.
const TOGETHER_BYTES_MAX: u64 = 64 << 20;

/// What came of a look, by its place among the rows.
type Looked = (usize, Result<Checks, Failure>);
/// What came of holding what was opened against the item.
type Held = Result<Result<Checked, Trouble>, Failure>;

/// A row that can be looked at, with what is wanted for it.
struct Look<'a> {
    at: usize,
    row: &'a Row,
    found: Events,
    item: Arc<KnownItem>,
    wanted: Vec<Wanted>,
}

/// A row with the files that are here for it, and what others gave for it.
struct Seen<'a> {
    look: Look<'a>,
    opened: Vec<Opened>,
    read: Readings,
}

impl Look<'_> {
    fn bytes(&self) -> u64 {
        self.wanted.iter().map(|wanted| u64::from(wanted.file.bytes)).sum()
    }
}

impl At<'_, '_, '_> {
    /// Fetches, verifies, runs the rules.
    pub(super) fn look(&mut self, rows: &[&Row]) -> Result<Vec<Result<Checks, Failure>>, Failure> {
        let ids: Vec<CaseId> = rows.iter().map(|row| row.key.case).collect();
        let events = case::events_many(self.follower, &ids)?;
        let mut ends = BTreeMap::new();
        let mut looks = Vec::new();
        for (at, (row, found)) in rows.iter().zip(events).enumerate() {
            match self.begin_look(at, row, found) {
                Ok(Ok(look)) => looks.push(look),
                Ok(Err(checks)) => drop(ends.insert(at, Ok(checks))),
                Err(failure) => drop(ends.insert(at, Err(failure))),
            }
        }
        for some in together(looks) {
            ends.extend(self.look_at(some)?);
        }
        Ok(ends.into_values().collect())
    }

    /// What is wanted of a row's case; or that there is nothing to look at.
    fn begin_look<'r>(
        &mut self,
        at: usize,
        row: &'r Row,
        found: Option<Events>,
    ) -> Result<Result<Look<'r>, Checks>, Failure> {
        let Some(found) = found else { return Ok(Err(Checks::Over("case_gone".to_owned()))) };
        if let Some(why) = over(Some(&found.case), &row.key) {
            return Ok(Err(Checks::Over(why)));
        }
        let stands = found.case.steps.get(usize::from(row.key.step)).map(|step| step.state);
        if stands != Some(StepState::Ready) {
            return Ok(Err(Checks::NotYet(trouble("not_ready"))));
        }
        let item = self.desk.items.get(self.follower, &found.case.item, found.case.version)?;
        let wanted = wanted(&item.public, &found.case, &found.events, row.key.step);
        Ok(Ok(Look { at, row, found, item, wanted }))
    }

    fn look_at(&mut self, looks: Vec<Look<'_>>) -> Result<Vec<Looked>, Failure> {
        self.keeping.give_way();
        let fetched = self.fetch(&looks);
        let (mut ends, mut here) = (Vec::new(), Vec::new());
        for (look, files) in looks.into_iter().zip(fetched) {
            match files {
                Ok(Ok(files)) => here.push((look, files)),
                Ok(Err(code)) => ends.push((look.at, Ok(Checks::NotYet(trouble(code))))),
                Err(failure) => ends.push((look.at, Err(failure))),
            }
        }
        let mut seen = Vec::new();
        for (look, opened) in self.open(here)? {
            let at = look.at;
            match self.read_for(look, opened) {
                Ok(Ok(some)) => seen.push(some),
                Ok(Err(trouble)) => ends.push((at, Ok(Checks::NotYet(trouble)))),
                Err(failure) => ends.push((at, Err(failure))),
            }
        }
        let checked = self.check_opened(&mut seen)?;
        for (seen, checked) in seen.iter().zip(checked) {
            let checks = checked.map(|checked| match checked {
                Ok(checked) => Checks::Done(Box::new(checked)),
                Err(trouble) => Checks::NotYet(trouble),
            });
            ends.push((seen.look.at, checks));
        }
        Ok(ends)
    }

    /// What other bureaus give for it; or what is waited for.
    fn read_for<'r>(&mut self, look: Look<'r>, opened: Vec<Opened>) -> Result<Result<Seen<'r>, Trouble>, Failure> {
        let (office, runner, now) = (self.desk.office, &self.desk.runner, clock::now());
        let (known, case, key, trust) = (&look.item, &look.found.case, &look.row.key, self.follower.trust());
        let checking = Checking { office, public: &known.public, item: &known.item, case, key, runner, trust, now };
        let parts = match checking.parts(&opened) {
            Ok(parts) => parts,
            Err(trouble) => return Ok(Err(trouble)),
        };
        let register = self.keeping.register()?;
        let reading = Reading { office, register, known, case, key, parts: &parts, opened: &opened };
        let read = reading.all(self.follower)?;
        Ok(read.map(|read| Seen { look, opened, read }))
    }

    /// Holds what was opened against the items, on all cores. In how many cases a delegate acted counts those that are looked
    /// at together too, in their order: where another came first the look is taken again.
    fn check_opened(&mut self, seen: &mut [Seen<'_>]) -> Result<Vec<Held>, Failure> {
        let trust = self.follower.trust().clone();
        let (office, runner, now) = (self.desk.office, &self.desk.runner, clock::now());
        let check = |Seen { look, opened, read }: &Seen<'_>| {
            let (public, item, case, key) = (&look.item.public, &look.item.item, &look.found.case, &look.row.key);
            Checking { office, public, item, case, key, runner, trust: &trust, now }.check(opened, read.clone())
        };
        let mut all = parallel::each(seen, parallel::cores(), check);
        for (seen, checked) in seen.iter_mut().zip(&mut all) {
            let Ok(Ok(done)) = &*checked else { continue };
            if done.acted.is_empty() {
                continue;
            }
            let register = self.keeping.register()?;
            let case = seen.look.row.key.case;
            if count_cases(register, &case, &mut seen.opened)? {
                *checked = check(seen);
            }
            // Before the row says so: counted twice is counted once.
            if let Ok(Ok(done)) = &*checked {
                register.note_acted(&case, &done.acted)?;
            }
        }
        Ok(all)
    }

    /// Fetches what the chain says was sent, by several hands; the code of what is not here yet otherwise.
    fn fetch(&self, looks: &[Look<'_>]) -> Vec<Result<Result<Vec<Fetched>, &'static str>, Failure>> {
        let (office, nodes) = (self.desk.office, self.follower.nodes());
        let all: Vec<(&CaseId, &Wanted)> =
            looks.iter().flat_map(|look| look.wanted.iter().map(move |wanted| (&look.row.key.case, wanted))).collect();
        let fetched = parallel::each(&all, FETCHED_AT_ONCE, |(case, wanted)| fetch_file(office, nodes, case, wanted));
        let mut fetched = fetched.into_iter();
        let of_look = |look: &Look<'_>| {
            let some: Vec<_> = fetched.by_ref().take(look.wanted.len()).collect();
            let some = some.into_iter().collect::<Result<Vec<Fetched>, Failure>>()?;
            let missing = some.iter().find_map(|file| match file {
                Fetched::NotYet(code) => Some(*code),
                _ => None,
            });
            Ok(missing.map_or(Ok(some), Err))
        };
        looks.iter().map(of_look).collect()
    }

    /// Each file with fresh evidence for what it presents.
    fn open<'r>(&mut self, here: Vec<(Look<'r>, Vec<Fetched>)>) -> Result<Vec<(Look<'r>, Vec<Opened>)>, Failure> {
        let response = |file: &Fetched| match file {
            Fetched::Here(bound) => Response::from_bytes(&bound.file().presentation).ok(),
            _ => None,
        };
        let responses: Vec<Option<Response>> = here.iter().flat_map(|(_, files)| files.iter().map(response)).collect();
        let mut fresh = fresh_many(&responses, self.follower)?.into_iter();
        let mut mandates = self.mandates(&here)?.into_iter();
        let open = |(look, files): (Look<'r>, Vec<Fetched>)| {
            let with = fresh.by_ref().zip(mandates.by_ref());
            let opened =
                look.wanted.iter().zip(files).zip(with).map(|((wanted, file), ((fresh, trouble), brought))| {
                    let file = match file {
                        Fetched::Here(bound) => Ok(bound),
                        Fetched::Wrong(fault) => Err(fault),
                        Fetched::NotYet(_) => unreachable!("only what is here is opened"),
                    };
                    Opened { wanted: wanted.clone(), file, fresh, trouble, brought }
                });
            let opened = opened.collect();
            (look, opened)
        };
        let mut opened: Vec<(Look<'r>, Vec<Opened>)> = here.into_iter().map(open).collect();
        for (look, opened) in opened.iter_mut().filter(|(_, opened)| opened.iter().any(is_counted)) {
            count_cases(self.keeping.register()?, &look.row.key.case, opened)?;
        }
        Ok(opened)
    }

    /// The mandate in each file, if there is one, with the account as it is now.
    fn mandates(&mut self, here: &[(Look<'_>, Vec<Fetched>)]) -> Result<Vec<Option<Brought>>, Failure> {
        let mut accounts: BTreeMap<Uscc, Option<EnterpriseAccount>> = BTreeMap::new();
        let mut brought = Vec::new();
        for file in here.iter().flat_map(|(_, files)| files) {
            let bytes = match file {
                Fetched::Here(bound) => bound.file().mandate.as_ref(),
                _ => None,
            };
            let Some(mandate) = bytes.map(|bytes| Mandate::decode(bytes)) else {
                brought.push(None);
                continue;
            };
            let account = match mandate.as_ref().ok().map(|mandate| mandate.body.account) {
                None => None,
                Some(uscc) => match accounts.get(&uscc) {
                    Some(known) => known.clone(),
                    // Reading also follows hand-overs, so that a header which this desk did not know is known if it is one.
                    None => accounts.entry(uscc).or_insert(account::read(self.follower, &uscc)?.account).clone(),
                },
            };
            brought.push(Some(Brought { mandate: mandate.map(Box::new), account, cases_before: 0 }));
        }
        Ok(brought)
    }
}

fn is_counted(opened: &Opened) -> bool {
    opened.brought.as_ref().is_some_and(|brought| brought.counted().is_some())
}

/// Takes over from the register in how many other cases delegates acted. Whether that is news.
fn count_cases(register: &Register, case: &CaseId, opened: &mut [Opened]) -> Result<bool, Failure> {
    let mut is_news = false;
    for brought in opened.iter_mut().filter_map(|opened| opened.brought.as_mut()) {
        if let Some(acted) = brought.counted() {
            let before = register.acted_before(case, &acted)?;
            is_news |= before != brought.cases_before;
            brought.cases_before = before;
        }
    }
    Ok(is_news)
}

/// In portions whose files fit into memory together.
fn together(looks: Vec<Look<'_>>) -> Vec<Vec<Look<'_>>> {
    let (mut portions, mut bytes): (Vec<Vec<Look<'_>>>, u64) = (Vec::new(), u64::MAX);
    for look in looks {
        let more = look.bytes();
        match portions.last_mut() {
            Some(portion) if bytes.saturating_add(more) <= TOGETHER_BYTES_MAX => {
                bytes += more;
                portion.push(look);
            }
            _ => {
                bytes = more;
                portions.push(vec![look]);
            }
        }
    }
    portions
}
