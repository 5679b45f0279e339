//! Connections: bounded in number, closed when nothing moves, with TLS if the operator wants it. The bounds hold for
//! what is said inside of TLS; a handshake has a time of its own.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tokio_rustls::Accept;
use tokio_rustls::server::TlsStream;

use super::limits::of_address;
use super::places::{Place, Places};
use super::tls::Tls;
use crate::config::ApiSection;

/// Pause after a failure to accept, which is mostly want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections closed because their address had as many as it may.
pub static REFUSED: AtomicU64 = AtomicU64::new(0);
/// Handshakes that failed or took too long.
pub static FAILED_HANDSHAKES: AtomicU64 = AtomicU64::new(0);

/// Who is at the other end.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub SocketAddr);

/// Accepts at most so many connections at a time; others wait in the system's queue. What one address has beyond its
/// share is closed.
pub struct BoundedListener {
    inner: TcpListener,
    permits: Arc<Semaphore>,
    places: Arc<Places>,
    per_address: usize,
    idle: Duration,
    tls: Option<Arc<Tls>>,
}

impl BoundedListener {
    /// On a bound socket.
    pub fn new(inner: TcpListener, config: &ApiSection, tls: Option<Arc<Tls>>) -> Self {
        let permits = Arc::new(Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS)));
        let idle = Duration::from_secs(config.idle_seconds);
        Self { inner, permits, places: Arc::default(), per_address: config.connections_per_address, idle, tls }
    }

    fn connection(&self, stream: TcpStream, held: (OwnedSemaphorePermit, Place)) -> Connection {
        let (stream, first) = match &self.tls {
            // The handshake is a matter of the connection's own task: nobody else waits for it.
            Some(tls) => (Stream::Greeting(Box::new(tls.acceptor().accept(stream))), tls.handshake()),
            None => (Stream::Plain(stream), self.idle),
        };
        let deadline = Box::pin(tokio::time::sleep(first));
        Connection { stream, idle: self.idle, deadline, answered: false, _held: held }
    }
}

impl Listener for BoundedListener {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        let permit = Arc::clone(&self.permits).acquire_owned().await.expect("the semaphore is never closed");
        loop {
            match self.inner.accept().await {
                Ok((stream, address)) => {
                    let Some(place) = self.places.take(of_address(address.ip()), self.per_address) else {
                        REFUSED.fetch_add(1, Ordering::Relaxed);
                        continue;
                    };
                    // Small answers must not wait for others; a socket without the option still works.
                    let _ = stream.set_nodelay(true);
                    return (self.connection(stream, (permit, place)), address);
                }
                Err(error) => {
                    tracing::warn!("a connection was not accepted: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.inner.local_addr()
    }
}

impl Connected<IncomingStream<'_, BoundedListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, BoundedListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// What a connection is by now.
enum Stream {
    Plain(TcpStream),
    /// In the handshake of TLS.
    Greeting(Box<Accept<TcpStream>>),
    Tls(Box<TlsStream<TcpStream>>),
    /// The handshake failed.
    Failed,
}

/// Calls one function of the stream, whichever it is. Before the end of a handshake there is none.
macro_rules! stream {
    ($connection:ident, $call:ident($($argument:expr),*)) => {
        match &mut $connection.stream {
            Stream::Plain(stream) => Pin::new(stream).$call($($argument),*),
            Stream::Tls(stream) => Pin::new(stream.as_mut()).$call($($argument),*),
            Stream::Greeting(_) | Stream::Failed => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    };
}

/// A connection that fails once nothing has come of it for a while: from its first byte on a request must be whole and
/// answered within that time, so whoever stops in the middle, or sends a byte now and then, loses the place.
pub struct Connection {
    stream: Stream,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
    /// Something was written since something was read, so that the next byte begins a request.
    answered: bool,
    _held: (OwnedSemaphorePermit, Place),
}

impl Connection {
    fn moved(&mut self) {
        self.deadline.as_mut().reset(Instant::now() + self.idle);
    }
    fn check(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(io::Error::from(io::ErrorKind::TimedOut))
    }
    /// Ready once the handshake is over, or was not needed.
    fn greet(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Stream::Greeting(accept) = &mut self.stream else { return Poll::Ready(Ok(())) };
        let failed = match Pin::new(accept.as_mut()).poll(context) {
            Poll::Ready(Ok(stream)) => {
                self.stream = Stream::Tls(Box::new(stream));
                self.moved();
                return Poll::Ready(Ok(()));
            }
            Poll::Ready(Err(error)) => error,
            Poll::Pending => ready!(self.check(context)),
        };
        FAILED_HANDSHAKES.fetch_add(1, Ordering::Relaxed);
        tracing::debug!(error = %failed, "a handshake failed");
        self.stream = Stream::Failed;
        Poll::Ready(Err(failed))
    }
    /// What was written puts the deadline off; without it the deadline may be over.
    fn after_write<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            return self.check(context).map(Err);
        }
        self.answered = true;
        self.moved();
        polled
    }
    /// Of what is read only the first byte after an answer does.
    fn after_read<T>(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() && std::mem::take(&mut self.answered) {
            self.moved();
        }
        match self.check(context) {
            Poll::Ready(error) => Poll::Ready(Err(error)),
            Poll::Pending => polled,
        }
    }
    /// What TLS still holds is not waited for longer than anything else.
    fn in_time(&mut self, context: &mut Context<'_>, polled: Poll<io::Result<()>>) -> Poll<io::Result<()>> {
        if polled.is_pending() { self.check(context).map(Err) } else { polled }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.greet(context))?;
        let polled = stream!(self, poll_read(context, buffer));
        self.after_read(context, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.greet(context))?;
        let polled = stream!(self, poll_write(context, bytes));
        self.after_write(context, polled)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.greet(context))?;
        let polled = stream!(self, poll_write_vectored(context, slices));
        self.after_write(context, polled)
    }
    fn is_write_vectored(&self) -> bool {
        matches!(self.stream, Stream::Plain(_))
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.greet(context))?;
        let polled = stream!(self, poll_flush(context));
        self.in_time(context, polled)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if matches!(self.stream, Stream::Greeting(_) | Stream::Failed) {
            // Dropped by whoever asks for this: nothing was said that could be ended.
            return Poll::Ready(Ok(()));
        }
        let polled = stream!(self, poll_shutdown(context));
        self.in_time(context, polled)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn listener(per_address: usize, idle_seconds: u64) -> (BoundedListener, SocketAddr) {
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = inner.local_addr().unwrap();
        let config = ApiSection { connections_per_address: per_address, idle_seconds, ..ApiSection::default() };
        (BoundedListener::new(inner, &config, None), address)
    }

