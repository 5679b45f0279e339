//! A consortium is founded by three operators who share nothing but cards and an agreement, and its chain runs.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use kanhe_node::devnet::free_ports;
use kanhe_proto::api::NodeStatus;
use kanhe_tests::http::Http;
use kanhe_tests::network::run_node_program;
use kanhe_tests::programs;

const CODES: [&str; 3] = ["11370100MB28900011", "11370100MB28900024", "11370100MB28900037"];
const WAIT: Duration = Duration::from_secs(90);

/// One operator's machine.
struct Operator {
    home: PathBuf,
    passphrase: PathBuf,
    api: String,
}

/// Ends its process when the test ends.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn well(arguments: &[&str]) -> String {
    let output = run_node_program(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", said(&output));
    said(&output)
}

fn init(dir: &Path, code: &str, ports: &[u16]) -> Operator {
    let home = dir.join(code);
    let passphrase = dir.join(format!("{code}.passphrase"));
    fs::write(&passphrase, "a sentence that nobody else knows\n").unwrap();
    fs::set_permissions(&passphrase, fs::Permissions::from_mode(0o600)).unwrap();
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    let who = ["init", "--uscc", code, "--name-zh", "示例局", "--name-en", "Example Bureau", "--region", "370100"];
    let place = ["--announce", "127.0.0.1", "--home", text(&home), "--passphrase-file", text(&passphrase)];
    let ports_of = ["--consensus-port", &ports[0], "--network-port", &ports[1], "--api-port", &ports[2]];
    let made = well(&[&who[..], &place, &ports_of].concat());
    assert!(made.contains("digest"), "{made}");
    let again = run_node_program(&[&who[..], &place, &ports_of].concat());
    assert_eq!(again.status.code(), Some(2), "{}", said(&again));
    Operator { home, passphrase, api: format!("http://127.0.0.1:{}", ports[2]) }
}

fn start(operator: &Operator) -> Running {
    let mut command = Command::new(programs::node());
    command.args(["run", "--home", text(&operator.home), "--passphrase-file", text(&operator.passphrase)]);
    Running(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
}

fn status(http: &Http, operator: &Operator) -> Option<NodeStatus> {
    http.json(&format!("{}/v1/status", operator.api))
}

#[test]
fn three_operators_found_a_chain_and_it_runs() {
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path();
    let ports = free_ports(9).unwrap();
    let operators: Vec<Operator> =
        CODES.iter().zip(ports.chunks(3)).map(|(code, ports)| init(dir, code, ports)).collect();

    // Each makes genesis from the same cards, in whatever order.
    let agreement = dir.join("agreement.toml");
    let example = well(&["genesis", "example"]).replace("heartbeat = 30000", "heartbeat = 1000");
    fs::write(&agreement, example).unwrap();
    fs::write(dir.join("business-licence.json"), r#"{"type": "object", "properties": {"name": {}}}"#).unwrap();
    let cards: Vec<PathBuf> = operators.iter().map(|operator| operator.home.join("card.bin")).collect();
    let make = |out: &Path, order: [usize; 3]| {
        let cards = order.map(|card| text(&cards[card]));
        well(&[&["genesis", "make", "--agreement", text(&agreement), "--out", text(out)][..], &cards].concat())
    };
    let (first, second) = (dir.join("first.bin"), dir.join("second.bin"));
    let shown = make(&first, [0, 1, 2]);
    assert_eq!(shown, make(&second, [2, 0, 1]));
    assert_eq!(fs::read(&first).unwrap(), fs::read(&second).unwrap());
    assert!(well(&["genesis", "show", text(&first)]).contains(CODES[1]));
    let hash = shown.lines().find_map(|line| line.strip_prefix("genesis hash")).unwrap().trim().to_owned();

    let join = |operator: &Operator, source: [&str; 2], hash: &str| {
        let home = ["join", "--home", text(&operator.home), "--passphrase-file", text(&operator.passphrase)];
        run_node_program(&[&home[..], &source, &["--genesis-hash", hash]].concat())
    };
    let wrong = join(&operators[0], ["--genesis", text(&first)], &"ab".repeat(32));
    assert_eq!(wrong.status.code(), Some(23), "{}", said(&wrong));
    assert!(!operators[0].home.join("genesis.bin").exists(), "nothing is written");

    let mut running = Vec::new();
    for operator in &operators[..2] {
        let joined = join(operator, ["--genesis", text(&first)], &hash);
        assert!(joined.status.success(), "{}", said(&joined));
        running.push(start(operator));
    }
    // The third has only the hash, and takes genesis from a member.
    let http = Http::default();
    let until = Instant::now() + WAIT;
    while status(&http, &operators[0]).is_none() {
        assert!(Instant::now() < until, "no answer");
        std::thread::sleep(Duration::from_millis(100));
    }
    let joined = join(&operators[2], ["--from", &operators[0].api], &hash);
    assert!(joined.status.success(), "{}", said(&joined));
    running.push(start(&operators[2]));

    // Nobody configured a peer: the addresses are those of the cards.
    loop {
        let all: Vec<Option<NodeStatus>> = operators.iter().map(|operator| status(&http, operator)).collect();
        let runs = |status: &Option<NodeStatus>| {
            status.as_ref().is_some_and(|status| status.height >= 3 && status.peers == 2 && status.ready)
        };
        if all.iter().all(runs) {
            break;
        }
        assert!(Instant::now() < until, "{all:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
}
