//! A node that lies: between a client and a real node, it answers what its lie makes of the real answers.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

use crate::dice::Dice;
use crate::http::Http;

/// What it does to answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lie {
    /// Nothing; it remembers every answer.
    None,
    /// Answers of another network's node.
    OtherChain(String),
    /// The first answer that it ever gave to a question.
    Older,
    /// Evidence of another licence, whatever licence was asked for: the path of its question.
    Swapped(String),
    /// The answer's first bytes, with the length of those.
    Truncated,
    /// The answer's first bytes under the length of all.
    BrokenOff,
    /// One bit of the answer is another.
    Flipped,
    /// One bit of what is encoded inside the JSON is another: the JSON stays right.
    FlippedInside,
    /// A part that is encoded inside the JSON ends early.
    CutInside,
    /// Status 200 and the page of a portal.
    Portal,
    /// A 404 of its own to every question.
    Denies,
}

/// The liar; it listens until the process ends.
#[derive(Debug)]
pub struct Liar {
    /// Its URL.
    pub url: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    upstream: String,
    lie: Lie,
    dice: Dice,
    first: BTreeMap<String, (u16, Vec<u8>)>,
    asked: u64,
}

struct Question {
    method: String,
    path: String,
    content_type: String,
    body: Vec<u8>,
}

impl Liar {
    /// Before this node.
    pub fn before(upstream: &str, dice: Dice) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let first = BTreeMap::new();
        let state = State { upstream: upstream.to_owned(), lie: Lie::None, dice, first, asked: 0 };
        let state = Arc::new(Mutex::new(state));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, state }
    }
    /// Lies like this from now on.
    pub fn tell(&self, lie: Lie) {
        self.state.lock().unwrap().lie = lie;
    }
    /// Questions answered up to now.
    pub fn asked(&self) -> u64 {
        self.state.lock().unwrap().asked
    }
}

/// One question a connection.
fn serve(mut stream: TcpStream, state: &Mutex<State>) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let Some(question) = read_question(&mut stream) else { return };
    let (upstream, lie) = {
        let state = state.lock().unwrap();
        (state.upstream.clone(), state.lie.clone())
    };
    let (target, path) = match &lie {
        Lie::OtherChain(other) => (other, &question.path),
        Lie::Swapped(path) if question.path.starts_with("/v1/evidence/") => (&upstream, path),
        _ => (&upstream, &question.path),
    };
    let url = format!("{target}{path}");
    let http = Http::default();
    let answer = match question.method.as_str() {
        "POST" => http.post(&url, &question.content_type, &question.body),
        _ => http.get(&url),
    };
    let Some((status, body)) = answer else { return };
    let (status, body, length) = state.lock().unwrap().lied(&lie, &question.path, status, body);
    // The other side may not want to hear it all.
    let head = format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n");
    let _ = stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n").as_bytes());
    let _ = stream.write_all(&body);
}

fn read_question(stream: &mut TcpStream) -> Option<Question> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let (mut length, mut content_type) = (0, "application/octet-stream".to_owned());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().ok()?,
            "content-type" => content_type = value.trim().to_owned(),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Question { method, path, content_type, body })
}

impl State {
    /// Status, body, and the length that the head names.
    fn lied(&mut self, lie: &Lie, path: &str, status: u16, body: Vec<u8>) -> (u16, Vec<u8>, usize) {
        self.asked += 1;
        let whole = body.len();
        // What a question asks from is no other question.
        let path = path.split('?').next().unwrap_or(path);
        let (status, body) = match lie {
            Lie::None => {
                self.first.entry(path.to_owned()).or_insert_with(|| (status, body.clone()));
                (status, body)
            }
            Lie::OtherChain(_) | Lie::Swapped(_) => (status, body),
            Lie::Older => self.first.get(path).cloned().unwrap_or((status, body)),
            Lie::Truncated => (status, body[..self.dice.place(whole)].to_vec()),
            Lie::BrokenOff => return (status, body[..self.dice.place(whole)].to_vec(), whole),
            Lie::Flipped => (status, self.flipped(body)),
            Lie::FlippedInside => (status, self.inside(&body, Self::flipped)),
            Lie::CutInside => (status, self.inside(&body, |state, part| part[..state.dice.place(part.len())].to_vec())),
            Lie::Portal => (200, b"<html><body>Welcome</body></html>".to_vec()),
            Lie::Denies => (404, br#"{"type":"x","title":"x","status":404,"code":"not_found","detail":"x"}"#.to_vec()),
        };
        let length = body.len();
        (status, body, length)
    }

    fn flipped(&mut self, mut body: Vec<u8>) -> Vec<u8> {
        let place = self.dice.place(body.len());
        if let Some(byte) = body.get_mut(place) {
            *byte ^= 1 << self.dice.below(8);
        }
        body
    }

    /// Changes one of the encoded parts of a JSON answer.
    fn inside(&mut self, body: &[u8], change: impl Fn(&mut Self, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
        let Ok(mut json) = serde_json::from_slice::<Value>(body) else { return change(self, body.to_vec()) };
        let mut parts = Vec::new();
        encoded_parts(&mut json, &mut parts);
        let place = self.dice.place(parts.len());
        if let Some(part) = parts.into_iter().nth(place) {
            let bytes = BASE64URL_NOPAD.decode(part.as_bytes()).unwrap();
            *part = BASE64URL_NOPAD.encode(&change(self, bytes));
        }
        serde_json::to_vec(&json).unwrap()
    }
}

/// Long texts that are base64url.
fn encoded_parts<'a>(json: &'a mut Value, found: &mut Vec<&'a mut String>) {
    match json {
        Value::String(text) if text.len() > 40 && BASE64URL_NOPAD.decode(text.as_bytes()).is_ok() => found.push(text),
        Value::Array(items) => items.iter_mut().for_each(|item| encoded_parts(item, found)),
        Value::Object(fields) => fields.values_mut().for_each(|field| encoded_parts(field, found)),
        _ => {}
    }
}
