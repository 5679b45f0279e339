//! Actions as people name them, on the command line and in a proposal's file alike.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use kanhe_proto::hash::ProposalId;
use kanhe_proto::identifiers::{TypeCode, Uscc};
use kanhe_proto::key::KeyId;
use kanhe_proto::registry::{HolderKind, KeyRole, PurposeClass};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::home;
use crate::talk::{ExitCode, Failure};

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
        /// JSON Schema of its claims, or a file that has it as `schema`
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
    /// A version of a service item is added; the one before ends
    RegisterItem {
        /// Its file, as `kanhe item check` accepts it
        file: PathBuf,
        /// Who plays a role of it: ROLE=USCC,USCC; once for each role
        #[arg(long, value_name = "ROLE")]
        #[serde(default)]
        bind: Vec<String>,
    },
    /// No case of a service item is opened any more; open ones go on
    RetireItem {
        /// Its code
        #[arg(value_name = "ITEM")]
        item: String,
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
    /// The proposer says which classes of data it holds, and how many entries each has
    DeclareData {
        /// TOML with `[[class]]`: code, zh, en, count; type and as_of (a day) if there are
        file: PathBuf,
    },
    /// The proposer holds classes of data no more
    RetireData {
        /// Their codes
        #[arg(value_name = "CLASS", required = true)]
        classes: Vec<String>,
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
