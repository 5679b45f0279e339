//! Who is kept out, with real processes: what is asked over TLS is hidden and a renewed certificate is used without a
//! restart; a node is administered over its socket alone; strangers and floods at both swarms do not stop the chain.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kanhe_node::config::Config;
use kanhe_tests::audit;
use kanhe_tests::load::Load;
use kanhe_tests::network::{Network, run_node_program};
use kanhe_tests::programs;
use libp2p::futures::StreamExt;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, SwarmBuilder, identify, noise, tcp, yamux};
use rcgen::{BasicConstraints, CertificateParams, CertifiedKey, DnType, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

const WAIT: Duration = Duration::from_secs(60);
/// The node with a certificate.
const SECURE: usize = 3;
/// The node whose doors strangers try.
const VICTIM: usize = 0;
/// As members speak: only its key makes a stranger one.
const ENGINE: &str = "/malachitebft-core-consensus/v1beta1";
/// A stranger is gone after so long.
const GONE: Duration = Duration::from_secs(10);
const SPAN: Duration = Duration::from_secs(5);

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// An authority of one's own.
fn authority() -> CertifiedKey {
    let key_pair = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedKey { cert: params.self_signed(&key_pair).unwrap(), key_pair }
}

fn issue(authority: &CertifiedKey) -> CertifiedKey {
    let key_pair = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]).unwrap();
    CertifiedKey { cert: params.signed_by(&key_pair, &authority.cert, &authority.key_pair).unwrap(), key_pair }
}

