//! The validator's one loop: blocks come in, asks go out, outcomes are written down, weights are set.
//!
//! The loop owns the round and the ledger. Each ask is a task of its own, under one semaphore until it is answered; replays
//! happen on the auditor's thread. When a queue is full the ask waits. A round that takes no more has what is under way
//! written down as it stands: an answer that nobody came to replay is in the transcript as not judged. Whatever fails on the
//! validator's side is neutral for the miner.
//!
//! `rounds` begins a round, `asks` carries its asks, `closing` turns what was seen into records and weights by the pure
//! function that anybody else can call too, and `weights` sets them. `comparing` has new models held against earlier ones. `users` tells the gateway whom it may ask.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use athanor_chain::{BlockRef, Client as Chain, WeightSetter};
use athanor_model::{Checkpoint, DeviceChoice, Tokenizer};
use athanor_net::{BlobStore, Client as Net, Identity, NetConfig, NetHandle, Whereabouts};
use athanor_node::{
    Metrics,
    axon::{Axon, told},
    control::Control,
    metrics::Phase,
    shutdown,
    specs::{self, SpecWatch},
};
use athanor_scoring::{
    collusion::watched::SeenWeights,
    similarity::{copies::CopyTest, null::NullSample},
};
use athanor_spec::{Digest, Hotkey, Round, wire::NodeKind};
use futures::StreamExt as _;
use tokio::{
    sync::{Semaphore, mpsc, watch},
    task::{JoinHandle, JoinSet},
};
use tokio_util::sync::CancellationToken;

use crate::{
    archive::Archive,
    artifacts::{Artifacts, Requirements},
    audit::Auditor,
    battery::{Battery, Bench},
    book::{Account, Book},
    config::{RunError, StartError, ValidatorConfig},
    control::{self, Desk},
    finding::{Finding, SharedArtifact},
    gateway::{self, Gateway, Organic},
    likeness::Lens,
    pressure::Pressure,
    probe,
    round::{ActiveRound, Timetable},
    shelf::Shelf,
    signer::{self, Signer},
    stall::Stalls,
    status::{Board, Sources, Status},
    teacher::Teacher,
};

mod asks;
mod closing;
mod comparing;
mod publish;
mod rounds;
mod spec;
mod users;
mod weights;

/// Outcomes waiting to be written.
const OUTCOME_QUEUE: usize = 256;
/// Rounds whose single outcomes stay in the ledger.
const KEPT_ROUNDS: u64 = 256;
/// Requests of strangers that may wait.
const INBOUND_QUEUE: usize = 64;
/// Nonces that one run of this process may use: a thousand a second for some fifty days.
const NONCES_PER_RUN: u64 = 1 << 32;
/// How long an unused checkpoint stays in the cache.
const ARTIFACT_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A running validator.
pub struct Validator {
    hotkey: Hotkey,
    genesis: Digest,
    gateway: Option<SocketAddr>,
    board: Board,
    metrics: Metrics,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), RunError>>,
}

impl Validator {
    /// The key that it validates with.
    pub fn hotkey(&self) -> Hotkey {
        self.hotkey
    }

    /// Hash of the genesis block of its chain.
    pub fn genesis(&self) -> Digest {
        self.genesis
    }

    /// Where it serves users, if it does.
    pub fn gateway(&self) -> Option<SocketAddr> {
        self.gateway
    }

    /// How it is at this moment; after its end, how it was.
    pub fn status(&self) -> Status {
        self.board.status()
    }

    /// Waits until it ends by itself: on an error, after [`ValidatorConfig::rounds`], or when another spec comes into force.
    pub async fn join(&mut self) -> Result<(), RunError> {
        (&mut self.task).await?
    }

    /// Ends it: what is in the ledger stays, asks under way are asked again after the restart.
    pub async fn shutdown(self) -> Result<(), RunError> {
        self.metrics.phase(Phase::Draining);
        self.cancel.cancel();
        self.task.await?
    }
}

