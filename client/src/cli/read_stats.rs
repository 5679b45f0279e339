//! `kanhe read stats`: counts and sums over what was read on a rule.

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::show::clean;
use super::types::TypeSpec;
use super::{Context, read};
use crate::reads::{Counted, GROUP_FLOOR, GROUP_MIN, Measure, statistics};
use crate::talk::{ExitCode, Failure, Table, say};

/// Options of `read stats`.
#[derive(Debug, Args)]
pub struct Stats {
    /// Counts people; that is done anyway
    #[arg(long)]
    count: bool,
    /// Adds this claim up, an amount; again for several
    #[arg(long, value_name = "CLAIM")]
    sum: Vec<String>,
    /// Takes this claim off; again for several
    #[arg(long, value_name = "CLAIM")]
    less: Vec<String>,
    /// Groups people by the values of a claim. What has no such claim counts for its person's group, if that is one
    #[arg(long, value_name = "CLAIM")]
    group_by: Option<String>,
    /// Only so many groups, the largest first
    #[arg(long, value_name = "N")]
    top: Option<usize>,
    /// Groups of fewer people are not shown, nor what would give them away; at least 5
    #[arg(long, value_name = "N", default_value_t = GROUP_MIN)]
    min_group: usize,
    /// Only licences of this type
    #[arg(long = "type", value_name = "TYPE")]
    licence_type: Option<TypeSpec>,
}

/// What came out.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Shown {
    /// Everybody; nothing if that would say something of few.
    total: Option<CountShown>,
    /// Groups, the largest first.
    groups: Vec<GroupShown>,
    /// Groups that are not shown because they, or what they would give away, are too small.
    hidden: usize,
    /// Groups beyond those asked for.
    cut: usize,
    /// Values that are no amounts, and were left out.
    unread: usize,
    /// Fewest people of a group that is shown.
    min_group: usize,
}

/// What was counted of some people.
#[derive(Debug, Serialize, JsonSchema)]
struct CountShown {
    /// How many people.
    people: usize,
    /// Sum, with two places.
    sum: Option<String>,
    /// The same per person, cut to two places.
    per_person: Option<String>,
}

/// A group.
#[derive(Debug, Serialize, JsonSchema)]
struct GroupShown {
    /// Value of the claim; nothing: people without one, or with several.
    value: Option<String>,
    /// How many people.
    people: usize,
    /// Sum, with two places.
    sum: Option<String>,
    /// The same per person, cut to two places.
    per_person: Option<String>,
}

/// Runs the command.
pub fn run(options: &Stats, context: &Context) -> Result<ExitCode, Failure> {
    let rows = read::open(context)?.asked()?;
    let measure = Measure {
        type_code: options.licence_type.as_ref().map(|spec| spec.code.clone()),
        plus: options.sum.clone(),
        minus: options.less.clone(),
        group_by: options.group_by.clone(),
        top: options.top,
        min_group: options.min_group,
    };
    let found = statistics(&rows, &measure);
    let groups = found.groups.iter().map(|group| {
        let CountShown { people, sum, per_person } = count(group.counted);
        GroupShown { value: group.value.as_deref().map(clean), people, sum, per_person }
    });
    let shown = Shown {
        total: found.total.map(count),
        groups: groups.collect(),
        hidden: found.hidden,
        cut: found.cut,
        unread: found.unread,
        min_group: options.min_group.max(GROUP_FLOOR),
    };
    context.output.data(&shown, || text(&shown))?;
    Ok(ExitCode::Ok)
}

fn count(counted: Counted) -> CountShown {
    let people = counted.people;
    let per_person = counted.sum_cents.filter(|_| people > 0).map(|sum| amount(sum / people as i128));
    CountShown { people, sum: counted.sum_cents.map(amount), per_person }
}

fn amount(cents: i128) -> String {
    let sign = if cents < 0 { "-" } else { "" };
    let cents = cents.unsigned_abs();
    format!("{sign}{}.{:02}", cents / 100, cents % 100)
}

fn text(shown: &Shown) -> String {
    let mut lines = Vec::new();
    let optional = |sum: &Option<String>| sum.clone().unwrap_or_default();
    if !shown.groups.is_empty() {
        let mut table = Table::new(&[
            say("read.column_group", &[]),
            say("read.column_people", &[]),
            say("read.column_sum", &[]),
            say("read.column_per_person", &[]),
        ]);
        for group in &shown.groups {
            let value = group.value.clone().unwrap_or_else(|| say("read.no_group", &[]));
            table.row(&[value, group.people.to_string(), optional(&group.sum), optional(&group.per_person)]);
        }
        lines.push(table.to_string());
    }
    lines.push(match &shown.total {
        Some(total) => {
            let sum = total.sum.as_ref().map_or_else(String::new, |sum| {
                let per_person = optional(&total.per_person);
                say("read.total_sum", &[("sum", sum), ("per_person", &per_person)])
            });
            format!("{}{sum}", say("read.total", &[("people", &total.people)]))
        }
        None => say("read.too_few", &[("min", &shown.min_group)]),
    });
    if shown.hidden > 0 {
        lines.push(say("read.hidden", &[("count", &shown.hidden), ("min", &shown.min_group)]));
    }
    if shown.unread > 0 {
        lines.push(say("read.unread", &[("count", &shown.unread)]));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_have_two_places() {
        for (cents, text) in [(0, "0.00"), (5, "0.05"), (10_050, "100.50"), (-1, "-0.01")] {
            assert_eq!(amount(cents), text);
        }
    }
}
