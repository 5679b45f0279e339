//! Someone with the `kanhe` command and a home of their own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::network::Network;
use crate::programs;

/// How a command ended.
#[derive(Debug, Clone)]
pub struct Ended {
    /// Its exit code.
    pub code: i32,
    /// stdout.
    pub data: String,
    /// stderr.
    pub talk: String,
}

impl Ended {
    /// What it said, as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A person or a desk.
#[derive(Debug)]
pub struct Person {
    folder: TempDir,
    passphrase: PathBuf,
    /// Nodes that are asked.
    pub node: String,
}

impl Person {
    /// With a passphrase of their own.
    pub fn new(node: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let passphrase = folder.path().join("passphrase");
        kanhe_client::home::write_private(&passphrase, b"correct horse battery\n").unwrap();
        Self { folder, passphrase, node: node.to_owned() }
    }
    /// With the passphrase in that file.
    pub fn at_desk(node: &str, passphrase: &Path) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), passphrase: passphrase.to_owned(), node: node.to_owned() }
    }
    /// A file in their folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
    /// A command in their folder, not yet run.
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(programs::client());
        command.args(words).args(["--json", "--yes"]).current_dir(self.folder.path());
        // The command asks all nodes that it is told, so a test's own word must stand alone.
        if !words.contains(&"--node") {
            command.args(["--node", &self.node]);
        }
        command.arg("--home").arg(self.at("home")).arg("--passphrase-file").arg(&self.passphrase);
        for variable in ["KANHE_NODE", "KANHE_HOME", "KANHE_LANG", "LC_ALL"] {
            command.env_remove(variable);
        }
        command.env("LANG", "C.UTF-8").stdin(Stdio::null());
        command
    }
    /// Runs a command in their folder.
    pub fn run(&self, words: &[&str]) -> Ended {
        let output = self.command(words).output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            data: String::from_utf8(output.stdout).unwrap(),
            talk: String::from_utf8(output.stderr).unwrap(),
        }
    }
    /// The same, which must succeed.
    pub fn ok(&self, words: &[&str]) -> Ended {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        ended
    }
    /// Gives a file to another.
    pub fn give(&self, name: &str, other: &Self) {
        fs::copy(self.at(name), other.at(name)).unwrap();
    }
    /// Pins a network's chain by its founders' file.
    pub fn pin(&self, network: &Network) {
        self.ok(&["trust", "pin", "--genesis", network.description.genesis.to_str().unwrap()]);
    }
}
