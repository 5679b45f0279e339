//! The look at a step: everything that was said to the bureau, held against the item, and what the rules make of it.

use std::collections::BTreeMap;

use kanhe_proto::bounded::{Blob, List};
use kanhe_proto::case::{Case, Clerk};
use kanhe_proto::case_file::{Author, BoundFile, CASE_FILE_VERSION, CaseFile, Helped};
use kanhe_proto::consent::Subject;
use kanhe_proto::identifiers::{Did, PersonId};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::{Item, Outcome, Step};
use kanhe_proto::registry::ServiceItem;
use kanhe_proto::trust::Trust;

use super::decision::{automatic, name};
use super::document::{Document, Part, document};
use super::files::FileFault;
use super::form::fill;
use super::mandate::{Acted, Brought, Place, judge};
use super::passing;
use super::presented::{Shown, instead, shown};
use super::reading::{ReadShown, Readings};
use super::row::{AttachmentSeen, Checked, Fault, RowKey, RuleSeen, Trouble};
use super::wanted::Wanted;
use super::yields::{self, Taker};
use crate::clock;
use crate::issuer::{Office, PERSON_ID_TYPE};
use crate::rules::{Answer, Holds, Job, Made, Runner, decide};
use crate::talk::{Failure, say};
use crate::verifier::Evidences;

/// A file of the case, opened, with evidence fetched for what it presents.
#[derive(Debug)]
pub struct Opened {
    /// What the chain says of it.
    pub wanted: Wanted,
    /// The file, or what is wrong with it.
    pub file: Result<Box<BoundFile>, FileFault>,
    /// Fresh evidence.
    pub fresh: Evidences,
    /// Why there is none for some of it.
    pub trouble: Option<Failure>,
    /// The mandate in it.
    pub brought: Option<Brought>,
}

impl Opened {
    /// For whom a clerk acts, and which clerk: the file says who, the act under two signatures that it is so.
    pub fn helped(&self) -> Option<(&Helped, &Clerk)> {
        let helped = self.file.as_ref().ok()?.file().helped.as_ref()?;
        let Subject { id_type, id_number } = &helped.person;
        let is_person = id_type.as_str() == PERSON_ID_TYPE && id_number.parse::<PersonId>().is_ok();
        Some(helped).filter(|_| is_person).zip(self.wanted.clerk.as_ref())
    }
}

/// A step that is looked at.
#[derive(Debug)]
pub struct Checking<'a> {
    /// Who looks.
    pub office: &'a Office,
    /// The item's record.
    pub public: &'a ServiceItem,
    /// The item.
    pub item: &'a Item,
    /// The case.
    pub case: &'a Case,
    /// Which step.
    pub key: &'a RowKey,
    /// Runs rules.
    pub runner: &'a Runner,
    /// What is believed.
    pub trust: &'a Trust,
    /// Now.
    pub now: TimeMs,
}

/// What was found so far.
#[derive(Default)]
struct Found {
    known: Document,
    faults: Vec<Fault>,
    verdicts: Vec<super::row::VerdictSeen>,
    attachments: Vec<AttachmentSeen>,
    /// Why whoever acts for an enterprise may not: nothing is approved then.
    refused: Vec<Fault>,
    acted: Vec<Acted>,
}

