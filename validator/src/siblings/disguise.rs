//! What a copier does to weights so that their hash is another one.

use athanor_model::{Config, HostTensor, Tensors};
use athanor_scoring::synthetic::normal;
use rand::{Rng as _, SeedableRng as _, seq::SliceRandom as _};
use rand_chacha::ChaCha8Rng;

/// A change of the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Disguise {
    /// Normal noise on every matrix, as a share of its own deviation.
    Noise(f32),
    /// Every row of every matrix rounded to so many bits around its largest value.
    Quantised(u32),
    /// Units of the feed-forward layers and channels of the residual stream in another order; the model says the same.
    Permuted,
    /// Inputs of units up and outputs down, some with the other sign, and gains moved into the matrices behind them; the
    /// model says the same.
    Rescaled,
    /// Permuted, rescaled, and noise.
    Everything(f32),
}

impl Disguise {
    /// What the study tries.
    pub(super) const ALL: [Self; 15] = [
        Self::Permuted,
        Self::Rescaled,
        Self::Noise(0.003),
        Self::Noise(0.01),
        Self::Noise(0.03),
        Self::Noise(0.06),
        Self::Noise(0.1),
        Self::Noise(0.12),
        Self::Noise(0.14),
        Self::Noise(0.2),
        Self::Quantised(8),
        Self::Quantised(6),
        Self::Quantised(4),
        Self::Everything(0.01),
        Self::Everything(0.03),
    ];

    /// Its name in the table.
    pub(super) fn name(self) -> String {
        match self {
            Self::Noise(share) => format!("noise of {share} sd"),
            Self::Quantised(bits) => format!("quantised to {bits} bits"),
            Self::Permuted => "units and channels permuted".into(),
            Self::Rescaled => "units rescaled, gains folded".into(),
            Self::Everything(share) => format!("permuted, rescaled, noise of {share} sd"),
        }
    }

    /// The disguised weights; `seed` draws noise, order and factors.
    pub(super) fn of(self, config: &Config, tensors: &Tensors, seed: u64) -> Tensors {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        match self {
            Self::Noise(share) => each_matrix(tensors, |data, _| {
                let deviation = deviation(data);
                data.iter_mut()
                    .for_each(|value| *value += share * deviation * normal(&mut rng));
            }),
            Self::Quantised(bits) => each_matrix(tensors, |data, columns| {
                let steps = ((1_u32 << (bits - 1)) - 1) as f32;
                for row in data.chunks_exact_mut(columns) {
                    let largest = row
                        .iter()
                        .fold(0.0_f32, |largest, value| largest.max(value.abs()));
                    let step = (largest / steps).max(f32::MIN_POSITIVE);
                    row.iter_mut()
                        .for_each(|value| *value = (*value / step).round() * step);
                }
            }),
            Self::Permuted => permuted(config, tensors, &mut rng),
            Self::Rescaled => rescaled(config, tensors, &mut rng),
            Self::Everything(share) => {
                let moved = rescaled(config, &permuted(config, tensors, &mut rng), &mut rng);
                Self::Noise(share).of(config, &moved, seed.wrapping_add(1))
            }
        }
    }
}

fn each_matrix(tensors: &Tensors, mut change: impl FnMut(&mut [f32], usize)) -> Tensors {
    let mut changed = Tensors::new();
    for (name, tensor) in tensors.iter() {
        let mut tensor = tensor.clone();
        if let [_, columns] = tensor.shape[..] {
            change(&mut tensor.data, columns);
        }
        changed.insert(name, tensor);
    }
    changed
}

fn deviation(data: &[f32]) -> f32 {
    let n = data.len().max(1) as f32;
    let mean = data.iter().sum::<f32>() / n;
    (data.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / n).sqrt()
}

fn permuted(config: &Config, tensors: &Tensors, rng: &mut ChaCha8Rng) -> Tensors {
    let channels = order(config.hidden_size, rng);
    let units: Vec<Vec<usize>> = (0..config.num_hidden_layers)
        .map(|_| order(config.intermediate_size, rng))
        .collect();
    let mut moved = Tensors::new();
    for (name, tensor) in tensors.iter() {
        let units = layer_of(name).and_then(|layer| units.get(layer));
        let writes = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
        let biases = name.ends_with("o_proj.bias") || name.ends_with("down_proj.bias");
        let norm =
            name.ends_with("norm.weight") && !name.contains("q_norm") && !name.contains("k_norm");
        let mut tensor = match tensor.shape.len() {
            2 if writes => rows(tensor, &channels),
            2 => columns(tensor, &channels),
            _ if norm || biases => rows(tensor, &channels),
            _ => tensor.clone(),
        };
        if let Some(units) = units {
            if name.ends_with("gate_proj.weight") || name.ends_with("up_proj.weight") {
                tensor = rows(&tensor, units);
            } else if name.ends_with("down_proj.weight") {
                tensor = columns(&tensor, units);
            }
        }
        moved.insert(name, tensor);
    }
    moved
}

