//! Who takes part: a function of the seed.

use std::collections::BTreeMap;

use athanor_spec::Hotkey;
use rand::{Rng, SeedableRng, seq::SliceRandom as _};
use rand_chacha::ChaCha20Rng;
use sp_core::{Pair as _, sr25519};

use crate::{
    adversary::{Driver, Seat},
    agreement::NOISE,
    report::HONEST,
};

/// Noise by which two students of one size differ: with less, validators would take one for a copy of the other.
pub(crate) const STUDENT_NOISE: f32 = 0.1;
/// Which cheats a local subnet has, one of each.
pub const CHEATS: [&str; 4] = ["copycat", "relay", "ignored_seed", "looper"];
/// All stake of a subnet on which attacks hold thousandths of it, in TAO.
pub(crate) const ALL_STAKE_TAO: u64 = 100_000;

/// One operator's node before it is registered.
#[derive(Clone)]
pub struct Participant {
    /// Name of its wallet and of its data directory.
    pub name: String,
    /// Key that owns the stake.
    pub coldkey: Key,
    /// Key that serves or scores.
    pub hotkey: Key,
    /// Validator or miner, and what kind.
    pub part: Part,
}

/// What a participant does.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    /// Scores, with this stake in TAO.
    Validator {
        /// Stake in TAO.
        stake_tao: u64,
    },
    /// Serves.
    Miner(MinerPlan),
    /// Holds a seat for an attack.
    Attacker {
        /// The attack.
        driver: &'static Driver,
        /// What it holds.
        seat: Seat,
    },
    /// Registered and staked like a validator, but run by somebody else, from the wallet that is written for it.
    Spare {
        /// Stake in TAO.
        stake_tao: u64,
    },
}

/// What an honest miner serves, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct MinerPlan {
    /// How many of the teacher's layers its student keeps: fewer are faster and worse.
    pub layers: usize,
    /// Seed of its initialisation and of its data stream.
    pub seed: u64,
    /// Deviation of the noise in its student, as a share of each tensor's own.
    pub noise: f32,
    /// Share of its time that the trainer may use, in (0, 1]; `None` does not distil.
    pub duty: Option<f64>,
    /// Sequences decoded at once.
    pub slots: usize,
    /// Whether it draws no faster than the card that attackers have who are compared by capacity.
    pub on_a_card: bool,
}

impl Participant {
    /// Label for tables: `honest`, or the name of the cheat.
    pub fn behaviour(&self) -> &'static str {
        match &self.part {
            Part::Attacker { driver, .. } => driver.name,
            Part::Miner(_) | Part::Validator { .. } | Part::Spare { .. } => HONEST,
        }
    }

    /// Stake in TAO, of those that have any.
    pub fn stake_tao(&self) -> Option<u64> {
        match self.part {
            Part::Validator { stake_tao } | Part::Spare { stake_tao } => Some(stake_tao),
            Part::Attacker {
                seat: Seat::Validator { stake },
                ..
            } => Some(ALL_STAKE_TAO / 1000 * u64::from(stake)),
            Part::Attacker { .. } | Part::Miner(_) => None,
        }
    }

    /// Whether it is registered before anybody starts.
    pub fn is_registered(&self) -> bool {
        !matches!(
            self.part,
            Part::Attacker {
                seat: Seat::Later,
                ..
            }
        )
    }
}

/// Draws the roster: two validators, then the miners in an order that gives nothing away.
///
/// `teacher_layers` bounds the students' sizes. The honest miners cover several sizes and speeds; there is one of each
/// cheat.
pub fn roster(seed: u64, teacher_layers: usize, spare_validator: bool) -> Vec<Participant> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let large = teacher_layers.saturating_sub(1).max(1);
    let small = (teacher_layers / 2).max(1);
    let honest_sizes: [(usize, f64, usize); 4] = [
        (large, 0.3, 8),
        (large, 0.2, 4),
        (small, 0.3, 8),
        (small, 0.2, 4),
    ];
    let mut miners: Vec<Part> = honest_sizes
        .into_iter()
        .map(|(layers, duty, slots)| {
            Part::Miner(MinerPlan {
                layers,
                seed: rng.random(),
                noise: STUDENT_NOISE,
                duty: Some(duty),
                slots,
                on_a_card: false,
            })
        })
        .collect();
    let drivers = CHEATS.iter().filter_map(|name| Driver::find(name));
    miners.extend(drivers.flat_map(seats));
    miners.shuffle(&mut rng);
    let spare = spare_validator.then_some(Part::Spare { stake_tao: 20_000 });
    participants(seed, [40_000, 30_000], miners.into_iter().chain(spare))
}

/// Two validators, so many honest miners of one size that do not learn, and the attacks of these drivers. The validators
/// share the stake that the attacks leave.
pub fn arena(
    seed: u64,
    teacher_layers: usize,
    honest: usize,
    on_a_card: bool,
    drivers: &[&'static Driver],
) -> Vec<Participant> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut parts: Vec<Part> = (0..honest)
        .map(|_| {
            Part::Miner(MinerPlan {
                layers: teacher_layers.saturating_sub(1).max(1),
                seed: rng.random(),
                noise: STUDENT_NOISE,
                duty: None,
                slots: 8,
                on_a_card,
            })
        })
        .collect();
    parts.extend(drivers.iter().copied().flat_map(seats));
    let bound: u32 = drivers
        .iter()
        .flat_map(|driver| driver.seats)
        .map(|seat| match seat {
            Seat::Validator { stake } => *stake,
            Seat::Miner | Seat::Later => 0,
        })
        .sum();
    let left = ALL_STAKE_TAO / 1000 * u64::from(1000_u32.saturating_sub(bound));
    participants(seed, [left / 2, left / 2], parts)
}

