//! Every family computes what Hugging Face's transformers computes, from the very directory that it saved; a directory
//! that cannot be used says why.
//!
//! `tests/fixtures/families/make.py` made the directories and the logits.

use crate::kernels::packed::WeightFormat;
use std::{collections::BTreeSet, sync::Arc};

use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use serde_json::Value;

use super::*;
use crate::{
    Checkpoint, Transformer,
    decode::{
        Decoder, Piece,
        cpu::{CpuDecoder, CpuWeights},
    },
    transformer::cached::BurnDecoder,
};

/// The largest difference that is allowed to any logit, in nats.
const TOLERANCE: f32 = 1e-4;

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/families")
}

/// Tokens, and the logits of every position.
fn expected(dir: &Path) -> (Vec<u32>, Vec<f32>) {
    let json: Value =
        serde_json::from_slice(&fs::read(dir.join("expected.json")).unwrap()).unwrap();
    let tokens = json["tokens"].as_array().unwrap();
    let rows = json["logits"].as_array().unwrap();
    let logits = rows.iter().flat_map(|row| row.as_array().unwrap());
    (
        tokens.iter().map(|t| t.as_u64().unwrap() as u32).collect(),
        logits.map(|x| x.as_f64().unwrap() as f32).collect(),
    )
}

fn check_logits(name: &str, how: &str, found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len(), "{name}, {how}");
    let differences = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
    let largest = differences.fold(0.0, f32::max);
    println!("{name}, {how}: largest difference {largest:e}");
    assert!(largest <= TOLERANCE, "{name}, {how}: {largest}");
}

/// Feeds the tokens in pieces of these sizes over and over, and collects all logits.
fn in_pieces(decoder: &mut dyn Decoder, tokens: &[u32], sizes: &[usize]) -> Vec<f32> {
    let (mut all, mut rest, mut sizes) = (Vec::new(), tokens, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = rest.len().min(*sizes.next().unwrap());
        let (tokens, after) = rest.split_at(size);
        let mut logits = Vec::new();
        decoder.forward(
            &[Piece {
                slot: 0,
                tokens,
                from: 0,
            }],
            &mut logits,
        );
        all.extend(logits);
        rest = after;
    }
    all
}

#[test]
fn every_family_has_the_logits_of_transformers() {
    let mut families = BTreeSet::new();
    for entry in fs::read_dir(fixtures()).unwrap() {
        let dir = entry.unwrap().path();
        if !dir.is_dir() {
            continue;
        }
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let (tokens, logits) = expected(&dir);
        let (config, tensors) = open(&dir).unwrap();
        families.insert(config.variant.family.model_type());
        assert_eq!(
            Config::parse(&config.to_json()).unwrap(),
            config,
            "{name} is written as it was read"
        );

        let model = Transformer::<Flex>::from_tensors(&config, &tensors, &FlexDevice).unwrap();
        assert_eq!(model.to_tensors(), tensors, "{name} keeps its weights");
        let ids: Vec<i32> = tokens.iter().map(|&token| token as i32).collect();
        let ids = TensorData::new(ids, [1, tokens.len()]);
        let whole = model.forward(Tensor::<Flex, 2, Int>::from_data(ids, &FlexDevice));
        let whole: Vec<f32> = whole.into_data().into_vec().unwrap();
        check_logits(&name, "as trained", &whole, &logits);

        let weights = Arc::new(CpuWeights::new(&config, &tensors, WeightFormat::F32).unwrap());
        for sizes in [&[1][..], &[24], &[5, 1, 1, 9]] {
            let mut served = CpuDecoder::new(weights.clone(), 1, 24);
            let served = in_pieces(&mut served, &tokens, sizes);
            check_logits(&name, "as served on a CPU", &served, &logits);
            let mut served = BurnDecoder::new(model.clone(), FlexDevice, 1, 24);
            let served = in_pieces(&mut served, &tokens, sizes);
            check_logits(&name, "as served on any backend", &served, &logits);
        }
    }
    assert_eq!(
        families.into_iter().collect::<Vec<_>>(),
        ["llama", "mistral", "qwen2", "qwen3"]
    );
}

