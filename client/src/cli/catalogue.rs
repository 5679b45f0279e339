//! `kanhe catalogue`: which classes of data bureaus hold, with counts and without data.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kanhe_proto::bounded::Blob;
use kanhe_proto::codec;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::limits::MAP_VALUE_BYTES_MAX;
use kanhe_proto::proof::ProvedLeaf;
use kanhe_proto::registry::{DataCatalogue, DataClass, Membership, Names, RegistryRecord as _};
use schemars::JsonSchema;
use serde::Serialize;

use super::gov::propose::{Making, alone, make};
use super::show::clean;
use super::{Context, case_open, name};
use crate::clock;
use crate::follow::Follower;
use crate::governance::Wanted;
use crate::node::{NodeClient, NodeError};
use crate::talk::{ExitCode, Failure, Table, age, say, shape};

const LEAF_BYTES_MAX: usize = MAP_VALUE_BYTES_MAX + (16 << 10);

/// Classes of data.
#[derive(Debug, Subcommand)]
pub enum CatalogueCommand {
    /// Says which classes of data this bureau holds; its governance key decides alone
    Declare(Declare),
    /// Says that this bureau holds classes of data no more
    Retire(Retire),
    /// Lists what bureaus have declared, proved complete
    List {
        /// Only this bureau
        #[arg(long, value_name = "USCC")]
        bureau: Option<Uscc>,
    },
}

/// Options of `catalogue declare`.
#[derive(Debug, Args)]
pub struct Declare {
    /// TOML with `[[class]]`: code, zh, en, count; type and as_of (a day) if there are
    file: PathBuf,
    #[command(flatten)]
    making: Making,
}

/// Options of `catalogue retire`.
#[derive(Debug, Args)]
pub struct Retire {
    /// Codes
    #[arg(value_name = "CLASS", required = true)]
    classes: Vec<String>,
    #[command(flatten)]
    making: Making,
}

/// A class of data.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Line {
    /// Who holds it.
    bureau: String,
    /// Its name.
    #[schemars(with = "Option<shape::Names>")]
    bureau_names: Option<Names>,
    /// The class.
    code: String,
    /// Its name.
    #[schemars(with = "shape::Names")]
    names: Names,
    /// The licence type as which it is read.
    #[serde(rename = "type")]
    type_code: Option<String>,
    /// How many entries there are.
    count: u64,
    /// As of when, in milliseconds since 1970.
    as_of_ms: u64,
    /// Whether the bureau still holds it.
    in_force: bool,
}

/// Runs a command of the group.
pub fn run(command: CatalogueCommand, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        CatalogueCommand::Declare(options) => {
            let wanted = Wanted::DeclareData { file: options.file };
            make(&options.making, alone(wanted), PathBuf::new(), context)
        }
        CatalogueCommand::Retire(options) => {
            let wanted = Wanted::RetireData { classes: options.classes };
            make(&options.making, alone(wanted), PathBuf::new(), context)
        }
        CatalogueCommand::List { bureau } => list(bureau, context),
    }
}

fn list(bureau: Option<Uscc>, context: &Context) -> Result<ExitCode, Failure> {
    let mut follower = context.follower()?;
    let bureaus = match bureau {
        Some(bureau) => vec![bureau],
        None => members(&mut follower)?,
    };
    let mut lines = Vec::new();
    for bureau in bureaus {
        let classes = classes(&mut follower, &bureau)?;
        if classes.is_empty() {
            continue;
        }
        let names = case_open::bureau_names(&mut follower, bureau);
        lines.extend(classes.into_iter().map(|(class, in_force)| line(class, in_force, names.clone())));
    }
    let now = clock::now().0;
    context.output.data(&lines, || {
        if lines.is_empty() {
            return say("catalogue.none", &[]);
        }
        let mut table = Table::new(&[
            say("catalogue.column_bureau", &[]),
            say("catalogue.column_class", &[]),
            say("catalogue.column_type", &[]),
            say("catalogue.column_count", &[]),
            say("catalogue.column_as_of", &[]),
        ]);
        for line in lines.iter().filter(|line| line.in_force) {
            let bureau = line.bureau_names.as_ref().map_or_else(|| line.bureau.clone(), |names| clean(name(names)));
            let class = format!("{} [{}]", clean(name(&line.names)), clean(&line.code));
            let type_code = line.type_code.clone().unwrap_or_default();
            table.row(&[bureau, class, type_code, line.count.to_string(), age(line.as_of_ms, now)]);
        }
        let (classes, entries) = lines
            .iter()
            .filter(|line| line.in_force)
            .fold((0, 0u64), |(classes, entries), line| (classes + 1, entries.saturating_add(line.count)));
        format!("{table}\n{}", say("catalogue.total", &[("classes", &classes), ("entries", &entries)]))
    })?;
    Ok(ExitCode::Ok)
}

fn line(class: DataClass, in_force: bool, bureau_names: Option<Names>) -> Line {
    let DataClass { bureau, declared, .. } = class;
    Line {
        bureau: bureau.to_string(),
        bureau_names,
        code: declared.code.to_string(),
        names: declared.names,
        type_code: declared.type_code.map(|code| code.to_string()),
        count: declared.count,
        as_of_ms: declared.as_of.0,
        in_force,
    }
}

fn members(follower: &mut Follower) -> Result<Vec<Uscc>, Failure> {
    let found = follower.registry::<Membership>(&(), NodeClient::membership)?.value;
    Ok(found.map(|found| found.bureaus.to_vec()).unwrap_or_default())
}

/// The classes of a bureau, none left out, and whether it still holds each.
fn classes(follower: &mut Follower, bureau: &Uscc) -> Result<Vec<(DataClass, bool)>, Failure> {
    let found = follower.ask(|follower, node| {
        let answer = node.data_classes(bureau)?;
        let header = follower.believed(node, &answer.certified)?;
        let root = header.header.registry_root;
        let leaf = |bytes: &[u8]| -> Result<ProvedLeaf, NodeError> {
            codec::decode(bytes, LEAF_BYTES_MAX).map_err(|error| node.malformed(error))
        };
        let key = DataCatalogue::key_of(bureau);
        let catalogue: Option<DataCatalogue> =
            leaf(&answer.catalogue)?.read(&root, &key).map_err(|error| node.malformed(error))?;
        let entries = catalogue.map(|catalogue| catalogue.classes.into_vec()).unwrap_or_default();
        if entries.len() != answer.classes.len() {
            return Err(node.malformed("not as many classes as the catalogue has").into());
        }
        let mut found = Vec::new();
        for (entry, bytes) in entries.iter().zip(&answer.classes) {
            let bytes: &Blob<_> = bytes;
            let key = DataClass::key_of(&(*bureau, entry.code.clone()));
            let class: Option<DataClass> = leaf(bytes)?.read(&root, &key).map_err(|error| node.malformed(error))?;
            found.push((class.ok_or_else(|| node.malformed("a class that is not there"))?, entry.in_force));
        }
        Ok(found)
    });
    Ok(found?)
}
