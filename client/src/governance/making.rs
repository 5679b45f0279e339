//! From what is wanted to the action itself.

use std::path::Path;

use kanhe_proto::bounded::{List, Text, TooMany};
use kanhe_proto::governance::Action;
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::{Height, LogIndex, Power, ProtocolVersion, SpanMs};
use kanhe_proto::item::BoundRole;
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::SCHEMA_BYTES_MAX;
use kanhe_proto::registry::{Addresses, AskRight, Effect, KeyRole, Names, Parameters};

use super::data::read_classes;
use super::{Desk, Wanted, amend, prove, read_card};
use crate::clock;
use crate::given::{self, TypeSpec};
use crate::home;
use crate::item::ItemSource;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

/// How long an old issuing, network or sealing key holds beside the new one if nothing is said.
const OVERLAP: SpanMs = SpanMs(86_400_000);

impl Wanted {
    /// The action itself; what it refers to is read from files and, with its proof, from the chain.
    pub fn action(&self, desk: &mut Desk<'_, '_>) -> Result<Action, Failure> {
        match self.clone() {
            Self::Admit { card } => admit(&desk.path(&card), desk),
            Self::Freeze { bureau } => Ok(Action::FreezeBureau { bureau }),
            Self::Thaw { bureau } => Ok(Action::ThawBureau { bureau }),
            Self::Remove { bureau } => Ok(Action::RemoveBureau { bureau }),
            Self::Seat { bureau, validator, power } => {
                let key = desk.public_key(&validator, &bureau)?;
                Ok(Action::SeatValidator { bureau, key, power: Power(power) })
            }
            Self::Unseat { bureau, validator } => {
                let key = match validator {
                    Some(validator) => desk.public_key(&validator, &bureau)?,
                    None => desk.only_seat(&bureau)?,
                };
                Ok(Action::UnseatValidator { bureau, key })
            }
            Self::Accredit { issuer, type_code } => Ok(Action::Accredit { issuer, type_code }),
            Self::WithdrawAccreditation { issuer, type_code, keep, void_from } => {
                Ok(Action::WithdrawAccreditation { issuer, type_code, effect: effect(keep, void_from)? })
            }
            Self::Supervise { supervisor, issuer, type_code } => {
                Ok(Action::Supervise { supervisor, issuer, type_code })
            }
            Self::EndSupervision { supervisor, issuer, type_code } => {
                Ok(Action::EndSupervision { supervisor, issuer, type_code })
            }
            Self::RemoveRelyingParty { uscc } => Ok(Action::RemoveRelyingParty { uscc }),
            Self::Purpose { code, zh, en, class } => {
                Ok(Action::RegisterPurpose { code: text("code", code)?, names: names(zh, en)?, class })
            }
            Self::RetirePurpose { code } => Ok(Action::RetirePurpose { code: text("code", code)? }),
            Self::RegisterItem { file, bind } => register_item(&desk.path(&file), &bind),
            Self::RetireItem { item } => Ok(Action::RetireItem { code: text("item", item)? }),
            Self::DeclareData { file } => declare_data(&desk.path(&file), desk.proposer),
            Self::RetireData { classes } => {
                let codes = classes.into_iter().map(|code| text("class", code)).collect::<Result<Vec<_>, _>>()?;
                Ok(Action::RetireData { bureau: desk.proposer, classes: list("class", ascending(codes))? })
            }
            Self::Set { values } => set(&values, desk),
            Self::ActivateProtocol { version, at } => {
                Ok(Action::ActivateProtocol { version: ProtocolVersion(version), at: Height(at) })
            }
            Self::EndKey { key, bureau } => Ok(Action::EndKey { bureau: bureau.unwrap_or(desk.proposer), key }),
            Self::DistrustKey { key, since, bureau } => {
                let bureau = bureau.unwrap_or(desk.proposer);
                Ok(Action::DistrustKey { bureau, key, since: Height(since) })
            }
            Self::Reaffirm { batches } => reaffirm(batches, desk.proposer),
            Self::SetAddresses { addresses } => set_addresses(addresses, desk.proposer),
            Self::Veto { proposal } => Ok(Action::Veto { proposal }),
            Self::RegisterType { .. } | Self::RetireType { .. } => self.of_type(desk),
            Self::RelyingParty { .. } => self.of_party(desk),
            Self::RotateKey { role, new, old, add, overlap, bureau } => {
                let bureau = bureau.unwrap_or(desk.proposer);
                rotate(desk, bureau, role, &new, old.map_or(Going::Known, Going::Named).unless(add), overlap)
            }
        }
    }

