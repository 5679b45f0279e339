//! The `kanhe` command in a home of its own.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use kanhe_proto::key::SecretKey;
use kanhe_proto::key_file::{KdfCost, KeyFileRole, Passphrase, protect};
use serde_json::Value;

pub const PASSPHRASE: &str = "correct horse battery";

pub struct Home {
    pub dir: tempfile::TempDir,
    pub node: Option<String>,
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub data: String,
    pub talk: String,
}

impl Ended {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.data).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
    pub fn error(&self) -> String {
        let last = self.talk.lines().last().unwrap_or_default();
        let value: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        value["error"]["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// The published schema that the output of a command must fit; none for output of another format.
fn schema_of(words: &[&str]) -> Option<String> {
    let has = |word: &str| words.contains(&word);
    let (first, second) = (words[0], words.get(1).copied().unwrap_or_default());
    let name = match (first, second) {
        ("verify", "request") => return None,
        ("audit", "log") if has("--out") => "audit-log-out".to_owned(),
        ("account", "show") => "account-show".to_owned(),
        ("account", "keys") if has("new") => "account-key".to_owned(),
        ("account", "delegate") if has("list") => "account-delegates".to_owned(),
        ("account", _) => "account-change".to_owned(),
        ("case", "open") if has("--from") => "case-batch".to_owned(),
        ("case", "open" | "confirm" | "correct" | "withdraw" | "rate") => "case-act".to_owned(),
        ("desk", "approve" | "reject" | "return") => "desk-rule".to_owned(),
        ("case", "show") if has("--code") => "case-invitation".to_owned(),
        ("case", "collect") => "wallet-list".to_owned(),
        ("wallet", "present") if has("sd-jwt") => return None,
        ("gov", _) if has("--dry-run") => "gov-show".to_owned(),
        ("gov", _) if has("--out") && !matches!(second, "card" | "key" | "template") => "gov-written".to_owned(),
        ("gov", "propose" | "vote" | "submit" | "rotate" | "key-compromised" | "reaffirm") => "gov-sent".to_owned(),
        ("gov", "key") if has("list") => "gov-keys".to_owned(),
        ("licence", "issue" | "renew") if has("--abandon") => "licence-abandon".to_owned(),
        ("licence", "issue") if has("--dry-run") => "licence-issue-dry-run".to_owned(),
        ("licence", "batches") if has("--watch") => "licence-batches-watch".to_owned(),
        ("licence", "suspend" | "reinstate" | "revoke" | "loss") => "licence-change".to_owned(),
        ("trust", "pin" | "show") => "trust".to_owned(),
        ("trust", "update" | "issuer-jwk") => format!("trust-{second}"),
        ("consent", "grant" | "withdraw") => "consent-show".to_owned(),
        ("read", "request") if has("--subjects") => "read-list".to_owned(),
        ("read", "request") => "read-show".to_owned(),
        ("catalogue", "declare" | "retire") => "gov-sent".to_owned(),
        ("verify", "check" | "recheck") => "verify-check".to_owned(),
        ("wallet", "import" | "list" | "collect" | "refresh") => "wallet-list".to_owned(),
        ("sample" | "status", _) => first.to_owned(),
        _ => format!("{first}-{second}"),
    };
    Some(name)
}

fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schemas").join(format!("{name}.json"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut schema = serde_json::from_str(&text).unwrap();
    close(&mut schema);
    schema
}

/// Programs must bear fields that are new, so the schemas do; the tests do not, so that no field is left out of one.
fn close(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("properties").is_some_and(Value::is_object) {
                members.insert("unevaluatedProperties".to_owned(), false.into());
            }
            members.values_mut().for_each(close);
        }
        Value::Array(elements) => elements.iter_mut().for_each(close),
        _ => {}
    }
}

fn assert_fits(name: &str, line: &str) {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{name}: {error}: {line}"));
    let schema = jsonschema::draft202012::new(&schema(name)).unwrap();
    let faults: Vec<String> = schema.iter_errors(&value).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{name}: {faults:?}: {line}");
}

/// Holds what a command said with `--json` against the published schemas.
fn assert_published(words: &[&str], ended: &Ended) {
    if let Some(name) = schema_of(words) {
        ended.data.lines().for_each(|line| assert_fits(&name, line));
    }
    let last = ended.talk.lines().last().unwrap_or_default();
    if last.starts_with('{') {
        assert_fits("error", last);
    } else {
        let verdict = words[0] == "verify" && !ended.data.is_empty();
        let dry = words.contains(&"--dry-run");
        assert!(ended.code == 0 || verdict || dry, "it failed and does not say why: {words:?}: {ended:?}");
    }
}

