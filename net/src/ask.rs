//! Asking for tokens, and watching them arrive.

use std::time::{Duration, Instant};

use athanor_spec::{
    Answer, Ask, Signed,
    wire::{self, AskFrame},
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

use crate::{AskError, Client, CodecError, PeerAddress, client::Begun, frame, identity};

/// An answer as this node saw it arrive. Both times are by this node's clock and contain neither dial nor queues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// The answer; its signature is the caller's to check.
    pub answer: Signed<Answer>,
    /// From the first byte of the ask to the first tokens: the time to first token. Equal to `elapsed` when the whole
    /// answer came at once.
    pub first_token: Duration,
    /// From the first byte of the ask to the last byte of the answer.
    pub elapsed: Duration,
    /// When tokens of the answer came, and how many were here with them; the last are all of the answer's.
    pub arrivals: Vec<(Instant, u32)>,
}

impl Observed {
    /// Tokens of the answer that were here at that moment.
    pub fn arrived_by(&self, moment: Instant) -> u32 {
        let here = self.arrivals.iter().take_while(|(at, _)| *at <= moment);
        here.last().map_or(0, |(_, tokens)| *tokens)
    }
}

/// An answer on its way. Dropping it cancels the ask.
#[derive(Debug)]
pub struct AskStream {
    tokens: mpsc::Receiver<Vec<u32>>,
    end: oneshot::Receiver<Result<Observed, AskError>>,
}

impl AskStream {
    /// The next tokens, as soon as they are here; `None` at the end, which [`AskStream::finish`] tells. An answer may
    /// hold tokens that were not streamed.
    pub async fn tokens(&mut self) -> Option<Vec<u32>> {
        self.tokens.recv().await
    }

    /// Waits for the whole answer; tokens that were not taken are dropped.
    pub async fn finish(self) -> Result<Observed, AskError> {
        // The receiver of tokens must live until the end, or the ask would be cancelled.
        let Self { tokens: _held, end } = self;
        end.await.unwrap_or(Err(AskError::Stopped))
    }
}

impl Client {
    /// Asks a peer for tokens and waits for its whole answer, at most `within` from the moment the ask may leave.
    pub async fn ask(
        &self,
        peer: &PeerAddress,
        ask: Signed<Ask>,
        within: Duration,
    ) -> Result<Observed, AskError> {
        self.ask_stream(peer, ask, within).finish().await
    }

    /// Asks a peer for tokens and gives them as they arrive. What fails is told by [`AskStream::finish`].
    ///
    /// A task of its own reads, so that a slow caller changes neither the times nor the peer's pace; what it holds is
    /// bounded by the ask's `max_new_tokens`.
    pub fn ask_stream(&self, peer: &PeerAddress, ask: Signed<Ask>, within: Duration) -> AskStream {
        // Every frame holds at least one token, so the channel is never full.
        let (sender, tokens) = mpsc::channel(usize::from(ask.payload.max_new_tokens).max(1));
        let (end, ended) = oneshot::channel();
        let (client, peer) = (self.clone(), *peer);
        tokio::spawn(async move {
            let cancelled = sender.clone();
            tokio::select! {
                result = client.carry_ask(&peer, ask, within, &sender) => drop(end.send(result)),
                () = cancelled.closed() => {}
            }
        });
        AskStream { tokens, end: ended }
    }

    async fn carry_ask(
        &self,
        peer: &PeerAddress,
        ask: Signed<Ask>,
        within: Duration,
        tokens: &mpsc::Sender<Vec<u32>>,
    ) -> Result<Observed, AskError> {
        let request = frame::encode(&ask, wire::max_ask_bytes(&self.limits))
            .map_err(AskError::RequestTooLarge)?;
        let _slot = self
            .slot(identity::peer_id(&peer.peer_key)?, within)
            .await?;
        let exchange = async {
            let begun = self.begin(peer, wire::ASK_PROTOCOL, &request).await?;
            let max_tokens = usize::from(ask.payload.max_new_tokens);
            self.watch(peer, begun, max_tokens, tokens).await
        };
        timeout(within, exchange)
            .await
            .unwrap_or(Err(AskError::Timeout { after: within }))
    }

    /// Reads frames until the last and stamps the first.
    async fn watch(
        &self,
        peer: &PeerAddress,
        mut begun: Begun,
        max_tokens: usize,
        tokens: &mpsc::Sender<Vec<u32>>,
    ) -> Result<Observed, AskError> {
        let bound = wire::max_ask_frame_bytes(&self.limits);
        let malformed = Err(AskError::Malformed(CodecError::OtherTokens));
        let mut streamed = Vec::new();
        let mut arrivals = Vec::new();
        // No more than the ask's limit, which is a u16.
        let count = |tokens: usize| u32::try_from(tokens).unwrap_or(u32::MAX);
        loop {
            let frame = begun.read(bound).await?;
            let now = Instant::now();
            match frame {
                AskFrame::Tokens(piece) => {
                    if piece.is_empty() || streamed.len() + piece.len() > max_tokens {
                        return malformed;
                    }
                    streamed.extend_from_slice(&piece);
                    arrivals.push((now, count(streamed.len())));
                    let _ = tokens.try_send(piece);
                }
                AskFrame::Done(answer) => {
                    if !answer.payload.tokens.starts_with(&streamed) {
                        return malformed;
                    }
                    self.hear_clock(peer, answer.issued_ms);
                    arrivals.push((now, count(answer.payload.tokens.len())));
                    let since = |at: Instant| at.saturating_duration_since(begun.sent);
                    return Ok(Observed {
                        answer,
                        first_token: arrivals.first().map_or(since(now), |(at, _)| since(*at)),
                        elapsed: since(now),
                        arrivals,
                    });
                }
                AskFrame::Refused(refusal) => return Err(self.refused(peer, refusal)),
            }
        }
    }
}
