//! What weighs nothing can be pruned without a trace.

use athanor_model::Transformer;
use burn::backend::Flex;

use super::*;
use crate::{
    batch::{Batch, values},
    init::fresh,
    teacher::config,
};

fn logits(config: &Config, tensors: &Tensors) -> Vec<f32> {
    let model = Transformer::<Flex>::from_tensors(config, tensors, &Default::default()).unwrap();
    let mut batch = Batch::default();
    batch.push(&[5, 6, 7, 8], 0..4);
    values(batch.logits(&model))
}

#[test]
fn units_without_weight_are_the_ones_that_go() {
    let config = config(64, 2, 0);
    let mut tensors = fresh(&config, 3);
    for layer in 0..2 {
        let name = format!("model.layers.{layer}.mlp.down_proj.weight");
        let mut down = tensors.remove(&name).unwrap();
        for (at, value) in down.data.iter_mut().enumerate() {
            if at % config.intermediate_size % 3 == layer {
                *value = 0.0;
            }
        }
        tensors.insert(name, down);
    }
    let widths = Widths {
        feed_forward: Some(config.intermediate_size * 2 / 3),
        hidden: None,
    };
    let (narrow, pruned) = widths.prune(&config, &tensors).unwrap();
    pruned.check(&narrow).unwrap();
    for (a, b) in logits(&config, &tensors)
        .iter()
        .zip(logits(&narrow, &pruned))
    {
        assert!((a - b).abs() < 1e-5, "{a} and {b}");
    }
}

#[test]
fn channels_keep_their_weights_and_their_order() {
    let config = config(64, 2, 0);
    let mut tensors = fresh(&config, 3);
    let mut embedding = tensors.remove(EMBEDDING).unwrap();
    for (at, value) in embedding.data.iter_mut().enumerate() {
        // The upper half weighs far more than all matrices of the layers.
        *value = if at % 64 < 32 { 0.0 } else { (at % 64) as f32 };
    }
    tensors.insert(EMBEDDING, embedding);
    let widths = Widths {
        hidden: Some(32),
        feed_forward: None,
    };
    let (narrow, pruned) = widths.prune(&config, &tensors).unwrap();
    pruned.check(&narrow).unwrap();
    let row: Vec<f32> = (32..64).map(|at| at as f32).collect();
    assert_eq!(pruned.get(EMBEDDING).unwrap().data[..32], row);
    assert!(logits(&narrow, &pruned).iter().all(|x| x.is_finite()));
}

#[test]
fn the_teachers_own_widths_change_nothing_and_wider_ones_are_refused() {
    let config = config(64, 2, 0);
    let tensors = fresh(&config, 3);
    let (same, pruned) = Widths::default().prune(&config, &tensors).unwrap();
    assert_eq!((same, pruned), (config.clone(), tensors));
    for (hidden, feed_forward) in [
        (Some(65), None),
        (Some(0), None),
        (None, Some(193)),
        (None, Some(0)),
    ] {
        let widths = Widths {
            hidden,
            feed_forward,
        };
        assert!(widths.of(&config).is_err(), "{widths:?}");
    }
}
