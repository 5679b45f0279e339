//! The command line of a bureau's operators.
//!
//! In the library, so that the program itself is one call: what an async function becomes is compiled where it is
//! polled, and the program would compile all of the node a second time.

mod admin;
mod agent;
mod doctor;
mod founding;
mod validator;

use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Duration;

use crate::api;
use crate::config::{Config, DEFAULT_TOML, LogFormat};
use crate::consensus::guard;
use crate::devnet::{self, DevnetOptions};
use crate::moving::MoveError;
use crate::run::last_stop::LastStop;
use crate::run::{self, EXIT_CODES, Ended, RunError, exit};
use crate::storage::{Storage, fsck};
use anyhow::Context;
use clap::{Parser, Subcommand};
use kanhe_proto::genesis::PROTOCOL_VERSION;
use kanhe_proto::ids::SpanMs;
use kanhe_proto::registry::Parameters;
use tokio::signal::unix::{SignalKind, signal};

/// Time that tasks get at the end: threads that still read must not hold it up.
const TASKS_END: Duration = Duration::from_secs(2);
/// Time that the database gets to close, after them.
const DATABASE_END: Duration = Duration::from_secs(10);

#[derive(Parser)]
#[command(name = "kanhe-node", version, about = "The node of a bureau", after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs a node until SIGTERM or SIGINT.
    #[command(after_help = EXIT_CODES)]
    Run {
        /// The node's home, with its config.toml.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// File with the passphrase of the keys, mode 0600.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
        /// For one start of a home that is older than what its validator may have signed: restored from a backup, or
        /// without its database or signing guard. It gets from peers what it lacks, and signs nothing until it cannot
        /// contradict what it signed before. Not for more than a third of the validators at a time: nobody would be
        /// left to decide.
        #[arg(long)]
        rejoin: bool,
        /// Shape of the log lines on stderr.
        #[arg(long, value_enum)]
        log_format: Option<LogFormat>,
    },
    /// Makes the home of a bureau's node: keys of all roles, configuration, and the membership card to be shown.
    #[command(after_help = EXIT_CODES)]
    Init(founding::InitArguments),
    /// What the founders make together from their cards.
    #[command(after_help = EXIT_CODES)]
    Genesis {
        #[command(subcommand)]
        command: founding::GenesisCommand,
    },
    /// Gives a home made by `init` its chain: genesis, checked against the hash that people compared.
    #[command(after_help = EXIT_CODES)]
    Join(founding::JoinArguments),
    /// Moves a validator key to another machine, with the guard that keeps it from signing twice.
    #[command(after_help = EXIT_CODES)]
    Validator {
        #[command(subcommand)]
        command: validator::ValidatorCommand,
    },
    /// Asks and tells a running node over the socket in its home: for its own user and root, on the same machine.
    #[command(after_help = EXIT_CODES)]
    Admin {
        #[command(subcommand)]
        command: admin::AdminCommand,
    },
    /// Checks the whole database of a stopped node against its headers; changes nothing.
    Fsck {
        /// The node's home.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// The report as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Says what is wrong with a node and, if it runs, with the chain, from its home and its API; changes nothing.
    #[command(after_help = doctor::AFTER_HELP)]
    Doctor(doctor::DoctorArguments),
    /// Prints the configuration in effect.
    Config {
        /// The node's home.
        #[arg(long, value_name = "DIR", required_unless_present = "default")]
        home: Option<PathBuf>,
        /// The default instead, with the meaning of every key.
        #[arg(long)]
        default: bool,
    },
    /// Local networks to play with.
    Devnet {
        #[command(subcommand)]
        command: DevnetCommand,
    },
    /// Prints the description of the HTTP API.
    Openapi,
    /// Prints the version of the software and of what it speaks.
    Version,
}

