//! Read what a validator has published of its closed rounds: transcripts and ledgers, each a blob that proves itself.
//!
//! Anybody may. What a validator says of where they are is a claim; what is fetched is held against the hash that was named,
//! and what it says against the root on chain by whoever reads it.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use athanor_spec::{Digest, Fetch, Round, Signed, wire::TranscriptOffer};

use crate::{AskError, Client, FetchError, PeerAddress};

/// How long a validator has to say where a transcript is.
const ASK_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause after a question: a peer answers two in a second.
const PACE: Duration = Duration::from_millis(550);

/// Wraps a request for a range of a blob in a fresh envelope.
pub type SignFetch = Arc<dyn Fn(Fetch) -> Signed<Fetch> + Send + Sync>;

/// A validator's published rounds, and where they are kept once they were fetched.
#[derive(Clone)]
pub struct Library {
    client: Client,
    peer: PeerAddress,
    sign: SignFetch,
    cache: PathBuf,
}

impl fmt::Debug for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Library")
            .field("peer", &self.peer)
            .field("cache", &self.cache)
            .finish_non_exhaustive()
    }
}

impl Library {
    /// The library of the validator at `peer`; what is fetched is kept in `cache`, which has to be there.
    pub fn new(client: Client, peer: PeerAddress, sign: SignFetch, cache: &Path) -> Self {
        Self {
            client,
            peer,
            sign,
            cache: cache.to_owned(),
        }
    }

    /// Where the validator is.
    pub fn peer(&self) -> PeerAddress {
        self.peer
    }

    /// Where the transcript of a round is, or of the last that was closed; `None` if it is not kept.
    pub async fn offer(&self, round: Option<Round>) -> Result<Option<TranscriptOffer>, AskError> {
        let asked = self.client.transcript(&self.peer, round, ASK_TIMEOUT).await;
        tokio::time::sleep(PACE).await;
        asked
    }

    /// Where the newest transcript before another is: rounds may be missing where the validator was away. `None` if all that
    /// are kept are newer.
    pub async fn earlier(
        &self,
        than: &TranscriptOffer,
    ) -> Result<Option<TranscriptOffer>, AskError> {
        let mut round = than.round.0;
        while round > than.oldest.0 {
            round -= 1;
            if let Some(offer) = self.offer(Some(Round(round))).await? {
                return Ok(Some(offer));
            }
        }
        Ok(None)
    }

    /// The file that holds a blob, which is fetched if it is not there; one of more than `bytes` is refused.
    pub async fn blob(&self, blob: Digest, bytes: u64) -> Result<PathBuf, FetchError> {
        let path = self.file(blob);
        let cached = {
            let path = path.clone();
            // A file that cannot be read is fetched again.
            tokio::task::spawn_blocking(move || {
                std::fs::read(&path).is_ok_and(|bytes| Digest::of(&bytes) == blob)
            })
            .await
            .unwrap_or(false)
        };
        if !cached {
            let sign = |fetch| (self.sign)(fetch);
            self.client
                .fetch(&self.peer, blob, bytes, sign, &path)
                .await?;
        }
        Ok(path)
    }

    /// Where a blob lies, or would.
    fn file(&self, blob: Digest) -> PathBuf {
        self.cache.join(format!("{blob}.blob"))
    }
}
