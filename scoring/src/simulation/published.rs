//! The published behaviour of Yuma Consensus, from the chain's own arithmetic.
//!
//! Two families of scenarios. *Cartels*: some of the stake gives everything to a miner of its own; with less than kappa of the
//! stake that miner gets nothing. *Bonds*: three validators with 80, 10 and 10 % of the stake move their weights from one
//! miner to a better one, one after the other; who saw it first should not earn less for it, and who moves last should. These
//! are the cases by which Yuma 3 and liquid alpha were argued for.

use athanor_yuma::{LiquidAlpha, Params, State, epoch};
use serde::Serialize;

/// Blocks of an epoch.
const TEMPO: u64 = 360;
/// Alpha stake of everybody together, in rao.
const STAKE: f64 = 1e15;

/// How bonds follow weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Bonds {
    /// Shares of each miner, smoothed alike.
    Yuma1,
    /// A moving average per pair.
    Yuma3,
    /// The same, with a smoothing per pair.
    Yuma3Liquid,
}

impl Bonds {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Yuma1, Self::Yuma3, Self::Yuma3Liquid];

    /// Name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Yuma1 => "Yuma 1",
            Self::Yuma3 => "Yuma 3",
            Self::Yuma3Liquid => "Yuma 3 with liquid alpha",
        }
    }

    fn params(self, members: u16, validators: u16, kappa: f64) -> Params {
        Params {
            n: members,
            tempo: TEMPO as u16,
            activity_cutoff_factor_milli: 100_000,
            kappa: (kappa.clamp(0.0, 1.0) * f64::from(u16::MAX)) as u16,
            bonds_moving_average: 900_000,
            bonds_penalty: u16::MAX,
            yuma3: self != Self::Yuma1,
            // The chain's defaults: 0.7, 0.9 and a steepness of 1000.
            liquid_alpha: (self == Self::Yuma3Liquid).then_some(LiquidAlpha {
                low: 45_875,
                high: 58_982,
                steepness: 1000,
            }),
            max_allowed_validators: validators,
            stake_threshold: 0,
            tao_weight: 0,
            commit_reveal: false,
            reveal_period: 1,
            owner_uid: None,
        }
    }
}

/// What an epoch paid.
struct Paid {
    incentive: Vec<f64>,
    dividends: Vec<f64>,
}

/// Runs epochs of a subnet whose first members are the validators; `rows` gives their weights in each epoch.
fn run(
    params: &Params,
    stakes: &[f64],
    epochs: u64,
    rows: impl Fn(u64) -> Vec<Vec<(u16, u16)>>,
) -> Vec<Paid> {
    let members = usize::from(params.n);
    let mut alpha_stake = vec![0; members];
    for (rao, stake) in alpha_stake.iter_mut().zip(stakes) {
        *rao = (stake * STAKE) as u64;
    }
    let zeros = vec![0; members];
    let mut permits: Vec<bool> = (0..members).map(|uid| uid < stakes.len()).collect();
    let mut bonds = vec![Vec::new(); members];
    let mut paid = Vec::new();
    for number in 0..epochs {
        let mut weights = rows(number);
        weights.resize(members, Vec::new());
        let block = (number + 2) * TEMPO;
        let last_update = vec![block - 1; members];
        let outcome = epoch(
            params,
            &State {
                block,
                last_mechanism_step_block: block - TEMPO,
                epoch_index: number,
                rao_emission: 1_000_000_000_000,
                alpha_stake: &alpha_stake,
                tao_stake: &zeros,
                last_update: &last_update,
                block_at_registration: &zeros,
                weights: &weights,
                bonds: &bonds,
                validator_permit: &permits,
                commits: &[],
                timelocked_commits: &[],
            },
        );
        let shares = |of: &[u16]| of.iter().map(|it| f64::from(*it) / 65_535.0).collect();
        paid.push(Paid {
            incentive: shares(&outcome.incentive),
            dividends: shares(&outcome.dividends),
        });
        bonds = outcome.bonds;
        permits = outcome.validator_permit;
    }
    paid
}

