//! Beginning a round, or finding that it was begun before.

use std::collections::{BTreeSet, HashMap};

use athanor_scoring::{
    allocate::ChainLimits,
    readiness::Readiness,
    round::{Ledger, SeenMiner},
    transcript::Head,
    width,
};
use athanor_spec::{Digest, Hotkey, Round, telemetry::Event};

use super::{KEPT_ROUNDS, Loop};
use crate::{
    book::Account,
    config::BeginError,
    plan,
    round::{ActiveRound, RoundMiner, Timetable, miners_of},
    seed::{self, SeedInput},
    watch,
};

impl Loop {
    /// Draws the round from the state of the chain in its first block, and fetches what its miners committed to. Rounds
    /// before it that are still open are closed first: what was seen in them counts, but weights are for the present.
    pub(super) async fn begin(
        &mut self,
        round: Round,
        timetable: Timetable,
    ) -> Result<(), BeginError> {
        let netuid = self.config.netuid();
        let block_hash = self.chain.block_hash(timetable.first).await?;
        let metagraph = self.chain.metagraph_at(netuid, block_hash).await?;
        let neuron = metagraph.by_hotkey(&self.signer.hotkey());
        self.config.metrics.neuron(neuron);
        // A hotkey that was registered anew has lost its record.
        self.axon.seen(neuron.and_then(|neuron| neuron.axon));
        let limits = self.chain.weight_limits(netuid, Some(block_hash)).await?;
        let limits = ChainLimits {
            min_allowed_weights: limits.min_allowed_weights,
            max_weight_limit: limits.max_weight_limit,
            burn: limits.owner,
        };
        let past = self.close_what_is_left(round).await?;
        let mut miners = miners_of(&metagraph, &self.signer.hotkey());
        for miner in &mut miners {
            miner.previous = past.checkpoints.get(&miner.account).copied();
        }
        let input = SeedInput {
            genesis: self.chain.genesis(),
            netuid,
            spec: self.config.spec.digest(),
            round,
            block_hash,
        };
        let asks = self.share_out(&past.ledger, &miners);
        let drawn = seed::draw(&self.config.hotkey, &input);
        let head = Head {
            genesis: input.genesis,
            netuid,
            spec: input.spec,
            calibration: self.config.calibration.digest(),
            validator: self.signer.hotkey(),
            round,
            first_block: timetable.first,
            block_hash,
            ask_blocks: timetable.ask_blocks,
            seed: drawn.output,
            proof: drawn.proof,
            limits,
            previous: past.root,
            ledger: past.ledger.digest(),
            miners: miners
                .iter()
                .zip(asks)
                .map(|(miner, asks)| miner.seen(asks))
                .collect(),
        };
        let book = self.book.clone();
        let (head, closed) = tokio::task::spawn_blocking(move || {
            let head = book.begin(head)?;
            let closed = book.closed(round)?;
            Ok::<_, crate::book::BookError>((head, closed))
        })
        .await??;
        if head.seed != drawn.output || head.block_hash != block_hash {
            return Err(BeginError::OtherSpec { round });
        }
        // The head of the first beginning stands: the metagraph at that block gives where they are.
        for miner in &mut miners {
            if let Some(seen) = head.miner(&miner.account) {
                miner.previous = seen.previous;
            }
        }
        let mut plan = Vec::new();
        if closed.is_none() {
            let whom = plan::whom(&head);
            let tokenizer = &self.tokenizer;
            plan = plan::plan(
                &head.seed,
                &whom,
                &self.config.spec,
                head.ask_blocks,
                |text| tokenizer.encode(text).unwrap_or_default(),
            );
            let done = self.done(round).await?;
            // What an earlier run of this process already wrote down is not asked again.
            plan.retain(|planned| {
                !done
                    .get(&planned.miner)
                    .is_some_and(|indices| indices.contains(&planned.index))
            });
        }
        self.prune(round, &past.checkpoints);
        let fetched = self.fetched.keys().map(|(_, digest)| *digest);
        let committed = miners
            .iter()
            .flat_map(|miner| [Some(miner.checkpoint), miner.previous]);
        // What a miner's next model may have to be held against.
        let compared = miners
            .iter()
            .filter_map(|miner| Some(past.ledger.chain(&miner.account)?.manifest));
        self.artifacts
            .need(fetched.chain(committed.flatten()).chain(compared));
        self.prune_artifacts().await;
        if closed.is_none() {
            for miner in &miners {
                // Started now; whoever needs the checkpoint later waits on the same transfer.
                self.fetch_committed(round, miner);
            }
        }
        self.announce(&miners, &metagraph);
        tracing::info!(
            %round, block = %timetable.first, asks = plan.len(), miners = miners.len(),
            closed = closed.is_some(), "round begins"
        );
        self.config.feed.send(Event::RoundStarted {
            validator: self.signer.hotkey(),
            round,
            block: timetable.first,
            asks: u32::try_from(plan.len()).unwrap_or(u32::MAX),
        });
        self.weighed = match self.chain.weights(netuid).await {
            Ok(rows) => {
                let seen = watch::weights(&metagraph, &rows, &head.seed);
                seen.map(|seen| (round, seen))
            }
            // For display: no round waits for it.
            Err(error) => {
                tracing::debug!(%error, "the weights of this epoch are not looked at");
                None
            }
        };
        self.board
            .begins(round, &timetable, miners.len(), plan.len());
        let known = head.miners.iter().map(|miner| &miner.account);
        let readiness = Readiness::of_miners(&past.ledger, known, &self.config.spec);
        self.board.knows(readiness);
        self.round = Some(ActiveRound::new(timetable, head, miners, plan, closed));
        Ok(())
    }

