//! A local network of `kanhe-node` processes, made by `kanhe-node devnet init`.

use std::fs::{self, File};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};

use kanhe_node::devnet::{BureauDescription, Description};
use kanhe_proto::api::{HeaderAnswer, NodeStatus};
use kanhe_proto::genesis::Genesis;
use tempfile::TempDir;

use crate::http::Http;
use crate::machines::Machines;
use crate::power::Shim;
use crate::programs;

const PAUSE: Duration = Duration::from_millis(50);
/// Lines of a node's log in a failure's message.
const LOG_LINES: usize = 25;

/// A network; its processes end with it.
#[derive(Debug)]
pub struct Network {
    /// What `devnet.json` says.
    pub description: Description,
    /// The founders' file.
    pub genesis: Genesis,
    /// Asks its nodes.
    pub http: Http,
    folder: PathBuf,
    children: Vec<Option<Child>>,
    shim: Option<Rc<Shim>>,
    machines: Option<Rc<Machines>>,
    // Last, so that the processes end before their homes go.
    _temporary: Option<TempDir>,
}

/// Runs `kanhe-node` to its end.
pub fn run_node_program(arguments: &[&str]) -> Output {
    Command::new(programs::node()).args(arguments).stdin(Stdio::null()).output().unwrap()
}

impl Network {
    /// Founds one in a temporary folder; nothing runs yet.
    pub fn found(bureaus: usize, heartbeat_ms: u64) -> Self {
        Self::found_with(bureaus, heartbeat_ms, &[])
    }

    /// The same, with more options of `devnet init`.
    pub fn found_with(bureaus: usize, heartbeat_ms: u64, options: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let mut network = Self::make(temporary.path(), bureaus, heartbeat_ms, options);
        network._temporary = Some(temporary);
        network
    }

    /// Founds one in an empty folder that stays.
    pub fn found_in(folder: &Path, bureaus: usize, heartbeat_ms: u64) -> Self {
        Self::make(folder, bureaus, heartbeat_ms, &[])
    }

    /// Founds one whose nodes run on a machine each, the last of them bureaus that the chain does not know.
    pub fn found_on(folder: &Path, machines: Rc<Machines>, outside: usize, heartbeat_ms: u64) -> Self {
        let (count, more, hosts) = (machines.count(), outside.to_string(), machines.hosts());
        let options = ["--outside", &more, "--hosts", &hosts];
        let mut network = Self::make(folder, count - outside, heartbeat_ms, &options);
        for node in 0..count {
            // The test must reach it also when the machines do not reach each other.
            let (_, port) = network.api(node).rsplit_once(':').unwrap();
            let listen = format!("{}:{port}", machines.line(node));
            network.description.bureaus[node].api = format!("http://{listen}");
            network.configure(node, "api.listen", &format!("{listen:?}"));
        }
        network.machines = Some(machines);
        network
    }

    fn make(folder: &Path, bureaus: usize, heartbeat_ms: u64, options: &[&str]) -> Self {
        let dir = folder.join("net");
        let (bureaus, heartbeat_ms) = (bureaus.to_string(), heartbeat_ms.to_string());
        let words = ["devnet", "init", "--bureaus", &bureaus, "--heartbeat-ms", &heartbeat_ms, "--dir"];
        let made = run_node_program(&[&words[..], &[dir.to_str().unwrap()], options].concat());
        assert!(made.status.success(), "{made:?}");
        let description: Description = serde_json::from_slice(&fs::read(dir.join("devnet.json")).unwrap()).unwrap();
        let genesis = Genesis::from_bytes(&fs::read(&description.genesis).unwrap()).unwrap();
        fs::create_dir(folder.join("logs")).unwrap();
        let children = description.bureaus.iter().map(|_| None).collect();
        let http = Http::default();
        Self {
            description,
            genesis,
            http,
            folder: folder.to_owned(),
            children,
            shim: None,
            machines: None,
            _temporary: None,
        }
    }

    /// Nodes started from now on run under the shim that records what is synced.
    pub fn record_syncs(&mut self, shim: Rc<Shim>) {
        self.shim = Some(shim);
    }

