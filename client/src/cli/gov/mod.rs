//! `kanhe gov`: the bureaus decide.

pub mod card;
pub mod diff;
pub mod key_list;
pub mod keys;
pub mod propose;
pub mod show;
pub mod template;
pub mod view;
pub mod vote;
pub mod words;

use std::path::PathBuf;
use std::str::FromStr;

use clap::Subcommand;
use kanhe_proto::hash::ProposalId;

use super::Context;
use crate::follow::Follower;
use crate::talk::{ExitCode, Failure, say};

/// The bureaus decide.
#[derive(Debug, Subcommand)]
pub enum Gov {
    /// Proposes an action, or several from a file; shows first what it would do
    Propose(Box<propose::Propose>),
    /// Shows a proposal: what it would do, who has voted, whose votes would suffice
    Show {
        /// Its id, or its file
        #[arg(value_name = "ID|FILE")]
        what: What,
    },
    /// Lists the open proposals
    List,
    /// Votes on a proposal; with --out also on a machine without a node
    Vote(vote::Vote),
    /// Brings proposals and votes that were made elsewhere onto the chain
    Submit(vote::Submit),
    /// Takes an open proposal of the bureau back
    Withdraw(vote::Withdraw),
    /// Writes a proposal's file to fill in
    Template(template::Template),
    /// Puts a new key of the bureau in the place of one
    Rotate(keys::Rotate),
    /// Reports a key of the bureau as stolen: its batches from a height on are revoked
    KeyCompromised(keys::Compromised),
    /// Declares batches of a stolen key honest
    Reaffirm(keys::Reaffirm),
    /// Keys in files: made, and proved to be the bureau's
    #[command(subcommand)]
    Key(keys::Key),
    /// Membership cards: made and checked
    #[command(subcommand)]
    Card(card::Card),
}

/// A proposal on the chain or in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// By its id.
    Id(ProposalId),
    /// In a file.
    File(PathBuf),
}

impl FromStr for What {
    type Err = std::convert::Infallible;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.parse().map_or_else(|_| Self::File(PathBuf::from(text)), Self::Id))
    }
}

/// Runs a command of the group.
pub fn run(command: Gov, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Gov::Propose(options) => propose::run(&options, context),
        Gov::Show { what } => show::show(&what, context),
        Gov::List => show::list(context),
        Gov::Vote(options) => vote::vote(&options, context),
        Gov::Submit(options) => vote::submit(&options, context),
        Gov::Withdraw(options) => vote::withdraw(&options, context),
        Gov::Template(options) => template::run(&options, context),
        Gov::Rotate(options) => keys::rotate(options, context),
        Gov::KeyCompromised(options) => keys::compromised(options, context),
        Gov::Reaffirm(options) => keys::reaffirm(options, context),
        Gov::Key(command) => keys::run(command, context),
        Gov::Card(command) => card::run(command, context),
    }
}

/// Whether a node can be asked. Where the result is a file it need not, and that is said.
fn reach(follower: &mut Follower, to_file: bool, context: &Context) -> Result<bool, Failure> {
    let Err(error) = follower.update() else { return Ok(true) };
    let failure = error.failure();
    let away = failure.exit == ExitCode::Unreachable || failure.code == "no_node";
    if !to_file || !away {
        return Err(failure);
    }
    context.output.talk(say("gov.offline", &[("cause", &failure.message)]));
    Ok(false)
}
