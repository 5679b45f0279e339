//! The licence types of a local network, from the files that deployments start from.

use kanhe_proto::bounded::{List, Text};
use kanhe_proto::genesis::schema_digest;
use kanhe_proto::identifiers::{TypeCode, TypeVersion};
use kanhe_proto::ids::{Height, SpanMs};
use kanhe_proto::registry::{AskRight, Authority, HolderKind, Intervals, LicenceType, Names};
use serde::Deserialize;

/// Max-age of evidence where a request does not say: a day.
const MAX_AGE: SpanMs = SpanMs(24 * 3_600_000);

/// Each type with the folder of the bureau that issues it.
const FILES: [(&str, &str); 3] = [
    ("market-regulation", include_str!("../../../deploy/types/business-licence.json")),
    ("public-security", include_str!("../../../deploy/types/identity-card.json")),
    ("natural-resources", include_str!("../../../deploy/types/real-estate-certificate.json")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TypeFile {
    code: TypeCode,
    version: TypeVersion,
    names: Names,
    #[serde(rename = "demo")]
    _demo: bool,
    #[serde(rename = "note")]
    _note: String,
    schema: serde_json::Value,
}

/// A type, its schema and who issues it.
#[derive(Debug, Clone)]
pub struct NetworkType {
    /// Folder of the bureau that issues it.
    pub issuer: &'static str,
    /// The registry record.
    pub record: LicenceType,
    /// The schema that it names.
    pub schema: String,
    /// Names of its claims, ascending.
    pub claims: Vec<String>,
}

impl NetworkType {
    /// The right to ask for all its claims.
    pub fn ask_right(&self) -> AskRight {
        let claims = self.claims.iter().map(|claim| Text::new(claim.as_str()).expect("field codes are short"));
        AskRight {
            type_code: self.record.code.clone(),
            claims: List::new(claims.collect()).expect("a type has few claims"),
        }
    }
}

/// The types of the deployment's files.
pub fn network_types() -> Vec<NetworkType> {
    FILES.into_iter().map(|(issuer, text)| network_type(issuer, text)).collect()
}

fn network_type(issuer: &'static str, text: &str) -> NetworkType {
    let file: TypeFile = serde_json::from_str(text).expect("a test reads every type file");
    let holder = match file.schema["x-kanhe-holder"].as_str() {
        Some("enterprise") => HolderKind::Enterprise,
        _ => HolderKind::Person,
    };
    let properties = file.schema["properties"].as_object().expect("a schema of claims has properties");
    let mut claims: Vec<String> = properties.keys().cloned().collect();
    claims.sort_unstable();
    let schema = serde_json::to_string(&file.schema).expect("JSON that was read can be written");
    let record = LicenceType {
        code: file.code,
        version: file.version,
        names: file.names,
        holder,
        schema: schema_digest(&schema),
        max_age: MAX_AGE,
        intervals: Intervals::from(Height(0), Authority::Genesis),
    };
    NetworkType { issuer, record, schema, claims }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_file_reads_and_its_schema_compiles() {
        let types = network_types();
        assert_eq!(types.len(), FILES.len());
        for kind in types {
            let schema: serde_json::Value = serde_json::from_str(&kind.schema).unwrap();
            assert!(jsonschema::validator_for(&schema).is_ok(), "{}", kind.record.code);
            assert!(schema["x-kanhe-holder"].is_string() && kind.claims.len() > 5);
        }
    }
}
