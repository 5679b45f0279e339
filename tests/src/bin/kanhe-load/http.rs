//! A lean HTTP/1.1 client: one connection, one request at a time, kept alive.
//!
//! The load driver shares the machine with what it measures, so it should take as little of it as it can.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// A request that takes longer has failed; above a long-poll's longest.
const PATIENCE: Duration = Duration::from_secs(45);
/// Longest body that is taken, in bytes.
const BODY_BYTES_MAX: usize = 32 << 20;
/// Longest line of a stream, in bytes.
const LINE_BYTES_MAX: u64 = 1 << 20;

/// What a node said.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The body as JSON, if the request went well.
    pub fn json<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        if !(200..300).contains(&self.status) {
            bail!("HTTP {}: {}", self.status, self.text());
        }
        serde_json::from_slice(&self.body).context("not the JSON that was expected")
    }
    /// The body as text, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(300)]).into_owned()
    }
}

/// A connection to a node.
pub struct Connection {
    host: String,
    stream: BufReader<TcpStream>,
    request: Vec<u8>,
}

impl Connection {
    /// To `127.0.0.1:PORT`.
    pub async fn open(host: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(host).await.with_context(|| format!("cannot reach {host}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { host: host.to_owned(), stream: BufReader::with_capacity(32 << 10, stream), request: Vec::new() })
    }
    /// Reads.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<Answer> {
        self.ask("GET", path, &[]).await
    }
    /// Hands in.
    pub async fn post(&mut self, path: &str, body: &[u8]) -> anyhow::Result<Answer> {
        self.ask("POST", path, body).await
    }

    async fn ask(&mut self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<Answer> {
        timeout(PATIENCE, async {
            self.send(method, path, body).await?;
            self.receive().await
        })
        .await
        .with_context(|| format!("no answer to {method} {path} of {}", self.host))?
    }

    async fn send(&mut self, method: &str, path: &str, body: &[u8]) -> anyhow::Result<()> {
        self.request.clear();
        let (host, length) = (&self.host, body.len());
        let head = format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n\r\n");
        self.request.extend_from_slice(head.as_bytes());
        self.request.extend_from_slice(body);
        Ok(self.stream.get_mut().write_all(&self.request).await?)
    }

    async fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        let read = (&mut self.stream).take(LINE_BYTES_MAX).read_line(&mut line).await?;
        if read == 0 {
            bail!("{} closed the connection", self.host);
        }
        Ok(line.trim_end().to_owned())
    }

    async fn receive(&mut self) -> anyhow::Result<Answer> {
        let (status, length) = self.head().await?;
        let length = length.context("an answer without a length")?;
        if length > BODY_BYTES_MAX {
            bail!("an answer of {length} bytes");
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).await?;
        Ok(Answer { status, body })
    }

    async fn head(&mut self) -> anyhow::Result<(u16, Option<usize>)> {
        let first = self.line().await?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok()).context("not HTTP")?;
        let mut length = None;
        loop {
            let line = self.line().await?;
            match line.split_once(':') {
                _ if line.is_empty() => return Ok((status, length)),
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = Some(value.trim().parse()?);
                }
                _ => {}
            }
        }
    }

    /// Asks for a stream of events; read it by [`Self::event_id`].
    pub async fn subscribe(&mut self, path: &str) -> anyhow::Result<()> {
        self.send("GET", path, &[]).await?;
        let (status, _) = self.head().await?;
        if status == 200 { Ok(()) } else { bail!("HTTP {status} of {path}") }
    }
    /// The id of the next event. A node writes each event in one chunk, so no line is broken up.
    pub async fn event_id(&mut self) -> anyhow::Result<u64> {
        loop {
            let line = self.line().await?;
            if let Some(id) = line.strip_prefix("id:") {
                return Ok(id.trim().parse()?);
            }
        }
    }
}
