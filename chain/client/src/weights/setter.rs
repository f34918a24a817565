//! A validator's weights from the first call to the last, in the form that its subnet demands.
//!
//! ```text
//!             subnet takes weights in the open:   set ─────────────────────────────────► on chain
//!             subnet takes hidden weights:        journal ─► commit ─► wait ─► reveal ─► on chain
//! ```
//! A hash commit is revealed by its owner in one epoch of the subnet, neither earlier nor later, and a timelocked one by
//! the chain. What a commit hides is on disk before it is sent, so a process that dies at any point and starts again still
//! reveals. What happened meanwhile is read from the chain, never remembered.

use std::path::Path;

use athanor_spec::{BlockNumber, Digest, Epoch, NetUid, Uid};
use crypto_secretbox::aead::{OsRng, rand_core::RngCore as _};
use sp_core::sr25519;

use super::{
    JournalError, Protocol, SIGNATURES, Sent, SetWeightsError,
    journal::{Entry, Journal, Kind, Owner},
    refused, same_row,
    standing::Standing,
    stored_row,
    submission::{Calls, Submission, commit_hash},
};
use crate::{
    Client, Included, ReadError, SubmitError,
    block::height,
    items,
    schedule::legacy_epoch,
    signer::PairSigner,
    state::{State, account},
    submit::ERA_BLOCKS,
    timelock::TimelockedWeights,
};

/// Numbers in a salt, as bittensor's own tools take.
const SALT_NUMBERS: usize = 8;
/// Blocks after the first one of the reveal's epoch until the chain has surely seen the round's signature.
const BEACON_LAG_BLOCKS: u32 = 3;

/// Sets the weights of one hotkey on one subnet. One at a time: it owns the journal of commits.
pub struct WeightSetter {
    client: Client,
    hotkey: sr25519::Pair,
    netuid: NetUid,
    journal: Journal,
    by_hash: bool,
}

/// What became of a row of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WeightsSet {
    /// It is on chain for everybody to see.
    Plain(Included),
    /// Its commit is on chain.
    Committed {
        /// Where.
        included: Included,
        /// In which form.
        protocol: Protocol,
        /// The first block in which it can be revealed.
        reveal_block: BlockNumber,
    },
}

/// What became of a row that was committed earlier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It is on chain, revealed by us or by the chain.
    Revealed {
        /// The row.
        weights: Vec<(Uid, u16)>,
    },
    /// Its time has passed, or it was never included: it will not count.
    Lost {
        /// Height of the chain when it was committed.
        signed_at: BlockNumber,
    },
}

/// What one look at the chain came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tick {
    /// Rows that came to an end.
    pub progress: Vec<Progress>,
    /// What comes next.
    pub countdown: Countdown,
}

/// Blocks until something happens, counted from one block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Countdown {
    /// That block.
    pub block: BlockNumber,
    /// How the subnet takes weights.
    pub protocol: Protocol,
    /// Until the next epoch.
    pub epoch: u32,
    /// Until the first committed row can be revealed; `None` if none waits.
    pub reveal: Option<u32>,
    /// Until the validator's weights no longer count for their age; 0 if they do not count now, `None` if the chain has
    /// no such limit.
    pub activity_cutoff: Option<u32>,
}

impl WeightSetter {
    /// Opens the journal at `journal`, which is made with the first commit.
    pub fn open(
        client: Client,
        hotkey: sr25519::Pair,
        netuid: NetUid,
        journal: &Path,
    ) -> Result<Self, JournalError> {
        let owner = Owner {
            genesis: client.genesis(),
            netuid,
            hotkey: PairSigner(&hotkey).account(),
        };
        Ok(Self {
            journal: Journal::open(journal, owner)?,
            client,
            hotkey,
            netuid,
            by_hash: false,
        })
    }

    /// Commits by hash even where a beacon would open the weights: for those who do not trust the chain's beacon to keep
    /// its rounds to itself.
    pub fn by_hash(mut self) -> Self {
        self.by_hash = true;
        self
    }

