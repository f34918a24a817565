//! The decoder's fused steps on the CPU: each is one pass over memory where composed operations would make many.

mod training;

use std::{ops::Range, sync::Arc};

use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

use crate::backend::{AttentionShape, ModelBackend};
use crate::decode::cpu::{CpuDecoder, CpuWeights};
use crate::decoding::Caches;
use crate::kernels::{self, attention::Extent, over_rows, over_sequences, packed::WeightFormat};
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
    let (start, end) = tensor
        .layout()
        .contiguous_offsets()
        .expect("the tensor was made contiguous");
    &tensor.storage()[start..end]
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
    let mut out = vec![0.0; rows * width];
    let mut scales = vec![0.0; rows];
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
    let mut out = vec![0.0; rows * width];
    let (gate, up) = (values(gate), values(up));
    over_rows(rows, 2 * width, [&mut out], |range, [out]| {
        let part = range.start * width..range.end * width;
        kernels::swiglu::forward(&gate[part.clone()], &up[part], out);
    });
    new(out, [rows, width])
}

fn log_probabilities(logits: &FlexTensor) -> FlexTensor {
    let [rows, width] = dims(logits);
    let mut out = vec![0.0; rows * width];
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
    let mut out = vec![0.0; rows * q_width];
    let mut probabilities = vec![0.0; shape.weights()];
    let values_of = values(&v);
    over_sequences(
        &shape.sequences,
        shape.cost(),
        [&mut rotated.0, &mut rotated.1, &mut out, &mut probabilities],
        |time| {
            let queries = time * q_width;
            [queries, time * k_width, queries, shape.heads * time * time]
        },
        |range, [q, k, out, probabilities]| {
            kernels::rope::rotate(q, q_width, table, 0, range.len());
            kernels::rope::rotate(k, k_width, table, 0, range.len());
            let inputs = [&*q, &*k, rows_of(values_of, &range, k_width)];
            kernels::attention::forward(shape.extent(range.len()), inputs, out, probabilities);
        },
    );
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
