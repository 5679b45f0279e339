//! Governance in words.

use std::collections::BTreeMap;
use std::fmt::Display;

use kanhe_proto::genesis::Genesis;
use kanhe_proto::governance::{Action, DecidedBy};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::item::{BoundRole, Item};
use kanhe_proto::record::Choice;
use kanhe_proto::registry::{Bureau, DataDeclaration, Effect, HolderKind, KeyRole, Names, PurposeClass};

use crate::cli::name;
use crate::cli::show::clean;
use crate::follow::Follower;
use crate::governance::{Changed, ChangedHow};
use crate::node::NodeClient;
use crate::talk::say;

/// Bureaus whose names are asked for at once.
const ASKED_MAX: usize = 64;

/// Names of bureaus: those of genesis, and those that a node has proved.
#[derive(Debug, Default)]
pub struct Who {
    names: BTreeMap<Uscc, Names>,
}

impl Who {
    /// From genesis.
    pub fn new(genesis: &Genesis) -> Self {
        Self { names: genesis.bureaus.iter().map(|bureau| (bureau.uscc, bureau.names.clone())).collect() }
    }
    /// Asks for names that genesis does not have. A name that no node proves stays unknown: the code says who it is.
    pub fn learn(&mut self, follower: &mut Follower, bureaus: impl IntoIterator<Item = Uscc>) {
        for uscc in bureaus.into_iter().take(ASKED_MAX) {
            if self.names.contains_key(&uscc) {
                continue;
            }
            let found = follower.registry::<Bureau>(&uscc, |node: &NodeClient| node.bureau(&uscc));
            if let Ok(Some(bureau)) = found.map(|found| found.value) {
                self.names.insert(uscc, bureau.names);
            }
        }
    }
    /// Name and code.
    pub fn is(&self, uscc: &Uscc) -> String {
        match self.names.get(uscc) {
            Some(names) => format!("{} ({uscc})", clean(name(names))),
            None => uscc.to_string(),
        }
    }
    /// Several.
    pub fn are<'a>(&self, bureaus: impl IntoIterator<Item = &'a Uscc>) -> String {
        let names: Vec<String> = bureaus.into_iter().map(|uscc| self.is(uscc)).collect();
        if names.is_empty() { say("gov.nobody", &[]) } else { names.join(", ") }
    }
}

/// What a proposal takes.
pub fn decided_by(decided_by: DecidedBy) -> String {
    match decided_by {
        DecidedBy::Own => say("gov.by.own", &[]),
        DecidedBy::Emergency => say("gov.by.emergency", &[]),
        DecidedBy::Catalogue => say("gov.by.catalogue", &[]),
        DecidedBy::Constitution => say("gov.by.constitution", &[]),
    }
}

/// Yes or no.
pub fn choice(choice: Choice) -> String {
    match choice {
        Choice::Yes => say("gov.choice_yes", &[]),
        Choice::No => say("gov.choice_no", &[]),
    }
}

/// What a key is for.
pub fn role(role: KeyRole) -> String {
    match role {
        KeyRole::Governance => say("gov.role.governance", &[]),
        KeyRole::Issuing => say("gov.role.issuing", &[]),
        KeyRole::Validator => say("gov.role.validator", &[]),
        KeyRole::Network => say("gov.role.network", &[]),
        KeyRole::Sealing => say("gov.role.sealing", &[]),
    }
}

/// A span in its largest whole unit.
pub fn span(span: SpanMs) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    match units.iter().find(|(unit, _)| span.0 > 0 && span.0.is_multiple_of(*unit)) {
        Some((unit, letter)) => format!("{}{letter}", span.0 / unit),
        None => format!("{}ms", span.0),
    }
}

fn effect(effect: &Effect) -> String {
    match effect {
        Effect::Keep => say("gov.keep", &[]),
        Effect::VoidFrom(height) => say("gov.void_from", &[("height", height)]),
    }
}