fn ended(output: Output) -> Ended {
    Ended {
        code: output.status.code().unwrap_or(-1),
        data: String::from_utf8(output.stdout).unwrap(),
        talk: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running command; it is killed if the test fails before it was asked to end.
pub struct Running(Option<Child>, Vec<String>);

impl Running {
    /// What it says first; the rest is read when it ends.
    pub fn first_line(&mut self) -> String {
        let stdout = self.0.as_mut().unwrap().stdout.as_mut().unwrap();
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            if stdout.read(&mut byte).unwrap() == 0 {
                break;
            }
            line.push(byte[0]);
        }
        let line = String::from_utf8(line).unwrap();
        let words: Vec<&str> = self.1.iter().map(String::as_str).collect();
        if let Some(name) = schema_of(&words) {
            assert_fits(&name, &line);
        }
        line
    }
    /// Waits for its own end; one that does not come is asked to.
    pub fn ended(mut self) -> Ended {
        for _ in 0..300 {
            if self.0.as_mut().unwrap().try_wait().unwrap().is_some() {
                let child = self.0.take().unwrap();
                return self.what_it_said(child);
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        self.terminate()
    }
    /// Asks it to end, as an operating system would.
    pub fn terminate(mut self) -> Ended {
        let child = self.0.take().unwrap();
        let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
        assert!(sent.success());
        self.what_it_said(child)
    }
    fn what_it_said(&self, child: Child) -> Ended {
        let ended = ended(child.wait_with_output().unwrap());
        let words: Vec<&str> = self.1.iter().map(String::as_str).collect();
        assert_published(&words, &ended);
        ended
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            let _ = child.kill().and_then(|()| child.wait());
        }
    }
}

impl Home {
    pub fn new(node: Option<&str>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = Self { dir, node: node.map(str::to_owned) };
        home.write("passphrase", format!("{PASSPHRASE}\n").as_bytes());
        home
    }
    pub fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
    pub fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        kanhe_client::home::write_private(&self.at(name), bytes).unwrap();
        self.at(name)
    }
    /// A request key in a file that opens with this home's passphrase.
    pub fn request_key(&self, key: &SecretKey) -> PathBuf {
        self.key_file("request.key", KeyFileRole::Request, key.seed())
    }
    /// The same for any key.
    pub fn key_file(&self, name: &str, role: KeyFileRole, seed: &[u8; 32]) -> PathBuf {
        let passphrase = Passphrase::new(PASSPHRASE.as_bytes().to_vec());
        let file = protect(seed, role, &passphrase, KdfCost::LIGHT_FOR_DEMOS, [1; 16], [2; 24]).unwrap();
        self.write(name, file.as_bytes())
    }
    /// Runs a command with `--json` and this home's passphrase.
    pub fn run(&self, words: &[&str]) -> Ended {
        self.run_with(words, true)
    }
    pub fn run_with(&self, words: &[&str], json: bool) -> Ended {
        let ended = ended(self.command(words, json).output().unwrap());
        if json {
            assert_published(words, &ended);
        }
        ended
    }
    /// Starts a command that goes on until it is asked to end.
    pub fn start(&self, words: &[&str]) -> Running {
        let mut command = self.command(words, true);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        Running(Some(child), words.iter().map(|word| (*word).to_owned()).collect())
    }
    fn command(&self, words: &[&str], json: bool) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kanhe"));
        command.args(words).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_remove("KANHE_NODE").env("KANHE_HOME", self.at("home")).env("LANG", "C.UTF-8");
        command.env_remove("KANHE_LANG").env_remove("LC_ALL");
        command.arg("--passphrase-file").arg(self.at("passphrase"));
        if json {
            command.arg("--json");
        }
        if let Some(node) = &self.node {
            command.env("KANHE_NODE", node);
        }
        command
    }
    /// The same, which must succeed.
    pub fn ok(&self, words: &[&str]) -> Ended {
        let ended = self.run(words);
        assert_eq!(ended.code, 0, "{words:?}: {ended:?}");
        ended
    }
    pub fn copy(&self, name: &str, to: &Path) {
        std::fs::copy(self.at(name), to).unwrap();
    }
}
