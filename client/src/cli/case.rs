//! `kanhe case`: one run of a service item, for who takes part in it.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use kanhe_proto::case::{Act, Rate, Withdraw};
use kanhe_proto::identifiers::Uscc;
use schemars::JsonSchema;
use serde::Serialize;

use super::case_assist::pickup_lines;
use super::case_open::{self, Confirm, Correct, Open};
use super::case_show::{self, Show};
use super::{Context, case_overdue, collect, wallet};
use crate::case::{
    self, Disclosed, InvitationShown, Items, OwnCase, PickupShown, Shelf, carry, explain, keep_act, look_after,
};
use crate::clock;
use crate::consent;
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure, say};
use crate::wallet::Wallet;

/// Files on their way that one command asks about.
const LOOKED_AFTER_MAX: usize = 64;

/// Cases of one's own. Each command first finishes what an earlier one could not: it is kept in the wallet, encrypted, before
/// anything leaves, and goes out with the same bytes.
#[derive(Debug, Subcommand)]
pub enum CaseCommand {
    /// Opens a case: shows which bureau will see what of you and why, asks, sends it sealed to each, and follows it onto the chain
    Open(Open),
    /// Lists your cases, with what is next in each
    List,
    /// Tells a case in order of time, proved: who did what since when, what is next and by when, what you disclosed to whom
    Show(Show),
    /// Lists steps that are not decided in time, of all open cases, the longest overdue first; needs no wallet
    Overdue {
        /// Of this bureau alone: its unified social credit code
        #[arg(long, value_name = "USCC")]
        bureau: Option<Uscc>,
    },
    /// Joins a case to which you were invited, and says what is asked of you
    Confirm(Confirm),
    /// Presents anew what a bureau returned: what you do not change stays as it was
    Correct(Correct),
    /// Takes a case back: only who opened it, or whom it is for, can
    Withdraw {
        /// The case, as `kanhe case list` names it
        case: String,
    },
    /// Says how a case went, once, after its end: only whom it is for can
    Rate {
        /// The case, as `kanhe case list` names it
        case: String,
        /// 1, bad, to 5, good
        #[arg(value_parser = clap::value_parser!(u8).range(1..=5))]
        stars: u8,
    },
    /// Fetches the licences that came of a case into the wallet, after proving each
    Collect(Collect),
}

/// Options of `case collect`.
#[derive(Debug, Args)]
pub struct Collect {
    /// The case, as `kanhe case list` names it
    case: String,
    /// How long to wait for the bureau's answers
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    wait: u64,
}

/// What was done to a case.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Acted {
    /// Its id, in hexadecimal.
    pub id: String,
    /// The item and its version.
    pub item: String,
    /// `opened`, `presented`, `withdrawn` or `rated`.
    pub what: &'static str,
    /// What was disclosed by it, to whom.
    pub disclosed: Vec<Disclosed>,
    /// Codes for those who are invited; each is good for one, once.
    pub invitations: Vec<InvitationShown>,
    /// QR codes of the invitations, if they were written.
    pub pictures: Vec<PathBuf>,
    /// Codes for somebody without a wallet: with them the licences that come of it are picked up later.
    pub pickups: Vec<PickupShown>,
}

/// What the commands of the group work with.
pub(super) struct Desk {
    pub wallet: Wallet,
    pub follower: Follower,
    pub items: Items,
}

impl Desk {
    pub fn shelf(&self) -> Shelf<'_> {
        Shelf::of(&self.wallet)
    }
    /// Brings what was begun in a case to its end, with a bar for the parts of its files.
    pub fn carry(&mut self, own: &mut OwnCase, context: &Context) -> Result<(), Failure> {
        self.consent(own, context)?;
        let now = clock::now();
        let files = own.pending.iter().filter(|_| own.refused.is_none()).flat_map(|pending| pending.unstored(now));
        let parts = files.map(|file| u64::from(file.parts)).sum();
        let mut progress = context.output.progress(&say("case.sending", &[]), parts);
        carry(&self.wallet, &mut self.follower, &mut self.items, own, &mut |count| progress.add(count))
    }
    /// Brings the consents that a case's files speak of onto the chain before them. One that the chain refuses is told: what
    /// it was for cannot be read.
    fn consent(&mut self, own: &OwnCase, context: &Context) -> Result<(), Failure> {
        for id in own.consents.values() {
            let Some(mut given) = consent::Shelf::of(&self.wallet).get(id)? else { continue };
            match consent::carry(&self.wallet, &mut self.follower, &mut given) {
                Err(failure) if failure.exit == ExitCode::Refused => context.output.talk(failure.message),
                other => other?,
            }
        }
        Ok(())
    }
    /// Finishes what earlier commands could not. What fails is told, and does not stop the command.
    pub fn finish(&mut self, context: &Context) -> Result<(), Failure> {
        let mut all = self.shelf().all()?;
        // Of many cases each command looks after some, now these and now those.
        let first = u64::from_be_bytes(clock::random()?).checked_rem(all.len() as u64).unwrap_or_default();
        all.rotate_left(usize::try_from(first).unwrap_or_default());
        let mut looked_after = 0;
        for mut own in all {
            let (id, item) = (own.short(), own.item.clone());
            if own.pending.is_some() {
                context.output.talk(say("case.going_on", &[("id", &id), ("item", &item)]));
                if let Err(failure) = self.carry(&mut own, context) {
                    context.output.talk(say("case.not_finished", &[("id", &id), ("cause", &failure.message)]));
                }
            }
            if !own.kept.is_empty() && looked_after < LOOKED_AFTER_MAX {
                looked_after += own.kept.len();
                look_after(&self.wallet, &self.follower, &mut own)?;
            }
        }
        Ok(())
    }
}

