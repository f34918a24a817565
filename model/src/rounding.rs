//! Round a model's matrices to few bits, as quantisers do: what a server that saves memory would compute with.

use crate::tensors::{HostTensor, Tensors};

/// Weights of one output, one after the other, that share a scale.
const GROUP: usize = 64;

/// The model with the matrices of its layers, and an output projection of its own, rounded to `bits` bits (2 to 8):
/// symmetric, to nearest, the largest weight of every group of 64 inputs kept. Embeddings, gains and biases stay as they
/// are, and so does an output projection that shares the embeddings: of all ways to round, one that is hard to find.
///
/// # Panics
/// When `bits` is not in 2..=8.
pub fn rounded(tensors: &Tensors, bits: u32) -> Tensors {
    assert!((2..=8).contains(&bits), "2 to 8 bits");
    let steps = ((1_u32 << (bits - 1)) - 1) as f32;
    let mut all = Tensors::new();
    for (name, tensor) in tensors.iter() {
        let is_matrix = tensor.shape.len() == 2;
        let is_rounded = is_matrix && name != crate::tensors::EMBEDDING;
        let data = match is_rounded {
            true => {
                let width = tensor.shape[1].max(1);
                let rows = tensor.data.chunks(width);
                rows.flat_map(|row| row.chunks(GROUP))
                    .flat_map(|group| round_group(group, steps))
                    .collect()
            }
            false => tensor.data.clone(),
        };
        let shape = tensor.shape.clone();
        all.insert(name, HostTensor { shape, data });
    }
    all
}

fn round_group(group: &[f32], steps: f32) -> impl Iterator<Item = f32> + '_ {
    let largest = group
        .iter()
        .fold(0.0_f32, |most, weight| most.max(weight.abs()));
    let scale = largest / steps;
    group.iter().map(move |weight| match scale > 0.0 {
        true => (weight / scale).round() * scale,
        false => *weight,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::tests::tiny;

    fn of(bits: u32) -> (Tensors, Tensors) {
        let tensors = Tensors::random(&tiny(), 5);
        let narrow = rounded(&tensors, bits);
        (tensors, narrow)
    }

    #[test]
    fn a_weight_moves_by_at_most_half_a_step_of_its_group() {
        for bits in [2, 4, 8] {
            let (tensors, narrow) = of(bits);
            narrow.check(&tiny()).unwrap();
            let steps = ((1 << (bits - 1)) - 1) as f32;
            let name = "model.layers.0.mlp.down_proj.weight";
            let (exact, found) = (tensors.get(name).unwrap(), narrow.get(name).unwrap());
            let width = exact.shape[1];
            let mut moved = false;
            for (exact, found) in exact.data.chunks(width).zip(found.data.chunks(width)) {
                for (exact, found) in exact.chunks(GROUP).zip(found.chunks(GROUP)) {
                    let largest = exact.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
                    for (exact, found) in exact.iter().zip(found) {
                        assert!((exact - found).abs() <= largest / steps * 0.501);
                        moved |= exact != found;
                    }
                    let kept = found.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
                    assert!((kept - largest).abs() < 1e-6);
                }
            }
            assert!(moved, "{bits} bits");
        }
    }

    #[test]
    fn embeddings_and_gains_stay() {
        let (tensors, narrow) = of(4);
        for name in [crate::tensors::EMBEDDING, crate::tensors::FINAL_NORM] {
            assert_eq!(tensors.get(name), narrow.get(name));
        }
    }
}
