//! `validator`: a validator key moves to another machine.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use kanhe_proto::key_file::Passphrase;

use super::print;
use crate::config::Config;
use crate::moving::{self, MoveError};
use crate::run::keys::PassphraseSource;

#[derive(Subcommand)]
pub(super) enum ValidatorCommand {
    /// Moves the validator key of a stopped node, with its signing guard, into an encrypted file. This home never signs
    /// again. Interrupted, it can be repeated.
    Export {
        /// The node's home.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// The file to be made; it must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        passphrases: Passphrases,
    },
    /// Installs an exported validator key and its guard in the home of a stopped node of the same chain. It signs
    /// nothing until a height above all that its peers have is decided. Interrupted, it can be repeated.
    Import {
        /// The node's home.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// The exported file. Import it into one home only.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        passphrases: Passphrases,
    },
    /// Makes the next validator key of a node, which takes over from the one in use without a pause of the chain. Repeated,
    /// it shows the key again.
    Rotate {
        /// The node's home.
        #[arg(long, value_name = "DIR")]
        home: PathBuf,
        /// File with the passphrase of the home's keys, mode 0600; else the configured one, else it is asked for.
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
}

#[derive(Args)]
pub(super) struct Passphrases {
    /// File with the passphrase of the home's keys, mode 0600; else the configured one, else it is asked for.
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// File with the passphrase of the moved file, mode 0600; else it is that of the home's keys.
    #[arg(long, value_name = "FILE")]
    file_passphrase_file: Option<PathBuf>,
}

impl Passphrases {
    fn read(self, home: &Path) -> Result<(Passphrase, Passphrase), MoveError> {
        let config = Config::load(home)?;
        let keys = PassphraseSource::of(home, &config, self.passphrase_file).read()?;
        let file = match self.file_passphrase_file {
            Some(path) => PassphraseSource::File(path).read()?,
            None => keys.clone(),
        };
        Ok((keys, file))
    }
}

pub(super) fn validator(command: ValidatorCommand) -> anyhow::Result<ExitCode> {
    match command {
        ValidatorCommand::Rotate { home, passphrase_file } => {
            let config = Config::load(&home).map_err(MoveError::from)?;
            let source = PassphraseSource::of(&home, &config, passphrase_file);
            let made = moving::rotate(&home, &source.read().map_err(MoveError::from)?)?;
            let bureau = made.bureau.map_or_else(|| "USCC".to_owned(), |bureau| bureau.to_string());
            print(&format!(
                "next key   {}\nfile       {}{}\n\nNext:\n1. Start the node again: it learns of the key.\n2. Here: kanhe gov \
                 key prove {} --as {bureau} --out proof.json\n3. With the governance key: kanhe gov rotate validator --new \
                 proof.json --key gov.key\nThe node then takes the seat and changes its key by itself. Do not delete the old \
                 key's guard.\n",
                made.key,
                made.file.display(),
                if made.again { " (made before)" } else { "" },
                made.file.display(),
            ))
        }
        ValidatorCommand::Export { home, out, passphrases } => {
            let (keys, file) = passphrases.read(&home)?;
            let done = moving::export(&home, &out, &keys, &file)?;
            let again = if done.again { " once more" } else { "" };
            print(&format!(
                "validator  {}\nexported   {}{again}\nnewest     block {}\nsigned     {}\n\nThis home never signs again. Next, \
                 on the other machine: kanhe-node validator import --home DIR {}\nImport it into one home only, then \
                 destroy the file.\n",
                done.validator,
                out.display(),
                done.height,
                up_to(done.signed),
                out.display(),
            ))
        }
        ValidatorCommand::Import { home, file, passphrases } => {
            let (keys, passphrase) = passphrases.read(&home)?;
            let done = moving::import(&home, &file, &keys, &passphrase)?;
            print(&format!(
                "validator  {}\nexported   at block {}\nsigned     {} ({} messages in its guard)\n\nNext: kanhe-node run \
                 --home {}\nIt is silent until a height above all that its peers have is decided. Destroy the file once it \
                 votes.\n",
                done.validator,
                done.height,
                up_to(done.signed),
                done.messages,
                home.display(),
            ))
        }
    }
}

fn up_to(height: Option<kanhe_proto::ids::Height>) -> String {
    height.map_or_else(|| "nothing".to_owned(), |height| format!("up to height {height}"))
}