fn put_key(home: &Path, made: &CertifiedKey, mode: u32) {
    let path = home.join("key.pem");
    fs::write(&path, made.key_pair.serialize_pem()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn put_certificate(home: &Path, made: &CertifiedKey) {
    fs::write(home.join("certificate.pem"), made.cert.pem()).unwrap();
}

fn kanhe(home: &Path, url: &str, ca: Option<&Path>, words: &[&str]) -> Output {
    let mut command = Command::new(programs::client());
    command.arg("--json").arg("--yes").args(["--node", url]).arg("--home").arg(home).args(words);
    command.env_remove("KANHE_NODE_CA");
    if let Some(ca) = ca {
        command.arg("--node-ca").arg(ca);
    }
    command.output().unwrap()
}

fn admin(home: &Path, words: &[&str]) -> Output {
    run_node_program(&[&["admin"][..], &words[..1], &["--home", home.to_str().unwrap()], &words[1..]].concat())
}

fn wait_admin(network: &Network, node: usize, what: &str, enough: impl Fn(&Value) -> bool) {
    let until = Instant::now() + WAIT;
    loop {
        let answer = admin(network.home(node), &["status", "--json"]);
        let status = serde_json::from_slice(&answer.stdout).unwrap_or(Value::Null);
        if enough(&status) {
            return;
        }
        assert!(Instant::now() < until, "no {what}: {status} {answer:?}\n{}", network.last_words(node));
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn dial(address: SocketAddr, authority: &CertifiedKey) -> Tls {
    let mut roots = RootCertStore::empty();
    roots.add(authority.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let connection = ClientConnection::new(Arc::new(config), "localhost".try_into().unwrap()).unwrap();
    let socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(WAIT)).unwrap();
    StreamOwned::new(connection, socket)
}

/// Asks for the status and gives the status line; the connection stays open.
fn ask(stream: &mut Tls) -> String {
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").unwrap();
    let mut reader = BufReader::new(stream);
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(bytes) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = bytes.trim().parse().unwrap();
        }
    }
    reader.read_exact(&mut vec![0; length]).unwrap();
    first.trim().to_owned()
}

fn shown(stream: &Tls) -> CertificateDer<'static> {
    stream.conn.peer_certificates().unwrap()[0].clone().into_owned()
}

/// The pair is checked at the start.
fn what_cannot_be_used_is_refused_at_the_start(network: &mut Network, pair: &CertifiedKey, other: &CertifiedKey) {
    let home = network.home(SECURE).to_owned();
    let mut text = fs::read_to_string(home.join("config.toml")).unwrap();
    text.push_str("\n[api.tls]\ncertificate = \"certificate.pem\"\nkey = \"key.pem\"\n");
    fs::write(home.join("config.toml"), text).unwrap();
    let refused = |network: &mut Network, words: &str| {
        network.start(SECURE);
        assert_eq!(network.wait_end(SECURE, WAIT).code(), Some(20));
        let said = network.last_words(SECURE);
        assert!(said.contains(words) && said.contains("hint: "), "{said}");
    };
    refused(network, "certificate.pem cannot be read");
    put_certificate(&home, pair);
    put_key(&home, pair, 0o644);
    refused(network, "can be read by everybody");
    put_key(&home, other, 0o600);
    refused(network, "is not the key of");
    put_key(&home, pair, 0o600);
}

fn the_client_trusts_the_authority_that_it_is_told(network: &Network, folder: &Path, authority: &CertifiedKey) {
    let url = network.api(SECURE).replace("http://", "https://");
    let (own, foreign) = (folder.join("ca.pem"), folder.join("foreign.pem"));
    fs::write(&own, authority.cert.pem()).unwrap();
    fs::write(&foreign, self::authority().cert.pem()).unwrap();
    let home = folder.join("client");
    let genesis = network.description.genesis.to_str().unwrap().to_owned();
    let pinned = kanhe(&home, &url, Some(&own), &["trust", "pin", "--genesis", &genesis]);
    assert!(pinned.status.success(), "{pinned:?}");
    let proved = kanhe(&home, &url, Some(&own), &["chain", "status"]);
    assert!(proved.status.success(), "{proved:?}");
    for ca in [Some(foreign.as_path()), None] {
        let refused = kanhe(&home, &url, ca, &["chain", "status"]);
        assert_eq!(refused.status.code(), Some(3), "{refused:?}");
        let said = String::from_utf8_lossy(&[refused.stdout, refused.stderr].concat()).into_owned();
        assert!(said.contains("node_untrusted"), "{said}");
    }
    let plain = kanhe(&home, network.api(SECURE), None, &["chain", "status"]);
    assert_eq!(plain.status.code(), Some(3), "no HTTP without TLS there: {plain:?}");
}

fn a_renewed_certificate_is_used_without_a_restart(network: &Network, authority: &CertifiedKey, old: &CertifiedKey) {
    let home = network.home(SECURE);
    let address: SocketAddr = network.api(SECURE).strip_prefix("http://").unwrap().parse().unwrap();
    let mut open = dial(address, authority);
    assert_eq!(ask(&mut open), "HTTP/1.1 200 OK");
    let new = issue(authority);
    put_certificate(home, &new);
    let refused = admin(home, &["reload-tls"]);
    assert_eq!(refused.status.code(), Some(36), "{refused:?}");
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not the key of"), "{refused:?}");
    let mut fresh = dial(address, authority);
    assert_eq!(ask(&mut fresh), "HTTP/1.1 200 OK");
    assert_eq!(shown(&fresh), *old.cert.der(), "the pair in use stays");
    // Found by itself.
    put_key(home, &new, 0o600);
    let until = Instant::now() + WAIT;
    loop {
        let mut fresh = dial(address, authority);
        assert_eq!(ask(&mut fresh), "HTTP/1.1 200 OK");
        if shown(&fresh) == *new.cert.der() {
            break;
        }
        assert!(Instant::now() < until, "{}", network.last_words(SECURE));
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(ask(&mut open), "HTTP/1.1 200 OK", "an open connection lives on");
    assert!(admin(home, &["reload-tls"]).status.success());
}

fn a_node_is_administered_over_its_socket_alone(network: &mut Network) {
    let home = network.home(SECURE).to_owned();
    let socket = home.join("admin.sock");
    let metadata = fs::symlink_metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    for path in ["/shutdown", "/reload-tls", "/log-level", "/admin", "/v1/admin"] {
        let (status, _) = network.http.post(&format!("{}{path}", network.api(VICTIM)), "text/plain", b"info").unwrap();
        assert_eq!(status, 404, "{path} at the public door");
    }
    assert!(admin(&home, &["log-level", "info,kanhe_node=debug"]).status.success());
    assert_eq!(admin(&home, &["log-level", "=,="]).status.code(), Some(36));
    let words = admin(&home, &["status"]);
    assert!(String::from_utf8_lossy(&words.stdout).contains("3 peers"), "{words:?}");

    // A kill leaves the file, and the next start replaces it.
    network.kill(&[SECURE]);
    assert!(socket.exists());
    assert_eq!(admin(&home, &["status"]).status.code(), Some(36));
    network.start(SECURE);
    wait_admin(network, SECURE, "peers", |status| status["peers"].as_array().is_some_and(|peers| peers.len() == 3));
    // Another node does not get it.
    let taken = format!("{:?}", socket.to_str().unwrap());
    network.kill(&[2]);
    network.configure(2, "admin.socket", &taken);
    network.start(2);
    assert_eq!(network.wait_end(2, WAIT).code(), Some(36), "{}", network.last_words(2));
    network.configure(2, "admin.socket", "\"admin.sock\"");
    network.start(2);

    let stopped = admin(&home, &["stop"]);
    assert!(stopped.status.success(), "{stopped:?}");
    assert_eq!(network.wait_end(SECURE, WAIT).code(), Some(0));
    assert!(!socket.exists());
    network.start(SECURE);
}

/// The addresses at which a node's two swarms listen, the engine's first.
fn doors(network: &Network) -> [Multiaddr; 2] {
    let config = Config::load(network.home(VICTIM)).unwrap();
    let on_loopback = |address: Multiaddr| {
        let port = address.iter().find(|part| matches!(part, Protocol::Tcp(_))).unwrap();
        Multiaddr::empty().with(Protocol::Ip4([127, 0, 0, 1].into())).with(port)
    };
    [on_loopback(config.consensus.listen.0), on_loopback(config.network.listen.0)]
}

/// Comes with a key that nobody knows, and tells how long it was let in.
async fn stranger(door: Multiaddr) -> Duration {
    let mut swarm = SwarmBuilder::with_new_identity()
        .with_tokio()
        .with_tcp(tcp::Config::default(), noise::Config::new, yamux::Config::default)
        .unwrap()
        .with_behaviour(|key| identify::Behaviour::new(identify::Config::new(ENGINE.to_owned(), key.public())))
        .unwrap()
        .with_swarm_config(|config| config.with_idle_connection_timeout(10 * GONE))
        .build();
    swarm.dial(door.clone()).unwrap();
    let mut since = None;
    let gone = async {
        loop {
            match swarm.select_next_some().await {
                SwarmEvent::ConnectionEstablished { .. } => since = Some(Instant::now()),
                SwarmEvent::ConnectionClosed { .. } | SwarmEvent::OutgoingConnectionError { .. } => {
                    return since.map_or(Duration::ZERO, |since| since.elapsed());
                }
                _ => {}
            }
        }
    };
    tokio::time::timeout(GONE, gone).await.unwrap_or_else(|_| panic!("{door} keeps a stranger for {GONE:?}"))
}

fn strangers_are_sent_away(network: &Network) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    for door in doors(network) {
        for _ in 0..3 {
            let kept = runtime.block_on(stranger(door.clone()));
            println!("a stranger at {door} was gone after {kept:?}");
        }
    }
    assert!(metric(network, "kanhe_network_refused_connections_total") >= 3);
}

fn metric(network: &Network, name: &str) -> u64 {
    let (_, text) = network.http.get(&format!("{}/metrics", network.api(VICTIM))).unwrap();
    let text = String::from_utf8(text).unwrap();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).unwrap();
    value.parse().unwrap()
}

