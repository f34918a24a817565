//! Commits to weights that are finite, and whose logits are not: only a replay finds out.

use athanor_model::{Checkpoint, HostTensor, Precision, Tensors, checkpoint::Provenance};

use super::impostor::{Adversary, Files, Workshop};

pub(crate) fn adversary(workshop: &Workshop<'_>) -> Adversary {
    let mut huge = Tensors::new();
    for (name, tensor) in workshop.honest.tensors().unwrap().iter() {
        let HostTensor { shape, mut data } = tensor.clone();
        // Gains of this size overflow within the first layer, in single precision.
        data.iter_mut().for_each(|value| *value *= 1e30);
        huge.insert(name, HostTensor { shape, data });
    }
    let dir = workshop.directory.join("huge");
    let tokenizer = workshop.honest.tokenizer_json().unwrap();
    let config = &workshop.honest.config;
    let made = Checkpoint::write(
        &dir,
        config,
        &huge,
        &tokenizer,
        &Provenance::default(),
        Precision::F32,
    )
    .unwrap();
    let files: Files = made
        .manifest
        .files
        .iter()
        .map(|file| {
            (
                file.name.clone(),
                std::fs::read(dir.join(&file.name)).unwrap(),
            )
        })
        .collect();
    let told = ("wrong_checkpoint", "condemned at");
    workshop.of_tensors("overflowing", told, made.manifest.tensors_digest(), &files)
}
