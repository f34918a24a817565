//! The numeric operations of a decoder, each as one step that a backend may compute in its own way.
//!
//! The defaults compose burn's tensor operations and so work, and differentiate, on every backend.

use burn::tensor::{
    Int, Tensor, TensorData, activation, backend::AutodiffBackend, backend::Backend,
};

use crate::{
    decoding::Caches,
    kernels::adamw::Update,
    tensors::TensorsError,
    transformer::{Transformer, cached::BurnDecoder, rope::RopeTable, sequences::Sequences},
};

/// Extents of an attention: how the flat rows divide into sequences and heads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// The sequences, one after the other.
    pub sequences: Sequences,
    /// Query heads.
    pub heads: usize,
    /// Key and value heads; divides `heads`.
    pub key_heads: usize,
    /// Width of one head.
    pub head_dim: usize,
    /// How many tokens a token sees, itself included; `None` for all earlier ones.
    pub window: Option<usize>,
}

/// A backend that runs the decoder.
pub trait ModelBackend: Backend {
    /// Scales each row to mean square one, then by `gain`: `x / sqrt(mean(x^2) + eps) * gain`. `x` is `[n, d]`.
    fn rms_norm(x: Tensor<Self, 2>, gain: Tensor<Self, 1>, eps: f32) -> Tensor<Self, 2> {
        let mean_square = (x.clone() * x.clone()).mean_dim(1);
        let scale = mean_square.add_scalar(eps).sqrt().recip();
        x * scale * gain.unsqueeze::<2>()
    }

    /// The gated unit `silu(gate) * up`, both `[n, f]`.
    fn swiglu(gate: Tensor<Self, 2>, up: Tensor<Self, 2>) -> Tensor<Self, 2> {
        gate.clone() * activation::sigmoid(gate) * up
    }

    /// The product with a matrix of weights: `[n, inputs]` by `[inputs, outputs]`.
    fn project(x: Tensor<Self, 2>, weights: Tensor<Self, 2>) -> Tensor<Self, 2> {
        x.matmul(weights)
    }

    /// One update of AdamW: the new weights and moments.
    fn adamw<const D: usize>(
        update: &Update,
        weights: Tensor<Self, D>,
        gradient: Tensor<Self, D>,
        [first, second]: [Tensor<Self, D>; 2],
    ) -> (Tensor<Self, D>, [Tensor<Self, D>; 2]) {
        let (beta_1, beta_2) = update.betas;
        let first = first.mul_scalar(beta_1) + gradient.clone().mul_scalar(1.0 - beta_1);
        let second = second.mul_scalar(beta_2) + gradient.square().mul_scalar(1.0 - beta_2);
        let step = first.clone().div_scalar(update.corrections.0);
        let root = second.clone().div_scalar(update.corrections.1).sqrt();
        let step = step / root.add_scalar(update.epsilon);
        let weights = weights.mul_scalar(update.keep) - step.mul_scalar(update.rate);
        (weights, [first, second])
    }

    /// Log-probabilities of each row of logits, `[n, v]`.
    fn log_probabilities(logits: Tensor<Self, 2>) -> Tensor<Self, 2> {
        activation::log_softmax(logits, 1)
    }

    /// Causal attention with rotary positions and grouped heads. `q` is `[rows, heads * head_dim]`, `k` and `v` are
    /// `[rows, key_heads * head_dim]`; the result has `q`'s shape. Positions count from zero within each sequence, and a
    /// token sees only its own sequence; the rotated pairs are the two halves of a head, as in Hugging Face's Llama.
    ///
    /// Sequences of different lengths are padded to the longest here; a backend with kernels of its own need not.
    fn causal_attention(
        q: Tensor<Self, 2>,
        k: Tensor<Self, 2>,
        v: Tensor<Self, 2>,
        table: &RopeTable,
        shape: AttentionShape,
    ) -> Tensor<Self, 2> {
        composed_attention(q, k, v, table, shape)
    }

    /// Caches for a model that generates: room for `slots` sequences of up to `max_context` tokens.
    fn caches(
        model: &Transformer<Self>,
        slots: usize,
        max_context: usize,
    ) -> Result<Caches, TensorsError> {
        let device = model.device();
        let decoder = BurnDecoder::new(model.clone(), device, slots, max_context);
        Ok(Caches(Box::new(decoder)))
    }
}

