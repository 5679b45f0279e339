//! The command line: one file per group of commands, all on the same [`Context`].

mod abandon;
mod account;
mod account_show;
mod audit;
mod audit_log;
mod audit_ratings;
mod backup;
mod batches;
mod case;
mod case_assist;
mod case_batch;
mod case_open;
mod case_overdue;
mod case_show;
mod catalogue;
mod chain_why;
mod collect;
mod consent;
mod consent_log;
mod context;
mod desk;
mod desk_run;
mod desk_show;
mod gov;
mod help;
mod issue;
mod item;
mod item_show;
mod licence;
mod qr;
mod read;
mod read_many;
mod read_stats;
mod renew;
mod sample;
mod schemas;
mod serve;
pub mod show;
mod status;
mod trust;
pub mod types;
mod verify;
mod verify_serve;
mod wallet;

use std::path::PathBuf;

use clap::{Args, CommandFactory, Parser, Subcommand};

pub use context::{Context, name};

use crate::talk::{ExitCode, Failure, Lang, Output};

/// Digital licences that every bureau, bank and counter can prove: wallet, verifier, issuer, operator.
///
/// stdout is data, stderr is talk. Exit codes: 0 done or valid; 1 failed here; 2 wrong usage; 3 no node reached;
/// 4 refused by the chain or the issuer; 10 invalid; 11 undecided: do not accept; 12 genuine, but suspended, revoked, superseded,
/// expired or not yet valid.
#[derive(Debug, Parser)]
#[command(name = "kanhe", version, arg_required_else_help = true, propagate_version = true)]
pub struct Cli {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// What holds for every command.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Node to ask, as https://HOST:PORT or http://HOST:PORT; several, separated by commas, are asked in turn [default: those at the pin]
    #[arg(long, global = true, env = "KANHE_NODE", value_name = "URL", value_delimiter = ',', hide_env_values = true)]
    pub node: Vec<String>,
    /// Certificate authority (PEM) that nodes' https is checked against, besides those of the system
    #[arg(long, global = true, env = "KANHE_NODE_CA", value_name = "FILE", hide_env_values = true)]
    pub node_ca: Option<PathBuf>,
    /// Folder of pins, wallet and memory [default: ~/.kanhe]
    #[arg(long, global = true, env = "KANHE_HOME", value_name = "DIR", hide_env_values = true)]
    pub home: Option<PathBuf>,
    /// Data and errors as JSON; `kanhe schema` has its schemas, as docs/schemas does
    #[arg(long, global = true)]
    pub json: bool,
    /// Language: zh or en [default: by KANHE_LANG, else by the locale]
    #[arg(long, global = true, value_name = "LANG")]
    pub lang: Option<Lang>,
    /// Answer every question with yes
    #[arg(long, short, global = true)]
    pub yes: bool,
    /// File (mode 0600) whose first line is the passphrase
    #[arg(long, global = true, value_name = "FILE")]
    pub passphrase_file: Option<PathBuf>,
    /// Open file descriptor whose first line is the passphrase
    #[arg(long, global = true, value_name = "N")]
    pub passphrase_fd: Option<i32>,
}

/// All commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Which chain to believe
    #[command(subcommand)]
    Trust(trust::Trust),
    /// Licences of one's own: apply, take in, show
    #[command(subcommand)]
    Wallet(wallet::Wallet),
    /// Ask for licences and judge what comes
    #[command(subcommand)]
    Verify(verify::Verify),
    /// Issue licences, and suspend, reinstate or revoke them: for the issuing bureau
    #[command(subcommand)]
    Licence(licence::Licence),
    /// Service items: what can be applied for, what it asks, and whether a file of one is right
    #[command(subcommand)]
    Item(item::ItemCommand),
    /// Cases: apply for something once, follow it, confirm, correct, collect what comes of it
    #[command(subcommand)]
    Case(case::CaseCommand),
    /// Accounts of enterprises: their keys, and delegates who act for them within limits
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Consent: who may read what about you, and who has read
    #[command(subcommand)]
    Consent(consent::ConsentCommand),
    /// Reads what another bureau has, on consent or on a rule, recorded before the data leaves there
    #[command(subcommand)]
    Read(read::ReadCommand),
    /// Which classes of data bureaus hold, with counts and without data
    #[command(subcommand)]
    Catalogue(catalogue::CatalogueCommand),
    /// The bureau's desk: decides the steps of cases that are its turn, and issues what comes of them
    #[command(subcommand)]
    Desk(desk::DeskCommand),
    /// What happened, proved to somebody who sees no content
    #[command(subcommand)]
    Audit(audit::Audit),
    /// Propose and vote on what the bureaus decide, and rule over the bureau's own keys
    #[command(subcommand)]
    Gov(gov::Gov),
    /// Sample data of companies and people that do not exist
    Sample(sample::Sample),
    /// What this home is: pin, wallet, node
    Status,
    /// The chain as a node shows it
    #[command(subcommand)]
    Chain(status::Chain),
    /// JSON Schemas of what commands say with --json, on stdout
    Schema(schemas::Options),
    /// Completions for a shell, on stdout
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Runs rules of an item from stdin, within bounds: for the program itself
    #[command(hide = true)]
    RulesRun,
    /// This reference as Markdown, on stdout
    #[command(hide = true)]
    HelpMarkdown,
}

/// Parses the command line, runs the command and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    Lang::install(cli.global.lang);
    let output = Output::standard(cli.global.json);
    match Context::new(&cli.global, output.clone()).and_then(|context| run(cli.command, &context)) {
        Ok(code) => code,
        Err(failure) => output.failure(&failure),
    }
}

/// Help and version are data; wrong usage is talk, as JSON if `--json` is anywhere.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let _ = error.print();
        return ExitCode::Ok;
    }
    if std::env::args().any(|arg| arg == "--json") {
        let text = error.render().to_string();
        let message = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        return Output::standard(true).failure(&Failure::reported(ExitCode::Usage, "usage", message));
    }
    let _ = error.print();
    ExitCode::Usage
}

fn run(command: Command, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Command::Trust(command) => trust::run(command, context),
        Command::Wallet(command) => wallet::run(command, context),
        Command::Verify(command) => verify::run(command, context),
        Command::Licence(command) => licence::run(command, context),
        Command::Item(command) => item::run(command, context),
        Command::Case(command) => case::run(command, context),
        Command::Account(command) => account::run(command, context),
        Command::Consent(command) => consent::run(command, context),
        Command::Read(command) => read::run(command, context),
        Command::Catalogue(command) => catalogue::run(command, context),
        Command::Desk(command) => desk::run(command, context),
        Command::Audit(command) => audit::run(command, context),
        Command::Gov(command) => gov::run(command, context),
        Command::Sample(options) => sample::run(&options, context),
        Command::Status => status::home(context),
        Command::Chain(command) => status::chain(command, context),
        Command::Schema(options) => schemas::run(&options, context),
        Command::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "kanhe", &mut text);
            context.output.raw(String::from_utf8_lossy(&text).trim_end())?;
            Ok(ExitCode::Ok)
        }
        Command::RulesRun => Ok(if crate::rules::work() { ExitCode::Ok } else { ExitCode::Failure }),
        Command::HelpMarkdown => {
            context.output.raw(&help::markdown(Cli::command()))?;
            Ok(ExitCode::Ok)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn global_options_stand_anywhere() {
        let cli = Cli::try_parse_from(["kanhe", "trust", "show", "--json", "--node", "http://a,http://b"]).unwrap();
        assert!(cli.global.json);
        assert_eq!(cli.global.node, ["http://a", "http://b"]);
    }
}
