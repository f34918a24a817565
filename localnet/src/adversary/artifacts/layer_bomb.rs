//! Commits to a configuration of so many layers that their names alone would fill a machine.

use super::{AttackError, Misfit, Workshop};
use crate::adversary::impostor::with_config;

pub(super) fn misfit(workshop: &Workshop<'_>) -> Result<Misfit, AttackError> {
    let told = ("bad_artifact", "num_hidden_layers");
    workshop.misfit("layer_bomb", told, |files| {
        with_config(files, |config| config.num_hidden_layers = 1_000_000_000)
    })
}
