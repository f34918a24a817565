//! A miner's parts together, on tiny models with random weights.

use std::path::Path;

use athanor_model::{
    Checkpoint, Config, DeviceChoice, Precision, Tensors, Tokenizer,
    checkpoint::{Provenance, TOKENIZER, WEIGHTS},
    engine::{self, EngineConfig},
};
use athanor_net::BlobStore;
use athanor_spec::{Ask, DeltaQuery, Digest, Fetch, Refusal, SubnetSpec};

use crate::{
    Backend, Behaviour, CheckpointRefused, Draft, canary,
    store::{Budget, Store},
};

mod behaviour;
mod checkpoints;
mod serving;
mod swap;

/// A model of two small layers whose weights depend on the seed.
fn tiny(dir: &Path, seed: u64) -> Checkpoint {
    tiny_with(dir, seed, |_| {})
}

fn tiny_with(dir: &Path, seed: u64, change: impl Fn(&mut Config)) -> Checkpoint {
    let teacher = athanor_distill::bundled::write_teacher(&dir.join("teacher")).unwrap();
    let tokenizer = std::fs::read(teacher.dir.join(TOKENIZER)).unwrap();
    let vocab_size = Tokenizer::from_json(&tokenizer).unwrap().vocab_size();
    let mut config = Config {
        hidden_size: 16,
        intermediate_size: 32,
        num_hidden_layers: 2,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 8,
        vocab_size,
        ..teacher.config.clone()
    };
    change(&mut config);
    let tensors = Tensors::random(&config, seed);
    let to = dir.join(format!("tiny-{seed}"));
    Checkpoint::write(
        &to,
        &config,
        &tensors,
        &tokenizer,
        &Provenance::default(),
        Precision::F32,
    )
    .unwrap()
}

fn backend(checkpoint: &Checkpoint, slots: usize, queue: usize) -> Backend {
    let config = EngineConfig {
        slots,
        queue,
        device: DeviceChoice::Cpu,
        weights: athanor_model::WeightFormat::F32,
        max_context: 256,
    };
    let end = checkpoint.config.eos_token_id.clone();
    Backend::new(engine::spawn(checkpoint, config).unwrap(), end)
}

fn ask(seed: u64) -> Ask {
    Ask {
        prompt: vec![5, 6, 7, 8],
        max_new_tokens: 24,
        temperature_milli: 1000,
        seed,
    }
}