fn seats(driver: &'static Driver) -> impl Iterator<Item = Part> {
    let seats = driver.seats.iter();
    seats.map(move |seat| Part::Attacker {
        driver,
        seat: *seat,
    })
}

/// Two validators, and one honest miner for each of [`NOISE`], in that order. None learns, so that what differs between
/// them stays as it is.
pub fn graded_roster(seed: u64, teacher_layers: usize) -> Vec<Participant> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let miners = NOISE.map(|noise| MinerPlan {
        layers: teacher_layers.saturating_sub(1).max(1),
        seed: rng.random(),
        noise,
        duty: None,
        slots: 8,
        on_a_card: false,
    });
    participants(seed, [40_000, 30_000], miners.map(Part::Miner))
}

fn participants(
    seed: u64,
    stakes: [u64; 2],
    others: impl IntoIterator<Item = Part>,
) -> Vec<Participant> {
    let validators = stakes.map(|stake_tao| Part::Validator { stake_tao });
    let mut counts = BTreeMap::new();
    validators
        .into_iter()
        .chain(others)
        .map(|part| {
            let label = match &part {
                Part::Validator { .. } => "validator",
                Part::Miner(_) => "miner",
                Part::Spare { .. } => "spare",
                Part::Attacker { driver, .. } => driver.name,
            };
            let count: &mut u32 = counts.entry(label).or_default();
            let name = format!("{label}-{count}");
            *count += 1;
            Participant {
                coldkey: Key::derive(seed, &name, "coldkey"),
                hotkey: Key::derive(seed, &name, "hotkey"),
                name,
                part,
            }
        })
        .collect()
}

/// A key that follows from the run's seed: convenient here, worthless as a secret anywhere else.
#[derive(Clone)]
pub struct Key {
    /// The key pair.
    pub pair: sr25519::Pair,
    /// The 32 bytes that it is made from.
    pub seed: [u8; 32],
}

impl Key {
    /// The key of one participant.
    pub fn derive(seed: u64, name: &str, kind: &str) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("athanor localnet key");
        hasher.update(&seed.to_le_bytes());
        hasher.update(name.as_bytes());
        hasher.update(&[0]);
        hasher.update(kind.as_bytes());
        let seed = *hasher.finalize().as_bytes();
        Self {
            pair: sr25519::Pair::from_seed(&seed),
            seed,
        }
    }

    /// Its public key.
    pub fn account(&self) -> Hotkey {
        Hotkey(self.pair.public().0)
    }

    /// The seed as wallets take it.
    pub fn secret(&self) -> String {
        self.seed.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn summary(seed: u64) -> Vec<(String, Part)> {
        roster(seed, 4, true)
            .into_iter()
            .map(|p| (p.name, p.part))
            .collect()
    }

    #[test]
    fn the_seed_fixes_the_roster() {
        assert_eq!(summary(1), summary(1));
        assert_ne!(summary(1), summary(2));
    }

    #[test]
    fn there_are_two_validators_four_honest_miners_and_one_of_each_cheat() {
        let roster = roster(3, 4, false);
        let validators = roster
            .iter()
            .filter(|p| matches!(p.part, Part::Validator { .. }))
            .count();
        assert_eq!(validators, 2);
        let behaviours: Vec<_> = roster
            .iter()
            .filter(|p| matches!(p.part, Part::Miner(_) | Part::Attacker { .. }))
            .map(Participant::behaviour)
            .collect();
        assert_eq!(behaviours.iter().filter(|b| **b == HONEST).count(), 4);
        let cheats: BTreeSet<_> = behaviours.into_iter().filter(|b| *b != HONEST).collect();
        assert_eq!(cheats, CHEATS.into());
    }

    #[test]
    fn attacks_hold_the_stake_that_they_say_and_the_validators_the_rest() {
        let drivers = ["cabal", "uid_inheritor"].map(|name| Driver::find(name).unwrap());
        let arena = arena(3, 4, 2, false, &drivers);
        let stake = |behaviour: &str| -> u64 {
            let of = arena.iter().filter(|p| p.behaviour() == behaviour);
            of.filter_map(Participant::stake_tao).sum()
        };
        assert_eq!(stake("cabal"), 48_900);
        assert_eq!(stake(HONEST), ALL_STAKE_TAO - 48_900);
        let registered = arena.iter().filter(|p| p.is_registered()).count();
        assert_eq!(registered + 1, arena.len());
    }

    #[test]
    fn the_graded_roster_differs_in_noise_alone() {
        let plans: Vec<MinerPlan> = graded_roster(3, 4)
            .into_iter()
            .filter_map(|participant| match participant.part {
                Part::Miner(plan) => Some(plan),
                _ => None,
            })
            .collect();
        assert_eq!(
            plans.iter().map(|plan| plan.noise).collect::<Vec<_>>(),
            NOISE
        );
        assert!(
            plans
                .iter()
                .all(|plan| plan.duty.is_none() && plan.layers == 3)
        );
    }

    #[test]
    fn no_two_participants_share_a_key() {
        let roster = roster(3, 4, true);
        let keys: BTreeSet<_> = roster
            .iter()
            .flat_map(|p| [p.hotkey.account(), p.coldkey.account()])
            .collect();
        assert_eq!(keys.len(), 2 * roster.len());
    }
}
