//! What one model of the local subnet costs: a training step, a prefill, a decode step.

use athanor_model::{Config, Transformer};
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
        eos_token_id: None,
    }
}

fn tokens<B: athanor_model::ModelBackend>(
    batch: usize,
    time: usize,
    device: &B::Device,
) -> Tensor<B, 2, Int> {
    let ids: Vec<i32> = (0..batch * time)
        .map(|i| (i * 7919 % 1024) as i32)
        .collect();
    Tensor::from_data(TensorData::new(ids, [batch, time]), device)
}

/// Forward and backward of batch x 128 tokens under a next-token loss of burn's own operations.
#[divan::bench(args = [4, 8, 16])]
fn train_step(bencher: Bencher, batch: usize) {
    type Train = Autodiff<Flex>;
    let model = Transformer::<Train>::random(&config(), 1, &FlexDevice);
    let input = tokens::<Train>(batch, 128, &FlexDevice);
    bencher
        .counter(ItemsCount::new(batch * 128))
        .bench_local(|| {
            let logits = model.forward(input.clone());
            let loss = logits.reshape([batch * 128, 1024]).mean();
            loss.backward()
        });
}

/// The forward pass alone.
#[divan::bench(args = [1, 8])]
fn prefill_tokens(bencher: Bencher, batch: usize) {
    let model = Transformer::<Flex>::random(&config(), 1, &FlexDevice);
    let input = tokens::<Flex>(batch, 128, &FlexDevice);
    bencher
        .counter(ItemsCount::new(batch * 128))
        .bench_local(|| model.forward(input.clone()).into_data());
}
