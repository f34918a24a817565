//! What a validator serves to anybody: the transcripts of closed rounds, the ledgers that they can be checked from, and
//! the checkpoints that they are about.
//!
//! Everything is a blob that proves itself, so a request's signature is not looked at; what bounds a stranger is a budget
//! of bytes per peer, and the reads that run at once. Nothing of an open round is on the shelf.

use std::{
    collections::{BTreeSet, HashMap, btree_map::Entry},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use athanor_model::checkpoint::MANIFEST;
use athanor_net::{AddBlobError, BlobStore, Inbound, InboundRequest, PeerId, Transcripts};
use athanor_spec::{
    Digest, Refusal, Round,
    wire::{Request, Response, TranscriptOffer},
};
use thiserror::Error;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    archive::{Archive, ArchiveError},
    artifacts::Artifacts,
    book::{Book, BookError},
};

/// Ranges read from disk at once.
const MAX_READS: usize = 8;
/// Hint when that many are being read.
const READ_RETRY_MS: u32 = 50;
/// Bytes that a peer may fetch at once ...
const BURST_BYTES: f64 = (256 << 20) as f64;
/// ... and per second in the long run.
const BYTES_PER_SECOND: f64 = (4 << 20) as f64;
/// Peers whose budgets are remembered.
const REMEMBERED: usize = 4096;

/// Why something was not put on the shelf.
#[derive(Debug, Error)]
pub(crate) enum ShelfError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A file cannot be hashed.
    #[error(transparent)]
    Blob(#[from] AddBlobError),
}

/// What is served. Clones share it; its methods do blocking I/O.
#[derive(Clone)]
pub(crate) struct Shelf {
    store: BlobStore,
    archive: Archive,
    artifacts: Artifacts,
    table: watch::Sender<Transcripts>,
    /// The blobs of each checkpoint on the shelf.
    checkpoints: Arc<Mutex<HashMap<Digest, Checkpoint>>>,
}

struct Checkpoint {
    home: PathBuf,
    blobs: Vec<Digest>,
}

impl Shelf {
    pub(crate) fn new(
        store: BlobStore,
        archive: Archive,
        artifacts: Artifacts,
        table: watch::Sender<Transcripts>,
    ) -> Self {
        Self {
            store,
            archive,
            artifacts,
            table,
            checkpoints: Arc::default(),
        }
    }

    /// Takes in what was closed since the last time, and lets go of what was pruned.
    pub(crate) fn restock(&self, book: &Book) -> Result<(), ShelfError> {
        let kept = self.archive.rounds()?;
        let mut table = self.table.borrow().clone();
        let gone: Vec<Round> = table
            .keys()
            .copied()
            .filter(|round| !kept.contains(round))
            .collect();
        for round in gone {
            if let Some(offer) = table.remove(&round) {
                self.store.remove(&offer.blob);
                if let Some((ledger, _)) = offer.ledger {
                    self.store.remove(&ledger);
                }
            }
        }
        let mut wanted = BTreeSet::new();
        for (head, closed) in book.rounds()? {
            let Some(closed) = closed.filter(|_| kept.contains(&head.round)) else {
                continue;
            };
            if let Entry::Vacant(place) = table.entry(head.round) {
                place.insert(self.offer(head.round, closed.root)?);
            }
            wanted.extend(head.miners.iter().map(|miner| miner.checkpoint));
        }
        let oldest = table.keys().next().copied().unwrap_or_default();
        for offer in table.values_mut() {
            offer.oldest = oldest;
        }
        self.stock_checkpoints(&wanted)?;
        self.table.send_replace(table);
        Ok(())
    }

    fn offer(&self, round: Round, root: Digest) -> Result<TranscriptOffer, ShelfError> {
        let transcript = self.archive.transcript(round);
        let ledger = self.archive.ledger(round);
        let bytes = |path: &PathBuf| std::fs::metadata(path).map_or(0, |file| file.len());
        let ledger = match ledger.exists() {
            true => Some((self.store.add(&ledger)?, bytes(&ledger))),
            false => None,
        };
        Ok(TranscriptOffer {
            round,
            root,
            blob: self.store.add(&transcript)?,
            bytes: bytes(&transcript),
            ledger,
            oldest: round,
        })
    }

    fn stock_checkpoints(&self, wanted: &BTreeSet<Digest>) -> Result<(), ShelfError> {
        let mut shelved = self
            .checkpoints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        shelved.retain(|_, checkpoint| {
            let keep = checkpoint.home.is_dir();
            if !keep {
                checkpoint
                    .blobs
                    .iter()
                    .for_each(|blob| self.store.remove(blob));
            }
            keep
        });
        for digest in wanted {
            let Some(home) = self.artifacts.home(*digest) else {
                continue;
            };
            if shelved.contains_key(digest) {
                continue;
            }
            let mut blobs = vec![self.store.add(&home.join(MANIFEST))?];
            for file in files(&home) {
                blobs.push(self.store.add(&file)?);
            }
            shelved.insert(*digest, Checkpoint { home, blobs });
        }
        Ok(())
    }

