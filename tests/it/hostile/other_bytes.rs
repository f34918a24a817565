//! Serves other bytes than those that it committed to.

use super::impostor::{Adversary, Workshop};

fn flipped(mut slice: Vec<u8>) -> Vec<u8> {
    if let Some(last) = slice.last_mut() {
        *last ^= 1;
    }
    slice
}

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "are not those of blob");
    Adversary {
        tamper: flipped,
        ..workshop.adversary("other_bytes", told, |_| ())
    }
}
