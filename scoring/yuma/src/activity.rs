//! Tell which UIDs keep their weights up to date.

use alloc::vec::Vec;

use crate::params::Params;

/// Whether each UID updated its weights at most the activity cutoff before `block`. `last_update` has one entry per UID.
pub(crate) fn active(params: &Params, block: u64, last_update: &[u64]) -> Vec<bool> {
    let factor = u64::from(params.activity_cutoff_factor_milli);
    let cutoff = (factor * u64::from(params.tempo) / 1000).max(1);
    last_update
        .iter()
        .map(|update| update.saturating_add(cutoff) >= block)
        .collect()
}
