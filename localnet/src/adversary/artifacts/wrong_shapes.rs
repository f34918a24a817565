//! Commits to a configuration that its tensors do not have the shapes of.

use super::{AttackError, Misfit, Workshop};
use crate::adversary::impostor::with_config;

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "the configuration asks for");
    workshop.misfit("wrong_shapes", told, |files| {
        with_config(files, |config| config.intermediate_size *= 2)
    })
}
