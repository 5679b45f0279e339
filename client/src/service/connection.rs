//! Connections: so many at a time, and none that only waits.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::serve::Listener;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::Limits;

/// Pause after a failure to accept, which is mostly want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts a bounded number of connections.
pub struct Bounded {
    inner: TcpListener,
    permits: Arc<Semaphore>,
    idle: Duration,
}

impl Bounded {
    /// On a bound socket.
    pub fn new(inner: TcpListener, limits: &Limits) -> Self {
        let permits = Arc::new(Semaphore::new(limits.connections));
        Self { inner, permits, idle: limits.request.saturating_add(limits.spare) }
    }
}

impl Listener for Bounded {
    type Io = Patient<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Patient<TcpStream>, SocketAddr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.inner.accept().await {
                Ok((stream, address)) => {
                    // Small answers must not wait for others; a socket without the option still works.
                    let _ = stream.set_nodelay(true);
                    return (Patient::new(stream, self.idle, permit), address);
                }
                Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

/// A connection that fails once too long passed since it was last of use: since something was written, or since the
/// first byte that came after that. So a request must be whole and answered in that time, however its bytes drip, and
/// an answer must be read.
pub struct Patient<S> {
    stream: S,
    idle: Duration,
    patience: Pin<Box<Sleep>>,
    /// Whether nothing was read since the last write.
    quiet: bool,
    _permit: OwnedSemaphorePermit,
}

impl<S> Patient<S> {
    fn new(stream: S, idle: Duration, permit: OwnedSemaphorePermit) -> Self {
        Self { stream, idle, patience: Box::pin(tokio::time::sleep(idle)), quiet: true, _permit: permit }
    }

    fn renew(&mut self) {
        self.patience.as_mut().reset(Instant::now() + self.idle);
    }

    /// What is not ready waits no longer than patience lasts.
    fn bounded<T>(&mut self, moved: Poll<io::Result<T>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
        if moved.is_pending() && self.patience.as_mut().poll(context).is_ready() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        moved
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() && self.quiet {
            self.quiet = false;
            self.renew();
        }
        self.bounded(read, context)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            self.quiet = true;
            self.renew();
        }
        self.bounded(written, context)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::routing::{get, post};
    use std::io::{Read, Write};
    use std::net::TcpStream as Client;

    const SHORT: Duration = Duration::from_millis(1500);
    const PAUSE: Duration = Duration::from_millis(50);

    /// A server whose connections may be idle for a short time; it ends with the process of the test.
    fn serve() -> SocketAddr {
        let (said, address) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                said.send(listener.local_addr().unwrap()).unwrap();
                let slow = || async {
                    tokio::time::sleep(SHORT / 2).await;
                    "slow"
                };
                let big = || async { vec![b'x'; 64 << 20] };
                let echo = |body: String| async { body };
                let router = Router::new().route("/slow", get(slow)).route("/big", get(big)).route("/echo", post(echo));
                axum::serve(Bounded { idle: SHORT, ..Bounded::new(listener, &Limits::default()) }, router)
                    .await
                    .unwrap();
            });
        });
        address.recv().unwrap()
    }

    /// How long a server endures a client that sends byte after byte of this.
    fn endured(address: SocketAddr, head: &str, drop: &[u8]) -> Duration {
        let mut client = Client::connect(address).unwrap();
        client.set_read_timeout(Some(PAUSE)).unwrap();
        client.write_all(head.as_bytes()).unwrap();
        let began = std::time::Instant::now();
        loop {
            let ended = match client.read(&mut [0; 1024]) {
                Ok(count) => count == 0,
                Err(error) => !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            };
            if ended || client.write_all(drop).is_err() || began.elapsed() > 10 * SHORT {
                return began.elapsed();
            }
        }
    }

    #[test]
    fn a_request_that_drips_is_not_waited_for() {
        let address = serve();
        let body = "POST /echo HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
        for (head, drop) in [("GET /slow HTTP/1.1\r\nx-long: ", b"x".as_slice()), (body, b"x"), ("", b"\r\n")] {
            let endured = endured(address, head, drop);
            assert!((SHORT / 2..3 * SHORT).contains(&endured), "{head:?}: {endured:?}");
        }
    }

    #[test]
    fn whoever_sends_whole_requests_stays_and_slow_answers_come() {
        let mut client = Client::connect(serve()).unwrap();
        for _ in 0..4 {
            client.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
            let mut answer = Vec::new();
            while !answer.ends_with(b"slow") {
                let mut byte = [0];
                assert_eq!(client.read(&mut byte).unwrap(), 1, "it was cut off");
                answer.push(byte[0]);
            }
        }
    }

    #[test]
    fn an_answer_that_nobody_reads_is_not_kept() {
        let address = serve();
        let mut client = Client::connect(address).unwrap();
        client.write_all(&b"GET /big HTTP/1.1\r\nhost: x\r\n\r\n".repeat(2)).unwrap();
        std::thread::sleep(3 * SHORT);
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer);
        assert!(answer.len() < 64 << 20, "all of it came: {}", answer.len());
    }
}
