//! The hand-written network is the one that is served, and its gradients are right.

use athanor_model::{Config, Transformer};
use burn::backend::Flex;
use burn::tensor::{Int, Tensor, TensorData};

use super::{matrix::exp, *};
use crate::{loss::cross_entropy, network::Network};

fn config(tied: bool) -> Config {
    Config {
        hidden_size: 24,
        intermediate_size: 40,
        num_hidden_layers: 3,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        head_dim: 8,
        vocab_size: 37,
        max_position_embeddings: 32,
        rms_norm_eps: 1e-5,
        rope_theta: 10_000.0,
        tie_word_embeddings: tied,
        bos_token_id: None,
        eos_token_id: Some(0),
    }
}

/// Livelier weights than a fresh network's, so that every part matters.
fn network(tied: bool) -> Network {
    let mut network = Network::random(&config(tied), 5);
    for slot in &network.layout.slots {
        for (at, parameter) in network.parameters[slot.range.clone()]
            .iter_mut()
            .enumerate()
        {
            *parameter = if slot.dims.len() == 1 {
                1.0 + 0.1 * (at as f32).sin()
            } else {
                *parameter * 2.0
            };
        }
    }
    network
}

fn batch() -> (Batch, Vec<u32>) {
    let mut batch = Batch::default();
    batch.push(&[3, 1, 4, 1, 5, 9, 2, 6], 0..7);
    batch.push(&[5, 35, 8], 1..2);
    batch.push(&[9, 7, 9, 3, 2], [0, 3]);
    (batch, vec![1, 4, 1, 5, 9, 2, 6, 8, 7, 2])
}

fn total_loss(network: &Network, parameters: &[f32], layers: &[usize], tape: &mut Tape) -> f64 {
    let (batch, targets) = batch();
    forward(&network.layout, parameters, layers, &batch, tape);
    let mut logits = tape.logits.clone();
    let rows = logits
        .chunks_exact_mut(network.config.vocab_size)
        .zip(targets);
    rows.map(|(row, target)| f64::from(cross_entropy(row, target, 1.0)))
        .sum()
}

#[test]
fn logits_equal_those_of_the_served_transformer() {
    for tied in [true, false] {
        let network = network(tied);
        let device = Default::default();
        let served =
            Transformer::<Flex>::from_tensors(&network.config, &network.to_tensors(), &device)
                .unwrap();
        let (batch, _) = batch();
        let mut tape = Tape::default();
        let all = Batch {
            rows: (0..batch.tokens.len()).collect(),
            ..batch
        };
        forward(
            &network.layout,
            &network.parameters,
            &network.layers(),
            &all,
            &mut tape,
        );
        for segment in &all.segments {
            let tokens: Vec<i32> = all.tokens[segment.clone()]
                .iter()
                .map(|&token| token as i32)
                .collect();
            let shape = [1, tokens.len()];
            let tokens = Tensor::<Flex, 2, Int>::from_data(TensorData::new(tokens, shape), &device);
            let expected: Vec<f32> = served
                .forward(tokens)
                .into_data()
                .convert::<f32>()
                .into_vec()
                .unwrap();
            let vocab = network.config.vocab_size;
            for (ours, theirs) in tape.logits[segment.start * vocab..].iter().zip(&expected) {
                assert!((ours - theirs).abs() < 1e-3, "{ours} and {theirs}");
            }
        }
    }
}

