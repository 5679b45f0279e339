//! `kanhe audit log` and `kanhe audit verify`.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use clap::Args;
use kanhe_proto::identifiers::Uscc;

use super::Context;
use crate::audit::log::{Bound, Checked, Exported, Filter, Kind, LogSource, Wanted, check, export};
use crate::clock;
use crate::talk::{ExitCode, Failure, moment, say};

/// Options of `audit log`.
#[derive(Debug, Args)]
pub struct OfLog {
    /// The first block: its height, or a day (YYYY-MM-DD, UTC+8) [default: the first of the chain]
    #[arg(long, value_name = "HEIGHT|DATE")]
    from: Option<Bound>,
    /// The last block: its height, or a day, all of which is meant [default: the newest]
    #[arg(long, value_name = "HEIGHT|DATE")]
    to: Option<Bound>,
    /// Show batches of this issuer alone
    #[arg(long, value_name = "USCC")]
    issuer: Option<Uscc>,
    /// Show records of this kind alone; may be given more than once
    #[arg(long, value_name = "KIND")]
    kind: Vec<Kind>,
    /// File to write; one that was begun is checked and gone on with [default: stdout]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Options of `audit verify`.
#[derive(Debug, Args)]
pub struct OfFile {
    /// What `audit log` wrote
    file: PathBuf,
}

/// Exports the log.
pub(super) fn log(options: &OfLog, context: &Context) -> Result<ExitCode, Failure> {
    let filter = Filter::new(options.issuer, options.kind.clone())?;
    let wanted = Wanted { from: options.from, to: options.to, filter, out: options.out.clone() };
    let mut follower = context.follower()?;
    let mut source = LogSource::new(&mut follower, context.output.clone());
    let exported = export(&mut source, &wanted, &context.output)?;
    if wanted.out.is_some() {
        context.output.data(&exported, || exported_in_words(&exported))?;
    } else if !context.output.is_json() {
        // stdout is the export itself.
        context.output.talk(exported_in_words(&exported));
    }
    Ok(ExitCode::Ok)
}

fn exported_in_words(exported: &Exported) -> String {
    say(
        "audit.log.exported",
        &[
            ("from", &exported.from_height),
            ("to", &exported.to_height),
            ("time", &moment(exported.to_ms, clock::now().0)),
            ("size", &exported.size),
            ("records", &exported.records),
            ("kept", &exported.kept),
            ("height", &exported.as_of_height),
        ],
    )
}

/// Checks an export without any node.
pub(super) fn verify(options: &OfFile, context: &Context) -> Result<ExitCode, Failure> {
    let path = options.file.display();
    let unread =
        |cause: std::io::Error| Failure::of(ExitCode::Failure, "file_unread", &[("path", &path), ("cause", &cause)]);
    let mut reader = BufReader::new(File::open(&options.file).map_err(unread)?);
    let trust = context.home.trust()?;
    let checked = check(&mut reader, &trust, clock::now()).map_err(|wrong| wrong.failure())?;
    context.output.data(&checked, || checked_in_words(&checked))?;
    Ok(ExitCode::Ok)
}

fn checked_in_words(checked: &Checked) -> String {
    let args: &[(&str, &dyn std::fmt::Display)] = &[
        ("from", &checked.from_height),
        ("to", &checked.to_height),
        ("time", &moment(checked.to_ms, clock::now().0)),
        ("size", &checked.size),
        ("records", &checked.records),
        ("height", &checked.as_of_height),
    ];
    let kinds = checked.kinds.iter().map(|(kind, count)| format!("{kind}: {count}"));
    let mut lines = vec![say("audit.verify.proved", args), kinds.collect::<Vec<_>>().join(", ")];
    if !checked.complete {
        lines.push(say("audit.verify.left_out", &[("count", &(checked.size - checked.records))]));
    }
    if checked.up_to_newest {
        lines.push(say("audit.verify.newest", &[]));
    }
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}
