//! The fused steps with their gradients, as operations of burn's automatic differentiation.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::tensor::{Tensor, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

use super::{
    Attended, attention, contiguous, dims, log_probabilities, matrix, new, product, readable,
    rms_norm, rows_of, swiglu, values,
};
use crate::backend::{AttentionShape, ModelBackend};
use crate::kernels::aligned::zeros;
use crate::kernels::{
    self, over_rows, over_sequences,
    parallel::{self, Shared},
};
use crate::transformer::rope::RopeTable;

/// Records one operation: its parents, its output, and what its gradient needs.
macro_rules! record {
    ($op:expr, $strategy:ty, [$($parent:expr),+], $state:expr, $output:expr) => {
        match $op.prepare::<$strategy>([$($parent.node.clone()),+]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish($state, $output),
            OpsKind::UnTracked(prep) => prep.finish($output),
        }
    };
}

impl<C: CheckpointStrategy> ModelBackend for Autodiff<Flex, C> {
    fn rms_norm(x: Tensor<Self, 2>, gain: Tensor<Self, 1>, eps: f32) -> Tensor<Self, 2> {
        let (x, gain) = (x.into_primitive().tensor(), gain.into_primitive().tensor());
        let inputs = (contiguous(x.primitive), contiguous(gain.primitive));
        let (out, scales) = rms_norm(&inputs.0, &inputs.1, eps);
        let state = Normalised {
            x: inputs.0,
            gain: inputs.1,
            scales,
        };
        wrap(record!(RmsNorm, C, [x, gain], state, out))
    }

    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        let (gate, up) = (gate.into_primitive().tensor(), up.into_primitive().tensor());
        let inputs = (contiguous(gate.primitive), contiguous(up.primitive));
        let out = swiglu(&inputs.0, &inputs.1);
        wrap(record!(SwiGlu, C, [gate, up], inputs, out))
    }

    fn project(x: Tensor<Self, 2>, weights: Tensor<Self, 2>) -> Tensor<Self, 2> {
        let [x, weights] = [x, weights].map(|tensor| tensor.into_primitive().tensor());
        let inputs = (contiguous(x.primitive), readable(weights.primitive));
        let out = product(matrix(&inputs.0), matrix(&inputs.1));
        wrap(record!(Linear, C, [x, weights], inputs, out))
    }

    fn log_probabilities(logits: Tensor<Self, 2>) -> Tensor<Self, 2> {
        let logits = logits.into_primitive().tensor();
        let out = log_probabilities(&contiguous(logits.primitive));
        wrap(record!(LogProbabilities, C, [logits], out.clone(), out))
    }

    fn causal_attention(
        q: Tensor<Self, 2>,
        k: Tensor<Self, 2>,
        v: Tensor<Self, 2>,
        table: &RopeTable,
        shape: AttentionShape,
    ) -> Tensor<Self, 2> {
        let [q, k, v] = [q, k, v].map(|tensor| tensor.into_primitive().tensor());
        let inputs = [q.primitive, k.primitive, v.primitive].map(contiguous);
        let (out, attended) = attention(inputs, table, shape);
        wrap(record!(Attention, C, [q, k, v], attended, out))
    }
}

fn wrap<C: CheckpointStrategy, const D: usize>(
    tensor: burn::tensor::ops::FloatTensor<Autodiff<Flex, C>>,
) -> Tensor<Autodiff<Flex, C>, D> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

/// Hands each parent that wants it its gradient.
fn register<S, const N: usize>(ops: Ops<S, N>, grads: &mut Gradients, values: [FlexTensor; N]) {
    for (parent, value) in ops.parents.into_iter().zip(values) {
        if let Some(parent) = parent {
            grads.register::<Flex>(parent.id, value);
        }
    }
}

#[derive(Debug)]
struct RmsNorm;

#[derive(Clone, Debug)]
struct Normalised {
    x: FlexTensor,
    gain: FlexTensor,
    scales: Vec<f32>,
}

impl Backward<Flex, 2> for RmsNorm {
    type State = Normalised;

    fn backward(self, ops: Ops<Normalised, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let Normalised { x, gain, scales } = &ops.state;
        let [rows, width] = dims(x);
        let mut dx = zeros(rows * width);
        let mut dgain = zeros(width);
        kernels::norm::backward(
            values(x),
            values(gain),
            scales,
            values(&dy),
            &mut dx,
            &mut dgain,
        );
        register(ops, grads, [new(dx, [rows, width]), new(dgain, [width])]);
    }
}

