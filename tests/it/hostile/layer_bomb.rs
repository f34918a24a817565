//! Commits to a configuration of so many layers that their names alone would fill a machine.

use athanor_model::{Config, checkpoint::CONFIG};

use super::impostor::{Adversary, Workshop};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "num_hidden_layers");
    workshop.adversary("layer_bomb", told, |files| {
        let mut config = Config::parse(&files[CONFIG]).unwrap();
        config.num_hidden_layers = 1_000_000_000;
        files.insert(CONFIG.to_owned(), config.to_json());
    })
}
