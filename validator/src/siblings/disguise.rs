//! What a copier does to weights so that their hash is another one.

use athanor_model::{
    Config, HostTensor, Tensors,
    tensors::{EMBEDDING, FINAL_NORM, HEAD},
};
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
    /// The residual stream turned, the head untied, and every head's values mixed before the output takes them apart
    /// again; the model says the same. Then noise.
    Rotated(f32),
    /// Every unit split in two whose inputs add up to its own, and beside each of the teacher's units another that takes
    /// away what it adds; the model says the same, and costs four times as much. Then noise.
    Padded(f32),
    /// The feed-forward layers so far on the way back to the teacher's, and noise of so much on all.
    Returned(f32, f32),
}

impl Disguise {
    /// What the study tries.
    pub(super) const ALL: [Self; 24] = [
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
        Self::Noise(0.3),
        Self::Noise(0.4),
        Self::Quantised(8),
        Self::Quantised(6),
        Self::Quantised(4),
        Self::Everything(0.01),
        Self::Everything(0.03),
        Self::Rotated(0.0),
        Self::Rotated(0.14),
        Self::Padded(0.0),
        Self::Padded(0.14),
        Self::Returned(0.5, 0.0),
        Self::Returned(0.5, 0.1),
        Self::Returned(1.0, 0.1),
    ];

    /// Its name in the table.
    pub(super) fn name(self) -> String {
        match self {
            Self::Noise(share) => format!("noise of {share} sd"),
            Self::Quantised(bits) => format!("quantised to {bits} bits"),
            Self::Permuted => "units and channels permuted".into(),
            Self::Rescaled => "units rescaled, gains folded".into(),
            Self::Everything(share) => format!("permuted, rescaled, noise of {share} sd"),
            Self::Rotated(share) => format!("stream rotated, heads mixed, noise of {share} sd"),
            Self::Padded(share) => format!("split, padded, noise of {share} sd"),
            Self::Returned(way, share) => {
                format!("{way} of the way to the teacher, noise of {share} sd")
            }
        }
    }

    /// The disguised model; `seed` draws noise, order and factors. `teacher` are the weights of its teacher, of the same
    /// widths.
    pub(super) fn of(
        self,
        config: &Config,
        tensors: &Tensors,
        teacher: &Tensors,
        seed: u64,
    ) -> (Config, Tensors) {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let as_it_was = |changed| (config.clone(), changed);
        match self {
            Self::Noise(share) => as_it_was(noisy(tensors, share, &mut rng)),
            Self::Quantised(bits) => as_it_was(each_matrix(tensors, |data, columns| {
                let steps = ((1_u32 << (bits - 1)) - 1) as f32;
                for row in data.chunks_exact_mut(columns) {
                    let largest = row
                        .iter()
                        .fold(0.0_f32, |largest, value| largest.max(value.abs()));
                    let step = (largest / steps).max(f32::MIN_POSITIVE);
                    row.iter_mut()
                        .for_each(|value| *value = (*value / step).round() * step);
                }
            })),
            Self::Permuted => as_it_was(permuted(config, tensors, &mut rng)),
            Self::Rescaled => as_it_was(rescaled(config, tensors, &mut rng)),
            Self::Everything(share) => {
                let moved = rescaled(config, &permuted(config, tensors, &mut rng), &mut rng);
                let mut rng = ChaCha8Rng::seed_from_u64(seed.wrapping_add(1));
                as_it_was(noisy(&moved, share, &mut rng))
            }
            Self::Rotated(share) => {
                // Noise first: afterwards a matrix's deviation is another.
                let noised = noisy(tensors, share, &mut rng);
                let (config, mut turned) = rotated(config, &noised, &mut rng);
                mix_heads(&config, &mut turned, &mut rng);
                (config, turned)
            }
            Self::Padded(share) => {
                padded(config, &noisy(tensors, share, &mut rng), teacher, &mut rng)
            }
            Self::Returned(way, share) => as_it_was(noisy(
                &returned(config, tensors, teacher, way),
                share,
                &mut rng,
            )),
        }
    }
}

/// The mean of several models' weights, with noise on every matrix.
pub(super) fn soup(models: &[Tensors], noise: f32, seed: u64) -> Tensors {
    let mut mean = Tensors::new();
    for (name, tensor) in models.iter().take(1).flat_map(Tensors::iter) {
        let mut tensor = tensor.clone();
        for other in models[1..].iter().filter_map(|model| model.get(name)) {
            for (sum, value) in tensor.data.iter_mut().zip(&other.data) {
                *sum += value;
            }
        }
        let count = models.len() as f32;
        tensor.data.iter_mut().for_each(|value| *value /= count);
        mean.insert(name, tensor);
    }
    noisy(&mean, noise, &mut ChaCha8Rng::seed_from_u64(seed))
}

fn noisy(tensors: &Tensors, share: f32, rng: &mut ChaCha8Rng) -> Tensors {
    each_matrix(tensors, |data, _| {
        let deviation = deviation(data);
        data.iter_mut()
            .for_each(|value| *value += share * deviation * normal(rng));
    })
}

