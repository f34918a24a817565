//! Step through epochs: miners act, validators grade and vote, the chain pays.

use athanor_spec::{SubnetSpec, Uid};
use rayon::prelude::*;

use super::{
    HONEST, Outcome,
    chain::Chain,
    population::{Population, PopulationError},
    validator::{Stage, Validator, Weights},
    world::World,
};
use crate::{
    allocate::ChainLimits,
    collusion::{
        battery::{self, Findings, Observed},
        cabal::Rows,
        weight_copying::WeightEpoch,
    },
    similarity::{copies::CopyTest, null::NullSample},
};

/// Rao in an alpha.
const RAO: f64 = 1e9;
/// Rows of past epochs that are kept for the battery.
const REMEMBERED: usize = 50;

/// A subnet in motion.
pub struct Simulation {
    pub(super) spec: SubnetSpec,
    pub(super) population: Population,
    pub(super) seed: u64,
    pub(super) limits: ChainLimits,
    pub(super) world: World,
    pub(super) validators: Vec<Validator>,
    pub(super) chain: Chain,
    pub(super) epoch: u64,
    pub(super) books: Books,
    /// Rows that validators set in the last epochs, and the consensus before each, for the battery.
    pub(super) remembered: Vec<(Vec<Weights>, Vec<u16>)>,
}

/// What is written down of every epoch.
pub(super) struct Books {
    /// Alpha by UID.
    pub(super) earned: Vec<f64>,
    pub(super) burned: f64,
    pub(super) mined: f64,
    /// By group, miners first: share of their side's pay in every epoch.
    pub(super) shares: Vec<Vec<f32>>,
    /// By UID: epochs from its registration to the verdict of most of the honest stake.
    pub(super) detected: Vec<Option<u64>>,
    pub(super) false_accusations: Vec<bool>,
    pub(super) paid_after: Vec<Option<u64>>,
    pub(super) trust: (f64, u64),
}

impl Simulation {
    /// A subnet before its first epoch. UID 0 is the owner's, validators follow, then miners.
    pub fn new(
        spec: &SubnetSpec,
        population: &Population,
        seed: u64,
    ) -> Result<Self, PopulationError> {
        let population = population.clone().checked()?;
        let validator_count: u32 = population.validators.iter().map(|it| it.count).sum();
        let first_miner = 1 + u16::try_from(validator_count).unwrap_or(u16::MAX);
        let world = World::new(&population, spec, first_miner, seed);
        let uids_of = |name: &str| -> Vec<u16> {
            let group = population.miners.iter().position(|it| it.name == name);
            world
                .members()
                .filter(|(_, of, _)| Some(*of) == group)
                .map(|(uid, ..)| uid)
                .collect()
        };
        let mut validators = Vec::new();
        let mut stake = vec![0.0; world.acts().len()];
        let mut uid = 1;
        for (group, of) in population.validators.iter().enumerate() {
            let favourites = of.favours.as_deref().map(uids_of).unwrap_or_default();
            for member in 0..of.count {
                stake[usize::from(uid)] = of.stake;
                validators.push(Validator::new(
                    uid,
                    group,
                    (member, of.count),
                    &of.behaviour,
                    favourites.clone(),
                ));
                uid += 1;
            }
        }
        let groups = population.miners.len() + population.validators.len();
        let books = Books {
            earned: vec![0.0; stake.len()],
            burned: 0.0,
            mined: 0.0,
            shares: vec![Vec::new(); groups],
            detected: vec![None; stake.len()],
            false_accusations: vec![false; stake.len() * validators.len()],
            paid_after: vec![None; population.miners.len()],
            trust: (0.0, 0),
        };
        let limits = ChainLimits {
            min_allowed_weights: population.chain.min_allowed_weights,
            max_weight_limit: (population.chain.max_weight * f64::from(u16::MAX)) as u16,
            burn: Some(Uid(0)),
        };
        Ok(Self {
            spec: spec.clone(),
            chain: Chain::new(&population.chain, &stake),
            population,
            seed,
            limits,
            world,
            validators,
            epoch: 0,
            books,
            remembered: Vec::new(),
        })
    }

