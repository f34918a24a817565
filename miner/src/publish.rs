//! From a new checkpoint to a served one, in step with the chain.
//!
//! Validators take an answer only from the checkpoint that was committed on chain before their round began, and a round
//! is an epoch. So a new checkpoint is verified and tried first (canary), then committed while the epoch still has some
//! blocks to go, and swapped into the engine just before the epoch ends, when the round's asks are over. A miner that
//! comes too late for an epoch waits for the next; a newer candidate replaces one that is not committed yet.
//!
//! The same task refreshes the roster of validators, since both follow the chain's blocks.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use athanor_chain::{BlockRef, Client, CommitError, EpochSchedule, Metagraph, ReadError, Signer};
use athanor_model::{Checkpoint, DeviceChoice};
use athanor_net::{Client as Net, PeerAddress, Specs, Whereabouts};
use athanor_node::{
    Feed, Metrics,
    axon::Axon,
    specs::{self, SpecWatch},
};
use athanor_spec::{
    BlockNumber, Commitment, Digest, SubnetSpec,
    announcement::Agreement,
    telemetry::{Event, HeldOut},
};
use futures::{Stream, StreamExt};
use thiserror::Error;
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    Backend, CheckpointRefused, RunError,
    admission::Roster,
    canary::{self, CanaryError, Trial},
    history::History,
    quota::collect,
    rollback::{self, Order, RollbackError},
    serve::now_ms,
    store::{self, Kept, Store},
};

/// Blocks between two readings of the metagraph: a validator that just got its permit waits no longer than this.
const ROSTER_EVERY: u32 = 4;
/// Blocks that a commitment may take to be included.
const COMMIT_BLOCKS: u32 = 2;
/// How long a peer may take to send a spec.
const LEARN: Duration = Duration::from_secs(5);
/// Candidates that may wait; only the newest matters, so a full queue is a reason to drop one.
const CANDIDATES: usize = 4;

/// Offers checkpoints to a running miner. Clones offer to the same one.
#[derive(Clone, Debug)]
pub struct Publisher {
    candidates: mpsc::Sender<Candidate>,
}

/// A checkpoint that may come to be served.
pub(crate) struct Candidate {
    /// Where it lies.
    pub(crate) dir: PathBuf,
    /// Where it comes from, when it is the own trainer's.
    pub(crate) trained: Option<Trained>,
}

/// A checkpoint's place in training.
#[derive(Clone)]
pub(crate) struct Trained {
    /// The trainer's step.
    pub(crate) step: u64,
    /// Its held-out items.
    pub(crate) trial: Arc<Trial>,
    /// How many times training was begun anew before: a rollback must not be undone by what was trained before it.
    pub(crate) lineage: u32,
}

/// An order to train on from another checkpoint.
pub(crate) struct Retrain {
    pub(crate) student: Checkpoint,
    pub(crate) lineage: u32,
}

/// Why a checkpoint was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum PublishError {
    /// Others wait already.
    #[error("other checkpoints wait to be published: offer the newest one later")]
    Busy,
    /// The miner has ended.
    #[error("the miner has ended")]
    Stopped,
}

impl Publisher {
    /// A publisher and the queue that the follower reads.
    pub(crate) fn new() -> (Self, mpsc::Receiver<Candidate>) {
        let (candidates, queue) = mpsc::channel(CANDIDATES);
        (Self { candidates }, queue)
    }

    /// Offers the checkpoint in a directory, which is copied: it may change or go once the miner has verified it. Never
    /// waits; whether the checkpoint came to be served is told by the feed's `Swapped`.
    pub fn offer(&self, dir: PathBuf) -> Result<(), PublishError> {
        let candidate = Candidate { dir, trained: None };
        self.candidates
            .try_send(candidate)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => PublishError::Busy,
                mpsc::error::TrySendError::Closed(_) => PublishError::Stopped,
            })
    }

    pub(crate) fn queue(&self) -> mpsc::Sender<Candidate> {
        self.candidates.clone()
    }
}

