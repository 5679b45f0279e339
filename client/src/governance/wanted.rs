//! Actions as people name them, on the command line and in a proposal's file alike.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use kanhe_proto::bounded::{List, Text, TooMany};
use kanhe_proto::governance::Action;
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::{TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::{Height, LogIndex, Power, ProtocolVersion, SpanMs};
use kanhe_proto::key::KeyId;
use kanhe_proto::limits::SCHEMA_BYTES_MAX;
use kanhe_proto::registry::{Addresses, AskRight, Effect, HolderKind, KeyRole, Names, Parameters, PurposeClass};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{Desk, amend, prove, read_card};
use crate::given::{self, TypeSpec};
use crate::home;
use crate::node::NodeClient;
use crate::talk::{ExitCode, Failure};

/// How long an old issuing, network or sealing key holds beside the new one if nothing is said.
const OVERLAP: SpanMs = SpanMs(86_400_000);

/// A proposal's file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proposing {
    /// Why, for people.
    #[serde(default)]
    pub note: Option<String>,
    /// How long it can be decided.
    #[serde(default)]
    pub expires: Option<String>,
    /// What is to be done, in this order.
    pub action: Vec<Wanted>,
}

/// One action. Its name and the names of its values are the same in a file.
#[derive(Debug, Clone, PartialEq, Subcommand, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Wanted {
    /// A bureau becomes a member, with the keys of its card
    Admit {
        /// Its membership card
        card: PathBuf,
    },
    /// A bureau can do nothing until it is thawed; it loses its seats
    Freeze {
        /// The bureau
        bureau: Uscc,
    },
    /// A frozen bureau is a member again; seats are voted anew
    Thaw {
        /// The bureau
        bureau: Uscc,
    },
    /// A bureau is no member any more
    Remove {
        /// The bureau
        bureau: Uscc,
    },
    /// A validator gets a seat, or its seat another power
    Seat {
        /// The bureau
        bureau: Uscc,
        /// Its validator key: as ed25519:…, its id in the registry, or a key file
        #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
        validator: String,
        /// Its power
        #[arg(long, value_name = "N")]
        power: u64,
    },
    /// A validator loses its seat
    Unseat {
        /// The bureau
        bureau: Uscc,
        /// Its validator key, if it has several seats
        #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
        #[serde(default)]
        validator: Option<String>,
    },
    /// A version of a licence type is added to the catalogue
    RegisterType {
        /// CODE:VERSION
        #[arg(value_name = "TYPE")]
        #[serde(rename = "type")]
        licence_type: String,
        /// JSON Schema of its claims
        #[arg(long, value_name = "FILE")]
        schema: PathBuf,
        /// Its Chinese name
        #[arg(long, value_name = "NAME")]
        zh: String,
        /// Its English name
        #[arg(long, value_name = "NAME")]
        en: String,
        /// Whom it is about: person or enterprise
        #[arg(long, value_name = "WHOM", value_parser = word::<HolderKind>)]
        holder: HolderKind,
        /// Age of evidence that is accepted where a request does not say
        #[arg(long, value_name = "SPAN", default_value = "24h")]
        #[serde(default = "day")]
        max_age: String,
    },
    /// No licence of a version of a type is issued any more
    RetireType {
        /// CODE:VERSION
        #[arg(value_name = "TYPE")]
        #[serde(rename = "type")]
        licence_type: String,
        /// What was issued stands
        #[arg(long)]
        #[serde(default)]
        keep: bool,
        /// What was issued from this height on is void
        #[arg(long, value_name = "HEIGHT", conflicts_with = "keep")]
        #[serde(default)]
        void_from: Option<u64>,
    },
    /// A bureau may issue a type
    Accredit {
        /// The bureau
        issuer: Uscc,
        /// Code of the type
        #[arg(value_name = "TYPE")]
        #[serde(rename = "type")]
        type_code: TypeCode,
    },
    /// A bureau may issue a type no longer
    WithdrawAccreditation {
        /// The bureau
        issuer: Uscc,
        /// Code of the type
        #[arg(value_name = "TYPE")]
        #[serde(rename = "type")]
        type_code: TypeCode,
        /// What was issued stands
        #[arg(long)]
        #[serde(default)]
        keep: bool,
        /// What was issued from this height on is void
        #[arg(long, value_name = "HEIGHT", conflicts_with = "keep")]
        #[serde(default)]
        void_from: Option<u64>,
    },
    /// A bureau may act on another's licences of a type
    Supervise {
        /// Who acts
        supervisor: Uscc,
        /// On whose licences
        issuer: Uscc,
        /// Code of the type
        #[arg(value_name = "TYPE")]
        #[serde(rename = "type")]
        type_code: TypeCode,
    },
    /// A bureau may act on another's licences no longer
    EndSupervision {
        /// Who acted
        supervisor: Uscc,
        /// On whose licences
        issuer: Uscc,
        /// Code of the type
        #[arg(value_name = "TYPE")]
        #[serde(rename = "type")]
        type_code: TypeCode,
    },
    /// A relying party is registered, or its entry replaced
    RelyingParty {
        /// Its code
        uscc: Uscc,
        /// Its Chinese name
        #[arg(long, value_name = "NAME")]
        zh: String,
        /// Its English name
        #[arg(long, value_name = "NAME")]
        en: String,
        /// Its request key: as ed25519:…, or a key file
        #[arg(long, value_name = "KEY")]
        request_key: String,
        /// What it may ask for: TYPE=CLAIM,CLAIM; once for each type
        #[arg(long, value_name = "RIGHT")]
        #[serde(default)]
        may_ask: Vec<String>,
        /// Why it may ask: codes of purposes, separated by commas
        #[arg(long, value_name = "CODE", value_delimiter = ',')]
        #[serde(default)]
        purpose: Vec<String>,
    },
    /// A relying party may ask nothing any more
    RemoveRelyingParty {
        /// Its code
        uscc: Uscc,
    },
    /// A purpose may be named
    Purpose {
        /// Its code
        code: String,
        /// Its Chinese name
        #[arg(long, value_name = "NAME")]
        zh: String,
        /// Its English name
        #[arg(long, value_name = "NAME")]
        en: String,
        /// public_benefit or commercial
        #[arg(long, value_name = "CLASS", value_parser = word::<PurposeClass>)]
        class: PurposeClass,
    },
    /// A purpose may be named no longer
    RetirePurpose {
        /// Its code
        code: String,
    },
    /// Parameters of the chain change; the others stay as they are now
    Set {
        /// NAME=VALUE: heartbeat=20s, epoch_blocks=1000, threshold_catalogue=1/2
        #[arg(value_name = "PARAMETER=VALUE", required = true)]
        values: Vec<String>,
    },
    /// Blocks above a height are executed under a newer protocol version
    ActivateProtocol {
        /// The version
        version: u32,
        /// The last block under the old one
        #[arg(long, value_name = "HEIGHT")]
        at: u64,
    },
    /// A new key takes the place of one of its role
    RotateKey {
        /// governance, issuing, validator, network or sealing
        #[arg(value_parser = word::<KeyRole>)]
        role: KeyRole,
        /// Key file, or what `gov key prove` wrote
        #[arg(long, value_name = "FILE")]
        new: PathBuf,
        /// Key that goes, by its id [default: the only one known]
        #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
        #[serde(default)]
        old: Option<KeyId>,
        /// No key goes: this is a further one
        #[arg(long, conflicts_with_all = ["old", "overlap"])]
        #[serde(default)]
        add: bool,
        /// How long the old key still holds, at most 7d [default: 24h; 0 for governance and validator keys]
        #[arg(long, value_name = "SPAN")]
        #[serde(default)]
        overlap: Option<String>,
        /// The bureau, if not the proposer: its key is lost, and the others vote
        #[arg(long, value_name = "USCC")]
        #[serde(default)]
        bureau: Option<Uscc>,
    },
    /// A key ends at once
    EndKey {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        key: KeyId,
        /// The bureau, if not the proposer
        #[arg(long, value_name = "USCC")]
        #[serde(default)]
        bureau: Option<Uscc>,
    },
    /// A key was stolen: batches of it from a height on are revoked unless reaffirmed
    DistrustKey {
        /// Its id
        #[arg(allow_hyphen_values = true)]
        key: KeyId,
        /// First height of the doubt
        #[arg(long, value_name = "HEIGHT")]
        since: u64,
        /// The bureau, if not the proposer
        #[arg(long, value_name = "USCC")]
        #[serde(default)]
        bureau: Option<Uscc>,
    },
    /// Batches of a stolen key are honest
    Reaffirm {
        /// The proposer's batches
        #[arg(value_name = "BATCH", required = true)]
        batches: Vec<u64>,
    },
    /// The proposer's node listens elsewhere
    SetAddresses {
        /// Multiaddresses, as /ip4/192.0.2.1/tcp/27000
        #[arg(value_name = "ADDRESS", required = true)]
        addresses: Vec<String>,
    },
    /// What waits in the schedule because of a proposal is cancelled
    Veto {
        /// The proposal
        proposal: ProposalId,
    },
}

