//! What the founders agree on besides their cards: one TOML file. The same file and cards give the same genesis.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::genesis::{GENESIS_VERSION, Genesis, GenesisError, GenesisValidator, PROTOCOL_VERSION, schema_digest};
use kanhe_proto::governance::{CardError, FOUNDING, MembershipCard};
use kanhe_proto::hash::Suite;
use kanhe_proto::identifiers::{ChainName, TypeCode, TypeVersion, Uscc};
use kanhe_proto::ids::{Height, Power, SpanMs, TimeMs};
use kanhe_proto::key::PublicKey;
use kanhe_proto::limits::{CARD_BYTES_MAX, SCHEMA_BYTES_MAX};
use kanhe_proto::registry::{
    Accreditation, AskRight, Authority, Bureau, HolderKind, Intervals, KeyEntry, KeyRole, LicenceType, Names,
    Parameters, Purpose, PurposeClass, PurposeCode, RelyingParty,
};
use serde::Deserialize;

use crate::bounded_file;

/// An agreement with all keys explained.
pub const AGREEMENT_EXAMPLE: &str = include_str!("agreement.toml");
/// Longest agreement, in bytes.
const AGREEMENT_BYTES_MAX: usize = 1 << 20;

/// The founders' agreement.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agreement {
    /// First part of the chain's name in DIDs.
    pub name: ChainName,
    /// Time of header 0, as RFC 3339 has it.
    pub time: String,
    /// What differs from the usual parameters.
    #[serde(default)]
    pub parameters: toml::Table,
    /// Licence types.
    #[serde(default)]
    pub types: Vec<AgreedType>,
    /// Purposes that a request may name.
    #[serde(default)]
    pub purposes: Vec<AgreedPurpose>,
    /// Who may ask.
    #[serde(default)]
    pub relying_parties: Vec<AgreedParty>,
}

/// A licence type.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreedType {
    /// Catalogue code.
    pub code: TypeCode,
    /// Version of the type.
    pub version: TypeVersion,
    /// Its name.
    pub names: Names,
    /// Whom it is about.
    pub holder: HolderKind,
    /// File with the JSON Schema of its claims, beside the agreement.
    pub schema: PathBuf,
    /// Max-age of evidence where a request does not say, in milliseconds.
    pub max_age: SpanMs,
    /// Founders that may issue it.
    pub issuers: Vec<Uscc>,
}

/// A purpose.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreedPurpose {
    /// Its code.
    pub code: PurposeCode,
    /// Its name.
    pub names: Names,
    /// Its class.
    pub class: PurposeClass,
}

/// A relying party.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreedParty {
    /// Its unified social credit code.
    pub uscc: Uscc,
    /// Its name.
    pub names: Names,
    /// Verifies its requests.
    pub request_key: PublicKey,
    /// Claims that it may ask for, by type.
    pub may_ask: BTreeMap<TypeCode, Vec<String>>,
    /// Why it may ask.
    pub purposes: Vec<PurposeCode>,
}

