//! What the registry knows of an item, and the query that a bureau makes through it.

use serde::{Deserialize, Serialize};

use super::file::Item;
use super::{PartName, canonical};
use crate::bounded::List;
use crate::identifiers::Uscc;
use crate::ids::SpanMs;
use crate::limits::{ITEM_BOUND_MAX, ITEM_ROLES_MAX};
use crate::registry::{Intervals, ItemBureau, ItemParty, ItemStep, ItemYield, ServiceItem};
use crate::request::{ClaimQuery, Dcql, LICENCE_FORMAT, LicenceQuery, QueryMeta};

/// A day in milliseconds.
const DAY_MS: u64 = 86_400_000;

/// Which bureaus may play a role.
#[derive(Debug, Clone, PartialEq, Eq, bincode::Encode, bincode::Decode, Serialize, Deserialize)]
pub struct BoundRole {
    /// The role's name in the item.
    pub role: PartName,
    /// Who opens a case chooses one of these; ascending.
    pub bureaus: List<Uscc, ITEM_BOUND_MAX>,
}

/// Why roles are not bound.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// Not each role of the item, in its order.
    #[error("bureaus must be named for each role of the item, in its order: {0}")]
    Roles(String),
    /// None, or not ascending.
    #[error("bureaus of `{0}` must be some, and ascend")]
    Bureaus(PartName),
}

impl Item {
    /// The registry's record of it, in force at no height yet. The item must have no faults.
    pub fn service_item(&self, bound: &[BoundRole]) -> Result<ServiceItem, BindError> {
        let names: Vec<&str> = self.bureau.iter().map(|bureau| bureau.code.as_str()).collect();
        if bound.len() != names.len() || bound.iter().zip(&names).any(|(bound, name)| bound.role.as_str() != *name) {
            return Err(BindError::Roles(names.join(", ")));
        }
        for role in bound {
            let ascending = role.bureaus.windows(2).all(|pair| pair[0] < pair[1]);
            if role.bureaus.is_empty() || !ascending {
                return Err(BindError::Bureaus(role.role.clone()));
            }
        }
        let bureaus = bound.iter().map(|role| ItemBureau { code: role.role.clone(), bound: role.bureaus.clone() });
        Ok(ServiceItem {
            code: self.code.clone(),
            version: self.version,
            names: self.names.clone(),
            region: self.region.clone(),
            file: canonical::digest_of(&self.to_json()),
            purpose: self.purpose.clone(),
            life: SpanMs(u64::from(self.life_days) * DAY_MS),
            parties: bounded(self.party.iter().map(|party| self.public_party(&party.code))),
            bureaus: bounded(bureaus),
            steps: bounded((0..self.step.len()).map(|at| self.public_step(at))),
            yields: bounded((0..self.yields.len()).map(|at| self.public_yield(at))),
            intervals: Intervals::default(),
        })
    }

    /// Whether a bureau gets something from a party.
    pub fn sends(&self, party: &str, bureau: &str) -> bool {
        let is_it =
            |of: &PartName, to: &[PartName]| of.as_str() == party && to.iter().any(|role| role.as_str() == bureau);
        self.ask.iter().any(|ask| is_it(&ask.of, &ask.to))
            || self.field.iter().any(|field| is_it(&field.of, &field.to))
            || self.attachment.iter().any(|file| is_it(&file.of, &file.to))
    }

    fn public_party(&self, code: &PartName) -> ItemParty {
        let party = self.party.iter().find(|party| party.code == *code).expect("asked for one of its own");
        let sends_to = (0u8..).zip(&self.bureau).filter(|(_, bureau)| self.sends(code, &bureau.code));
        ItemParty {
            code: code.clone(),
            kind: party.kind,
            opens: party.opens,
            applicant: party.applicant,
            optional: party.optional,
            sends_to: bounded(sends_to.map(|(at, _)| at)),
        }
    }

    fn public_step(&self, at: usize) -> ItemStep {
        let step = &self.step[at];
        let mut needs = places(&self.step, &step.needs, |step| &step.code);
        let mut waits_for = places(&self.party, &step.waits_for, |party| &party.code);
        needs.sort_unstable();
        waits_for.sort_unstable();
        ItemStep {
            code: step.code.clone(),
            by: place(&self.bureau, &step.by, |bureau| &bureau.code),
            needs: bounded(needs),
            waits_for: bounded(waits_for),
            auto: step.auto,
            limit: SpanMs(u64::from(step.limit_days) * DAY_MS),
            closes: step.is_final,
        }
    }

    fn public_yield(&self, at: usize) -> ItemYield {
        let given = &self.yields[at];
        ItemYield {
            step: place(&self.step, &given.step, |step| &step.code),
            type_code: given.type_ref.code().clone(),
            type_version: given.type_ref.version(),
            to: place(&self.party, &given.to, |party| &party.code),
        }
    }

    /// What a bureau asks of a party through this item: the query that the party's wallet answers. `optional` asks are
    /// in it only if they are named in `with`. Nothing if nothing is asked.
    pub fn query(&self, party: &str, bureau: &str, with: &[&str]) -> Option<Dcql> {
        let asked = self.ask.iter().filter(|ask| ask.of.as_str() == party);
        let asked = asked.filter(|ask| ask.to.iter().any(|role| role.as_str() == bureau));
        let asked = asked.filter(|ask| !ask.optional || with.contains(&ask.code.as_str()));
        let credentials: Vec<LicenceQuery> = asked
            .map(|ask| LicenceQuery {
                id: ask.code.to_string(),
                format: LICENCE_FORMAT.to_owned(),
                meta: QueryMeta { vct_values: ask.types.iter().map(|given| given.0.clone()).collect() },
                claims: ask.claims.iter().filter_map(|claim| Some(ClaimQuery { path: claim.parse().ok()? })).collect(),
            })
            .collect();
        (!credentials.is_empty()).then_some(Dcql { credentials })
    }
}

fn bounded<T, const MAX: usize>(parts: impl IntoIterator<Item = T>) -> List<T, MAX> {
    List::new(parts.into_iter().collect()).expect("an item has no more parts than its record")
}

/// Places of names; one that nothing has is left out, since an item with such a fault has no record.
fn places<T>(parts: &[T], names: &[PartName], name: fn(&T) -> &PartName) -> Vec<u8> {
    let found = names.iter().filter_map(|wanted| parts.iter().position(|part| name(part) == wanted));
    found.map(|at| u8::try_from(at).expect("an item has fewer than 256 parts of a kind")).collect()
}

fn place<T>(parts: &[T], wanted: &PartName, name: fn(&T) -> &PartName) -> u8 {
    places(parts, std::slice::from_ref(wanted), name).first().copied().unwrap_or(u8::MAX)
}

const _: () = assert!(ITEM_ROLES_MAX < u8::MAX as usize);
