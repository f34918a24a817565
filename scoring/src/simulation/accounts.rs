//! Draw up what came of a run, group by group.

use super::{
    Outcome, Simulation,
    outcome::{GroupOutcome, gini, nakamoto},
    population::attack_of,
};
use crate::attack::{Cost, Prices};

impl Simulation {
    /// Earnings, costs and verdicts of every group.
    pub(super) fn outcome(&self) -> Outcome {
        let books = &self.books;
        let mut groups = Vec::new();
        for (index, group) in self.population.miners.iter().enumerate() {
            let uids: Vec<u16> = self
                .world
                .members()
                .filter(|(_, of, _)| *of == index)
                .map(|(uid, ..)| uid)
                .collect();
            let registrations = self.world.registrations(index);
            let epochs = self.epoch.saturating_sub(group.joins) as f64;
            let mut delays: Vec<u64> = uids
                .iter()
                .filter_map(|uid| books.detected[usize::from(*uid)])
                .collect();
            delays.sort_unstable();
            let cost = total_cost(
                &group.behaviour,
                Cost::HONEST_MINER,
                group.count,
                (epochs, f64::from(registrations), 0.0),
                &self.population.prices,
            );
            let earned = uids.iter().map(|u| books.earned[usize::from(*u)]).sum();
            groups.push(GroupOutcome {
                name: group.name.clone(),
                behaviour: group.behaviour.clone(),
                side: "miner",
                members: group.count,
                earned,
                cost,
                rate: rate(earned, cost),
                registrations,
                accused: u32::try_from(delays.len()).unwrap_or(u32::MAX),
                detection: delays.get(delays.len() / 2).map(|delay| *delay as f64),
                paid_after: books.paid_after[index].map(|epochs| epochs as f64),
                shares: books.shares[index].clone(),
            });
        }
        let first = groups.len();
        for (index, group) in self.population.validators.iter().enumerate() {
            let uids: Vec<u16> = self
                .validators
                .iter()
                .filter(|it| it.group == index)
                .map(|it| it.uid)
                .collect();
            let own = uids.first().map_or(0.0, |uid| self.chain.stake_share(*uid));
            let registrations = f64::from(group.count);
            let cost = total_cost(
                &group.behaviour,
                Cost::HONEST_VALIDATOR,
                group.count,
                (self.epoch as f64, registrations, 1000.0 * own),
                &self.population.prices,
            );
            let earned = uids.iter().map(|u| books.earned[usize::from(*u)]).sum();
            groups.push(GroupOutcome {
                name: group.name.clone(),
                behaviour: group.behaviour.clone(),
                side: "validator",
                members: group.count,
                earned,
                cost,
                rate: rate(earned, cost),
                registrations: group.count,
                accused: 0,
                detection: None,
                paid_after: None,
                shares: books.shares[first + index].clone(),
            });
        }
        let paid: Vec<f64> = self
            .world
            .members()
            .map(|(uid, ..)| books.earned[usize::from(uid)])
            .collect();
        Outcome {
            seed: self.seed,
            epochs: self.epoch,
            groups,
            false_accusations: books.false_accusations.iter().filter(|it| **it).count() as u64,
            gini: gini(&paid),
            nakamoto: nakamoto(&paid),
            burned: if books.mined > 0.0 {
                books.burned / books.mined
            } else {
                0.0
            },
            honest_trust: books.trust.0 / books.trust.1.max(1) as f64,
        }
    }
}

fn rate(earned: f64, cost: f64) -> f64 {
    if cost > 0.0 {
        1000.0 * earned / cost
    } else {
        0.0
    }
}

/// What a group cost: epochs, registrations, and the stake that each member binds in thousandths.
fn total_cost(
    behaviour: &str,
    honest: Cost,
    members: u32,
    (epochs, registrations, stake): (f64, f64, f64),
    prices: &Prices,
) -> f64 {
    match attack_of(behaviour) {
        Ok(Some(attack)) => attack.total_cost(members, epochs, registrations, stake, prices),
        Ok(None) | Err(()) => {
            let members = f64::from(members);
            let together = honest.with_gpu_seconds(members * honest.gpu_seconds);
            together.total(epochs, registrations, members * stake, prices)
        }
    }
}
