//! What strangers send to a node's API: malformed, huge, deep, cut off, slow and too much of it. Each is refused within
//! limits and with its code, and afterwards the network still takes and proves a transaction.
#![allow(clippy::unwrap_used)]

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use kanhe_node::run::now;
use kanhe_proto::api::Problem;
use kanhe_proto::codec;
use kanhe_proto::hash::Hash;
use kanhe_proto::ids::Height;
use kanhe_proto::limits::{BLOCK_BYTES_MAX, TRANSACTION_BYTES_MAX};
use kanhe_proto::proof::{CertifiedBlock, CertifiedHeader};
use kanhe_proto::trust::Trust;
use kanhe_tests::audit;
use kanhe_tests::http::Http;
use kanhe_tests::load::Sender;
use kanhe_tests::network::Network;
use serde_json::Value;

const READY: Duration = Duration::from_secs(60);
const OCTETS: &str = "application/octet-stream";
const JSON: &str = "application/json";
/// The node that is asked.
const VICTIM: usize = 1;
/// Of the victim's configuration.
const IDLE_SECONDS: u64 = 5;
const CONNECTIONS: usize = 64;

/// The status of an answer and the code of its problem.
fn problem((status, body): (u16, Vec<u8>)) -> (u16, String) {
    let problem: Value = serde_json::from_slice(&body).unwrap_or_default();
    (status, problem["code"].as_str().unwrap_or_default().to_owned())
}

fn connect(network: &Network) -> TcpStream {
    let stream = TcpStream::connect(network.api(VICTIM).trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(READY)).unwrap();
    stream
}

/// Sends bytes and reads until the other end closes.
fn raw(network: &Network, bytes: &[u8]) -> String {
    let mut stream = connect(network);
    // A node may answer and close before it has read everything.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn bodies_are_refused_with_their_codes(network: &Network) {
    let (http, api) = (&network.http, network.api(VICTIM));
    let post = |path: &str, kind: &str, body: &[u8]| problem(http.post(&format!("{api}{path}"), kind, body).unwrap());
    let good = Sender::of(network).batch(Hash([7; 32]), 1).to_bytes();
    for cut in [0, 1, good.len() / 2, good.len() - 1] {
        assert_eq!(post("/v1/transactions", OCTETS, &good[..cut]), (400, "malformed".to_owned()), "cut at {cut}");
    }
    assert_eq!(post("/v1/transactions", OCTETS, &[good.as_slice(), &[0]].concat()).1, "malformed");
    // A length that no memory has.
    assert_eq!(post("/v1/transactions", OCTETS, &[0xff; 200]).1, "malformed");
    // One byte too many: of a longer one the node closes the connection before all is sent, and the answer may be lost.
    assert_eq!(post("/v1/transactions", OCTETS, &vec![1; TRANSACTION_BYTES_MAX + 1]), (413, "too_large".to_owned()));
    let deep = [vec![b'['; 60_000], vec![b']'; 60_000]].concat();
    assert_eq!(post("/v1/evidence", JSON, &deep[..60_000]), (400, "malformed_body".to_owned()));
    assert_eq!(post("/v1/evidence", JSON, b"{\"licences\":"), (400, "malformed_body".to_owned()));
    assert_eq!(post("/v1/mail", OCTETS, &[0xff; 4_000]).0, 400);
    for path in ["/v1/mail/queue", "/v1/mail/answers"] {
        let (status, code) = post(path, OCTETS, &[0xff; 600]);
        assert!((400..500).contains(&status) && !code.is_empty(), "{path}: {status} {code}");
    }
}

fn paths_are_refused_with_their_codes(network: &Network) {
    let get = |path: &str| problem(network.http.get(&format!("{}{path}", network.api(VICTIM))).unwrap());
    for path in [
        "/v1/headers/-1",
        "/v1/headers/99999999999999999999999",
        "/v1/blocks/x",
        "/v1/records/%00",
        "/v1/transactions/zz",
        "/v1/evidence/0/abc",
        "/v1/registry/bureaus/91370100MA3C5H7N20",
        "/v1/registry/keys/x/y",
    ] {
        assert_eq!(get(path), (400, "malformed_path".to_owned()), "{path}");
    }
    assert_eq!(get("/v1/trust?from=1&to=2"), (400, "malformed_query".to_owned()));
    assert_eq!(get("/v1/nothing"), (404, "unknown_route".to_owned()));
    assert_eq!(get("/../../etc/passwd").0, 404);
    let posted = network.http.post(&format!("{}/v1/trust", network.api(VICTIM)), JSON, b"{}").unwrap();
    assert_eq!(problem(posted), (405, "unknown_method".to_owned()));
}

fn denied(network: &Network, path: &str) -> Problem {
    let (status, body) = network.http.get(&format!("{}{path}", network.api(VICTIM))).unwrap();
    let problem: Problem = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, problem.code.as_str()), (404, "not_found"), "{path}");
    problem
}

