//! The decoder's fused steps on the CPU: each is one pass over memory where composed operations would make many.

mod training;

use std::{ops::Range, sync::Arc};

use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

use crate::backend::{AttentionShape, ModelBackend};
use crate::decode::cpu::{CpuDecoder, CpuWeights};
use crate::decoding::Caches;
use crate::kernels::aligned::zeros;
use crate::kernels::{
    self,
    adamw::Update,
    attention::Extent,
    over_rows, over_sequences,
    packed::WeightFormat,
    parallel::{self, Shared},
    product::Matrix,
};
use crate::tensors::TensorsError;
use crate::transformer::{Transformer, rope::RopeTable};

impl ModelBackend for Flex {
    fn rms_norm(x: Tensor<Self, 2>, gain: Tensor<Self, 1>, eps: f32) -> Tensor<Self, 2> {
        let (x, gain) = (primitive(x), primitive(gain));
        wrap(rms_norm(&x, &gain, eps).0)
    }

    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        wrap(swiglu(&primitive(gate), &primitive(up)))
    }

    fn project(x: Tensor<Self, 2>, weights: Tensor<Self, 2>) -> Tensor<Self, 2> {
        let weights = weights.into_primitive().tensor();
        wrap(product(matrix(&primitive(x)), matrix(&readable(weights))))
    }

    fn adamw<const D: usize>(
        update: &Update,
        weights: Tensor<Self, D>,
        gradient: Tensor<Self, D>,
        [first, second]: [Tensor<Self, D>; 2],
    ) -> (Tensor<Self, D>, [Tensor<Self, D>; 2]) {
        let moments = [first, second].map(primitive);
        let (weights, moments) = adamw(update, primitive(weights), &primitive(gradient), moments);
        (wrap(weights), moments.map(wrap))
    }

    fn log_probabilities(logits: Tensor<Self, 2>) -> Tensor<Self, 2> {
        wrap(log_probabilities(&primitive(logits)))
    }

    fn causal_attention(
        q: Tensor<Self, 2>,
        k: Tensor<Self, 2>,
        v: Tensor<Self, 2>,
        table: &RopeTable,
        shape: AttentionShape,
    ) -> Tensor<Self, 2> {
        let inputs = [primitive(q), primitive(k), primitive(v)];
        wrap(attention(inputs, table, shape).0)
    }

    fn caches(
        model: &Transformer<Self>,
        slots: usize,
        max_context: usize,
    ) -> Result<Caches, TensorsError> {
        let weights = Arc::new(CpuWeights::new(
            model.config(),
            &model.to_tensors(),
            WeightFormat::F32,
        )?);
        Ok(Caches(Box::new(CpuDecoder::new(
            weights,
            slots,
            max_context,
        ))))
    }
}

/// The tensor's storage, rows one after the other.
fn primitive<const D: usize>(tensor: Tensor<Flex, D>) -> FlexTensor {
    contiguous(tensor.into_primitive().tensor())
}

fn contiguous(tensor: FlexTensor) -> FlexTensor {
    match tensor.is_contiguous() {
        true => tensor,
        false => tensor.to_contiguous(),
    }
}

fn wrap<const D: usize>(tensor: FlexTensor) -> Tensor<Flex, D> {
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

/// The values of a tensor that [`contiguous`] passed.
fn values(tensor: &FlexTensor) -> &[f32] {
    let (start, end) = offsets(tensor);
    &tensor.storage()[start..end]
}

/// The tensor with strides that [`matrix`] can follow.
fn readable(tensor: FlexTensor) -> FlexTensor {
    match tensor.layout().strides().iter().all(|&stride| stride >= 0) {
        true => tensor,
        false => tensor.to_contiguous(),
    }
}

/// A matrix as it lies in memory, transposed or not.
fn matrix(tensor: &FlexTensor) -> Matrix<'_> {
    let layout = tensor.layout();
    let [rows, columns] = dims(tensor);
    let [row, column] = [0, 1].map(|dimension| layout.strides()[dimension].unsigned_abs());
    Matrix {
        data: &tensor.storage()[layout.start_offset()..],
        rows,
        columns,
        row,
        column,
    }
}

