//! `kanhe audit ratings`.

use std::fmt::Display;

use clap::Args;
use kanhe_proto::identifiers::Uscc;

use super::show::clean;
use super::{Context, name};
use crate::audit::log::{Bound, LogSource};
use crate::audit::ratings::{Asked, GROUP_MIN, Ratings, Row, ratings};
use crate::clock;
use crate::talk::{ExitCode, Failure, Table, moment, say};

/// Options of `audit ratings`.
#[derive(Debug, Args)]
pub struct OfRatings {
    /// Cases that ended from this block on: its height, or a day (YYYY-MM-DD, UTC+8) [default: the first of the chain]
    #[arg(long, value_name = "HEIGHT|DATE")]
    from: Option<Bound>,
    /// Cases that ended up to this block: its height, or a day, all of which is meant [default: the newest]
    #[arg(long, value_name = "HEIGHT|DATE")]
    to: Option<Bound>,
    /// Cases of this item alone
    #[arg(long, value_name = "CODE")]
    item: Option<String>,
    /// Cases that this bureau decided a step of, and its decisions alone
    #[arg(long, value_name = "USCC")]
    bureau: Option<Uscc>,
}

/// Counts and tells.
pub(super) fn run(options: &OfRatings, context: &Context) -> Result<ExitCode, Failure> {
    let asked = Asked { from: options.from, to: options.to, item: options.item.clone(), bureau: options.bureau };
    let mut follower = context.follower()?;
    let mut source = LogSource::new(&mut follower, context.output.clone());
    let counted = ratings(&mut source, &asked, &context.output)?;
    context.output.data(&counted, || told(&counted))?;
    Ok(ExitCode::Ok)
}

fn told(counted: &Ratings) -> String {
    let args: &[(&str, &dyn Display)] = &[
        ("from", &counted.from_height),
        ("to", &counted.to_height),
        ("time", &moment(counted.to_ms, clock::now().0)),
        ("records", &counted.records),
    ];
    let mut lines = vec![say("audit.ratings.head", args)];
    if counted.items.is_empty() {
        lines.push(say("audit.ratings.none", &[]));
        return lines.join("\n");
    }
    lines.push(table(&say("audit.ratings.item", &[]), &counted.items));
    lines.push(table(&say("audit.ratings.bureau", &[]), &counted.bureaus));
    lines.push(say("audit.ratings.suppressed", &[("least", &GROUP_MIN)]));
    if counted.not_counted > 0 {
        lines.push(say("audit.ratings.not_counted", &[("count", &counted.not_counted)]));
    }
    lines.join("\n")
}

fn table(what: &str, rows: &[Row]) -> String {
    let mut table = Table::new(&[
        what.to_owned(),
        say("audit.ratings.cases", &[]),
        say("audit.ratings.rated", &[]),
        say("audit.ratings.average", &[]),
        say("audit.ratings.stars", &[]),
        say("audit.ratings.decision", &[]),
        say("audit.ratings.overdue", &[]),
    ]);
    for row in rows {
        let label = row.names.as_ref().map_or_else(|| row.code.clone(), |names| clean(name(names)));
        table.row(&[
            label,
            shown(row.cases),
            shown(row.rated),
            shown(row.average_hundredths.map(|hundredths| format!("{}.{:02}", hundredths / 100, hundredths % 100))),
            shown(row.stars.map(|stars| stars.map(|count| count.to_string()).join(" "))),
            shown(row.decision_ms.map(lasted)),
            shown(row.overdue_permille.map(|permille| format!("{}.{} %", permille / 10, permille % 10))),
        ]);
    }
    table.to_string()
}

/// What is too few to be shown is a dash.
fn shown(value: Option<impl Display>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| value.to_string())
}

fn lasted(ms: u64) -> String {
    let seconds = ms / 1_000;
    format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}
