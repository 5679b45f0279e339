//! The claim values of a spreadsheet, less what is public anyway.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail};
use kanhe_client::sheet::{APPLICATION, Columns, Sheet};
use kanhe_proto::genesis::Genesis;
use kanhe_proto::identifiers::Day;

/// The day word of a licence without an end.
const NO_END: &str = "长期";

/// Values by what they are worth here.
#[derive(Debug, Default)]
pub struct Values {
    /// Looked for: value → column.
    pub searched: BTreeMap<String, String>,
    /// Not looked for.
    pub excluded: Excluded,
}

/// Values that are not looked for, and why.
#[derive(Debug, Default)]
pub struct Excluded {
    /// Days, and the word for none.
    pub dates: BTreeSet<String>,
    /// Names and codes that the registry shows to everybody: value → column.
    pub names: BTreeMap<String, String>,
    /// Examples in a schema that the registry shows to everybody: value → column.
    pub examples: BTreeMap<String, String>,
}

/// What the founders' file makes public.
#[derive(Debug)]
pub struct Public {
    names: BTreeSet<String>,
    examples: BTreeSet<String>,
}

impl Public {
    /// Reads a genesis.
    pub fn of(genesis: &Genesis) -> Self {
        let mut names = BTreeSet::new();
        let mut add = |text: &dyn std::fmt::Display| names.extend([text.to_string()]);
        for bureau in genesis.bureaus.iter() {
            add(&bureau.uscc);
            add(&bureau.names.zh);
            add(&bureau.names.en);
        }
        for kind in genesis.types.iter() {
            add(&kind.code);
            add(&kind.names.zh);
            add(&kind.names.en);
        }
        let mut examples = BTreeSet::new();
        for schema in genesis.schemas.iter() {
            if let Ok(schema) = serde_json::from_str::<serde_json::Value>(schema) {
                texts(&schema, &mut examples);
            }
        }
        Self { names, examples }
    }
}

/// All texts of a JSON value.
fn texts(json: &serde_json::Value, found: &mut BTreeSet<String>) {
    match json {
        serde_json::Value::String(text) => found.extend([text.clone()]),
        serde_json::Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        serde_json::Value::Object(fields) => fields.values().for_each(|field| texts(field, found)),
        _ => {}
    }
}

impl Values {
    /// Reads a spreadsheet of one of the chain's types.
    pub fn read(path: &Path, genesis: &Genesis) -> anyhow::Result<Self> {
        let sheet = Sheet::read(path).with_context(|| path.display().to_string())?;
        let codes = columns_of(&sheet, genesis)?;
        let public = Public::of(genesis);
        let mut values = Self::default();
        for row in &sheet.rows {
            for (code, cell) in codes.iter().zip(&row.cells) {
                let text = cell.shown().trim().to_owned();
                if code != APPLICATION && !text.is_empty() {
                    values.add(code, text, &public);
                }
            }
        }
        if values.searched.is_empty() {
            bail!("{} has no value to look for", path.display());
        }
        Ok(values)
    }

    /// Adds a value of a column.
    pub fn add(&mut self, column: &str, text: String, public: &Public) {
        let excluded = &mut self.excluded;
        if text == NO_END || text.parse::<Day>().is_ok() {
            excluded.dates.insert(text);
        } else if public.names.contains(&text) {
            excluded.names.insert(text, column.to_owned());
        } else if public.examples.contains(&text) {
            excluded.examples.insert(text, column.to_owned());
        } else {
            self.searched.insert(text, column.to_owned());
        }
    }
}

/// Codes of a sheet's columns, by the type whose schema names all of them.
fn columns_of(sheet: &Sheet, genesis: &Genesis) -> anyhow::Result<Vec<String>> {
    for schema in genesis.schemas.iter() {
        let columns = Columns::of_schema(&serde_json::from_str(schema)?)?;
        let places = sheet.headings.iter().map(|heading| columns.named(heading));
        if let Some(places) = places.collect::<Option<Vec<_>>>() {
            return Ok(places.into_iter().map(|place| columns.list()[place].code.clone()).collect());
        }
    }
    bail!("no type of this chain has the columns {:?}", sheet.headings)
}
