//! `kanhe sample`: data of companies and people that do not exist.

use std::path::PathBuf;

use clap::Args;
use schemars::JsonSchema;
use serde::Serialize;

use super::Context;
use super::licence::format_of;
use crate::home;
use crate::sample::Subject;
use crate::sheet::{APPLICATION, Writer, limits::ROWS_MAX};
use crate::talk::{ExitCode, Failure, Lang, say};

/// Longest file of applications, in bytes: as many of the longest as a sheet has rows.
const APPLICATIONS_BYTES_MAX: usize = 512 << 20;

/// Options of `sample`.
#[derive(Debug, Args)]
pub struct Sample {
    /// business-licence, identity-card or real-estate-certificate
    #[arg(long = "type", value_name = "TYPE")]
    subject: Subject,
    /// Rows
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=ROWS_MAX as i64))]
    count: u32,
    /// The same seed gives the same rows
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// File to write: .xlsx or .csv
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// File with an application a line, for the first rows
    #[arg(long, value_name = "FILE")]
    applications: Option<PathBuf>,
}

/// A sheet that was written.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Written {
    /// The file.
    file: String,
    /// Rows below the headings.
    rows: u32,
}

/// Writes sample rows as an office would send them.
pub fn run(options: &Sample, context: &Context) -> Result<ExitCode, Failure> {
    let applications = match &options.applications {
        Some(path) => home::read_text(path, APPLICATIONS_BYTES_MAX)?,
        None => String::new(),
    };
    let applications: Vec<&str> = applications.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    if applications.len() > options.count as usize {
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("applications", &applications.len()), ("rows", &options.count)];
        return Err(Failure::of(ExitCode::Usage, "applications_left", args));
    }
    let columns = options.subject.type_file().columns();
    let columns = columns.map_err(|error| Failure::reported(ExitCode::Failure, "schema_wrong", error))?;
    let with_applications = !applications.is_empty();
    let kept = columns.list().iter().filter(|column| column.code != APPLICATION || with_applications);
    let zh = Lang::current() == Lang::Zh;
    let headings = kept.map(|column| if zh { column.title_zh.clone() } else { column.title_en.clone() });
    let mut writer = Writer::new(format_of(&options.out)?, headings.collect());
    let rows = options.subject.rows(options.seed, options.count as usize);
    let mut applications = applications.into_iter();
    for mut row in rows {
        if with_applications {
            row.push(applications.next().unwrap_or_default().to_owned());
        }
        writer.row(row);
    }
    writer.save(&options.out)?;
    let told = Written { file: options.out.display().to_string(), rows: options.count };
    let human = || say("sample.written", &[("rows", &options.count), ("path", &options.out.display())]);
    context.output.data(&told, human)?;
    Ok(ExitCode::Ok)
}