    /// Sets or commits a row of weights, at most once per epoch, and reads it back from the block that includes it.
    ///
    /// As for [`Client::set_weights`], nothing is sent where the chain's state tells that it would be refused, and what
    /// was sent before a crash is not sent twice.
    pub async fn set(
        &mut self,
        weights: &[(Uid, u16)],
        version_key: u64,
    ) -> Result<WeightsSet, SetWeightsError> {
        let sent = Sent {
            weights,
            version_key,
        };
        let mut signatures = 1;
        loop {
            let (state, standing) = self.look().await?;
            match self.set_at(&state, &standing, &sent).await {
                Err(SetWeightsError::Submit(SubmitError::Outdated { .. }))
                    if signatures < SIGNATURES =>
                {
                    signatures += 1;
                    self.client.wait_past(&state).await?;
                }
                result => return result,
            }
        }
    }

    /// Whether committed weights wait for their reveal.
    pub fn waits(&self) -> bool {
        !self.journal.entries().is_empty()
    }

    /// Reveals what is due, and tells what became of earlier commits. To be called with every block.
    pub async fn tick(&mut self) -> Result<Tick, SetWeightsError> {
        let (state, standing) = self.look().await?;
        let mut progress = Vec::new();
        if !self.journal.entries().is_empty() {
            let chain = ChainView::read(&state, &standing).await?;
            for entry in self.journal.entries().to_vec() {
                let ended = match chain.turn_of(&entry, &standing) {
                    Turn::Waits => continue,
                    Turn::Lost => Progress::Lost {
                        signed_at: BlockNumber(entry.signed_at),
                    },
                    Turn::Shown => Progress::Revealed {
                        weights: entry.weights.clone(),
                    },
                    Turn::Due { salt } => {
                        self.reveal(&state, &standing, &entry, salt).await?;
                        Progress::Revealed {
                            weights: entry.weights.clone(),
                        }
                    }
                };
                self.journal.retain(|kept| *kept != entry)?;
                progress.push(ended);
            }
        }
        Ok(Tick {
            progress,
            countdown: self.countdown(&standing),
        })
    }

    fn protocol(&self, standing: &Standing) -> Protocol {
        match standing.protocol() {
            Protocol::Timelocked if self.by_hash => Protocol::HashCommit,
            protocol => protocol,
        }
    }

    async fn look(&self) -> Result<(State, Standing), SetWeightsError> {
        let state = self.client.state(None).await?;
        let account = PairSigner(&self.hotkey).account();
        let standing = Standing::read(&state, self.netuid, &account).await?;
        Ok((state, standing))
    }

    fn countdown(&self, standing: &Standing) -> Countdown {
        let until = |block: u64| u32::try_from(block.saturating_sub(standing.block.0.into()));
        let next = standing.schedule().next_epoch_block;
        let reveal = self
            .journal
            .entries()
            .iter()
            .map(|entry| entry.reveal_block);
        Countdown {
            block: standing.block,
            protocol: self.protocol(standing),
            epoch: next.0.saturating_sub(standing.block.0),
            reveal: reveal
                .min()
                .map(|block| block.saturating_sub(standing.block.0)),
            activity_cutoff: standing
                .activity_cutoff
                .map(|cutoff| until(standing.last_update + cutoff).unwrap_or(u32::MAX)),
        }
    }

