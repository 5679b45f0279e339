//! `kanhe licence issue --abandon` and `licence renew --abandon`: the end of a run that cannot be finished.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, issue, licence};
use crate::clock;
use crate::issuer::{self, Run, Unfinished};
use crate::talk::{ExitCode, Failure, moment, say};

/// What a run was to do.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Kind {
    /// `licence issue`.
    Issue,
    /// `licence renew`.
    Renew,
}

/// A run that was ended.
#[derive(Debug, Serialize, JsonSchema)]
struct Ended {
    /// Its name.
    run: String,
    /// What it was to do.
    kind: Kind,
    /// Type and version.
    vct: String,
    /// SHA-256 of the file, or of what was to be renewed.
    file: String,
    /// When it began, in milliseconds since 1970.
    started_ms: u64,
    /// Rows, or licences to be renewed; what awaits pickup is counted.
    rows: usize,
    /// Licences on the chain, which stay.
    on_chain: usize,
    /// Licences that were not, and can be issued anew.
    taken_back: usize,
    /// Pickup codes that nobody had come with, void now.
    codes_void: usize,
    /// Lines of the file that are not on the chain.
    lines: Vec<u32>,
    /// Licences whose renewal is not.
    numbers: Vec<String>,
    /// File of what the holders of the licences on the chain get.
    deliveries: Option<String>,
}

/// What was abandoned.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Abandoned {
    /// The run that was ended, if there was one.
    run: Option<Ended>,
    /// Licences signed for pickup codes and taken back; their codes are good as before.
    pickups: usize,
}

/// Shows what is not finished, asks, keeps what is on the chain and takes the rest back.
pub fn run(out: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let passphrase = context.passphrase.existing()?;
    let register = licence::open(context, &passphrase)?;
    let unfinished = issuer::unfinished(&register, &mut context.follower()?)?;
    context.output.talk(shown(&unfinished));
    context.confirm(&say("abandon.confirm", &[]))?;
    let deliveries = deliveries(&unfinished, out);
    // Before the end: whoever is killed here comes back to the same question.
    if let Some(path) = &deliveries {
        issue::make_folder(out)?;
        issue::write_deliveries(&register, &unfinished.on_chain, path)?;
    }
    unfinished.abandon(&register)?;
    let pickups = unfinished.pickups;
    let run = unfinished.run.as_ref().map(|run| ended(run, &unfinished, deliveries.as_deref()));
    context.output.data(&Abandoned { run, pickups }, || done(&unfinished, deliveries.as_deref()))?;
    Ok(ExitCode::Ok)
}

const fn kind(run: &Run) -> Kind {
    if run.renews.is_empty() { Kind::Issue } else { Kind::Renew }
}

const fn rows(run: &Run) -> usize {
    match kind(run) {
        Kind::Issue => run.lines.len() + run.awaiting.len(),
        Kind::Renew => run.renews.len(),
    }
}

fn deliveries(unfinished: &Unfinished, out: &Path) -> Option<PathBuf> {
    let run = unfinished.run.as_ref().filter(|_| !unfinished.on_chain.is_empty())?;
    Some(out.join(format!("deliveries-{}.jsonl", run.id)))
}

fn ended(run: &Run, unfinished: &Unfinished, deliveries: Option<&Path>) -> Ended {
    Ended {
        run: run.id.clone(),
        kind: kind(run),
        vct: run.vct.to_string(),
        file: run.file.to_string(),
        started_ms: run.started_ms,
        rows: rows(run),
        on_chain: unfinished.on_chain.len(),
        taken_back: unfinished.left(),
        codes_void: unfinished.codes,
        lines: unfinished.lines.clone(),
        numbers: unfinished.renews.iter().map(ToString::to_string).collect(),
        deliveries: deliveries.map(|path| path.display().to_string()),
    }
}

fn shown(unfinished: &Unfinished) -> String {
    let mut lines = Vec::new();
    if let Some(run) = &unfinished.run {
        let began = moment(run.started_ms, clock::now().0);
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("run", &run.id), ("rows", &rows(run)), ("type", &run.vct), ("began", &began), ("file", &run.file)];
        lines.push(match kind(run) {
            Kind::Issue => say("abandon.issue", args),
            Kind::Renew => say("abandon.renew", args),
        });
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("on_chain", &unfinished.on_chain.len()), ("left", &unfinished.left()), ("codes", &unfinished.codes)];
        lines.push(say("abandon.stands", args));
    }
    if unfinished.pickups > 0 {
        lines.push(say("abandon.pickups", &[("count", &unfinished.pickups)]));
    }
    lines.join("\n")
}

fn done(unfinished: &Unfinished, deliveries: Option<&Path>) -> String {
    let mut lines = vec![say("abandon.done", &[])];
    if let Some(path) = deliveries {
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("count", &unfinished.on_chain.len()), ("path", &path.display())];
        lines.push(say("abandon.deliveries", args));
    }
    match unfinished.run.as_ref().map(kind) {
        Some(Kind::Issue) if unfinished.left() + unfinished.codes > 0 => lines.push(say("abandon.issue_again", &[])),
        Some(Kind::Renew) if unfinished.left() > 0 => lines.push(say("abandon.renew_again", &[])),
        _ => {}
    }
    if unfinished.pickups > 0 {
        lines.push(say("abandon.collect_again", &[]));
    }
    lines.join("\n")
}
