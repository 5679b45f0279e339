//! The assisted route: a clerk at a counter acts in a case for somebody who has an identity card and no wallet.
//!
//! The counter's wallet has the keys of the case, as any other has for its own; the bureau's issuing key signs beside them that a
//! clerk does it, on which ground. What the person would show is read by the bureaus that ask for it, from whoever issued it;
//! what comes of the case is picked up with codes that the clerk hands over, of which bureaus know the hashes alone.

use std::collections::BTreeMap;

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::case::{Act, Clerk};
use kanhe_proto::case_file::{Helped, HelpedAsk, HelpedPickup};
use kanhe_proto::consent::Subject;
use kanhe_proto::hash::ChainId;
use kanhe_proto::identifiers::{TypeCode, Uscc};
use kanhe_proto::item::{Ask, Item, PartName};
use kanhe_proto::limits::CLERK_BYTES_MAX;
use kanhe_proto::pickup::{PickupCode, chain_salt};
use kanhe_proto::registry::{Accreditation, PurposeCode};
use kanhe_proto::vote::ChainContext;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::parcel::Parcel;
use crate::clock;
use crate::follow::Follower;
use crate::issuer::Office;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

/// Somebody for whom a clerk acts, as the counter's wallet keeps it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Assisted {
    /// Who, by the document that the clerk has seen.
    pub person: Subject,
    /// The bureau's own number of the clerk; no name.
    pub clerk: Text<CLERK_BYTES_MAX>,
    /// The purpose on whose ground bureaus read.
    pub ground: PurposeCode,
    /// Ask → where the bureaus read what the person would show.
    pub sources: BTreeMap<PartName, Source>,
    /// Yield → the code to pick it up with, as people see it.
    pub pickups: BTreeMap<PartName, String>,
}

impl std::fmt::Debug for Assisted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Personal numbers and codes stay out of logs.
        write!(f, "Assisted(by {})", self.clerk)
    }
}

/// Where a licence is that somebody cannot show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// Its type.
    pub type_code: TypeCode,
    /// Who issued it.
    pub issuer: Uscc,
}

/// How somebody without a wallet gets a licence later.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PickupShown {
    /// The code, good once, for thirty days after the licence was prepared.
    pub code: String,
    /// The licence in the item.
    pub licence: String,
    /// Type and version, as `kanhe wallet collect --type` takes them.
    #[serde(rename = "type")]
    pub licence_type: String,
    /// USCC of the bureau that issues it.
    #[schemars(with = "String")]
    pub issuer: Uscc,
}

/// A clerk who acts for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ClerkShown {
    /// USCC of the clerk's bureau.
    pub bureau: String,
    /// The bureau's own number of the clerk.
    pub number: String,
    /// The purpose on whose ground bureaus read what the person would have shown.
    pub ground: String,
}

impl From<Clerk> for ClerkShown {
    fn from(clerk: Clerk) -> Self {
        Self { bureau: clerk.bureau.to_string(), number: clerk.number.to_string(), ground: clerk.ground.to_string() }
    }
}

impl Assisted {
    /// Makes a code for each licence that comes of the case for this party; those that were made stay.
    pub(super) fn promise(&mut self, parcels: &[Parcel<'_>]) -> Result<(), Failure> {
        for given in parcels.iter().flat_map(|parcel| &parcel.yields) {
            if !self.pickups.contains_key(&given.code) {
                self.pickups.insert(given.code.clone(), PickupCode::from_random(clock::random()?).shown());
            }
        }
        Ok(())
    }

    /// What one bureau is told.
    pub(super) fn told(&self, parcel: &Parcel<'_>, chain: &ChainId) -> Result<Helped, Failure> {
        let asks = parcel.asks.iter().filter_map(|ask| {
            let Source { type_code, issuer } = self.sources.get(&ask.code)?.clone();
            Some(HelpedAsk { ask: ask.code.clone(), type_code, source: issuer })
        });
        let mut asks: Vec<HelpedAsk> = asks.collect();
        asks.sort_by(|one, other| one.ask.as_str().cmp(other.ask.as_str()));
        let mut pickups = Vec::new();
        for given in &parcel.yields {
            let Some(code) = self.pickups.get(&given.code) else { continue };
            let hash = code_of(code)?.hash(&chain_salt(chain));
            pickups.push(HelpedPickup { yields: given.code.clone(), hash });
        }
        pickups.sort_by(|one, other| one.yields.as_str().cmp(other.yields.as_str()));
        let wrong =
            |error: kanhe_proto::bounded::TooMany| Failure::reported(ExitCode::Usage, "case_file_too_long", error);
        let (asks, pickups) = (List::new(asks).map_err(wrong)?, List::new(pickups).map_err(wrong)?);
        Ok(Helped { person: self.person.clone(), asks, pickups })
    }

    /// Whether a bureau reads anything of others.
    pub(super) fn has_source_for(&self, parcel: &Parcel<'_>) -> bool {
        parcel.asks.iter().any(|ask| self.sources.contains_key(&ask.code))
    }

    /// An act by this clerk, signed by the bureau.
    pub(super) fn sign(&self, act: Act, chain: &ChainContext, office: Option<&Office>) -> Result<Act, Failure> {
        let office = office.ok_or_else(|| Failure::of(ExitCode::Usage, "case_clerk_key", &[]))?;
        let clerk = Clerk { bureau: office.issuer, number: self.clerk.clone(), ground: self.ground.clone() };
        act.assisted_by(chain, clerk, &office.key)
            .map_err(|error| Failure::reported(ExitCode::Failure, "not_signed", error))
    }

    /// The codes that are handed over.
    pub fn pickups(&self, item: &Item, chosen: &[Uscc]) -> Vec<PickupShown> {
        let shown = item.yields.iter().filter_map(|given| {
            let code = self.pickups.get(&given.code)?.clone();
            let by = &item.step.iter().find(|step| step.code == given.step)?.by;
            let place = item.bureau.iter().position(|role| role.code == *by)?;
            let (licence, licence_type) = (given.code.to_string(), given.type_ref.to_string());
            Some(PickupShown { code, licence, licence_type, issuer: *chosen.get(place)? })
        });
        shown.collect()
    }
}

fn code_of(text: &str) -> Result<PickupCode, Failure> {
    PickupCode::parse(text).map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))
}

