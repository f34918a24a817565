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

use athanor_spec::{BlockNumber, Epoch, NetUid, Uid};
use sp_core::sr25519;

use super::{
    JournalError, Protocol, SIGNATURES, Sent, SetWeightsError,
    commits::{self, ChainView, Turn},
    hiding,
    journal::{Entry, Journal, Owner},
    refused,
    standing::Standing,
    submission::{Calls, Submission},
};
use crate::{Client, Included, SubmitError, block::height, signer, state::State};

/// Hash commits of one hotkey that the chain keeps at a time.
const MOST_COMMITS: usize = 10;

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

impl WeightsSet {
    /// In which form the chain took it.
    pub fn protocol(&self) -> Protocol {
        match self {
            Self::Plain(_) => Protocol::Plain,
            Self::Committed { protocol, .. } => *protocol,
        }
    }
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
    /// Block in which the validator last set or committed weights, or of its registration.
    pub last_update: BlockNumber,
    /// Until the next epoch.
    pub epoch: u32,
    /// Until the first committed row can be revealed; `None` if none waits.
    pub reveal: Option<u32>,
    /// Until the validator's weights no longer count for their age; 0 if they do not count now, `None` if the chain has
    /// no such limit.
    pub activity_cutoff: Option<u32>,
}

impl Countdown {
    /// As it stands at a later block, if nothing happens in between.
    pub fn at(self, block: BlockNumber) -> Self {
        let passed = block.0.saturating_sub(self.block.0);
        let later = |left: u32| left.saturating_sub(passed);
        Self {
            block: block.max(self.block),
            epoch: later(self.epoch),
            reveal: self.reveal.map(later),
            activity_cutoff: self.activity_cutoff.map(later),
            ..self
        }
    }
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
            hotkey: signer::account(&hotkey),
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
                self.journal.remove(&entry)?;
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
        let account = signer::account(&self.hotkey);
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
            last_update: height(standing.last_update),
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
        if protocol == Protocol::HashCommit
            && ChainView::read(state, standing).await?.waiting(standing) >= MOST_COMMITS
        {
            return Err(SetWeightsError::TooManyCommits {
                hotkey: standing.hotkey,
                netuid: self.netuid,
            });
        }
        // The earliest block that can include the commit is the next one.
        let committed = standing.cycle.epoch_in(BlockNumber(standing.block.0 + 1));
        let shown = Epoch(committed.0 + standing.reveal_period);
        let reveal_block = standing.cycle.first_block_of(shown, standing.block).ok_or(
            SetWeightsError::NoEpochs {
                netuid: self.netuid,
            },
        )?;
        let (submission, kind) = match protocol {
            Protocol::Timelocked => hiding::seal(standing, sent, reveal_block)?,
            Protocol::HashCommit | Protocol::Plain => hiding::hash(standing, sent),
        };
        self.journal.push(Entry {
            kind,
            weights: sent.weights.to_vec(),
            version_key: sent.version_key,
            signed_at: standing.block.0,
            included_at: None,
            reveal_block: reveal_block.0,
        })?;
        let sending = self
            .client
            .send(state, standing, &self.hotkey, &submission)
            .await;
        let included = match sending {
            Ok(included) => included,
            Err(error) => {
                // What never took effect has nothing to reveal. Of what may still be included, the entry stays.
                if error.is_final() {
                    self.journal.pop()?;
                }
                return Err(refused(error, standing, sent));
            }
        };
        self.journal.mark_last_included(included.block)?;
        self.read_commit_back(standing, &submission, included)
            .await?;
        Ok(WeightsSet::Committed {
            included,
            protocol,
            reveal_block,
        })
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
            Submission::Commit { hash } => ChainView::read(&state, standing).await?.holds(*hash),
            Submission::Timelocked { ciphertext, round } => {
                commits::holds_timelocked(&state, standing, ciphertext, *round).await?
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_countdown_runs_down_and_never_below_nothing() {
        let countdown = Countdown {
            block: BlockNumber(100),
            protocol: Protocol::HashCommit,
            last_update: BlockNumber(90),
            epoch: 5,
            reveal: Some(20),
            activity_cutoff: None,
        };
        assert_eq!(countdown.at(BlockNumber(100)), countdown);
        assert_eq!(countdown.at(BlockNumber(99)), countdown);
        let later = countdown.at(BlockNumber(110));
        assert_eq!(
            (
                later.block,
                later.epoch,
                later.reveal,
                later.activity_cutoff
            ),
            (BlockNumber(110), 0, Some(10), None)
        );
    }
}
