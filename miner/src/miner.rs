//! Building a miner, in an order that lets nobody see it half ready, and ending it.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::AtomicU64},
    time::Duration,
};

use athanor_chain::{BlocksError, Metagraph, Neuron, ReadError};
use athanor_model::{
    Checkpoint,
    engine::{self, EngineConfig, LoadError},
};
use athanor_net::{BlobStore, Identity, Inbound, NetConfig, NetHandle, PeerAddress};
use athanor_spec::{Digest, Hotkey, NetUid, wire::NodeKind};
use sp_core::Pair as _;
use thiserror::Error;
use tokio::{
    sync::watch,
    task::{JoinError, JoinSet},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    Backend, CheckpointRefused, MinerConfig, Publisher, StartError,
    admission::{Admission, Roster},
    canary::Trial,
    distillery::{Audience, Distillery, worker_config},
    publish::{Follower, Stage, record},
    serve::{self, Server, now_ms},
    store::{self, Kept, Store},
};

/// Requests that may wait for admission; it takes a fraction of a millisecond, so a full queue is an attack.
const INBOUND_QUEUE: usize = 256;
/// How long answers in progress may take after the end was asked for.
const DRAIN: Duration = Duration::from_secs(5);

/// A running miner. Dropping it ends it at once; [`Miner::shutdown`] ends it in order.
pub struct Miner {
    hotkey: Hotkey,
    address: PeerAddress,
    backend: Backend,
    publisher: Publisher,
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
    let hotkey = Hotkey(config.hotkey.public().0);
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
        let committed = neuron
            .commitment
            .and_then(|(commitment, _)| commitment.checkpoint());
        move || Disk::open(&data_dir, &model, committed, &spec)
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
            Ok(Backend::new(engine::spawn(&checkpoint, settings)?, end))
        }
    })
    .await?;

    let (_, inbound, net) = athanor_net::start(NetConfig {
        listen: vec![config.listen],
        inbound_queue: INBOUND_QUEUE,
        kind: NodeKind::Miner,
        spec: Some(config.spec.clone()),
        ..NetConfig::new(disk.identity.clone(), config.spec.limits.clone())
    })
    .await?;
    let addr = external_address(&config, &net)?;
    let address = PeerAddress {
        peer_key: disk.identity.peer_key(),
        addr,
    };
    announce(&config, neuron, &address, &disk.serving).await?;

    let roster = Roster::of(&metagraph, config.spec.limits.min_validator_stake_tao);
    let parts = Parts {
        config,
        disk,
        backend,
        inbound,
        net,
        address,
        roster,
    };
    parts.run(&metagraph)
}

/// Everything that is ready before the first task runs.
struct Parts {
    config: MinerConfig,
    disk: Disk,
    backend: Backend,
    inbound: Inbound,
    net: NetHandle,
    address: PeerAddress,
    roster: Roster,
}

