//! What a copier can do to weights without changing what the model says does not change the distance.

use rand::{Rng, RngCore, seq::SliceRandom};

use super::*;

const VOCABULARY: usize = 96;
pub(in crate::similarity) const CHANNELS: usize = 24;
pub(in crate::similarity) const UNITS: usize = 40;

/// A small model.
#[derive(Clone)]
pub(in crate::similarity) struct Owned {
    embedding: Vec<f32>,
    final_gain: Vec<f32>,
    pub(in crate::similarity) layers: Vec<OwnedLayer>,
}

#[derive(Clone)]
pub(in crate::similarity) struct OwnedLayer {
    gain: Vec<f32>,
    pub(in crate::similarity) gate: Vec<f32>,
    pub(in crate::similarity) up: Vec<f32>,
    pub(in crate::similarity) down: Vec<f32>,
}

impl Owned {
    pub(in crate::similarity) fn random(seed: u64, layers: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draws = |count: usize| (0..count).map(|_| normal(&mut rng)).collect::<Vec<_>>();
        Self {
            embedding: draws(VOCABULARY * CHANNELS),
            final_gain: draws(CHANNELS).iter().map(|g| 1.0 + 0.1 * g).collect(),
            layers: (0..layers)
                .map(|_| OwnedLayer {
                    gain: draws(CHANNELS).iter().map(|g| 1.0 + 0.1 * g).collect(),
                    gate: draws(UNITS * CHANNELS),
                    up: draws(UNITS * CHANNELS),
                    down: draws(CHANNELS * UNITS),
                })
                .collect(),
        }
    }

