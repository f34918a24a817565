//! Building a miner, in an order that lets nobody see it half ready, and ending it.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use athanor_chain::{BlocksError, Metagraph, ReadError};
use athanor_model::engine::{self, EngineConfig, LoadError};
use athanor_net::{Client as Net, Inbound, NetConfig, NetHandle, PeerAddress};
use athanor_node::{
    Metrics,
    axon::{Axon, told},
    blocking,
    control::Control,
    metrics::Phase,
    specs::{self, SpecWatch},
};
use athanor_spec::{BlockNumber, Digest, Hotkey, NetUid, wire::NodeKind};
use thiserror::Error;
use tokio::{
    sync::{mpsc, watch},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Backend, CheckpointRefused, MinerConfig, Publisher, StartError, Tunables,
    admission::{Allowance, Roster},
    announce::{announce, external_address},
    canary::Trial,
    control,
    disk::Disk,
    distillery::{Audience, Distillery, Progress, worker_config},
    publish::{Follower, Stage, Standing},
    rollback,
    serve::now_ms,
    service::{Service, ServiceConfig},
    status::Report,
    tally::{Counts, Tally},
};

/// Requests that may wait for admission; it takes a fraction of a millisecond, so a full queue is an attack.
const INBOUND_QUEUE: usize = 256;
/// How long the other parts may take to end, beyond the time that answers have.
const END: Duration = Duration::from_secs(5);

/// A running miner. Dropping it ends it at once; [`Miner::shutdown`] ends it in order.
pub struct Miner {
    hotkey: Hotkey,
    address: PeerAddress,
    backend: Backend,
    publisher: Publisher,
    tally: Arc<Tally>,
    metrics: Metrics,
    tuning: Tuning,
    stop: DropGuard,
    tasks: JoinSet<Result<(), RunError>>,
    net: NetHandle,
}

/// Why a running miner cannot go on.
#[derive(Debug, Error)]
pub enum RunError {
    /// The hotkey lost its slot.
    #[error("{hotkey} lost its slot on subnet {netuid}: register it again, then start again")]
    Deregistered {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// The chain is not the one that it was.
    #[error(transparent)]
    Chain(BlocksError),
    /// The subnet is gone.
    #[error(transparent)]
    Subnet(ReadError),
    /// Another spec is in force than the one that it runs.
    #[error("spec {in_force} is in force{}, and this miner runs another", since.map_or_else(String::new, |block| format!(" from block {block} on")))]
    OtherSpec {
        /// The spec in force.
        in_force: Digest,
        /// The block from which on it is.
        since: Option<BlockNumber>,
    },
    /// The checkpoint that is committed cannot be served.
    #[error(
        "checkpoint {to} is committed but cannot be served ({source}): start again to commit another"
    )]
    Swap {
        /// The checkpoint.
        to: Digest,
        /// What is wrong with it.
        source: LoadError,
    },
    /// The trainer failed.
    #[error("distillation failed: {error}")]
    Distill {
        /// What it said, with its causes.
        error: String,
    },
    /// The network ended by itself.
    #[error("the network ended by itself: start again, and report it")]
    NetworkEnded,
    /// A part panicked.
    #[error("the {part} panicked ({source}): start again, and report it")]
    Panicked {
        /// Which.
        part: &'static str,
        /// How.
        source: JoinError,
    },
}