    fn of_type(&self, desk: &Desk<'_, '_>) -> Result<Action, Failure> {
        match self.clone() {
            Self::RetireType { licence_type, keep, void_from } => {
                let (code, version) = version(&licence_type)?;
                Ok(Action::RetireType { code, version, effect: effect(keep, void_from)? })
            }
            Self::RegisterType { licence_type, schema, zh, en, holder, max_age } => {
                let (code, version) = version(&licence_type)?;
                let schema = text("schema", schema_in(home::read_text(&desk.path(&schema), 2 * SCHEMA_BYTES_MAX)?))?;
                let max_age = span(&max_age)?;
                Ok(Action::RegisterType { code, version, names: names(zh, en)?, holder, schema, max_age })
            }
            other => unreachable!("{other:?} is not about a type"),
        }
    }

    fn of_party(&self, desk: &mut Desk<'_, '_>) -> Result<Action, Failure> {
        let Self::RelyingParty { uscc, zh, en, request_key, may_ask, purpose } = self.clone() else {
            unreachable!("a relying party was asked for")
        };
        let request_key = desk.public_key(&request_key, &uscc)?;
        let mut rights = may_ask.iter().map(|given| right(given)).collect::<Result<Vec<_>, _>>()?;
        rights.sort_by(|a, b| a.type_code.cmp(&b.type_code));
        let purposes = purpose.into_iter().map(|code| text("purpose", code)).collect::<Result<Vec<_>, _>>()?;
        Ok(Action::RegisterRelyingParty {
            uscc,
            names: names(zh, en)?,
            request_key,
            may_ask: list("may-ask", rights)?,
            purposes: list("purpose", ascending(purposes))?,
        })
    }
}

/// Which key goes.
enum Going {
    Known,
    Named(KeyId),
    None,
}

impl Going {
    fn unless(self, add: bool) -> Self {
        if add { Self::None } else { self }
    }
}

fn rotate(
    desk: &mut Desk<'_, '_>,
    bureau: Uscc,
    role: KeyRole,
    new: &Path,
    going: Going,
    overlap: Option<String>,
) -> Result<Action, Failure> {
    let (path, chain) = (desk.path(new), desk.chain);
    let new = prove(&chain, &bureau, role, &path, desk.lock)?;
    let old = match going {
        Going::Named(id) => Some(id),
        Going::None => None,
        Going::Known => Some(desk.present_key(&bureau, role)?),
    };
    let overlap = match (overlap.as_deref(), role) {
        (Some("0"), _) => SpanMs(0),
        (Some(given), _) => span(given)?,
        (None, KeyRole::Governance | KeyRole::Validator) => SpanMs(0),
        (None, _) if old.is_none() => SpanMs(0),
        (None, _) => OVERLAP,
    };
    Ok(Action::RotateKey { bureau, new, old, overlap })
}

fn admit(path: &Path, desk: &Desk<'_, '_>) -> Result<Action, Failure> {
    let card = read_card(path)?;
    card.check(&desk.chain).map_err(|error| {
        Failure::of(ExitCode::Failure, "gov_card_wrong", &[("path", &path.display()), ("cause", &error)])
    })?;
    Ok(card.admission())
}

fn set(values: &[String], desk: &mut Desk<'_, '_>) -> Result<Action, Failure> {
    let found = desk.follower.registry::<Parameters>(&(), NodeClient::parameters)?;
    let current = found.value.ok_or_else(|| Failure::of(ExitCode::Unreachable, "gov_rules_missing", &[]))?;
    Ok(Action::SetParameters { parameters: Box::new(amend(&current, values)?) })
}

/// What a file says that the bureau holds.
fn declare_data(path: &Path, bureau: Uscc) -> Result<Action, Failure> {
    Ok(Action::DeclareData { bureau, classes: list("class", read_classes(path, clock::now())?)? })
}

fn reaffirm(batches: Vec<u64>, bureau: Uscc) -> Result<Action, Failure> {
    let batches = ascending(batches.into_iter().map(LogIndex).collect());
    Ok(Action::Reaffirm { bureau, batches: list("batches", batches)? })
}

fn set_addresses(addresses: Vec<String>, bureau: Uscc) -> Result<Action, Failure> {
    let addresses = addresses.into_iter().map(|address| text("address", address)).collect::<Result<Vec<_>, _>>()?;
    let addresses: Addresses = list("addresses", addresses)?;
    Ok(Action::SetAddresses { bureau, addresses })
}

