//! `kanhe licence serve`: the issuer's running process.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use kanhe_proto::mail::MailAnswer;

use super::Context;
use super::licence::Acting;
use crate::case::Items;
use crate::desk::Keeping;
use crate::follow::Follower;
use crate::issuer::{self, HolderRequests, Left, Office, Register, Round};
use crate::node::NodeClient;
use crate::reads::{self, Serving};
use crate::stop::Stop;
use crate::talk::{ExitCode, Failure, say};

/// Longest wait for mail at a node; a signal is noticed after it.
const WAIT_SECONDS: u64 = 2;
/// Pause after an empty answer, and after a failure that may pass.
const PAUSE: Duration = Duration::from_millis(200);
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(3);

/// Options of `licence serve`.
#[derive(Debug, Args)]
pub struct Serve {
    #[command(flatten)]
    acting: Acting,
    /// File of the sealing key, to which holders seal their requests; again for each older one that is still needed
    #[arg(long, value_name = "KEYFILE", required = true)]
    sealing_key: Vec<PathBuf>,
    /// Answers what waits now and ends
    #[arg(long)]
    once: bool,
}

/// The running process.
struct Service<'a> {
    office: Office,
    issuer_name: String,
    keeping: Keeping,
    follower: Follower,
    /// Items of cases that readers name.
    items: Items,
    context: &'a Context,
}

/// Answers holders until a signal comes. The register is open only while there is work, so that other commands can be
/// used beside it.
pub fn run(options: &Serve, context: &Context) -> Result<ExitCode, Failure> {
    let passphrase = context.passphrase.existing()?;
    let genesis = context.home.genesis()?;
    let mut follower = context.follower()?;
    let acting = &options.acting;
    let office = Office::open(&genesis, &mut follower, &acting.key, acting.issuer, &passphrase)?;
    let office = office.with_sealing(&options.sealing_key, &passphrase)?;
    let issuer_name = issuer::issuer_name(&genesis, &mut follower, office.issuer)?;
    let stop = Stop::on_signals()?;
    Register::require(&context.home.register())?;
    let keeping = Keeping::new(&context.home.register(), passphrase);
    let mut service = Service { office, issuer_name, keeping, follower, items: Items::default(), context };
    service.clear()?;
    context.output.talk(say("serve.ready", &[("issuer", &service.issuer_name)]));
    let mut total = Round::default();
    while !stop.is_asked() {
        match service.round(if options.once { 0 } else { WAIT_SECONDS }) {
            Ok(round) if round.is_empty() && options.once => break,
            Ok(round) if round.is_empty() => stop.rest(PAUSE),
            Ok(round) => {
                total.add(&round);
                if !options.once {
                    tell(&round, context)?;
                }
            }
            Err(failure) if !options.once && passes(&failure) => {
                context.output.talk(say("serve.waits", &[("cause", &failure.message)]));
                stop.rest(PAUSE_AFTER_FAILURE);
            }
            Err(failure) => return Err(failure),
        }
    }
    if options.once {
        tell(&total, context)?;
    } else {
        context.output.talk(say("serve.ended", &[]));
    }
    Ok(ExitCode::Ok)
}

/// Whether a failure may be over in a moment: no node, or another command with the register open.
fn passes(failure: &Failure) -> bool {
    matches!(failure.exit, ExitCode::Unreachable | ExitCode::Undecided) || failure.code == "vault_in_use"
}

/// Says which batches of the journal are not on the chain: their licences wait, and nothing else does.
pub(super) fn tell_left(left: &[Left], context: &Context) {
    for Left { batch, why } in left {
        let args: &[(&str, &dyn std::fmt::Display)] =
            &[("run", &batch.run), ("type", &batch.vct), ("code", &why.code), ("cause", &why.message)];
        context.output.talk(say("serve.batch_left", args));
    }
}

fn tell(round: &Round, context: &Context) -> Result<(), Failure> {
    context.output.data(round, || {
        let args: &[(&str, &dyn std::fmt::Display)] = &[
            ("given", &round.given),
            ("issued", &round.issued),
            ("refused", &round.refused),
            ("unreadable", &round.unreadable),
            ("shared", &round.shared),
            ("not_shared", &round.not_shared),
        ];
        say("serve.round", args)
    })
}

impl Service<'_> {
    /// Brings onto the chain what an earlier process has signed and left.
    fn clear(&mut self) -> Result<(), Failure> {
        let left = issuer::anchor_open(&self.office, self.keeping.register()?, &mut self.follower)?;
        tell_left(&left, self.context);
        let genesis = self.context.home.genesis()?;
        let (office, issuer_name) = (&self.office, &*self.issuer_name);
        Serving { office, genesis: &genesis, issuer_name }.finish(&mut self.keeping, &mut self.follower)?;
        self.keeping.give_way();
        Ok(())
    }

    /// Takes what waits, answers it, hands the answers in.
    fn round(&mut self, wait_seconds: u64) -> Result<Round, Failure> {
        let nodes = self.follower.nodes().to_vec();
        let fetched = issuer::fetch(&self.office, &nodes, wait_seconds)?;
        if fetched.queue.requests.is_empty() {
            return Ok(Round::default());
        }
        let mail: Vec<Vec<u8>> = fetched.queue.requests.into_iter().map(|request| request.into_vec()).collect();
        let answered = self.answer(&fetched.node, mail);
        self.keeping.give_way();
        let (answers, round) = answered?;
        issuer::send(&self.office, &fetched.node, &answers)?;
        if round.is_empty() {
            // What cannot be answered yet comes again at once: it is waited here.
            std::thread::sleep(Duration::from_secs(wait_seconds));
        }
        Ok(round)
    }

    /// Answers readers, at once, and holders.
    fn answer(&mut self, node: &NodeClient, mail: Vec<Vec<u8>>) -> Result<(Vec<MailAnswer>, Round), Failure> {
        let genesis = self.context.home.genesis()?;
        let (letters, mail) = reads::split(&self.office, mail);
        let (office, issuer_name) = (&self.office, &*self.issuer_name);
        let serving = Serving { office, genesis: &genesis, issuer_name };
        let send = |answer: &MailAnswer| issuer::send(office, node, std::slice::from_ref(answer));
        let read = serving.answer(&letters, &mut self.keeping, &mut self.items, &mut self.follower, send)?;
        let requests = HolderRequests {
            office,
            genesis: &genesis,
            issuer_name,
            register: self.keeping.register()?,
            batch_max: genesis.parameters.batch_count_max as usize,
        };
        let (answers, mut round) = requests.answer(&mail, &mut self.follower)?;
        round.add_reads(&read);
        Ok((answers, round))
    }
}
