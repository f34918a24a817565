//! Several validators give all of their weights to the miners of one operator, and grade nobody.
//!
//! With less than kappa of the stake they lift nobody: the consensus is what the others agree to.

use super::{Attack, Conduct, Cost, HONEST, Poll, Vote};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "cabal",
    summary: "several validators lift the miners of one operator",
    bound: HONEST,
    cost: Cost::IDLE_VALIDATOR,
    identities: 3,
    shares_machine: false,
    conduct: Conduct::Validator(vote),
};

fn vote(_poll: &Poll) -> Vote {
    Vote {
        diligence: 0.0,
        favour: 1.0,
        ..Vote::HONEST
    }
}
