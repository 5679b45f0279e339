//! A node's HTTP API over a chain in memory. It can be told to lie.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use kanhe_proto::registry::{
    Accreditation, Bureau, ItemCatalogue, KeyEntry, LicenceType, Membership, Parameters, Purpose, RelyingParty,
    Schedule, Seats, ServiceItem,
};
use serde::Serialize;

use super::chain::past::LogLie;
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
        listen(listener, Arc::clone(&chain), LogLie::None);
        Self { url, chain }
    }

    /// URL of another node of the same chain, which lies about the log.
    pub fn lying(&self, lie: LogLie) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        listen(listener, Arc::clone(&self.chain), lie);
        url
    }
}

/// URL of a node that refuses every transaction and every act on a consent with a code, and answers nothing else.
pub fn refuser(code: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let Some((first, _)) = request(&stream) else { continue };
            if ["POST /v1/transactions ", "POST /v1/consents/acts "].iter().any(|post| first.starts_with(post)) {
                write(&mut stream, "422 Unprocessable Content", &refused(code));
            }
        }
    });
    url
}

fn listen(listener: TcpListener, chain: Arc<Mutex<Chain>>, lie: LogLie) {
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            answer(stream, &chain, lie);
        }
    });
}

/// The first line of what is asked, and what is sent with it.
fn request(stream: &TcpStream) -> Option<(String, Vec<u8>)> {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut first = String::new();
    reader.read_line(&mut first).ok()?;
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
    Some((first, sent))
}

fn answer(mut stream: TcpStream, chain: &Mutex<Chain>, lie: LogLie) {
    let Some((first, sent)) = request(&stream) else { return };
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut chain = chain.lock().unwrap();
    chain.asked.push(path.clone());
    if std::mem::take(&mut chain.too_often) {
        return write(&mut stream, "429 Too Many Requests\r\nretry-after: 0", b"{}");
    }
    chain.past.lie = lie;
    let post = first.strip_prefix("POST ").map(|_| path.split('?').next().unwrap_or_default().to_owned());
    if let Some(mail) = post.filter(|path| path.starts_with("/v1/mail")) {
        return respond(&mut stream, post_mail(&mail, &sent, &mut chain));
    }
    if first.starts_with("POST /v1/cases/acts ") {
        let intake = chain.intake;
        if intake == Intake::BreaksBefore {
            return;
        }
        if intake == Intake::Refuses {
            chain.files.refused = sent;
            return write(&mut stream, "422 Unprocessable Content", &refused("case_shape"));
        }
        let status = match chain.acts(&sent) {
            Ok(status) => status,
            Err(code) => return write(&mut stream, "422 Unprocessable Content", &refused(code)),
        };
        if intake != Intake::BreaksAfter {
            respond(&mut stream, json(status));
        }
        return;
    }
    if first.starts_with("POST /v1/cases/proved ") {
        return respond(&mut stream, json(chain.cases_proved(&serde_json::from_slice(&sent).unwrap())));
    }
    if first.starts_with("POST /v1/evidence ") {
        return respond(&mut stream, json(chain.evidence_many(&serde_json::from_slice(&sent).unwrap())));
    }
    if first.starts_with("POST /v1/accounts/acts ") {
        return match chain.account_acts(&sent) {
            Ok(status) => respond(&mut stream, json(status)),
            Err(code) => write(&mut stream, "422 Unprocessable Content", &refused(code)),
        };
    }
    if first.starts_with("POST /v1/consents/acts ") {
        match chain.consent_acts(&sent) {
            Ok(status) => respond(&mut stream, json(status)),
            Err(code) => write(&mut stream, "422 Unprocessable Content", &refused(code)),
        }
        return;
    }
    if first.starts_with("POST /v1/cases/files ") {
        if let Some(state) = chain.take_part(&sent) {
            respond(&mut stream, json(state));
        }
        return;
    }
    if first.starts_with("POST /v1/cases/files/") {
        let part = match path.split('/').collect::<Vec<_>>()[..] {
            [.., _, commitment, author, place] => {
                let file = (commitment.parse().unwrap(), author.parse().unwrap());
                chain.file_part(&sent, &file, place.parse().unwrap())
            }
            _ => None,
        };
        return respond(&mut stream, part);
    }
    let answer = if first.starts_with("POST /v1/transactions ") {
        let intake = chain.intake;
        if intake == Intake::BreaksBefore {
            return;
        }
        let status = chain.submit(&sent);
        if let Some(code) = status.code {
            return write(&mut stream, "422 Unprocessable Content", &refused(&code));
        }
        if intake == Intake::WorksOnce {
            chain.intake = Intake::BreaksBefore;
        }
        if intake == Intake::BreaksAfter || chain.lose_batches {
            return;
        }
        json(status)
    } else if first.starts_with("POST /v1/proposals/dry-run ") {
        json(chain.dry_run(&sent))
    } else {
        route(&path, &mut chain)
    };
    respond(&mut stream, answer);
}

fn respond(stream: &mut TcpStream, answer: Option<Vec<u8>>) {
    match answer {
        Some(body) => write(stream, "200 OK", &body),
        None => write(stream, "404 Not Found", &problem()),
    }
}

