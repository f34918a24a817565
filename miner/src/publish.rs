//! From a new checkpoint to a served one, in step with the chain.
//!
//! Validators take an answer only from the checkpoint that was committed on chain before their round began, and a round
//! is an epoch. So a new checkpoint is verified and tried first (canary), then committed while the epoch still has some
//! blocks to go, and swapped into the engine just before the epoch ends, when the round's asks are over. A miner that
//! comes too late for an epoch waits for the next; a newer candidate replaces one that is not committed yet.
//!
//! The same task refreshes the roster of validators, since both follow the chain's blocks.

mod offer;
mod schedule;
mod stage;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use athanor_chain::{BlockRef, Client, CommitError, EpochSchedule, Metagraph, ReadError, Signer};
use athanor_model::DeviceChoice;
use athanor_net::{Client as Net, PeerAddress, Specs, Whereabouts};
use athanor_node::{
    Feed, Metrics,
    axon::Axon,
    shutdown,
    specs::{self, SpecWatch},
};
use athanor_spec::{
    BlockNumber, Commitment, Digest, SubnetSpec, announcement::Agreement, telemetry::Event,
};
use futures::{Stream, StreamExt};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    Backend, RunError,
    admission::Roster,
    canary,
    history::History,
    quota::collect,
    rollback::{self, Order, RollbackError},
    serve::now_ms,
    store::{self, Kept, Store},
};

pub(crate) use offer::{Candidate, Retrain, Trained};
pub use offer::{PublishError, Publisher};
pub use schedule::lead;
use schedule::{Step, step, swap_block_after};
pub(crate) use stage::Stage;
use stage::{CandidateError, Prepared, Preparing, Purpose, finished};

/// Blocks between two readings of the metagraph: a validator that just got its permit waits no longer than this.
const ROSTER_EVERY: u32 = 4;

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

impl Follower {
    /// Runs until told to stop, or until the miner cannot go on.
    pub(crate) async fn run(mut self, stop: CancellationToken) -> Result<(), RunError> {
        let mut blocks = self.chain.blocks();
        loop {
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                block = next(&mut blocks) => match block {
                    Some(Ok(block)) => match shutdown::finish(&stop, self.on_block(block)).await {
                        Some(done) => done?,
                        None => return Ok(()),
                    },
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
        let Some(digest) = self.watch.missing(metagraph.block) else {
            return;
        };
        let asked: Vec<PeerAddress> = metagraph.peers().map(PeerAddress::from).collect();
        let (net, shown) = (self.peers.clone(), self.specs.clone());
        self.watch
            .learn(async move { net.learn_spec(&asked, digest, &shown).await });
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
