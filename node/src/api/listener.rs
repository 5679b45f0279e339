//! Connections: bounded in number, closed when nothing moves.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};

use super::limits::of_address;
use super::places::{Place, Places};
use crate::config::ApiSection;

/// Pause after a failure to accept, which is mostly want of descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

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
}

impl BoundedListener {
    /// On a bound socket.
    pub fn new(inner: TcpListener, config: &ApiSection) -> Self {
        let permits = Arc::new(Semaphore::new(config.connections_max.min(Semaphore::MAX_PERMITS)));
        let idle = Duration::from_secs(config.idle_seconds);
        Self { inner, permits, places: Arc::default(), per_address: config.connections_per_address, idle }
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
                    let Some(place) = self.places.take(of_address(address.ip()), self.per_address) else { continue };
                    // Small answers must not wait for others; a socket without the option still works.
                    let _ = stream.set_nodelay(true);
                    return (Connection::new(stream, self.idle, (permit, place)), address);
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

/// A connection that fails once nothing has come of it for a while: from its first byte on a request must be whole and
/// answered within that time, so whoever stops in the middle, or sends a byte now and then, loses the place.
pub struct Connection {
    stream: TcpStream,
    idle: Duration,
    deadline: Pin<Box<Sleep>>,
    /// Something was written since something was read, so that the next byte begins a request.
    answered: bool,
    _held: (OwnedSemaphorePermit, Place),
}

impl Connection {
    fn new(stream: TcpStream, idle: Duration, held: (OwnedSemaphorePermit, Place)) -> Self {
        Self { stream, idle, deadline: Box::pin(tokio::time::sleep(idle)), answered: false, _held: held }
    }
    fn moved(&mut self) {
        self.deadline.as_mut().reset(Instant::now() + self.idle);
    }
    fn check(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        ready!(self.deadline.as_mut().poll(context));
        Poll::Ready(io::Error::from(io::ErrorKind::TimedOut))
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
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.after_read(context, polled)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.after_write(context, polled)
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.after_write(context, polled)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
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
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn listener(per_address: usize, idle_seconds: u64) -> (BoundedListener, SocketAddr) {
        let inner = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = inner.local_addr().unwrap();
        let config = ApiSection { connections_per_address: per_address, idle_seconds, ..ApiSection::default() };
        (BoundedListener::new(inner, &config), address)
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
}