/// Starts a miner. When this returns it is listening, its address is announced, its checkpoint is committed, and it
/// serves.
pub async fn start(config: MinerConfig) -> Result<Miner, StartError> {
    let hotkey = config.hotkey.hotkey();
    let netuid = config.spec.subnet.netuid;
    let metagraph = config.chain.metagraph(netuid).await?;
    let neuron = metagraph
        .by_hotkey(&hotkey)
        .ok_or(StartError::NotRegistered { hotkey, netuid })?;

    let disk = blocking({
        let (data_dir, model, spec) = (
            config.data_dir.clone(),
            config.model.clone(),
            config.spec.clone(),
        );
        let upkeep = config.upkeep;
        let committed = neuron
            .commitment
            .and_then(|(commitment, _)| commitment.checkpoint());
        move || Disk::open(&data_dir, &model, committed, &upkeep, &spec)
    })
    .await?;
    let checkpoint = disk.serving.checkpoint.clone();
    let backend = blocking({
        let settings = EngineConfig {
            slots: config.engine.slots,
            queue: config.engine.queue,
            device: config.device,
            weights: config.engine.weights,
            max_context: context_tokens(&config),
        };
        let checkpoint = checkpoint.clone();
        move || {
            let end = checkpoint
                .stop_tokens()
                .map_err(|source| CheckpointRefused::Damaged {
                    dir: checkpoint.dir.clone(),
                    source,
                })?;
            Ok::<_, StartError>(Backend::new(engine::spawn(&checkpoint, settings)?, end))
        }
    })
    .await?;

    let network = NetConfig {
        inbound_queue: INBOUND_QUEUE,
        kind: NodeKind::Miner,
        spec: Some(config.spec.clone()),
        ..NetConfig::new(disk.identity.clone(), config.spec.limits.clone())
    };
    let network = network.with_ways(config.ways.clone(), config.chain.signing_context(netuid));
    let (peers, inbound, net) = athanor_net::start(network).await?;
    let others = specs::kept(&config.data_dir).into_iter();
    let others = others.map(|spec| (spec.digest(), spec.to_toml().into()));
    net.specs().send_modify(|specs| specs.extend(others));
    let addr = external_address(&config, &net, neuron.axon).await?;
    let address = PeerAddress {
        peer_key: disk.identity.peer_key(),
        addr,
    };
    let tuning = Tuning::new(&config, &net);
    let mut axon = Axon::new(neuron.axon, tuning.external.subscribe());
    announce(&config, neuron, &mut axon, &address, &disk.serving).await?;
    rollback::wish_granted(&config.data_dir).map_err(|source| StartError::DataDir {
        path: config.data_dir.clone(),
        source,
    })?;
    let control = Control::listen(&config.data_dir)?;

    let min_stake = config.spec.limits.min_validator_stake_tao;
    let roster = Roster::of(&metagraph, min_stake, &hotkey);
    let parts = Parts {
        config,
        disk,
        backend,
        peers,
        inbound,
        net,
        control,
        address,
        axon,
        tuning,
        roster,
    };
    parts.run(&metagraph)
}

/// Everything that is ready before the first task runs.
struct Parts {
    config: MinerConfig,
    disk: Disk,
    backend: Backend,
    peers: Net,
    inbound: Inbound,
    net: NetHandle,
    control: Control,
    address: PeerAddress,
    axon: Axon,
    tuning: Tuning,
    roster: Roster,
}

impl Parts {
    fn run(self, metagraph: &Metagraph) -> Result<Miner, StartError> {
        let Self {
            config,
            disk,
            backend,
            peers,
            inbound,
            net,
            control,
            address,
            axon,
            tuning,
            roster,
        } = self;
        let hotkey = config.hotkey.hotkey();
        let neuron = metagraph.by_hotkey(&hotkey);
        config.metrics.connected(&config.chain);
        config.metrics.block(metagraph.block, &metagraph.schedule);
        config.metrics.neuron(neuron);
        let (publisher, candidates) = Publisher::new();
        let (orders_sender, orders) = mpsc::channel(1);
        let (standing_sender, standing) = watch::channel(Standing {
            block: metagraph.block,
            committed: Some(disk.serving.digest()),
            axon: Some(address.addr),
            ..Standing::default()
        });
        let started_ms = now_ms();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();

        let (mut retrain, mut training) = (None, None);
        if let Some(settings) = config.distill.clone() {
            let progress = Arc::new(Mutex::new(Progress::default()));
            training = Some(progress.clone());
            let audience = Audience {
                candidates: publisher.queue(),
                backend: backend.clone(),
                feed: config.feed.clone(),
                miner: hotkey,
                progress,
            };
            let worker =
                worker_config(&settings, disk.run.clone(), disk.serving.checkpoint.clone());
            let trial = Trial::new(settings.source.clone(), &worker.trainer, disk.first.clone());
            let (sender, retrains) = mpsc::channel(1);
            retrain = Some(sender);
            let distillery = Distillery::start(
                settings,
                worker,
                trial,
                audience,
                retrains,
                tuning.duty.subscribe(),
            )?;
            tasks.spawn(distillery.run(stop.clone()));
        }

        let (roster_sender, roster) = watch::channel(Arc::new(roster));
        let deltas = disk.store.deltas();
        let follower = Follower {
            chain: config.chain.clone(),
            backend: backend.clone(),
            store: Arc::new(Mutex::new(disk.store)),
            feed: config.feed.clone(),
            hotkey: config.hotkey.clone(),
            spec: config.spec.clone(),
            peer_key: address.peer_key,
            device: config.device,
            data_dir: config.data_dir.clone(),
            run: disk.run,
            quota: tuning.quota.subscribe(),
            candidates,
            orders,
            retrain,
            standing: standing_sender,
            axon,
            whereabouts: net.whereabouts(),
            watch: SpecWatch::new(&config.spec, &config.data_dir),
            peers,
            specs: net.specs(),
            roster: roster_sender,
            roster_block: metagraph.block,
            schedule: metagraph.schedule,
            metrics: config.metrics.clone(),
            stage: Stage::default(),
            history: disk.history,
            lineage: 0,
        };
        tasks.spawn(follower.run(stop.clone()));

        let metrics = config.metrics;
        let service = ServiceConfig {
            hotkey: config.hotkey,
            context: config.chain.signing_context(config.spec.subnet.netuid),
            spec: config.spec,
            backend: backend.clone(),
            behaviour: config.behaviour,
            blobs: disk.blobs,
            slots: config.engine.slots,
            queue: config.engine.queue,
            allowance: tuning.allowance.subscribe(),
            drain: tuning.drain.subscribe(),
            roster,
            feed: config.feed,
            serving: net.serving(),
        };
        let service =
            Service::with_deltas(service, &disk.watermark, Some(deltas)).map_err(|source| {
                StartError::DataDir {
                    path: disk.watermark.clone(),
                    source,
                }
            })?;
        let tally = service.tally();
        metrics.serves({
            let (tally, backend) = (tally.clone(), backend.clone());
            move || tally.counts().served(backend.in_flight())
        });
        let report = Report {
            hotkey,
            started_ms,
            backend: backend.clone(),
            tally: tally.clone(),
            standing,
            training,
        };
        let asked = control::run(control, report, orders_sender, stop.clone());
        tasks.spawn(async move {
            asked.await;
            Ok(())
        });
        let serving = service.run(inbound, stop.clone());
        let stopped = stop.clone();
        tasks.spawn(async move {
            serving.await;
            if stopped.is_cancelled() {
                Ok(())
            } else {
                Err(RunError::NetworkEnded)
            }
        });
        metrics.phase(Phase::Serving);
        Ok(Miner {
            hotkey,
            address,
            backend,
            publisher,
            tally,
            metrics,
            tuning,
            stop: stop.drop_guard(),
            tasks,
            net,
        })
    }
}