/// What an action does.
pub fn action(action: &Action, who: &Who) -> String {
    let is = |uscc: &Uscc| who.is(uscc);
    match action {
        Action::AdmitBureau { bureau, names, region, keys, .. } => {
            let roles: Vec<String> = keys.iter().map(|key| role(key.role)).collect();
            let (name, region) = (clean(name(names)), clean(region));
            let args: &[(&str, &dyn Display)] =
                &[("name", &name), ("bureau", bureau), ("region", &region), ("keys", &roles.join(", "))];
            say("gov.act.admit", args)
        }
        Action::FreezeBureau { bureau } => say("gov.act.freeze", &[("bureau", &is(bureau))]),
        Action::ThawBureau { bureau } => say("gov.act.thaw", &[("bureau", &is(bureau))]),
        Action::RemoveBureau { bureau } => say("gov.act.remove", &[("bureau", &is(bureau))]),
        Action::SeatValidator { bureau, key, power } => {
            say("gov.act.seat", &[("bureau", &is(bureau)), ("key", &key.id()), ("power", power)])
        }
        Action::UnseatValidator { bureau, key } => {
            say("gov.act.unseat", &[("bureau", &is(bureau)), ("key", &key.id())])
        }
        Action::SetParameters { .. } => say("gov.act.set", &[]),
        Action::ActivateProtocol { version, at } => {
            say("gov.act.activate_protocol", &[("version", version), ("at", at)])
        }
        Action::Veto { proposal } => say("gov.act.veto", &[("proposal", proposal)]),
        Action::RotateKey { .. }
        | Action::EndKey { .. }
        | Action::DistrustKey { .. }
        | Action::Reaffirm { .. }
        | Action::SetAddresses { .. } => of_keys(action, who),
        _ => of_catalogue(action, who),
    }
}

fn of_keys(action: &Action, who: &Who) -> String {
    let is = |uscc: &Uscc| who.is(uscc);
    match action {
        Action::RotateKey { bureau, new, old, overlap } => {
            let (role, bureau, overlap) = (role(new.role), is(bureau), span(*overlap));
            match old {
                Some(old) => {
                    let args: &[(&str, &dyn Display)] = &[
                        ("role", &role),
                        ("bureau", &bureau),
                        ("new", &new.key.id()),
                        ("old", old),
                        ("overlap", &overlap),
                    ];
                    say("gov.act.rotate_key", args)
                }
                None => say("gov.act.add_key", &[("role", &role), ("bureau", &bureau), ("new", &new.key.id())]),
            }
        }
        Action::EndKey { bureau, key } => say("gov.act.end_key", &[("bureau", &is(bureau)), ("key", key)]),
        Action::DistrustKey { bureau, key, since } => {
            say("gov.act.distrust_key", &[("bureau", &is(bureau)), ("key", key), ("since", since)])
        }
        Action::Reaffirm { bureau, batches } => {
            let batches: Vec<String> = batches.iter().map(ToString::to_string).collect();
            say("gov.act.reaffirm", &[("bureau", &is(bureau)), ("batches", &batches.join(", "))])
        }
        Action::SetAddresses { bureau, addresses } => {
            let addresses: Vec<String> = addresses.iter().map(|address| clean(address)).collect();
            say("gov.act.set_addresses", &[("bureau", &is(bureau)), ("addresses", &addresses.join(", "))])
        }
        other => unreachable!("{other:?} is not about keys"),
    }
}

fn of_catalogue(action: &Action, who: &Who) -> String {
    let is = |uscc: &Uscc| who.is(uscc);
    match action {
        Action::RegisterType { code, version, names, holder, max_age, .. } => {
            let holder = match holder {
                HolderKind::Person => say("gov.person", &[]),
                HolderKind::Enterprise => say("gov.enterprise", &[]),
            };
            let (name, max_age) = (clean(name(names)), span(*max_age));
            let args: &[(&str, &dyn Display)] =
                &[("type", code), ("version", &version.0), ("name", &name), ("holder", &holder), ("max_age", &max_age)];
            say("gov.act.register_type", args)
        }
        Action::RetireType { code, version, effect: end } => {
            say("gov.act.retire_type", &[("type", code), ("version", &version.0), ("effect", &effect(end))])
        }
        Action::Accredit { issuer, type_code } => {
            say("gov.act.accredit", &[("bureau", &is(issuer)), ("type", type_code)])
        }
        Action::WithdrawAccreditation { issuer, type_code, effect: end } => say(
            "gov.act.withdraw_accreditation",
            &[("bureau", &is(issuer)), ("type", type_code), ("effect", &effect(end))],
        ),
        Action::Supervise { supervisor, issuer, type_code } => {
            say("gov.act.supervise", &[("supervisor", &is(supervisor)), ("bureau", &is(issuer)), ("type", type_code)])
        }
        Action::EndSupervision { supervisor, issuer, type_code } => say(
            "gov.act.end_supervision",
            &[("supervisor", &is(supervisor)), ("bureau", &is(issuer)), ("type", type_code)],
        ),
        Action::RegisterRelyingParty { uscc, names, may_ask, purposes, .. } => {
            let types: Vec<String> = may_ask.iter().map(|right| right.type_code.to_string()).collect();
            let purposes: Vec<String> = purposes.iter().map(|purpose| clean(purpose)).collect();
            let name = clean(name(names));
            let args: &[(&str, &dyn Display)] =
                &[("name", &name), ("uscc", uscc), ("types", &types.join(", ")), ("purposes", &purposes.join(", "))];
            say("gov.act.relying_party", args)
        }
        Action::RemoveRelyingParty { uscc } => say("gov.act.remove_relying_party", &[("uscc", uscc)]),
        Action::RegisterPurpose { code, names, class } => {
            let class = match class {
                PurposeClass::PublicBenefit => say("gov.public_benefit", &[]),
                PurposeClass::Commercial => say("gov.commercial", &[]),
            };
            let (code, name) = (clean(code), clean(name(names)));
            say("gov.act.purpose", &[("code", &code), ("name", &name), ("class", &class)])
        }
        Action::RetirePurpose { code } => say("gov.act.retire_purpose", &[("code", &clean(code))]),
        Action::RegisterItem { file, bound } => register_item(file, bound, who),
        Action::RetireItem { code } => say("gov.act.retire_item", &[("item", &clean(code))]),
        Action::DeclareData { bureau, classes } => {
            let class = |class: &DataDeclaration| {
                format!("{} ({}, {})", clean(name(&class.names)), clean(&class.code), class.count)
            };
            let classes: Vec<String> = classes.iter().map(class).collect();
            say("gov.act.declare_data", &[("bureau", &is(bureau)), ("classes", &classes.join(", "))])
        }
        Action::RetireData { bureau, classes } => {
            let classes: Vec<String> = classes.iter().map(|code| clean(code)).collect();
            say("gov.act.retire_data", &[("bureau", &is(bureau)), ("classes", &classes.join(", "))])
        }
        other => unreachable!("{other:?} is not about the catalogue"),
    }
}

