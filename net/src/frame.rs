//! Messages as bytes: frames of a little-endian `u32` length and that many bytes of SCALE.
//!
//! A frame's length is checked against the bound of what is expected before a byte of it is read, and the buffer grows
//! with what has arrived, not with what was claimed.

use std::io;

use codec::{Decode, Encode};
use futures::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use thiserror::Error;

/// Bytes of a frame's length.
const PREFIX: usize = 4;
/// What is reserved for a frame before any of it has arrived.
const FIRST_RESERVE: usize = 4096;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The message is longer than the spec allows.
    #[error("a message over the bound of {bound} bytes")]
    TooLarge {
        /// Largest message in bytes.
        bound: u64,
    },
    /// A frame without content.
    #[error("an empty message")]
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
    /// The streamed tokens are not the answer's, or more than were asked for.
    #[error("the streamed tokens are not those of the answer")]
    OtherTokens,
    /// The spec is not the one with the digest asked for.
    #[error("another spec than the one asked for")]
    OtherSpec,
}

/// Why no frame was read.
#[derive(Debug, Error)]
pub(crate) enum ReadError {
    /// The stream ended or broke; the other side may have given up.
    #[error("the stream ended: {0}")]
    Ended(#[from] io::Error),
    /// The other side broke the protocol.
    #[error(transparent)]
    Bad(#[from] CodecError),
}

/// Encodes a message as a frame, unless it is over the bound.
pub(crate) fn encode<M: Encode>(message: &M, bound: u64) -> Result<Vec<u8>, CodecError> {
    let mut frame = vec![0; PREFIX];
    message.encode_to(&mut frame);
    let len = frame.len() - PREFIX;
    match u32::try_from(len) {
        Ok(prefix) if len as u64 <= bound => {
            frame[..PREFIX].copy_from_slice(&prefix.to_le_bytes());
            Ok(frame)
        }
        _ => Err(CodecError::TooLarge { bound }),
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

/// Reads one frame of at most `bound` bytes.
pub(crate) async fn read<M: Decode>(
    io: &mut (impl AsyncRead + Unpin),
    bound: u64,
) -> Result<M, ReadError> {
    let mut prefix = [0; PREFIX];
    io.read_exact(&mut prefix).await?;
    let len = u64::from(u32::from_le_bytes(prefix));
    if len > bound {
        return Err(CodecError::TooLarge { bound }.into());
    }
    let mut bytes = Vec::with_capacity(FIRST_RESERVE.min(len as usize));
    io.take(len).read_to_end(&mut bytes).await?;
    if (bytes.len() as u64) < len {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
    }
    Ok(decode(&bytes)?)
}

/// Writes one frame, made by [`encode`], and hands it to the network.
pub(crate) async fn write(io: &mut (impl AsyncWrite + Unpin), frame: &[u8]) -> io::Result<()> {
    io.write_all(frame).await?;
    io.flush().await
}
