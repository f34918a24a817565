//! Give half of one's weights to miners of one's own.
//!
//! What is above the consensus of kappa of the stake is clipped, from incentives and from bonds.

use super::{Attack, Conduct, Cost, HONEST, Poll, Vote};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "self_dealing_validator",
    summary: "gives half of its weights to its own miners",
    bound: HONEST,
    cost: Cost::HONEST_VALIDATOR,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Validator(vote),
};

fn vote(_poll: &Poll) -> Vote {
    Vote {
        favour: 0.5,
        ..Vote::HONEST
    }
}