struct Loop {
    config: ValidatorConfig,
    chain: Chain,
    net: Net,
    /// Keeps the network alive as long as the loop.
    network: NetHandle,
    signer: Signer,
    weights: WeightSetter,
    /// Whether weights were set since the chain was last asked how they stand; also true at first.
    weights_changed: bool,
    tokenizer: Tokenizer,
    artifacts: Artifacts,
    archive: Archive,
    shelf: Shelf,
    /// Public key of this node's peer.
    peer_key: Digest,
    /// Where the chain says that this node is, and where it is.
    axon: Axon,
    whereabouts: Whereabouts,
    pressure: Pressure,
    stalls: Stalls,
    auditor: Auditor,
    /// `None` where the sample of siblings says nothing about this teacher's students.
    battery: Option<Battery>,
    comparing: Option<comparing::Comparing>,
    teacher: Teacher,
    book: Arc<Book>,
    in_flight: Arc<Semaphore>,
    findings: mpsc::Sender<Finding>,
    board: Board,
    /// What goes on beside the loop, and ends with it.
    beside: JoinSet<()>,
    round: Option<ActiveRound>,
    /// What the owner announces.
    watch: SpecWatch,
    fetched: HashMap<(Account, Digest), SharedArtifact>,
    /// Serves users beside the rounds.
    gateway: Option<Gateway>,
    /// Users' answers that joined the audit in the running round, by miner.
    joined: HashMap<Account, u32>,
    /// Rounds that were brought to their end since the start, and the last of them.
    rounds_done: u64,
    last_done: Option<Round>,
    /// The weights that were on chain as the round under way began, for display.
    weighed: Option<(Round, SeenWeights)>,
    /// The round that began too long ago for one who is to hold whole ones.
    missed: Option<Round>,
    cancel: CancellationToken,
}