    /// Answers strangers until the network ends or it is told to stop.
    pub(crate) async fn serve(self, mut inbound: Inbound, cancel: CancellationToken) {
        let reads = Arc::new(Semaphore::new(MAX_READS));
        let mut budgets = Budgets::default();
        loop {
            let request = tokio::select! {
                () = cancel.cancelled() => return,
                request = inbound.recv() => request,
            };
            let Some(InboundRequest {
                peer,
                request,
                reply,
            }) = request
            else {
                return;
            };
            let refused = |refusal| Response::Refused(refusal);
            let fetch = match request {
                Request::Fetch(fetch) => fetch.payload,
                Request::Ask(_) => {
                    reply.send(refused(Refusal::RESTARTING));
                    continue;
                }
                Request::Delta(_) => {
                    reply.send(refused(Refusal::UnknownBlob));
                    continue;
                }
            };
            if let Err(wait) = budgets.take(peer, fetch.len.into(), Instant::now()) {
                let retry_after_ms = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
                reply.send(refused(Refusal::Overloaded { retry_after_ms }));
                continue;
            }
            let Ok(permit) = reads.clone().try_acquire_owned() else {
                reply.send(refused(Refusal::Overloaded {
                    retry_after_ms: READ_RETRY_MS,
                }));
                continue;
            };
            let store = self.store.clone();
            tokio::task::spawn_blocking(move || {
                reply.send(match store.slice(&fetch) {
                    Ok(slice) => Response::Slice(slice),
                    Err(refusal) => refused(refusal),
                });
                drop(permit);
            });
        }
    }
}

/// The files that a checkpoint's manifest names.
fn files(home: &std::path::Path) -> Vec<PathBuf> {
    std::fs::read(home.join(MANIFEST))
        .ok()
        .and_then(|bytes| athanor_model::Manifest::parse(&bytes).ok())
        .map(|manifest| {
            manifest
                .files
                .iter()
                .map(|file| home.join(&file.name))
                .collect()
        })
        .unwrap_or_default()
}

/// Buckets of bytes, one a peer. Pure: time is an argument.
#[derive(Debug, Default)]
struct Budgets(HashMap<PeerId, (f64, Instant)>);

impl Budgets {
    /// Takes `bytes` from a peer's budget, or says how long to wait.
    fn take(&mut self, peer: PeerId, bytes: f64, now: Instant) -> Result<(), Duration> {
        if self.0.len() >= REMEMBERED && !self.0.contains_key(&peer) {
            self.0
                .retain(|_, (left, at)| refilled(*left, *at, now) < BURST_BYTES);
            if self.0.len() >= REMEMBERED {
                return Err(Duration::from_secs(1));
            }
        }
        let (left, at) = self.0.entry(peer).or_insert((BURST_BYTES, now));
        let available = refilled(*left, *at, now);
        if available < bytes {
            return Err(Duration::from_secs_f64(
                (bytes - available) / BYTES_PER_SECOND,
            ));
        }
        (*left, *at) = (available - bytes, now);
        Ok(())
    }
}

fn refilled(left: f64, at: Instant, now: Instant) -> f64 {
    let passed = now.saturating_duration_since(at).as_secs_f64();
    (left + passed * BYTES_PER_SECOND).min(BURST_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_has_a_budget_of_its_own_that_fills_up_again() {
        let (mut budgets, now) = (Budgets::default(), Instant::now());
        let [eager, other] = [PeerId::random(), PeerId::random()];
        assert_eq!(budgets.take(eager, BURST_BYTES, now), Ok(()));
        let wait = budgets.take(eager, BYTES_PER_SECOND, now).unwrap_err();
        assert_eq!(wait, Duration::from_secs(1));
        assert_eq!(budgets.take(other, BURST_BYTES, now), Ok(()));
        assert_eq!(budgets.take(eager, BYTES_PER_SECOND, now + wait), Ok(()));
    }

    #[test]
    fn the_table_of_budgets_is_bounded() {
        let (mut budgets, now) = (Budgets::default(), Instant::now());
        for _ in 0..REMEMBERED {
            assert_eq!(budgets.take(PeerId::random(), 1.0, now), Ok(()));
        }
        assert!(budgets.take(PeerId::random(), 1.0, now).is_err());
        let later = now + Duration::from_secs(1);
        assert_eq!(budgets.take(PeerId::random(), 1.0, later), Ok(()));
    }
}
