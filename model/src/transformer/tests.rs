//! The decoder against a plain scalar implementation of the same formulas.

use burn::tensor::Distribution;
use burn_flex::{Flex, FlexDevice};

use super::*;
use crate::config::tests::tiny;

/// Logits `[time][vocab]` computed one number at a time in f64, straight from the file's layout.
pub(crate) fn reference(config: &Config, tensors: &Tensors, tokens: &[u32]) -> Vec<Vec<f64>> {
    let get = |name: String| tensors.get(&name).unwrap();
    let product = |name: String, x: &[f64]| -> Vec<f64> {
        let weight = get(name);
        let width = weight.shape[1];
        weight
            .data
            .chunks_exact(width)
            .map(|row| row.iter().zip(x).map(|(w, x)| f64::from(*w) * x).sum())
            .collect()
    };
    let norm = |name: String, x: &[f64]| -> Vec<f64> {
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let scale = (mean + f64::from(config.rms_norm_eps)).sqrt().recip();
        let gain = &get(name).data;
        x.iter()
            .zip(gain)
            .map(|(x, g)| x * scale * f64::from(*g))
            .collect()
    };
    let width = config.head_dim;
    let rotate = |x: &mut [f64], position: usize| {
        for head in x.chunks_exact_mut(width) {
            for i in 0..width / 2 {
                let frequency = f64::from(config.rope_theta).powf(-2.0 * i as f64 / width as f64);
                let (sin, cos) = (position as f64 * frequency).sin_cos();
                let (a, b) = (head[i], head[i + width / 2]);
                head[i] = a * cos - b * sin;
                head[i + width / 2] = b * cos + a * sin;
            }
        }
    };
    let embedding = get(EMBEDDING.into());
    let mut xs: Vec<Vec<f64>> = tokens
        .iter()
        .map(|&token| {
            let start = token as usize * config.hidden_size;
            let row = &embedding.data[start..start + config.hidden_size];
            row.iter().map(|&x| f64::from(x)).collect()
        })
        .collect();
    let group = config.num_attention_heads / config.num_key_value_heads;
    for layer in 0..config.num_hidden_layers {
        let name = |rest: &str| format!("model.layers.{layer}.{rest}.weight");
        let (mut keys, mut values) = (Vec::new(), Vec::new());
        for (position, x) in xs.iter_mut().enumerate() {
            let h = norm(name("input_layernorm"), x);
            let mut q = product(name("self_attn.q_proj"), &h);
            let mut k = product(name("self_attn.k_proj"), &h);
            rotate(&mut q, position);
            rotate(&mut k, position);
            keys.push(k);
            values.push(product(name("self_attn.v_proj"), &h));
            let mut mixed = Vec::new();
            for (head, q) in q.chunks_exact(width).enumerate() {
                let from = head / group * width;
                let scores: Vec<f64> = keys
                    .iter()
                    .map(|k| {
                        let dot: f64 = q.iter().zip(&k[from..]).map(|(a, b)| a * b).sum();
                        (dot / (width as f64).sqrt()).exp()
                    })
                    .collect();
                let total: f64 = scores.iter().sum();
                mixed.extend((0..width).map(|i| {
                    let weighted = scores.iter().zip(&values).map(|(s, v)| s * v[from + i]);
                    weighted.sum::<f64>() / total
                }));
            }
            let out = product(name("self_attn.o_proj"), &mixed);
            x.iter_mut().zip(out).for_each(|(x, o)| *x += o);
            let h = norm(name("post_attention_layernorm"), x);
            let gate = product(name("mlp.gate_proj"), &h);
            let up = product(name("mlp.up_proj"), &h);
            let inner: Vec<f64> = gate
                .iter()
                .zip(up)
                .map(|(g, u)| g / (1.0 + (-g).exp()) * u)
                .collect();
            let out = product(name("mlp.down_proj"), &inner);
            x.iter_mut().zip(out).for_each(|(x, o)| *x += o);
        }
    }
    let head = if config.tie_word_embeddings {
        EMBEDDING
    } else {
        HEAD
    };
    xs.iter()
        .map(|x| product(head.into(), &norm(FINAL_NORM.into(), x)))
        .collect()
}

/// Weights large enough that every part of the decoder matters in its logits.
pub(crate) fn lively(config: &Config, seed: u64) -> Tensors {
    let mut tensors = Tensors::random(config, seed);
    let names: Vec<String> = tensors.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let mut tensor = tensors.remove(&name).unwrap();
        if tensor.shape.len() == 2 {
            tensor.data.iter_mut().for_each(|x| *x *= 12.0);
        } else {
            let gains = tensor.data.iter_mut().enumerate();
            gains.for_each(|(i, x)| *x += 0.3 * (i as f32).sin());
        }
        tensors.insert(name, tensor);
    }
    tensors
}