impl Checking<'_> {
    fn step(&self) -> Option<&Step> {
        self.item.step.get(usize::from(self.key.step))
    }
    fn place(&self) -> u8 {
        self.public.steps.get(usize::from(self.key.step)).map_or(u8::MAX, |step| step.by)
    }

    /// Looks at all of it. Nothing if evidence cannot be had now: the same will be looked at again.
    pub fn check(&self, opened: &[Opened], read: Readings) -> Result<Result<Checked, Trouble>, Failure> {
        let Some(step) = self.step() else { return Ok(Err(trouble("desk_step_unknown"))) };
        let mut found = Found::default();
        for (slot, _) in (0u8..).zip(self.case.slots.iter()) {
            if let Err(trouble) = self.slot(slot, opened, read.shown.get(&slot), &mut found) {
                return Ok(Err(trouble));
            }
        }
        self.passed(opened, &mut found);
        found.known.read = read.values;
        found.faults.extend(read.faults);
        found.faults.extend(found.known.several());
        let salts = (salt()?, salt()?);
        let input = document(self.item, step, self.case, &found.known, None);
        let job = Job::of(self.item, step, input);
        let answer = match self.runner.run(&job) {
            Ok(answer) => Some(answer),
            Err(error) => {
                found.faults.push(Fault::of(error.code(), None, error.to_string()));
                None
            }
        };
        Ok(Ok(self.conclude(step, opened, found, job, answer, salts)))
    }

    /// What the parties give, as far as it is good: by it is known whom something is to be read about.
    pub(super) fn parts(&self, opened: &[Opened]) -> Result<Vec<Part>, Trouble> {
        let mut found = Found::default();
        for (slot, _) in (0u8..).zip(self.case.slots.iter()) {
            self.slot(slot, opened, None, &mut found)?;
        }
        Ok(found.known.parts)
    }

    /// What one slot says to this bureau. Who presented and sent nothing that it was asked for has said nothing.
    fn slot(&self, slot: u8, opened: &[Opened], read: Option<&ReadShown>, found: &mut Found) -> Result<(), Trouble> {
        let Some(known) = self.case.slots.get(usize::from(slot)) else { return Ok(()) };
        let place = self.place();
        let public = self.public.parties.get(usize::from(known.party));
        let (Some(presented), true) = (known.presented, public.is_some_and(|party| party.sends_to.contains(&place)))
        else {
            return Ok(());
        };
        let Some(party) = self.item.party.get(usize::from(known.party)) else { return Ok(()) };
        let Some(role) = self.item.bureau.get(usize::from(place)) else { return Ok(()) };
        let sent = opened.iter().find(|opened| opened.wanted.author == Author::Slot(slot));
        let nothing = self.empty(slot, known.round);
        let (file, commitment) = match sent.map(|sent| &sent.file) {
            Some(Ok(bound)) => (bound.file(), Some(bound.commitment())),
            Some(Err(fault)) => {
                found.faults.push(Fault::of(fault.code(), Some(&party.code), fault.to_string()));
                return Ok(());
            }
            None => (&nothing, None),
        };
        let filled = fill(self.item, &party.code, &role.code, file);
        let bureau = Did::new(self.office.chain_ref.clone(), self.office.issuer);
        let presented = sent.map_or(presented, |sent| sent.wanted.presented);
        let (item, case, round) = (self.item, &self.key.case, known.round);
        let asked = Shown { item, case, bureau: &bureau, place, party, slot, round, presented };
        let none = Evidences::default();
        let fresh = sent.map_or(&none, |sent| &sent.fresh);
        let judged = match sent.and_then(Opened::helped) {
            Some(_) => instead(&asked, read),
            None => shown(&asked, &file.presentation, fresh, self.trust, self.now),
        };
        // A node that is away makes no licence doubtful: it is looked at again.
        if let (Some(_), Some(failure)) = (&judged.undecided, sent.and_then(|sent| sent.trouble.as_ref())) {
            return Err(Trouble { code: failure.code.clone(), message: failure.message.clone() });
        }
        found.faults.extend(filled.faults);
        found.faults.extend(judged.faults);
        found.verdicts.extend(judged.verdicts);
        if let Some(file) = commitment {
            let seen = filled.attachments.into_iter().map(|(code, name, bytes)| AttachmentSeen {
                party: party.code.to_string(),
                slot,
                code,
                name,
                bytes,
                file,
                author: sent.map(|sent| sent.wanted.key),
            });
            found.attachments.extend(seen);
        }
        let place = Place { chain: &self.office.chain, case, slot, item, party, presented };
        let brought = sent.and_then(|sent| sent.brought.as_ref());
        let mandated = brought.map(|brought| judge(&place, brought, &filled.values, self.trust, self.now));
        if let Some(mandated) = &mandated {
            found.refused.extend(mandated.refused.map(|code| Fault::of(code, Some(&party.code), "")));
            found.acted.extend(mandated.acted.clone());
        }
        found.known.parts.push(Part {
            mandate: mandated.map(|mandated| mandated.seen),
            slot,
            party: party.code.to_string(),
            given: judged.given,
            evidence: judged.evidence,
            form: filled.values,
        });
        Ok(())
    }

    fn empty(&self, slot: u8, round: u32) -> CaseFile {
        CaseFile {
            version: CASE_FILE_VERSION,
            chain: self.office.chain.chain_id,
            case: self.key.case,
            to: self.office.issuer,
            from: Author::Slot(slot),
            round,
            values: List::empty(),
            presentation: Blob::new([]).expect("nothing is within any limit"),
            applications: List::empty(),
            attachments: List::empty(),
            mandate: None,
            helped: None,
        }
    }

    fn passed(&self, opened: &[Opened], found: &mut Found) {
        for sent in opened {
            let Author::Bureau { step, .. } = sent.wanted.author else { continue };
            match &sent.file {
                Ok(bound) => {
                    let (name, values, faults) = passing::read(self.item, step, bound.file());
                    found.known.passed.insert(name.to_string(), values.into());
                    found.faults.extend(faults);
                }
                Err(fault) => found.faults.push(Fault::of(fault.code(), None, fault.to_string())),
            }
        }
    }

    fn conclude(
        &self,
        step: &Step,
        opened: &[Opened],
        found: Found,
        job: Job,
        answer: Option<Answer>,
        salts: (Blob<32>, Blob<32>),
    ) -> Checked {
        let decided = answer.as_ref().map(|answer| decide(self.item, step, answer));
        let made = answer.as_ref().map(|answer| yields::made(&job, answer)).unwrap_or_default();
        let (granted, mut blocked) = self.yields(step, opened, &found.known, &made);
        blocked.extend(found.refused.iter().cloned());
        let refused = found.refused.first().and_then(|fault| name(&fault.code));
        let passes = yields::passes(&made);
        let unmade = passes.iter().filter_map(|(name, made)| match made {
            Made::Unknown(reason) => Some(Fault::of("passes_not_made", None, format!("{name}: {reason}"))),
            _ => None,
        });
        let mut faults = found.faults;
        let by_rules = decided.as_ref().map_or(Outcome::Officer, |decided| decided.outcome);
        // What the rules make of a mandate that is refused is nothing to look into.
        if refused.is_none() && by_rules == Outcome::Approved {
            faults.extend(unmade);
        }
        let unknown = decided.as_ref().and_then(|decided| decided.reason.clone()).filter(|_| refused.is_none());
        if let Some(reason) = unknown {
            faults.push(Fault::of("rule_not_evaluated", None, reason));
        }
        let rules = answer.iter().flat_map(|answer| step.rules.iter().zip(&answer.rules));
        let rules = rules.filter_map(|(code, holds)| self.rule(code, holds)).collect();
        blocked.dedup();
        Checked {
            at: self.now,
            automatic: match refused {
                // Whatever the rules say: who may not act for the enterprise is told so, and may present anew.
                Some(_) => automatic(self.public, self.case, self.key.step, Outcome::Returned, &faults, &[]),
                None => automatic(self.public, self.case, self.key.step, by_rules, &faults, &blocked),
            },
            acted: found.acted,
            verdicts: found.verdicts,
            attachments: found.attachments,
            faults,
            sources: (job.rules, job.values),
            input: job.input,
            answer,
            rules,
            salts,
            rule: refused.or_else(|| decided.and_then(|decided| decided.rule)),
            passes,
            yields: granted,
            blocked,
        }
    }

    fn rule(&self, code: &str, holds: &Holds) -> Option<RuleSeen> {
        let rule = self.item.rule.iter().find(|rule| rule.code.as_str() == code)?;
        Some(RuleSeen { code: rule.code.clone(), say: rule.say.clone(), holds: holds.clone() })
    }

    /// What each slot gets. Where several slots play one party, the values are made for each of them.
    fn yields(
        &self,
        step: &Step,
        opened: &[Opened],
        known: &Document,
        made: &BTreeMap<String, Made>,
    ) -> (Vec<super::row::Granted>, Vec<Fault>) {
        let (mut granted, mut blocked) = (Vec::new(), Vec::new());
        let (chain, issuer) = (&self.office.chain.chain_id, &self.office.issuer);
        for (slot, of) in (0u8..).zip(self.case.slots.iter()) {
            let Some(party) = self.item.party.get(usize::from(of.party)) else { continue };
            if !yields::of_step(self.item, step).any(|given| given.to == party.code) {
                continue;
            }
            let sent = opened.iter().find(|opened| opened.wanted.author == Author::Slot(slot));
            let Some(Ok(bound)) = sent.map(|sent| &sent.file) else {
                blocked.push(Fault::of("application_missing", Some(&party.code), ""));
                continue;
            };
            let presented = sent.map_or(self.now, |sent| sent.wanted.presented);
            let several = self.case.slots.iter().filter(|other| other.party == of.party).count() > 1;
            let own = if several { self.again(step, known, slot) } else { None };
            let made = own.as_ref().unwrap_or(made);
            let helped = sent.and_then(Opened::helped).map(|(helped, _)| helped);
            let taker = Taker { slot, party: &party.code, file: bound.file(), helped, presented, made };
            let (some, faults) = yields::grants(self.item, step, &taker, chain, issuer);
            granted.extend(some);
            blocked.extend(faults);
        }
        (granted, blocked)
    }

    /// The values as of one slot.
    fn again(&self, step: &Step, known: &Document, slot: u8) -> Option<BTreeMap<String, Made>> {
        let job = Job::of(self.item, step, document(self.item, step, self.case, known, Some(slot)));
        self.runner.run(&job).ok().map(|answer| yields::made(&job, &answer))
    }
}

