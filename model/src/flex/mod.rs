//! The decoder's fused steps on the CPU: each is one pass over memory where composed operations would make many.

mod training;

use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use burn_flex::{Flex, FlexTensor};

use crate::backend::{AttentionShape, ModelBackend};
use crate::kernels::{self, over_rows};
use crate::transformer::rope::RopeTable;

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
    /// The attention weights, `[batch, heads, time, time]`.
    probabilities: FlexTensor,
}

fn attention(
    [q, k, v]: [FlexTensor; 3],
    table: &RopeTable,
    shape: AttentionShape,
) -> (FlexTensor, Attended) {
    let AttentionShape {
        batch,
        time,
        heads,
        key_heads,
        head_dim,
    } = shape;
    let (q_width, k_width) = (heads * head_dim, key_heads * head_dim);
    let mut rotated = (owned(&q), owned(&k));
    over_rows(
        batch,
        time * (q_width + k_width),
        [&mut rotated.0, &mut rotated.1],
        |_, [q, k]| {
            kernels::rope::rotate(q, q_width, table, 0, time);
            kernels::rope::rotate(k, k_width, table, 0, time);
        },
    );
    let mut out = vec![0.0; batch * time * q_width];
    let mut probabilities = vec![0.0; batch * heads * time * time];
    let (q, k) = &rotated;
    let values_of = values(&v);
    over_rows(
        batch,
        time * time * q_width,
        [&mut out, &mut probabilities],
        |range, [out, probabilities]| {
            let outs = out
                .chunks_exact_mut(time * q_width)
                .zip(probabilities.chunks_exact_mut(heads * time * time));
            for (sequence, (out, probabilities)) in range.zip(outs) {
                let q = &q[sequence * time * q_width..][..time * q_width];
                let keys = sequence * time * k_width..(sequence + 1) * time * k_width;
                let inputs = [q, &k[keys.clone()], &values_of[keys]];
                kernels::attention::forward(shape, inputs, out, probabilities);
            }
        },
    );
    let attended = Attended {
        shape,
        table: table.clone(),
        q: new(rotated.0, [batch * time, q_width]),
        k: new(rotated.1, [batch * time, k_width]),
        v,
        probabilities: new(probabilities, [batch * heads * time, time]),
    };
    (new(out, [batch * time, q_width]), attended)
}
