//! Requests and responses on a stream.
//!
//! A request that is none is still handed on, as [`Unread`]: the library tells nobody of a request that could not be read,
//! and whoever sends such is to be counted and shut out.

use std::io;

use async_trait::async_trait;
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::StreamProtocol;
use libp2p::request_response;

use super::request::{REQUEST_BYTES_MAX, RESPONSE_BYTES_MAX, Request, Response};

/// Bytes that are no request, or longer than any; why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unread(pub(super) String);

/// Reads and writes one message each way, within the limit.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Codec;

async fn read<T: AsyncRead + Unpin + Send>(io: &mut T, max: usize) -> io::Result<Vec<u8>> {
    let mut len = [0; 4];
    io.read_exact(&mut len).await?;
    let len = u32::from_be_bytes(len) as usize;
    if len > max {
        return Err(invalid(format!("{len} bytes are more than the {max} allowed here")));
    }
    // Grows with what arrives, so that a length without its bytes takes no memory.
    let mut bytes = Vec::new();
    io.take(len as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < len { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(bytes) }
}

async fn write<T: AsyncWrite + Unpin + Send>(io: &mut T, bytes: &[u8]) -> io::Result<()> {
    let len = u32::try_from(bytes.len()).map_err(invalid)?;
    io.write_all(&len.to_be_bytes()).await?;
    io.write_all(bytes).await?;
    io.flush().await
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[async_trait]
impl request_response::Codec for Codec {
    type Protocol = StreamProtocol;
    type Request = Result<Request, Unread>;
    type Response = Response;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Self::Request>
    where
        T: AsyncRead + Unpin + Send,
    {
        match read(io, REQUEST_BYTES_MAX).await {
            Ok(bytes) => Ok(Request::from_bytes(&bytes).map_err(|error| Unread(error.to_string()))),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => Ok(Err(Unread(error.to_string()))),
            Err(error) => Err(error),
        }
    }

    async fn read_response<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<Response>
    where
        T: AsyncRead + Unpin + Send,
    {
        Response::from_bytes(&read(io, RESPONSE_BYTES_MAX).await?).map_err(invalid)
    }

    async fn write_request<T>(&mut self, _: &StreamProtocol, io: &mut T, request: Self::Request) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let request = request.map_err(|Unread(why)| invalid(why))?;
        write(io, &request.to_bytes().map_err(invalid)?).await
    }

    async fn write_response<T>(&mut self, _: &StreamProtocol, io: &mut T, response: Response) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        write(io, &response.to_bytes().map_err(invalid)?).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::io::Cursor;
    use libp2p::request_response::Codec as _;

    const PROTOCOL: StreamProtocol = StreamProtocol::new("/test");

    async fn request(bytes: Vec<u8>) -> io::Result<Result<Request, Unread>> {
        Codec.read_request(&PROTOCOL, &mut Cursor::new(bytes)).await
    }

    #[tokio::test]
    async fn streams_are_read_within_the_limit() {
        let mail = Request::DeliverMail(vec![5; 100_000].into());
        let mut stream = Cursor::new(Vec::new());
        Codec.write_request(&PROTOCOL, &mut stream, Ok(mail.clone())).await.unwrap();
        let bytes = stream.into_inner();
        assert_eq!(request(bytes.clone()).await.unwrap(), Ok(mail));
        assert!(request(bytes[..bytes.len() - 1].to_vec()).await.is_err(), "truncated: the line's fault, perhaps");
        assert!(request(vec![0xff; 1_000]).await.unwrap().is_err(), "a length of 4 GiB");
        assert!(request(Vec::new()).await.is_err());
        let mut garbage = bytes;
        garbage[4] ^= 1;
        assert!(request(garbage).await.unwrap().is_err(), "another version");
    }
}