fn salt() -> Result<Blob<32>, Failure> {
    Ok(Blob::new(clock::random::<32>()?).expect("32 of 32 bytes"))
}

/// Something that is not here yet.
pub(super) fn trouble(code: &str) -> Trouble {
    Trouble { code: code.to_owned(), message: say(&format!("desk.fault.{code}"), &[]) }
}

#[cfg(test)]
mod tests {
    use kanhe_proto::bounded::Text;
    use kanhe_proto::case_file::HelpedPickup;
    use kanhe_proto::hash::{CaseId, ChainId};
    use kanhe_proto::key::KeyId;
    use kanhe_proto::pickup::PickupHash;

    use super::*;
    use crate::item::ItemSource;

    const FLAT: &str = include_str!("../../../deploy/items/flat-registration.toml");

    fn helped() -> Helped {
        let hash = PickupHash([7; 32]);
        Helped {
            person: crate::issuer::subject(crate::issuer::PERSON_ID_TYPE, "11010519491231002X").unwrap(),
            asks: List::empty(),
            pickups: List::new(vec![HelpedPickup { yields: Text::new("certificate").unwrap(), hash }]).unwrap(),
        }
    }

    fn opened(clerk: Option<Clerk>, helped: Option<Helped>) -> Opened {
        let file = CaseFile {
            version: CASE_FILE_VERSION,
            chain: ChainId([1; 32]),
            case: CaseId([2; 32]),
            to: "11370100MB1A0001X2".parse().unwrap(),
            from: Author::Slot(1),
            round: 0,
            values: List::empty(),
            presentation: Blob::new([]).unwrap(),
            applications: List::empty(),
            attachments: List::empty(),
            mandate: None,
            helped,
        };
        let bound = file.bind([5; 32]).unwrap();
        let (author, file) = (Author::Slot(1), bound.reference(3));
        let wanted = Wanted { author, key: KeyId([1; 16]), round: 0, file, presented: TimeMs(9), clerk };
        Opened { wanted, file: Ok(Box::new(bound)), fresh: Evidences::default(), trouble: None, brought: None }
    }

