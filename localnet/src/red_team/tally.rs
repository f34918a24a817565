//! From what a subnet reported to what each attack earned.

use std::collections::{BTreeMap, BTreeSet};

use athanor_scoring::attack::{Attack, Cost, Prices, Side};
use athanor_spec::{Hotkey, Uid};

use super::{
    bounds::{proportion_high, ratio, ratio_bounds},
    outcome::{Finding, Verdict},
};
use crate::{
    adversary::{Driver, Seat},
    report::{EpochReport, NeuronReport, Report},
    roster::{ALL_STAKE_TAO, Part, Participant},
};

/// Epochs over which the costs of a registration are spread.
pub(super) const HORIZON: f64 = 100.0;
/// Epochs from a deed to the pay that it makes: it is seen in a round, and the weights of that are shown an epoch later.
const LAG: u64 = 2;

/// What a subnet came to.
pub(super) struct Run {
    report: Report,
    roster: Vec<Participant>,
}

impl Run {
    pub(super) fn new(report: Report, roster: Vec<Participant>) -> Self {
        Self { report, roster }
    }

    /// Epochs of honest miners, and in how many of those one was accused.
    pub(super) fn accused(&self) -> (u64, u64) {
        let honest = self.honest(|part| matches!(part, Part::Miner(_)));
        let (mut epochs, mut accused) = (0, 0);
        for neuron in self.report.epochs.iter().flat_map(|epoch| &epoch.neurons) {
            if honest.contains(&neuron.hotkey) && !neuron.grades_by_validator.is_empty() {
                epochs += 1;
                accused += u64::from(neuron.fault.is_some());
            }
        }
        (epochs, accused)
    }

    /// Accusations of honest miners, in words.
    pub(super) fn accusations(&self) -> BTreeSet<String> {
        let honest = self.honest(|part| matches!(part, Part::Miner(_)));
        let neurons = self.report.epochs.iter().flat_map(|epoch| &epoch.neurons);
        neurons
            .filter(|neuron| honest.contains(&neuron.hotkey))
            .flat_map(|neuron| {
                let grades = neuron.grades_by_validator.iter();
                grades.filter_map(move |(by, grade)| {
                    let fault = grade.fault.as_ref()?;
                    let (uid, kind, evidence) = (neuron.uid, &fault.kind, &fault.evidence);
                    Some(format!("uid {uid}, {kind} by uid {by}: {evidence}"))
                })
            })
            .collect()
    }

    /// What an attack on it earned.
    pub(super) fn finding(
        &self,
        driver: &Driver,
        attack: &Attack,
        prices: &Prices,
        seed: u64,
    ) -> Finding {
        let seats: Vec<&Participant> = self.seats(driver).collect();
        let stake: u64 = seats.iter().filter_map(|seat| seat.stake_tao()).sum();
        let (honest, scale) = match attack.side() {
            Side::Miner => (self.honest(|part| matches!(part, Part::Miner(_))), 1.0),
            // A validator earns by its stake: honest ones are scaled to that of the attack.
            Side::Validator => (
                self.honest(|part| matches!(part, Part::Validator { .. })),
                stake as f64,
            ),
        };
        let hotkeys: Vec<Hotkey> = seats.iter().map(|seat| seat.hotkey.account()).collect();
        let starts = if driver.begins_after > 0 {
            driver.begins_after + LAG
        } else {
            0
        };
        let epochs: Vec<&EpochReport> = (1..)
            .zip(&self.report.epochs)
            .filter(|(number, _)| *number > starts)
            .map(|(_, epoch)| epoch)
            // Before anybody is paid there is nothing to compare.
            .filter(|epoch| honest.iter().any(|it| paid(epoch, it) > 0.0))
            .collect();
        let earned_in = |epoch: &&EpochReport| hotkeys.iter().map(|it| paid(epoch, it)).sum();
        let earned: Vec<f64> = epochs.iter().map(earned_in).collect();
        let of_honest: Vec<Vec<f64>> = honest
            .iter()
            .map(|hotkey| {
                let stake = self.stake(hotkey).map_or(1.0, |own| scale / own);
                epochs
                    .iter()
                    .map(|epoch| paid(epoch, hotkey) * stake)
                    .collect()
            })
            .collect();
        let cost = cost(driver, attack, stake, prices);
        let share = ratio(&earned, &of_honest);
        let earned_paid = earned.iter().filter(|paid| **paid > 0.0).count() as u64;
        let delays = self.delays(driver, &hotkeys);
        let equal_cost = share.map(|share| share / cost);
        let bounds = ratio_bounds(&earned, &of_honest, seed);
        let bounds = bounds.map(|(low, high)| (low / cost, high / cost));
        Finding {
            attack: attack.name.to_owned(),
            summary: attack.summary.to_owned(),
            side: attack.side().name().to_owned(),
            seats: seats.len(),
            cost,
            epochs: epochs.len() as u64,
            earned: share,
            earned_at_equal_cost: equal_cost,
            low: bounds.map(|(low, _)| low),
            high: bounds.map(|(_, high)| high),
            paid_epochs: earned_paid,
            paid_high: proportion_high(earned_paid, epochs.len() as u64),
            accused: delays.len(),
            delay_rounds: delays.iter().max().copied(),
            faults: self.faults(&hotkeys),
            bound: attack.bound,
            verdict: Verdict::of(bounds, attack.bound),
            cannot_show: driver.cannot_show.map(str::to_owned),
        }
    }

