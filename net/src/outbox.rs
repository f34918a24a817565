//! What a server has said and the network has not yet carried.
//!
//! One outbox per exchange stands between the engine, which must never wait, and the stream's writer, which may have to.
//! Tokens that the writer could not send yet run together, so a reader that stalls costs four bytes a token, and never
//! more than the longest answer.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use athanor_spec::wire::Response;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The next thing to write.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Tokens to stream.
    Tokens(Vec<u32>),
    /// The response; nothing follows.
    Last(Box<Response>),
    /// The server dropped the exchange without a response.
    Abandoned,
}

#[derive(Debug, Default)]
struct Contents {
    tokens: Vec<u32>,
    /// Tokens ever put in.
    streamed: usize,
    last: Option<Box<Response>>,
    closed: bool,
}

#[derive(Debug)]
struct Shared {
    contents: Mutex<Contents>,
    changed: Notify,
    cancelled: CancellationToken,
    max_tokens: usize,
}

/// The writer's end. Dropping it tells the server that nobody listens any more.
#[derive(Debug)]
pub(crate) struct Outbox(Arc<Shared>);

/// The way back to the peer. Dropping it ends the exchange without a response.
#[derive(Debug)]
pub struct Responder(Arc<Shared>);

/// Both ends of an exchange that may stream up to `max_tokens` tokens.
pub(crate) fn exchange(max_tokens: usize) -> (Responder, Outbox) {
    let shared = Arc::new(Shared {
        contents: Mutex::default(),
        changed: Notify::new(),
        cancelled: CancellationToken::new(),
        max_tokens,
    });
    (Responder(shared.clone()), Outbox(shared))
}

impl Shared {
    fn contents(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Responder {
    /// Streams the next tokens of the answer. Never waits: what the peer cannot take yet runs together. In silence if
    /// the peer is gone, and beyond the spec's `max_new_tokens`, which no answer may exceed.
    pub fn tokens(&mut self, tokens: &[u32]) {
        if tokens.is_empty() || self.0.cancelled.is_cancelled() {
            return;
        }
        let mut contents = self.0.contents();
        let room = self.0.max_tokens.saturating_sub(contents.streamed);
        let taken = &tokens[..room.min(tokens.len())];
        contents.streamed += taken.len();
        contents.tokens.extend_from_slice(taken);
        drop(contents);
        self.0.changed.notify_one();
    }

    /// Ends the exchange. An answer must begin with all tokens that were streamed; it may hold more. In silence if the
    /// peer or the network is gone, as then nobody waits for it.
    pub fn send(self, response: Response) {
        self.0.contents().last = Some(Box::new(response));
        // Dropping `self` closes the outbox and wakes the writer.
    }

    /// Resolves once the peer gave up, its connection ended, or it stopped reading for too long.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + 'static {
        self.0.cancelled.clone().cancelled_owned()
    }

    /// Whether the peer still waits.
    pub fn is_open(&self) -> bool {
        !self.0.cancelled.is_cancelled()
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        self.0.contents().closed = true;
        self.0.changed.notify_one();
    }
}

impl Outbox {
    /// Waits for something to write. Safe to cancel: nothing is taken before it is returned.
    pub(crate) async fn next(&mut self) -> Piece {
        loop {
            if let Some(piece) = self.take() {
                return piece;
            }
            self.0.changed.notified().await;
        }
    }

    fn take(&mut self) -> Option<Piece> {
        let mut contents = self.0.contents();
        match contents.last.take() {
            // A whole answer makes the tokens before it superfluous.
            Some(last) => Some(Piece::Last(last)),
            None if !contents.tokens.is_empty() => {
                Some(Piece::Tokens(std::mem::take(&mut contents.tokens)))
            }
            None if contents.closed => Some(Piece::Abandoned),
            None => None,
        }
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        self.0.cancelled.cancel();
    }
}

#[cfg(test)]
mod tests {
    use athanor_spec::Refusal;

    use super::*;

    #[tokio::test]
    async fn tokens_run_together_up_to_the_bound_until_they_are_taken() {
        let (mut responder, mut outbox) = exchange(5);
        responder.tokens(&[1]);
        assert_eq!(outbox.next().await, Piece::Tokens(vec![1]));
        responder.tokens(&[2, 3]);
        responder.tokens(&[]);
        responder.tokens(&[4, 5, 6]);
        responder.tokens(&[7]);
        assert_eq!(outbox.next().await, Piece::Tokens(vec![2, 3, 4, 5]));
    }

    #[tokio::test]
    async fn the_response_comes_last_and_once() {
        let (mut responder, mut outbox) = exchange(5);
        responder.tokens(&[1]);
        let refused = Response::Refused(Refusal::RESTARTING);
        responder.send(refused.clone());
        assert_eq!(outbox.next().await, Piece::Last(Box::new(refused)));
    }

    #[tokio::test]
    async fn each_side_learns_that_the_other_is_gone() {
        let (responder, mut outbox) = exchange(5);
        drop(responder);
        assert_eq!(outbox.next().await, Piece::Abandoned);
        let (responder, outbox) = exchange(5);
        assert!(responder.is_open());
        drop(outbox);
        responder.cancelled().await;
        assert!(!responder.is_open());
    }
}