    /// Epochs that were run.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// One epoch: rounds of all validators beside the chain's epoch before, whose rows they cannot change any more.
    pub fn step(&mut self) {
        let epoch = self.epoch;
        let registered = self.world.turn(epoch);
        let stage = Stage {
            epoch,
            seed: self.seed,
            seen: self.world.seen(),
            acts: self.world.acts(),
            spec: &self.spec,
            noise: &self.population.noise,
            limits: &self.limits,
        };
        let (chain, validators) = (&mut self.chain, &mut self.validators);
        rayon::join(
            || {
                if let Some(before) = epoch.checked_sub(1) {
                    chain.close(before);
                }
            },
            || {
                validators
                    .par_iter_mut()
                    .for_each(|validator| validator.round(&stage));
            },
        );
        if let Some(before) = epoch.checked_sub(1) {
            self.write_down(before);
        }
        for uid in registered {
            self.chain.register(uid, epoch);
        }
        self.judge(epoch);
        let mut rows = Vec::with_capacity(self.validators.len());
        for validator in &mut self.validators {
            let vote = validator.vote(epoch);
            let row = validator.row(&vote, self.chain.consensus());
            rows.push(row.clone().unwrap_or_default());
            if let Some(row) = row {
                self.chain.submit(validator.uid, epoch, row, vote.reveal);
            }
        }
        if self.remembered.len() >= REMEMBERED {
            self.remembered.remove(0);
        }
        let consensus = self.chain.consensus().to_vec();
        self.remembered.push((rows, consensus));
        self.epoch += 1;
    }

    /// Runs to the given number of epochs and says what came of it. `each` is called after every epoch.
    pub fn run(mut self, epochs: u64, mut each: impl FnMut(&Self)) -> Outcome {
        while self.epoch < epochs {
            self.step();
            each(&self);
        }
        self.finish()
    }

    /// Closes the last epoch and says what came of all.
    pub fn finish(mut self) -> Outcome {
        if let Some(last) = self.epoch.checked_sub(1) {
            self.chain.close(last);
            self.write_down(last);
        }
        self.outcome()
    }

    /// Runs the tests of [`crate::collusion`] that look at weights on the rows of the last 50 epochs. The simulation has no
    /// single answers, so the tests of load, latency and models have nothing to look at.
    pub fn battery(&self) -> Findings {
        let members = self.world.acts().len();
        let stakes: Vec<f64> = self
            .validators
            .iter()
            .map(|it| self.chain.stake_share(it.uid))
            .collect();
        let weights: Vec<WeightEpoch> = self
            .remembered
            .iter()
            .map(|(rows, consensus)| {
                let mut last_consensus: Vec<f64> =
                    consensus.iter().map(|weight| f64::from(*weight)).collect();
                last_consensus.resize(members, 0.0);
                WeightEpoch {
                    rows: rows.iter().map(|row| dense(row, members)).collect(),
                    stakes: stakes.clone(),
                    last_consensus,
                }
            })
            .collect();
        let rows = weights.last().map(|last| Rows {
            rows: last.rows.clone(),
            validator_regions: vec![0; stakes.len()],
            miner_regions: vec![0; members],
        });
        let observed = Observed {
            weights: &weights,
            rows: rows.as_ref(),
            ..Observed::default()
        };
        let copies = CopyTest::new(NullSample::shipped(), self.seed);
        battery::run(&observed, &copies, self.seed)
    }

