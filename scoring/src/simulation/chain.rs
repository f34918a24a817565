//! The chain: commits and reveals of weights, and the epoch that pays.

use std::collections::VecDeque;

use athanor_yuma::{Commit, LiquidAlpha, Outcome, Params, State, epoch};

use super::{population::ChainRules, validator::Weights};
use crate::attack::Reveal;

/// Rao in an alpha.
const RAO: f64 = 1e9;

/// A row that waits for its reveal.
struct Pending {
    epoch: u64,
    block: u64,
    row: Weights,
    reveal: Reveal,
}

/// A subnet in the chain's storage.
pub(super) struct Chain {
    params: Params,
    rules: ChainRules,
    rao_emission: u64,
    stake: Vec<u64>,
    nothing: Vec<u64>,
    last_update: Vec<u64>,
    registered: Vec<u64>,
    weights: Vec<Weights>,
    bonds: Vec<Weights>,
    permits: Vec<bool>,
    pending: Vec<VecDeque<Pending>>,
    last_step: u64,
    /// What the last epoch stored.
    pub(super) outcome: Option<Outcome>,
}

impl Chain {
    /// A subnet whose validators hold their permits. `stake` is by UID, in shares of any unit; UID 0 is the owner's.
    pub(super) fn new(rules: &ChainRules, stake: &[f64]) -> Self {
        let n = stake.len();
        let total: f64 = stake.iter().sum();
        let validators = stake.iter().filter(|stake| **stake > 0.0).count();
        let share = |value: f64| (value.clamp(0.0, 1.0) * f64::from(u16::MAX)).floor() as u16;
        let params = Params {
            n: u16::try_from(n).unwrap_or(u16::MAX),
            tempo: rules.tempo,
            activity_cutoff_factor_milli: (rules.activity_cutoff_epochs * 1000.0) as u32,
            kappa: share(rules.kappa),
            bonds_moving_average: (rules.bonds_moving_average * 1e6).round() as u64,
            bonds_penalty: share(rules.bonds_penalty),
            yuma3: rules.yuma3,
            liquid_alpha: rules.liquid_alpha.map(|liquid| LiquidAlpha {
                low: share(liquid.low),
                high: share(liquid.high),
                steepness: (liquid.steepness * 100.0) as i16,
            }),
            max_allowed_validators: u16::try_from(validators).unwrap_or(u16::MAX),
            stake_threshold: 0,
            tao_weight: 0,
            commit_reveal: rules.reveal_epochs > 0,
            reveal_period: rules.reveal_epochs,
            owner_uid: Some(0),
        };
        // A million alpha in all.
        let rao = |stake: &f64| (stake / total * 1e6 * RAO) as u64;
        Self {
            params,
            rules: rules.clone(),
            rao_emission: (rules.emission * RAO) as u64,
            stake: stake.iter().map(rao).collect(),
            nothing: vec![0; n],
            last_update: vec![0; n],
            registered: vec![0; n],
            weights: vec![Weights::new(); n],
            bonds: vec![Weights::new(); n],
            permits: stake.iter().map(|stake| *stake > 0.0).collect(),
            pending: (0..n).map(|_| VecDeque::new()).collect(),
            last_step: 0,
            outcome: None,
        }
    }

    /// Weight that the stake agrees on, by UID.
    pub(super) fn consensus(&self) -> &[u16] {
        self.outcome
            .as_ref()
            .map_or(&[], |outcome| &outcome.consensus)
    }

    /// The stake of a UID, as a share of all.
    pub(super) fn stake_share(&self, uid: u16) -> f64 {
        let total: u64 = self.stake.iter().sum();
        self.stake[usize::from(uid)] as f64 / total.max(1) as f64
    }

    /// Takes a row in the middle of an epoch.
    pub(super) fn submit(&mut self, uid: u16, epoch: u64, row: Weights, reveal: Reveal) {
        let block = self.block_of(epoch) + u64::from(self.rules.tempo) * 3 / 5;
        let index = usize::from(uid);
        self.last_update[index] = block;
        if self.rules.reveal_epochs == 0 {
            self.weights[index] = row;
            return;
        }
        self.pending[index].push_back(Pending {
            epoch,
            block,
            row,
            reveal,
        });
    }

    /// A new registration in a slot, at the beginning of an epoch: what was said of the slot before is gone.
    pub(super) fn register(&mut self, uid: u16, epoch: u64) {
        if epoch == 0 {
            return;
        }
        let block = self.block_of(epoch);
        let index = usize::from(uid);
        self.registered[index] = block;
        self.last_update[index] = block;
        self.bonds[index].clear();
        self.weights[index].clear();
    }

    /// Reveals what is due and runs the epoch: its weights are those that were committed `reveal_epochs` before.
    pub(super) fn close(&mut self, number: u64) {
        for (queue, weights) in self.pending.iter_mut().zip(&mut self.weights) {
            while queue
                .front()
                .is_some_and(|it| it.epoch + self.rules.reveal_epochs <= number)
            {
                if let Some(due) = queue.pop_front()
                    && due.reveal == Reveal::InTime
                {
                    *weights = due.row;
                }
            }
        }
        let commits: Vec<Commit> = self
            .pending
            .iter()
            .zip(0_u16..)
            .flat_map(|(queue, uid)| {
                queue.iter().map(move |it| Commit {
                    uid,
                    epoch: it.epoch,
                    block: it.block,
                })
            })
            .collect();
        let block = self.block_of(number + 1);
        let outcome = epoch(
            &self.params,
            &State {
                block,
                last_mechanism_step_block: self.last_step,
                epoch_index: number,
                rao_emission: self.rao_emission,
                alpha_stake: &self.stake,
                tao_stake: &self.nothing,
                last_update: &self.last_update,
                block_at_registration: &self.registered,
                weights: &self.weights,
                bonds: &self.bonds,
                validator_permit: &self.permits,
                commits: &[],
                timelocked_commits: &commits,
            },
        );
        self.last_step = block;
        self.permits.clone_from(&outcome.validator_permit);
        self.bonds.clone_from(&outcome.bonds);
        self.outcome = Some(outcome);
    }

    /// The first block of an epoch. Blocks begin after the registration of those who were there first.
    fn block_of(&self, epoch: u64) -> u64 {
        (epoch + 1) * u64::from(self.rules.tempo) + 1
    }
}
