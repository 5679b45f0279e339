//! The columns of a licence type, derived from its JSON Schema.
//!
//! The schema of a type is an `object` schema whose properties are named by field codes. A property is a column if it
//! has `x-kanhe-column`; the others are filled in by the issuer (number, issuing bureau, date of issue).
//!
//! | keyword | meaning |
//! | --- | --- |
//! | `title` | Chinese heading |
//! | `x-kanhe-title-en` | English heading |
//! | `x-kanhe-column` | place of the column, ascending; JSON objects have no order |
//! | `x-kanhe-kind` | `text` (default), `uscc`, `person-id`, `date`, `end-date` (a date or `长期`), `amount` |
//! | `x-kanhe-unique` | `true`: no two licences of the issuer may share the value |
//! | `examples` | the first one stands in templates |
//! | `type` | always `string`: claims are texts, amounts too, since numbers have no fixed form in JSON |
//! | `required`, `minLength`, `maxLength`, `pattern`, `enum` | as in JSON Schema |
//!
//! `pattern` is run by an engine that takes linear time, since a schema comes from the chain.

use jsonschema::{PatternOptions, Validator};
use serde_json::{Map, Value, json};

use super::limits::{CELL_CHARS_MAX, COLUMNS_MAX};

/// Code of the column that names the holder's application; empty means that the licence awaits pickup.
pub const APPLICATION: &str = "KANHE_APPLICATION";

/// Claims that begin so belong to the protocol: no column is called so.
const RESERVED: &str = "kanhe_";

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Any text.
    Text,
    /// 统一社会信用代码, GB 32100.
    Uscc,
    /// 公民身份号码, GB 11643.
    PersonId,
    /// A day, `YYYY-MM-DD`.
    Date,
    /// A day, or `长期`.
    EndDate,
    /// A decimal number ≥ 0 with at most six decimals.
    Amount,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Field code, and name of the claim.
    pub code: String,
    /// Chinese heading.
    pub title_zh: String,
    /// English heading.
    pub title_en: String,
    /// Whether a row without it is bad.
    pub required: bool,
    /// What it holds.
    pub kind: Kind,
    /// Whether two licences may not share a value.
    pub unique: bool,
    /// Fewest characters.
    pub chars_min: usize,
    /// Example for templates.
    pub example: String,
    /// Whether it is a claim; otherwise it steers the issuing.
    pub claim: bool,
}

impl Column {
    /// Whether a heading names this column: by code, Chinese or English title.
    pub fn is_named(&self, heading: &str) -> bool {
        let heading = heading.trim_matches(|c: char| c.is_whitespace() || c == '*' || c == '\u{feff}');
        [&self.code, &self.title_zh, &self.title_en].iter().any(|name| name.eq_ignore_ascii_case(heading))
    }

    fn application() -> Self {
        Self {
            code: APPLICATION.to_string(),
            title_zh: "申请编号".to_string(),
            title_en: "Application".to_string(),
            required: false,
            kind: Kind::Text,
            unique: true,
            chars_min: 0,
            example: String::new(),
            claim: false,
        }
    }
}

/// The columns of a type, in order, the one for applications last.
#[derive(Debug)]
pub struct Columns {
    columns: Vec<Column>,
    rows: Validator,
    whole: Validator,
}

/// A schema that is none, or that breaks the convention.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// Not a JSON Schema.
    #[error("not a usable JSON Schema: {0}")]
    NotASchema(String),
    /// A keyword has a value that the convention does not know.
    #[error("property {property}: {keyword} is not as it must be")]
    Keyword {
        /// Field code.
        property: String,
        /// Keyword.
        keyword: &'static str,
    },
    /// Two columns in one place, or with one name.
    #[error("two columns share {0}")]
    Shared(String),
    /// None, or more than a sheet may have.
    #[error("a type has 1 to {COLUMNS_MAX} columns")]
    Count,
}

