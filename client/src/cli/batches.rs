//! `kanhe licence batches`: does anybody else issue in the bureau's name?

use std::time::Duration;

use clap::Args;
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::ids::LogIndex;

use super::{Context, licence};
use crate::clock;
use crate::follow::Follower;
use crate::issuer::{self, Surveyed};
use crate::stop::Stop;
use crate::talk::{ExitCode, Failure, Passphrase, Table, moment, say};

/// Pause between two looks at the chain.
const PAUSE: Duration = Duration::from_secs(2);

/// Options of `licence batches`.
#[derive(Debug, Args)]
pub struct Batches {
    /// The bureau
    #[arg(long, value_name = "USCC")]
    issuer: Uscc,
    /// First record of the log to look at
    #[arg(long, value_name = "INDEX", default_value_t = 0)]
    from: u64,
    /// Goes on until a signal, one line per batch, and alarms as soon as one is not the bureau's own
    #[arg(long)]
    watch: bool,
}

/// Compares the chain with the register; a batch that the register lacks ends it with code 1.
pub fn run(options: &Batches, context: &Context) -> Result<ExitCode, Failure> {
    let passphrase = context.passphrase.existing()?;
    let strange =
        if options.watch { watch(options, &passphrase, context)? } else { once(options, &passphrase, context)? };
    match strange {
        0 => Ok(ExitCode::Ok),
        count => Err(Failure::of(ExitCode::Failure, "strange_batches", &[("count", &count)])),
    }
}

fn strange(found: &[Surveyed]) -> usize {
    found.iter().filter(|batch| !batch.known).count()
}

fn once(options: &Batches, passphrase: &Passphrase, context: &Context) -> Result<usize, Failure> {
    let register = licence::open(context, passphrase)?;
    let (found, _) = issuer::survey(&register, &mut context.follower()?, options.issuer, LogIndex(options.from))?;
    context.output.data(&found, || table(&found))?;
    Ok(strange(&found))
}

fn watch(options: &Batches, passphrase: &Passphrase, context: &Context) -> Result<usize, Failure> {
    let stop = Stop::on_signals()?;
    let mut follower = context.follower()?;
    let (mut from, mut alarms) = (LogIndex(options.from), 0);
    while !stop.is_asked() {
        match look(options, from, passphrase, &mut follower, context) {
            Ok((found, next)) => {
                for batch in &found {
                    context.output.data(batch, || line(batch))?;
                    if !batch.known {
                        let args: &[(&str, &dyn std::fmt::Display)] =
                            &[("batch", &batch.batch), ("count", &batch.count)];
                        context.output.talk(say("batches.alarm", args));
                    }
                }
                alarms += strange(&found);
                from = next;
            }
            Err(failure) if failure.exit == ExitCode::Unreachable || failure.code == "vault_in_use" => {
                context.output.talk(say("serve.waits", &[("cause", &failure.message)]));
            }
            Err(failure) => return Err(failure),
        }
        stop.rest(PAUSE);
    }
    Ok(alarms)
}

/// The register is open only when the log has grown, so that other commands can be used beside this one.
fn look(
    options: &Batches,
    from: LogIndex,
    passphrase: &Passphrase,
    follower: &mut Follower,
    context: &Context,
) -> Result<(Vec<Surveyed>, LogIndex), Failure> {
    follower.update()?;
    if follower.trust().newest().is_none_or(|newest| newest.log_size <= from.0) {
        return Ok((Vec::new(), from));
    }
    let register = licence::open(context, passphrase)?;
    issuer::survey(&register, follower, options.issuer, from)
}

fn cells(batch: &Surveyed) -> [String; 5] {
    let known = if batch.known { say("issue.known", &[]) } else { say("issue.unknown", &[]) };
    let time = moment(batch.time.0, clock::now().0);
    [batch.batch.to_string(), batch.vct.to_string(), batch.count.to_string(), time, known]
}

fn line(batch: &Surveyed) -> String {
    cells(batch).join("  ")
}

fn table(found: &[Surveyed]) -> String {
    if found.is_empty() {
        return say("issue.no_batches", &[]);
    }
    let mut table = Table::new(&[
        say("issue.column_batch", &[]),
        say("issue.column_type", &[]),
        say("issue.column_count", &[]),
        say("issue.column_time", &[]),
        say("issue.column_register", &[]),
    ]);
    for batch in found {
        table.row(&cells(batch));
    }
    table.to_string()
}