#[derive(Subcommand)]
enum DevnetCommand {
    /// Makes genesis, homes and keys of a network on this machine. Its keys are hardly protected.
    Init {
        /// Folder to be made.
        #[arg(long, value_name = "DIR")]
        dir: PathBuf,
        /// Bureaus, each with a validator.
        #[arg(long, default_value_t = 4)]
        bureaus: usize,
        /// Longest time without a block, in milliseconds.
        #[arg(long, default_value_t = 5_000)]
        heartbeat_ms: u64,
        /// Bureaus more, with home and membership card, that the chain does not know yet: to be admitted by vote.
        #[arg(long, default_value_t = 0)]
        outside: usize,
        /// IPv4 addresses of the machines that their nodes will run on, one for each, in order; if none, all run on
        /// this one.
        #[arg(long, value_name = "ADDRESS,…", value_delimiter = ',')]
        hosts: Vec<Ipv4Addr>,
        /// Blocks between two sets of validators: a vote on validators takes effect at the next multiple.
        #[arg(long, default_value_t = Parameters::default().epoch_blocks)]
        epoch_blocks: u64,
    },
}

/// Runs the program with the arguments of the process.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let done = match arguments.command {
        Command::Run { home, passphrase_file, rejoin, log_format } => {
            run_node(&home, passphrase_file, rejoin, log_format)
        }
        Command::Init(arguments) => founding::init(arguments),
        Command::Genesis { command } => founding::genesis(command),
        Command::Join(arguments) => founding::join(arguments),
        Command::Validator { command } => validator::validator(command),
        Command::Admin { command } => admin::run(command),
        Command::Fsck { home, json } => check(&home, json),
        Command::Doctor(arguments) => doctor::doctor(&arguments),
        Command::Config { home, default } => show_config(home.as_deref(), default),
        Command::Devnet {
            command: DevnetCommand::Init { dir, bureaus, heartbeat_ms, outside, hosts, epoch_blocks },
        } => {
            let heartbeat = SpanMs(heartbeat_ms);
            make_devnet(DevnetOptions { dir, bureaus, outside, hosts, heartbeat, epoch_blocks })
        }
        Command::Openapi => print(&api::document()),
        Command::Version => print(&format!(
            "kanhe-node {}\nprotocol {PROTOCOL_VERSION}\nstorage schema {}\n",
            env!("CARGO_PKG_VERSION"),
            crate::storage::SCHEMA_VERSION
        )),
    };
    done.unwrap_or_else(|error| failed(&error))
}

/// Says what happened and what to do.
fn failed(error: &anyhow::Error) -> ExitCode {
    let mut said = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        // A wrapper that shows its cause's text adds nothing.
        if !said.ends_with(&text) {
            if !said.is_empty() {
                said.push_str(": ");
            }
            said.push_str(&text);
        }
    }
    eprintln!("error: {said}");
    if let Some(error) = error.downcast_ref::<founding::FoundingError>() {
        eprintln!("hint: {}", error.hint());
        return ExitCode::from(error.exit_code());
    }
    if let Some(error) = error.downcast_ref::<MoveError>() {
        eprintln!("hint: {}", error.hint());
        return ExitCode::from(error.exit_code());
    }
    match error.downcast_ref::<RunError>() {
        Some(error) => {
            eprintln!("hint: {}", error.hint());
            ExitCode::from(error.exit_code())
        }
        None => ExitCode::from(exit::OTHER),
    }
}

fn print(text: &str) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("stdout")?;
    Ok(ExitCode::from(exit::OK))
}

