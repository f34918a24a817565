//! Serves other bytes than those that it committed to.

use super::{AttackError, Misfit, Workshop};

fn flipped(mut slice: Vec<u8>) -> Vec<u8> {
    if let Some(last) = slice.last_mut() {
        *last ^= 1;
    }
    slice
}

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "are not those of blob");
    Ok(Misfit {
        tamper: flipped,
        ..workshop.misfit("other_bytes", told, |_| Ok(()))?
    })
}