    /// What `see` makes of its weights.
    pub(in crate::similarity) fn seen<T>(&self, see: impl Fn(&ModelWeights<'_>) -> Option<T>) -> T {
        let matrix = |data, rows, columns| Matrix {
            rows,
            columns,
            data,
        };
        let embedding = Matrix {
            rows: VOCABULARY,
            columns: CHANNELS,
            data: &self.embedding,
        };
        let layers = self.layers.iter().map(|layer| {
            let units = layer.gate.len() / CHANNELS;
            FeedForward {
                gain: &layer.gain,
                gate: matrix(&layer.gate, units, CHANNELS),
                up: matrix(&layer.up, units, CHANNELS),
                down: matrix(&layer.down, CHANNELS, units),
            }
        });
        let model = ModelWeights {
            embedding,
            head: embedding,
            final_gain: &self.final_gain,
            layers: layers.collect(),
        };
        see(&model).expect("the shapes fit")
    }

    fn signature(&self) -> Signature {
        self.seen(|model| Signature::of(model, 5))
    }

    pub(in crate::similarity) fn noised(mut self, sd: f32, rng: &mut impl RngCore) -> Self {
        for layer in &mut self.layers {
            for value in layer
                .gate
                .iter_mut()
                .chain(&mut layer.up)
                .chain(&mut layer.down)
            {
                *value += sd * normal(rng);
            }
        }
        self
    }

    pub(in crate::similarity) fn permuted_units(mut self, rng: &mut impl RngCore) -> Self {
        for layer in &mut self.layers {
            let mut order: Vec<usize> = (0..UNITS).collect();
            order.shuffle(rng);
            let rows = |data: &[f32]| -> Vec<f32> {
                order
                    .iter()
                    .flat_map(|u| data[u * CHANNELS..(u + 1) * CHANNELS].to_vec())
                    .collect()
            };
            (layer.gate, layer.up) = (rows(&layer.gate), rows(&layer.up));
            layer.down = (0..CHANNELS * UNITS)
                .map(|i| layer.down[i / UNITS * UNITS + order[i % UNITS]])
                .collect();
        }
        self
    }

    pub(in crate::similarity) fn permuted_channels(mut self, rng: &mut impl RngCore) -> Self {
        let mut order: Vec<usize> = (0..CHANNELS).collect();
        order.shuffle(rng);
        let columns = |data: &[f32]| -> Vec<f32> {
            (0..data.len())
                .map(|i| data[i / CHANNELS * CHANNELS + order[i % CHANNELS]])
                .collect()
        };
        self.embedding = columns(&self.embedding);
        self.final_gain = columns(&self.final_gain);
        for layer in &mut self.layers {
            layer.gain = columns(&layer.gain);
            (layer.gate, layer.up) = (columns(&layer.gate), columns(&layer.up));
            layer.down = order
                .iter()
                .flat_map(|c| layer.down[c * UNITS..(c + 1) * UNITS].to_vec())
                .collect();
        }
        self
    }

    /// Inputs up and outputs down, some with the other sign; the gain moves into the matrices behind it.
    pub(in crate::similarity) fn rescaled(mut self, rng: &mut impl RngCore) -> Self {
        for layer in &mut self.layers {
            for unit in 0..UNITS {
                let factor = rng.random_range(0.2..5.0) * if rng.random() { 1.0 } else { -1.0 };
                for channel in 0..CHANNELS {
                    layer.up[unit * CHANNELS + channel] *= factor;
                    layer.down[channel * UNITS + unit] /= factor;
                }
            }
            for i in 0..UNITS * CHANNELS {
                layer.gate[i] *= layer.gain[i % CHANNELS];
                layer.up[i] *= layer.gain[i % CHANNELS];
            }
            layer.gain.fill(1.0);
        }
        self
    }

    fn distance(&self, earlier: &Self) -> f64 {
        distance(&self.signature(), &earlier.signature(), 1).expect("both have units")
    }
}

#[test]
fn disguises_that_change_nothing_do_not_change_the_distance() {
    let (model, mut rng) = (Owned::random(1, 2), ChaCha8Rng::seed_from_u64(9));
    let disguised = model
        .clone()
        .permuted_units(&mut rng)
        .rescaled(&mut rng)
        .permuted_channels(&mut rng);
    assert!(
        disguised.distance(&model) < 1e-4,
        "{}",
        disguised.distance(&model)
    );
    let mut turned = model.clone();
    turned.layers.reverse();
    assert!(turned.distance(&model) < 1e-4);
    let cut = Owned {
        layers: model.layers[..1].to_vec(),
        ..model.clone()
    };
    assert!(
        cut.distance(&model) < 1e-4,
        "a copy of some layers is a copy"
    );
}

#[test]
fn distance_grows_with_noise_and_is_largest_between_strangers() {
    let (model, mut rng) = (Owned::random(1, 2), ChaCha8Rng::seed_from_u64(9));
    let near = model
        .clone()
        .noised(0.1, &mut rng)
        .permuted_units(&mut rng)
        .distance(&model);
    let far = model
        .clone()
        .noised(0.5, &mut rng)
        .permuted_units(&mut rng)
        .distance(&model);
    let stranger = Owned {
        embedding: model.embedding.clone(),
        ..Owned::random(2, 2)
    };
    let strange = stranger.distance(&model);
    assert!(
        0.0 < near && near < far && far < strange,
        "{near} {far} {strange}"
    );
    assert!(strange > 0.4, "{strange}");
}

#[test]
fn shapes_that_do_not_fit_give_no_signature() {
    let model = Owned::random(1, 1);
    let matrix = Matrix {
        rows: VOCABULARY,
        columns: CHANNELS,
        data: &model.embedding,
    };
    let short = Matrix {
        rows: VOCABULARY + 1,
        ..matrix
    };
    let whole = ModelWeights {
        embedding: matrix,
        head: matrix,
        final_gain: &model.final_gain,
        layers: Vec::new(),
    };
    let empty = Signature::of(&whole, 5).expect("a model may have no layers");
    assert_eq!(distance(&empty, &model.signature(), 1), None);
    assert!(
        Signature::of(
            &ModelWeights {
                embedding: short,
                ..whole.clone()
            },
            5
        )
        .is_none()
    );
    assert!(
        Signature::of(
            &ModelWeights {
                final_gain: &[],
                ..whole
            },
            5
        )
        .is_none()
    );
}
