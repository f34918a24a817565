//! What the chain said epoch by epoch, in bounded memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use athanor_chain::{Row, Votes};
use athanor_spec::{BlockNumber, Digest, Epoch, Hotkey, Uid};

use super::{Series, Snapshot};

/// Epochs whose votes are kept.
const MAX_EPOCHS: usize = 32;
/// Weights kept over all epochs: what 32 epochs of 64 validators and 256 miners have.
const MAX_WEIGHTS: usize = 32 * 64 * 256;
/// Commitments remembered per miner.
const MAX_LINEAGE: usize = 24;

/// The past of a subnet.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// The votes of the last epochs, oldest first.
    pub epochs: VecDeque<EpochVotes>,
    /// Emission of each epoch, TAO.
    pub paid: Series,
    /// The price of a registration at each epoch, TAO.
    pub price: Series,
    /// What each registered hotkey earned.
    pub tracks: BTreeMap<Hotkey, Track>,
}

/// What an epoch settled, and by which votes.
#[derive(Clone, Debug)]
pub struct EpochVotes {
    /// The epoch.
    pub epoch: Epoch,
    /// Weights by validator, with its stake in rao.
    pub rows: Vec<(Hotkey, u64, Row)>,
    /// The consensus that came of it, by UID.
    pub consensus: Vec<u16>,
}

/// One hotkey's past.
#[derive(Clone, Debug, Default)]
pub struct Track {
    /// Share of all incentive per epoch, in percent.
    pub incentive: Series,
    /// Emission per epoch, TAO.
    pub emission: Series,
    /// Checkpoints that it committed to, oldest first, with the block of each commitment.
    pub lineage: VecDeque<(BlockNumber, Digest)>,
    /// What it did not earn since it was accused, TAO: each epoch, the emission of the median paid miner less its own.
    pub forgone: f64,
    /// Since when validators accuse it.
    pub accused_since: Option<(BlockNumber, Epoch)>,
}

impl History {
    /// Takes in a picture; `before` is the one before it. Says whether an epoch was settled in between.
    pub(super) fn take(&mut self, before: Option<&Snapshot>, after: &Snapshot) -> bool {
        let graph = &after.metagraph;
        let registered: BTreeSet<Hotkey> = graph.neurons.iter().map(|it| it.hotkey).collect();
        self.tracks.retain(|hotkey, _| registered.contains(hotkey));
        for neuron in &graph.neurons {
            let track = self.tracks.entry(neuron.hotkey).or_default();
            let committed = neuron
                .commitment
                .and_then(|(record, block)| Some((block, record.checkpoint()?)));
            if let Some(commitment) = committed
                && track.lineage.back() != Some(&commitment)
            {
                if track.lineage.len() == MAX_LINEAGE {
                    track.lineage.pop_front();
                }
                track.lineage.push_back(commitment);
            }
        }
        let Some(before) = before else { return false };
        if graph.schedule.epoch <= before.metagraph.schedule.epoch {
            return false;
        }
        self.settle(before, after);
        true
    }

    fn settle(&mut self, before: &Snapshot, after: &Snapshot) {
        let graph = &after.metagraph;
        let tao = |rao: u64| rao as f64 / 1e9;
        let paid: u64 = graph
            .neurons
            .iter()
            .fold(0, |sum, it| sum.saturating_add(it.emission.0));
        self.paid.push(tao(paid));
        self.price.push(tao(after.rules.registration_price.0));
        let median = median_pay(after);
        for neuron in &graph.neurons {
            let Some(track) = self.tracks.get_mut(&neuron.hotkey) else {
                continue;
            };
            track
                .incentive
                .push(f64::from(neuron.incentive) / f64::from(u16::MAX) * 100.0);
            track.emission.push(tao(neuron.emission.0));
            if track.accused_since.is_some() {
                track.forgone += (median - tao(neuron.emission.0)).max(0.0);
            }
        }
        let voted = voted(&before.votes, &after.votes);
        let rows = voted
            .iter()
            .filter_map(|row| {
                let neuron = graph.by_uid(row.0)?;
                Some((neuron.hotkey, neuron.stake.0, row.clone()))
            })
            .collect();
        self.epochs.push_back(EpochVotes {
            epoch: graph.schedule.epoch,
            rows,
            consensus: graph.neurons.iter().map(|it| it.consensus).collect(),
        });
        while self.epochs.len() > MAX_EPOCHS
            || (self.epochs.len() > 1 && self.weights() > MAX_WEIGHTS)
        {
            self.epochs.pop_front();
        }
    }

    /// Number of weights kept.
    pub fn weights(&self) -> usize {
        let row = |(_, _, row): &(Hotkey, u64, Row)| row.1.len();
        self.epochs
            .iter()
            .map(|epoch| epoch.rows.iter().map(row).sum::<usize>())
            .sum()
    }
}

/// The votes that an epoch settled with. Revealed weights appear in the block of the epoch itself.
fn voted<'a>(before: &'a Votes, after: &'a Votes) -> &'a [Row] {
    match before.commits.is_empty() {
        true => &before.weights,
        false => &after.weights,
    }
}

/// Emission of the median miner that was paid, TAO; 0 if none was.
fn median_pay(picture: &Snapshot) -> f64 {
    let mut paid: Vec<u64> = picture
        .metagraph
        .neurons
        .iter()
        .filter(|neuron| neuron.incentive > 0)
        .map(|neuron| neuron.emission.0)
        .collect();
    paid.sort_unstable();
    paid.get(paid.len() / 2)
        .map_or(0.0, |rao| *rao as f64 / 1e9)
}

/// The weight of a row for `uid`.
pub(super) fn weight_in(row: &[(Uid, u16)], uid: Uid) -> u16 {
    row.iter()
        .find(|(to, _)| *to == uid)
        .map_or(0, |(_, weight)| *weight)
}