#[derive(Debug)]
struct SwiGlu;

impl Backward<Flex, 2> for SwiGlu {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let [rows, width] = dims(&dy);
        let mut outs = [zeros(rows * width), zeros(rows * width)];
        let (gate, up, dy) = (values(&ops.state.0), values(&ops.state.1), values(&dy));
        let [dgate, dup] = &mut outs;
        over_rows(rows, 3 * width, [dgate, dup], |range, [dgate, dup]| {
            let part = range.start * width..range.end * width;
            let (gate, up) = (&gate[part.clone()], &up[part.clone()]);
            kernels::swiglu::backward(gate, up, &dy[part], dgate, dup);
        });
        register(ops, grads, outs.map(|out| new(out, [rows, width])));
    }
}

#[derive(Debug)]
struct Linear;

impl Backward<Flex, 2> for Linear {
    type State = (FlexTensor, FlexTensor);

    fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let (x, weights) = (matrix(&ops.state.0), matrix(&ops.state.1));
        let [for_x, for_weights] = ops.parents;
        if let Some(parent) = for_x {
            let dx = product(matrix(&dy), weights.transpose());
            grads.register::<Flex>(parent.id, dx);
        }
        if let Some(parent) = for_weights {
            let dw = product(x.transpose(), matrix(&dy));
            grads.register::<Flex>(parent.id, dw);
        }
    }
}

#[derive(Debug)]
struct LogProbabilities;

impl Backward<Flex, 1> for LogProbabilities {
    type State = FlexTensor;

    fn backward(self, ops: Ops<FlexTensor, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let [rows, width] = dims(&dy);
        let mut dx = zeros(rows * width);
        let (out, dy) = (values(&ops.state), values(&dy));
        over_rows(rows, 2 * width, [&mut dx], |range, [dx]| {
            let part = range.start * width..range.end * width;
            kernels::log_softmax::backward(&out[part.clone()], width, &dy[part], dx);
        });
        register(ops, grads, [new(dx, [rows, width])]);
    }
}

#[derive(Debug)]
struct Attention;

impl Backward<Flex, 3> for Attention {
    type State = Attended;

    fn backward(self, ops: Ops<Attended, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
        let dy = contiguous(grads.consume::<Flex>(&ops.node));
        let Attended {
            shape,
            table,
            q,
            k,
            v,
            probabilities,
        } = &ops.state;
        let (q_width, k_width) = shape.widths();
        let rows = shape.sequences.rows();
        let mut outs = [q_width, k_width, k_width].map(|width| zeros(rows * width));
        let [dq, dk, dv] = &mut outs;
        let (q, k, v) = (values(q), values(k), values(v));
        let (probabilities, dy) = (values(probabilities), values(&dy));
        let offsets: Vec<usize> = shape.offsets().into_values().collect();
        let ranges = shape.sequences.filled();
        let gradients = [&mut *dq, &mut *dk, &mut *dv].map(|values| Shared::new(values));
        parallel::over(ranges.len() * shape.key_heads, 2 * shape.cost(), |items| {
            for item in items {
                let (sequence, key_head) = (item / shape.key_heads, item % shape.key_heads);
                let range = &ranges[sequence];
                let inputs = [
                    rows_of(q, range, q_width),
                    rows_of(k, range, k_width),
                    rows_of(v, range, k_width),
                ];
                let [dq, dk, dv] = gradients;
                // SAFETY: a key head's part of the sequence's rows is its own, and so are its query heads' parts.
                unsafe {
                    let gradients = [
                        dq.from(range.start * q_width),
                        dk.from(range.start * k_width),
                        dv.from(range.start * k_width),
                    ];
                    kernels::attention::backward(
                        shape.extent(range.len()),
                        key_head,
                        inputs,
                        &probabilities[offsets[sequence]..],
                        rows_of(dy, range, q_width),
                        gradients,
                    );
                }
            }
        });
        over_sequences(
            &shape.sequences,
            rows * (q_width + k_width),
            [&mut *dq, &mut *dk],
            |time| [time * q_width, time * k_width],
            |range, [dq, dk]| {
                kernels::rope::rotate_back(dq, q_width, table, range.len());
                kernels::rope::rotate_back(dk, k_width, table, range.len());
            },
        );
        let widths = [q_width, k_width, k_width];
        let [dq, dk, dv] = outs;
        let grads_of = [(dq, widths[0]), (dk, widths[1]), (dv, widths[2])]
            .map(|(data, width)| new(data, [rows, width]));
        register(ops, grads, grads_of);
    }
}
