//! `kanhe wallet backup` and `kanhe wallet restore`.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Context, wallet};
use crate::clock;
use crate::talk::{ExitCode, Failure, moment, say};
use crate::vault::{Older, Vault};
use crate::wallet::{LicenceRecord, Wallet};

/// A backup that was made.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Made {
    /// The file.
    file: String,
    /// Rows in it.
    rows: u64,
    /// The wallet's change counter.
    changes: u64,
}

/// Writes the wallet of this home to a new file.
pub fn write(file: &Path, context: &Context) -> Result<ExitCode, Failure> {
    let info = wallet::open(context)?.vault().backup(file, clock::now().0)?;
    let made = Made { file: file.display().to_string(), rows: info.rows, changes: info.changes };
    context.output.data(&made, || say("wallet.backed_up", &[("path", &file.display()), ("rows", &info.rows)]))?;
    Ok(ExitCode::Ok)
}

/// What of the wallet that was there the restored one lacks.
struct Lacking {
    lacking: Option<Vec<String>>,
    not_compared: Option<String>,
    told: Option<String>,
}

impl Lacking {
    fn of(before: Result<Vec<LicenceRecord>, Failure>, wallet: &Wallet) -> Result<Self, Failure> {
        let before = match before {
            Ok(before) => before,
            Err(failure) => {
                let told = match failure.code.as_str() {
                    "no_wallet" => say("wallet.lacking_no_wallet", &[]),
                    _ => say("wallet.lacking_unread", &[("cause", &failure)]),
                };
                return Ok(Self { lacking: None, not_compared: Some(failure.code), told: Some(told) });
            }
        };
        let mut lacking = Vec::new();
        for record in before {
            if !wallet.has(&record.digest)? {
                lacking.push(record.short());
            }
        }
        let told = (!lacking.is_empty()).then(|| say("wallet.lacking", &[("licences", &lacking.join(", "))]));
        Ok(Self { lacking: Some(lacking), not_compared: None, told })
    }
}

/// A wallet that was made from a backup.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Restored {
    /// Licences in it.
    licences: usize,
    /// Names of the licences of the wallet before that it lacks; null if there was nothing to compare with.
    lacking: Option<Vec<String>>,
    /// Code of why there was not: `no_wallet`, or that of the failure to read it.
    not_compared: Option<String>,
    /// Where the wallet before is now.
    replaced: Option<String>,
}

/// Makes the wallet of this home from a backup.
pub fn restore(file: &Path, older: bool, context: &Context) -> Result<ExitCode, Failure> {
    let path = context.home.wallet();
    let passphrase = context.passphrase.existing()?;
    // What is here now is looked at first: it is the only one who knows what the backup lacks.
    let before = match path.exists() {
        true => Wallet::open(&path, &passphrase).and_then(|wallet| wallet.licences()),
        false => Err(wallet::missing(&path)),
    };
    let older = if older { Older::Allow } else { Older::Refuse };
    let restored = Vault::restore(file, &path, &passphrase, older)?;
    drop(restored.vault);
    let wallet = Wallet::open(&path, &passphrase)?;
    let lacking = Lacking::of(before, &wallet)?;
    let licences = wallet.licences()?.len();
    let replaced = restored.replaced.map(|path| path.display().to_string());
    let (lacks, not_compared) = (lacking.lacking, lacking.not_compared);
    let told = Restored { licences, lacking: lacks, not_compared, replaced };
    context.output.data(&told, || {
        let made = moment(restored.info.made_ms, clock::now().0);
        let mut lines = vec![say("wallet.restored", &[("licences", &licences), ("made", &made)])];
        lines.extend(lacking.told);
        if let Some(replaced) = &told.replaced {
            lines.push(say("wallet.replaced", &[("path", replaced)]));
        }
        lines.join("\n")
    })?;
    Ok(ExitCode::Ok)
}
