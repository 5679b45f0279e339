//! A bureau's own keys: `kanhe gov rotate`, `key-compromised`, `reaffirm`, and `kanhe gov key`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use kanhe_proto::identifiers::Uscc;
use kanhe_proto::key::{KeyId, PublicKey};
use kanhe_proto::key_file::{self, KdfCost, KeyFileRole};
use kanhe_proto::registry::KeyRole;
use serde::Serialize;

use super::propose::{Making, alone, make};
use crate::cli::Context;
use crate::clock;
use crate::governance::{Lock, NewKeyFile, Wanted, prove, word};
use crate::home;
use crate::talk::{ExitCode, Failure, say};

/// Options of `gov rotate`.
#[derive(Debug, Args)]
pub struct Rotate {
    /// governance, issuing, validator, network or sealing
    #[arg(value_parser = word::<KeyRole>)]
    role: KeyRole,
    /// Key file, or what `gov key prove` wrote
    #[arg(long, value_name = "FILE")]
    new: PathBuf,
    /// Key that goes, by its id [default: the only one known]
    #[arg(long, value_name = "KEYID", allow_hyphen_values = true)]
    old: Option<KeyId>,
    /// How long the old key still holds, at most 7d [default: 24h; 0 for governance and validator keys]
    #[arg(long, value_name = "SPAN")]
    overlap: Option<String>,
    #[command(flatten)]
    making: Making,
}

/// Options of `gov key-compromised`.
#[derive(Debug, Args)]
pub struct Compromised {
    /// The key's id
    #[arg(value_name = "KEYID", allow_hyphen_values = true)]
    stolen: KeyId,
    /// First height of the doubt
    #[arg(long, value_name = "HEIGHT")]
    since: u64,
    #[command(flatten)]
    making: Making,
}

/// Options of `gov reaffirm`.
#[derive(Debug, Args)]
pub struct Reaffirm {
    /// Batches
    #[arg(value_name = "BATCH", required = true)]
    batches: Vec<u64>,
    #[command(flatten)]
    making: Making,
}

/// Keys in files.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Makes a key in a new file, protected by a passphrase
    New {
        /// governance, issuing, validator, network, sealing or request
        #[arg(long, value_parser = word::<KeyFileRole>)]
        role: KeyFileRole,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Writes the public half of a key with the proof that the bureau has it, to be carried to who proposes it
    Prove {
        /// The key file
        #[arg(value_name = "KEYFILE")]
        file: PathBuf,
        /// The bureau
        #[arg(long = "as", value_name = "USCC")]
        bureau: Uscc,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
    },
    /// Lists the keys of a bureau, each proved
    List {
        /// The bureau
        #[arg(value_name = "USCC")]
        bureau: Uscc,
        /// Also those that have ended, were reported as stolen, or never began
        #[arg(long)]
        old: bool,
    },
}

/// A new key takes the place of an old one.
pub fn rotate(options: Rotate, context: &Context) -> Result<ExitCode, Failure> {
    let Rotate { role, new, old, overlap, making } = options;
    let wanted = Wanted::RotateKey { role, new, old, add: false, overlap, bureau: None };
    make(&making, alone(wanted), PathBuf::new(), context)
}

/// A key was stolen.
pub fn compromised(options: Compromised, context: &Context) -> Result<ExitCode, Failure> {
    let Compromised { stolen, since, making } = options;
    make(&making, alone(Wanted::DistrustKey { key: stolen, since, bureau: None }), PathBuf::new(), context)
}

/// Batches of a stolen key are honest.
pub fn reaffirm(options: Reaffirm, context: &Context) -> Result<ExitCode, Failure> {
    let Reaffirm { batches, making } = options;
    make(&making, alone(Wanted::Reaffirm { batches }), PathBuf::new(), context)
}

/// A key in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub(in crate::cli) struct KeyShown {
    file: String,
    #[schemars(with = "String")]
    role: KeyFileRole,
    #[schemars(with = "String")]
    id: KeyId,
    #[schemars(with = "String")]
    key: PublicKey,
}

/// Keys in files.
pub fn run(command: Key, context: &Context) -> Result<ExitCode, Failure> {
    match command {
        Key::New { role, out } => new(role, &out, context),
        Key::Prove { file, bureau, out } => prove_to_file(&file, bureau, &out, context),
        Key::List { bureau, old } => super::key_list::list(bureau, old, context),
    }
}

fn new(role: KeyFileRole, out: &Path, context: &Context) -> Result<ExitCode, Failure> {
    must_be_new(out)?;
    let passphrase = key_file::Passphrase::new(context.passphrase.fresh()?.bytes().to_vec());
    let seed = zeroize::Zeroizing::new(clock::random::<32>()?);
    let made = key_file::protect(&seed, role, &passphrase, KdfCost::USUAL, clock::random()?, clock::random()?);
    let text = made
        .map_err(|error| Failure::of(ExitCode::Failure, "key_file", &[("path", &out.display()), ("cause", &error)]))?;
    home::write_private(out, text.as_bytes())?;
    let key = role.public_key(&seed);
    told(KeyShown { file: out.display().to_string(), role, id: key.id(), key }, context)
}

fn prove_to_file(file: &Path, bureau: Uscc, out: &Path, context: &Context) -> Result<ExitCode, Failure> {
    must_be_new(out)?;
    let chain = context.home.trust()?.chain;
    let text = home::read_text(file, key_file::KEY_FILE_BYTES_MAX)?;
    let described = key_file::describe(&text)
        .map_err(|error| Failure::of(ExitCode::Failure, "key_file", &[("path", &file.display()), ("cause", &error)]))?;
    let role = role_of(described.0, file)?;
    let key = prove(&chain, &bureau, role, file, &mut Lock::new(&context.passphrase))?;
    home::write_private(out, NewKeyFile::new(chain, bureau, key.clone()).to_text().as_bytes())?;
    told(KeyShown { file: out.display().to_string(), role: described.0, id: key.key.id(), key: key.key }, context)
}

/// The role that a key has in the registry.
pub fn role_of(role: KeyFileRole, file: &Path) -> Result<KeyRole, Failure> {
    match role {
        KeyFileRole::Governance => Ok(KeyRole::Governance),
        KeyFileRole::Issuing => Ok(KeyRole::Issuing),
        KeyFileRole::Validator => Ok(KeyRole::Validator),
        KeyFileRole::Network => Ok(KeyRole::Network),
        KeyFileRole::Sealing => Ok(KeyRole::Sealing),
        KeyFileRole::Request => {
            let args: &[(&str, &dyn std::fmt::Display)] = &[("path", &file.display()), ("expected", &"a bureau")];
            Err(Failure::of(ExitCode::Usage, "key_role_other", args))
        }
    }
}

/// A file that is there is never overwritten.
pub fn must_be_new(out: &Path) -> Result<(), Failure> {
    match out.exists() {
        true => Err(Failure::of(ExitCode::Failure, "file_exists", &[("path", &out.display())])),
        false => Ok(()),
    }
}

fn told(shown: KeyShown, context: &Context) -> Result<ExitCode, Failure> {
    context
        .output
        .data(&shown, || say("gov.key_written", &[("path", &shown.file), ("id", &shown.id), ("key", &shown.key)]))?;
    Ok(ExitCode::Ok)
}