/// Starts a validator; it is connected and registered when this returns.
pub async fn start(config: ValidatorConfig) -> Result<Validator, StartError> {
    std::fs::create_dir_all(&config.data_dir).map_err(|source| StartError::DataDir {
        path: config.data_dir.clone(),
        source,
    })?;
    let mut book = Book::open(&config.data_dir.join("ledger.redb"))?;
    if book.tidy()? {
        tracing::info!("the ledger's file was mostly empty, and is compacted");
    }
    let book = Arc::new(book);
    let teacher = Checkpoint::open(&config.teacher).map_err(|source| StartError::Teacher {
        path: config.teacher.clone(),
        source,
    })?;
    let expected = config.spec.subnet.vocab_size;
    if teacher.config.vocab_size != expected as usize {
        return Err(StartError::Vocabulary {
            found: teacher.config.vocab_size,
            expected,
        });
    }
    let tokenizer = Tokenizer::open(&config.teacher).map_err(|source| StartError::Tokenizer {
        path: config.teacher.clone(),
        source,
    })?;

    let chain = Chain::open(config.endpoints.clone()).await?;
    config.metrics.connected(&chain);
    let signer = Signer::from_nonce(
        config.hotkey.clone(),
        chain.signing_context(config.netuid()),
        book.reserve_nonces(signer::now_micros(), NONCES_PER_RUN)?,
    );
    let hotkey = signer.hotkey();
    let netuid = config.netuid();
    let metagraph = chain.metagraph(netuid).await?;
    let neuron = metagraph
        .by_hotkey(&hotkey)
        .ok_or(StartError::NotRegistered { hotkey, netuid })?;
    let identity = Identity::open_or_create(&config.data_dir.join("peer.key"))?;
    let peer_key = identity.peer_key();
    let node = NetConfig {
        kind: NodeKind::Validator,
        spec: Some(config.spec.clone()),
        inbound_queue: INBOUND_QUEUE,
        ..NetConfig::new(identity, config.spec.limits.clone())
    };
    let node = node.with_ways(config.ways.clone(), *signer.context());
    let (net, inbound, network) = athanor_net::start(node).await?;
    let others = specs::kept(&config.data_dir).into_iter();
    let others = others.map(|spec| (spec.digest(), spec.to_toml().into()));
    network.specs().send_modify(|specs| specs.extend(others));
    let whereabouts = network.whereabouts();
    let axon = Axon::new(
        neuron.axon,
        watch::channel(fixed_address(&config, &network).await).1,
    );
    let archive = Archive::open(config.data_dir.join("transcripts"))?;
    let artifacts = Artifacts::new(
        config.data_dir.join("artifacts"),
        net.clone(),
        signer.clone(),
        Requirements::of(&config.spec, &teacher).map_err(|source| StartError::Teacher {
            path: config.teacher.clone(),
            source,
        })?,
    )?
    .with_quota(config.artifact_quota);
    let store = BlobStore::open(
        &config.data_dir.join("blobs"),
        config.spec.limits.max_chunk_bytes,
    )?;
    let shelf = Shelf::new(
        store,
        archive.clone(),
        artifacts.clone(),
        network.transcripts(),
    );
    let auditor = Auditor::spawn(
        &teacher,
        tokenizer.clone(),
        config.device,
        config.replay_memory,
        config.spec.clone(),
        config.calibration.clone(),
    )?;
    let ends = teacher
        .stop_tokens()
        .map_err(|source| StartError::Teacher {
            path: config.teacher.clone(),
            source,
        })?;
    let (organic, joining) = mpsc::channel(gateway::ORGANIC_QUEUE);
    let gateway = match &config.gateway {
        None => None,
        Some(settings) => {
            let parts = gateway::Parts {
                spec: config.spec.clone(),
                net: net.clone(),
                signer: signer.clone(),
                hotkey: config.hotkey.clone(),
                teacher: Arc::new(teacher.clone()),
                tokenizer: tokenizer.clone(),
                ends: ends.clone(),
                device: config.device,
                data_dir: config.data_dir.clone(),
                metrics: config.metrics.clone(),
                organic,
            };
            Some(gateway::start(settings, parts).await?)
        }
    };
    let battery = bench(&teacher, &tokenizer, config.device);
    let teacher = Teacher::start(&teacher, ends, &config.spec, config.device)?;
    for it in probe::probe(&teacher, &tokenizer, &config.spec).await? {
        let (family, right, asked) = (it.family.name(), it.right, it.asked);
        tracing::debug!(
            family,
            right,
            asked,
            p = it.p_value,
            "the teacher can do it"
        );
    }

    let weights = WeightSetter::open(
        chain.clone(),
        config.hotkey.clone(),
        config.netuid(),
        &config.data_dir.join("weights.json"),
    )?;
    let battery = battery.map(|bench| Battery::spawn(bench, config.feed.clone()));
    let battery = battery.transpose().map_err(StartError::Thread)?;
    let cancel = CancellationToken::new();
    let genesis = chain.genesis();
    let (findings, incoming) = mpsc::channel(OUTCOME_QUEUE);
    let address = gateway.as_ref().map(Gateway::address);
    tokio::spawn(shelf.clone().serve(inbound, cancel.clone()));
    let in_flight_limit = config.spec.round.max_in_flight;
    let in_flight = Arc::new(Semaphore::new(in_flight_limit as usize));
    let board = Board::new(Sources {
        hotkey,
        netuid: config.netuid(),
        metrics: config.metrics.clone(),
        feed: config.feed.clone(),
        chain: chain.clone(),
        artifacts: artifacts.clone(),
        in_flight: in_flight.clone(),
        in_flight_limit,
        findings: findings.downgrade(),
    });
    let desk = Desk {
        board: board.clone(),
        book: book.clone(),
        archive: archive.clone(),
        spec: Arc::new(config.spec.clone()),
    };
    let asked = Control::listen(&config.data_dir)?;
    let mut beside = JoinSet::new();
    beside.spawn(control::run(asked, desk, cancel.clone()));
    beside.spawn(board.clone().watch(cancel.clone()));
    let metrics = config.metrics.clone();
    metrics.phase(Phase::Serving);
    let state = Loop {
        in_flight,
        board: board.clone(),
        beside,
        watch: SpecWatch::new(&config.spec, &config.data_dir),
        config,
        chain,
        net,
        network,
        signer,
        weights,
        weights_changed: true,
        tokenizer,
        artifacts,
        archive,
        shelf,
        peer_key,
        axon,
        whereabouts,
        pressure: Pressure::default(),
        stalls: Stalls::watch(cancel.clone()),
        auditor,
        battery,
        comparing: None,
        teacher,
        book,
        findings,
        round: None,
        fetched: HashMap::new(),
        gateway,
        joined: HashMap::new(),
        rounds_done: 0,
        last_done: None,
        weighed: None,
        missed: None,
        cancel: cancel.clone(),
    };
    Ok(Validator {
        hotkey,
        genesis,
        gateway: address,
        board,
        metrics,
        cancel,
        task: tokio::spawn(state.run(incoming, joining)),
    })
}