impl Parts {
    fn run(self, metagraph: &Metagraph) -> Result<Miner, StartError> {
        let Self {
            config,
            disk,
            backend,
            inbound,
            net,
            address,
            roster,
        } = self;
        let hotkey = Hotkey(config.hotkey.public().0);
        config.metrics.connected(&config.chain);
        config.metrics.block(metagraph.block, &metagraph.schedule);
        config.metrics.neuron(metagraph.by_hotkey(&hotkey));
        let (publisher, candidates) = Publisher::new();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();

        if let Some(settings) = config.distill.clone() {
            let audience = Audience {
                candidates: publisher.queue(),
                backend: backend.clone(),
                feed: config.feed.clone(),
                miner: hotkey,
            };
            // Another model is another training run.
            let run = Digest(disk.first.digest()).short();
            let dir = config.data_dir.join("distill").join(run);
            let worker = worker_config(&settings, dir, disk.serving.checkpoint.clone());
            let trial = Trial::new(settings.source.clone(), &worker.trainer, disk.first.clone());
            let distillery = Distillery::start(&settings, worker, trial, audience)?;
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
            candidates,
            roster: roster_sender,
            roster_block: metagraph.block,
            schedule: metagraph.schedule,
            metrics: config.metrics.clone(),
            stage: Stage::default(),
        };
        tasks.spawn(follower.run(stop.clone()));

        let context = config.chain.signing_context(config.spec.subnet.netuid);
        let started_ms = now_ms();
        let admission = Admission::new(context, config.spec, config.allowance, started_ms);
        let server = Server {
            hotkey: config.hotkey,
            context,
            backend: backend.clone(),
            behaviour: config.behaviour,
            blobs: disk.blobs,
            deltas,
            feed: config.feed,
            // Answers of an earlier run bear smaller numbers.
            nonce: AtomicU64::new(started_ms << 20),
        };
        let serving = serve::run(Arc::new(server), inbound, admission, roster, stop.clone());
        let stopped = stop.clone();
        tasks.spawn(async move {
            serving.await;
            if stopped.is_cancelled() {
                Ok(())
            } else {
                Err(RunError::NetworkEnded)
            }
        });
        Ok(Miner {
            hotkey,
            address,
            backend,
            publisher,
            stop: stop.drop_guard(),
            tasks,
            net,
        })
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
        drop(self.stop);
        let ended = tokio::time::timeout(DRAIN, async {
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

/// What lies on disk.
struct Disk {
    identity: Identity,
    blobs: BlobStore,
    store: Store,
    /// What is served now.
    serving: Kept,
    /// What the operator gave, against which progress is measured.
    first: Checkpoint,
}

impl Disk {
    fn open(
        data_dir: &Path,
        model: &Path,
        committed: Option<Digest>,
        spec: &athanor_spec::SubnetSpec,
    ) -> Result<Self, StartError> {
        fs::create_dir_all(data_dir).map_err(at(data_dir))?;
        let identity = Identity::open_or_create(&data_dir.join("peer.key"))?;
        let first = store::open(model)?;
        CheckpointRefused::check(&first, spec)?;
        let blobs = BlobStore::open(&data_dir.join("trees"), spec.limits.max_chunk_bytes)
            .map_err(CheckpointRefused::from)?;
        let mut store = Store::open(data_dir.join("checkpoints"), blobs.clone())?;

        // A miner that was given this model before goes on from what it made of it.
        let mark = data_dir.join("model.digest");
        let given = Digest(first.digest()).to_string();
        let known = fs::read_to_string(&mark).is_ok_and(|before| before == given);
        let dir = match committed
            .filter(|_| known)
            .and_then(|digest| store.find(digest))
        {
            Some(checkpoint) => checkpoint.dir,
            None => model.to_owned(),
        };
        let serving = store.adopt(&dir, spec, None)?;
        fs::write(&mark, given).map_err(at(&mark))?;
        Ok(Self {
            identity,
            blobs,
            store,
            serving,
            first,
        })
    }
}

/// Says on chain where the miner is and what it serves, as far as the chain does not know.
async fn announce(
    config: &MinerConfig,
    neuron: &Neuron,
    address: &PeerAddress,
    serving: &Kept,
) -> Result<(), StartError> {
    let netuid = config.spec.subnet.netuid;
    let record = record(serving.digest(), address.peer_key, &config.spec);
    if neuron
        .commitment
        .is_none_or(|(on_chain, _)| on_chain != record)
    {
        config
            .chain
            .set_commitment(&config.hotkey, netuid, &record)
            .await?;
    }
    if neuron.axon != Some(address.addr) {
        config
            .chain
            .serve_axon(&config.hotkey, netuid, address.addr)
            .await?;
    }
    Ok(())
}

fn external_address(config: &MinerConfig, net: &NetHandle) -> Result<SocketAddr, StartError> {
    let listen = net.local_addr().unwrap_or(config.listen);
    match config.external {
        // A port of 0 stands for the one that was taken.
        Some(external) if external.port() == 0 => Ok(SocketAddr::new(external.ip(), listen.port())),
        Some(external) => Ok(external),
        None if listen.ip().is_unspecified() => Err(StartError::NoExternalAddress { listen }),
        None => Ok(listen),
    }
}

fn context_tokens(config: &MinerConfig) -> usize {
    (config.spec.limits.max_prompt_tokens + config.spec.limits.max_new_tokens) as usize
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> StartError + use<> {
    let path: PathBuf = path.to_owned();
    move |source| StartError::DataDir { path, source }
}

/// Runs disk and model work off the async threads; a panic there is passed on.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StartError> + Send + 'static,
) -> Result<T, StartError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => std::panic::resume_unwind(error.into_panic()),
    }
}
