//! From the rows of a spreadsheet to licences in their holders' reach, by the commands that a bureau types.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde::Serialize;

use super::network::Network;

/// The type that is issued: the first of a local network.
const SUBJECT: &str = "business-licence";

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Issued {
    /// Licences per second: rows read and checked, licences signed, anchored, proved, and kept with their paths.
    pub licences_per_second: f64,
    /// Licences.
    pub licences: u32,
    /// Most licences in a batch.
    pub batch: u32,
    /// Seconds of `licence issue`, from start to end.
    pub seconds: f64,
    /// Seconds that the holders' applications took before it.
    pub applications_seconds: f64,
}

/// Runs `kanhe` for one person.
struct Person<'a> {
    program: PathBuf,
    home: PathBuf,
    passphrase: PathBuf,
    node: &'a str,
}

impl<'a> Person<'a> {
    fn new(scratch: &Path, name: &str, node: &'a str, passphrase: &[u8]) -> anyhow::Result<Self> {
        let program = std::env::current_exe()?.with_file_name("kanhe");
        ensure!(program.exists(), "{} is missing (scripts/build)", program.display());
        let path = scratch.join(format!("{name}.pass"));
        let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(passphrase)?;
        Ok(Self { program, home: scratch.join(name), passphrase: path, node })
    }
    fn run(&self, arguments: &[&str]) -> anyhow::Result<f64> {
        let mut command = Command::new(&self.program);
        command.arg("--home").arg(&self.home).arg("--passphrase-file").arg(&self.passphrase);
        command.args(["--node", self.node, "--yes"]).args(arguments);
        let began = Instant::now();
        let output = command.stdin(Stdio::null()).output().context("kanhe does not start")?;
        let seconds = began.elapsed().as_secs_f64();
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "kanhe {}: {}\n{said}", arguments.join(" "), output.status);
        Ok(seconds)
    }
}

/// Lets holders apply for so many licences, writes the spreadsheet, and times its issuing.
pub fn issue(network: &Network, scratch: &Path, licences: u32, batch: u32) -> anyhow::Result<Issued> {
    let kind = &network.description.types[0];
    let bureau = network.nodes().iter().find(|bureau| Some(bureau.uscc) == kind.issuer).context("nobody issues it")?;
    let file = |name: &str| scratch.join(name).display().to_string();
    let (count, code, issuer) = (licences.to_string(), kind.code.to_string(), bureau.uscc.to_string());
    let genesis = network.description.genesis.display().to_string();
    let (applications, sheet) = (file("applications.txt"), file("companies.csv"));

    let holders = Person::new(scratch, "holders", &bureau.api, b"a passphrase for the holders of this bench\n")?;
    holders.run(&["trust", "pin", "--genesis", &genesis])?;
    holders.run(&["wallet", "init"])?;
    let applying = ["wallet", "apply", "--type", &code, "--issuer", &issuer, "--count", &count, "--out", &applications];
    let applications_seconds = holders.run(&applying)?;
    holders.run(&[
        "sample",
        "--type",
        SUBJECT,
        "--seed",
        "7",
        "--count",
        &count,
        "--applications",
        &applications,
        "--out",
        &sheet,
    ])?;

    let office = Person::new(scratch, "office", &bureau.api, &fs::read(&bureau.passphrase_file)?)?;
    office.run(&["trust", "pin", "--genesis", &genesis])?;
    let (key, batch_text, out) = (bureau.issuing_key.display().to_string(), batch.to_string(), file("issued"));
    let issuing = ["licence", "issue", &sheet, "--type", &code, "--key", &key, "--batch", &batch_text, "--out", &out];
    let seconds = office.run(&issuing)?;
    Ok(Issued { licences_per_second: f64::from(licences) / seconds, licences, batch, seconds, applications_seconds })
}