/// What models are compared with, if the sample of siblings that ships is one of this teacher's.
fn bench(teacher: &Checkpoint, tokenizer: &Tokenizer, device: DeviceChoice) -> Option<Bench> {
    let null = NullSample::shipped();
    if !null.is_of(&Digest(teacher.manifest.tensors_digest())) {
        tracing::warn!(
            "how near independent students come to each other was measured for another teacher: no model is compared with \
             another, and copies are known by equal tensors alone"
        );
        return None;
    }
    let lens = match Lens::new(teacher, device, null.seed) {
        Ok(lens) => lens,
        Err(error) => {
            tracing::warn!(%error, "the teacher's weights cannot be read: no model is compared with another");
            return None;
        }
    };
    Some(Bench {
        test: CopyTest::new(null, 1),
        tokenizer: tokenizer.clone(),
        lens,
        teacher: Digest(teacher.digest()),
    })
}

/// The address that others reach, where it does not depend on what others find out: what the operator says, or what is
/// listened on.
async fn fixed_address(config: &ValidatorConfig, network: &NetHandle) -> Option<SocketAddr> {
    let listen = network.local_addr();
    let told = told(config.external, listen);
    if let Some(told) = told {
        network.announce(told).await;
    }
    let fixed = told.or_else(|| network.whereabouts().now(None));
    if let Some(listen) = listen.filter(|_| fixed.is_none()) {
        tracing::info!(
            %listen,
            "transcripts are served here; others find them once a relay or bootstrap peer says where that is, or \
             --axon.external_ip does"
        );
    }
    fixed
}

impl Loop {
    async fn run(
        mut self,
        incoming: mpsc::Receiver<Finding>,
        joining: mpsc::Receiver<Organic>,
    ) -> Result<(), RunError> {
        let ended = self.follow(incoming, joining).await;
        if let Some(gateway) = self.gateway.take() {
            gateway.shutdown().await;
        }
        self.network.shutdown().await;
        // They hold the ledger: whoever opens it next must not find it in use.
        self.cancel.cancel();
        while self.beside.join_next().await.is_some() {}
        ended
    }

    /// Does what blocks and findings ask for, until it is told to end or cannot go on.
    async fn follow(
        &mut self,
        mut incoming: mpsc::Receiver<Finding>,
        mut joining: mpsc::Receiver<Organic>,
    ) -> Result<(), RunError> {
        let mut blocks = self.chain.blocks();
        self.restock().await;
        let mut batch = Vec::new();
        let cancel = self.cancel.clone();
        loop {
            tokio::select! {
                biased;
                () = cancel.cancelled() => break,
                taken = incoming.recv_many(&mut batch, OUTCOME_QUEUE) => {
                    if taken > 0 {
                        self.write_down(std::mem::take(&mut batch)).await?;
                    }
                }
                block = blocks.next() => match block {
                    Some(block) => match shutdown::finish(&cancel, self.on_block(block?)).await {
                        Some(done) => done?,
                        None => break,
                    },
                    None => break,
                },
                Some(organic) = joining.recv() => self.join_audit(organic),
            }
            if self
                .config
                .rounds
                .is_some_and(|rounds| self.rounds_done >= rounds)
            {
                break;
            }
        }
        Ok(())
    }

