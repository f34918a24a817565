//! Messages as bytes: SCALE, read up to the spec's bound, nothing before, nothing after.
//!
//! A message is a stream from open to close. The codec also stamps when a request left and when its response was
//! complete, so that a measured time contains neither the dial nor this node's own queues.

use std::{
    io,
    sync::{Arc, OnceLock},
    time::Instant,
};

use athanor_spec::{
    params::Limits,
    wire::{self, Request, Response},
};
use codec::{Decode, Encode};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use libp2p::{StreamProtocol, request_response};
use thiserror::Error;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The message is longer than the spec allows.
    #[error("a message over the bound of {bound} bytes")]
    TooLarge {
        /// Largest message in bytes.
        bound: u64,
    },
    /// The stream was closed before the first byte.
    #[error("closed without a message")]
    Empty,
    /// Not the SCALE encoding of a message.
    #[error("not a message of this protocol")]
    Malformed,
    /// Bytes follow the message.
    #[error("{bytes} bytes after the end of the message")]
    Trailing {
        /// How many.
        bytes: usize,
    },
}

impl From<CodecError> for io::Error {
    fn from(error: CodecError) -> Self {
        io::Error::new(io::ErrorKind::InvalidData, error)
    }
}

/// A request with the time at which its first byte was handed to the transport.
#[derive(Debug)]
pub(crate) struct TimedRequest {
    pub(crate) request: Request,
    pub(crate) sent: Arc<OnceLock<Instant>>,
}

/// A response with the time at which its last byte had arrived.
#[derive(Debug)]
pub(crate) struct TimedResponse {
    pub(crate) response: Response,
    pub(crate) at: Instant,
}

/// The codec of [`wire::PROTOCOL_NAME`] with the byte bounds of one spec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScaleCodec {
    max_request: u64,
    max_response: u64,
}

impl ScaleCodec {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            max_request: wire::max_request_bytes(limits),
            max_response: wire::max_response_bytes(limits),
        }
    }

    /// Encodes a request, unless it is over the bound.
    pub(crate) fn request_bytes(&self, request: &Request) -> Result<Vec<u8>, CodecError> {
        bounded(request.encode(), self.max_request)
    }
}

fn bounded(bytes: Vec<u8>, bound: u64) -> Result<Vec<u8>, CodecError> {
    if bytes.len() as u64 <= bound {
        Ok(bytes)
    } else {
        Err(CodecError::TooLarge { bound })
    }
}

/// Decodes a whole message.
pub(crate) fn decode<M: Decode>(bytes: &[u8]) -> Result<M, CodecError> {
    if bytes.is_empty() {
        return Err(CodecError::Empty);
    }
    let mut rest = bytes;
    let message = M::decode(&mut rest).map_err(|_| CodecError::Malformed)?;
    if rest.is_empty() {
        Ok(message)
    } else {
        Err(CodecError::Trailing { bytes: rest.len() })
    }
}

async fn read<M: Decode, T: AsyncRead + Unpin + Send>(io: &mut T, bound: u64) -> io::Result<M> {
    let mut bytes = Vec::new();
    // One byte more than allowed tells a message at the bound from one over it.
    io.take(bound + 1).read_to_end(&mut bytes).await?;
    let bytes = bounded(bytes, bound)?;
    Ok(decode(&bytes)?)
}

impl request_response::Codec for ScaleCodec {
    type Protocol = StreamProtocol;
    type Request = TimedRequest;
    type Response = TimedResponse;

    async fn read_request<T>(&mut self, _: &StreamProtocol, io: &mut T) -> io::Result<TimedRequest>
    where
        T: AsyncRead + Unpin + Send,
    {
        let request = read(io, self.max_request).await?;
        Ok(TimedRequest {
            request,
            sent: Arc::default(),
        })
    }

    async fn read_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
    ) -> io::Result<TimedResponse>
    where
        T: AsyncRead + Unpin + Send,
    {
        let response = read(io, self.max_response).await?;
        Ok(TimedResponse {
            response,
            at: Instant::now(),
        })
    }

    async fn write_request<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        request: TimedRequest,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        let bytes = self.request_bytes(&request.request)?;
        request.sent.get_or_init(Instant::now);
        io.write_all(&bytes).await
    }

    async fn write_response<T>(
        &mut self,
        _: &StreamProtocol,
        io: &mut T,
        response: TimedResponse,
    ) -> io::Result<()>
    where
        T: AsyncWrite + Unpin + Send,
    {
        io.write_all(&bounded(response.response.encode(), self.max_response)?)
            .await
    }
}
