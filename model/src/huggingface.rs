//! Directories as Hugging Face lays them out, without a manifest of ours.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use serde::Deserialize;
use thiserror::Error;

use crate::config::{Config, ConfigError};
use crate::tensors::{HEAD, Tensors, TensorsError};

const CONFIG: &str = "config.json";
const WEIGHTS: &str = "model.safetensors";
/// Name of the defaults of generation.
pub(crate) const GENERATION: &str = "generation_config.json";
/// Name of the list of shards.
pub(crate) const INDEX: &str = "model.safetensors.index.json";

/// Why a directory is not a model that this crate runs.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum OpenError {
    /// A file cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The configuration cannot be used.
    #[error("{}: {source}", dir.display())]
    Config {
        /// The directory.
        dir: PathBuf,
        /// Cause.
        source: ConfigError,
    },
    /// There are no weights in a format that is read.
    #[error("{} holds neither {WEIGHTS} nor {INDEX}: convert the weights to safetensors", dir.display())]
    NoWeights {
        /// The directory.
        dir: PathBuf,
    },
    /// The list of shards is not one.
    #[error("{}: {source}", path.display())]
    Index {
        /// The list.
        path: PathBuf,
        /// Cause.
        source: serde_json::Error,
    },
    /// The list of shards names something that is not a file beside it.
    #[error("{}: {name:?} is not a plain file name", path.display())]
    Name {
        /// The list.
        path: PathBuf,
        /// What it names.
        name: String,
    },
    /// A file of weights cannot be used.
    #[error("{}: {source}", path.display())]
    Weights {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: TensorsError,
    },
    /// Two shards hold the same tensor.
    #[error("{}: tensor {name} is also in another file", path.display())]
    Duplicate {
        /// One of the files.
        path: PathBuf,
        /// The tensor.
        name: String,
    },
    /// Weights and configuration do not fit.
    #[error("{}: {source}", dir.display())]
    Mismatch {
        /// The directory.
        dir: PathBuf,
        /// Cause.
        source: TensorsError,
    },
}

#[derive(Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}

/// Reads the configuration and the weights, in one file or in shards, f32, f16 or bf16.
pub fn open(dir: &Path) -> Result<(Config, Tensors), OpenError> {
    let wrong = |source| OpenError::Config {
        dir: dir.to_owned(),
        source,
    };
    let mut config = Config::parse(&read(&dir.join(CONFIG))?).map_err(wrong)?;
    let generation = dir.join(GENERATION);
    if generation.exists() {
        config.take_generation(&read(&generation)?).map_err(wrong)?;
    }
    let mut tensors = Tensors::new();
    for file in weight_files(dir)? {
        let path = dir.join(file);
        let part =
            Tensors::from_safetensors(&read(&path)?).map_err(|source| OpenError::Weights {
                path: path.clone(),
                source,
            })?;
        if let Some(name) = tensors.absorb(part) {
            return Err(OpenError::Duplicate { path, name });
        }
    }
    drop_redundant(&config, &mut tensors);
    tensors
        .check(&config)
        .map_err(|source| OpenError::Mismatch {
            dir: dir.to_owned(),
            source,
        })?;
    Ok((config, tensors))
}

/// The names of the files of weights.
pub(crate) fn weight_files(dir: &Path) -> Result<BTreeSet<String>, OpenError> {
    let path = dir.join(INDEX);
    if !path.exists() {
        return match dir.join(WEIGHTS).exists() {
            true => Ok([WEIGHTS.to_owned()].into()),
            false => Err(OpenError::NoWeights {
                dir: dir.to_owned(),
            }),
        };
    }
    let index: Index =
        serde_json::from_slice(&read(&path)?).map_err(|source| OpenError::Index {
            path: path.clone(),
            source,
        })?;
    let names: BTreeSet<String> = index.weight_map.into_values().collect();
    let is_plain = |name: &str| Path::new(name).file_name().is_some_and(|file| file == name);
    match names.iter().find(|name| !is_plain(name)) {
        Some(name) => Err(OpenError::Name {
            path,
            name: name.clone(),
        }),
        None => Ok(names),
    }
}

/// Some files repeat what the configuration already says: the head of tied embeddings, and the rotary frequencies of
/// early Llama files. Hugging Face's own loader ignores both.
pub(crate) fn drop_redundant(config: &Config, tensors: &mut Tensors) {
    if config.tie_word_embeddings {
        tensors.remove(HEAD);
    }
    for layer in 0..config.num_hidden_layers {
        tensors.remove(&format!(
            "model.layers.{layer}.self_attn.rotary_emb.inv_freq"
        ));
    }
}

fn read(path: &Path) -> Result<Vec<u8>, OpenError> {
    fs::read(path).map_err(|source| OpenError::Io {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests;
