//! Load other miners while they are measured.
//!
//! A miner serves who holds a permit, each by a bucket and a turn in a fair queue: an asker in excess displaces its own asks. So
//! it needs a second hotkey with stake.

use super::{Attack, Conduct, Cost, Play, Scene, HONEST};

/// What the fair queue leaves to one asker in excess: one more request ahead of each.
const BURDEN: f64 = 0.01;

/// Thousandths of the subnet's stake that let it ask: the 1,000 TAO of `limits.min_validator_stake_tao` where 100,000 are staked.
const STAKE: f64 = 10.0;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "victim_loading",
    summary: "loads other miners while they are measured",
    bound: HONEST,
    cost: Cost {
        stake_epochs: STAKE,
        ..Cost::HONEST_MINER
    },
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    Play {
        burden: BURDEN,
        ..Play::honest(scene.own)
    }
}
