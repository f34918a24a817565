//! What this miner did since it started: answers, tokens, and refusals by reason.

use std::sync::atomic::{AtomicU64, Ordering};

use athanor_node::metrics::Served;
use athanor_spec::Refusal;
use serde::{Deserialize, Serialize};

/// Counters that any thread may raise.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    answered: AtomicU64,
    tokens: AtomicU64,
    cancelled: AtomicU64,
    slices: AtomicU64,
    refused: Refused<AtomicU64>,
}

/// One number for each reason to refuse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused<T> {
    /// The signature did not verify, or the peer sent too many such.
    pub bad_signature: T,
    /// Outside its time window.
    pub expired: T,
    /// Seen before.
    pub replayed: T,
    /// Neither permit nor enough stake.
    pub not_allowed: T,
    /// Over a bound of the spec.
    pub out_of_bounds: T,
    /// The asker's share, or the queue, was used up.
    pub overloaded: T,
    /// A blob that is not served here.
    pub unknown_blob: T,
    /// Ending, or the engine failed.
    pub not_serving: T,
}

/// The counters at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Whole answers.
    pub answered: u64,
    /// Tokens of these answers, without their prompts.
    pub tokens: u64,
    /// Asks whose asker went away before the end.
    pub cancelled: u64,
    /// Ranges of checkpoints and deltas that were sent.
    pub slices: u64,
    /// Refusals by reason.
    pub refused: Refused<u64>,
}

impl Counts {
    /// The same for whoever watches; `in_flight` answers are being drawn.
    pub(crate) fn served(&self, in_flight: usize) -> Served {
        let Refused {
            bad_signature,
            expired,
            replayed,
            not_allowed,
            out_of_bounds,
            overloaded,
            unknown_blob,
            not_serving,
        } = self.refused;
        Served {
            answered: self.answered,
            tokens: self.tokens,
            cancelled: self.cancelled,
            slices: self.slices,
            refused: vec![
                ("bad_signature", bad_signature),
                ("expired", expired),
                ("replayed", replayed),
                ("not_allowed", not_allowed),
                ("out_of_bounds", out_of_bounds),
                ("overloaded", overloaded),
                ("unknown_blob", unknown_blob),
                ("not_serving", not_serving),
            ],
            in_flight,
        }
    }
}

impl Tally {
    pub(crate) fn answered(&self, tokens: usize) {
        add(&self.answered, 1);
        add(&self.tokens, tokens as u64);
    }

    pub(crate) fn cancelled(&self) {
        add(&self.cancelled, 1);
    }

    pub(crate) fn slice(&self) {
        add(&self.slices, 1);
    }

    pub(crate) fn refused(&self, refusal: &Refusal) {
        let refused = &self.refused;
        let counter = match refusal {
            Refusal::BadSignature => &refused.bad_signature,
            Refusal::Expired { .. } => &refused.expired,
            Refusal::Replayed => &refused.replayed,
            Refusal::NotAllowed => &refused.not_allowed,
            Refusal::OutOfBounds => &refused.out_of_bounds,
            Refusal::Overloaded { .. } => &refused.overloaded,
            Refusal::UnknownBlob => &refused.unknown_blob,
            Refusal::NotServing { .. } => &refused.not_serving,
        };
        add(counter, 1);
    }

    pub(crate) fn counts(&self) -> Counts {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let refused = &self.refused;
        Counts {
            answered: get(&self.answered),
            tokens: get(&self.tokens),
            cancelled: get(&self.cancelled),
            slices: get(&self.slices),
            refused: Refused {
                bad_signature: get(&refused.bad_signature),
                expired: get(&refused.expired),
                replayed: get(&refused.replayed),
                not_allowed: get(&refused.not_allowed),
                out_of_bounds: get(&refused.out_of_bounds),
                overloaded: get(&refused.overloaded),
                unknown_blob: get(&refused.unknown_blob),
                not_serving: get(&refused.not_serving),
            },
        }
    }
}

fn add(counter: &AtomicU64, more: u64) {
    counter.fetch_add(more, Ordering::Relaxed);
}
