//! Move a decoder's weights along their gradients: AdamW, or Muon for the matrices inside the layers.
//!
//! The updates are burn's, AdamW's in one pass over memory. What this adds is which rule moves which parameter, and clipping by the norm of the whole
//! gradient (burn clips each tensor by its own).

use athanor_model::{
    AdamW, Config, TrainBackend, Transformer,
    tensors::{EMBEDDING, HEAD, expected},
    transformer::parameter_id,
};
use burn::{
    module::ParamId,
    optim::{
        GradientsParams, Muon, MuonConfig, Optimizer, adaptor::OptimizerAdaptor,
        decay::WeightDecayConfig,
    },
    record::{FullPrecisionSettings, NamedMpkBytesRecorder, Recorder, RecorderError},
    tensor::Tensor,
};

use crate::batch::values;

/// Decays of Adam's moments; 0.99 follows a small batch's gradient faster than the usual 0.999.
const BETAS: (f32, f32) = (0.9, 0.99);
/// Added to the root of Adam's second moment.
const EPSILON: f32 = 1e-8;
/// Decoupled decay of Adam's matrices; gains are not decayed.
const DECAY: f32 = 0.05;
/// Decoupled decay of Muon's matrices.
const MUON_DECAY: f32 = 0.02;
/// Rate of Muon's matrices over Adam's.
const MUON_RATIO: f64 = 6.0;

/// Which rule moves the matrices inside the layers; embeddings and gains are always Adam's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// AdamW (Loshchilov and Hutter, 2019).
    AdamW,
    /// Muon (Jordan et al., 2024): on small transformers it needs markedly fewer tokens than Adam alone.
    Muon,
}

/// The state of all parameters.
pub(crate) struct Optimiser<B: TrainBackend> {
    groups: Vec<Group<B>>,
    /// Upper bound of the Euclidean norm of the gradient that Adam sees.
    clip: f32,
}

/// Parameters that move alike.
struct Group<B: TrainBackend> {
    /// Identity and number of dimensions of each.
    parameters: Vec<(ParamId, usize)>,
    /// Their rate over the rate that a step is given.
    ratio: f64,
    state: State<B>,
}

enum State<B: TrainBackend> {
    AdamW(OptimizerAdaptor<AdamW, Transformer<B>, B>),
    Muon(OptimizerAdaptor<Muon<B::InnerBackend>, Transformer<B>, B>),
}

impl<B: TrainBackend> Optimiser<B> {
    /// Fresh state for a decoder.
    pub(crate) fn new(rule: Rule, config: &Config, clip: f32) -> Self {
        let adam = |weight_decay| {
            let adam = AdamW {
                betas: BETAS,
                epsilon: EPSILON,
                weight_decay,
            };
            OptimizerAdaptor::from(adam)
        };
        let group = |ratio, state| Group {
            parameters: Vec::new(),
            ratio,
            state,
        };
        let mut groups = vec![
            group(1.0, State::AdamW(adam(0.0))),
            group(1.0, State::AdamW(adam(DECAY))),
        ];
        // Muon's groups by the matrices' aspect.
        let mut aspects: Vec<(f64, usize)> = Vec::new();
        for (name, shape) in expected(config) {
            let parameter = (parameter_id(&name), shape.len());
            let inner = name != EMBEDDING && name != HEAD;
            let at = match shape[..] {
                [out, input] if inner && rule == Rule::Muon => {
                    let aspect = out as f64 / input as f64;
                    match aspects.iter().find(|(other, _)| *other == aspect) {
                        Some((_, at)) => *at,
                        None => {
                            aspects.push((aspect, groups.len()));
                            groups.push(muon(aspect));
                            groups.len() - 1
                        }
                    }
                }
                [_] => 0,
                _ => 1,
            };
            groups[at].parameters.push(parameter);
        }
        Self { groups, clip }
    }

    /// One update; parameters without a gradient stay as they are.
    pub(crate) fn step(
        &mut self,
        mut model: Transformer<B>,
        mut gradients: GradientsParams,
        rate: f64,
    ) -> Transformer<B> {
        let shrink = self.shrink(&gradients);
        for group in &mut self.groups {
            let mut own = GradientsParams::new();
            let shrink = match group.state {
                State::AdamW(_) => shrink,
                State::Muon(_) => None,
            };
            for &(id, dimensions) in &group.parameters {
                match dimensions {
                    1 => carry::<B, 1>(&mut gradients, &mut own, id, shrink),
                    _ => carry::<B, 2>(&mut gradients, &mut own, id, shrink),
                }
            }
            let rate = rate * group.ratio;
            model = match &mut group.state {
                State::AdamW(adam) => adam.step(rate, model, own),
                State::Muon(muon) => muon.step(rate, model, own),
            };
        }
        model
    }