fn ascending<T: Ord>(mut items: Vec<T>) -> Vec<T> {
    items.sort();
    items.dedup();
    items
}

fn too_long(what: &str, error: &TooMany) -> Failure {
    Failure::of(ExitCode::Usage, "gov_too_long", &[("what", &what), ("cause", error)])
}

/// A bounded text of a proposal.
fn text<const MAX: usize>(what: &str, given: String) -> Result<Text<MAX>, Failure> {
    Text::new(given).map_err(|error| too_long(what, &error))
}

fn list<T, const MAX: usize>(what: &str, items: Vec<T>) -> Result<List<T, MAX>, Failure> {
    List::new(items).map_err(|error| too_long(what, &error))
}

fn names(zh: String, en: String) -> Result<Names, Failure> {
    Ok(Names { zh: text("zh", zh)?, en: text("en", en)? })
}

fn span(given: &str) -> Result<SpanMs, Failure> {
    given::span(given)
        .map_err(|cause| Failure::of(ExitCode::Usage, "gov_span", &[("value", &given), ("cause", &cause)]))
}

fn version(given: &str) -> Result<(TypeCode, TypeVersion), Failure> {
    let spec = given.parse::<TypeSpec>().ok();
    spec.and_then(|spec| Some((spec.code, spec.version?)))
        .ok_or_else(|| Failure::of(ExitCode::Usage, "gov_type_version", &[("type", &given)]))
}

fn effect(keep: bool, void_from: Option<u64>) -> Result<Effect, Failure> {
    match (keep, void_from) {
        (true, None) => Ok(Effect::Keep),
        (false, Some(height)) => Ok(Effect::VoidFrom(Height(height))),
        _ => Err(Failure::of(ExitCode::Usage, "gov_effect", &[])),
    }
}

/// A schema, or the one in a file of `deploy/types`, which has names beside it.
fn schema_in(text: String) -> String {
    let inner = serde_json::from_str::<serde_json::Value>(&text).ok().and_then(|file| {
        let is_file = file["code"].is_string() && file["schema"].is_object();
        is_file.then(|| file["schema"].to_string())
    });
    inner.unwrap_or(text)
}

/// An item without mistakes, and who plays its roles.
fn register_item(path: &Path, bind: &[String]) -> Result<Action, Failure> {
    let wrong = |cause: String| {
        Failure::of(ExitCode::Usage, "item_file_wrong", &[("path", &path.display()), ("cause", &cause)])
    };
    let source = ItemSource::read(path)?.map_err(|mistake| wrong(mistake.message))?;
    if let Some(mistake) = source.mistakes().first() {
        return Err(wrong(mistake.lines(&path.display().to_string())));
    }
    let mut bound = Vec::new();
    for given in bind {
        let unread = || Failure::of(ExitCode::Usage, "item_bind", &[("value", given)]);
        let (role, bureaus) = given.split_once('=').ok_or_else(unread)?;
        let bureaus = bureaus.split(',').map(|bureau| bureau.trim().parse::<Uscc>().map_err(|_| unread()));
        let bureaus = ascending(bureaus.collect::<Result<Vec<_>, _>>()?);
        bound.push(BoundRole { role: text("bind", role.trim().to_owned())?, bureaus: list("bind", bureaus)? });
    }
    // In the item's order, however they were named.
    let place = |role: &BoundRole| source.item.bureau.iter().position(|bureau| bureau.code == role.role);
    bound.sort_by_key(place);
    source
        .item
        .service_item(&bound)
        .map_err(|error| Failure::of(ExitCode::Usage, "item_roles", &[("cause", &error)]))?;
    Ok(Action::RegisterItem { file: text("item", source.item.to_json())?, bound: list("bind", bound)? })
}

fn right(given: &str) -> Result<AskRight, Failure> {
    let wrong = || Failure::of(ExitCode::Usage, "gov_right", &[("value", &given)]);
    let (code, claims) = given.split_once('=').ok_or_else(wrong)?;
    let type_code: TypeCode = code.trim().parse().map_err(|_| wrong())?;
    let claims = claims.split(',').map(str::trim).filter(|claim| !claim.is_empty());
    let claims = claims.map(|claim| text("may-ask", claim.to_owned())).collect::<Result<Vec<_>, _>>()?;
    Ok(AskRight { type_code, claims: list("may-ask", ascending(claims))? })
}
