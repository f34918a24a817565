//! Small models with random weights, for tests.

use std::path::Path;

use athanor_model::{Checkpoint, Config, Precision, Tensors, checkpoint::Provenance};

/// Number of token ids.
pub(crate) const VOCAB: usize = 27;

/// A tokenizer of single letters: every prompt is some sequence of them.
fn tokenizer() -> Vec<u8> {
    let words: Vec<String> = ('a'..='z').map(|c| c.to_string()).collect();
    let vocab: serde_json::Map<String, serde_json::Value> = words
        .iter()
        .enumerate()
        .map(|(index, word)| (word.clone(), (index + 1).into()))
        .chain([("?".to_owned(), 0.into())])
        .collect();
    let tokenizer = serde_json::json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": {"type": "Split", "pattern": {"Regex": "."}, "behavior": "Isolated", "invert": false},
        "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "?"}
    });
    serde_json::to_vec(&tokenizer).unwrap()
}

/// Writes a checkpoint with random weights of so many layers.
pub(crate) fn write(dir: &Path, seed: u64, layers: usize) -> Checkpoint {
    let config = Config {
        hidden_size: 32,
        intermediate_size: 64,
        num_hidden_layers: layers,
        num_attention_heads: 2,
        num_key_value_heads: 1,
        head_dim: 16,
        vocab_size: VOCAB,
        max_position_embeddings: 256,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
        bos_token_id: None,
        eos_token_id: Default::default(),
        variant: Default::default(),
    };
    let mut tensors = Tensors::random(&config, seed);
    // Larger embeddings, so that students differ by more than the draws do.
    let mut embedding = tensors.remove(athanor_model::tensors::EMBEDDING).unwrap();
    embedding.data.iter_mut().for_each(|weight| *weight *= 5.0);
    tensors.insert(athanor_model::tensors::EMBEDDING, embedding);
    let provenance = Provenance::default();
    Checkpoint::write(
        dir,
        &config,
        &tensors,
        &tokenizer(),
        &provenance,
        Precision::F32,
    )
    .unwrap()
}