/// Wallet and light client, once what is unfinished was finished as far as possible.
pub(super) fn desk(context: &Context) -> Result<Desk, Failure> {
    let mut desk = idle_desk(context)?;
    desk.finish(context)?;
    Ok(desk)
}

/// The same, with what is unfinished left as it is.
pub(super) fn idle_desk(context: &Context) -> Result<Desk, Failure> {
    Ok(Desk { wallet: wallet::open(context)?, follower: context.follower()?, items: Items::default() })
}

/// Runs a command of the group.
pub fn run(command: CaseCommand, context: &Context) -> Result<ExitCode, Failure> {
    let done = match command {
        CaseCommand::Open(options) => case_open::open(&options, context),
        CaseCommand::List => case_show::list(context),
        CaseCommand::Show(options) => case_show::show(&options, context),
        CaseCommand::Overdue { bureau } => case_overdue::run(bureau, context),
        CaseCommand::Confirm(options) => case_open::confirm(&options, context),
        CaseCommand::Correct(options) => case_open::correct(&options, context),
        CaseCommand::Withdraw { case } => withdraw(&case, context),
        CaseCommand::Rate { case, stars } => rate(&case, stars, context),
        CaseCommand::Collect(options) => collect(&options, context),
    };
    done.map_err(explain)
}

fn withdraw(id: &str, context: &Context) -> Result<ExitCode, Failure> {
    let mut desk = desk(context)?;
    let own = desk.shelf().find(id)?;
    context.confirm(&say("case.confirm_withdraw", &[("id", &own.short()), ("item", &own.item)]))?;
    let act = Act::Withdraw(Withdraw { case: own.id, slot: own.slot });
    plain(&mut desk, own, act, "withdrawn", context)
}

fn rate(id: &str, stars: u8, context: &Context) -> Result<ExitCode, Failure> {
    let mut desk = desk(context)?;
    let own = desk.shelf().find(id)?;
    // What was done at a counter is not praised there.
    if own.assisted.is_some() {
        return Err(Failure::of(ExitCode::Refused, "case_assist_rate", &[]));
    }
    let act = Act::Rate(Rate { case: own.id, stars });
    plain(&mut desk, own, act, "rated", context)
}

fn plain(
    desk: &mut Desk,
    mut own: OwnCase,
    act: Act,
    what: &'static str,
    context: &Context,
) -> Result<ExitCode, Failure> {
    check_idle(&own)?;
    let chain = desk.follower.trust().chain;
    keep_act(&mut own, act, &chain, &desk.shelf())?;
    desk.carry(&mut own, context)?;
    told(&own, what, Vec::new(), (Vec::new(), Vec::new()), context)
}

/// Refuses to begin something in a case where something else is under way.
pub(super) fn check_idle(own: &OwnCase) -> Result<(), Failure> {
    match own.pending {
        Some(_) => Err(Failure::of(ExitCode::Undecided, "case_unfinished", &[("id", &own.short())])),
        None => Ok(()),
    }
}

/// Says what was done, with pictures of invitations and codes for who has no wallet.
pub(super) fn told(
    own: &OwnCase,
    what: &'static str,
    disclosed: Vec<Disclosed>,
    (pictures, pickups): (Vec<PathBuf>, Vec<PickupShown>),
    context: &Context,
) -> Result<ExitCode, Failure> {
    let invitations = match what {
        "opened" => own.invitations.iter().map(|invited| InvitationShown::of(own, invited)).collect(),
        _ => Vec::new(),
    };
    let item = format!("{}:{}", own.item, own.version);
    let acted = Acted { id: own.id.to_string(), item, what, disclosed, invitations, pictures, pickups };
    context.output.data(&acted, || {
        let word = match what {
            "opened" => say("case.was_opened", &[("id", &own.short()), ("item", &acted.item)]),
            "presented" => say("case.was_presented", &[("id", &own.short()), ("item", &acted.item)]),
            "withdrawn" => say("case.was_withdrawn", &[("id", &own.short()), ("item", &acted.item)]),
            _ => say("case.was_rated", &[("id", &own.short()), ("item", &acted.item)]),
        };
        let mut lines = vec![word];
        for invited in &acted.invitations {
            lines.push(say("case.invitation", &[("party", &invited.party), ("code", &invited.code)]));
        }
        lines.extend(pickup_lines(&acted.pickups));
        lines.extend(acted.pictures.iter().map(|path| say("present.written", &[("path", &path.display())])));
        lines.join("\n")
    })?;
    Ok(ExitCode::Ok)
}

fn collect(options: &Collect, context: &Context) -> Result<ExitCode, Failure> {
    let mut desk = desk(context)?;
    let own = desk.shelf().find(&options.case)?;
    let mut wanted = desk.wallet.uncollected(false)?;
    wanted.retain(|record| own.applications.values().any(|id| *id == record.id));
    let wanted: Vec<collect::Wanted> = wanted.into_iter().map(|record| (record, None)).collect();
    if !wanted.is_empty() {
        let case = case::read(&mut desk.follower, &mut desk.items, &own.id)?;
        if case.is_some_and(|proved| !proved.case.steps.iter().any(|step| step.issued)) {
            return Err(Failure::of(ExitCode::Failure, "case_nothing_issued", &[("id", &own.short())]));
        }
    }
    let asking = collect::Asking { sealing_key: None, wait: options.wait, as_applied: true };
    collect::fetch(&wanted, &asking, &desk.wallet, &mut desk.follower, context)
}