fn run_node(
    home: &Path,
    passphrase: Option<PathBuf>,
    rejoin: bool,
    format: Option<LogFormat>,
) -> anyhow::Result<ExitCode> {
    let config = Config::load(home).map_err(RunError::from)?;
    run::logging::start(&config.log, format).map_err(RunError::from)?;
    let opened = run::open(home, config, passphrase, rejoin)?;
    if rejoin {
        // The operator has answered what it stopped for.
        LastStop::clear(home);
    }
    let system = |what| move |source| RunError::System { what, source };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(system("the threads could not be started"))?;
    let mut closing = None;
    let ended = runtime.block_on(async {
        // Before the parts start: a signal that comes in between must not kill the process half-way.
        let mut terminate = signal(SignalKind::terminate()).map_err(system("SIGTERM"))?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(system("SIGINT"))?;
        let asked = async {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        tokio::pin!(asked);
        let opened = tokio::select! {
            // What is fetched so far is kept.
            () = &mut asked => return Ok(Ended::Asked),
            opened = opened.catch_up() => opened?,
        };
        let node = opened.start().await?;
        closing = Some(node.closing());
        node.run(asked).await
    });
    runtime.shutdown_timeout(TASKS_END);
    if closing.is_some_and(|closing| !closing.wait(DATABASE_END)) {
        tracing::warn!("something still reads the database");
    }
    remember(home, &ended);
    match ended? {
        Ended::Asked => Ok(ExitCode::from(exit::OK)),
        Ended::HandedOver => Ok(start_again()),
    }
}

/// Leaves in the home why the node ended, for the doctor.
fn remember(home: &Path, ended: &Result<Ended, RunError>) {
    match ended {
        Err(error) => {
            let kept = LastStop::of(error).map(|stop| stop.write(home));
            if let Some(Err(error)) = kept {
                tracing::warn!("the reason of this end could not be kept: {error}");
            }
        }
        Ok(_) => LastStop::clear(home),
    }
}

/// Becomes the same program with the same arguments once more: nothing of the key before stays in memory or in the
/// engine. Where that fails, whoever watches over the process starts it.
fn start_again() -> ExitCode {
    use std::os::unix::process::CommandExt as _;
    let failed = match std::env::current_exe() {
        Ok(program) => process::Command::new(program).args(std::env::args_os().skip(1)).exec(),
        Err(error) => error,
    };
    tracing::error!("the node could not start itself again: {failed}");
    ExitCode::from(exit::HANDED_OVER)
}

fn check(home: &Path, json: bool) -> anyhow::Result<ExitCode> {
    let config = Config::load(home).map_err(RunError::from)?;
    let genesis = run::read_genesis(home, &config)?;
    let chain_id = genesis.chain_id();
    let storage = Storage::open_read_only(&run::home::chain(home), &chain_id).map_err(RunError::from)?;
    let report = fsck::fsck(&storage, &chain_id, &mut |_| {});
    if json {
        let problems: Vec<String> = report.problems.iter().map(ToString::to_string).collect();
        let value = serde_json::json!({
            "clean": report.is_clean(),
            "height": report.height,
            "base": report.base,
            "entries": report.entries,
            "problems_total": report.problems_total,
            "problems": problems,
        });
        print(&format!("{value}\n"))?;
    } else {
        for problem in &report.problems {
            print(&format!("{problem}\n"))?;
        }
        let verdict = if report.is_clean() { "clean" } else { "damaged" };
        let (entries, height, problems) = (report.entries, report.height, report.problems_total);
        let from = match report.base {
            0 => String::new(),
            base => format!(" from height {base} on,"),
        };
        print(&format!("{verdict}:{from} {entries} entries up to height {height}, {problems} problems\n"))?;
    }
    let key = config.keys.validator.unwrap_or_default();
    let guard_file = run::home::guard_of(home, &key);
    if let Ok(signed) = guard::read(&guard_file)
        && let Some(highest) = signed.iter().map(|entry| entry.slot.height).max()
        && highest.0 > report.height + 1
    {
        eprintln!(
            "note: the validator signed for height {highest}, but the database ends at {}: it is older, or its log was \
             damaged; a node gets the blocks that it lacks from its peers",
            report.height
        );
    }
    Ok(ExitCode::from(if report.is_clean() { exit::OK } else { exit::FSCK }))
}

fn show_config(home: Option<&Path>, default: bool) -> anyhow::Result<ExitCode> {
    match home {
        Some(home) if !default => print(&Config::load(home).map_err(RunError::from)?.to_toml()),
        _ => print(DEFAULT_TOML),
    }
}

fn make_devnet(options: DevnetOptions) -> anyhow::Result<ExitCode> {
    let made = devnet::init(&options).map_err(RunError::from)?;
    let mut text = format!("chain {}\n", made.chain);
    for bureau in &made.bureaus {
        text.push_str(&format!("{:20} {}  {}  {}\n", bureau.name, bureau.uscc, bureau.api, bureau.names.zh));
    }
    text.push_str(&format!("{:20} {}  {}\n", "bank", made.bank.uscc, made.bank.names.zh));
    print(&text)
}
