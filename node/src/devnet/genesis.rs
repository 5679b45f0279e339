//! The founders' file of a local network.

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::genesis::{GENESIS_VERSION, Genesis, GenesisValidator, PROTOCOL_VERSION};
use kanhe_proto::hash::Suite;
use kanhe_proto::ids::{Height, Power, TimeMs};
use kanhe_proto::key::PublicKey;
use kanhe_proto::registry::{
    Accreditation, Addresses, Authority, Bureau, Intervals, KeyEntry, KeyRole, Parameters, Purpose, PurposeClass,
    RelyingParty,
};

use super::bureaus::{Office, REGION, names};
use super::types::NetworkType;

/// A bureau with its public keys.
pub struct Founder<'a> {
    /// Which.
    pub office: &'a Office,
    /// Its keys.
    pub keys: Vec<(KeyRole, PublicKey)>,
    /// Where its node listens.
    pub addresses: Addresses,
}

/// Codes and names of the purposes.
pub const PURPOSES: [(&str, &str, &str, PurposeClass); 2] = [
    ("counter-service", "窗口服务", "Service at a counter", PurposeClass::PublicBenefit),
    ("loan", "贷款", "Loan", PurposeClass::Commercial),
];

fn always() -> Intervals {
    Intervals::from(Height(0), Authority::Genesis)
}

fn list<T, const MAX: usize>(items: impl IntoIterator<Item = T>) -> List<T, MAX> {
    List::new(items.into_iter().collect()).expect("a local network stays within the limits of genesis")
}

fn text<const MAX: usize>(text: &str) -> Text<MAX> {
    Text::new(text).expect("names and codes of a local network are short")
}

fn relying_party(bank: &Office, key: PublicKey, types: &[NetworkType]) -> RelyingParty {
    RelyingParty {
        uscc: bank.uscc,
        names: bank.names.clone(),
        request_key: key,
        may_ask: list(types.iter().map(NetworkType::ask_right)),
        purposes: list(PURPOSES.map(|(code, ..)| text(code))),
        intervals: always(),
    }
}

/// The genesis of these founders.
pub fn genesis(
    founders: &[Founder<'_>],
    types: &[NetworkType],
    (bank, bank_key): (&Office, PublicKey),
    parameters: Parameters,
    time: TimeMs,
) -> Genesis {
    let bureau = |founder: &Founder<'_>| Bureau {
        uscc: founder.office.uscc,
        names: founder.office.names.clone(),
        region: text(REGION),
        addresses: founder.addresses.clone(),
        intervals: always(),
    };
    let keys = founders.iter().flat_map(|founder| {
        founder.keys.iter().map(|(role, key)| KeyEntry {
            bureau: founder.office.uscc,
            role: *role,
            key: key.clone(),
            intervals: always(),
            distrusted_from: None,
        })
    });
    let validators = founders.iter().flat_map(|founder| {
        let of_validator = founder.keys.iter().filter(|(role, _)| *role == KeyRole::Validator);
        of_validator.map(|(_, key)| GenesisValidator { bureau: founder.office.uscc, key: key.id(), power: Power(1) })
    });
    let accreditations = types.iter().filter_map(|kind| {
        let issuer = founders.iter().find(|founder| founder.office.folder == kind.issuer)?.office.uscc;
        Some(Accreditation { issuer, type_code: kind.record.code.clone(), intervals: always() })
    });
    let purpose = |(code, zh, en, class): (&str, &str, &str, PurposeClass)| Purpose {
        code: text(code),
        names: names(zh, en),
        class,
        intervals: always(),
    };
    Genesis {
        version: GENESIS_VERSION,
        name: "jinan".parse().expect("lower-case letters"),
        suite: Suite::Sha256,
        protocol: PROTOCOL_VERSION,
        time,
        parameters,
        bureaus: list(founders.iter().map(bureau)),
        keys: list(keys),
        validators: list(validators),
        types: list(types.iter().map(|kind| kind.record.clone())),
        schemas: list(types.iter().map(|kind| text(&kind.schema))),
        accreditations: list(accreditations),
        supervisions: List::empty(),
        relying_parties: list([relying_party(bank, bank_key, types)]),
        purposes: list(PURPOSES.map(purpose)),
    }
}