fn product(a: Matrix<'_>, b: Matrix<'_>) -> FlexTensor {
    let mut out = zeros(a.rows * b.columns);
    kernels::product::product(a, b, &mut out);
    new(out, [a.rows, b.columns])
}

/// The new weights and moments, in the memory of the old ones where nobody else holds it.
fn adamw(
    update: &Update,
    mut weights: FlexTensor,
    gradient: &FlexTensor,
    mut moments: [FlexTensor; 2],
) -> (FlexTensor, [FlexTensor; 2]) {
    /// Estimated nanoseconds of a number: memory is what it waits for.
    const COST: usize = 2;
    let gradient = values(gradient);
    let len = gradient.len();
    let [first, second] = moments.each_mut().map(|tensor| {
        let (start, end) = offsets(tensor);
        &mut tensor.storage_mut::<f32>()[start..end]
    });
    let (start, end) = offsets(&weights);
    if let Some(storage) = weights.try_storage_mut::<f32>() {
        let outs = [&mut storage[start..end], first, second];
        over_rows(len, COST, outs, |range, [weights, first, second]| {
            kernels::adamw::step_in_place(*update, weights, &gradient[range], first, second);
        });
        return (weights, moments);
    }
    let mut out = zeros(len);
    let from = values(&weights);
    over_rows(
        len,
        COST,
        [&mut out, first, second],
        |range, [out, first, second]| {
            let gradient = &gradient[range.clone()];
            kernels::adamw::step(*update, &from[range], gradient, out, first, second);
        },
    );
    let out = FlexTensor::from_data(TensorData::new(out, weights.layout().shape().clone()));
    (out, moments)
}

/// Where the values of a tensor that [`contiguous`] passed begin and end.
fn offsets(tensor: &FlexTensor) -> (usize, usize) {
    tensor
        .layout()
        .contiguous_offsets()
        .expect("the tensor was made contiguous")
}

/// The values of a tensor, copied.
fn owned(tensor: &FlexTensor) -> Vec<f32> {
    values(tensor).to_vec()
}

fn new<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn dims(tensor: &FlexTensor) -> [usize; 2] {
    let shape = tensor.layout().shape();
    [shape[0], shape[1]]
}

/// The normalised rows and the scale of each.
fn rms_norm(x: &FlexTensor, gain: &FlexTensor, eps: f32) -> (FlexTensor, Vec<f32>) {
    let [rows, width] = dims(x);
    let mut out = zeros(rows * width);
    let mut scales = zeros(rows);
    let (x, gain) = (values(x), values(gain));
    over_rows(
        rows,
        width,
        [&mut out, &mut scales],
        |range, [out, scales]| {
            let x = &x[range.start * width..range.end * width];
            kernels::norm::forward(x, gain, eps, out, scales);
        },
    );
    (new(out, [rows, width]), scales)
}

fn swiglu(gate: &FlexTensor, up: &FlexTensor) -> FlexTensor {
    let [rows, width] = dims(gate);
    let mut out = zeros(rows * width);
    let (gate, up) = (values(gate), values(up));
    over_rows(rows, 2 * width, [&mut out], |range, [out]| {
        let part = range.start * width..range.end * width;
        kernels::swiglu::forward(&gate[part.clone()], &up[part], out);
    });
    new(out, [rows, width])
}

fn log_probabilities(logits: &FlexTensor) -> FlexTensor {
    let [rows, width] = dims(logits);
    let mut out = zeros(rows * width);
    let logits = values(logits);
    over_rows(rows, 2 * width, [&mut out], |range, [out]| {
        let logits = &logits[range.start * width..range.end * width];
        kernels::log_softmax::forward(logits, width, out);
    });
    new(out, [rows, width])
}

