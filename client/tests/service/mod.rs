//! The verifier's own HTTP service.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::MetadataExt;

use kanhe_proto::status::Status;
use serde_json::{Value, json};

mod limits;

use crate::Scene;
use crate::support::command::Running;

/// A counter's software.
struct Counter {
    service: Running,
    address: String,
    token: String,
}

/// What came back.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
    fn code(&self) -> (u16, String) {
        assert!(self.head.to_ascii_lowercase().contains("content-type: application/problem+json"), "{self:?}");
        (self.status, self.json()["code"].as_str().unwrap().to_owned())
    }
}

impl Counter {
    fn start(scene: &Scene) -> Self {
        let words = ["verify", "serve", "--key", "request.key", "--listen", "127.0.0.1:0", "--update", "1s"];
        let mut service = scene.bank.start(&words);
        let ready: Value = serde_json::from_str(&service.first_line()).unwrap();
        let path = ready["token_file"].as_str().unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().mode() & 0o777, 0o600);
        let token = std::fs::read_to_string(path).unwrap().trim().to_owned();
        Self { service, address: ready["address"].as_str().unwrap().to_owned(), token }
    }

    fn send(&self, head: &str, body: &[u8]) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let head = format!("{head}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).unwrap();
        // Who refuses by the head alone may not read the rest.
        let _ = stream.write_all(body);
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head, body: bytes[end + 4..].to_vec() }
    }
    fn headed(&self, more: &str) -> String {
        let (address, token) = (&self.address, &self.token);
        format!("host: {address}\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n{more}")
    }
    fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(&format!("POST {path} HTTP/1.1\r\n{}", self.headed("")), body.to_string().as_bytes())
    }
    fn get(&self, path: &str) -> Reply {
        self.send(&format!("GET {path} HTTP/1.1\r\n{}", self.headed("")), b"")
    }

    /// A request, and what the holder answers.
    fn presented(&self, scene: &Scene, name: &str, max_age: &str) -> (String, String) {
        let asked = json!({
            "licences": [{ "type": "demo-biz", "claims": ["ZZMC"] }], "purpose": "account", "max_age": max_age,
        });
        let made = self.post("/v1/requests", &asked);
        assert_eq!(made.status, 201, "{made:?}");
        let made = made.json();
        scene.holder.write(name, made["request"].as_str().unwrap().as_bytes());
        scene.holder.ok(&["wallet", "present", name, "--yes", "--out", "response"]);
        let response = std::fs::read_to_string(scene.holder.at("response")).unwrap();
        (made["id"].as_str().unwrap().to_owned(), response)
    }
}

#[test]
fn a_counter_asks_and_judges_over_http_as_the_command_does() {
    let scene = Scene::new(140);
    let counter = Counter::start(&scene);
    let (id, response) = counter.presented(&scene, "one", "1h");
    let body = json!({ "request_id": id, "response": response, "receipt": true });
    let checked = counter.post("/v1/checks", &body);
    assert_eq!(checked.status, 200, "{checked:?}");
    let verdict = checked.json();
    assert_eq!(
        (&verdict["outcome"], &verdict["licences"][0]["claims"]["ZZMC"]),
        (&json!("valid"), &json!("济南泉城软件有限公司"))
    );

    // The same home, the same memory: the command repeats what the service has said.
    scene.holder.copy("one", &scene.bank.at("one.request"));
    scene.bank.write("one.response", response.as_bytes());
    let again = scene.check("one", &[]).json();
    assert_eq!(again["checked_before"], verdict["checked"]);
    let expected: Vec<&String> = verdict.as_object().unwrap().keys().filter(|key| *key != "receipt").collect();
    let told: Vec<&String> = again.as_object().unwrap().keys().filter(|key| *key != "checked_before").collect();
    assert_eq!(told, expected);
    let other = format!("{response} ");
    let replayed = counter.post("/v1/checks", &json!({ "request_id": id, "response": other })).json();
    assert_eq!((&replayed["outcome"], &replayed["code"]), (&json!("invalid"), &json!("replayed")));

    let receipt = counter.get(verdict["receipt"].as_str().unwrap());
    assert_eq!(receipt.status, 200);
    scene.bank.write("receipt", &receipt.body);
    assert_eq!(scene.bank.ok(&["verify", "recheck", "receipt"]).json()["same_as_receipt"], true);
    let healthy = counter.get("/healthz").json();
    assert_eq!((&healthy["ok"], &healthy["trouble"]), (&json!(true), &Value::Null));
    let ended = counter.service.terminate();
    assert_eq!(ended.code, 0, "{ended:?}");
}