impl Columns {
    /// Derives the columns.
    pub fn of_schema(schema: &Value) -> Result<Self, SchemaError> {
        let not = |what: &str| SchemaError::NotASchema(what.to_string());
        let properties = schema["properties"].as_object().ok_or_else(|| not("no properties"))?;
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut placed = Vec::new();
        for (code, property) in properties {
            if let Some(place) = property.get("x-kanhe-column") {
                let place = place.as_u64().ok_or_else(|| keyword(code, "x-kanhe-column"))?;
                placed.push((place, column(code, property, required.contains(&code.as_str()))?));
            }
        }
        placed.sort_by_key(|(place, _)| *place);
        if let Some(pair) = placed.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(SchemaError::Shared(pair[0].0.to_string()));
        }
        let mut columns: Vec<Column> = placed.into_iter().map(|(_, column)| column).collect();
        columns.push(Column::application());
        if columns.len() < 2 || columns.len() > COLUMNS_MAX {
            return Err(SchemaError::Count);
        }
        for (i, column) in columns.iter().enumerate() {
            let names = [&column.code, &column.title_zh, &column.title_en];
            if let Some(name) = names.iter().find(|name| columns[..i].iter().any(|other| other.is_named(name))) {
                return Err(SchemaError::Shared((**name).clone()));
            }
        }
        let (rows, whole) = (validator(&row_schema(schema, properties, &columns))?, validator(schema)?);
        Ok(Self { columns, rows, whole })
    }

    /// The columns in order.
    pub fn list(&self) -> &[Column] {
        &self.columns
    }

    /// The column that a heading names.
    pub fn named(&self, heading: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.is_named(heading))
    }

    /// Checks all claims of a licence, those that the issuer filled in too: what is wrong, if anything.
    pub fn check_claims(&self, claims: &Value) -> Vec<String> {
        self.whole.iter_errors(claims).map(|error| format!("{}: {error}", error.instance_path())).collect()
    }

    /// Checks the claims that come from a row.
    pub(super) fn row_validator(&self) -> &Validator {
        &self.rows
    }
}

fn keyword(property: &str, keyword: &'static str) -> SchemaError {
    SchemaError::Keyword { property: property.to_string(), keyword }
}

fn column(code: &str, property: &Value, required: bool) -> Result<Column, SchemaError> {
    // Claims that the issuer makes.
    if code.starts_with(RESERVED) {
        return Err(keyword(code, "name"));
    }
    let text = |name: &'static str| match &property[name] {
        Value::String(text) if !text.is_empty() => Ok(text.clone()),
        _ => Err(keyword(code, name)),
    };
    if property["type"] != "string" {
        return Err(keyword(code, "type"));
    }
    let kind = match property.get("x-kanhe-kind").map(|kind| kind.as_str().unwrap_or_default()) {
        None | Some("text") => Kind::Text,
        Some("uscc") => Kind::Uscc,
        Some("person-id") => Kind::PersonId,
        Some("date") => Kind::Date,
        Some("end-date") => Kind::EndDate,
        Some("amount") => Kind::Amount,
        Some(_) => return Err(keyword(code, "x-kanhe-kind")),
    };
    let unique = match property.get("x-kanhe-unique") {
        None => false,
        Some(unique) => unique.as_bool().ok_or_else(|| keyword(code, "x-kanhe-unique"))?,
    };
    let example = property["examples"][0].as_str().or_else(|| property["enum"][0].as_str());
    Ok(Column {
        code: code.to_string(),
        title_zh: text("title")?,
        title_en: text("x-kanhe-title-en")?,
        required,
        kind,
        unique,
        chars_min: property["minLength"].as_u64().map_or(0, |chars| usize::try_from(chars).unwrap_or(CELL_CHARS_MAX)),
        example: example.unwrap_or_else(|| kind.example()).to_string(),
        claim: true,
    })
}

impl Kind {
    fn example(self) -> &'static str {
        match self {
            Self::Text => "示例",
            Self::Uscc => "91350100M000100Y43",
            Self::PersonId => "11010519491231002X",
            Self::Date => "2026-01-31",
            Self::EndDate => "长期",
            Self::Amount => "100.00",
        }
    }
}

/// The schema without what the issuer fills in.
fn row_schema(schema: &Value, properties: &Map<String, Value>, columns: &[Column]) -> Value {
    let from_row = |code: &str| columns.iter().any(|column| column.claim && column.code == code);
    let kept: Map<String, Value> =
        properties.iter().filter(|(code, _)| from_row(code)).map(|(code, p)| (code.clone(), p.clone())).collect();
    let mut row = schema.clone();
    row["properties"] = Value::Object(kept);
    // Missing values are found cell by cell, where the message can name the column.
    row["required"] = json!([]);
    row["additionalProperties"] = json!(false);
    row
}

fn validator(schema: &Value) -> Result<Validator, SchemaError> {
    let options = jsonschema::options().with_pattern_options(PatternOptions::regex());
    options.build(schema).map_err(|error| SchemaError::NotASchema(error.to_string()))
}