    /// The moments of all parameters, exactly: each group's record behind its length.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, RecorderError> {
        let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
        let mut bytes = Vec::new();
        for group in &self.groups {
            let record = match &group.state {
                State::AdamW(adam) => {
                    Recorder::<B>::record(&recorder, Optimizer::to_record(adam), ())?
                }
                State::Muon(muon) => {
                    Recorder::<B>::record(&recorder, Optimizer::to_record(muon), ())?
                }
            };
            bytes.extend((record.len() as u64).to_le_bytes());
            bytes.extend(record);
        }
        Ok(bytes)
    }

    /// Takes up moments that [`Self::to_bytes`] wrote for a decoder of the same configuration.
    pub(crate) fn load(&mut self, bytes: &[u8], device: &B::Device) -> Result<(), RecorderError> {
        let recorder = NamedMpkBytesRecorder::<FullPrecisionSettings>::default();
        let short = || RecorderError::Unknown("it ends early".into());
        let mut rest = bytes;
        for group in &mut self.groups {
            let (length, after) = rest.split_first_chunk::<8>().ok_or_else(short)?;
            let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| short())?;
            let (record, after) = after.split_at_checked(length).ok_or_else(short)?;
            rest = after;
            match &mut group.state {
                State::AdamW(adam) => {
                    let record = Recorder::<B>::load(&recorder, record.to_vec(), device)?;
                    *adam = adam.clone().load_record(record);
                }
                State::Muon(muon) => {
                    let record = Recorder::<B>::load(&recorder, record.to_vec(), device)?;
                    *muon = muon.clone().load_record(record);
                }
            }
        }
        Ok(())
    }

    /// What Adam's gradient is multiplied by so that its norm stays below the bound.
    fn shrink(&self, gradients: &GradientsParams) -> Option<f32> {
        let adam = self
            .groups
            .iter()
            .filter(|group| matches!(group.state, State::AdamW(_)));
        let squares = adam
            .flat_map(|group| &group.parameters)
            .filter_map(|&(id, dimensions)| match dimensions {
                1 => square::<B, 1>(gradients, id),
                _ => square::<B, 2>(gradients, id),
            });
        let sum = squares.reduce(|sum, square| sum + square)?;
        let norm = values(sum).first()?.sqrt();
        (norm > self.clip).then(|| self.clip / norm)
    }
}

/// Muon for matrices of one aspect, outputs over inputs.
///
/// The decoder keeps matrices as `[in, out]`, so burn's factor sqrt(max(1, in / out)) is the transpose's; the root of the
/// aspect turns it into sqrt(max(1, out / in)), and leaves the decay as it should be.
fn muon<B: TrainBackend>(aspect: f64) -> Group<B> {
    let root = aspect.sqrt();
    let decay = WeightDecayConfig::new(MUON_DECAY / root as f32);
    let config = MuonConfig::new().with_weight_decay(Some(decay));
    Group {
        parameters: Vec::new(),
        ratio: MUON_RATIO * root,
        state: State::Muon(config.init()),
    }
}

/// Moves one gradient from a set to another, multiplied by `shrink`.
fn carry<B: TrainBackend, const D: usize>(
    from: &mut GradientsParams,
    to: &mut GradientsParams,
    id: ParamId,
    shrink: Option<f32>,
) {
    if let Some(gradient) = from.remove::<B::InnerBackend, D>(id) {
        let gradient = match shrink {
            Some(shrink) => gradient.mul_scalar(shrink),
            None => gradient,
        };
        to.register(id, gradient);
    }
}

/// The sum of the squares of one gradient. Row by row first: burn adds up a tensor of millions in an order that depends on
/// the threads.
fn square<B: TrainBackend, const D: usize>(
    gradients: &GradientsParams,
    id: ParamId,
) -> Option<Tensor<B::InnerBackend, 1>> {
    let gradient = gradients.get::<B::InnerBackend, D>(id)?;
    Some(gradient.square().sum_dim(D - 1).sum())
}

#[cfg(test)]
mod tests;