/// What the gradient of an attention needs of its forward pass.
#[derive(Clone, Debug)]
struct Attended {
    shape: AttentionShape,
    table: RopeTable,
    /// Queries and keys after the rotation.
    q: FlexTensor,
    k: FlexTensor,
    v: FlexTensor,
    /// The attention weights: sequence after sequence, `[heads, time, time]` each.
    probabilities: FlexTensor,
}

impl AttentionShape {
    fn widths(&self) -> (usize, usize) {
        (self.heads * self.head_dim, self.key_heads * self.head_dim)
    }

    fn extent(&self, time: usize) -> Extent {
        Extent {
            time,
            heads: self.heads,
            key_heads: self.key_heads,
            head_dim: self.head_dim,
            window: self.window.unwrap_or(usize::MAX),
        }
    }

    /// Number of attention weights.
    fn weights(&self) -> usize {
        let squares = self.sequences.ranges().map(|range| range.len().pow(2));
        self.heads * squares.sum::<usize>()
    }

    /// Estimated nanoseconds of one pass.
    fn cost(&self) -> usize {
        self.weights() * self.head_dim
    }

    /// Where the weights of each sequence begin, by the sequence's first row.
    fn offsets(&self) -> std::collections::BTreeMap<usize, usize> {
        let mut offset = 0;
        let place = |range: Range<usize>| {
            let place = (range.start, offset);
            offset += self.heads * range.len().pow(2);
            place
        };
        self.sequences.ranges().map(place).collect()
    }
}

/// The rows of a matrix.
fn rows_of<'a>(data: &'a [f32], range: &Range<usize>, width: usize) -> &'a [f32] {
    &data[range.start * width..range.end * width]
}

fn attention(
    [q, k, v]: [FlexTensor; 3],
    table: &RopeTable,
    shape: AttentionShape,
) -> (FlexTensor, Attended) {
    let (q_width, k_width) = shape.widths();
    let rows = shape.sequences.rows();
    let mut rotated = (owned(&q), owned(&k));
    let mut out = zeros(rows * q_width);
    let mut probabilities = zeros(shape.weights());
    over_sequences(
        &shape.sequences,
        rows * (q_width + k_width),
        [&mut rotated.0, &mut rotated.1],
        |time| [time * q_width, time * k_width],
        |range, [q, k]| {
            kernels::rope::rotate(q, q_width, table, 0, range.len());
            kernels::rope::rotate(k, k_width, table, 0, range.len());
        },
    );
    let (queries, keys, values_of) = (&rotated.0, &rotated.1, values(&v));
    let weights = Shared::new(&mut probabilities);
    let mixed = Shared::new(&mut out);
    let offsets: Vec<usize> = shape.offsets().into_values().collect();
    let ranges = shape.sequences.filled();
    parallel::over(ranges.len() * shape.heads, shape.cost(), |items| {
        for item in items {
            let (range, head) = (&ranges[item / shape.heads], item % shape.heads);
            let time = range.len();
            let inputs = [
                rows_of(queries, range, q_width),
                rows_of(keys, range, k_width),
                rows_of(values_of, range, k_width),
            ];
            let offset = offsets[item / shape.heads] + head * time * time;
            // SAFETY: a head's weights are its own, and so is its part of the sequence's rows.
            unsafe {
                let weights = std::slice::from_raw_parts_mut(weights.at(offset), time * time);
                let out = mixed.from(range.start * q_width);
                kernels::attention::forward(shape.extent(time), head, inputs, out, weights);
            }
        }
    });
    let attended = Attended {
        table: table.clone(),
        q: new(rotated.0, [rows, q_width]),
        k: new(rotated.1, [rows, k_width]),
        v,
        probabilities: new(probabilities, [1, shape.weights()]),
        shape,
    };
    (new(out, [rows, q_width]), attended)
}