    fn clerk() -> Clerk {
        let (number, ground) = (Text::new("A-17").unwrap(), Text::new("account").unwrap());
        Clerk { bureau: "11370100MB1A0001X2".parse().unwrap(), number, ground }
    }

    #[test]
    fn a_file_alone_makes_nobody_helped() {
        assert!(opened(None, Some(helped())).helped().is_none(), "the act does not say so");
        assert!(opened(Some(clerk()), None).helped().is_none(), "the file does not say who");
        assert_eq!(opened(Some(clerk()), Some(helped())).helped(), Some((&helped(), &clerk())));
        let person = |kind: &str, number: &str| crate::issuer::subject(kind, number).unwrap();
        for person in [person("USCC", "91350100M000100Y43"), person("LICENCE", "1.2.156"), person("RESIDENT", "1")] {
            let helped = Helped { person, ..helped() };
            assert!(
                opened(Some(clerk()), Some(helped)).helped().is_none(),
                "a natural person by the number of the card"
            );
        }
    }

    #[test]
    fn what_a_clerk_promised_awaits_its_code_and_nothing_else_does() {
        let item = ItemSource::of(FLAT.to_owned()).unwrap().item;
        let step = item.step.iter().find(|step| step.code.as_str() == "register").unwrap();
        let certificate = item.yields.iter().find(|given| given.code.as_str() == "certificate").unwrap();
        let made =
            certificate.claims.keys().map(|claim| (format!("yield.certificate.{claim}"), Made::Text("x".into())));
        let made: BTreeMap<String, Made> = made.collect();
        let sent = opened(Some(clerk()), Some(helped()));
        let file = sent.file.as_ref().unwrap().file();
        let grants = |helped: Option<&Helped>| {
            let taker = Taker { slot: 1, party: "buyer", file, helped, presented: TimeMs(9), made: &made };
            yields::grants(&item, step, &taker, &file.chain, &file.to)
        };
        let (granted, faults) = grants(sent.helped().map(|(helped, _)| helped));
        assert_eq!((granted.len(), faults), (1, vec![]));
        assert_eq!(granted[0].grant.way, crate::issuer::Way::Pickup(PickupHash([7; 32])));
        // Without the clerk the file has no application, and what is said of a code counts for nothing.
        let (granted, faults) = grants(None);
        assert_eq!((granted.len(), faults[0].code.as_str()), (0, "application_missing"));
    }
}
