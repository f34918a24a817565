//! Sequences packed for one pass of a decoder.

use athanor_model::{ModelBackend, Sequences, Transformer};
use burn::tensor::{Int, Tensor, TensorData};

use crate::stream::Example;

/// Tokens that are run at once where nothing is learnt.
const PACKED_TOKENS: usize = 2048;

/// Tokens to run, cut into sequences that do not see each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Batch {
    tokens: Vec<i32>,
    lengths: Vec<usize>,
    /// Indices into `tokens` whose next-token logits are wanted, ascending.
    rows: Vec<i32>,
}

impl Batch {
    /// Appends a sequence, which is not empty; `wanted` are positions within it.
    pub(crate) fn push(&mut self, tokens: &[u32], wanted: impl IntoIterator<Item = usize>) {
        let start = self.tokens.len();
        self.tokens.extend(tokens.iter().map(|&token| token as i32));
        self.lengths.push(tokens.len());
        let rows = wanted.into_iter().map(|at| (start + at) as i32);
        self.rows.extend(rows);
    }

    /// Number of tokens.
    pub(crate) fn tokens(&self) -> usize {
        self.tokens.len()
    }

    /// Number of wanted rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// Logits at the wanted rows, `[rows, vocab]`.
    pub(crate) fn logits<B: ModelBackend>(&self, model: &Transformer<B>) -> Tensor<B, 2> {
        let device = model.device();
        let ids = |values: &[i32]| {
            let data = TensorData::new(values.to_vec(), [values.len()]);
            Tensor::<B, 1, Int>::from_data(data, &device)
        };
        let sequences = Sequences::new(self.lengths.as_slice());
        let hidden = model.hidden_of(ids(&self.tokens), &sequences);
        model.logits(hidden.select(0, ids(&self.rows)))
    }

    /// Log-probabilities at the wanted rows, `[rows, vocab]`.
    pub(crate) fn log_probabilities<B: ModelBackend>(
        &self,
        model: &Transformer<B>,
    ) -> Tensor<B, 2> {
        B::log_probabilities(self.logits(model))
    }
}

/// Log-probabilities of rows of logits at a temperature, `[rows, vocab]`.
pub(crate) fn tempered<B: ModelBackend>(logits: Tensor<B, 2>, temperature: f32) -> Tensor<B, 2> {
    if temperature == 1.0 {
        return B::log_probabilities(logits);
    }
    B::log_probabilities(logits.div_scalar(temperature))
}

/// Packs examples into batches of bounded size, in order; all their counted rows are wanted.
pub(crate) fn packed<'a>(
    examples: impl IntoIterator<Item = &'a Example>,
) -> impl Iterator<Item = (Batch, Vec<&'a Example>)> {
    let mut examples = examples.into_iter().peekable();
    std::iter::from_fn(move || {
        let (mut batch, mut taken) = (Batch::default(), Vec::new());
        while let Some(example) = examples.next_if(|next| {
            batch.tokens() == 0 || batch.tokens() + next.tokens.len() <= PACKED_TOKENS
        }) {
            batch.push(&example.tokens, example.counted());
            taken.push(example);
        }
        (!taken.is_empty()).then_some((batch, taken))
    })
}

/// The values of a tensor, row-major, on the host.
pub(crate) fn values<B: ModelBackend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    let data = tensor.into_data().convert::<f32>();
    data.into_vec()
        .expect("the values were just converted to f32")
}