    async fn set_at(
        &mut self,
        state: &State,
        standing: &Standing,
        sent: &Sent<'_>,
    ) -> Result<WeightsSet, SetWeightsError> {
        let protocol = self.protocol(standing);
        if protocol == Protocol::Plain {
            let included = self
                .client
                .set_plain(state, standing, &self.hotkey, sent)
                .await?;
            return Ok(WeightsSet::Plain(included));
        }
        self.client.check(state, standing, sent).await?;
        // The earliest block that can include the commit is the next one.
        let committed = standing.cycle.epoch_in(BlockNumber(standing.block.0 + 1));
        let shown = Epoch(committed.0 + standing.reveal_period);
        let reveal_block = standing.cycle.first_block_of(shown, standing.block).ok_or(
            SetWeightsError::NoEpochs {
                netuid: self.netuid,
            },
        )?;
        let (submission, kind) = match protocol {
            Protocol::Timelocked => seal(standing, sent, reveal_block)?,
            Protocol::HashCommit | Protocol::Plain => self.hash(standing, sent),
        };
        self.journal.push(Entry {
            kind,
            weights: sent.weights.to_vec(),
            version_key: sent.version_key,
            signed_at: standing.block.0,
            included_at: None,
            reveal_block: reveal_block.0,
        })?;
        let included = self
            .client
            .send(state, standing, &self.hotkey, &submission, sent)
            .await?;
        let block = included.block;
        let last = self.journal.entries().len().saturating_sub(1);
        let mut index = 0;
        self.journal.retain(|entry| {
            if index == last {
                entry.included_at = Some(block.0);
            }
            index += 1;
            true
        })?;
        self.read_commit_back(standing, &submission, included)
            .await?;
        Ok(WeightsSet::Committed {
            included,
            protocol,
            reveal_block,
        })
    }

    fn hash(&self, standing: &Standing, sent: &Sent<'_>) -> (Submission, Kind) {
        let mut rng = OsRng;
        // The upper half of 32 random bits is as random as the lower one.
        let salt: Vec<u16> = (0..SALT_NUMBERS)
            .map(|_| (rng.next_u32() >> 16) as u16)
            .collect();
        let hash = commit_hash(
            standing.hotkey.0,
            self.netuid,
            sent.weights,
            &salt,
            sent.version_key,
        );
        (Submission::Commit { hash }, Kind::Hash { hash, salt })
    }

    /// The commit must be on chain in the block that includes the extrinsic.
    async fn read_commit_back(
        &self,
        standing: &Standing,
        submission: &Submission,
        included: Included,
    ) -> Result<(), SetWeightsError> {
        let state = self.client.state_of(included.block).await?;
        let stored = match submission {
            Submission::Commit { hash } => {
                let chain = ChainView::read(&state, standing).await?;
                chain.commits.iter().any(|(known, ..)| *known == hash.0)
            }
            Submission::Timelocked { ciphertext, round } => {
                let cycle = Standing::read(&state, self.netuid, &standing.hotkey)
                    .await?
                    .cycle;
                let mut batch = state.batch();
                let key = (self.netuid.0, cycle.schedule.epoch.0);
                let ask = batch.ask::<Vec<TimelockedCommit>>(items::TIMELOCKED_COMMITS, key)?;
                let commits = batch.send().await?.get(ask)?.unwrap_or_default();
                commits.iter().any(|(who, _, commit, at)| {
                    *who == standing.hotkey.0 && commit == ciphertext && at == round
                })
            }
            Submission::Plain { .. } | Submission::Reveal { .. } => true,
        };
        match stored {
            true => Ok(()),
            false => Err(SetWeightsError::NotStored {
                block: included.block,
            }),
        }
    }

    async fn reveal(
        &self,
        state: &State,
        standing: &Standing,
        entry: &Entry,
        salt: &[u16],
    ) -> Result<(), SetWeightsError> {
        let sent = Sent {
            weights: &entry.weights,
            version_key: entry.version_key,
        };
        let submission = Submission::Reveal {
            weights: entry.weights.clone(),
            salt: salt.to_vec(),
            version_key: entry.version_key,
        };
        let call = submission.call(Calls::of(state), self.netuid);
        let included = self
            .client
            .submit(&self.hotkey, &call)
            .await
            .map_err(|error| refused(error, standing, &sent))?;
        tracing::info!(block = %included.block, "weights revealed");
        Ok(())
    }
}

/// A timelocked commit on chain: who, in which block, the ciphertext, its round.
type TimelockedCommit = ([u8; 32], u64, Vec<u8>, u64);