/// The teacher's layer that a student's is taken for: the first, the last, and others evenly between, as students are cut.
fn origin(config: &Config, teacher: &Tensors, layer: usize) -> usize {
    let has = |layer: usize| teacher.get(&feed_forward(layer, "gate_proj")).is_some();
    let layers = (0..).take_while(|layer| has(*layer)).count();
    layer * layers.saturating_sub(1) / config.num_hidden_layers.saturating_sub(1).max(1)
}

fn feed_forward(layer: usize, matrix: &str) -> String {
    format!("model.layers.{layer}.mlp.{matrix}.weight")
}

fn gain(layer: usize) -> String {
    format!("model.layers.{layer}.post_attention_layernorm.weight")
}

fn returned(config: &Config, tensors: &Tensors, teacher: &Tensors, way: f32) -> Tensors {
    let mut changed = tensors.clone();
    for layer in 0..config.num_hidden_layers {
        let from = origin(config, teacher, layer);
        let matrices = ["gate_proj", "up_proj", "down_proj"];
        let names =
            matrices.map(|matrix| (feed_forward(layer, matrix), feed_forward(from, matrix)));
        for (here, there) in names.into_iter().chain([(gain(layer), gain(from))]) {
            let (Some(mut tensor), Some(goal)) = (changed.remove(&here), teacher.get(&there))
            else {
                continue;
            };
            for (value, goal) in tensor.data.iter_mut().zip(&goal.data) {
                *value += way * (goal - *value);
            }
            changed.insert(here, tensor);
        }
    }
    changed
}

/// Four units for each: its input split in two parts, and two of the teacher's that cancel each other.
fn padded(
    config: &Config,
    tensors: &Tensors,
    teacher: &Tensors,
    rng: &mut ChaCha8Rng,
) -> (Config, Tensors) {
    let mut changed = tensors.clone();
    let channels = config.hidden_size;
    for layer in 0..config.num_hidden_layers {
        let from = origin(config, teacher, layer);
        let mut take = |matrix: &str| changed.remove(&feed_forward(layer, matrix));
        let (Some(gate), Some(up), Some(down)) =
            (take("gate_proj"), take("up_proj"), take("down_proj"))
        else {
            continue;
        };
        let there = |matrix: &str| teacher.get(&feed_forward(from, matrix));
        let (Some(t_gate), Some(t_up), Some(t_down)) =
            (there("gate_proj"), there("up_proj"), there("down_proj"))
        else {
            continue;
        };
        let spread = deviation(&up.data);
        let part: Vec<f32> = up.data.iter().map(|_| 2.0 * spread * normal(rng)).collect();
        let rest = up.data.iter().zip(&part).map(|(value, part)| value - part);
        let ups = [
            part.clone(),
            rest.collect(),
            t_up.data.clone(),
            t_up.data.clone(),
        ]
        .concat();
        let gates = [&gate.data[..], &gate.data, &t_gate.data, &t_gate.data].concat();
        let units = config.intermediate_size;
        let mut downs = Vec::with_capacity(4 * down.data.len());
        for (here, there) in down
            .data
            .chunks_exact(units)
            .zip(t_down.data.chunks_exact(units))
        {
            downs.extend(here);
            downs.extend(here);
            downs.extend(there);
            downs.extend(there.iter().map(|value| -value));
        }
        for (matrix, shape, data) in [
            ("gate_proj", vec![4 * units, channels], gates),
            ("up_proj", vec![4 * units, channels], ups),
            ("down_proj", vec![channels, 4 * units], downs),
        ] {
            changed.insert(feed_forward(layer, matrix), HostTensor { shape, data });
        }
    }
    let config = Config {
        intermediate_size: 4 * config.intermediate_size,
        ..config.clone()
    };
    (config, changed)
}

/// A random orthogonal matrix, row by row (Gram and Schmidt).
fn orthogonal(size: usize, rng: &mut ChaCha8Rng) -> Vec<Vec<f32>> {
    let mut rows: Vec<Vec<f32>> = Vec::with_capacity(size);
    while rows.len() < size {
        let mut row: Vec<f32> = (0..size).map(|_| normal(rng)).collect();
        // Twice, as once leaves what rounding does.
        for before in rows.iter().chain(&rows) {
            let along: f32 = row.iter().zip(before).map(|(a, b)| a * b).sum();
            row.iter_mut()
                .zip(before)
                .for_each(|(value, before)| *value -= along * before);
        }
        let length = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|value| *value /= length);
        rows.push(row);
    }
    rows
}

/// A matrix's rows, each multiplied from the right with the transpose of `turn`.
fn turned(tensor: &HostTensor, turn: &[Vec<f32>]) -> HostTensor {
    let dot = |row: &[f32], by: &Vec<f32>| row.iter().zip(by).map(|(a, b)| a * b).sum::<f32>();
    HostTensor {
        shape: tensor.shape.clone(),
        data: tensor
            .data
            .chunks_exact(turn.len())
            .flat_map(|row| turn.iter().map(move |by| dot(row, by)))
            .collect(),
    }
}