/// Attention composed of burn's operations, for backends without kernels of their own.
pub(crate) fn composed_attention<B: Backend>(
    q: Tensor<B, 2>,
    k: Tensor<B, 2>,
    v: Tensor<B, 2>,
    table: &RopeTable,
    shape: AttentionShape,
) -> Tensor<B, 2> {
    let AttentionShape {
        sequences,
        heads,
        key_heads,
        head_dim,
        window,
    } = shape;
    let window = window.unwrap_or(usize::MAX);
    let (batch, time) = (sequences.count(), sequences.longest());
    let group = heads / key_heads;
    let device = q.device();
    let index = |rows: Vec<i32>| {
        let count = rows.len();
        Tensor::<B, 1, Int>::from_data(TensorData::new(rows, [count]), &device)
    };
    let ragged = (!sequences.are_equal()).then(|| sequences.padding());
    let [q, k, v] = match &ragged {
        Some((padded, _)) => {
            let padded = index(padded.clone());
            [q, k, v].map(|rows| rows.select(0, padded.clone()))
        }
        None => [q, k, v],
    };
    let q = rotate(q, table, batch, time)
        .reshape([batch, time, key_heads, group, head_dim])
        .permute([0, 2, 3, 1, 4]);
    let k = rotate(k, table, batch, time)
        .reshape([batch, time, key_heads, 1, head_dim])
        .permute([0, 2, 3, 4, 1]);
    let v = v
        .reshape([batch, time, key_heads, 1, head_dim])
        .permute([0, 2, 3, 1, 4]);
    let sees = |row: usize, column: usize| column <= row && row - column < window;
    let mask: Vec<f32> = (0..time)
        .flat_map(|row| (0..time).map(move |column| if sees(row, column) { 0.0 } else { -1e30 }))
        .collect();
    let mask = Tensor::<B, 2>::from_data(TensorData::new(mask, [1, time * time]), &device);
    let scores = q
        .matmul(k)
        .mul_scalar((head_dim as f32).sqrt().recip())
        .reshape([batch * heads, time * time])
        + mask;
    let weights = activation::softmax(scores.reshape([batch * heads * time, time]), 1);
    let mixed = weights
        .reshape([batch, key_heads, group, time, time])
        .matmul(v)
        .permute([0, 3, 1, 2, 4])
        .reshape([batch * time, heads * head_dim]);
    match ragged {
        Some((_, kept)) => mixed.select(0, index(kept)),
        None => mixed,
    }
}

/// Rotates every head of every row of `x`, `[batch * time, heads * head_dim]`, by its position.
fn rotate<B: Backend>(
    x: Tensor<B, 2>,
    table: &RopeTable,
    batch: usize,
    time: usize,
) -> Tensor<B, 2> {
    let [rows, width] = x.dims();
    let device = x.device();
    let head_dim = table.head_dim();
    let heads = width / head_dim;
    let (cos, sin) = table.expanded(time, heads);
    let cos = Tensor::<B, 2>::from_data(TensorData::new(cos, [1, time * width]), &device);
    let sin = Tensor::<B, 2>::from_data(TensorData::new(sin, [1, time * width]), &device);
    // The swap of halves as a product: cheaper to differentiate than slices.
    let swap = TensorData::new(half_swap(head_dim), [head_dim, head_dim]);
    let swapped = x
        .clone()
        .reshape([rows * heads, head_dim])
        .matmul(Tensor::from_data(swap, &device))
        .reshape([batch, time * width]);
    let rotated = x.reshape([batch, time * width]) * cos + swapped * sin;
    rotated.reshape([rows, width])
}

/// A backend that trains the decoder: its gradients live on a backend that runs it.
pub trait TrainBackend: ModelBackend + AutodiffBackend<InnerBackend: ModelBackend> {}

impl<B> TrainBackend for B where B: ModelBackend + AutodiffBackend<InnerBackend: ModelBackend> {}

#[cfg(feature = "cuda")]
impl ModelBackend for burn_cuda::Cuda {}

#[cfg(feature = "cuda")]
impl<C: burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy> ModelBackend
    for burn::backend::Autodiff<burn_cuda::Cuda, C>
{
}

/// The matrix that maps a row `[a, b]` of two halves to `[-b, a]`.
pub(crate) fn half_swap(head_dim: usize) -> Vec<f32> {
    let half = head_dim / 2;
    let mut matrix = vec![0.0; head_dim * head_dim];
    for i in 0..half {
        matrix[(i + half) * head_dim + i] = -1.0;
        matrix[i * head_dim + i + half] = 1.0;
    }
    matrix
}
