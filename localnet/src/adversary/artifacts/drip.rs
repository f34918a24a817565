//! Gives its artifact slice by slice, each within the time that one may take, and never comes to the end.

use std::time::Duration;

use super::{AttackError, Misfit, Workshop};

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "did not come within");
    Ok(Misfit {
        pause: Duration::from_secs(4),
        ..workshop.misfit("drip", told, |_| Ok(()))?
    })
}
