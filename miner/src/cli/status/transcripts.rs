//! Fetching what validators have published of their rounds, as anybody may.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use athanor_chain::Metagraph;
use athanor_net::{AskError, FetchError, Identity, Library, NetConfig, PeerAddress, SignFetch};
use athanor_node::blocking;
use athanor_scoring::{
    round::{DecodeLedgerError, Ledger},
    transcript::{DecodeTranscriptError, Transcript},
};
use athanor_spec::{
    Digest, Fetch, Hotkey, Round, Signed, SigningContext, SubnetSpec, wire::TranscriptOffer,
};
use futures::future::join_all;
use sp_core::{Pair as _, sr25519};
use thiserror::Error;
use tokio::time::timeout;

use super::{super::CliError, because::Line};

/// How long one validator may take in all.
const PATIENCE: Duration = Duration::from_secs(60);
/// Transcripts of one validator that are read at most: a ledger is kept beside one of every 32.
const MAX_ROUNDS: usize = 33;
/// Bytes of one validator that are read at most, over all of them.
const MAX_BYTES: u64 = 256 << 20;
/// How long a signature is fresh.
const WINDOW_MS: u64 = 30_000;

/// Why a validator's transcripts are not known.
#[derive(Debug, Error)]
pub(super) enum UnreadError {
    /// Nobody can ask it.
    #[error("the chain has no address or no peer of it")]
    Nowhere,
    /// It does not answer.
    #[error("it does not say where its transcripts are: {0}")]
    Ask(#[from] AskError),
    /// A transfer failed.
    #[error("the transfer failed: {0}")]
    Fetch(#[from] FetchError),
    /// It keeps none.
    #[error("it keeps no transcript yet")]
    None,
    /// There is too much.
    #[error(
        "its last transcript has {bytes} bytes, more than {MAX_BYTES}: `athanor-validator verify` fetches it"
    )]
    TooLarge {
        /// Its length.
        bytes: u64,
    },
    /// It takes too long.
    #[error("it took longer than {} s to give them", PATIENCE.as_secs())]
    TooSlow,
    /// What it gave cannot be read.
    #[error("cannot read what it gave: {0}")]
    File(#[from] std::io::Error),
    /// What it gave is none.
    #[error("what it serves as the transcript of round {round} is none: {source}")]
    Transcript {
        /// The round.
        round: Round,
        /// The cause.
        source: DecodeTranscriptError,
    },
    /// What it gave is none.
    #[error("what it serves as the ledger of round {round} is none: {source}")]
    Ledger {
        /// The round.
        round: Round,
        /// The cause.
        source: DecodeLedgerError,
    },
}

/// Reads what every validator with a permit has published, all at once.
pub(super) async fn read(
    metagraph: &Metagraph,
    context: SigningContext,
    spec: &SubnetSpec,
) -> Result<Vec<(Hotkey, Result<Line, UnreadError>)>, CliError> {
    let folder = tempfile::tempdir().map_err(CliError::Scratch)?;
    // Nobody need be anybody to read.
    let config = NetConfig::new(Identity::random(), spec.limits.clone());
    let (client, _, net) = athanor_net::start(config).await?;
    let sign = signer(context);
    let validators = metagraph.neurons.iter().filter(|it| it.validator_permit);
    let reading = validators.map(|validator| {
        let (client, sign) = (client.clone(), sign.clone());
        // Two may publish the same bytes, as all do that begin on an empty ledger.
        let folder = folder.path().join(validator.uid.to_string());
        async move {
            let reading = async {
                let commitment = validator.commitment.map(|(record, _)| record);
                let (addr, record) = validator.axon.zip(commitment).ok_or(UnreadError::Nowhere)?;
                let peer = PeerAddress {
                    peer_key: record.peer_key,
                    addr,
                };
                std::fs::create_dir(&folder)?;
                let library = Library::new(client, peer, sign, &folder);
                line(&library, record.transcript_root, spec).await
            };
            let line = timeout(PATIENCE, reading).await;
            (validator.hotkey, line.unwrap_or(Err(UnreadError::TooSlow)))
        }
    });
    let read = join_all(reading).await;
    net.shutdown().await;
    Ok(read)
}

/// The transcripts up to the last, from the newest that has its ledger kept, as far as there is room for them.
async fn line(library: &Library, on_chain: Digest, spec: &SubnetSpec) -> Result<Line, UnreadError> {
    let last = library.offer(None).await?.ok_or(UnreadError::None)?;
    if last.bytes > MAX_BYTES {
        return Err(UnreadError::TooLarge { bytes: last.bytes });
    }
    let mut offers = vec![last];
    let mut room = MAX_BYTES - last.bytes;
    let mut oldest = last;
    let before = loop {
        if let Some(ledger) = oldest.ledger {
            break Some(ledger).filter(|(_, bytes)| *bytes <= Ledger::MAX_BYTES as u64);
        }
        let earlier = match offers.len() < MAX_ROUNDS {
            true => library.earlier(&oldest).await?,
            false => None,
        };
        match earlier {
            Some(earlier) if earlier.bytes <= room => {
                room -= earlier.bytes;
                oldest = earlier;
                offers.push(earlier);
            }
            _ => break None,
        }
    };
    if before.is_none() {
        // Without a ledger only the last one says anything.
        offers.truncate(1);
    }
    let before = match before {
        None => None,
        Some((digest, bytes)) => {
            let path = library.blob(digest, bytes).await?;
            Some(ledger(&path, oldest.round).await?)
        }
    };
    let mut transcripts = Vec::with_capacity(offers.len());
    for offer in offers.into_iter().rev() {
        let path = library.blob(offer.blob, offer.bytes).await?;
        transcripts.push(transcript(&path, offer, spec).await?);
    }
    Ok(Line {
        before,
        transcripts,
        on_chain,
    })
}

async fn ledger(path: &Path, round: Round) -> Result<Ledger, UnreadError> {
    let path = path.to_owned();
    blocking(move || {
        Ledger::from_bytes(&std::fs::read(&path)?)
            .map_err(|source| UnreadError::Ledger { round, source })
    })
    .await
}

async fn transcript(
    path: &Path,
    offer: TranscriptOffer,
    spec: &SubnetSpec,
) -> Result<Transcript, UnreadError> {
    let (path, limits) = (path.to_owned(), spec.limits.clone());
    blocking(move || {
        Transcript::from_bytes(&std::fs::read(&path)?, &limits).map_err(|source| {
            UnreadError::Transcript {
                round: offer.round,
                source,
            }
        })
    })
    .await
}

/// Signs with a key that is made for this.
fn signer(context: SigningContext) -> SignFetch {
    let (pair, nonces) = (sr25519::Pair::generate().0, AtomicU64::new(1));
    Arc::new(move |fetch: Fetch| {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since_epoch.map_or(0, |it| u64::try_from(it.as_millis()).unwrap_or(u64::MAX));
        let nonce = nonces.fetch_add(1, Ordering::Relaxed);
        Signed::new(&pair, &context, fetch, now, WINDOW_MS, nonce)
    })
}
