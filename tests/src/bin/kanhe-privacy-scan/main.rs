//! Looks through all that stopped nodes of a local network have written for the claims of a spreadsheet.
//!
//! Exit codes: 0 nothing found and the control found what it planted, 1 something found, 2 anything else.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use kanhe_node::devnet::{DESCRIPTION_FILE, Description};
use kanhe_proto::genesis::Genesis;
use kanhe_tests::privacy::{Excluded, Finding, Form, Needles, Scan, Values, control, scan};

/// Findings that are shown for one node.
const SHOWN_MAX: usize = 10;

/// Looks for the claims of a spreadsheet in all that stopped nodes have written
#[derive(Parser)]
struct Arguments {
    /// Folder of a local network whose nodes do not run
    #[arg(long, value_name = "DIR")]
    net: PathBuf,
    /// The spreadsheet that was issued
    #[arg(long, value_name = "FILE")]
    sheet: PathBuf,
    /// More files to look through: dumps of /metrics
    #[arg(long, value_name = "DIR")]
    also: Option<PathBuf>,
    /// Writes every value that was not looked for, and why
    #[arg(long, value_name = "FILE")]
    excluded: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(arguments: &Arguments) -> anyhow::Result<bool> {
    let path = arguments.net.join(DESCRIPTION_FILE);
    let text = fs::read(&path).with_context(|| path.display().to_string())?;
    let description: Description = serde_json::from_slice(&text)?;
    let genesis = Genesis::from_bytes(&fs::read(&description.genesis)?)?;
    let values = Values::read(&arguments.sheet, &genesis)?;
    let needles = Needles::of(&values);
    let forms: Vec<&str> = Form::ALL.iter().map(|form| form.name()).collect();
    println!("looking for {} values as {}: {} patterns", values.searched.len(), forms.join(", "), needles.count());
    say_excluded(&values.excluded, arguments.excluded.as_deref())?;

    let mut found = 0;
    for bureau in &description.bureaus {
        let scanned = scan(&bureau.home, &needles)?;
        found += tell(&bureau.name, &scanned, &needles);
    }
    if let Some(folder) = &arguments.also {
        let mut scanned = Scan::default();
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            scanned.file(&path.display().to_string(), &path, &needles)?;
        }
        found += tell("metrics", &scanned, &needles);
    }
    let home = &description.bureaus.first().context("a network has a bureau")?.home;
    println!("control: {} values planted in a copy, all found", control(home, &needles)?);
    Ok(found == 0)
}

/// The few in full; the days by their number, and all in a file.
fn say_excluded(excluded: &Excluded, file: Option<&Path>) -> anyhow::Result<()> {
    let Excluded { dates, names, examples } = excluded;
    let mut days = dates.iter().filter(|date| date.is_ascii());
    let (first, last) = (days.next().cloned().unwrap_or_default(), days.next_back().cloned().unwrap_or_default());
    println!("not looked for: {} dates, {first} … {last}", dates.len());
    for (why, values) in [("public in the registry", names), ("example in a public schema", examples)] {
        for (value, column) in values {
            println!("not looked for: {column} {value} ({why})");
        }
    }
    if let Some(path) = file {
        let mut text = String::new();
        dates.iter().for_each(|date| text.push_str(&format!("date\t{date}\n")));
        names.iter().for_each(|(value, column)| text.push_str(&format!("registry\t{column}\t{value}\n")));
        examples.iter().for_each(|(value, column)| text.push_str(&format!("schema\t{column}\t{value}\n")));
        fs::write(path, text)?;
        println!("not looked for: all of them are in {}", path.display());
    }
    Ok(())
}

fn tell(name: &str, scanned: &Scan, needles: &Needles) -> u64 {
    let Scan { columns, entries, entries_bytes, files, files_bytes, findings, found } = scanned;
    let found_text = if *found == 0 { "nothing found".to_owned() } else { format!("{found} FOUND") };
    println!(
        "{name:18} {entries:>7} entries of {columns} columns ({} kB), {files} files ({} kB): {found_text}",
        entries_bytes / 1_000,
        files_bytes / 1_000
    );
    for Finding { place, origin } in findings.iter().take(SHOWN_MAX) {
        let (value, column) = &needles.values[origin.value];
        println!("  {place}: {column} {value} as {}", origin.form.name());
    }
    *found
}