    fn seats(&self, driver: &Driver) -> impl Iterator<Item = &Participant> {
        let name = driver.name;
        self.roster.iter().filter(move |it| it.behaviour() == name)
    }

    fn honest(&self, part: impl Fn(&Part) -> bool) -> Vec<Hotkey> {
        let honest = self.roster.iter().filter(|it| part(&it.part));
        honest.map(|it| it.hotkey.account()).collect()
    }

    fn stake(&self, hotkey: &Hotkey) -> Option<f64> {
        let of = self.roster.iter().find(|it| it.hotkey.account() == *hotkey);
        Some(of?.stake_tao()? as f64)
    }

    /// For each accused seat: in which round of its misdeeds it was found out, 1 for the first.
    fn delays(&self, driver: &Driver, hotkeys: &[Hotkey]) -> Vec<u64> {
        let mut found = BTreeMap::new();
        for (number, epoch) in (1..).zip(&self.report.epochs) {
            for neuron in of(epoch, hotkeys).filter(|neuron| neuron.fault.is_some()) {
                let delay = u64::saturating_sub(number, driver.begins_after).max(1);
                found.entry(neuron.hotkey).or_insert(delay);
            }
        }
        found.into_values().collect()
    }

    fn faults(&self, hotkeys: &[Hotkey]) -> BTreeSet<String> {
        let epochs = self.report.epochs.iter();
        let neurons = epochs.flat_map(|epoch| of(epoch, hotkeys));
        let validators = self.honest(|part| matches!(part, Part::Validator { .. }));
        let is_validator = |uid: &Uid| {
            let first = self.report.epochs.first();
            let neuron = first.and_then(|epoch| epoch.neurons.iter().find(|it| it.uid == *uid));
            neuron.is_some_and(|neuron| validators.contains(&neuron.hotkey))
        };
        neurons
            .flat_map(|neuron| &neuron.grades_by_validator)
            .filter(|(by, _)| is_validator(by))
            .filter_map(|(_, grade)| Some(grade.fault.as_ref()?.kind.clone()))
            .collect()
    }
}

fn of<'a>(epoch: &'a EpochReport, hotkeys: &'a [Hotkey]) -> impl Iterator<Item = &'a NeuronReport> {
    let neurons = epoch.neurons.iter();
    neurons.filter(|neuron| hotkeys.contains(&neuron.hotkey))
}

/// What a hotkey was paid in an epoch, in rao.
fn paid(epoch: &EpochReport, hotkey: &Hotkey) -> f64 {
    let neuron = epoch.neurons.iter().find(|neuron| neuron.hotkey == *hotkey);
    neuron.map_or(0.0, |neuron| neuron.emission_rao as f64)
}

/// What an attack costs, as a multiple of what the honest participant costs that it is compared with: one miner, or one
/// validator with the attack's stake.
fn cost(driver: &Driver, attack: &Attack, stake_tao: u64, prices: &Prices) -> f64 {
    let seats = driver.seats.len() as f64;
    let thousandths = stake_tao as f64 / (ALL_STAKE_TAO as f64 / 1000.0);
    let honest = match attack.side() {
        Side::Miner => Cost::HONEST_MINER.total(HORIZON, 1.0, 0.0, prices),
        Side::Validator => Cost::HONEST_VALIDATOR.total(HORIZON, 1.0, thousandths, prices),
    };
    // Who acts as the catalogue says; miners that only lend a slot cost their registration.
    let acting = driver.seats.iter().filter(|seat| match attack.side() {
        Side::Miner => **seat == Seat::Miner,
        Side::Validator => matches!(seat, Seat::Validator { .. }),
    });
    let acting = u32::try_from(acting.count()).unwrap_or(u32::MAX).max(1);
    // What the catalogue says that it binds is a part of what it holds here.
    let each = (thousandths / f64::from(acting) - attack.cost.stake_epochs).max(0.0);
    let cost = attack.total_cost(acting, HORIZON, seats, each, prices) / honest;
    match attack.side() {
        Side::Miner => cost,
        // A validator's means are its stake; who grades less saves what is nobody's measure, and is paid no more for it.
        Side::Validator => cost.max(1.0),
    }
}

#[cfg(test)]
mod tests;
