//! The rules move weights as their papers say.

use athanor_model::Tensors;
use burn::backend::{Autodiff, Flex};

use super::*;

type Train = Autodiff<Flex>;

fn config() -> Config {
    crate::teacher::config(64, 1, 0)
}

/// Weights before and after some updates along fixed gradients, and those gradients, all in the file's layout.
fn moved(rule: Rule, clip: f32, steps: usize) -> (Tensors, Tensors, Tensors) {
    let config = config();
    let device = Default::default();
    let before = Tensors::random(&config, 1);
    let mut slopes = Tensors::random(&config, 2);
    for (index, (name, _)) in expected(&config).enumerate() {
        let mut slope = slopes.remove(&name).unwrap();
        let values = slope.data.iter_mut().enumerate();
        values.for_each(|(at, x)| *x += ((at + index) as f32).sin() * 0.05);
        slopes.insert(name, slope);
    }
    let mut model = Transformer::<Train>::from_tensors(&config, &before, &device).unwrap();
    let mut optimiser = Optimiser::new(rule, &config, clip);
    for _ in 0..steps {
        let mut gradients = GradientsParams::new();
        for (name, shape) in expected(&config) {
            let slope = slopes.get(&name).unwrap();
            let data = burn::tensor::TensorData::new(slope.data.clone(), shape.clone());
            let id = parameter_id(&name);
            match shape[..] {
                [_] => gradients.register(id, Tensor::<Flex, 1>::from_data(data, &device)),
                _ if name == EMBEDDING => {
                    gradients.register(id, Tensor::<Flex, 2>::from_data(data, &device));
                }
                _ => {
                    gradients.register(id, Tensor::<Flex, 2>::from_data(data, &device).transpose())
                }
            }
        }
        model = optimiser.step(model, gradients, 1e-3);
    }
    (before, model.to_tensors(), slopes)
}

fn near(name: &str, found: f64, expected: f64, tolerance: f64) {
    assert!(
        (found - expected).abs() <= tolerance,
        "{name}: {found} and {expected}"
    );
}

#[test]
fn adam_moves_every_weight_by_the_papers_formula() {
    let (before, after, slopes) = moved(Rule::AdamW, 1e9, 3);
    for (name, tensor) in before.iter() {
        let decay = if tensor.shape.len() > 1 { 0.05 } else { 0.0 };
        for at in (0..tensor.data.len()).step_by(97) {
            let slope = f64::from(slopes.get(name).unwrap().data[at]);
            let (mut x, mut m, mut v) = (f64::from(tensor.data[at]), 0.0, 0.0);
            for step in 1..=3 {
                m = 0.9 * m + 0.1 * slope;
                v = 0.99 * v + 0.01 * slope * slope;
                let (m, v): (f64, f64) = (
                    m / (1.0 - 0.9f64.powi(step)),
                    v / (1.0 - 0.99f64.powi(step)),
                );
                x -= 1e-3 * (decay * x + m / (v.sqrt() + 1e-8));
            }
            near(name, f64::from(after.get(name).unwrap().data[at]), x, 2e-6);
        }
    }
}

#[test]
fn the_whole_gradient_is_clipped_by_its_norm() {
    // Adam forgets a gradient's scale, so only the first moment's ratio to epsilon could show it; the factor itself does.
    let config = config();
    let mut gradients = GradientsParams::new();
    let device = Default::default();
    let names = [EMBEDDING, "model.norm.weight"];
    gradients.register(
        parameter_id(names[0]),
        Tensor::<Flex, 2>::full([3, 3], 1.0, &device),
    );
    gradients.register(
        parameter_id(names[1]),
        Tensor::<Flex, 1>::full([7], 1.0, &device),
    );
    let shrink = |clip| Optimiser::<Train>::new(Rule::AdamW, &config, clip).shrink(&gradients);
    assert_eq!(shrink(5.0), None);
    assert_eq!(shrink(1.0), Some(0.25));
}

#[test]
fn muon_moves_matrices_by_nearly_orthogonal_steps_and_the_rest_as_adam() {
    let (before, after, _) = moved(Rule::Muon, 1e9, 1);
    let (_, adam, _) = moved(Rule::AdamW, 1e9, 1);
    for (name, tensor) in before.iter() {
        let after = after.get(name).unwrap();
        let [out, input] = match tensor.shape[..] {
            [out, input] if name != EMBEDDING => [out, input],
            _ => {
                assert_eq!(after, adam.get(name).unwrap(), "{name}");
                continue;
            }
        };
        let scale = 6e-3 * (out as f32 / input as f32).max(1.0).sqrt();
        let keep = 1.0 - 6e-3 * MUON_DECAY;
        let step: Vec<f32> = tensor
            .data
            .iter()
            .zip(&after.data)
            .map(|(before, after)| (keep * before - after) / scale)
            .collect();
        // Singular values between about 0.7 and 1.2: so the mean square of each, from the Frobenius norm.
        let mean = step.iter().map(|x| x * x).sum::<f32>() / out.min(input) as f32;
        assert!((0.4..1.5).contains(&mean), "{name}: {mean}");
    }
}
