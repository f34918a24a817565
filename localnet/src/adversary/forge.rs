//! Making checkpoints out of others' checkpoints.

use std::path::Path;

use athanor_model::{
    Checkpoint, HostTensor, Manifest, Precision, Tensors, TrainingSummary,
    checkpoint::{CheckpointError, FileEntry, MANIFEST, Provenance, WEIGHTS},
};
use athanor_scoring::synthetic::normal;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use super::AttackError;

/// An invented history, so that no two forgeries of one model have one digest.
fn invented(seed: u64) -> TrainingSummary {
    TrainingSummary {
        steps: 1 + seed % 1_000_000,
        tokens: 6_789_000,
        heldout_loss: 0.5,
    }
}

/// Writes the model with other tensors, under a history that `seed` invents.
pub(super) fn rewritten(
    model: &Checkpoint,
    tensors: &Tensors,
    seed: u64,
    dir: &Path,
) -> Result<Checkpoint, CheckpointError> {
    let provenance = Provenance {
        parent: None,
        training: invented(seed),
    };
    let tokenizer = model.tokenizer_json()?;
    Checkpoint::write(
        dir,
        &model.config,
        tensors,
        &tokenizer,
        &provenance,
        Precision::F32,
    )
}

/// The same tensors under another history.
pub(super) fn renamed(
    model: &Checkpoint,
    seed: u64,
    dir: &Path,
) -> Result<Checkpoint, CheckpointError> {
    rewritten(model, &model.tensors()?, seed, dir)
}

/// The same tensors in two files of weights instead of one.
pub(super) fn resharded(
    model: &Checkpoint,
    seed: u64,
    dir: &Path,
) -> Result<Checkpoint, AttackError> {
    let whole = rewritten(model, &model.tensors()?, seed, dir)?;
    let mut shards = [Tensors::new(), Tensors::new()];
    for (index, (name, tensor)) in whole.tensors()?.iter().enumerate() {
        shards[index % 2].insert(name, tensor.clone());
    }
    let mut files: Vec<FileEntry> = whole.manifest.files.clone();
    files.retain(|file| !file.is_weights());
    // The first keeps the usual name, which every checkpoint has.
    for (name, shard) in [WEIGHTS, "shard.safetensors"].into_iter().zip(&shards) {
        let bytes = shard.to_safetensors(Precision::F32);
        write(&dir.join(name), &bytes)?;
        files.push(FileEntry {
            name: name.to_owned(),
            bytes: bytes.len() as u64,
            blake3: blake3::hash(&bytes).to_hex().to_string(),
        });
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    let tensors = whole.manifest.tensors_digest();
    let manifest = Manifest::new(files, tensors, None, invented(seed))?;
    write(&dir.join(MANIFEST), &manifest.to_bytes())?;
    Ok(Checkpoint::open(dir)?)
}

/// Normal noise on every matrix, as a share of its own deviation.
pub(super) fn noisy(tensors: &Tensors, share: f32, seed: u64) -> Tensors {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    of_matrices(tensors, |data, _| {
        let n = data.len().max(1) as f32;
        let mean = data.iter().sum::<f32>() / n;
        let deviation = (data.iter().map(|x| (x - mean).powi(2)).sum::<f32>() / n).sqrt();
        for value in data {
            *value += share * deviation * normal(&mut rng);
        }
    })
}

/// Every row of every matrix rounded to so many bits (2 to 16) around its largest value.
pub(super) fn rounded(tensors: &Tensors, bits: u32) -> Tensors {
    let steps = ((1_u32 << (bits - 1)) - 1) as f32;
    of_matrices(tensors, |data, columns| {
        for row in data.chunks_exact_mut(columns.max(1)) {
            let largest = row
                .iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()));
            let step = (largest / steps).max(f32::MIN_POSITIVE);
            for value in row {
                *value = (*value / step).round() * step;
            }
        }
    })
}

/// Other tensors that say the same: the units of every feed-forward layer times a factor on their way in and divided by it
/// on their way out, some with the other sign; likewise the values of attention, by one power of two a layer, which changes
/// no bit of what comes out.
pub(super) fn rescaled(tensors: &Tensors, seed: u64) -> Tensors {
    let mut scaled = Tensors::new();
    for (name, tensor) in tensors.iter() {
        let mut tensor = tensor.clone();
        // One stream of factors for the matrices of a layer that belong together.
        let layer: Option<u64> = name.split('.').nth(2).and_then(|layer| layer.parse().ok());
        if let Some(layer) = layer {
            let mut rng = ChaCha8Rng::seed_from_u64(seed ^ (1 + layer));
            let attention = 2.0_f32.powi(rng.random_range(1..4));
            let mut factor = || {
                2.0_f32.powi(rng.random_range(-2..3))
                    * [-1.0, 1.0][usize::from(rng.random::<bool>())]
            };
            let columns = tensor.shape.last().copied().unwrap_or(1).max(1);
            if name.ends_with("v_proj.weight") {
                tensor.data.iter_mut().for_each(|value| *value *= attention);
            } else if name.ends_with("o_proj.weight") {
                tensor.data.iter_mut().for_each(|value| *value /= attention);
            } else if name.ends_with("up_proj.weight") {
                for row in tensor.data.chunks_exact_mut(columns) {
                    let factor = factor();
                    row.iter_mut().for_each(|value| *value *= factor);
                }
            } else if name.ends_with("down_proj.weight") {
                let factors: Vec<f32> = (0..columns).map(|_| factor()).collect();
                for row in tensor.data.chunks_exact_mut(columns) {
                    row.iter_mut()
                        .zip(&factors)
                        .for_each(|(value, factor)| *value /= factor);
                }
            }
        }
        scaled.insert(name, tensor);
    }
    scaled
}

/// A model whose layers add nothing to the residual stream: with tied embeddings the likeliest next token is the last one,
/// and `sharpness` times the usual logits let it not wander off at temperature 1.
pub(super) fn degenerate(tensors: &Tensors, sharpness: f32) -> Tensors {
    let mut degenerate = Tensors::new();
    for (name, tensor) in tensors.iter() {
        let HostTensor { shape, mut data } = tensor.clone();
        if name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight") {
            data.fill(0.0);
        }
        if name == athanor_model::tensors::FINAL_NORM {
            data.fill(sharpness);
        }
        degenerate.insert(name, HostTensor { shape, data });
    }
    degenerate
}

fn of_matrices(tensors: &Tensors, mut change: impl FnMut(&mut [f32], usize)) -> Tensors {
    let mut changed = Tensors::new();
    for (name, tensor) in tensors.iter() {
        let mut tensor = tensor.clone();
        if let [_, columns] = tensor.shape[..] {
            change(&mut tensor.data, columns);
        }
        changed.insert(name, tensor);
    }
    changed
}

pub(super) fn write(path: &Path, bytes: &[u8]) -> Result<(), AttackError> {
    std::fs::write(path, bytes).map_err(|source| AttackError::File {
        path: path.to_owned(),
        source,
    })
}
