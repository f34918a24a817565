//! Make and grade a tenth of the asks.

use super::{Attack, Conduct, Cost, HONEST, Poll, Vote};

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "lazy_validator",
    summary: "makes and grades a tenth of the asks",
    bound: HONEST,
    cost: Cost::HONEST_VALIDATOR.with_gpu_seconds(0.1 * Cost::HONEST_VALIDATOR.gpu_seconds),
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Validator(vote),
};

fn vote(_poll: &Poll) -> Vote {
    Vote {
        diligence: 0.1,
        ..Vote::HONEST
    }
}
