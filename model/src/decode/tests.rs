//! The cached decoder against the whole-sequence forward pass, and its independence of the batch.

use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};

use super::cpu::CpuWeights;
use super::*;
use crate::config::Config;
use crate::config::tests::tiny;
use crate::transformer::Transformer;
use crate::transformer::tests::lively;

fn weights(config: &Config) -> Weights {
    Weights::Cpu(
        CpuWeights::new(config, &lively(config, 3), WeightFormat::F32)
            .unwrap()
            .into(),
    )
}

fn tokens(len: usize, salt: usize) -> Vec<u32> {
    (0..len)
        .map(|i| ((i * 7 + salt * 13 + i * i * salt) % 50) as u32)
        .collect()
}

/// All logits of a sequence, fed in pieces of that length.
fn in_pieces(weights: &Weights, tokens: &[u32], length: usize) -> Vec<f32> {
    let mut decoder = weights.decoder(1, 64);
    let (mut all, mut out) = (Vec::new(), Vec::new());
    for tokens in tokens.chunks(length) {
        decoder.forward(
            &[Piece {
                slot: 0,
                tokens,
                from: 0,
            }],
            &mut out,
        );
        all.extend_from_slice(&out);
    }
    all
}

fn configs() -> [Config; 3] {
    [
        tiny(),
        Config {
            tie_word_embeddings: false,
            num_key_value_heads: 4,
            head_dim: 8,
            ..tiny()
        },
        Config {
            num_key_value_heads: 1,
            ..tiny()
        },
    ]
}

#[test]
fn the_cached_decode_agrees_with_the_whole_sequence_forward() {
    for config in configs() {
        let device = FlexDevice;
        let model =
            Transformer::<Flex>::from_tensors(&config, &lively(&config, 3), &device).unwrap();
        let tokens = tokens(45, 1);
        let flat: Vec<i32> = tokens.iter().map(|&t| t as i32).collect();
        let input = Tensor::<Flex, 2, Int>::from_data(TensorData::new(flat, [1, 45]), &device);
        let expected: Vec<f32> = model.forward(input).into_data().into_vec().unwrap();
        let found = in_pieces(&weights(&config), &tokens, 1);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert!(
                (found - expected).abs() < 1e-3,
                "{found} against {expected}"
            );
        }
    }
}

#[test]
fn a_prefill_has_the_same_bits_as_a_decode_however_it_is_cut() {
    for config in configs() {
        let weights = weights(&config);
        let tokens = tokens(60, 2);
        let one_by_one = in_pieces(&weights, &tokens, 1);
        for length in [2, 7, 32, 33, 60] {
            assert_eq!(
                in_pieces(&weights, &tokens, length),
                one_by_one,
                "pieces of {length}"
            );
        }
    }
}

#[test]
fn a_sequence_has_the_same_bits_alone_and_among_others_that_join_and_leave() {
    let weights = weights(&tiny());
    let sequences: Vec<Vec<u32>> = (0..5).map(|i| tokens(20 + 9 * i, i + 1)).collect();
    let alone: Vec<Vec<f32>> = sequences
        .iter()
        .map(|s| in_pieces(&weights, s, 1))
        .collect();
    let mut decoder = weights.decoder(3, 64);
    // Which sequence a slot holds, and how far it is.
    let mut slots: [Option<(usize, usize)>; 3] = [None; 3];
    let mut waiting = (0..sequences.len()).rev().collect::<Vec<_>>();
    let mut found: Vec<Vec<f32>> = vec![Vec::new(); sequences.len()];
    let mut turn = 0;
    while !waiting.is_empty() || slots.iter().any(Option::is_some) {
        turn += 1;
        for (slot, held) in slots.iter_mut().enumerate() {
            // Staggered, so that every turn has another mixture.
            if held.is_none()
                && turn % (slot + 2) == 0
                && let Some(next) = waiting.pop()
            {
                decoder.clear(slot);
                *held = Some((next, 0));
            }
        }
        let mut pieces = Vec::new();
        for (slot, held) in slots.iter().enumerate() {
            if let Some((sequence, at)) = *held {
                let length = [1, 5, 3][(turn + slot) % 3];
                let end = (at + length).min(sequences[sequence].len());
                pieces.push(Piece {
                    slot,
                    tokens: &sequences[sequence][at..end],
                    from: 0,
                });
            }
        }
        let mut logits = Vec::new();
        decoder.forward(&pieces, &mut logits);
        let mut rows = logits.chunks_exact(50);
        for piece in pieces {
            let (sequence, at) = slots[piece.slot].unwrap();
            found[sequence].extend(rows.by_ref().take(piece.tokens.len()).flatten());
            let end = at + piece.tokens.len();
            let done = end == sequences[sequence].len();
            slots[piece.slot] = (!done).then_some((sequence, end));
        }
    }
    assert!(found == alone, "every bit of every sequence is the same");
}

#[test]
fn the_decoder_of_other_backends_agrees_with_the_one_on_the_cpu_in_every_mixture() {
    for config in configs() {
        let model = Transformer::from_tensors(&config, &lively(&config, 3), &FlexDevice).unwrap();
        let mut other =
            crate::transformer::cached::BurnDecoder::<Flex>::new(model, FlexDevice, 3, 64);
        let mut cpu = weights(&config).decoder(3, 64);
        let sequences = [tokens(50, 1), tokens(50, 2), tokens(50, 3)];
        let mut at = [0usize; 3];
        for turn in 0..20 {
            if turn == 12 {
                other.clear(1);
                cpu.clear(1);
                at[1] = 0;
            }
            let lengths = [[1, 1, 1], [4, 1, 1], [0, 3, 1], [1, 0, 2]][turn % 4];
            let mut pieces = Vec::new();
            for slot in 0..3 {
                let tokens = &sequences[slot][at[slot]..at[slot] + lengths[slot]];
                at[slot] += lengths[slot];
                let from = (turn + slot) % (tokens.len() + 1);
                if !tokens.is_empty() {
                    pieces.push(Piece { slot, tokens, from });
                }
            }
            let (mut a, mut b) = (Vec::new(), Vec::new());
            cpu.forward(&pieces, &mut a);
            other.forward(&pieces, &mut b);
            assert_eq!(a.len(), b.len());
            for (a, b) in a.iter().zip(&b) {
                assert!((a - b).abs() < 1e-3, "turn {turn}: {a} against {b}");
            }
        }
    }
}

#[test]
fn only_the_wanted_rows_are_computed() {
    let weights = weights(&tiny());
    let tokens = tokens(40, 4);
    let all = in_pieces(&weights, &tokens, 40);
    let mut decoder = weights.decoder(1, 64);
    let mut logits = Vec::new();
    for from in [0, 1, 31, 32, 39, 40] {
        decoder.clear(0);
        decoder.forward(
            &[Piece {
                slot: 0,
                tokens: &tokens,
                from,
            }],
            &mut logits,
        );
        assert_eq!(logits, all[from * 50..]);
    }
}