#[test]
fn the_service_hears_of_a_revocation_and_judges_without_network_too() {
    let scene = Scene::new(145);
    let counter = Counter::start(&scene);
    let (id, response) = counter.presented(&scene, "one", "1h");
    let (other, stapled) = counter.presented(&scene, "two", "1h");
    for digest in &scene.digests {
        scene.node.chain.lock().unwrap().set_status(digest, Status::Revoked);
    }
    let online = counter.post("/v1/checks", &json!({ "request_id": id, "response": response })).json();
    assert_eq!(online["outcome"], "revoked");
    let body = json!({ "request_id": other, "response": stapled, "offline": true });
    assert_eq!(counter.post("/v1/checks", &body).json()["outcome"], "valid");
    assert_eq!(counter.service.terminate().code, 0);
}

#[test]
fn pages_strangers_and_bad_bodies_are_refused_with_their_codes() {
    let scene = Scene::new(150);
    let counter = Counter::start(&scene);
    let is = |reply: Reply, status: u16, code: &str| assert_eq!(reply.code(), (status, code.to_owned()));
    let (address, token) = (&counter.address, &counter.token);
    let post = "POST /v1/checks HTTP/1.1\r\n";
    let json_type = "content-type: application/json\r\n";
    is(counter.send(&format!("{post}host: {address}\r\n{json_type}"), b"{}"), 401, "token_missing");
    let bearer = format!("authorization: Bearer {token}\r\n");
    is(counter.send(&format!("{post}host: evil.example\r\n{bearer}{json_type}"), b"{}"), 403, "host_refused");
    let page = counter.headed("origin: http://evil.example\r\n");
    is(counter.send(&format!("{post}{page}"), b"{}"), 403, "browser_refused");
    let preflight = format!("OPTIONS /v1/checks HTTP/1.1\r\n{}", counter.headed(""));
    let preflight = counter.send(&preflight, b"");
    assert!(!preflight.head.to_ascii_lowercase().contains("access-control"), "{preflight:?}");
    is(preflight, 405, "unknown_method");
    let plain = format!("{post}host: {address}\r\n{bearer}content-type: text/plain\r\n");
    is(counter.send(&plain, b"{}"), 415, "not_json");

    is(counter.post("/v1/checks", &json!({ "response": "x" })), 400, "body_malformed");
    is(counter.post("/v1/checks", &json!({ "response": "x", "request_id": "x", "nope": 1 })), 400, "body_malformed");
    for id in ["unknown", "../../trust", ""] {
        is(counter.post("/v1/checks", &json!({ "response": "x", "request_id": id })), 404, "request_not_own");
    }
    let long = "x".repeat(3 << 20);
    let refused = counter.post("/v1/checks", &json!({ "response": long, "request_id": "x" }));
    is(refused, 413, "too_large");
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    is(counter.send(&format!("{post}{}", counter.headed("")), deep.as_bytes()), 400, "body_malformed");
    let asked = |claim: &str, age: &str| json!({ "licences": [{ "type": "demo-biz", "claims": [claim] }], "purpose": "account", "max_age": age });
    is(counter.post("/v1/requests", &asked("secret", "1h")), 400, "beyond_right");
    is(counter.post("/v1/requests", &asked("ZZMC", "1ms")), 400, "body_malformed");
    is(counter.get("/v1/receipts/none"), 404, "receipt_unknown");
    is(counter.get("/v1/receipts/..%2F..%2Ftrust"), 404, "receipt_unknown");
    is(counter.get("/v2"), 404, "unknown_route");
    // The port is taken, and the token must stay private.
    let words = ["verify", "serve", "--key", "request.key", "--listen", address];
    let second = scene.bank.run(&words);
    assert_eq!((second.code, second.error().as_str()), (1, "listen_failed"));
    let open = scene.bank.run(&["verify", "serve", "--key", "request.key", "--listen", "0.0.0.0:0"]);
    assert_eq!((open.code, open.error().as_str()), (2, "host_needed"));
    assert_eq!(counter.service.terminate().code, 0);
}

