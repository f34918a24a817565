//! Register several hotkeys for models of one operator, all on one card, which serves them one after the other.
//!
//! Whenever all are loaded at once, the first has the whole card, the second waits until that one is done, and so on. Counted
//! until each one's own end, the j-th would measure a j-th of the card; counted up to one moment for all, the first measures
//! the card and the others what is left of the time, which is nothing where the load fills the card until then.

use super::{Attack, Conduct, Cost, Play, Scene, Skill, HONEST};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "sequenced_siblings",
    summary: "serves several hotkeys from one card, one after the other whenever all are loaded",
    bound: HONEST,
    cost: Cost::HONEST_MINER,
    identities: 8,
    shares_machine: true,
    conduct: Conduct::Miner(play),
};

fn play(scene: &Scene) -> Play {
    // The simulator divides a machine by the hotkeys on it.
    let share = match scene.member {
        0 => f64::from(scene.members),
        _ => 0.0,
    };
    Play::honest(Skill {
        goodput: share * scene.own.goodput,
        ..scene.own
    })
}