/// Why a candidate is not served.
#[derive(Debug, Error)]
enum CandidateError {
    #[error(transparent)]
    Refused(#[from] CheckpointRefused),
    #[error(transparent)]
    Canary(#[from] CanaryError),
}

impl From<CandidateError> for RollbackError {
    fn from(error: CandidateError) -> Self {
        match error {
            CandidateError::Refused(error) => Self::Refused(error),
            CandidateError::Canary(error) => Self::Trial {
                reason: error.to_string(),
            },
        }
    }
}

/// What the publisher does at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Wait,
    /// Commit the checkpoint that is ready.
    Commit,
    /// Serve the checkpoint that is committed.
    Swap,
}

/// Decides what to do at `block`. `swap_at` is when the committed checkpoint is to be served, if there is one.
pub(crate) fn step(
    block: BlockNumber,
    schedule: &EpochSchedule,
    ready: bool,
    swap_at: Option<BlockNumber>,
) -> Step {
    match swap_at {
        Some(at) if block >= at => Step::Swap,
        Some(_) => Step::Wait,
        None if ready && block.0.saturating_add(COMMIT_BLOCKS) < swap_block(schedule).0 => {
            Step::Commit
        }
        None => Step::Wait,
    }
}

/// The block at which a checkpoint committed in `included` is to be served, by the schedule read afterwards.
pub(crate) fn swap_block_after(included: BlockNumber, schedule: &EpochSchedule) -> BlockNumber {
    if included < schedule.last_epoch_block {
        // The epoch ended meanwhile: the new one already expects the new checkpoint.
        return included;
    }
    swap_block(schedule)
}

/// Just before the epoch ends, after the asks of the round are over.
fn swap_block(schedule: &EpochSchedule) -> BlockNumber {
    BlockNumber(schedule.next_epoch_block.0.saturating_sub(lead(schedule)))
}

/// Blocks before an epoch by which a miner is ready for it, with the checkpoint and the spec that hold in it: a twelfth of an
/// epoch, at least one.
pub fn lead(schedule: &EpochSchedule) -> u32 {
    u32::from(schedule.tempo / 12).max(1)
}

/// Follows the chain's blocks.
pub(crate) struct Follower {
    // Interfaces.
    pub(crate) chain: Client,
    pub(crate) backend: Backend,
    pub(crate) store: Arc<Mutex<Store>>,
    pub(crate) feed: Feed,
    // Configuration.
    pub(crate) hotkey: Signer,
    pub(crate) spec: SubnetSpec,
    pub(crate) peer_key: Digest,
    pub(crate) device: DeviceChoice,
    pub(crate) data_dir: PathBuf,
    /// Directory of the training run in use.
    pub(crate) run: PathBuf,
    /// Bytes that the data directory may take.
    pub(crate) quota: watch::Receiver<Option<u64>>,
    // Messaging.
    pub(crate) candidates: mpsc::Receiver<Candidate>,
    pub(crate) orders: mpsc::Receiver<Order>,
    /// The trainer, if there is one.
    pub(crate) retrain: Option<mpsc::Sender<Retrain>>,
    pub(crate) standing: watch::Sender<Standing>,
    pub(crate) roster: watch::Sender<Arc<Roster>>,
    pub(crate) metrics: Metrics,
    /// For asking peers for a spec that is announced.
    pub(crate) peers: Net,
    /// The specs that peers can have from here.
    pub(crate) specs: watch::Sender<Specs>,
    // State.
    pub(crate) watch: SpecWatch,
    /// Asking peers for a spec.
    pub(crate) learning: Option<JoinHandle<()>>,
    pub(crate) axon: Axon,
    pub(crate) whereabouts: Whereabouts,
    pub(crate) roster_block: BlockNumber,
    /// The subnet's schedule at that block.
    pub(crate) schedule: EpochSchedule,
    pub(crate) stage: Stage,
    pub(crate) history: History,
    /// Times that training was begun anew.
    pub(crate) lineage: u32,
}

/// How the miner stands with the chain, for those who ask it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The last block that it saw.
    pub(crate) block: BlockNumber,
    /// The address that the chain has of it.
    pub(crate) axon: Option<std::net::SocketAddr>,
    /// The checkpoint that is committed on chain.
    pub(crate) committed: Option<Digest>,
    /// The block from which on it is served, if it is not yet.
    pub(crate) swap_at: Option<BlockNumber>,
    /// A checkpoint that waits to be committed.
    pub(crate) ready: Option<Digest>,
}

/// A candidate that may be served.
#[derive(Debug)]
struct Prepared {
    kept: Kept,
    /// How the checkpoint does on held-out items.
    heldout: Option<HeldOut>,
}

/// Work on a candidate, and who waits for it.
#[derive(Debug)]
struct Preparing {
    work: JoinHandle<Result<Prepared, CandidateError>>,
    purpose: Purpose,
}