    /// Shorter waits at the start than between cities.
    pub fn start_fast(&self) {
        for node in 0..self.size() {
            self.configure(node, "listen_ms", "500");
            self.configure(node, "peers_ms", "3000");
        }
    }

    /// Sets a key of a node's configuration: `section.key`, or `key` alone if it occurs once.
    pub fn configure(&self, node: usize, key: &str, value: &str) {
        let path = self.home(node).join("config.toml");
        let text = fs::read_to_string(&path).unwrap();
        let (wanted, key) = key.rsplit_once('.').map_or((None, key), |(section, key)| (Some(section), key));
        let (prefix, mut section, mut found, mut lines) = (format!("{key} = "), "", 0, Vec::new());
        for line in text.lines() {
            section = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')).unwrap_or(section);
            let set = line.starts_with(&prefix) && wanted.is_none_or(|wanted| wanted == section);
            found += usize::from(set);
            lines.push(if set { format!("{prefix}{value}") } else { line.to_owned() });
        }
        assert_eq!(found, 1, "{key}");
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    }

    /// How many nodes it has.
    pub fn size(&self) -> usize {
        self.description.bureaus.len()
    }
    /// A node's bureau.
    pub fn bureau(&self, node: usize) -> &BureauDescription {
        &self.description.bureaus[node]
    }
    /// A node's home.
    pub fn home(&self, node: usize) -> &Path {
        &self.bureau(node).home
    }
    /// A node's API.
    pub fn api(&self, node: usize) -> &str {
        &self.bureau(node).api
    }
    /// Those that the chain was founded with.
    pub fn founders(&self) -> impl Iterator<Item = usize> {
        (0..self.size()).filter(|node| self.bureau(*node).founder)
    }
    /// All APIs.
    pub fn apis(&self) -> Vec<String> {
        self.description.bureaus.iter().map(|bureau| bureau.api.clone()).collect()
    }
    fn log(&self, node: usize) -> PathBuf {
        self.folder.join("logs").join(&self.bureau(node).name)
    }
    /// All that a node has logged.
    pub fn words(&self, node: usize) -> String {
        fs::read_to_string(self.log(node)).unwrap_or_default()
    }
    /// The last lines of a node's log.
    pub fn last_words(&self, node: usize) -> String {
        let text = fs::read_to_string(self.log(node)).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
    }

    /// `kanhe-node` where a node runs.
    fn program(&self, node: usize) -> Command {
        match &self.machines {
            Some(machines) => machines.command(node, programs::node()),
            None => Command::new(programs::node()),
        }
    }
    /// Runs `kanhe-node` to its end where a node runs.
    pub fn run_at(&self, node: usize, arguments: &[&str]) -> Output {
        self.program(node).args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Starts a node.
    pub fn start(&mut self, node: usize) {
        self.start_with(node, |_, _| {});
    }
    /// Starts a node whose command, with its home, was changed before.
    pub fn start_with(&mut self, node: usize, change: impl FnOnce(&mut Command, &Path)) {
        assert!(self.children[node].is_none(), "{} runs", self.bureau(node).name);
        let log = File::options().create(true).append(true).open(self.log(node)).unwrap();
        let mut command = self.program(node);
        command.arg("run").arg("--home").arg(self.home(node)).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        if let Some(shim) = &self.shim {
            shim.record(&mut command, self.home(node));
        }
        change(&mut command, self.home(node));
        self.children[node] = Some(command.spawn().unwrap());
    }
    /// Starts all that do not run.
    pub fn start_all(&mut self) {
        (0..self.size()).filter(|node| self.children[*node].is_none()).collect::<Vec<_>>().into_iter().for_each(
            |node| {
                self.start(node);
            },
        );
    }
    /// SIGKILL: what a crash of the process leaves. It must have been alive.
    pub fn kill(&mut self, nodes: &[usize]) {
        // All get the signal before the first is waited for.
        for node in nodes {
            self.must_live(*node);
            self.children[*node].as_mut().unwrap().kill().unwrap();
        }
        for node in nodes {
            let status = self.children[*node].take().unwrap().wait().unwrap();
            assert_eq!(status.signal(), Some(9), "{} ended by itself just then: {status}", self.bureau(*node).name);
        }
    }
    /// SIGTERM to all, and that each ends well.
    pub fn stop_all(&mut self) {
        for child in self.children.iter().flatten() {
            assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
        }
        for node in 0..self.size() {
            let Some(mut child) = self.children[node].take() else { continue };
            let code = child.wait().unwrap().code();
            assert_eq!(code, Some(0), "{}\n{}", self.bureau(node).name, self.last_words(node));
        }
    }
    /// How a node ended by itself, if it did.
    pub fn ended(&mut self, node: usize) -> Option<ExitStatus> {
        let ended = self.children[node].as_mut().unwrap().try_wait().unwrap();
        if ended.is_some() {
            self.children[node] = None;
        }
        ended
    }
    /// Waits until a node ends by itself.
    pub fn wait_end(&mut self, node: usize, limit: Duration) -> ExitStatus {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = self.ended(node) {
                return status;
            }
            assert!(Instant::now() < until, "{} goes on\n{}", self.bureau(node).name, self.last_words(node));
            std::thread::sleep(PAUSE);
        }
    }
    fn must_live(&mut self, node: usize) {
        let name = self.bureau(node).name.clone();
        let ended =
            self.children[node].as_mut().unwrap_or_else(|| panic!("{name} was not started")).try_wait().unwrap();
        assert_eq!(ended, None, "{name} ended by itself\n{}", self.last_words(node));
    }