fn check_against_reference(config: &Config) {
    let tensors = lively(config, 3);
    let device = FlexDevice;
    let model = Transformer::<Flex>::from_tensors(config, &tensors, &device).unwrap();
    let rows: [Vec<u32>; 2] = [
        (0..17).map(|i| i * 7 % 50).collect(),
        (0..17).map(|i| (i * 11 + 3) % 50).collect(),
    ];
    let flat: Vec<i32> = rows.iter().flatten().map(|&t| t as i32).collect();
    let tokens = Tensor::<Flex, 2, Int>::from_data(TensorData::new(flat, [2, 17]), &device);
    let logits: Vec<f32> = model.forward(tokens).into_data().into_vec().unwrap();
    let mut largest = 0.0f64;
    for (row, tokens) in rows.iter().enumerate() {
        for (position, expected) in reference(config, &tensors, tokens).iter().enumerate() {
            for (v, expected) in expected.iter().enumerate() {
                let found = f64::from(logits[(row * 17 + position) * config.vocab_size + v]);
                largest = largest.max(expected.abs());
                assert!(
                    (found - expected).abs() < 1e-3,
                    "row {row} position {position} token {v}: {found} against {expected}"
                );
            }
        }
    }
    assert!(largest > 1.0, "the weights must make visible logits");
}

#[test]
fn grouped_heads_and_tied_embeddings_match_the_scalar_reference() {
    check_against_reference(&tiny());
}

#[test]
fn a_separate_head_and_ungrouped_heads_match_the_scalar_reference() {
    check_against_reference(&Config {
        tie_word_embeddings: false,
        num_key_value_heads: 4,
        head_dim: 8,
        rope_theta: 500.0,
        ..tiny()
    });
}

#[test]
fn one_key_head_for_all_queries_matches_the_scalar_reference() {
    check_against_reference(&Config {
        num_key_value_heads: 1,
        ..tiny()
    });
}

#[test]
fn weights_come_back_from_the_device_as_they_went() {
    for tie_word_embeddings in [true, false] {
        let config = Config {
            tie_word_embeddings,
            ..tiny()
        };
        let tensors = lively(&config, 5);
        let model = Transformer::<Flex>::from_tensors(&config, &tensors, &FlexDevice).unwrap();
        assert_eq!(model.to_tensors(), tensors);
    }
}

#[test]
fn packed_sequences_have_the_logits_of_each_alone() {
    let config = tiny();
    let model = Transformer::<Flex>::from_tensors(&config, &lively(&config, 3), &FlexDevice);
    let model = model.unwrap();
    let run = |rows: &[&[i32]]| -> Vec<f32> {
        let lengths: Vec<usize> = rows.iter().map(|row| row.len()).collect();
        let tokens = rows.concat();
        let count = tokens.len();
        let tokens =
            Tensor::<Flex, 1, Int>::from_data(TensorData::new(tokens, [count]), &FlexDevice);
        let hidden = model.hidden_of(tokens, &Sequences::new(lengths));
        model.logits(hidden).into_data().into_vec().unwrap()
    };
    let rows: [&[i32]; 3] = [&[3, 1, 4, 1, 5, 9], &[2], &[6, 5, 35]];
    let packed = run(&rows);
    let alone: Vec<f32> = rows.iter().flat_map(|row| run(&[row])).collect();
    assert_eq!(packed.len(), alone.len());
    for (a, b) in packed.iter().zip(&alone) {
        assert!((a - b).abs() < 1e-4, "{a} and {b}");
    }
}

/// Rotations of the attention that has no model around it.
fn table() -> RopeTable {
    RopeTable::new(&Config {
        head_dim: 6,
        rope_theta: 100.0,
        max_position_embeddings: 16,
        ..tiny()
    })
}

#[test]
fn attention_composed_of_operations_is_the_fused_one_whatever_the_lengths() {
    let table = table();
    let cases = [
        (vec![5, 5], None),
        (vec![3, 1, 6], None),
        (vec![3, 1, 6], Some(2)),
        (vec![10], Some(1)),
    ];
    for (lengths, window) in cases {
        let shape = AttentionShape {
            sequences: Sequences::new(lengths),
            heads: 4,
            key_heads: 2,
            head_dim: 6,
            window,
        };
        let inputs = [24, 12, 12].map(|width| {
            let data: Vec<f32> = (0..10 * width)
                .map(|i| (i as f32 * 0.37 * width as f32).sin())
                .collect();
            Tensor::<Flex, 2>::from_data(TensorData::new(data, [10, width]), &FlexDevice)
        });
        let [q, k, v] = inputs.clone();
        let fused = Flex::causal_attention(q, k, v, &table, shape.clone());
        let [q, k, v] = inputs;
        let composed = crate::backend::composed_attention(q, k, v, &table, shape);
        let largest = (fused - composed).abs().max().into_scalar();
        assert!(largest < 1e-5, "{largest}");
    }
}

#[test]
fn a_decoder_of_some_layers_is_the_decoder_that_has_no_others() {
    let config = Config {
        num_hidden_layers: 3,
        ..tiny()
    };
    let tensors = lively(&config, 3);
    let model = Transformer::<Flex>::from_tensors(&config, &tensors, &FlexDevice).unwrap();
    let mut fewer = Tensors::new();
    for (name, tensor) in tensors.iter() {
        match name.strip_prefix("model.layers.") {
            Some(rest) if rest.starts_with("1.") => {}
            Some(rest) if rest.starts_with("2.") => fewer.insert(
                format!("model.layers.1.{}", rest.trim_start_matches("2.")),
                tensor.clone(),
            ),
            _ => fewer.insert(name, tensor.clone()),
        }
    }
    let subset = model.with_layers(&[0, 2]);
    assert_eq!(subset.config().num_hidden_layers, 2);
    assert_eq!(subset.to_tensors(), fewer);
}