/// What may change while the miner runs; who is concerned watches it.
struct Tuning {
    allowance: watch::Sender<Allowance>,
    drain: watch::Sender<Duration>,
    quota: watch::Sender<Option<u64>>,
    duty: watch::Sender<f64>,
    /// The address that the operator says, if any.
    external: watch::Sender<Option<SocketAddr>>,
}

impl Tuning {
    fn new(config: &MinerConfig, net: &NetHandle) -> Self {
        let duty = config.distill.as_ref().map_or(1.0, |it| it.duty);
        Self {
            allowance: watch::Sender::new(config.allowance),
            drain: watch::Sender::new(config.upkeep.drain),
            quota: watch::Sender::new(config.upkeep.quota),
            duty: watch::Sender::new(duty),
            external: watch::Sender::new(told(config.external, net.local_addr())),
        }
    }
}

impl Miner {
    /// Who is paid.
    pub fn hotkey(&self) -> Hotkey {
        self.hotkey
    }

    /// Where validators reach it.
    pub fn address(&self) -> PeerAddress {
        self.address
    }

    /// The engine that serves, for those who draw from it beside the network.
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Offers checkpoints to it.
    pub fn publisher(&self) -> &Publisher {
        &self.publisher
    }

    /// What it did since it started.
    pub fn counts(&self) -> Counts {
        self.tally.counts()
    }

    /// Changes from now on what can change. The address is announced at one of the next blocks.
    pub fn retune(&self, tunables: &Tunables) {
        let Tunables {
            allowance,
            upkeep,
            external,
            duty,
        } = *tunables;
        let tuning = &self.tuning;
        tuning.allowance.send_replace(allowance);
        tuning.drain.send_replace(upkeep.drain);
        tuning.quota.send_replace(upkeep.quota);
        if let Some(duty) = duty {
            tuning.duty.send_replace(duty);
        }
        let told = told(external, self.net.local_addr());
        tuning.external.send_replace(told);
    }

    /// Waits until a part of the miner fails, and says which; never returns while all goes well. May be called again.
    pub async fn join(&mut self) -> RunError {
        loop {
            match self.tasks.join_next().await {
                Some(Ok(Ok(()))) => {}
                Some(Ok(Err(error))) => return error,
                Some(Err(source)) => {
                    return RunError::Panicked {
                        part: "miner",
                        source,
                    };
                }
                None => std::future::pending().await,
            }
        }
    }

    /// Ends the miner: takes no more requests, finishes the answers in progress within a deadline, saves the trainer's
    /// state, closes the connections.
    pub async fn shutdown(mut self) {
        self.metrics.phase(Phase::Draining);
        let drain = *self.tuning.drain.borrow();
        drop(self.stop);
        let ended = tokio::time::timeout(drain.saturating_add(END), async {
            while let Some(ended) = self.tasks.join_next().await {
                match ended {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => tracing::error!(%error, "a part failed while ending"),
                    Err(error) => tracing::error!(%error, "a part panicked while ending"),
                }
            }
        })
        .await;
        if ended.is_err() {
            tracing::warn!("what is still in progress is given up at the deadline");
        }
        self.net.shutdown().await;
    }
}

fn context_tokens(config: &MinerConfig) -> usize {
    (config.spec.limits.max_prompt_tokens + config.spec.limits.max_new_tokens) as usize
}
