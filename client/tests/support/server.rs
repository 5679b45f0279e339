//! A node's HTTP API over a chain in memory. It can be told to lie.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use kanhe_proto::registry::{Accreditation, KeyEntry, LicenceType, RelyingParty};
use serde::Serialize;

use super::chain::{Chain, Intake};

/// A node on a free port of loopback; it ends with the test's process.
pub struct Node {
    pub url: String,
    pub chain: Arc<Mutex<Chain>>,
}

impl Node {
    pub fn serve(chain: Chain) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let chain = Arc::new(Mutex::new(chain));
        let served = Arc::clone(&chain);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &served);
            }
        });
        Self { url, chain }
    }
}

fn answer(mut stream: TcpStream, chain: &Mutex<Chain>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    if reader.read_line(&mut first).is_err() {
        return;
    }
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut sent = Vec::new();
    let _ = reader.take(length).read_to_end(&mut sent);
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut chain = chain.lock().unwrap();
    let answer = if first.starts_with("POST /v1/transactions ") {
        let intake = chain.intake;
        if intake == Intake::BreaksBefore {
            return;
        }
        let status = chain.submit(&sent);
        if intake == Intake::BreaksAfter {
            return;
        }
        json(status)
    } else {
        route(&path, &mut chain)
    };
    let (status, body) = match answer {
        Some(body) => ("200 OK", body),
        None => ("404 Not Found", problem()),
    };
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
}

fn problem() -> Vec<u8> {
    br#"{"type":"urn:kanhe:problem:not_found","title":"t","status":404,"code":"not_found","detail":"nothing there"}"#
        .to_vec()
}

fn json(value: impl Serialize) -> Option<Vec<u8>> {
    Some(serde_json::to_vec(&value).unwrap())
}

fn route(path: &str, chain: &mut Chain) -> Option<Vec<u8>> {
    let path = path.split('?').next().unwrap_or_default();
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    match parts[..] {
        ["genesis"] => Some(chain.genesis.to_bytes()),
        ["status"] => json(chain.status()),
        ["trust"] => json(chain.trust()),
        ["headers", "newest"] => json(chain.newest()),
        ["evidence", batch, digest] => {
            let batch = kanhe_proto::ids::LogIndex(batch.parse().ok()?);
            json(chain.evidence(batch, &digest.parse().ok()?)?)
        }
        ["registry", "relying-parties", uscc] => json(chain.registry::<RelyingParty>(&uscc.parse().ok()?)),
        ["transactions", id] => json(chain.transaction(&id.parse().ok()?)),
        ["records", index] => json(chain.record(kanhe_proto::ids::LogIndex(index.parse().ok()?))?),
        ["status", "licences", issuer, digest] => {
            json(chain.licence_status(&issuer.parse().ok()?, &digest.parse().ok()?))
        }
        ["registry", "accreditations", uscc, code] => {
            json(chain.registry::<Accreditation>(&(uscc.parse().ok()?, code.parse().ok()?)))
        }
        ["registry", "keys", uscc, key] => json(chain.registry::<KeyEntry>(&(uscc.parse().ok()?, key.parse().ok()?))),
        ["registry", "types", code, version] => {
            let version = kanhe_proto::identifiers::TypeVersion(version.parse().ok()?);
            json(chain.registry::<LicenceType>(&(code.parse().ok()?, version)))
        }
        _ => None,
    }
}
