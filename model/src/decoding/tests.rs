//! What is continued token by token has the logits of the whole sequence.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Int, Tensor, TensorData};
use burn_flex::{Flex, FlexDevice};

use super::*;
use crate::{config::tests::tiny, transformer::cached::BurnDecoder, transformer::tests::lively};

fn model() -> Transformer<Flex> {
    let config = tiny();
    Transformer::from_tensors(&config, &lively(&config, 3), &FlexDevice).unwrap()
}

/// Checks the open sequences' logits against a forward pass over each.
fn check(decoding: &mut Decoding, sequences: &[&[u32]]) {
    let model = model();
    let rows: Vec<Vec<f32>> = decoding.logits().map(|row| row.to_vec()).collect();
    assert_eq!(rows.len(), sequences.len());
    for (row, sequence) in rows.iter().zip(sequences) {
        let tokens: Vec<i32> = sequence.iter().map(|&token| token as i32).collect();
        let shape = [1, tokens.len()];
        let tokens = Tensor::<Flex, 2, Int>::from_data(TensorData::new(tokens, shape), &FlexDevice);
        let hidden = model.hidden(tokens).narrow(0, sequence.len() - 1, 1);
        let expected: Vec<f32> = model.logits(hidden).into_data().into_vec().unwrap();
        for (a, b) in row.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-3, "{a} and {b}");
        }
    }
}

fn continue_some(mut decoding: Decoding) {
    let (a, b): (&[u32], &[u32]) = (&[3, 1, 4, 1, 5, 9], &[2, 6, 5]);
    // Twice, so that nothing of the first round is left in the second.
    for _ in 0..2 {
        decoding.start(&[&a[..3], &b[..1]]);
        check(&mut decoding, &[&a[..3], &b[..1]]);
        decoding.append(&[1, 6]);
        check(&mut decoding, &[&a[..4], &b[..2]]);
        decoding.append(&[5, 5]);
        check(&mut decoding, &[&a[..5], b]);
        decoding.retain(&[true, false]);
        decoding.append(&[9]);
        check(&mut decoding, &[a]);
    }
}

#[test]
fn decoding_token_by_token_gives_the_logits_of_the_whole_sequence() {
    continue_some(Decoding::new(&model(), 3, 8).unwrap());
}

#[test]
fn so_it_does_on_the_decoder_of_a_card() {
    let decoder = BurnDecoder::new(model(), FlexDevice, 3, 8);
    continue_some(Decoding {
        caches: Caches(Box::new(decoder)),
        slots: 3,
        open: Vec::new(),
        logits: Vec::new(),
    });
}

#[test]
fn weights_that_are_not_numbers_are_refused() {
    struct Spoil;
    impl ModuleMapper<Flex> for Spoil {
        fn map_float<const D: usize>(
            &mut self,
            weight: Param<Tensor<Flex, D>>,
        ) -> Param<Tensor<Flex, D>> {
            weight.map(|weight| weight.div_scalar(0.0))
        }
    }
    assert!(Decoding::new(&model().map(&mut Spoil), 1, 8).is_err());
}