fn write(stream: &mut TcpStream, status: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn problem() -> Vec<u8> {
    br#"{"type":"urn:kanhe:problem:no_answer_yet","title":"t","status":404,"code":"no_answer_yet","detail":"nothing"}"#
        .to_vec()
}

fn refused(code: &str) -> Vec<u8> {
    format!(r#"{{"type":"urn:kanhe:problem:{code}","title":"t","status":422,"code":"{code}","detail":"d"}}"#)
        .into_bytes()
}

fn post_mail(path: &str, sent: &[u8], chain: &mut Chain) -> Option<Vec<u8>> {
    let id = chain.genesis.chain_id();
    // Whose mail is asked for, by the proof.
    let proof = match path {
        "/v1/mail/queue" => kanhe_proto::mail::QueueProof::decode(sent).ok(),
        "/v1/mail/answers" => {
            let answers: kanhe_proto::api::MailAnswers = serde_json::from_slice(sent).unwrap();
            kanhe_proto::mail::QueueProof::decode(&answers.proof).ok()
        }
        _ => None,
    };
    let key = proof.and_then(|proof| chain.public_key(proof.issuer, proof.key));
    let key = key.unwrap_or_else(|| kanhe_proto::key::Signer::public_key(&chain.issuing));
    match path {
        "/v1/mail" => json(chain.letters.take_in(sent, &id)?),
        "/v1/mail/challenge" => json(chain.letters.challenge()),
        "/v1/mail/queue" => json(chain.letters.queue(sent, &id, &key)?),
        "/v1/mail/answers" => {
            chain.letters.put_answers(&serde_json::from_slice(sent).unwrap(), &id, &key).then(Vec::new)
        }
        _ => None,
    }
}

fn json(value: impl Serialize) -> Option<Vec<u8>> {
    Some(serde_json::to_vec(&value).unwrap())
}

fn route(path: &str, chain: &mut Chain) -> Option<Vec<u8>> {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let parts: Vec<&str> = path.trim_start_matches("/v1/").split('/').collect();
    match parts[..] {
        ["genesis"] => Some(chain.genesis.to_bytes()),
        ["mail", id] => chain.letters.answer(&id.parse().ok()?),
        ["status"] => json(chain.status()),
        ["trust"] => json(chain.trust()),
        ["headers", "newest"] => json(chain.newest()),
        ["headers", height] => json(chain.header_at(height.parse().ok()?)?),
        ["log", size] => {
            let old = query.strip_prefix("old=").and_then(|old| old.parse().ok());
            json(chain.log_at(size.parse().ok()?, old)?)
        }
        ["log", size, level, index] => chain.log_span(size.parse().ok()?, level.parse().ok()?, index.parse().ok()?),
        ["evidence", batch, digest] => {
            let batch = kanhe_proto::ids::LogIndex(batch.parse().ok()?);
            json(chain.evidence(batch, &digest.parse().ok()?)?)
        }
        ["cases", "ready"] => json(chain.ready_steps(query.split_once("after=").map(|(_, after)| after))),
        ["accounts", uscc] => json(chain.account_leaf(&uscc.parse().ok()?)),
        ["accounts", uscc, "acts"] => {
            let from = query.strip_prefix("from=").and_then(|from| from.parse().ok()).map(kanhe_proto::ids::LogIndex);
            json(chain.account_history(&uscc.parse().ok()?, from))
        }
        ["consents", id] => json(chain.consent_answer(&id.parse().ok()?)),
        ["reads"] => {
            let (source, from) = query.split_once('&')?;
            let source = source.strip_prefix("source=")?.parse().ok()?;
            json(chain.reads_answer(&source, from.strip_prefix("from=")?.parse().ok()?))
        }
        ["registry", "purposes", code] => json(chain.registry::<Purpose>(&kanhe_proto::bounded::Text::new(code).ok()?)),
        ["registry", "data", bureau] => json(chain.data_classes(&bureau.parse().ok()?)),
        ["cases", "overdue"] => json(chain.overdue()),
        ["cases", id] => json(chain.case_leaf(&id.parse().ok()?)),
        ["cases", id, "events"] => {
            let from = query.strip_prefix("from=").and_then(|from| from.parse().ok()).map(kanhe_proto::ids::LogIndex);
            json(chain.case_events(&id.parse().ok()?, from))
        }
        ["cases", "files", _, _, commitment, author] => {
            json(chain.file_state(&(commitment.parse().ok()?, author.parse().ok()?))?)
        }
        ["proposals"] => json(chain.proposals()),
        ["proposals", id] => json(chain.proposal(&id.parse().ok()?)),
        ["registry", "bureaus", uscc] => json(chain.registry::<Bureau>(&uscc.parse().ok()?)),
        ["registry", "membership"] => json(chain.registry::<Membership>(&())),
        ["registry", "parameters"] => json(chain.registry::<Parameters>(&())),
        ["registry", "seats"] => json(chain.registry::<Seats>(&())),
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
        ["registry", "keys", uscc] => json(chain.keys(&uscc.parse().ok()?)),
        ["registry", "schedule"] => json(chain.registry::<Schedule>(&())),
        ["registry", "items"] => json(chain.registry::<ItemCatalogue>(&())),
        ["registry", "items", code, version] => {
            let version = kanhe_proto::item::ItemVersion(version.parse().ok()?);
            let code = kanhe_proto::bounded::Text::new(code).ok()?;
            json(chain.registry::<ServiceItem>(&(code, version)))
        }
        ["schemas", digest] => chain.text(digest).map(String::into_bytes),
        ["registry", "types", code, version] => {
            let version = kanhe_proto::identifiers::TypeVersion(version.parse().ok()?);
            json(chain.registry::<LicenceType>(&(code.parse().ok()?, version)))
        }
        _ => None,
    }
}
