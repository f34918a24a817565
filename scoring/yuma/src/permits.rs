//! Give validator permits to the UIDs with the most stake.

use alloc::vec::Vec;

use crate::fixed::Fixed;
use crate::params::Params;

/// The permits that count in this epoch: those of the previous one, and the owner's.
pub(crate) fn current(params: &Params, previous: &[bool]) -> Vec<bool> {
    let mut permits = previous.to_vec();
    permits.resize(params.n.into(), false);
    grant_owner(params, &mut permits);
    permits
}

/// The permits for the next epoch: the `max_allowed_validators` UIDs with the most stake, of equals the later one, as
/// far as they have any; and the owner.
pub(crate) fn next(params: &Params, stake: &[Fixed]) -> Vec<bool> {
    let mut permits: Vec<bool> = stake.iter().map(|stake| *stake != Fixed::ZERO).collect();
    let mut by_stake: Vec<usize> = (0..stake.len()).collect();
    by_stake.sort_by_key(|&uid| stake[uid]);
    let refused = stake
        .len()
        .saturating_sub(params.max_allowed_validators.into());
    for &uid in &by_stake[..refused] {
        permits[uid] = false;
    }
    grant_owner(params, &mut permits);
    permits
}

fn grant_owner(params: &Params, permits: &mut [bool]) {
    if let Some(permit) = params
        .owner_uid
        .and_then(|owner| permits.get_mut(usize::from(owner)))
    {
        *permit = true;
    }
}