    /// A number of a node's `/metrics`.
    pub fn metric(&self, node: usize, name: &str) -> Option<u64> {
        let (_, text) = self.http.get(&format!("{}/metrics", self.api(node)))?;
        let text = String::from_utf8(text).unwrap();
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.trim().parse().ok())
    }
    /// What a node says of itself.
    pub fn status(&self, node: usize) -> Option<NodeStatus> {
        self.http.json(&format!("{}/v1/status", self.api(node)))
    }
    /// Waits for a node's status.
    pub fn wait(
        &mut self,
        node: usize,
        what: &str,
        limit: Duration,
        enough: impl Fn(&NodeStatus) -> bool,
    ) -> NodeStatus {
        let until = Instant::now() + limit;
        loop {
            self.must_live(node);
            let status = self.status(node);
            match status {
                Some(status) if enough(&status) => return status,
                status => assert!(
                    Instant::now() < until,
                    "{}: no {what} after {limit:?}: {status:?}\n{}",
                    self.bureau(node).name,
                    self.last_words(node)
                ),
            }
            std::thread::sleep(PAUSE);
        }
    }
    /// Waits until all nodes are ready.
    pub fn wait_ready(&mut self, limit: Duration) {
        for node in 0..self.size() {
            self.wait(node, "readiness", limit, |status| status.ready);
        }
    }
    /// The highest block of any node that answers.
    pub fn highest(&self) -> u64 {
        (0..self.size()).filter_map(|node| self.status(node)).map(|status| status.height).max().unwrap_or(0)
    }
    /// Waits until all nodes have so many blocks more than any has now.
    pub fn wait_blocks(&mut self, more: u64, limit: Duration) {
        let all: Vec<usize> = (0..self.size()).collect();
        self.wait_blocks_of(&all, more, limit);
    }
    /// The same for some nodes.
    pub fn wait_blocks_of(&mut self, nodes: &[usize], more: u64, limit: Duration) {
        let wanted = self.highest() + more;
        for node in nodes.iter().copied() {
            self.wait(node, &format!("block {wanted}"), limit, |status| status.height >= wanted);
        }
    }
    /// Hash of a node's header.
    pub fn header_hash(&self, node: usize, height: u64) -> Option<String> {
        let header: HeaderAnswer = self.http.json(&format!("{}/v1/headers/{height}", self.api(node)))?;
        Some(header.header_hash)
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for child in self.children.iter_mut().flatten() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