/// Why nothing is founded.
#[derive(Debug, thiserror::Error)]
pub enum AgreementError {
    /// A file cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is longer than anything of its kind.
    #[error("{} is longer than {max} bytes", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
        /// Most bytes.
        max: usize,
    },
    /// Not the TOML that is expected.
    #[error("{}: {problem}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A card is worth nothing.
    #[error("{}", path.display())]
    Card {
        /// Which.
        path: PathBuf,
        /// Why.
        source: CardError,
    },
    /// Two cards of one bureau.
    #[error("two cards are of the bureau {0}")]
    Twice(Uscc),
    /// A schema is none.
    #[error("{} is not a JSON Schema: {problem}", path.display())]
    Schema {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// More of something than a genesis takes.
    #[error("too many {0}, or one of them is too long")]
    TooMany(&'static str),
    /// The parts found no chain.
    #[error("the agreement and the cards found no chain")]
    Genesis(#[from] GenesisError),
}

/// Reads agreement and cards, checks all, and makes genesis.
pub fn found(agreement: &Path, cards: &[PathBuf]) -> Result<Genesis, AgreementError> {
    let text = text(agreement, AGREEMENT_BYTES_MAX)?;
    let syntax = |problem: String| AgreementError::Syntax { path: agreement.to_owned(), problem };
    let agreed: Agreement = toml::from_str(&text).map_err(|error| syntax(error.to_string()))?;
    let time: jiff::Timestamp = agreed.time.parse().map_err(|error| syntax(format!("time: {error}")))?;
    let time = u64::try_from(time.as_millisecond()).map_err(|_| syntax("time: before 1970".into()))?;
    let parameters = parameters(&agreed.parameters).map_err(syntax)?;
    let cards = cards.iter().map(|path| card(path)).collect::<Result<Vec<_>, _>>()?;
    let cards = in_order(cards)?;
    let folder = agreement.parent().unwrap_or(Path::new("."));
    let (types, schemas, accreditations) = types(&agreed.types, folder)?;
    let genesis = Genesis {
        version: GENESIS_VERSION,
        name: agreed.name.clone(),
        suite: Suite::Sha256,
        protocol: PROTOCOL_VERSION,
        time: TimeMs(time),
        parameters,
        bureaus: list("bureaus", cards.iter().map(bureau))?,
        keys: list("keys", cards.iter().flat_map(keys))?,
        validators: list("validators", cards.iter().flat_map(validators))?,
        types: list("types", types)?,
        schemas: list("schemas", schemas)?,
        accreditations: list("accreditations", accreditations)?,
        supervisions: List::empty(),
        relying_parties: list(
            "relying parties",
            agreed.relying_parties.iter().map(party).collect::<Result<Vec<_>, _>>()?,
        )?,
        purposes: list("purposes", agreed.purposes.iter().map(purpose))?,
    };
    genesis.check()?;
    Ok(genesis)
}

fn text(path: &Path, max: usize) -> Result<String, AgreementError> {
    let bytes = bytes(path, max)?;
    String::from_utf8(bytes)
        .map_err(|_| AgreementError::Syntax { path: path.to_owned(), problem: "not UTF-8".to_owned() })
}

fn bytes(path: &Path, max: usize) -> Result<Vec<u8>, AgreementError> {
    bounded_file::read(path, max).map_err(|source| match source.kind() {
        io::ErrorKind::FileTooLarge => AgreementError::TooLong { path: path.to_owned(), max },
        _ => AgreementError::Unreadable { path: path.to_owned(), source },
    })
}

fn card(path: &Path) -> Result<MembershipCard, AgreementError> {
    let bytes = bytes(path, CARD_BYTES_MAX)?;
    MembershipCard::from_bytes(&bytes, &FOUNDING)
        .map_err(|source| AgreementError::Card { path: path.to_owned(), source })
}

/// By bureau: the order in which somebody names the files must not matter.
fn in_order(mut cards: Vec<MembershipCard>) -> Result<Vec<MembershipCard>, AgreementError> {
    cards.sort_by_key(|card| card.body.bureau);
    match cards.windows(2).find(|pair| pair[0].body.bureau == pair[1].body.bureau) {
        Some(pair) => Err(AgreementError::Twice(pair[0].body.bureau)),
        None => Ok(cards),
    }
}

/// The usual parameters with those that differ.
fn parameters(other: &toml::Table) -> Result<Parameters, String> {
    let mut all = toml::Table::try_from(Parameters::default()).expect("parameters are a table");
    for (name, value) in other {
        match all.get_mut(name) {
            Some(known) => *known = value.clone(),
            None => return Err(format!("parameters: there is no {name}")),
        }
    }
    all.try_into().map_err(|error: toml::de::Error| format!("parameters: {error}"))
}

type Types = (Vec<LicenceType>, Vec<Text<SCHEMA_BYTES_MAX>>, Vec<Accreditation>);

fn types(agreed: &[AgreedType], folder: &Path) -> Result<Types, AgreementError> {
    let (mut types, mut schemas, mut accreditations) = (Vec::new(), Vec::new(), Vec::new());
    for kind in agreed {
        let path = folder.join(&kind.schema);
        let text = text(&path, SCHEMA_BYTES_MAX)?;
        let wrong = |problem: String| AgreementError::Schema { path: path.clone(), problem };
        let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        jsonschema::validator_for(&value).map_err(|error| wrong(error.to_string()))?;
        types.push(LicenceType {
            code: kind.code.clone(),
            version: kind.version,
            names: kind.names.clone(),
            holder: kind.holder,
            schema: schema_digest(&text),
            max_age: kind.max_age,
            intervals: always(),
        });
        schemas.push(Text::new(text).map_err(|_| AgreementError::TooMany("bytes in a schema"))?);
        let issuer =
            |issuer: &Uscc| Accreditation { issuer: *issuer, type_code: kind.code.clone(), intervals: always() };
        accreditations.extend(kind.issuers.iter().map(issuer));
    }
    Ok((types, schemas, accreditations))
}

fn bureau(card: &MembershipCard) -> Bureau {
    let body = &card.body;
    Bureau {
        uscc: body.bureau,
        names: body.names.clone(),
        region: body.region.clone(),
        addresses: body.addresses.clone(),
        intervals: always(),
    }
}

fn keys(card: &MembershipCard) -> impl Iterator<Item = KeyEntry> {
    card.body.keys.iter().map(|key| KeyEntry {
        bureau: card.body.bureau,
        role: key.role,
        key: key.key.clone(),
        intervals: always(),
        distrusted_from: None,
    })
}

/// One vote each: power is for later votes to give.
fn validators(card: &MembershipCard) -> impl Iterator<Item = GenesisValidator> {
    let keys = card.body.keys.iter().filter(|key| key.role == KeyRole::Validator);
    keys.map(|key| GenesisValidator { bureau: card.body.bureau, key: key.key.id(), power: Power(1) })
}

fn purpose(agreed: &AgreedPurpose) -> Purpose {
    let AgreedPurpose { code, names, class } = agreed.clone();
    Purpose { code, names, class, intervals: always() }
}

fn party(agreed: &AgreedParty) -> Result<RelyingParty, AgreementError> {
    let rights = agreed.may_ask.iter().map(|(code, claims)| {
        let mut claims = claims.clone();
        claims.sort_unstable();
        let claims = claims
            .iter()
            .map(|claim| Text::new(claim.as_str()).map_err(|_| AgreementError::TooMany("letters in a claim")));
        let claims = list("claims", claims.collect::<Result<Vec<_>, _>>()?)?;
        Ok(AskRight { type_code: code.clone(), claims })
    });
    Ok(RelyingParty {
        uscc: agreed.uscc,
        names: agreed.names.clone(),
        request_key: agreed.request_key.clone(),
        may_ask: list("rights", rights.collect::<Result<Vec<_>, AgreementError>>()?)?,
        purposes: list("purposes", agreed.purposes.iter().cloned())?,
        intervals: always(),
    })
}

fn always() -> Intervals {
    Intervals::from(Height(0), Authority::Genesis)
}

fn list<T, const MAX: usize>(
    what: &'static str,
    entries: impl IntoIterator<Item = T>,
) -> Result<List<T, MAX>, AgreementError> {
    List::new(entries.into_iter().collect()).map_err(|_| AgreementError::TooMany(what))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use kanhe_proto::key_file::{KdfCost, Passphrase};

    use super::*;
    use crate::founding::bureau::{BureauOptions, init};

    fn cards(dir: &Path) -> Vec<PathBuf> {
        let codes = ["11370100MB28900011", "11370100MB28900024", "11370100MB28900037"];
        let card = |(number, code): (usize, &&str)| {
            let name = |text: &str| Text::new(format!("{text} {number}")).unwrap();
            let options = BureauOptions {
                home: dir.join(code),
                uscc: code.parse().unwrap(),
                names: Names { zh: name("示例局"), en: name("Bureau") },
                region: "370100".into(),
                announce: "10.0.0.1".parse().unwrap(),
                ports: [None; 3],
                chain: None,
                cost: KdfCost::LIGHT_FOR_DEMOS,
            };
            init(&options, &Passphrase::new(b"a passphrase".to_vec()), TimeMs(5)).unwrap().card
        };
        codes.iter().enumerate().map(card).collect()
    }

    fn agreement(dir: &Path, text: &str) -> PathBuf {
        let path = dir.join("agreement.toml");
        fs::write(&path, text).unwrap();
        fs::write(dir.join("business-licence.json"), r#"{"type": "object", "properties": {"name": {}}}"#).unwrap();
        path
    }

    #[test]
    fn the_same_files_found_the_same_chain_in_any_order() {
        let dir = tempfile::tempdir().unwrap();
        let mut cards = cards(dir.path());
        let agreement = agreement(dir.path(), AGREEMENT_EXAMPLE);
        let first = found(&agreement, &cards).unwrap();
        cards.rotate_left(1);
        let second = found(&agreement, &cards).unwrap();
        assert_eq!(first.to_bytes(), second.to_bytes());
        assert_eq!((first.bureaus.len(), first.validators.len(), first.types.len()), (3, 3, 1));
        assert_eq!(Genesis::from_bytes(&first.to_bytes()).unwrap().chain_id(), first.chain_id());
    }

    #[test]
    fn mistakes_are_named() {
        let dir = tempfile::tempdir().unwrap();
        let cards = cards(dir.path());
        let with = |from: &str, to: &str| {
            assert!(AGREEMENT_EXAMPLE.contains(from), "{from}");
            found(&agreement(dir.path(), &AGREEMENT_EXAMPLE.replace(from, to)), &cards).unwrap_err()
        };
        let said = |error: AgreementError| error.to_string();
        assert!(said(with("heartbeat = 30000", "hartbeat = 30000")).contains("there is no hartbeat"));
        assert!(said(with("2026-", "yesterday-")).contains("time"));
        assert!(matches!(with("business-licence.json", "none.json"), AgreementError::Unreadable { .. }));
        assert!(matches!(with("epoch_blocks = 1000", "epoch_blocks = 0"), AgreementError::Genesis(_)));
        assert!(said(with("name = \"jinan\"", "nom = \"jinan\"")).contains("nom"));
        let path = agreement(dir.path(), AGREEMENT_EXAMPLE);
        let twice = [cards.clone(), vec![cards[0].clone()]].concat();
        assert!(matches!(found(&path, &twice), Err(AgreementError::Twice(_))));
        let mut bytes = fs::read(&cards[0]).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        fs::write(&cards[0], bytes).unwrap();
        assert!(matches!(found(&path, &cards), Err(AgreementError::Card { .. })));
    }
}
