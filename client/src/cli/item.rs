//! `kanhe item`: what can be applied for.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kanhe_proto::item::{Item, ItemVersion};
use kanhe_proto::registry::{ItemCatalogue, Names, ServiceItem};
use schemars::JsonSchema;
use serde::Serialize;

use super::item_show::{self, Show};
use super::show::clean;
use super::{Context, name};
use crate::follow::Follower;
use crate::item::{ItemSource, Mistake, Tried, try_samples};
use crate::node::NodeClient;
use crate::rules::Runner;
use crate::talk::{ExitCode, Failure, Table, say, shape};

/// Service items: what can be applied for.
#[derive(Debug, Subcommand)]
pub enum ItemCommand {
    /// Checks an item's file: explains each mistake, tries the rules on the samples in it
    Check(Check),
    /// Lists the items of the chain
    List(List),
    /// Tells what an item will ask and why, which licences here satisfy it, and what is missing
    Show(Show),
}

/// Options of `item check`.
#[derive(Debug, Args)]
pub struct Check {
    /// The file
    file: PathBuf,
    /// Writes the canonical text, of which the registry keeps the digest, to a file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Options of `item list`.
#[derive(Debug, Args)]
pub struct List {
    /// Those too for which no case can be opened any more
    #[arg(long)]
    all: bool,
}

/// What was found in a file.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Checked {
    /// The file.
    file: String,
    /// Its code.
    code: Option<String>,
    /// Its version.
    version: Option<u32>,
    /// SHA-256 of its canonical text.
    digest: Option<String>,
    /// What is wrong.
    mistakes: Vec<Mistake>,
    /// The samples, if nothing is wrong.
    samples: Vec<Tried>,
    /// Whether all is as it should be.
    good: bool,
}

/// An item of the chain.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Line {
    /// Its code.
    code: String,
    /// Its newest version.
    version: u32,
    /// Its name.
    #[schemars(with = "shape::Names")]
    names: Names,
    /// Administrative division that it is for.
    region: String,
    /// Whether cases can be opened.
    in_force: bool,
}

/// Runs a command.
pub fn run(command: ItemCommand, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        ItemCommand::Check(options) => check(&options, context),
        ItemCommand::List(options) => list(&options, context),
        ItemCommand::Show(options) => item_show::run(&options, context),
    }
}

fn check(options: &Check, context: &Context) -> Result<ExitCode, Failure> {
    let file = options.file.display().to_string();
    let mut checked = Checked {
        file,
        code: None,
        version: None,
        digest: None,
        mistakes: Vec::new(),
        samples: Vec::new(),
        good: false,
    };
    match ItemSource::read(&options.file)? {
        Err(mistake) => checked.mistakes.push(*mistake),
        Ok(source) => {
            checked.code = Some(source.item.code.to_string());
            checked.version = Some(source.item.version.0);
            checked.mistakes = source.mistakes();
            if checked.mistakes.is_empty() {
                checked.digest = Some(source.item.digest().to_string());
                let runner =
                    Runner::own().map_err(|error| Failure::reported(ExitCode::Failure, error.code(), error))?;
                checked.samples = try_samples(&source.item, &runner);
                checked.good = checked.samples.iter().all(|tried| tried.as_expected);
                if let Some(out) = &options.out {
                    crate::home::write_private(out, source.item.to_json().as_bytes())?;
                }
            }
        }
    }
    context.output.data(&checked, || checked.text())?;
    if checked.good {
        return Ok(ExitCode::Ok);
    }
    let otherwise = checked.samples.iter().filter(|tried| !tried.as_expected).count();
    let count = checked.mistakes.len() + otherwise;
    let mut failure = Failure::of(ExitCode::Failure, "item_wrong", &[("count", &count)]);
    if count == 1 {
        failure.message = say("item.wrong_once", &[]);
    }
    Err(failure)
}