    /// How many prompts each miner gets: more where less is known.
    fn share_out(&self, ledger: &Ledger, miners: &[RoundMiner]) -> Vec<u32> {
        let known = |miner: &RoundMiner| {
            let record = ledger.records().get(&miner.account);
            record.map_or(0.0, |record| record.effective_asks())
        };
        let effective: Vec<f64> = miners.iter().map(known).collect();
        let spec = &self.config.spec;
        width::prompts(&effective, plan::least_asks(spec), spec)
    }

    /// Indices that have a leaf, by hotkey.
    async fn done(&self, round: Round) -> Result<HashMap<Hotkey, BTreeSet<u32>>, BeginError> {
        let book = self.book.clone();
        let leaves = tokio::task::spawn_blocking(move || book.leaves(round)).await??;
        let mut done = HashMap::<Hotkey, BTreeSet<u32>>::new();
        let audits = leaves
            .iter()
            .filter(|leaf| leaf.purpose == athanor_scoring::round::Purpose::Audit);
        for leaf in audits {
            done.entry(leaf.account.hotkey)
                .or_default()
                .insert(leaf.index);
        }
        Ok(done)
    }

    /// Closes the rounds before `round` that are open, and says what they leave to it.
    pub(super) async fn close_what_is_left(&mut self, round: Round) -> Result<Past, BeginError> {
        let book = self.book.clone();
        let rounds = tokio::task::spawn_blocking(move || book.rounds()).await??;
        for (head, closed) in rounds {
            if head.genesis != self.chain.genesis() || head.validator != self.signer.hotkey() {
                return Err(BeginError::OtherChain { round: head.round });
            }
            if closed.is_none() && head.round < round {
                tracing::info!(round = %head.round, "closing a round that an earlier epoch left open");
                self.close(head).await?;
            }
        }
        let book = self.book.clone();
        tokio::task::spawn_blocking(move || {
            let before: Vec<_> = book
                .rounds()?
                .into_iter()
                .filter(|(head, _)| head.round < round)
                .collect();
            let last = before.last();
            Ok(Past {
                root: last.and_then(|(_, closed)| Some(closed.as_ref()?.root)),
                ledger: book.ledger()?,
                checkpoints: last
                    .map(|(head, _)| head.miners.iter())
                    .into_iter()
                    .flatten()
                    .map(
                        |SeenMiner {
                             account,
                             checkpoint,
                             ..
                         }| (*account, *checkpoint),
                    )
                    .collect(),
            })
        })
        .await?
    }

    fn prune(&mut self, round: Round, previous: &HashMap<Account, Digest>) {
        // A transfer that failed is tried again in the new round, unless it would fail for ever.
        self.fetched.retain(|(account, digest), artifact| {
            let failed = artifact
                .peek()
                .is_some_and(|result| result.as_ref().is_err_and(|error| !error.is_final()));
            previous.get(account) == Some(digest) && !failed
        });
        let oldest = Round(round.0.saturating_sub(KEPT_ROUNDS));
        if let Err(error) = self.book.prune(oldest) {
            tracing::error!(%error, "cannot prune the ledger");
        }
        if let Err(error) = self.archive.prune(oldest) {
            tracing::error!(%error, "cannot prune the transcripts");
        }
    }
}

/// What the rounds before leave to a round.
pub(super) struct Past {
    root: Option<Digest>,
    ledger: Ledger,
    checkpoints: HashMap<Account, Digest>,
}
