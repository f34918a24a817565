//! Set weights as seldom as the chain's activity cutoff allows, and grade only for those.

use super::{Attack, Conduct, Cost, HONEST, Poll, Vote};

/// Epochs between submissions; the default cutoff is 13.9.
const EVERY: u64 = 12;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "stale_revealer",
    summary: "sets weights as seldom as it can without becoming inactive",
    bound: HONEST,
    cost: Cost::HONEST_VALIDATOR.with_gpu_seconds(0.1 * Cost::HONEST_VALIDATOR.gpu_seconds),
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Validator(vote),
};

fn vote(poll: &Poll) -> Vote {
    let submits = poll.epoch.is_multiple_of(EVERY);
    Vote {
        diligence: if submits { 1.0 } else { 0.0 },
        submits,
        ..Vote::HONEST
    }
}
