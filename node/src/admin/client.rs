//! Asks a running node over its socket. Four requests to one's own machine need no library.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::error::AdminError;
use super::socket::reachable;

/// Longest wait for a node that is busy.
const WAIT: Duration = Duration::from_secs(30);
/// Longest answer: a status names peers, at some hundred bytes each.
const ANSWER_BYTES_MAX: u64 = 4 << 20;

/// What a node answers.
pub type Answer = Value;

/// Sends a request and gives the answer, or the node's reason not to do it.
pub fn call(socket: &Path, method: &str, path: &str, body: &str) -> Result<Answer, AdminError> {
    let silent = |source| AdminError::Silent { path: socket.to_owned(), source };
    let text = exchange(socket, method, path, body).map_err(silent)?;
    let malformed = || AdminError::Malformed(socket.to_owned());
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let status = head.split(' ').nth(1).and_then(|code| code.parse::<u16>().ok()).ok_or_else(malformed)?;
    let answer: Value = serde_json::from_str(body).map_err(|_| malformed())?;
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    let said = |key: &str| answer.get(key).and_then(Value::as_str).map(ToOwned::to_owned);
    let error = said("error").ok_or_else(malformed)?;
    Err(AdminError::Refused(said("hint").map_or(error.clone(), |hint| format!("{error} ({hint})"))))
}

fn exchange(socket: &Path, method: &str, path: &str, body: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(reachable(socket)?.path)?;
    stream.set_read_timeout(Some(WAIT))?;
    stream.set_write_timeout(Some(WAIT))?;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\ncontent-type: text/plain\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), body.as_bytes()].concat())?;
    let mut text = String::new();
    stream.take(ANSWER_BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// Whether a process has ended; one that only its parent has not yet taken notice of has.
pub fn ended(pid: u64) -> bool {
    let Ok(text) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { return true };
    let state = text.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next());
    matches!(state, Some('Z' | 'X') | None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let asked = call(&folder.path().join("admin.sock"), "GET", "/status", "");
        assert!(matches!(asked, Err(AdminError::Silent { .. })), "{asked:?}");
        assert!(!ended(std::process::id().into()) && ended(u64::MAX));
    }
}
