//! A licence type as an issuer works with it.

use std::collections::BTreeSet;

use kanhe_proto::genesis::{Genesis, schema_digest};
use kanhe_proto::identifiers::{Day, LicenceNumber, Uscc, Vct};
use kanhe_proto::ids::TimeMs;
use kanhe_proto::registry::{Bureau, HolderKind, LicenceType};
use serde_json::{Map, Value};

use crate::follow::Follower;
use crate::node::NodeClient;
use crate::sheet::{Columns, Kind};
use crate::talk::{ExitCode, Failure};

/// What the holder's number is, in licences and in `kanhe_hb`.
pub const PERSON_ID_TYPE: &str = "RESIDENT";
/// What the number of a natural person is called in licences.
pub(super) const PERSON_NUMBER: &str = "公民身份号码";

/// A licence type, its columns, and what the issuer fills in.
#[derive(Debug)]
pub struct Definition {
    /// The registry's entry.
    pub entry: LicenceType,
    /// The columns of a sheet.
    pub columns: Columns,
    /// Claims that no column holds.
    filled: BTreeSet<String>,
}

impl Definition {
    /// From the registry's entry and the schema of its digest: that of genesis, or as a node has it.
    pub fn of(entry: LicenceType, genesis: &Genesis, nodes: &[NodeClient]) -> Result<Self, Failure> {
        let known = genesis.schemas.iter().find(|text| schema_digest(text.as_str()) == entry.schema);
        let text = match known {
            Some(text) => text.as_str().to_owned(),
            None => {
                let node = nodes.first().ok_or_else(|| crate::node::NodeError::Unnamed.failure())?;
                node.schema(&entry.schema)?
            }
        };
        let wrong = |cause: &dyn std::fmt::Display| {
            Failure::of(ExitCode::Failure, "schema_wrong", &[("type", &entry.code), ("cause", cause)])
        };
        let schema: Value = serde_json::from_str(&text).map_err(|error| wrong(&error))?;
        let columns = Columns::of_schema(&schema).map_err(|error| wrong(&error))?;
        let properties = schema["properties"].as_object().into_iter().flatten();
        let filled = properties.filter(|(_, property)| property.get("x-kanhe-column").is_none());
        let filled = filled.map(|(code, _)| code.clone()).collect();
        Ok(Self { entry, columns, filled })
    }

    /// A version of a type: as genesis has it, else as a node proves it.
    pub fn fetch(vct: &Vct, genesis: &Genesis, follower: &mut Follower) -> Result<Self, Failure> {
        let known = genesis.types.iter().find(|entry| (&entry.code, entry.version) == (&vct.code, vct.version));
        let entry = match known {
            Some(entry) => entry.clone(),
            None => {
                let id = (vct.code.clone(), vct.version);
                let fetch = |node: &NodeClient| node.licence_type(&vct.code, vct.version);
                let found = follower.registry::<LicenceType>(&id, fetch)?;
                found.value.ok_or_else(|| Failure::of(ExitCode::Usage, "type_unknown", &[("type", &vct.code)]))?
            }
        };
        Self::of(entry, genesis, follower.nodes())
    }

    /// Type and version.
    pub fn vct(&self) -> Vct {
        Vct { code: self.entry.code.clone(), version: self.entry.version }
    }

    /// Whether licences of the type are about natural persons.
    pub fn is_of_persons(&self) -> bool {
        self.entry.holder == HolderKind::Person
    }

    /// The claims of a row together with those that the issuer makes.
    pub fn fill(
        &self,
        mut claims: Map<String, Value>,
        number: &LicenceNumber,
        issuer: &str,
        day: Day,
    ) -> Result<Map<String, Value>, Failure> {
        let holder = if self.is_of_persons() { PERSON_NUMBER } else { "统一社会信用代码" };
        let made = [
            ("ZZMC", self.entry.names.zh.as_str().to_owned()),
            ("ZZBS", number.to_string()),
            ("ZZBFJG", issuer.to_owned()),
            ("ZZBFJGDM", number.issuer().to_string()),
            ("ZZBFRQ", day.to_string()),
            ("CZZTDMLX", holder.to_owned()),
        ];
        for (code, value) in made {
            if self.filled.contains(code) {
                claims.insert(code.to_owned(), value.into());
            }
        }
        let claims = Value::Object(claims);
        let wrong = self.columns.check_claims(&claims);
        match claims {
            Value::Object(claims) if wrong.is_empty() => Ok(claims),
            _ => {
                let cause = wrong.join("; ");
                Err(Failure::of(ExitCode::Failure, "claims_wrong", &[("cause", &cause)]))
            }
        }
    }

    /// From when on a licence is good, and the moment after its last day; none: 长期.
    pub fn validity(claims: &Map<String, Value>) -> (Option<TimeMs>, Option<TimeMs>) {
        let day = |code: &str| claims.get(code).and_then(Value::as_str).and_then(|text| text.parse::<Day>().ok());
        (day("ZZYXQQSRQ").map(Day::start), day("ZZYXQJZRQ").map(Day::end))
    }

    /// Type and number of the person's identity document in a row.
    pub fn person<'a>(&self, claims: &'a Map<String, Value>) -> Option<(&'static str, &'a str)> {
        let column = self.columns.list().iter().find(|column| column.kind == Kind::PersonId)?;
        Some((PERSON_ID_TYPE, claims.get(&column.code)?.as_str()?))
    }
}

/// The bureau's Chinese name, as licences show it.
pub fn issuer_name(genesis: &Genesis, follower: &mut Follower, issuer: Uscc) -> Result<String, Failure> {
    if let Some(bureau) = genesis.bureaus.iter().find(|bureau| bureau.uscc == issuer) {
        return Ok(bureau.names.zh.as_str().to_owned());
    }
    let found = follower.registry::<Bureau>(&issuer, |node: &NodeClient| node.bureau(&issuer))?;
    let bureau = found.value.ok_or_else(|| Failure::of(ExitCode::Refused, "bureau_unknown", &[("issuer", &issuer)]))?;
    Ok(bureau.names.zh.as_str().to_owned())
}