#[test]
fn nodes_that_hang_do_not_hide_how_the_service_does() {
    let mut scene = Scene::new(180);
    scene.present("one", "1h");
    let response = std::fs::read_to_string(scene.bank.at("one.response")).unwrap();
    let request = std::fs::read_to_string(scene.bank.at("one.request")).unwrap();
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    scene.bank.node = Some(format!("http://{}", hanging.local_addr().unwrap()));
    let counter = Counter::start(&scene);
    let body = json!({ "request": request.trim(), "response": response }).to_string();
    let head = format!("POST /v1/checks HTTP/1.1\r\n{}content-length: {}\r\n\r\n", counter.headed(""), body.len());
    let ask = |_| {
        let mut stream = TcpStream::connect(&counter.address).unwrap();
        stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
        stream
    };
    // More than there are workers.
    let mut asked: Vec<TcpStream> = (0..12).map(ask).collect();
    let half = std::time::Duration::from_millis(500);
    asked[0].set_read_timeout(Some(half)).unwrap();
    assert!(asked[0].read(&mut [0]).is_err(), "control: nobody is answered");
    let began = std::time::Instant::now();
    assert_eq!(counter.get("/healthz").status, 200);
    assert!(began.elapsed() < 10 * half, "{:?}", began.elapsed());
}

#[test]
fn odd_requests_are_answered_or_cut_off_and_harm_nothing() {
    let scene = Scene::new(175);
    let counter = Counter::start(&scene);
    let headed = counter.headed("");
    let post = format!("POST /v1/checks HTTP/1.1\r\n{headed}");
    let many: String = (0..200).map(|number| format!("x-{number}: x\r\n")).collect();
    let odd = [
        format!("{post}content-length: 99999999999\r\n\r\n{{}}"),
        format!("{post}content-length: -1\r\n\r\n{{}}"),
        format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}"),
        format!("{post}transfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n{{}}"),
        format!("{post}transfer-encoding: chunked\r\n\r\n{}", "fff0000\r\nx".repeat(3)),
        format!("{post}{many}\r\n"),
        format!("GET /{} HTTP/1.1\r\n{headed}\r\n", "x".repeat(1 << 20)),
        format!("GET /v1/receipts/%00%ff HTTP/1.1\r\n{headed}connection: close\r\n\r\n"),
        format!("GET /healthz HTTP/1.1\r\n{headed}host: evil.example\r\nconnection: close\r\n\r\n"),
        "GET /healthz HTTP/1.0\r\n\r\n".to_owned(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}".to_owned(),
    ];
    for sent in odd {
        let mut stream = TcpStream::connect(&counter.address).unwrap();
        stream.set_read_timeout(Some(std::time::Duration::from_secs(20))).unwrap();
        let _ = stream.write_all(sent.as_bytes());
        // Whoever was cut off already has nothing left to shut.
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer);
        let (answer, shown) = (String::from_utf8_lossy(&answer), &sent[..sent.len().min(300)]);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4"),
            "{shown}: {answer}"
        );
        assert!(
            read.is_ok() || read.is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionReset),
            "{shown}"
        );
    }
    let check = |name: &str, value: Value| {
        let mut body = json!({ "response": "x", "request_id": "x" });
        body[name] = value;
        counter.post("/v1/checks", &body).status
    };
    for at in ["99999999999999999999", "-1", "9999-12-31", "0", "2026-02-30", ""] {
        assert!([400, 404].contains(&check("at", json!(at))), "{at}");
    }
    for id in [&"a".repeat(1_000), "..", "\0", "例", "a/../../trust.bin", "%2e%2e"] {
        assert_eq!(check("request_id", json!(id)), 404, "{id}");
    }
    let licence = |claim: &str| json!({ "type": "demo-biz", "claims": [claim] });
    let many = vec![licence("ZZMC"); 5_000];
    for licences in
        [json!([]), json!(many), json!([licence("a[4294967296]")]), json!([licence("..")]), json!([licence("")])]
    {
        let asked = json!({ "licences": licences, "purpose": "account", "max_age": "18446744073709551615d" });
        assert_eq!(counter.post("/v1/requests", &asked).status, 400);
        let asked = json!({ "licences": licences, "purpose": "account", "max_age": "1h" });
        assert_eq!(counter.post("/v1/requests", &asked).status, 400, "{asked}");
    }
    assert_eq!(counter.get("/healthz").status, 200);
    assert_eq!(counter.service.terminate().code, 0);
}

#[test]
fn a_receipt_that_would_prove_nothing_is_not_written() {
    let scene = Scene::new(155);
    scene.present("one", "1h");
    assert_eq!(scene.check("one", &["--offline"]).code, 0);
    for digest in &scene.digests {
        scene.node.chain.lock().unwrap().set_status(digest, Status::Revoked);
    }
    // The verdict stands, but it would not come out again.
    let late = scene.check("one", &["--receipt", "late"]);
    assert_eq!((late.code, late.error().as_str()), (1, "receipt_late"), "{late:?}");
    assert!(!scene.bank.at("late").exists() && late.json()["outcome"] == "valid");
}
