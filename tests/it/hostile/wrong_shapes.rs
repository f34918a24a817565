//! Commits to a configuration that its tensors do not have the shapes of.

use athanor_model::{Config, checkpoint::CONFIG};

use super::impostor::{Adversary, Workshop};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let told = ("bad_artifact", "the configuration asks for");
    workshop.adversary("wrong_shapes", told, |files| {
        let mut config = Config::parse(&files[CONFIG]).unwrap();
        config.intermediate_size *= 2;
        files.insert(CONFIG.to_owned(), config.to_json());
    })
}