fn register_item(file: &str, bound: &[BoundRole], who: &Who) -> String {
    let roles = bound.iter().map(|role| {
        let bureaus: Vec<String> = role.bureaus.iter().map(|bureau| who.is(bureau)).collect();
        format!("{} = {}", clean(&role.role), bureaus.join(" / "))
    });
    let roles = roles.collect::<Vec<_>>().join("; ");
    match Item::from_json(file) {
        Ok(item) => {
            let (code, name, digest) = (clean(&item.code), clean(name(&item.names)), item.digest());
            let args: &[(&str, &dyn Display)] = &[
                ("item", &code),
                ("version", &item.version),
                ("name", &name),
                ("steps", &item.step.len()),
                ("roles", &roles),
                ("digest", &digest),
            ];
            say("gov.act.register_item", args)
        }
        Err(error) => say("gov.act.register_item_unread", &[("cause", &clean(&error.to_string())), ("roles", &roles)]),
    }
}

/// What has to happen after the action was executed; nothing if it is done.
pub fn next(action: &Action) -> Option<String> {
    match action {
        Action::AdmitBureau { .. } => Some(say("gov.next.admit", &[])),
        Action::SeatValidator { .. } => Some(say("gov.next.seat", &[])),
        Action::RegisterType { .. } => Some(say("gov.next.register_type", &[])),
        Action::ActivateProtocol { at, .. } => Some(say("gov.next.activate_protocol", &[("at", at)])),
        Action::DistrustKey { .. } => Some(say("gov.next.distrust_key", &[])),
        Action::RotateKey { new, .. } => Some(match new.role {
            KeyRole::Governance => say("gov.next.rotate_governance", &[]),
            KeyRole::Validator => say("gov.next.rotate_validator", &[]),
            _ => say("gov.next.rotate_key", &[]),
        }),
        _ => None,
    }
}

