//! Gives its artifact slice by slice, each within the time that one may take, and never comes to the end.

use std::time::Duration;

use super::impostor::{Adversary, Workshop};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "did not come within");
    Adversary {
        pause: Duration::from_secs(4),
        ..workshop.adversary("drip", told, |_| ())
    }
}
