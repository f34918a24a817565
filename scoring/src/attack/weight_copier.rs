//! Set the consensus that the chain shows instead of grading.
//!
//! What it can see is as old as the commit-reveal delay, and bonds of who is late to what changes earn less.

use super::{Attack, Conduct, Cost, HONEST, Poll, Row, Vote};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "weight_copier",
    summary: "sets the consensus of before instead of grading",
    bound: HONEST,
    cost: Cost::IDLE_VALIDATOR,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Validator(vote),
};

fn vote(_poll: &Poll) -> Vote {
    Vote {
        diligence: 0.0,
        row: Row::Consensus,
        ..Vote::HONEST
    }
}