/// What a hand-over changed.
pub fn changed(changed: &Changed, who: &Who) -> String {
    let whose = changed.bureau.map_or_else(|| changed.validator.to_string(), |bureau| who.is(&bureau));
    let args: &[(&str, &dyn Display)] = &[
        ("height", &changed.from_height),
        ("who", &whose),
        ("before", &changed.power_before),
        ("after", &changed.power_after),
    ];
    let what = match changed.how {
        ChangedHow::Came => say("gov.changed.came", args),
        ChangedHow::Power => say("gov.changed.power", args),
        ChangedHow::Left => say("gov.changed.left", args),
    };
    let Some(proposal) = changed.proposal else { return say("gov.changed.equivocation", &[("what", &what)]) };
    let proposer = changed.proposer.map_or_else(String::new, |proposer| who.is(&proposer));
    let members = changed.members.map_or_else(String::new, |members| members.to_string());
    let args: &[(&str, &dyn Display)] = &[
        ("what", &what),
        ("proposal", &proposal),
        ("proposer", &proposer),
        ("yes", &who.are(&changed.yes)),
        ("count", &changed.yes.len()),
        ("members", &members),
    ];
    let text = say("gov.changed.decided", args);
    match &changed.note {
        Some(note) => format!("{text}\n    {}", say("gov.note", &[("note", &clean(note))])),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kanhe_proto::bounded::{List, Text};
    use kanhe_proto::governance::NewKey;
    use kanhe_proto::hash::ProposalId;
    use kanhe_proto::identifiers::{TypeCode, TypeVersion};
    use kanhe_proto::ids::{Height, LogIndex, Power, ProtocolVersion};
    use kanhe_proto::key::PublicKey;

    fn all() -> Vec<Action> {
        let [first, second] = ["11370100MB2858147", "11370100MB2858155"].map(|first| Uscc::with_check(first).unwrap());
        let (bureau, issuer, supervisor, uscc) = (first, first, second, second);
        let key = PublicKey::ed25519([1; 32]);
        let names = Names { zh: Text::new("名称").unwrap(), en: Text::new("Name").unwrap() };
        let code: TypeCode = "demo-biz".parse().unwrap();
        let (type_code, version) = (code.clone(), TypeVersion(1));
        let new = |role| NewKey { role, key: key.clone(), possession: None };
        let rotate = |role, old, overlap| Action::RotateKey { bureau, new: new(role), old, overlap: SpanMs(overlap) };
        let text = |text: &str| Text::new(text).unwrap();
        let keys = List::new(vec![new(KeyRole::Governance)]).unwrap();
        let declared = DataDeclaration {
            code: text("households"),
            names: names.clone(),
            type_code: None,
            count: 7,
            as_of: kanhe_proto::ids::TimeMs(1),
        };
        vec![
            Action::AdmitBureau {
                bureau,
                names: names.clone(),
                region: text("370100"),
                addresses: List::empty(),
                keys,
            },
            Action::FreezeBureau { bureau },
            Action::ThawBureau { bureau },
            Action::RemoveBureau { bureau },
            Action::SeatValidator { bureau, key: key.clone(), power: Power(1) },
            Action::UnseatValidator { bureau, key: key.clone() },
            Action::RegisterType {
                code: code.clone(),
                version,
                names: names.clone(),
                holder: HolderKind::Person,
                schema: text_of_schema(),
                max_age: SpanMs(1),
            },
            Action::RetireType { code, version, effect: Effect::Keep },
            Action::Accredit { issuer, type_code: type_code.clone() },
            Action::WithdrawAccreditation { issuer, type_code: type_code.clone(), effect: Effect::VoidFrom(Height(1)) },
            Action::Supervise { supervisor, issuer, type_code: type_code.clone() },
            Action::EndSupervision { supervisor, issuer, type_code },
            Action::RegisterRelyingParty {
                uscc,
                names: names.clone(),
                request_key: key.clone(),
                may_ask: List::empty(),
                purposes: List::empty(),
            },
            Action::RemoveRelyingParty { uscc },
            Action::RegisterPurpose { code: text("loan"), names, class: PurposeClass::Commercial },
            Action::RetirePurpose { code: text("loan") },
            Action::SetParameters { parameters: Box::default() },
            Action::ActivateProtocol { version: ProtocolVersion(3), at: Height(9) },
            rotate(KeyRole::Issuing, Some(key.id()), 1),
            rotate(KeyRole::Governance, None, 0),
            rotate(KeyRole::Validator, Some(key.id()), 0),
            Action::EndKey { bureau, key: key.id() },
            Action::DistrustKey { bureau, key: key.id(), since: Height(1) },
            Action::Reaffirm { bureau, batches: List::new(vec![LogIndex(1)]).unwrap() },
            Action::SetAddresses { bureau, addresses: List::empty() },
            Action::Veto { proposal: ProposalId([1; 32]) },
            Action::RegisterItem { file: text_of_schema(), bound: List::empty() },
            Action::RetireItem { code: text("flat-registration") },
            Action::DeclareData { bureau, classes: List::new(vec![declared]).unwrap() },
            Action::RetireData { bureau, classes: List::new(vec![text("households")]).unwrap() },
        ]
    }

    fn text_of_schema() -> Text<{ kanhe_proto::limits::SCHEMA_BYTES_MAX }> {
        Text::new("{}").unwrap()
    }

    #[test]
    fn every_action_is_said_in_words_of_its_own_with_nothing_left_to_fill_in() {
        let who = Who::default();
        let said: Vec<String> = all().iter().map(|one| action(one, &who)).collect();
        let different: std::collections::BTreeSet<&String> = said.iter().collect();
        assert_eq!(different.len(), said.len());
        for text in said.into_iter().chain(all().iter().filter_map(next)) {
            assert!(!text.contains("%{") && !text.contains("gov."), "{text}");
        }
    }

    #[test]
    fn spans_are_in_their_largest_whole_unit() {
        for (ms, text) in [(604_800_000, "7d"), (90_000, "90s"), (5_400_000, "90m"), (0, "0ms"), (1_500, "1500ms")] {
            assert_eq!(span(SpanMs(ms)), text);
        }
    }
}
