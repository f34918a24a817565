//! What one model of the local subnet costs: a training step, a replay, an engine's answers.

use std::sync::mpsc::channel;

use athanor_model::{
    Checkpoint, Config, DeviceChoice, ModelBackend, Precision, Tensors, Transformer, WeightFormat,
    checkpoint::Provenance,
    engine::{self, EngineConfig, GenerateRequest},
    sampler,
    scorer::Scorer,
};
use burn::backend::Autodiff;
use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};
use divan::{Bencher, counter::ItemsCount};

fn main() {
    divan::main();
}

/// The size that the local subnet trains and serves.
fn config() -> Config {
    Config {
        hidden_size: 128,
        intermediate_size: 344,
        num_hidden_layers: 4,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 32,
        vocab_size: 1024,
        max_position_embeddings: 512,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: true,
        bos_token_id: None,
        eos_token_id: Default::default(),
        variant: Default::default(),
    }
}

fn ids(count: usize) -> impl Iterator<Item = u32> {
    (0..count).map(|i| (i * 7919 % 1024) as u32)
}

fn checkpoint(dir: &std::path::Path) -> Checkpoint {
    let tokenizer = br#"{"version":"1.0","truncation":null,"padding":null,"added_tokens":[],"normalizer":null,"pre_tokenizer":{"type":"WhitespaceSplit"},"post_processor":null,"decoder":null,"model":{"type":"WordLevel","vocab":{"a":0},"unk_token":"a"}}"#;
    let (config, provenance) = (config(), Provenance::default());
    let tensors = Tensors::random(&config, 1);
    Checkpoint::write(
        dir,
        &config,
        &tensors,
        tokenizer,
        &provenance,
        Precision::F16,
    )
    .expect("a temporary directory takes a checkpoint")
}

fn tokens<B: ModelBackend>(batch: usize, time: usize, device: &B::Device) -> Tensor<B, 2, Int> {
    let ids: Vec<i32> = ids(batch * time).map(|id| id as i32).collect();
    Tensor::from_data(TensorData::new(ids, [batch, time]), device)
}

/// Forward and backward of sequences of 128 tokens under a next-token loss.
#[divan::bench(args = [4, 16])]
fn train_step_sequences(bencher: Bencher, batch: usize) {
    type Train = Autodiff<Flex>;
    let model = Transformer::<Train>::random(&config(), 1, &FlexDevice);
    let input = tokens::<Train>(batch, 128, &FlexDevice);
    let target = input.clone().reshape([batch * 128, 1]);
    bencher
        .counter(ItemsCount::new(batch * 128))
        .bench_local(|| {
            let logits = model.logits(model.hidden(input.clone()));
            let loss = Train::log_probabilities(logits)
                .gather(1, target.clone())
                .mean()
                .neg();
            loss.backward()
        });
}

/// A validator's replay of a prompt and an answer.
#[divan::bench(args = [64, 256])]
fn replay_tokens(bencher: Bencher, time: usize) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let scorer =
        Scorer::load(&checkpoint(dir.path()), DeviceChoice::Cpu).expect("it was just written");
    let tokens: Vec<u32> = ids(time).collect();
    bencher
        .counter(ItemsCount::new(time))
        .bench_local(|| scorer.logits(&tokens, time / 2).expect("the tokens fit"));
}

/// An engine's decode: that many requests at once, 64 tokens each after a prompt of 16.
#[divan::bench(args = [1, 8])]
fn decode_requests(bencher: Bencher, batch: usize) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let device = DeviceChoice::Cpu;
    let settings = EngineConfig {
        slots: batch,
        queue: 0,
        device,
        weights: WeightFormat::F32,
        max_context: 512,
    };
    let engine = engine::spawn(&checkpoint(dir.path()), settings).expect("it was just written");
    bencher
        .counter(ItemsCount::new(batch * 64))
        .bench_local(|| {
            let (reply, answers) = channel();
            for seed in 0..batch as u64 {
                let request = GenerateRequest {
                    prompt: ids(16).collect(),
                    max_new_tokens: 64,
                    temperature: 1.0,
                    seed,
                    stop: Default::default(),
                };
                let reply = reply.clone();
                engine
                    .generate(request, move |answer| drop(reply.send(answer)))
                    .expect("the engine has room");
            }
            drop(reply);
            answers.iter().count()
        });
}

/// One draw from flat logits, the worst case: no token can be skipped.
#[divan::bench(args = [1024, 32_000])]
fn draw_from_vocabulary(bencher: Bencher, vocab: usize) {
    let logits: Vec<f32> = (0..vocab).map(|i| (i as f32 * 0.7).sin()).collect();
    bencher.bench_local(|| sampler::sample(divan::black_box(&logits), 1.0, 7, 3));
}