#[test]
fn gradients_equal_finite_differences() {
    for (tied, layers) in [(true, vec![0, 1, 2]), (false, vec![0, 2])] {
        let network = network(tied);
        let mut tape = Tape::default();
        let (batch, targets) = batch();
        forward(
            &network.layout,
            &network.parameters,
            &layers,
            &batch,
            &mut tape,
        );
        let mut slope = tape.logits.clone();
        for (row, target) in slope
            .chunks_exact_mut(network.config.vocab_size)
            .zip(targets)
        {
            cross_entropy(row, target, 1.0);
        }
        let mut gradients = vec![0.0; network.layout.len()];
        backward(
            &network.layout,
            &network.parameters,
            &batch,
            &tape,
            &slope,
            &mut gradients,
        );

        // Along a fixed pseudo-random direction within each tensor, which is one number per tensor to compare.
        for slot in &network.layout.slots {
            let direction = |at: usize| {
                ((at * 7919 % 101) as f32 / 50.0 - 1.0) / (slot.range.len() as f32).sqrt()
            };
            let moved = |by: f32, tape: &mut Tape| {
                let mut parameters = network.parameters.clone();
                for (at, parameter) in parameters[slot.range.clone()].iter_mut().enumerate() {
                    *parameter += by * direction(at);
                }
                total_loss(&network, &parameters, &layers, tape)
            };
            let expected = (moved(5e-3, &mut tape) - moved(-5e-3, &mut tape)) / 1e-2;
            let got: f64 = gradients[slot.range.clone()]
                .iter()
                .enumerate()
                .map(|(at, &gradient)| f64::from(gradient * direction(at)))
                .sum();
            let tolerance = 0.01 * expected.abs().max(0.05);
            assert!(
                (got - expected).abs() < tolerance,
                "{}: {got} and {expected}",
                slot.name
            );
        }
    }
}

#[test]
fn a_segment_does_not_see_its_neighbours() {
    let network = network(true);
    let run = |batch: &Batch| {
        let mut tape = Tape::default();
        forward(
            &network.layout,
            &network.parameters,
            &network.layers(),
            batch,
            &mut tape,
        );
        tape.logits
    };
    let (packed, _) = batch();
    let mut alone = Batch::default();
    alone.push(&[5, 35, 8], 1..2);
    let vocab = network.config.vocab_size;
    for (a, b) in run(&packed)[7 * vocab..8 * vocab].iter().zip(run(&alone)) {
        assert!((a - b).abs() < 1e-4, "{a} and {b}");
    }
}

#[test]
fn exp_is_accurate_where_it_is_used() {
    for step in -870..880 {
        let x = step as f32 / 10.0 + 0.03;
        let (got, expected) = (f64::from(exp(x)), f64::from(x).exp());
        assert!(
            (got / expected - 1.0).abs() < 1e-6,
            "exp({x}) = {got}, not {expected}"
        );
    }
    assert!(exp(f32::NEG_INFINITY) < 1e-37 && exp(200.0).is_finite());
}

#[test]
fn decoding_token_by_token_gives_the_logits_of_the_whole_sequence() {
    let network = network(true);
    let layers = [0, 2];
    let sequences: [&[u32]; 2] = [&[3, 1, 4, 1, 5, 9], &[2, 6, 5]];
    let Network {
        layout,
        parameters,
        config,
    } = &network;
    let mut decoding = Decoding::new(
        layout,
        parameters,
        &layers,
        &[&sequences[0][..3], &sequences[1][..1]],
        6,
    );
    let check = |decoding: &Decoding<'_>, prefixes: &[&[u32]]| {
        let mut batch = Batch::default();
        for prefix in prefixes {
            batch.push(prefix, [prefix.len() - 1]);
        }
        let mut tape = Tape::default();
        forward(layout, parameters, &layers, &batch, &mut tape);
        assert_eq!(decoding.logits.len(), prefixes.len() * config.vocab_size);
        for (a, b) in decoding.logits.iter().zip(&tape.logits) {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
    };
    decoding.append(&[1, 6]);
    check(&decoding, &[&sequences[0][..4], &sequences[1][..2]]);
    decoding.append(&[5, 5]);
    check(&decoding, &[&sequences[0][..5], sequences[1]]);
    decoding.retain(&[true, false]);
    decoding.append(&[9]);
    check(&decoding, &[sequences[0]]);
}
