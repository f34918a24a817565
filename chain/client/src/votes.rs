//! What validators have voted: weights, the bonds that grew from them, and commits that wait for their reveal.

use athanor_spec::{BlockNumber, Hotkey, Uid};
use serde::{Deserialize, Serialize};

use crate::{
    Client, Hyperparameters, Metagraph, ReadError,
    block::height,
    items,
    schedule::legacy_epoch,
    state::{Answers, Ask, Batch, account},
};

/// Epochs back that timelocked commits are looked for at most, whatever the reveal period.
const MAX_REVEAL_PERIOD: u64 = 8;

/// A row of a matrix over UIDs: whose it is, and its entries in the order in which the chain keeps them.
pub type Row = (Uid, Vec<(Uid, u16)>);

/// The votes on a subnet at one block. Rows without entries are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Votes {
    /// Weights by validator, max-upscaled: 65,535 is the largest of a row.
    pub weights: Vec<Row>,
    /// Bonds by validator, as the last epoch left them.
    pub bonds: Vec<Row>,
    /// Weights that were committed and are not revealed yet.
    pub commits: Vec<Commit>,
    /// Share of the stake that each UID had in the last epoch, of 65,535; empty where the runtime does not tell.
    pub stake_weight: Vec<u16>,
}

/// Weights that nobody can see yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Commit {
    /// Who committed.
    pub uid: Uid,
    /// In which epoch.
    pub epoch: u64,
    /// In which block, where the chain tells.
    pub block: Option<BlockNumber>,
    /// Whether it opens by itself (timelocked); otherwise the validator has to reveal it.
    pub timelocked: bool,
}

type TimelockedCommit = ([u8; 32], u64, Vec<u8>, u64);
type HashCommit = ([u8; 32], u64, u64, u64);
pub(crate) type Entries = Vec<(u16, u16)>;

impl Client {
    /// The votes in the block of `metagraph`, whose rules were `rules`.
    pub async fn votes(
        &self,
        metagraph: &Metagraph,
        rules: &Hyperparameters,
    ) -> Result<Votes, ReadError> {
        let state = self.state(Some(metagraph.hash)).await?;
        let counted = state.batch().knows(&items::STATEFUL_SCHEDULE);
        let netuid = metagraph.netuid.0;
        let mut batch = state.batch();
        let mut weights = Vec::with_capacity(metagraph.neurons.len());
        let mut bonds = Vec::with_capacity(metagraph.neurons.len());
        for neuron in &metagraph.neurons {
            let key = (netuid, neuron.uid.0);
            weights.push((neuron.uid, batch.ask::<Entries>(items::WEIGHTS, key)?));
            if let Some(ask) = batch.ask_known::<Entries>(items::BONDS, key)? {
                bonds.push((neuron.uid, ask));
            }
        }
        let stake_weight = batch.ask_known::<Vec<u16>>(items::STAKE_WEIGHT, (netuid,))?;
        let asks = match rules.commit_reveal {
            true => CommitAsks::new(&mut batch, metagraph, rules)?,
            false => CommitAsks::default(),
        };
        let answers = batch.send().await?;
        Ok(Votes {
            weights: rows(&answers, weights)?,
            bonds: rows(&answers, bonds)?,
            commits: asks.read(&answers, metagraph, counted)?,
            stake_weight: answers.get_known(stake_weight)?.unwrap_or_default(),
        })
    }
}

/// The rows that are not empty.
pub(crate) fn rows(
    answers: &Answers<'_>,
    asks: Vec<(Uid, Ask<Entries>)>,
) -> Result<Vec<Row>, ReadError> {
    let mut rows = Vec::new();
    for (uid, ask) in asks {
        let row = answers.get(ask)?.unwrap_or_default();
        if !row.is_empty() {
            rows.push((
                uid,
                row.into_iter()
                    .map(|(to, value)| (Uid(to), value))
                    .collect(),
            ));
        }
    }
    Ok(rows)
}

#[derive(Default)]
struct CommitAsks {
    timelocked: Vec<(u64, Ask<Vec<TimelockedCommit>>)>,
    hashed: Vec<(Uid, Ask<Vec<HashCommit>>)>,
}

impl CommitAsks {
    fn new(
        batch: &mut Batch<'_>,
        metagraph: &Metagraph,
        rules: &Hyperparameters,
    ) -> Result<Self, ReadError> {
        let netuid = metagraph.netuid.0;
        let mut asks = Self::default();
        let now = metagraph.schedule.epoch.0;
        let back = rules.reveal_period.unwrap_or(1).min(MAX_REVEAL_PERIOD);
        for epoch in now.saturating_sub(back)..=now {
            if let Some(ask) = batch.ask_known(items::TIMELOCKED_COMMITS, (netuid, epoch))? {
                asks.timelocked.push((epoch, ask));
            }
        }
        for neuron in metagraph.neurons.iter().filter(|it| it.validator_permit) {
            let key = (netuid, account(&neuron.hotkey));
            if let Some(ask) = batch.ask_known(items::WEIGHT_COMMITS, key)? {
                asks.hashed.push((neuron.uid, ask));
            }
        }
        Ok(asks)
    }

    fn read(
        self,
        answers: &Answers<'_>,
        metagraph: &Metagraph,
        counted: bool,
    ) -> Result<Vec<Commit>, ReadError> {
        let mut commits = Vec::new();
        for (epoch, ask) in self.timelocked {
            for (who, block, ..) in answers.get(ask)?.unwrap_or_default() {
                let Some(neuron) = metagraph.by_hotkey(&Hotkey(who)) else {
                    continue;
                };
                commits.push(Commit {
                    uid: neuron.uid,
                    epoch,
                    block: Some(height(block)),
                    timelocked: true,
                });
            }
        }
        for (uid, ask) in self.hashed {
            for (_, place, block, _) in answers.get(ask)?.unwrap_or_default() {
                // Older runtimes keep the block where newer ones keep the epoch.
                let (epoch, block) = match counted {
                    true => (place, height(block)),
                    false => {
                        let tempo = metagraph.schedule.tempo;
                        (
                            legacy_epoch(metagraph.netuid, tempo, height(place)).0,
                            height(place),
                        )
                    }
                };
                commits.push(Commit {
                    uid,
                    epoch,
                    block: Some(block),
                    timelocked: false,
                });
            }
        }
        commits.sort_by_key(|commit| (commit.uid, commit.epoch));
        Ok(commits)
    }
}