    async fn on_block(&mut self, block: BlockRef) -> Result<(), RunError> {
        let schedule = match self
            .chain
            .schedule(self.config.netuid(), Some(block.hash))
            .await
        {
            Ok(schedule) => schedule,
            Err(error) => {
                tracing::warn!(%error, "cannot read the epoch schedule; trying again with the next block");
                return Ok(());
            }
        };
        self.config.metrics.block(block.number, &schedule);
        let first_of_epoch = schedule.last_epoch_block == block.number;
        self.keep_axon(block.number).await;
        let follow =
            first_of_epoch || self.weights.waits() || std::mem::take(&mut self.weights_changed);
        if follow && !self.config.submission.is_dry() {
            self.follow_weights().await;
        }
        let round = Round(schedule.epoch.0);
        self.check_spec(block.number, &schedule, round).await?;
        if self
            .round
            .as_ref()
            .is_none_or(|active| active.round != round)
        {
            // What was answered is still to be written down: with the next block.
            if self.round.as_ref().is_some_and(ActiveRound::end) {
                return Ok(());
            }
            let timetable = Timetable::of(&schedule, &self.config.spec);
            if self.comes_too_late(round, &timetable, &block)? {
                return Ok(());
            }
            match self.begin(round, timetable).await {
                Ok(()) => {}
                Err(error) if error.may_pass() => {
                    tracing::warn!(%error, %round, "cannot begin the round; trying again with the next block");
                    return Ok(());
                }
                Err(error) => return Err(RunError::Begin(error)),
            }
        }
        let due = self
            .round
            .as_mut()
            .map(|active| active.due(block.number))
            .unwrap_or_default();
        self.dispatch_all(due);
        if let Some(active) = &self.round {
            active.end_in_time(block.number);
        }
        self.compare(block.number).await?;
        if self
            .round
            .as_ref()
            .is_some_and(|active| active.should_submit(block.number))
        {
            self.submit(schedule.epoch).await?;
        }
        self.publish().await;
        if let Some(active) = self.round.as_ref()
            && active.submitted
            && active.published
            && self.last_done != Some(active.round)
        {
            self.last_done = Some(active.round);
            self.rounds_done += 1;
        }
        Ok(())
    }

    /// Whether a validator that holds some rounds only leaves this one out, as most of its asks would go out at once, or not
    /// at all. One that was begun before a restart is gone on with.
    fn comes_too_late(
        &mut self,
        round: Round,
        timetable: &Timetable,
        block: &BlockRef,
    ) -> Result<bool, RunError> {
        let half = timetable.first.0 + timetable.ask_blocks.div_ceil(2);
        if self.config.rounds.is_none() || block.number.0 <= half {
            return Ok(false);
        }
        if self.round.is_some()
            || self
                .book
                .rounds()?
                .iter()
                .any(|(head, _)| head.round == round)
        {
            return Ok(false);
        }
        if self.missed.replace(round) != Some(round) {
            let next = timetable.submit_until.0 + 1;
            tracing::info!(%round, %next, "the round is too far gone to be held: waiting for the next, which begins with that block");
        }
        Ok(true)
    }

    /// Drops checkpoints that nobody has used for long, and those for which there is no room.
    async fn prune_artifacts(&self) {
        let oldest = SystemTime::now().checked_sub(ARTIFACT_LIFETIME);
        let artifacts = self.artifacts.clone();
        let work = move || artifacts.prune(oldest.unwrap_or(SystemTime::UNIX_EPOCH));
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "cannot prune the artifact cache"),
            Err(error) => tracing::error!(%error, "pruning the artifact cache panicked"),
        }
    }
}
