//! `kanhe consent log`: who has read about the holder of this wallet.

use std::collections::BTreeMap;

use kanhe_proto::identifiers::Uscc;
use kanhe_proto::registry::Names;
use schemars::JsonSchema;
use serde::Serialize;

use super::consent::{ScopeShown, named, open, scope_shown, scope_text};
use super::show::clean;
use super::{Context, name};
use crate::clock;
use crate::consent::{Read, reads};
use crate::follow::Follower;
use crate::reads::refusal_words;
use crate::talk::{ExitCode, Failure, moment, say, shape};

/// Who has read.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Log {
    /// Oldest first.
    reads: Vec<Line>,
    /// Numbers that no record has, by source: something was read and not recorded, or is not yet.
    missing: Vec<Missing>,
    /// How many reads of each source were looked through.
    looked: Vec<Looked>,
}

/// A read.
#[derive(Debug, Serialize, JsonSchema)]
struct Line {
    /// Who read.
    reader: String,
    /// Its name.
    #[schemars(with = "shape::Names")]
    reader_names: Names,
    /// Whose data it was.
    source: String,
    /// Its name.
    #[schemars(with = "shape::Names")]
    source_names: Names,
    /// What for.
    purpose: String,
    /// `consent` or `statute`.
    basis: &'static str,
    /// Which consent, in hexadecimal.
    consent: Option<String>,
    /// Which rule.
    ground: Option<String>,
    /// For which case, in hexadecimal.
    case: Option<String>,
    /// What was read, by type; nothing if the source wrote no note that can be read.
    scope: Option<Vec<ScopeShown>>,
    /// Why nothing was given: a stable code. Somebody tried, and the source refused.
    refused: Option<String>,
    /// Claims besides, which the note has no room for.
    left_out: u16,
    /// When: the block's time, in milliseconds since 1970.
    time_ms: u64,
    /// Counts the reads about this person at this source, from 1.
    number: u64,
    /// Place of the record in the chain's log.
    record: u64,
}

/// Reads that are not recorded.
#[derive(Debug, Serialize, JsonSchema)]
struct Missing {
    /// The source.
    source: String,
    /// The numbers.
    numbers: Vec<u64>,
}

/// A source that was looked through.
#[derive(Debug, Serialize, JsonSchema)]
struct Looked {
    /// The source.
    source: String,
    /// How many reads it has recorded.
    reads: u64,
}

pub(super) fn run(context: &Context) -> Result<ExitCode, Failure> {
    let (wallet, mut follower) = open(context)?;
    let found = reads(&wallet, &mut follower)?;
    let mut names = BTreeMap::new();
    let mut lines = Vec::new();
    for read in &found.reads {
        lines.push(line(read, &mut names, &mut follower)?);
    }
    let missing =
        found.missing.iter().map(|(source, numbers)| Missing { source: source.to_string(), numbers: numbers.clone() });
    let looked = found.looked.iter().map(|(source, reads)| Looked { source: source.to_string(), reads: *reads });
    let log = Log { reads: lines, missing: missing.collect(), looked: looked.collect() };
    context.output.data(&log, || text(&log))?;
    Ok(ExitCode::Ok)
}

fn line(read: &Read, names: &mut BTreeMap<Uscc, Names>, follower: &mut Follower) -> Result<Line, Failure> {
    for bureau in [read.reader, read.source] {
        if let std::collections::btree_map::Entry::Vacant(place) = names.entry(bureau) {
            place.insert(named(follower, bureau)?);
        }
    }
    Ok(Line {
        reader: read.reader.to_string(),
        reader_names: names[&read.reader].clone(),
        source: read.source.to_string(),
        source_names: names[&read.source].clone(),
        purpose: read.purpose.to_string(),
        basis: if read.consent.is_some() { "consent" } else { "statute" },
        consent: read.consent.map(|id| id.to_string()),
        ground: read.ground.as_ref().map(|ground| ground.to_string()),
        case: read.case.map(|case| case.to_string()),
        scope: read.note.as_ref().map(|note| scope_shown(&note.scope)),
        refused: read.refused.clone(),
        left_out: read.note.as_ref().map_or(0, |note| note.left_out),
        time_ms: read.time.0,
        number: read.n,
        record: read.index.0,
    })
}

fn text(log: &Log) -> String {
    let now = clock::now().0;
    let mut lines = Vec::new();
    if log.reads.is_empty() {
        lines.push(say("consent.nobody_read", &[]));
    }
    for read in &log.reads {
        let scope = read.scope.as_deref().map_or_else(|| say("consent.no_note", &[]), scope_text);
        let more = if read.left_out > 0 { format!(" +{}", read.left_out) } else { String::new() };
        let basis = match (&read.consent, &read.ground) {
            (Some(id), _) => say("consent.by_consent", &[("id", &&id[..8])]),
            (None, ground) => {
                let ground = clean(ground.as_deref().unwrap_or_default());
                say("consent.by_statute", &[("ground", &ground)])
            }
        };
        let (reader, source) = (clean(name(&read.reader_names)), clean(name(&read.source_names)));
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("time", &moment(read.time_ms, now)),
            ("reader", &reader),
            ("source", &source),
            ("scope", &format!("{scope}{more}")),
            ("purpose", &clean(&read.purpose)),
            ("basis", &basis),
        ];
        lines.push(match &read.refused {
            None => say("consent.was_read", args),
            Some(code) => say("consent.was_refused", args) + &format!(" ({})", refusal_words(&clean(code))),
        });
    }
    for missing in &log.missing {
        let numbers: Vec<String> = missing.numbers.iter().map(ToString::to_string).collect();
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("source", &missing.source), ("numbers", &numbers.join(", ")), ("count", &missing.numbers.len())];
        lines.push(say("consent.missing", args));
    }
    let looked: u64 = log.looked.iter().map(|looked| looked.reads).sum();
    lines.push(say("consent.looked", &[("reads", &looked), ("sources", &log.looked.len())]));
    lines.join("\n")
}