impl Checked {
    fn text(&self) -> String {
        let mut lines: Vec<String> =
            self.mistakes.iter().map(|mistake| clean_lines(&mistake.lines(&self.file))).collect();
        for tried in &self.samples {
            lines.push(sample(tried));
        }
        if let (Some(code), Some(version), Some(digest)) = (&self.code, &self.version, &self.digest) {
            lines.push(say("item.good", &[("code", code), ("version", version), ("digest", digest)]));
        }
        lines.join("\n")
    }
}

fn sample(tried: &Tried) -> String {
    let mark = if tried.as_expected { "✓" } else { "✗" };
    let (name, step) = (clean(&tried.name), clean(&tried.step));
    let outcome = tried.outcome.map_or_else(|| say("item.no_answer", &[]), item_show::outcome);
    let rule = tried.rule.as_ref().map_or_else(String::new, |rule| format!(" ({})", clean(rule)));
    let mut text = format!("{mark} {name} [{step}]: {outcome}{rule}");
    if !tried.as_expected {
        text.push_str(&say("item.sample_expected", &[("expected", &item_show::outcome(tried.expected))]));
    }
    if let Some(reason) = &tried.reason {
        text.push_str(&format!("\n    {}", clean(reason)));
    }
    text
}

fn clean_lines(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

fn list(options: &List, context: &Context) -> Result<ExitCode, Failure> {
    let mut follower = context.follower()?;
    let catalogue = catalogue(&mut follower)?;
    let mut lines = Vec::new();
    for entry in catalogue.items.iter().filter(|entry| options.all || entry.in_force) {
        let record = record(&mut follower, &entry.code, entry.newest)?;
        lines.push(Line {
            code: entry.code.to_string(),
            version: entry.newest.0,
            names: record.names,
            region: record.region.to_string(),
            in_force: entry.in_force,
        });
    }
    context.output.data(&lines, || {
        if lines.is_empty() {
            return say("item.none", &[]);
        }
        let columns = [say("item.column_code", &[]), say("item.column_name", &[]), say("item.column_region", &[])];
        let mut table = Table::new(&columns);
        for line in &lines {
            let ended = if line.in_force { String::new() } else { say("item.ended", &[]) };
            let code = format!("{}:{}{ended}", line.code, line.version);
            table.row(&[code, name(&line.names).to_owned(), line.region.clone()]);
        }
        table.to_string()
    })?;
    Ok(ExitCode::Ok)
}

/// The list of all items, proved.
pub fn catalogue(follower: &mut Follower) -> Result<ItemCatalogue, Failure> {
    Ok(follower.registry::<ItemCatalogue>(&(), NodeClient::items)?.value.unwrap_or_default())
}

/// The registry's record of a version, proved.
pub fn record(follower: &mut Follower, code: &str, version: ItemVersion) -> Result<ServiceItem, Failure> {
    let unknown = || Failure::of(ExitCode::Usage, "item_unknown", &[("item", &code)]);
    let id = (kanhe_proto::bounded::Text::new(code).map_err(|_| unknown())?, version);
    let fetch = |node: &NodeClient| node.item(code, version);
    follower.registry::<ServiceItem>(&id, fetch)?.value.ok_or_else(unknown)
}

/// The newest version of an item with its file, both proved.
pub fn newest(follower: &mut Follower, code: &str) -> Result<(ServiceItem, Item, bool), Failure> {
    let catalogue = catalogue(follower)?;
    let entry = catalogue.find(code).ok_or_else(|| Failure::of(ExitCode::Usage, "item_unknown", &[("item", &code)]))?;
    let record = record(follower, code, entry.newest)?;
    let text = follower.ask(|_, node| Ok(node.schema(&record.file)?))?;
    let item = Item::from_json(&text)
        .map_err(|error| Failure::of(ExitCode::Failure, "item_unreadable", &[("item", &code), ("cause", &error)]))?;
    Ok((record, item, entry.in_force))
}
