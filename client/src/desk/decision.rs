//! The decision: what follows without an officer, and the act that says it.

use kanhe_proto::bounded::{Blob, List, Text};
use kanhe_proto::case::{Act, Case, Decide, FileRef, How, Outcome, Run, commitment};
use kanhe_proto::codec;
use kanhe_proto::item::Outcome as ByRules;
use kanhe_proto::key::Signer as _;
use kanhe_proto::limits::CASE_ROUNDS_MAX;
use kanhe_proto::registry::ServiceItem;

use super::letter;
use super::passing;
use super::row::{Checked, Decision, Fault, Row, Ruling};
use crate::clock;
use crate::issuer::Office;
use crate::rules::{Job, Salts, run_of};
use crate::talk::{ExitCode, Failure};

/// Whether anybody could present anew.
pub(super) fn can_return(item: &ServiceItem, case: &Case, step: u8) -> bool {
    let place = usize::from(step);
    let (Some(asked), Some(known)) = (item.steps.get(place), case.steps.get(place)) else { return false };
    known.round < CASE_ROUNDS_MAX && case.slots.iter().any(|slot| asked.waits_for.contains(&slot.party))
}

/// What follows without an officer. Rules alone decide automatic steps, and only if nothing was wrong: what cannot be
/// evaluated, passed on or issued is never taken for yes or no.
pub fn automatic(
    item: &ServiceItem,
    case: &Case,
    step: u8,
    by_rules: ByRules,
    faults: &[Fault],
    blocked: &[Fault],
) -> Option<Outcome> {
    let auto = item.steps.get(usize::from(step)).is_some_and(|step| step.auto);
    if !auto || !faults.is_empty() {
        return None;
    }
    match by_rules {
        ByRules::Approved => blocked.is_empty().then_some(Outcome::Approved),
        ByRules::Rejected => Some(Outcome::Rejected),
        ByRules::Returned => can_return(item, case, step).then_some(Outcome::Returned),
        ByRules::Officer => None,
    }
}

/// Makes decisions of a case.
#[derive(Debug)]
pub struct Signing<'a> {
    /// Who decides.
    pub office: &'a Office,
    /// The item.
    pub item: &'a ServiceItem,
    /// The case, as it stands.
    pub case: &'a Case,
}

impl Signing<'_> {
    /// The decision on a row: by its officer, else by its rules. Everything random in it is drawn now. What it passes on is
    /// yet to be sealed.
    pub fn decide(&self, row: &Row) -> Result<Decision, Failure> {
        let checked = row.checked.as_deref();
        let (outcome, reason, how, officer_salt) = match &row.ruling {
            Some(ruling) => {
                let (how, salt) = officer(ruling)?;
                (ruling.outcome, ruling.reason.clone(), how, Some(salt))
            }
            None => {
                let outcome = checked.and_then(|checked| checked.automatic).ok_or_else(|| wrong(&"nobody decided"))?;
                let reason = checked.and_then(|checked| checked.rule.clone());
                (outcome, reason.filter(|_| outcome != Outcome::Approved), How::Rules, None)
            }
        };
        let files = match (outcome, checked) {
            (Outcome::Approved, Some(checked)) => {
                let chain = self.office.chain.chain_id;
                passing::files(self.item, self.case, chain, &row.key, &checked.passes)?
            }
            _ => Vec::new(),
        };
        let words = row.ruling.as_ref().and_then(|ruling| ruling.words.as_deref());
        let letter = match words.filter(|_| outcome != Outcome::Approved) {
            Some(words) => letter::write(self.office, self.item, self.case, &row.key, words)?,
            None => None,
        };
        let passed: Vec<FileRef> = files.iter().map(|(to, file)| file.reference(*to)).collect();
        let key = self.office.key.public_key().id();
        let decide = Decide {
            case: row.key.case,
            step: row.key.step,
            round: row.key.round,
            key,
            outcome,
            how,
            run: checked.and_then(run),
            reason: reason.clone(),
            letter: letter.as_ref().map(|letter| letter.commitment),
            passed: List::new(passed).map_err(|error| wrong(&error))?,
        };
        decide.check(self.item, self.case).map_err(|error| wrong(&error))?;
        let signed = Act::Decide(decide).sign(&self.office.chain, &self.office.key);
        let signed = signed.map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))?;
        let passed = files.iter().map(|(_, file)| Blob::new(file.to_bytes()).map_err(|error| wrong(&error)));
        Ok(Decision {
            outcome,
            reason,
            key,
            act: Blob::new(codec::encode(&signed)).map_err(|error| wrong(&error))?,
            officer_salt,
            passed: passed.collect::<Result<_, Failure>>()?,
            on_way: Vec::new(),
            letter_random: letter.as_ref().map(|letter| letter.random.clone()),
            letters: letter.map(|letter| letter.sealed).unwrap_or_default(),
        })
    }
}

fn wrong(cause: &dyn std::fmt::Display) -> Failure {
    Failure::of(ExitCode::Failure, "desk_decision_wrong", &[("cause", cause)])
}

/// On the chain is only a commitment to the officer's number.
fn officer(ruling: &Ruling) -> Result<(How, Blob<32>), Failure> {
    let salt: [u8; 32] = clock::random()?;
    let officer = commitment(&salt, ruling.officer.as_bytes());
    Ok((How::Officer { officer }, Blob::new(salt).expect("32 of 32 bytes")))
}

/// The rules that were run, so that whoever is given the inputs runs them again.
fn run(checked: &Checked) -> Option<Run> {
    let answer = checked.answer.as_ref()?;
    let (rules, values) = checked.sources.clone();
    let job = Job { rules, values, input: checked.input.clone() };
    let salt = |salt: &Blob<32>| <[u8; 32]>::try_from(&salt[..]).ok();
    let salts = Salts { inputs: salt(&checked.salts.0)?, result: salt(&checked.salts.1)? };
    Some(run_of(&job, answer, &salts))
}

/// A text of the item as a name on the chain.
pub(super) fn name(text: &str) -> Option<kanhe_proto::item::PartName> {
    kanhe_proto::item::is_part_name(text).then(|| Text::new(text).ok()).flatten()
}