    #[tokio::test]
    async fn an_address_has_its_share_and_gets_places_back() {
        let (mut listener, address) = listener(1, 60).await;
        let _first = TcpStream::connect(address).await.unwrap();
        let (held, _) = listener.accept().await;
        let (mut second, mut byte) = (TcpStream::connect(address).await.unwrap(), [0]);
        tokio::select! {
            _ = listener.accept() => panic!("a second connection was accepted"),
            read = second.read(&mut byte) => assert!(matches!(read, Ok(0) | Err(_)), "{read:?}"),
        }
        drop(held);
        let _third = TcpStream::connect(address).await.unwrap();
        listener.accept().await;
    }

    #[tokio::test]
    async fn bytes_now_and_then_do_not_hold_a_place() {
        let (mut listener, address) = listener(1, 1).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        let (mut held, _) = listener.accept().await;
        let drips = tokio::spawn(async move {
            while client.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let error = loop {
            if let Err(error) = held.read(&mut [0; 8]).await {
                break error;
            }
        };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        drips.abort();
    }

    #[tokio::test]
    async fn a_handshake_has_its_time_and_holds_nobody_up() {
        let home = tempfile::tempdir().unwrap();
        let key = rcgen::KeyPair::generate().unwrap();
        let made = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        std::fs::write(home.path().join("c"), made.pem()).unwrap();
        std::fs::write(home.path().join("k"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(home.path().join("k"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let section = crate::config::TlsSection { certificate: "c".into(), key: "k".into(), handshake_seconds: 1 };
        let (mut listener, address) = listener(3, 60).await;
        listener.tls = Some(Arc::new(Tls::open(home.path(), &section).unwrap()));

        let _silent = TcpStream::connect(address).await.unwrap();
        let (mut silent, _) = listener.accept().await;
        let mut plain = TcpStream::connect(address).await.unwrap();
        plain.write_all(b"GET /v1/status HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        // Accepted while the first one says nothing.
        let (mut refused, _) = listener.accept().await;
        let error = refused.read(&mut [0; 8]).await.unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::TimedOut, "no TLS: {error}");
        refused.shutdown().await.unwrap();
        assert_eq!(silent.read(&mut [0; 8]).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(FAILED_HANDSHAKES.load(Ordering::Relaxed) >= 2);

        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let client = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let client = client.unwrap().with_root_certificates(roots).with_no_client_auth();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(client));
        let dialled = tokio::spawn(async move {
            let stream = TcpStream::connect(address).await.unwrap();
            let mut stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
            stream.write_all(b"ping").await.unwrap();
            let mut answer = [0; 4];
            stream.read_exact(&mut answer).await.unwrap();
            answer
        });
        let (mut held, _) = listener.accept().await;
        let mut asked = [0; 4];
        held.read_exact(&mut asked).await.unwrap();
        held.write_all(&asked).await.unwrap();
        held.flush().await.unwrap();
        assert_eq!(&dialled.await.unwrap(), b"ping");
    }
}