fn transposed(tensor: &HostTensor) -> HostTensor {
    let (rows, columns) = (tensor.shape[0], tensor.shape[1]);
    HostTensor {
        shape: vec![columns, rows],
        data: (0..rows * columns)
            .map(|i| tensor.data[i % rows * columns + i / rows])
            .collect(),
    }
}

/// Turns the residual stream; gains move into the matrices behind them, the last one into a head of its own.
fn rotated(config: &Config, tensors: &Tensors, rng: &mut ChaCha8Rng) -> (Config, Tensors) {
    let turn = orthogonal(config.hidden_size, rng);
    let mut changed = rescaled(config, tensors, rng);
    let head = changed
        .remove(HEAD)
        .or_else(|| changed.get(EMBEDDING).cloned());
    if let (Some(mut head), Some(mut gains)) = (head, changed.remove(FINAL_NORM)) {
        for (index, value) in head.data.iter_mut().enumerate() {
            *value *= gains.data[index % gains.data.len()];
        }
        gains.data.fill(1.0);
        changed.insert(HEAD, head);
        changed.insert(FINAL_NORM, gains);
    }
    let mut moved = Tensors::new();
    for (name, tensor) in changed.iter() {
        let writes = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
        let tensor = match tensor.shape.len() {
            2 if writes => transposed(&turned(&transposed(tensor), &turn)),
            2 => turned(tensor, &turn),
            _ => tensor.clone(),
        };
        moved.insert(name, tensor);
    }
    let config = Config {
        tie_word_embeddings: false,
        ..config.clone()
    };
    (config, moved)
}

/// Turns and scales what each head's values are, and takes it back where the output reads them.
fn mix_heads(config: &Config, tensors: &mut Tensors, rng: &mut ChaCha8Rng) {
    let (size, channels) = (config.head_dim, config.hidden_size);
    let group = config.num_attention_heads / config.num_key_value_heads.max(1);
    for layer in 0..config.num_hidden_layers {
        let name = |matrix: &str| format!("model.layers.{layer}.self_attn.{matrix}.weight");
        let (Some(values), Some(output)) = (
            tensors.remove(&name("v_proj")),
            tensors.remove(&name("o_proj")),
        ) else {
            continue;
        };
        let (mut mixed, mut back) = (Vec::new(), Vec::new());
        let by_head = transposed(&output);
        for (head, rows) in values.data.chunks_exact(size * channels).enumerate() {
            let turn = orthogonal(size, rng);
            let scale = rng.random_range(0.5..2.0);
            let mix = |data: &[f32], scale: f32| -> Vec<f32> {
                let rows = HostTensor {
                    shape: vec![size, channels],
                    data: data.to_vec(),
                };
                let mixed = transposed(&turned(&transposed(&rows), &turn)).data;
                mixed.into_iter().map(|value| scale * value).collect()
            };
            mixed.extend(mix(rows, scale));
            let readers = by_head.data.chunks_exact(size * channels);
            for reader in readers.skip(head * group).take(group) {
                back.extend(mix(reader, 1.0 / scale));
            }
        }
        let back = HostTensor {
            shape: by_head.shape,
            data: back,
        };
        tensors.insert(
            name("v_proj"),
            HostTensor {
                data: mixed,
                ..values
            },
        );
        tensors.insert(name("o_proj"), transposed(&back));
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

    fn furthest(a: (&Config, &Tensors), b: (&Config, &Tensors)) -> f32 {
        let text: Vec<u32> = (0..40).map(|i| i * 11 % 64).collect();
        let logits = |(config, tensors): (&Config, &Tensors)| {
            let scorer = Scorer::from_tensors(config, tensors, DeviceChoice::Cpu).unwrap();
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
        let teacher = Tensors::random(&config(), 2);
        for disguise in [
            Disguise::Permuted,
            Disguise::Rescaled,
            Disguise::Rotated(0.0),
            Disguise::Padded(0.0),
        ] {
            let (shape, disguised) = disguise.of(&config(), &model, &teacher, 3);
            assert_ne!(disguised.digest(), model.digest());
            let apart = furthest((&config(), &model), (&shape, &disguised));
            assert!(apart < 1e-3, "{disguise:?}: {apart}");
        }
        for disguise in [
            Disguise::Noise(0.1),
            Disguise::Quantised(4),
            Disguise::Everything(0.1),
            Disguise::Rotated(0.1),
            Disguise::Padded(0.1),
            Disguise::Returned(0.5, 0.0),
        ] {
            let (shape, disguised) = disguise.of(&config(), &model, &teacher, 3);
            let apart = furthest((&config(), &model), (&shape, &disguised));
            assert!(apart > 1e-3, "{disguise:?}: {apart}");
        }
    }
}