/// What a candidate is for.
#[derive(Debug)]
enum Purpose {
    /// It was offered.
    Offered,
    /// The own trainer made it, at a step, in a lineage.
    Trained { step: u64, lineage: u32 },
    /// It was served before and is to be served again.
    Rollback {
        reply: oneshot::Sender<Result<Digest, RollbackError>>,
    },
}

/// Checkpoints on their way.
#[derive(Debug, Default)]
pub(crate) struct Stage {
    /// Being verified and tried.
    preparing: Option<Preparing>,
    /// Verified and tried, not committed.
    ready: Option<Kept>,
    /// Committed, to be served from the given block on.
    committed: Option<(Kept, BlockNumber)>,
}

impl Follower {
    /// Runs until told to stop, or until the miner cannot go on.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), RunError> {
        let mut blocks = self.chain.blocks();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                block = next(&mut blocks) => match block {
                    Some(Ok(block)) => self.on_block(block).await?,
                    Some(Err(error)) => return Err(RunError::Chain(error)),
                    None => blocks = self.chain.blocks(),
                },
                Some(candidate) = self.candidates.recv(), if self.stage.preparing.is_none() => {
                    self.on_candidate(candidate);
                }
                Some(order) = self.orders.recv() => self.on_order(order),
                (prepared, purpose) = finished(&mut self.stage.preparing) => {
                    self.on_prepared(prepared, purpose).await;
                }
            }
            self.tell_standing();
        }
    }

    fn tell_standing(&self) {
        let committed = self.stage.committed.as_ref();
        let axon = self.axon.on_chain();
        self.standing.send_modify(|standing| {
            standing.axon = axon;
            if let Some((kept, _)) = committed {
                standing.committed = Some(kept.digest());
            }
            standing.swap_at = committed.map(|(_, at)| *at);
            standing.ready = self.stage.ready.as_ref().map(Kept::digest);
        });
    }

    fn on_candidate(&mut self, candidate: Candidate) {
        let purpose = match &candidate.trained {
            Some(trained) if trained.lineage < self.lineage => {
                tracing::info!(
                    step = trained.step,
                    "a checkpoint from before the rollback is not served"
                );
                return;
            }
            Some(Trained { step, lineage, .. }) => Purpose::Trained {
                step: *step,
                lineage: *lineage,
            },
            None => Purpose::Offered,
        };
        self.prepare(candidate, purpose);
    }

    fn on_order(&mut self, order: Order) {
        let serving = self.backend.checkpoint();
        // With another one committed already, to stay is to go back.
        let serving = self.stage.committed.is_none().then_some(serving);
        match rollback::target(order.to, serving, &self.history) {
            Ok(to) => {
                let directory = store::checkpoints(&self.data_dir);
                let dir = directory.join(to.to_string());
                if !dir.exists() {
                    let error = RollbackError::NotKept {
                        checkpoint: to,
                        directory,
                    };
                    return drop(order.reply.send(Err(error)));
                }
                let candidate = Candidate { dir, trained: None };
                let purpose = Purpose::Rollback { reply: order.reply };
                // What is being prepared goes on unheard: it is newer than what is wanted.
                self.prepare(candidate, purpose);
            }
            // Whoever asked may have gone.
            Err(error) => drop(order.reply.send(Err(error))),
        }
    }

    fn prepare(&mut self, candidate: Candidate, purpose: Purpose) {
        let (store, spec, device) = (self.store.clone(), self.spec.clone(), self.device);
        // What validators have by the time that they want the new one.
        let base = match &self.stage.committed {
            Some((kept, _)) => kept.digest(),
            None => self.backend.checkpoint(),
        };
        let work = move || {
            let kept = store.lock().unwrap_or_else(PoisonError::into_inner).adopt(
                &candidate.dir,
                &spec,
                Some(base),
            )?;
            let trial = candidate.trained.as_ref().map(|it| it.trial.as_ref());
            let heldout = canary::check(&kept.checkpoint, device, trial)?;
            Ok(Prepared { kept, heldout })
        };
        let work = tokio::task::spawn_blocking(work);
        self.stage.preparing = Some(Preparing { work, purpose });
    }

    async fn on_prepared(&mut self, prepared: Result<Prepared, CandidateError>, purpose: Purpose) {
        let Prepared { kept, heldout } = match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::error!(%error, "a checkpoint is not served");
                if let Purpose::Rollback { reply } = purpose {
                    let _ = reply.send(Err(error.into()));
                }
                return;
            }
        };
        let to = kept.digest();
        match purpose {
            Purpose::Trained { lineage, .. } if lineage < self.lineage => return,
            Purpose::Trained { step, .. } => self.feed.send(Event::Distilled {
                miner: self.hotkey.hotkey(),
                step,
                loss: kept.checkpoint.manifest.training.heldout_loss.into(),
                heldout,
            }),
            Purpose::Rollback { reply } => {
                self.lineage += 1;
                let retrain = Retrain {
                    student: kept.checkpoint.clone(),
                    lineage: self.lineage,
                };
                if let Some(trainer) = &self.retrain {
                    // A trainer that has ended ends the miner by itself.
                    let _ = trainer.send(retrain).await;
                }
                let _ = reply.send(Ok(to));
            }
            Purpose::Offered => {}
        }
        let serving = to == self.backend.checkpoint();
        if !serving || self.stage.committed.is_some() {
            tracing::info!(checkpoint = %to, "a checkpoint waits to be committed");
            self.stage.ready = Some(kept);
        }
    }

    async fn on_block(&mut self, block: BlockRef) -> Result<(), RunError> {
        if block.number.0 >= self.roster_block.0.saturating_add(ROSTER_EVERY)
            || block.number < self.roster_block
            || block.number >= self.schedule.next_epoch_block
        {
            self.refresh_roster().await?;
        }
        self.check_spec(block.number).await?;
        self.metrics.block(block.number, &self.schedule);
        self.standing
            .send_modify(|standing| standing.block = block.number);
        let netuid = self.spec.subnet.netuid;
        let found = self.whereabouts.now(self.axon.on_chain());
        self.axon
            .keep(&self.chain, &self.hotkey, netuid, found, block.number)
            .await;
        if self.stage.ready.is_none() && self.stage.committed.is_none() {
            return Ok(());
        }
        let schedule = match self
            .chain
            .schedule(self.spec.subnet.netuid, Some(block.hash))
            .await
        {
            Ok(schedule) => schedule,
            Err(error) => {
                tracing::warn!(%error, "the epoch schedule could not be read; trying again at the next block");
                return Ok(());
            }
        };
        let swap_at = self.stage.committed.as_ref().map(|(_, at)| *at);
        match step(block.number, &schedule, self.stage.ready.is_some(), swap_at) {
            Step::Wait => Ok(()),
            Step::Commit => self.commit().await,
            Step::Swap => self.swap().await,
        }
    }

    /// Ends the miner in time before an epoch in which another spec is in force.
    async fn check_spec(&mut self, block: BlockNumber) -> Result<(), RunError> {
        self.watch.look(&self.chain, block).await;
        let first_block = specs::epoch_block(&self.schedule, block, lead(&self.schedule));
        match self.watch.agreement(first_block) {
            Agreement::Other { in_force, since } => Err(RunError::OtherSpec { in_force, since }),
            Agreement::Unpublished | Agreement::Same => Ok(()),
        }
    }

    /// Asks peers for a spec that is announced and not held.
    fn learn_spec(&mut self, metagraph: &Metagraph) {
        if self.learning.as_ref().is_some_and(|it| !it.is_finished()) {
            return;
        }
        let Some(digest) = self.watch.missing(metagraph.block) else {
            return;
        };
        let hotkey = self.hotkey.hotkey();
        let others = metagraph.neurons.iter().filter(|it| it.hotkey != hotkey);
        let asked: Vec<PeerAddress> = others
            .filter_map(|neuron| {
                Some(PeerAddress {
                    peer_key: neuron.commitment?.0.peer_key,
                    addr: neuron.axon?,
                })
            })
            .collect();
        let (net, specs, data_dir) = (
            self.peers.clone(),
            self.specs.clone(),
            self.data_dir.clone(),
        );
        self.learning = Some(tokio::spawn(async move {
            let Some(spec) = net.spec_of_any(&asked, digest, LEARN).await else {
                return;
            };
            match specs::keep(&data_dir, &spec) {
                Ok(()) => {
                    tracing::info!(spec = %digest, "the spec that is announced was learnt from a peer")
                }
                Err(error) => tracing::error!(%error, "the spec that is announced is not kept"),
            }
            let shown = (digest, spec.to_toml().into());
            specs.send_modify(|specs| specs.extend([shown]));
        }));
    }

    async fn refresh_roster(&mut self) -> Result<(), RunError> {
        match self.chain.metagraph(self.spec.subnet.netuid).await {
            Ok(metagraph) => {
                self.learn_spec(&metagraph);
                let hotkey = self.hotkey.hotkey();
                self.metrics.neuron(metagraph.by_hotkey(&hotkey));
                if metagraph.by_hotkey(&hotkey).is_none() {
                    let netuid = self.spec.subnet.netuid;
                    return Err(RunError::Deregistered { hotkey, netuid });
                }
                self.axon
                    .seen(metagraph.by_hotkey(&hotkey).and_then(|it| it.axon));
                let min_stake = self.spec.limits.min_validator_stake_tao;
                let roster = Roster::of(&metagraph, min_stake, &hotkey);
                self.roster.send_replace(Arc::new(roster));
                self.roster_block = metagraph.block;
                self.schedule = metagraph.schedule;
                Ok(())
            }
            Err(error @ ReadError::NoSubnet { .. }) => Err(RunError::Subnet(error)),
            Err(error) => {
                tracing::warn!(%error, "the metagraph could not be read; the roster stays as it was");
                Ok(())
            }
        }
    }

    async fn commit(&mut self) -> Result<(), RunError> {
        let Some(kept) = self.stage.ready.take() else {
            return Ok(());
        };
        let record = record(kept.digest(), self.peer_key, &self.spec);
        let netuid = self.spec.subnet.netuid;
        match self
            .chain
            .set_commitment(&self.hotkey, netuid, &record)
            .await
        {
            Ok(included) => {
                let swap_at = match self.chain.schedule(netuid, None).await {
                    Ok(schedule) => swap_block_after(included.block, &schedule),
                    // Without a schedule, the block of the inclusion is as good a guess as any.
                    Err(_) => included.block,
                };
                tracing::info!(checkpoint = %kept.digest(), block = %included.block, %swap_at, "committed");
                self.stage.committed = Some((kept, swap_at));
                Ok(())
            }
            Err(CommitError::NotRegistered { hotkey, netuid }) => {
                Err(RunError::Deregistered { hotkey, netuid })
            }
            Err(error) => {
                tracing::warn!(%error, "the commitment was not stored; trying again at the next block");
                self.stage.ready = Some(kept);
                Ok(())
            }
        }
    }

    async fn swap(&mut self) -> Result<(), RunError> {
        let Some((kept, _)) = self.stage.committed.take() else {
            return Ok(());
        };
        let from = self.backend.checkpoint();
        let to = kept.digest();
        if let Err(error) = self.history.note(to, now_ms()) {
            tracing::warn!(%error, "what is served could not be noted: a rollback will not know of it");
        }
        let waiting = self.stage.ready.as_ref().map(Kept::digest);
        let earlier = self.history.earlier().into_iter().take(1);
        let needed: Vec<Digest> = [from, to]
            .into_iter()
            .chain(waiting)
            .chain(earlier)
            .collect();
        let (backend, store) = (self.backend.clone(), self.store.clone());
        let (data_dir, run) = (self.data_dir.clone(), self.run.clone());
        let quota = *self.quota.borrow();
        let swapped = tokio::task::spawn_blocking(move || {
            backend.swap(&kept.checkpoint)?;
            collect(&store, &data_dir, &run, &needed, quota);
            Ok(())
        })
        .await;
        match swapped {
            Ok(Ok(())) => {
                tracing::info!(%from, %to, "swapped");
                let miner = self.hotkey.hotkey();
                self.feed.send(Event::Swapped { miner, from, to });
                Ok(())
            }
            // What is committed cannot be served, so every answer from now on would be a fault.
            Ok(Err(source)) => Err(RunError::Swap { to, source }),
            Err(error) => Err(RunError::Panicked {
                part: "swap",
                source: error,
            }),
        }
    }
}

/// The record that a miner commits to.
pub(crate) fn record(checkpoint: Digest, peer_key: Digest, spec: &SubnetSpec) -> Commitment {
    Commitment {
        checkpoint,
        peer_key,
        transcript_root: Digest::default(),
        spec: spec.digest(),
    }
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    stream.next().await
}

/// The result of the work in progress; never, if there is none.
async fn finished(
    preparing: &mut Option<Preparing>,
) -> (Result<Prepared, CandidateError>, Purpose) {
    let result = match preparing {
        Some(Preparing { work, .. }) => work.await,
        None => std::future::pending().await,
    };
    let purpose = preparing.take().map_or(Purpose::Offered, |it| it.purpose);
    match result {
        Ok(result) => (result, purpose),
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}

#[cfg(test)]
mod tests;