/// Committed transactions in a span of time.
fn committed(load: &Load) -> u64 {
    let before = load.committed();
    std::thread::sleep(SPAN);
    load.committed() - before
}

fn floods_do_not_stop_the_chain(network: &Network) {
    let load = Load::start(network, 7, Duration::from_millis(8));
    std::thread::sleep(Duration::from_secs(2));
    let calm = committed(&load);
    let over = Arc::new(AtomicBool::new(false));
    let floods: Vec<_> = doors(network)
        .into_iter()
        .map(|door| {
            let Some(Protocol::Tcp(port)) = door.iter().nth(1) else { panic!("{door}") };
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                let (mut kept, mut made) = (std::collections::VecDeque::new(), 0_u64);
                while !over.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                    // A reset is what is hoped for.
                    let _ = stream.write_all(&[0xA5; 4_096]);
                    kept.push_back(stream);
                    made += 1;
                    if kept.len() > 200 {
                        kept.pop_front();
                    }
                    std::thread::sleep(Duration::from_millis(2));
                }
                made
            })
        })
        .collect();
    let flooded = committed(&load);
    over.store(true, Ordering::Relaxed);
    let made: u64 = floods.into_iter().map(|flood| flood.join().unwrap()).sum();
    println!("committed in {SPAN:?}: {calm} in peace, {flooded} under {made} connections of garbage");
    assert!(flooded > 0, "the chain stands still\n{}", network.last_words(VICTIM));
    load.stop();
}

#[test]
fn strangers_are_kept_out_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut network = Network::found(4, 1_000);
    network.start_fast();
    let authority = authority();
    let (pair, other) = (issue(&authority), issue(&authority));
    what_cannot_be_used_is_refused_at_the_start(&mut network, &pair, &other);
    network.start_all();
    (0..SECURE)
        .for_each(|node| drop(network.wait(node, "readiness", WAIT, |status| status.ready && status.peers == 3)));
    wait_admin(&network, SECURE, "blocks", |status| status["height"].as_u64().is_some_and(|height| height > 1));

    the_client_trusts_the_authority_that_it_is_told(&network, folder.path(), &authority);
    a_renewed_certificate_is_used_without_a_restart(&network, &authority, &pair);
    a_node_is_administered_over_its_socket_alone(&mut network);
    network.wait(VICTIM, "all peers", WAIT, |status| status.peers == 3);
    strangers_are_sent_away(&network);
    floods_do_not_stop_the_chain(&network);

    let height = network.highest();
    network.wait(VICTIM, "blocks", WAIT, |status| status.height > height + 2 && status.peers == 3);
    network.stop_all();
    (0..network.size()).for_each(|node| audit::fsck(&network, node));
}