/// Incentive of the miner of a cartel with this share of the stake, all of whose weight goes there, among ten validators; the
/// others agree on another miner. `kappa` is the chain's.
pub fn cartel(stake: f64, kappa: f64) -> f64 {
    // Two validators are the cartel, eight are not.
    let mut stakes = vec![stake / 2.0; 2];
    stakes.extend([(1.0 - stake) / 8.0; 8]);
    let params = Bonds::Yuma3.params(12, 10, kappa);
    let rows = |_| {
        (0..10)
            .map(|uid| vec![(if uid < 2 { 10 } else { 11 }, u16::MAX)])
            .collect()
    };
    run(&params, &stakes, 3, rows)
        .last()
        .map_or(0.0, |paid| paid.incentive[10])
}

/// Three validators that move from one miner to a better one, each at an epoch of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Move {
    /// Name for people.
    pub name: &'static str,
    /// Epochs at which the large one and the two small ones move.
    pub epochs: [u64; 3],
}

impl Move {
    /// The large validator first, second, and last.
    pub const ALL: [Self; 3] = [
        Self {
            name: "the large validator moves first",
            epochs: [1, 2, 3],
        },
        Self {
            name: "the large validator moves second",
            epochs: [2, 1, 3],
        },
        Self {
            name: "the large validator moves last",
            epochs: [3, 1, 2],
        },
    ];

    /// Their stakes.
    pub const STAKES: [f64; 3] = [0.8, 0.1, 0.1];

    /// Dividends per stake in every epoch: 1 for who earns by its stake alone.
    pub fn dividends(&self, bonds: Bonds, epochs: u64) -> Vec<[f64; 3]> {
        let params = bonds.params(5, 3, 0.5);
        let rows = |number: u64| {
            self.epochs
                .iter()
                .map(|moves| vec![(if number < *moves { 3 } else { 4 }, u16::MAX)])
                .collect()
        };
        run(&params, &Self::STAKES, epochs, rows)
            .iter()
            .map(|paid| {
                let mut per_stake = [0.0; 3];
                for (to, (dividend, stake)) in per_stake
                    .iter_mut()
                    .zip(paid.dividends.iter().zip(Self::STAKES))
                {
                    *to = dividend / stake;
                }
                per_stake
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn earned(bonds: Bonds, of: Move) -> [f64; 3] {
        let mut sums = [0.0; 3];
        for epoch in of.dividends(bonds, 40) {
            for (sum, dividend) in sums.iter_mut().zip(epoch) {
                *sum += dividend / 40.0;
            }
        }
        sums
    }

    #[test]
    fn a_cartel_below_kappa_cannot_lift_its_own_and_one_above_takes_all() {
        for percent in 1..50 {
            assert_eq!(cartel(f64::from(percent) / 100.0, 0.5), 0.0, "{percent} %");
        }
        for percent in 51..100 {
            assert!(
                cartel(f64::from(percent) / 100.0, 0.5) > 0.99,
                "{percent} %"
            );
        }
        // With kappa at 0.6, neither 45 % nor 55 % decide alone what the other miner is worth.
        assert_eq!(cartel(0.39, 0.6), 0.0);
        assert!(cartel(0.61, 0.6) > 0.99);
    }

    #[test]
    fn who_moves_together_earns_by_stake() {
        let together = Move {
            name: "together",
            epochs: [5, 5, 5],
        };
        for bonds in Bonds::ALL {
            for dividends in &together.dividends(bonds, 20)[1..] {
                for dividend in dividends {
                    assert!((dividend - 1.0).abs() < 0.01, "{bonds:?}: {dividends:?}");
                }
            }
        }
    }

    #[test]
    fn yuma_3_forgets_that_somebody_was_early_sooner_than_yuma_1() {
        for of in Move::ALL {
            println!("{}:", of.name);
            for bonds in Bonds::ALL {
                println!("  {:<26}{:.4?}", bonds.name(), earned(bonds, of));
            }
        }
        // The first small validator moves before the large one, the second small one after it.
        let second = Move::ALL[1];
        for bonds in Bonds::ALL {
            let [_, early, late] = earned(bonds, second);
            assert!(late < early, "{bonds:?}: late {late}, early {early}");
        }
        // With a smoothing per pair, what the last to move loses is regained within few epochs.
        let after = |bonds: Bonds| second.dividends(bonds, 40)[10][2];
        assert!(after(Bonds::Yuma3Liquid) > after(Bonds::Yuma3));
    }
}