/// What the chain does not have is denied with its newest header, which a light client believes and which shows it.
fn absence_is_proved(network: &Network) {
    let mut trust = Trust::pin(&network.genesis, now()).unwrap();
    let beyond = u64::MAX;
    for path in ["headers", "blocks", "records"].map(|kind| format!("/v1/{kind}/{beyond}")) {
        let denied = denied(network, &path);
        let newest: CertifiedHeader = codec::decode(&denied.certified.unwrap(), 32 << 10).unwrap();
        trust.accept(&newest, now()).unwrap();
        assert!(newest.header.height.0 < beyond && newest.header.log_size < beyond);
        assert_eq!(denied.record, None);
    }
    let evidence = format!("/v1/evidence/{beyond}/{}", "00".repeat(32));
    assert!(denied(network, &evidence).certified.is_some());
}

/// A block comes with its certificate.
fn a_block_is_proved(network: &Network) {
    let mut trust = Trust::pin(&network.genesis, now()).unwrap();
    let (status, body) = network.http.get(&format!("{}/v1/blocks/1", network.api(VICTIM))).unwrap();
    assert_eq!(status, 200);
    let block: CertifiedBlock = codec::decode(&body, 2 * BLOCK_BYTES_MAX).unwrap();
    let (certified, block) = block.read().unwrap();
    assert_eq!(block.header.height, Height(1));
    trust.accept(&certified, now()).unwrap();
}

fn what_is_no_http_is_closed(network: &Network) {
    for bytes in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET\r\n\r\n", b"\x00\x00\x00\x00\r\n\r\n"] {
        let answer = raw(network, bytes);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    let endless = format!("GET /v1/status HTTP/1.1\r\nhost: a\r\nx: {}", "a".repeat(1 << 20));
    let answer = raw(network, endless.as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let claimed = "POST /v1/transactions HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n";
    let answer = raw(network, claimed.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("\"code\":\"too_large\""), "{answer}");
}

/// Connections that say nothing, more than there are places, and that stop in the middle: all are closed, and make room.
fn silent_connections_make_room(network: &Network) {
    const UNFINISHED: &[u8] = b"POST /v1/transactions HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\nab";
    let mut silent: Vec<TcpStream> = (0..2 * CONNECTIONS).map(|_| connect(network)).collect();
    for stream in silent.iter_mut().step_by(2) {
        stream.write_all(UNFINISHED).unwrap();
    }
    for mut stream in silent {
        // An end or a reset; a time-out would say that the node holds on to it.
        let ended = stream.read_to_end(&mut Vec::new());
        let kept = ended.is_err_and(|error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        assert!(!kept, "the node closes what says nothing");
    }
    let status = Http::default().get(&format!("{}/v1/status", network.api(VICTIM)));
    assert_eq!(status.map(|(status, _)| status), Some(200));
}

/// A header that grows by a byte now and then is not waited for.
fn a_dripping_header_is_closed(network: &Network) {
    let mut stream = connect(network);
    stream.write_all(b"GET /v1/status HTTP/1.1\r\nx: ").unwrap();
    let closed = (0..4 * IDLE_SECONDS).any(|_| {
        std::thread::sleep(Duration::from_millis(500));
        stream.write_all(b"a").is_err()
    });
    assert!(closed, "the node waits for ever");
}

/// One address that asks too much is told so; whoever asks another node is not concerned.
fn who_asks_too_much_is_slowed(network: &Network) {
    let asked = |node: usize| problem(network.http.get(&format!("{}/healthz", network.api(node))).unwrap());
    let refused = (0..2_000).map(|_| asked(VICTIM)).find(|answer| answer.0 != 200);
    assert_eq!(refused, Some((429, "rate_limited".to_owned())));
    assert_eq!(asked(VICTIM + 1).0, 200);
}

#[test]
fn strangers_neither_stop_a_node_nor_get_more_than_their_share() {
    let mut network = Network::found(4, 1_000);
    network.start_fast();
    network.configure(VICTIM, "requests_per_second", "200");
    network.configure(VICTIM, "requests_burst", "400");
    network.configure(VICTIM, "idle_seconds", &IDLE_SECONDS.to_string());
    network.configure(VICTIM, "api.connections_max", &CONNECTIONS.to_string());
    network.start_all();
    network.wait_ready(READY);

    bodies_are_refused_with_their_codes(&network);
    paths_are_refused_with_their_codes(&network);
    absence_is_proved(&network);
    a_block_is_proved(&network);
    what_is_no_http_is_closed(&network);
    silent_connections_make_room(&network);
    a_dripping_header_is_closed(&network);
    who_asks_too_much_is_slowed(&network);

    // The same node, started once, goes on with its peers.
    std::thread::sleep(Duration::from_secs(2));
    let transaction = Sender::of(&network).batch(Hash([9; 32]), 1);
    let answer =
        network.http.post(&format!("{}/v1/transactions", network.api(VICTIM)), OCTETS, &transaction.to_bytes());
    assert_eq!(answer.unwrap().0, 202);
    network.wait_blocks(2, READY);
    let id = transaction.body.id();
    for api in network.apis() {
        let status: Value = Http::default().json(&format!("{api}/v1/transactions/{id}?wait=10")).unwrap();
        assert_eq!(status["state"], "committed", "{status}");
    }
    network.stop_all();
    for node in 0..network.size() {
        audit::fsck(&network, node);
    }
}
