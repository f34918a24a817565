//! Commits to a model that says the same thing over and over, and samples from it honestly.
//!
//! Expected: no fault, as the answers are its own draws, but a liveliness near 0, which caps what it earns.

use std::path::Path;

use athanor_model::{
    Checkpoint, HostTensor, Precision, Tensors, TrainingSummary,
    checkpoint::{CheckpointError, Provenance},
};

/// How much sharper the looper's logits are than the victim's: at temperature 1 it must not wander off.
const SHARPNESS: f32 = 8.0;

/// Writes a degenerate copy of `student` to `dir`: its layers add nothing to the residual stream, so with tied
/// embeddings the likeliest next token is the last one.
pub fn degrade(student: &Checkpoint, dir: &Path) -> Result<Checkpoint, CheckpointError> {
    let mut degenerate = Tensors::new();
    for (name, tensor) in student.tensors()?.iter() {
        let HostTensor { shape, mut data } = tensor.clone();
        if name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") {
            data.fill(0.0);
        }
        if name == "model.norm.weight" {
            data.fill(SHARPNESS);
        }
        degenerate.insert(name, HostTensor { shape, data });
    }
    let provenance = Provenance {
        parent: None,
        training: TrainingSummary::default(),
    };
    let tokenizer = student.tokenizer_json()?;
    Checkpoint::write(
        dir,
        &student.config,
        &degenerate,
        &tokenizer,
        &provenance,
        Precision::F32,
    )
}