fn rescaled(config: &Config, tensors: &Tensors, rng: &mut ChaCha8Rng) -> Tensors {
    let mut changed = tensors.clone();
    for layer in 0..config.num_hidden_layers {
        let name = |rest: &str| format!("model.layers.{layer}.{rest}.weight");
        let factors: Vec<f32> = (0..config.intermediate_size)
            .map(|_| rng.random_range(0.5..2.0) * if rng.random() { 1.0 } else { -1.0 })
            .collect();
        scale(&mut changed, &name("mlp.up_proj"), |row, _| factors[row]);
        scale(&mut changed, &name("mlp.down_proj"), |_, column| {
            1.0 / factors[column]
        });
        for (gain, behind) in [
            (
                "input_layernorm",
                ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"].as_slice(),
            ),
            (
                "post_attention_layernorm",
                ["mlp.gate_proj", "mlp.up_proj"].as_slice(),
            ),
        ] {
            let Some(mut gains) = changed.remove(&name(gain)) else {
                continue;
            };
            for matrix in behind {
                scale(&mut changed, &name(matrix), |_, column| gains.data[column]);
            }
            gains.data.fill(1.0);
            changed.insert(name(gain), gains);
        }
    }
    changed
}

fn scale(tensors: &mut Tensors, name: &str, factor: impl Fn(usize, usize) -> f32) {
    let Some(mut tensor) = tensors.remove(name) else {
        return;
    };
    if let [_, columns] = tensor.shape[..] {
        for (index, value) in tensor.data.iter_mut().enumerate() {
            *value *= factor(index / columns, index % columns);
        }
    }
    tensors.insert(name, tensor);
}

fn order(length: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    order.shuffle(rng);
    order
}

fn layer_of(name: &str) -> Option<usize> {
    name.strip_prefix("model.layers.")?
        .split('.')
        .next()?
        .parse()
        .ok()
}

fn rows(tensor: &HostTensor, order: &[usize]) -> HostTensor {
    let length = tensor.shape[1..].iter().product::<usize>();
    let row = |index: &usize| {
        tensor.data[index * length..(index + 1) * length]
            .iter()
            .copied()
    };
    HostTensor {
        shape: tensor.shape.clone(),
        data: order.iter().flat_map(row).collect(),
    }
}

fn columns(tensor: &HostTensor, order: &[usize]) -> HostTensor {
    let row = |row: &[f32]| order.iter().map(|column| row[*column]).collect::<Vec<_>>();
    HostTensor {
        shape: tensor.shape.clone(),
        data: tensor
            .data
            .chunks_exact(order.len())
            .flat_map(row)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use athanor_model::{DeviceChoice, scorer::Scorer};

    use super::*;

    fn config() -> Config {
        Config {
            hidden_size: 32,
            intermediate_size: 48,
            num_hidden_layers: 2,
            num_attention_heads: 2,
            num_key_value_heads: 1,
            head_dim: 16,
            vocab_size: 64,
            max_position_embeddings: 64,
            rms_norm_eps: 1e-5,
            rope_theta: 10_000.0,
            tie_word_embeddings: true,
            bos_token_id: None,
            eos_token_id: Default::default(),
            variant: Default::default(),
        }
    }

    fn furthest(a: &Tensors, b: &Tensors) -> f32 {
        let text: Vec<u32> = (0..40).map(|i| i * 11 % 64).collect();
        let logits = |tensors| {
            let scorer = Scorer::from_tensors(&config(), tensors, DeviceChoice::Cpu).unwrap();
            scorer.logits(&text, 1).unwrap().data
        };
        let pairs = logits(a).into_iter().zip(logits(b));
        pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
    }

    #[test]
    fn some_disguises_change_every_weight_and_nothing_that_is_said() {
        let mut model = Tensors::random(&config(), 1);
        let mut gains = model
            .remove("model.layers.0.input_layernorm.weight")
            .unwrap();
        gains
            .data
            .iter_mut()
            .enumerate()
            .for_each(|(i, gain)| *gain = 1.0 + 0.02 * i as f32);
        model.insert("model.layers.0.input_layernorm.weight", gains);
        for disguise in [Disguise::Permuted, Disguise::Rescaled] {
            let disguised = disguise.of(&config(), &model, 3);
            assert_ne!(disguised.digest(), model.digest());
            assert!(furthest(&model, &disguised) < 1e-3, "{disguise:?}");
        }
        for disguise in [
            Disguise::Noise(0.1),
            Disguise::Quantised(4),
            Disguise::Everything(0.1),
        ] {
            assert!(
                furthest(&model, &disguise.of(&config(), &model, 3)) > 1e-3,
                "{disguise:?}"
            );
        }
    }
}