    /// Who accuses whom after a round.
    fn judge(&mut self, epoch: u64) {
        let honest: f64 = self
            .validators
            .iter()
            .filter(|it| it.is_honest())
            .map(|it| self.chain.stake_share(it.uid))
            .sum();
        let mut against = vec![0.0; self.books.earned.len()];
        let members = self.books.earned.len();
        for (index, validator) in self.validators.iter().enumerate() {
            if !validator.is_honest() {
                continue;
            }
            let stake = self.chain.stake_share(validator.uid);
            for uid in &validator.accused {
                let uid = usize::from(*uid);
                against[uid] += stake;
                let group = self.world.acts()[uid].map(|act| act.group);
                let is_honest = group
                    .and_then(|group| self.population.miners.get(group))
                    .is_some_and(|group| group.behaviour == HONEST);
                if is_honest {
                    self.books.false_accusations[index * members + uid] = true;
                }
            }
        }
        for (uid, _, registered) in self.world.members() {
            let uid = usize::from(uid);
            if self.books.detected[uid].is_none() && against[uid] > honest / 2.0 {
                // The round in which it is found is one epoch of being there.
                self.books.detected[uid] = Some(epoch + 1 - registered.min(epoch));
            }
        }
    }

    /// Income of a closed epoch.
    fn write_down(&mut self, epoch: u64) {
        let Some(outcome) = &self.chain.outcome else {
            return;
        };
        let books = &mut self.books;
        let alpha = |rao: u64| rao as f64 / RAO;
        let mined: Vec<f64> = outcome.server_emission.iter().map(|r| alpha(*r)).collect();
        let voted: Vec<f64> = outcome
            .validator_emission
            .iter()
            .map(|r| alpha(*r))
            .collect();
        for ((earned, mined), voted) in books.earned.iter_mut().zip(&mined).zip(&voted) {
            *earned += mined + voted;
        }
        books.burned += mined[0];
        books.mined += mined.iter().sum::<f64>();
        let of_all = |part: f64, all: f64| if all > 0.0 { (part / all) as f32 } else { 0.0 };
        let all_mined: f64 = mined.iter().sum();
        let all_voted: f64 = voted.iter().sum();
        let groups = self.population.miners.len();
        let mut parts = vec![0.0; books.shares.len()];
        for (uid, group, _) in self.world.members() {
            parts[group] += mined[usize::from(uid)];
        }
        for validator in &self.validators {
            parts[groups + validator.group] += voted[usize::from(validator.uid)];
        }
        for (index, (shares, part)) in books.shares.iter_mut().zip(&parts).enumerate() {
            let all = if index < groups { all_mined } else { all_voted };
            shares.push(of_all(*part, all));
        }
        let trust = self.validators.iter().filter(|it| it.is_honest());
        for validator in trust {
            let trust = outcome.validator_trust[usize::from(validator.uid)];
            books.trust.0 += f64::from(trust) / f64::from(u16::MAX);
            books.trust.1 += 1;
        }
        let mut settled: Vec<f64> = self
            .world
            .members()
            .filter(|(_, group, _)| {
                let group = &self.population.miners[*group];
                group.joins == 0 && group.behaviour == HONEST
            })
            .map(|(uid, ..)| mined[usize::from(uid)])
            .collect();
        settled.sort_by(f64::total_cmp);
        let median = settled.get(settled.len() / 2).copied().unwrap_or(0.0);
        for (index, group) in self.population.miners.iter().enumerate() {
            if group.joins == 0 || group.joins > epoch || books.paid_after[index].is_some() {
                continue;
            }
            let best = self
                .world
                .members()
                .filter(|(_, of, _)| *of == index)
                .map(|(uid, ..)| mined[usize::from(uid)])
                .fold(0.0, f64::max);
            if median > 0.0 && best >= median {
                books.paid_after[index] = Some(epoch + 1 - group.joins);
            }
        }
    }
}

/// A row as shares by UID.
fn dense(row: &Weights, members: usize) -> Vec<f64> {
    let total: f64 = row.iter().map(|(_, weight)| f64::from(*weight)).sum();
    let mut shares = vec![0.0; members];
    for (uid, weight) in row {
        shares[usize::from(*uid)] = f64::from(*weight) / total.max(1.0);
    }
    shares
}
