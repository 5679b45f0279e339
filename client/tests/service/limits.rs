//! The limits of the service, with shorter ones in their place.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use kanhe_client::home::Home;
use kanhe_client::node::NodeClient;
use kanhe_client::service::{Door, Keeper, Limits, Server, Service, Token};
use kanhe_client::stop::Stop;
use kanhe_client::talk::Passphrase;
use kanhe_client::verifier::Asking;
use serde_json::json;

use crate::Scene;
use crate::support::command::PASSPHRASE;

const SHORT: Duration = Duration::from_millis(800);

/// The service of the bank in this process, whose node hangs. It ends with the process.
fn serve(scene: &Scene, limits: Limits) -> (String, String) {
    let hanging = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nodes = vec![NodeClient::new(&format!("http://{}", hanging.local_addr().unwrap()))];
    std::mem::forget(hanging);
    let home = Home::new(scene.bank.at("home"));
    let passphrase = Passphrase::new(PASSPHRASE.to_owned());
    let asking = Asking::open(&home, &scene.bank.at("request.key"), None, &passphrase).unwrap();
    let token = Token::open_or_create(&scene.bank.at("token")).unwrap();
    let bearer = std::fs::read_to_string(scene.bank.at("token")).unwrap().trim().to_owned();
    let server = Server::bind("127.0.0.1:0".parse().unwrap()).unwrap().with_limits(limits);
    let address = server.address();
    let door = Door::new(token, address, &[]);
    std::thread::spawn(move || {
        let stop = Stop::on_signals().unwrap();
        server.serve(Service::new(home, nodes, asking, Keeper::default()), door, &stop)
    });
    (address.to_string(), bearer)
}

fn ask(address: &str, bearer: &str, method: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!("{method} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {bearer}\r\n");
    let more = format!("content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(format!("{head}{more}").as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

fn answer(stream: &mut TcpStream) -> String {
    let mut bytes = vec![0; 4096];
    let count = stream.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

#[test]
fn a_request_that_takes_too_long_gets_503_and_its_verdict_is_there_later() {
    let scene = Scene::new(62);
    scene.present("one", "1h");
    let response = std::fs::read_to_string(scene.bank.at("one.response")).unwrap();
    let request = std::fs::read_to_string(scene.bank.at("one.request")).unwrap();
    let (address, bearer) = serve(&scene, Limits { request: SHORT, ..Limits::default() });
    let body = json!({ "request": request.trim(), "response": response }).to_string();
    let began = Instant::now();
    let told = answer(&mut ask(&address, &bearer, "POST /v1/checks", &body));
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains(r#""code":"timeout""#), "{told}");
    assert!((SHORT..5 * SHORT).contains(&began.elapsed()), "{:?}", began.elapsed());
    // Without a node to ask there is nothing to wait for.
    let body = json!({ "request": request.trim(), "response": response, "offline": true }).to_string();
    let told = answer(&mut ask(&address, &bearer, "POST /v1/checks", &body));
    assert!(told.starts_with("HTTP/1.1 200 ") && told.contains(r#""outcome":"valid""#), "{told}");
}

#[test]
fn more_connections_than_the_limit_wait_for_one_that_ends() {
    let scene = Scene::new(68);
    let (address, bearer) = serve(&scene, Limits { connections: 2, ..Limits::default() });
    let mut held: Vec<TcpStream> = (0..2).map(|_| ask(&address, &bearer, "GET /healthz", "")).collect();
    for stream in &mut held {
        assert!(answer(stream).starts_with("HTTP/1.1 200 "), "control: these are let in, and stay open");
    }
    let mut third = ask(&address, &bearer, "GET /healthz", "");
    third.set_read_timeout(Some(SHORT)).unwrap();
    assert!(third.read(&mut [0; 16]).is_err(), "the third was answered beside two that are open");
    third.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    held.pop();
    assert!(answer(&mut third).starts_with("HTTP/1.1 200 "));
}

#[test]
fn a_connection_that_rests_longer_than_a_request_may_take_is_closed() {
    let scene = Scene::new(74);
    let limits = Limits { request: SHORT, spare: Duration::ZERO, connections: 1 };
    let (address, bearer) = serve(&scene, limits);
    let mut resting = ask(&address, &bearer, "GET /healthz", "");
    assert!(answer(&mut resting).starts_with("HTTP/1.1 200 "));
    let began = Instant::now();
    let mut next = ask(&address, &bearer, "GET /healthz", "");
    assert!(answer(&mut next).starts_with("HTTP/1.1 200 "), "it takes the place of the one that rests");
    assert!(began.elapsed() >= SHORT / 2, "{:?}", began.elapsed());
}