/// A hash commit on chain: the hash, then its epoch and block; in older runtimes its block, then the first and the last
/// block of its reveal.
type HashCommit = ([u8; 32], u64, u64, u64);

fn seal(
    standing: &Standing,
    sent: &Sent<'_>,
    reveal_block: BlockNumber,
) -> Result<(Submission, Kind), SetWeightsError> {
    let live = standing.beacon.as_ref().ok_or(SetWeightsError::NoEpochs {
        netuid: standing.netuid,
    })?;
    // A short epoch must not pass before the round comes.
    let lag = BEACON_LAG_BLOCKS.min(standing.cycle.length / 2);
    let blocks = u64::from((reveal_block.0 + lag).saturating_sub(standing.block.0));
    let seconds = (live.now_ms + blocks * live.block_time_ms) / 1000;
    let round = live.beacon.round_at(seconds);
    let ciphertext = TimelockedWeights {
        hotkey: standing.hotkey,
        weights: sent.weights.to_vec(),
        version_key: sent.version_key,
    }
    .seal(round, &live.beacon)?;
    Ok((
        Submission::Timelocked { ciphertext, round },
        Kind::Timelocked { round },
    ))
}

/// What the chain knows of a validator's commits.
struct ChainView {
    commits: Vec<HashCommit>,
    row: Vec<(u16, u16)>,
}

/// Whether a commit's time has come.
enum Turn<'a> {
    Waits,
    Due { salt: &'a [u16] },
    Shown,
    Lost,
}

impl ChainView {
    async fn read(state: &State, standing: &Standing) -> Result<Self, ReadError> {
        let mut batch = state.batch();
        let key = (standing.netuid.0, account(&standing.hotkey));
        let commits = batch.ask_known::<Vec<HashCommit>>(items::WEIGHT_COMMITS, key)?;
        let commits = batch.send().await?.get_known(commits)?.unwrap_or_default();
        Ok(Self {
            commits,
            row: stored_row(state, standing).await?,
        })
    }

    fn turn_of<'a>(&self, entry: &'a Entry, standing: &Standing) -> Turn<'a> {
        match &entry.kind {
            Kind::Hash { hash, salt } => self.turn_of_hash(entry, *hash, salt, standing),
            Kind::Timelocked { .. } => {
                let over = entry.reveal_block.saturating_add(standing.cycle.length);
                if standing.block.0 < entry.reveal_block {
                    Turn::Waits
                } else if same_row(&entry.weights, &self.row) {
                    Turn::Shown
                } else if standing.block.0 < over {
                    Turn::Waits
                } else {
                    Turn::Lost
                }
            }
        }
    }

    fn turn_of_hash<'a>(
        &self,
        entry: &Entry,
        hash: Digest,
        salt: &'a [u16],
        standing: &Standing,
    ) -> Turn<'a> {
        let Some((_, place, ..)) = self.commits.iter().find(|(known, ..)| *known == hash.0) else {
            let may_come = entry.included_at.is_none()
                && u64::from(standing.block.0) <= u64::from(entry.signed_at) + ERA_BLOCKS;
            return match (may_come, same_row(&entry.weights, &self.row)) {
                (true, _) => Turn::Waits,
                // A reveal of before a crash took effect.
                (false, true) => Turn::Shown,
                (false, false) => Turn::Lost,
            };
        };
        let committed = match standing.cycle.counted {
            true => Epoch(*place),
            false => legacy_epoch(standing.netuid, standing.schedule().tempo, height(*place)),
        };
        let turn = committed.0 + standing.reveal_period;
        let next = standing.cycle.epoch_in(BlockNumber(standing.block.0 + 1)).0;
        match next.cmp(&turn) {
            std::cmp::Ordering::Less => Turn::Waits,
            std::cmp::Ordering::Equal => Turn::Due { salt },
            std::cmp::Ordering::Greater => Turn::Lost,
        }
    }
}
