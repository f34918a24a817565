//! Republishes another miner's checkpoint as its own: same tensors, a manifest that says otherwise.
//!
//! Expected: `copy`, because the tensors were committed earlier by somebody else, whatever the manifest's digest is.

use std::path::Path;

use athanor_model::{
    Checkpoint, Precision, TrainingSummary,
    checkpoint::{CheckpointError, Provenance},
};

/// Writes the victim's model to `dir` with an invented training history, so that even the digest differs.
pub fn forge(victim: &Checkpoint, dir: &Path) -> Result<Checkpoint, CheckpointError> {
    let invented = Provenance {
        parent: None,
        training: TrainingSummary {
            steps: 12_345,
            tokens: 6_789_000,
            heldout_loss: 0.5,
        },
    };
    let (tensors, tokenizer) = (victim.tensors()?, victim.tokenizer_json()?);
    Checkpoint::write(
        dir,
        &victim.config,
        &tensors,
        &tokenizer,
        &invented,
        Precision::F32,
    )
}