/// A value by the word that JSON has for it.
pub fn word<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_value(serde_json::Value::String(text.to_owned())).map_err(|error| error.to_string())
}

fn day() -> String {
    "24h".to_owned()
}

impl Proposing {
    /// Reads a proposal's file.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = home::read_text(path, 1 << 20)?;
        toml::from_str(&text).map_err(|error| {
            let cause = error.to_string().trim().replace('\n', " ");
            Failure::of(ExitCode::Usage, "gov_file_wrong", &[("path", &path.display()), ("cause", &cause)])
        })
    }
}

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
                let schema = text("schema", home::read_text(&desk.path(&schema), SCHEMA_BYTES_MAX)?)?;
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

fn right(given: &str) -> Result<AskRight, Failure> {
    let wrong = || Failure::of(ExitCode::Usage, "gov_right", &[("value", &given)]);
    let (code, claims) = given.split_once('=').ok_or_else(wrong)?;
    let type_code: TypeCode = code.trim().parse().map_err(|_| wrong())?;
    let claims = claims.split(',').map(str::trim).filter(|claim| !claim.is_empty());
    let claims = claims.map(|claim| text("may-ask", claim.to_owned())).collect::<Result<Vec<_>, _>>()?;
    Ok(AskRight { type_code, claims: list("may-ask", ascending(claims))? })
}