/// Who of these issues what an ask is for: the only one of them that is accredited.
pub fn source_of(ask: &Ask, bureaus: &[Uscc], follower: &mut Follower) -> Result<Source, Failure> {
    let mut found: Vec<Source> = Vec::new();
    for type_ref in &ask.types {
        for issuer in bureaus {
            let source = Source { type_code: type_ref.code().clone(), issuer: *issuer };
            if !found.contains(&source) && is_accredited(&source, follower)? {
                found.push(source);
            }
        }
    }
    let args: &[(&str, &dyn std::fmt::Display)] = &[("ask", &ask.code)];
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(Failure::of(ExitCode::Usage, "case_no_source", args)),
        _ => Err(Failure::of(ExitCode::Usage, "case_several_sources", args)),
    }
}

fn is_accredited(source: &Source, follower: &mut Follower) -> Result<bool, Failure> {
    let fetch = |node: &NodeClient| node.accreditation(&source.issuer, &source.type_code);
    let found = follower.registry::<Accreditation>(&(source.issuer, source.type_code.clone()), fetch)?;
    // What it has issued stays readable after its right has ended.
    Ok(found.value.is_some())
}

#[cfg(test)]
mod tests {
    use super::super::parcel::parcels;
    use super::super::parcel::tests::{bureaus, flat};
    use super::*;

    fn assisted() -> Assisted {
        let source = |issuer: usize, code: &str| Source { type_code: code.parse().unwrap(), issuer: bureaus()[issuer] };
        let text = |text: &str| PartName::new(text).unwrap();
        Assisted {
            person: crate::issuer::subject(crate::issuer::PERSON_ID_TYPE, "11010519491231002X").unwrap(),
            clerk: Text::new("A-17").unwrap(),
            ground: Text::new("real-estate-registration").unwrap(),
            sources: BTreeMap::from([
                (text("purchase"), source(0, "DEMOGFHTBA001")),
                (text("identity"), source(1, "DEMOJMSFZ001")),
            ]),
            pickups: BTreeMap::new(),
        }
    }

    #[test]
    fn a_bureau_is_told_where_to_read_what_it_asks_for_and_no_code() {
        let (known, chosen) = (flat(), bureaus());
        let parcels = parcels(&known, &PartName::new("buyer").unwrap(), &chosen).unwrap();
        let mut assisted = assisted();
        assisted.promise(&parcels).unwrap();
        let slips = assisted.pickups(&known.item, &chosen);
        assert_eq!(slips.len(), 1);
        assert_eq!((slips[0].licence.as_str(), slips[0].issuer), ("certificate", chosen[3]));
        // Made once: who corrects what it said hands over no second code.
        assisted.promise(&parcels).unwrap();
        assert_eq!(assisted.pickups(&known.item, &chosen)[0].code, slips[0].code);
        let of = |role: &str| {
            let parcel = parcels.iter().find(|parcel| parcel.role.as_str() == role).unwrap();
            (assisted.told(parcel, &ChainId([1; 32])).unwrap(), assisted.has_source_for(parcel))
        };
        let asks = |helped: &Helped| helped.asks.iter().map(|of| of.ask.to_string()).collect::<Vec<_>>();
        let (tax, reads) = of("tax");
        assert_eq!((asks(&tax), tax.pickups.len(), reads), (vec!["purchase".to_owned()], 0, true));
        let (bank, reads) = of("bank");
        assert_eq!((asks(&bank), reads), (vec![], false));
        let (registry, _) = of("registry");
        assert_eq!(asks(&registry), ["identity", "purchase"]);
        let code = PickupCode::parse(&slips[0].code).unwrap();
        let pickup = &registry.pickups[0];
        assert_eq!((pickup.yields.as_str(), pickup.hash), ("certificate", code.hash(&[1; 16])));
    }

    #[test]
    fn without_the_bureaus_key_nothing_is_done_for_anybody() {
        let act = Act::Rate(kanhe_proto::case::Rate { case: kanhe_proto::hash::CaseId([1; 32]), stars: 5 });
        let chain = ChainContext { chain_id: kanhe_proto::hash::ChainId([1; 32]), era: kanhe_proto::ids::Era(0) };
        assert_eq!(assisted().sign(act, &chain, None).unwrap_err().code, "case_clerk_key");
    }
}
