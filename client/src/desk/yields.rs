//! What a step yields: the claims as rules make them, and the application that each licence answers.

use std::collections::BTreeMap;

use kanhe_proto::application::Application;
use kanhe_proto::case_file::{CaseFile, Helped};
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::{Uscc, Vct};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::item::{Item, Step, Yield};
use serde_json::{Map, Value};

use super::row::{Fault, Granted};
use crate::issuer::{Grant, Way};
use crate::rules::{Answer, Job, Made};

/// What came out for each value, by its name.
pub(super) fn made(job: &Job, answer: &Answer) -> BTreeMap<String, Made> {
    job.values.iter().zip(&answer.values).map(|(source, made)| (source.name.clone(), made.clone())).collect()
}

/// What the step passes on.
pub(super) fn passes(made: &BTreeMap<String, Made>) -> BTreeMap<String, Made> {
    let named = made.iter().filter_map(|(name, made)| Some((name.strip_prefix("passes.")?.to_owned(), made.clone())));
    named.collect()
}

/// Yields of a step.
pub(super) fn of_step<'a>(item: &'a Item, step: &'a Step) -> impl Iterator<Item = &'a Yield> {
    item.yields.iter().filter(|given| given.step == step.code)
}

/// The claims of a licence, or why they cannot be made.
fn claims(given: &Yield, made: &BTreeMap<String, Made>) -> Result<Map<String, Value>, Fault> {
    let mut claims = Map::new();
    for claim in given.claims.keys() {
        let fault = |why: &str| Fault::of("yield_not_made", None, format!("{}.{claim}: {why}", given.code));
        match made.get(&format!("yield.{}.{claim}", given.code)) {
            Some(Made::Text(text)) => {
                claims.insert(claim.to_string(), text.as_str().into());
            }
            Some(Made::Unknown(reason)) => return Err(fault(reason)),
            Some(Made::Whole(_) | Made::Truth(_)) => return Err(fault("not a text")),
            None => return Err(fault("no answer")),
        }
    }
    Ok(claims)
}

/// The enterprise whose account is opened with a licence, or why its claim names none.
fn account(given: &Yield, claims: &Map<String, Value>) -> Result<Option<Uscc>, Fault> {
    let Some(claim) = &given.account else { return Ok(None) };
    let named = claims.get(claim.as_str()).and_then(Value::as_str).unwrap_or_default();
    let wrong =
        |error: &dyn std::fmt::Display| Fault::of("account_code_wrong", None, format!("{}: {error}", given.code));
    named.parse().map(Some).map_err(|error: kanhe_proto::identifiers::IdentifierError| wrong(&error))
}

/// The application for this type in a party's file. What is none is passed over: it shows as missing.
fn application<'a>(
    file: &'a CaseFile,
    vct: &Vct,
    chain: &ChainId,
    issuer: &Uscc,
    as_of: TimeMs,
    used: impl Fn(&str) -> bool,
) -> Option<&'a str> {
    let is_it = |text: &&str| {
        !used(text) && Application::verify(text, chain, issuer, as_of).is_ok_and(|application| application.vct == *vct)
    };
    file.applications.iter().map(|text| text.as_str()).find(is_it)
}

/// The code that a clerk has handed over for a yield. An account needs a key, which nobody has yet.
fn promised(helped: &Helped, given: &Yield) -> Option<Way> {
    let pickup = helped.pickups.iter().find(|pickup| pickup.yields == given.code)?;
    given.account.is_none().then_some(Way::Pickup(pickup.hash))
}

/// Where a party's licences go.
pub(super) struct Taker<'a> {
    /// Its slot.
    pub slot: u8,
    /// Its name in the item.
    pub party: &'a str,
    /// Its file.
    pub file: &'a CaseFile,
    /// Set if a clerk acts for it.
    pub helped: Option<&'a Helped>,
    /// When it was presented.
    pub presented: TimeMs,
    /// Values of the run for this slot.
    pub made: &'a BTreeMap<String, Made>,
}

/// What one slot gets of a step. A second yield of the same type needs an application of its own.
pub(super) fn grants(
    item: &Item,
    step: &Step,
    taker: &Taker<'_>,
    chain: &ChainId,
    issuer: &Uscc,
) -> (Vec<Granted>, Vec<Fault>) {
    let (mut granted, mut faults) = (Vec::<Granted>::new(), Vec::new());
    for given in of_step(item, step).filter(|given| given.to.as_str() == taker.party) {
        let vct = &given.type_ref.0;
        let used =
            |text: &str| granted.iter().any(|known| matches!(&known.grant.way, Way::Application(of) if of == text));
        let way = match taker.helped {
            Some(helped) => promised(helped, given),
            None => application(taker.file, vct, chain, issuer, taker.presented, used)
                .map(|text| Way::Application(text.to_owned())),
        };
        let Some(way) = way else {
            faults.push(Fault::of("application_missing", Some(taker.party), given.code.as_str()));
            continue;
        };
        let made = claims(given, taker.made).and_then(|claims| Ok((account(given, &claims)?, claims)));
        match made {
            Ok((account, claims)) => granted.push(Granted {
                code: given.code.clone(),
                slot: taker.slot,
                grant: Grant { vct: vct.clone(), claims, way, as_of: taker.presented },
                account,
            }),
            Err(fault) => faults.push(Fault { party: Some(taker.party.to_owned()), ..fault }),
        }
    }
    (granted, faults)
}
