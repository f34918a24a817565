//! Read the weights that count and normalise them.

use alloc::vec;
use alloc::vec::Vec;

use crate::fixed::{Divisor, Fixed};
use crate::params::Params;
use crate::rows::Rows;
use crate::state::State;

/// The weights of every UID with a permit as shares of its row. Dropped are weights on UIDs beyond the subnet, on
/// oneself (unless one is the owner), and on UIDs that registered after the weights were set or committed. A weight of
/// 0 stays.
pub(crate) fn load(
    params: &Params,
    state: &State<'_>,
    permits: &[bool],
    last_update: &[u64],
    registered: &[u64],
) -> Rows {
    let n = registered.len();
    let raw = |uid: usize| state.weights.get(uid).map_or(&[][..], Vec::as_slice);
    let entries = (0..n).filter(|&uid| permits[uid]).map(|uid| raw(uid).len());
    let mut rows = Rows::with_capacity(n, entries.sum());
    let committed = first_commits(params, state);
    for uid in 0..n {
        if permits[uid] {
            // Weights on a UID that registered in the block of the update are outdated; in that of the commit not.
            let before = last_update[uid].min(committed[uid].saturating_add(1));
            let own = match params.owner_uid.map(usize::from) == Some(uid) {
                true => None,
                false => Some(uid),
            };
            let mut sum = Fixed::ZERO;
            for &(target, weight) in raw(uid) {
                let index = usize::from(target);
                if index < n && Some(index) != own && registered[index] < before {
                    let weight = Fixed::from_bits(weight.into());
                    sum = sum + weight;
                    rows.push(target, weight);
                }
            }
            let (_, values) = rows.end_row();
            // The unit of the integers cancels out.
            let sum = Divisor::new(sum);
            for value in values {
                *value = sum.divide(*value);
            }
        } else {
            rows.end_row();
        }
    }
    rows
}

/// The block of the earliest commit of each UID that has not expired, the largest number where there is none. Of the
/// hash commits of a UID only the first in its queue that has not expired counts.
fn first_commits(params: &Params, state: &State<'_>) -> Vec<u64> {
    let n = usize::from(params.n);
    let mut first = vec![u64::MAX; n];
    if !params.commit_reveal {
        return first;
    }
    let mut queued = vec![false; n];
    let valid = |epoch: u64| state.epoch_index <= epoch.saturating_add(params.reveal_period);
    for commit in state.commits.iter().filter(|commit| valid(commit.epoch)) {
        let uid = usize::from(commit.uid);
        if uid < n && !queued[uid] {
            queued[uid] = true;
            first[uid] = commit.block;
        }
    }
    for commit in state.timelocked_commits {
        let uid = usize::from(commit.uid);
        if uid < n && valid(commit.epoch) {
            first[uid] = first[uid].min(commit.block);
        }
    }
    first
}