/// A copy of a fixture with one file changed, and what opening it says.
fn check_refused(
    fixture: &str,
    file: &str,
    change: impl Fn(Vec<u8>) -> Option<Vec<u8>>,
    says: &str,
) {
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(fixtures().join(fixture)).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap();
        let bytes = fs::read(&path).unwrap();
        let bytes = if name == file {
            change(bytes)
        } else {
            Some(bytes)
        };
        if let Some(bytes) = bytes {
            fs::write(copy.path().join(name), bytes).unwrap();
        }
    }
    let error = open(copy.path()).unwrap_err().to_string();
    assert!(error.contains(says), "{error} says {says}");
}

fn replaced(from: &'static str, to: &'static str) -> impl Fn(Vec<u8>) -> Option<Vec<u8>> {
    move |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        assert!(text.contains(from), "{from} is in {text}");
        Some(text.replace(from, to).into_bytes())
    }
}

#[test]
fn a_directory_that_cannot_be_used_says_why() {
    check_refused("llama", CONFIG, |_| None, "config.json: No such file");
    check_refused("llama", WEIGHTS, |_| None, "convert the weights");
    check_refused(
        "llama",
        WEIGHTS,
        |bytes| Some(bytes[..bytes.len() / 2].to_vec()),
        "model.safetensors: not a valid safetensors file",
    );
    check_refused(
        "llama",
        CONFIG,
        replaced("\"vocab_size\": 48", "\"vocab_size\": 49"),
        "the configuration asks for [49, 16]",
    );
    let sharded = "smollm-tied-sharded-bf16";
    check_refused(
        sharded,
        INDEX,
        replaced("model-00001", "../model-00001"),
        "plain file name",
    );
    check_refused(sharded, INDEX, |_| Some(b"{".to_vec()), INDEX);
    check_refused(
        sharded,
        INDEX,
        replaced("model-00001", "model-00002"),
        "missing",
    );
}

#[test]
fn an_imported_directory_is_a_checkpoint_of_the_same_bytes() {
    let work = tempfile::tempdir().unwrap();
    for (fixture, tokens) in [("qwen3", 40), ("smollm-tied-sharded-bf16", 48)] {
        let (from, to) = (
            work.path().join(fixture),
            work.path().join("out").join(fixture),
        );
        fs::create_dir(&from).unwrap();
        for entry in fs::read_dir(fixtures().join(fixture)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, from.join(path.file_name().unwrap())).unwrap();
        }
        let hint = Checkpoint::open(&from).unwrap_err().to_string();
        assert!(hint.contains("athanor-distill import --from"), "{hint}");
        let error = Checkpoint::import(&from, &to).unwrap_err().to_string();
        assert!(error.contains("tokenizer.json"), "{error}");
        assert!(
            !to.exists(),
            "nothing was written before everything was checked"
        );

        fs::write(from.join("tokenizer.json"), tokenizer(tokens)).unwrap();
        let imported = Checkpoint::import(&from, &to).unwrap();
        let opened = Checkpoint::open(&to).unwrap();
        assert_eq!(opened.digest(), imported.digest());
        assert_eq!(opened.tensors().unwrap(), open(&from).unwrap().1);
        for file in &opened.manifest.files {
            let (old, new) = (from.join(&file.name), to.join(&file.name));
            assert_eq!(
                fs::read(old).unwrap(),
                fs::read(new).unwrap(),
                "{}",
                file.name
            );
        }
        fs::write(from.join("tokenizer.json"), tokenizer(49)).unwrap();
        let error = Checkpoint::import(&from, &to).unwrap_err().to_string();
        assert!(error.contains("49 tokens"), "{error}");
    }
}

/// A tokenizer of that many words.
fn tokenizer(tokens: usize) -> String {
    let vocab: serde_json::Map<String, Value> = (0..tokens)
        .map(|id| (format!("w{id}"), id.into()))
        .collect();
    serde_json::json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [],
        "normalizer": null,
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": null,
        "model": {"type": "WordLevel", "vocab": vocab, "unk_token": "w0"},
    })
    .to_string()
}
