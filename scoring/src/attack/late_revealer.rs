//! Commit, and do not reveal: to be counted as active without showing any weights.
//!
//! A lost commit leaves the row before in force, which ages.

use super::{Attack, Conduct, Cost, HONEST, Poll, Reveal, Vote};

/// One row in so many is revealed.
const EVERY: u64 = 10;

/// See the module.
pub(super) const ATTACK: Attack = Attack {
    name: "late_revealer",
    summary: "commits to weights and reveals one row in ten",
    bound: HONEST,
    cost: Cost::HONEST_VALIDATOR,
    identities: 1,
    shares_machine: false,
    conduct: Conduct::Validator(vote),
};

fn vote(poll: &Poll) -> Vote {
    Vote {
        reveal: if poll.epoch.is_multiple_of(EVERY) {
            Reveal::InTime
        } else {
            Reveal::Never
        },
        ..Vote::HONEST
    }
}
