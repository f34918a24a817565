//! The validator's one loop: blocks come in, asks go out, outcomes are written down, weights are set.
//!
//! The loop owns the round and the ledger. Each ask is a task of its own under one semaphore; replays happen on the
//! auditor's thread. When a queue is full the ask waits: a validator slows down, it never drops an outcome. Whatever
//! fails on the validator's side is neutral for the miner.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
    time::{Duration, SystemTime},
};

use athanor_chain::{
    BlockRef, Client as Chain, Progress, ReadError, Tick, WeightSetter, WeightsSet,
};
use athanor_model::{Checkpoint, Tokenizer};
use athanor_net::{Client as Net, Identity, NetConfig, NetHandle};
use athanor_scoring::{
    allocate::{ChainLimits, Entry, allocate},
    ledger::{AskId, AskOutcome, Fault, FaultKind},
    width,
};
use athanor_spec::{
    Digest, Epoch, Hotkey, Round, Uid,
    telemetry::{Event, FaultSummary},
};
use futures::{FutureExt as _, StreamExt as _, future::Shared};
use tokio::{
    sync::{Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;

use crate::{
    artifacts::Artifacts,
    audit::Auditor,
    book::{Account, Book, BookError, Claim},
    config::{RunError, StartError, ValidatorConfig},
    finding::{ArtifactResult, AskContext, Finding, SharedArtifact},
    plan::{self, PlannedAsk, PlannedMiner},
    probe,
    round::{ActiveRound, RoundMiner, Timetable, miners_of},
    seed::{self, SeedInput},
    signer::Signer,
    teacher::Teacher,
};

/// Outcomes waiting to be written.
const OUTCOME_QUEUE: usize = 256;
/// Rounds whose single outcomes stay in the ledger.
const KEPT_ROUNDS: u64 = 256;
/// How long an unused checkpoint stays in the cache.
const ARTIFACT_LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// A running validator.
pub struct Validator {
    hotkey: Hotkey,
    genesis: Digest,
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

    /// Waits until it ends by itself, which it does only on an error.
    pub async fn join(&mut self) -> Result<(), RunError> {
        (&mut self.task).await?
    }

    /// Ends it: what is in the ledger stays, asks under way are asked again after the restart.
    pub async fn shutdown(self) -> Result<(), RunError> {
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
    auditor: Auditor,
    teacher: Teacher,
    book: Arc<Book>,
    in_flight: Arc<Semaphore>,
    findings: mpsc::Sender<Finding>,
    round: Option<ActiveRound>,
    fetched: HashMap<(Account, Digest), SharedArtifact>,
    /// Checkpoint that each account had committed to in the round before: a swap may lag the epoch by a block.
    previous: HashMap<Account, Digest>,
    /// Faults found in the running round that are not the audit's.
    faults: BTreeMap<Account, Fault>,
    cancel: CancellationToken,
}

/// Starts a validator; it is connected and registered when this returns.
pub async fn start(config: ValidatorConfig) -> Result<Validator, StartError> {
    std::fs::create_dir_all(&config.data_dir).map_err(|source| StartError::DataDir {
        path: config.data_dir.clone(),
        source,
    })?;
    let book = Arc::new(Book::open(&config.data_dir.join("ledger.redb"))?);
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
    let signer = Signer::new(
        config.hotkey.clone(),
        chain.signing_context(config.netuid()),
    );
    let hotkey = signer.hotkey();
    if chain
        .metagraph(config.netuid())
        .await?
        .by_hotkey(&hotkey)
        .is_none()
    {
        return Err(StartError::NotRegistered {
            hotkey,
            netuid: config.netuid(),
        });
    }
    let identity = Identity::open_or_create(&config.data_dir.join("peer.key"))?;
    let (net, _, network) =
        athanor_net::start(NetConfig::new(identity, config.spec.limits.clone())).await?;
    let artifacts = Artifacts::new(
        config.data_dir.join("artifacts"),
        net.clone(),
        signer.clone(),
        config.spec.limits.clone(),
        expected,
    )?;
    let auditor = Auditor::spawn(
        &teacher,
        tokenizer.clone(),
        config.device,
        config.spec.clone(),
        config.calibration.clone(),
    )?;
    let ends = teacher
        .stop_tokens()
        .map_err(|source| StartError::Teacher {
            path: config.teacher.clone(),
            source,
        })?;
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
    let cancel = CancellationToken::new();
    let genesis = chain.genesis();
    let (findings, incoming) = mpsc::channel(OUTCOME_QUEUE);
    let state = Loop {
        in_flight: Arc::new(Semaphore::new(config.spec.round.max_in_flight as usize)),
        config,
        chain,
        net,
        network,
        signer,
        weights,
        weights_changed: true,
        tokenizer,
        artifacts,
        auditor,
        teacher,
        book,
        findings,
        round: None,
        fetched: HashMap::new(),
        previous: HashMap::new(),
        faults: BTreeMap::new(),
        cancel: cancel.clone(),
    };
    Ok(Validator {
        hotkey,
        genesis,
        cancel,
        task: tokio::spawn(state.run(incoming)),
    })
}

impl Loop {
    async fn run(mut self, mut incoming: mpsc::Receiver<Finding>) -> Result<(), RunError> {
        let mut blocks = self.chain.blocks();
        let mut batch = Vec::new();
        loop {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => break,
                taken = incoming.recv_many(&mut batch, OUTCOME_QUEUE) => {
                    if taken > 0 {
                        self.write_down(std::mem::take(&mut batch)).await?;
                    }
                }
                block = blocks.next() => match block {
                    Some(block) => self.on_block(block?).await?,
                    None => break,
                },
            }
        }
        self.network.shutdown().await;
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
        if first_of_epoch || self.weights.waits() || std::mem::take(&mut self.weights_changed) {
            self.follow_weights().await;
        }
        let round = Round(schedule.epoch.0);
        if self
            .round
            .as_ref()
            .is_none_or(|active| active.round != round)
        {
            let timetable = Timetable::of(&schedule, &self.config.spec);
            if let Err(error) = self.begin(round, timetable).await {
                tracing::warn!(%error, %round, "cannot begin the round; trying again with the next block");
                return Ok(());
            }
        }
        let due = self
            .round
            .as_mut()
            .map(|active| active.due(block.number))
            .unwrap_or_default();
        for planned in due {
            self.dispatch(planned);
        }
        if self
            .round
            .as_ref()
            .is_some_and(|active| active.should_submit(block.number))
        {
            self.submit(schedule.epoch).await?;
        }
        Ok(())
    }

    /// Draws the round from the state of the chain in its first block, and fetches what its miners committed to.
    async fn begin(&mut self, round: Round, timetable: Timetable) -> Result<(), ReadError> {
        let netuid = self.config.netuid();
        let block_hash = self.chain.block_hash(timetable.first).await?;
        let metagraph = self.chain.metagraph_at(netuid, block_hash).await?;
        self.config
            .metrics
            .neuron(metagraph.by_hotkey(&self.signer.hotkey()));
        let seed = seed::draw(
            &self.config.hotkey,
            &SeedInput {
                genesis: self.chain.genesis(),
                netuid,
                spec: self.config.spec.digest(),
                round,
                block_hash,
            },
        );
        let miners = miners_of(&metagraph, &self.signer.hotkey());
        let whom = self.share_out(&miners);
        let tokenizer = &self.tokenizer;
        let mut plan = plan::plan(
            &seed.output,
            &whom,
            &self.config.spec,
            timetable.ask_blocks,
            |text| tokenizer.encode(text).unwrap_or_default(),
        );
        // What an earlier run of this process already wrote down is not asked again.
        let mut done = HashMap::<Hotkey, BTreeSet<u32>>::new();
        for RoundMiner { account, .. } in &miners {
            match self.book.recorded(account, round) {
                Ok(indices) => drop(done.insert(account.hotkey, indices)),
                Err(error) => tracing::error!(%error, "cannot read the ledger"),
            }
        }
        plan.retain(|planned| {
            !done
                .get(&planned.miner)
                .is_some_and(|indices| indices.contains(&planned.index))
        });

        if let Some(old) = self.round.take() {
            self.previous = old
                .miners
                .iter()
                .map(|miner| (miner.account, miner.checkpoint))
                .collect();
        }
        self.faults.clear();
        self.prune(round);
        for miner in &miners {
            // Started now; whoever needs the checkpoint later waits on the same transfer.
            drop(self.fetch(miner, miner.checkpoint));
        }
        tracing::info!(%round, block = %timetable.first, asks = plan.len(), miners = miners.len(), "round begins");
        self.config.feed.send(Event::RoundStarted {
            validator: self.signer.hotkey(),
            round,
            block: timetable.first,
            asks: u32::try_from(plan.len()).unwrap_or(u32::MAX),
        });
        self.round = Some(ActiveRound::new(round, timetable, seed, miners, plan));
        Ok(())
    }

    /// How many prompts each miner gets: more where less is known.
    fn share_out(&self, miners: &[RoundMiner]) -> Vec<PlannedMiner> {
        let known = |miner: &RoundMiner| match self.book.record(&miner.account) {
            Ok(record) => record.effective_asks(),
            Err(error) => {
                tracing::error!(%error, "cannot read the ledger");
                0.0
            }
        };
        let effective: Vec<f64> = miners.iter().map(known).collect();
        let spec = &self.config.spec;
        let asks = width::prompts(&effective, plan::shared_prompts(&spec.round), spec);
        miners
            .iter()
            .zip(asks)
            .map(|(miner, asks)| PlannedMiner {
                hotkey: miner.account.hotkey,
                uid: miner.uid,
                asks,
            })
            .collect()
    }

    fn prune(&mut self, round: Round) {
        self.fetched
            .retain(|(account, digest), _| self.previous.get(account) == Some(digest));
        if let Err(error) = self.book.prune(Round(round.0.saturating_sub(KEPT_ROUNDS))) {
            tracing::error!(%error, "cannot prune the ledger");
        }
        if let Some(oldest) = SystemTime::now().checked_sub(ARTIFACT_LIFETIME)
            && let Err(error) = self.artifacts.prune(oldest)
        {
            tracing::warn!(%error, "cannot prune the artifact cache");
        }
    }

    /// The checkpoint of a miner, fetched once however many asks wait for it.
    fn fetch(&mut self, miner: &RoundMiner, digest: Digest) -> SharedArtifact {
        let (artifacts, book, miner) = (self.artifacts.clone(), self.book.clone(), miner.clone());
        let entry = self.fetched.entry((miner.account, digest));
        let shared = entry.or_insert_with(|| {
            let fetch = async move {
                let checkpoint = artifacts
                    .obtain(&miner.peer, digest)
                    .await
                    .map_err(Arc::new)?;
                if digest == miner.checkpoint {
                    // Already now: who committed first should be on record even if this round is never closed.
                    if let Err(error) = claim_tensors(&book, &miner, &checkpoint) {
                        tracing::error!(%error, "cannot write the ledger");
                    }
                }
                Ok(checkpoint)
            };
            let shared = fetch.boxed().shared();
            // Started at once: the first asks should not wait for the transfer.
            drop(tokio::spawn(shared.clone()));
            shared
        });
        shared.clone()
    }

    fn dispatch(&mut self, planned: PlannedAsk) {
        let Some(miner) = self
            .round
            .as_ref()
            .and_then(|active| active.miner(&planned.miner))
            .cloned()
        else {
            return;
        };
        let Some(active) = self.round.as_mut() else {
            return;
        };
        active.outstanding += 1;
        let round = active.round;
        let mut accepted = vec![(miner.checkpoint, self.fetch(&miner, miner.checkpoint))];
        if let Some(previous) = self.previous.get(&miner.account).copied()
            && previous != miner.checkpoint
        {
            accepted.push((previous, self.fetch(&miner, previous)));
        }
        let context = AskContext {
            net: self.net.clone(),
            signer: self.signer.clone(),
            auditor: self.auditor.clone(),
            teacher: self.teacher.clone(),
            in_flight: self.in_flight.clone(),
            vocab_size: self.config.spec.subnet.vocab_size,
            deadline: Duration::from_millis(self.config.spec.round.deadline_ms.into()),
            round,
            miner,
            accepted,
        };
        let (findings, feed) = (self.findings.clone(), self.config.feed.clone());
        tokio::spawn(async move {
            let finding = context.conduct(planned, |event| feed.send(event)).await;
            // The loop ends before its channel only when the validator shuts down: the ask is then asked again.
            let _ = findings.send(finding).await;
        });
    }

    /// Writes findings down, one transaction per account.
    async fn write_down(&mut self, findings: Vec<Finding>) -> Result<(), RunError> {
        let mut by_account = BTreeMap::<(Account, Round), Vec<(u32, AskOutcome)>>::new();
        for finding in findings {
            if let Some(active) = self
                .round
                .as_mut()
                .filter(|active| active.round == finding.round)
            {
                active.outstanding = active.outstanding.saturating_sub(1);
                if let Some(fault) = finding.fault {
                    self.faults.entry(finding.account).or_insert(fault);
                }
            }
            if let Some(outcome) = finding.outcome {
                by_account
                    .entry((finding.account, finding.round))
                    .or_default()
                    .push((finding.index, outcome));
            }
        }
        let (book, audit) = (self.book.clone(), self.config.spec.audit.clone());
        tokio::task::spawn_blocking(move || {
            for ((account, round), outcomes) in by_account {
                book.append(account, round, &outcomes, |record, index, outcome| {
                    record.apply(AskId { round, index }, outcome, &audit);
                })?;
                let indices: Vec<u32> = outcomes.iter().map(|(index, _)| *index).collect();
                tracing::debug!(hotkey = %account.hotkey, %round, ?indices, "recorded");
            }
            Ok::<_, RunError>(())
        })
        .await??;
        Ok(())
    }

    /// Closes the round: grades, weights, and the extrinsic.
    async fn submit(&mut self, epoch: Epoch) -> Result<(), RunError> {
        let Some(active) = self.round.as_ref() else {
            return Ok(());
        };
        let (round, miners) = (active.round, active.miners.clone());
        let mut entries = Vec::with_capacity(miners.len());
        for miner in &miners {
            let artifact = self
                .fetched
                .get(&(miner.account, miner.checkpoint))
                .and_then(Shared::peek)
                .cloned();
            let fault = self.standing_fault(miner, artifact.as_ref())?;
            let grade_params = &self.config.spec.grade;
            let record = self.book.update(&miner.account, |record| {
                record.decay_to(epoch, grade_params);
                record.set_checkpoint(Some(miner.checkpoint));
                record.set_fault(fault);
            })?;
            let grade = record.summary(&self.config.spec);
            let class = match &artifact {
                Some(Ok(checkpoint)) => Digest(checkpoint.manifest.tensors_digest()),
                _ => miner.checkpoint,
            };
            entries.push(Entry {
                uid: miner.uid,
                class,
                // An artifact that is not at hand now was not recomputed: neutral, and unpaid.
                quality_low: if matches!(artifact, Some(Ok(_))) {
                    grade.quality_low
                } else {
                    0.0
                },
                goodput: 1.0,
                faulty: grade.fault.is_some(),
                priority_block: miner.committed_at,
            });
            if let Some(FaultSummary { kind, evidence }) = &grade.fault {
                tracing::info!(uid = %miner.uid, hotkey = %miner.account.hotkey, kind, evidence, "fault");
            }
            self.config.feed.send(Event::Graded {
                validator: self.signer.hotkey(),
                miner: miner.account.hotkey,
                uid: miner.uid,
                round,
                grade,
            });
        }
        let limits = match self.chain.weight_limits(self.config.netuid(), None).await {
            Ok(limits) => ChainLimits {
                min_allowed_weights: limits.min_allowed_weights,
                max_weight_limit: limits.max_weight_limit,
                burn: limits.owner,
            },
            Err(error) => {
                tracing::warn!(%error, "cannot read the chain's limits of weights; trying again with the next block");
                return Ok(());
            }
        };
        let weights = allocate(&entries, None, &self.config.spec.allocation, &limits);
        let submitted = self.set_weights(epoch, weights).await;
        if let Some(active) = self.round.as_mut() {
            active.submitted = submitted;
        }
        Ok(())
    }

    fn standing_fault(
        &self,
        miner: &RoundMiner,
        artifact: Option<&ArtifactResult>,
    ) -> Result<Option<Fault>, RunError> {
        if let Some(fault) = self.faults.get(&miner.account) {
            return Ok(Some(fault.clone()));
        }
        match artifact {
            Some(Err(error)) if error.is_miners_fault() => Ok(Some(Fault {
                kind: FaultKind::BadArtifact,
                evidence: error.to_string(),
            })),
            Some(Ok(checkpoint)) => {
                let first = claim_tensors(&self.book, miner, checkpoint)?;
                Ok((first.account != miner.account).then(|| Fault {
                    kind: FaultKind::Copy,
                    evidence: format!(
                        "the tensors of {} were committed by {} in block {}, here in block {}",
                        miner.checkpoint.short(),
                        first.account.hotkey,
                        first.committed_at,
                        miner.committed_at,
                    ),
                }))
            }
            _ => Ok(None),
        }
    }

    /// Sets or commits weights; whether nothing more is to be done in this epoch.
    async fn set_weights(&mut self, epoch: Epoch, weights: Vec<(Uid, u16)>) -> bool {
        use athanor_chain::SetWeightsError::{AlreadySet, NoPermit};
        if weights.iter().all(|(_, weight)| *weight == 0) {
            tracing::info!(%epoch, "no miner has earned anything yet: no weights are set");
            return true;
        }
        let version = self.config.spec.subnet.version_key;
        let validator = self.signer.hotkey();
        let set = self.weights.set(&weights, version).await;
        match &set {
            Ok(set) => {
                self.weights_changed = true;
                self.config.metrics.weights_set(set.protocol());
            }
            Err(AlreadySet { .. }) => {}
            Err(error) => self.config.metrics.weights_failed(error),
        }
        match set {
            Ok(WeightsSet::Plain(included)) => {
                tracing::info!(%epoch, block = %included.block, "weights set");
                self.config.feed.send(Event::WeightsSet {
                    validator,
                    epoch,
                    block: included.block,
                    weights,
                });
                true
            }
            Ok(WeightsSet::Committed {
                included,
                protocol,
                reveal_block,
            }) => {
                tracing::info!(%epoch, block = %included.block, ?protocol, %reveal_block, "weights committed");
                self.config.feed.send(Event::WeightsCommitted {
                    validator,
                    epoch,
                    block: included.block,
                    reveal_block,
                });
                true
            }
            Err(AlreadySet { block }) => {
                tracing::info!(%epoch, %block, "weights were set already");
                true
            }
            Err(error @ NoPermit { .. }) => {
                tracing::info!(%epoch, %error, "no weights in this epoch");
                true
            }
            Err(error) => {
                tracing::warn!(%epoch, %error, "weights not set; trying again with the next block");
                false
            }
        }
    }

    /// Reveals what is due, and tells watchers what comes next. Asked at the first block of an epoch, after weights were
    /// set, and with every block while commits wait.
    async fn follow_weights(&mut self) {
        let Tick {
            progress,
            countdown,
        } = match self.weights.tick().await {
            Ok(tick) => tick,
            Err(error) => {
                tracing::warn!(%error, "cannot follow the weights; trying again with the next block");
                return;
            }
        };
        self.config.metrics.countdown(countdown);
        let validator = self.signer.hotkey();
        for ended in progress {
            let weights = match &ended {
                Progress::Revealed { weights } => {
                    self.config.metrics.weights_revealed();
                    u32::try_from(weights.len()).ok()
                }
                Progress::Lost { signed_at } => {
                    self.config.metrics.weights_lost();
                    tracing::warn!(%signed_at, "committed weights were not revealed in time");
                    None
                }
            };
            self.config.feed.send(Event::WeightsRevealed {
                validator,
                block: countdown.block,
                weights,
            });
        }
        self.config.feed.send(Event::WeightsDue {
            validator,
            block: countdown.block,
            epoch: countdown.epoch,
            reveal: countdown.reveal,
            activity_cutoff: countdown.activity_cutoff,
        });
    }
}

/// Registers that a miner committed to these tensors; returns the earliest claim to them.
fn claim_tensors(
    book: &Book,
    miner: &RoundMiner,
    checkpoint: &Checkpoint,
) -> Result<Claim, BookError> {
    let claim = Claim {
        account: miner.account,
        committed_at: miner.committed_at,
        manifest: miner.checkpoint,
    };
    book.claim(&Digest(checkpoint.manifest.tensors_digest()), claim)
}