#[test]
fn a_tensor_that_is_missing_is_named_when_the_model_is_built() {
    let mut tensors = lively(&tiny(), 5);
    tensors.remove("model.layers.1.mlp.up_proj.weight");
    let error = Transformer::<Flex>::from_tensors(&tiny(), &tensors, &FlexDevice).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("model.layers.1.mlp.up_proj.weight")
    );
}

mod gradients {
    //! The gradients of every operation against finite differences of itself.

    use burn::backend::Autodiff;

    use super::*;

    type Train = Autodiff<Flex>;

    /// Compares the gradient of `sum(f(inputs) * noise)` in each input with central differences.
    fn check(shapes: &[[usize; 2]], f: impl Fn(&[Tensor<Train, 2>]) -> Tensor<Train, 2>) {
        let device = FlexDevice;
        let inputs: Vec<Vec<f32>> = shapes
            .iter()
            .enumerate()
            .map(|(k, [n, m])| {
                (0..n * m)
                    .map(|i| ((i * 37 + k * 101) as f32 * 0.7).sin() * 1.3)
                    .collect()
            })
            .collect();
        let tensor = |k: usize, data: &[f32]| {
            Tensor::<Train, 2>::from_data(TensorData::new(data.to_vec(), shapes[k]), &device)
        };
        let value = |tensors: &[Tensor<Train, 2>]| {
            let out = f(tensors);
            let [n, m] = out.dims();
            let noise: Vec<f32> = (0..n * m).map(|i| (i as f32 * 1.7).cos()).collect();
            (out * Tensor::from_data(TensorData::new(noise, [n, m]), &device)).sum()
        };
        let tracked: Vec<_> = inputs
            .iter()
            .enumerate()
            .map(|(k, data)| tensor(k, data).require_grad())
            .collect();
        let grads = value(&tracked).backward();
        for (k, input) in inputs.iter().enumerate() {
            let grad: Vec<f32> = tracked[k]
                .grad(&grads)
                .unwrap()
                .into_data()
                .into_vec()
                .unwrap();
            for i in (0..input.len()).step_by(3) {
                let shifted = |by: f32| -> f64 {
                    let tensors: Vec<_> = inputs
                        .iter()
                        .enumerate()
                        .map(|(j, data)| {
                            let mut data = data.clone();
                            if j == k {
                                data[i] += by;
                            }
                            tensor(j, &data)
                        })
                        .collect();
                    f64::from(value(&tensors).into_scalar())
                };
                let step = 1e-2;
                let expected = (shifted(step) - shifted(-step)) / (2.0 * f64::from(step));
                let found = f64::from(grad[i]);
                assert!(
                    (found - expected).abs() < 5e-3 * (1.0 + expected.abs()),
                    "input {k} element {i}: {found} against {expected}"
                );
            }
        }
    }

    #[test]
    fn of_the_normalisation() {
        check(&[[5, 12], [1, 12]], |t| {
            <Train as ModelBackend>::rms_norm(t[0].clone(), t[1].clone().squeeze::<1>(), 1e-5)
        });
    }

    #[test]
    fn of_the_gated_unit() {
        check(&[[5, 12], [5, 12]], |t| {
            <Train as ModelBackend>::swiglu(t[0].clone(), t[1].clone())
        });
    }

    #[test]
    fn of_the_log_probabilities() {
        check(&[[5, 21]], |t| {
            <Train as ModelBackend>::log_probabilities(t[0].clone())
        });
    }

    #[test]
    fn of_causal_attention_with_grouped_heads() {
        let table = table();
        let cases = [
            (Sequences::equal(2, 5), None),
            (Sequences::new(vec![3, 1, 6]), None),
            (Sequences::new(vec![3, 1, 6]), Some(2)),
        ];
        for (sequences, window) in cases {
            let shape = AttentionShape {
                sequences,
                heads: 4,
                key_heads: 2,
                head_dim: 6,
                window,
            };
            check(&[[10, 24], [10, 12], [10, 12]], |t| {
                <Train as ModelBackend>::causal_attention(
                    t[0].clone(),
                    t[1].clone(),
                    t[2].clone(),
                    &table,
                    shape.clone(),
                )
            });
        }
    }

    #[test]
    fn reach_every_weight_of_the_decoder() {
        let model = Transformer::<Train>::random(&tiny(), 1, &FlexDevice);
        let tokens =
            Tensor::<Train, 2, Int>::random([2, 9], Distribution::Uniform(0.0, 49.0), &FlexDevice);
        let grads = model.forward(tokens).powf_scalar(2.0).sum().backward();
        let reached = burn::optim::GradientsParams::from_grads(grads, &model).len();
        assert_eq!(reached, crate::tensors::expected(&tiny()).count());
    }
}
