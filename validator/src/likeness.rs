//! Look at a checkpoint as the copy test does: what it says on probe texts, and what its weights are made of.

use athanor_model::{
    Checkpoint, Config, DeviceChoice, Tensors, Tokenizer,
    checkpoint::CheckpointError,
    scorer::{LoadError, ScoreError, Scorer},
    tensors::{EMBEDDING, FINAL_NORM, HEAD},
};
use athanor_scoring::{
    corpus, fidelity,
    similarity::{
        copies::Model,
        innovation::{Innovation, Reference},
        weights::{FeedForward, Matrix, ModelWeights, Signature},
    },
};
use rand::SeedableRng as _;
use rand_chacha::ChaCha20Rng;
use thiserror::Error;

/// Texts that models are compared on.
pub const PROBES: usize = 16;
/// Tokens of a text.
pub const PROBE_TOKENS: usize = 96;

/// Why a checkpoint cannot be looked at.
#[derive(Debug, Error)]
pub enum LikenessError {
    /// Its files cannot be read.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// It does not load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A probe does not fit it.
    #[error(transparent)]
    Score(#[from] ScoreError),
}

/// What the copy test knows of a model.
#[derive(Clone, Debug)]
pub struct Likeness {
    log_probabilities: Vec<f32>,
    signature: Option<Signature>,
    innovation: Option<Innovation>,
}

/// What all models that are compared must be looked at with alike.
#[derive(Clone, Debug)]
pub struct Lens {
    /// Where they run.
    pub device: DeviceChoice,
    /// Seed of the signatures of their weights.
    pub seed: u64,
    /// Their teacher; without it nothing is known of what they have of their own.
    pub reference: Option<Reference>,
}

impl Lens {
    /// A lens for the students of a teacher. `seed` is the null's.
    pub fn new(
        teacher: &Checkpoint,
        device: DeviceChoice,
        seed: u64,
    ) -> Result<Self, CheckpointError> {
        let tensors = teacher.tensors()?;
        let weights = weights(&teacher.config, &tensors);
        Ok(Self {
            device,
            seed,
            reference: weights.and_then(|weights| Reference::of(&weights, seed)),
        })
    }
}

/// Probe texts, drawn from the corpus by a seed that miners do not know yet; each with at least two tokens.
pub fn probes(seed: [u8; 32], tokenizer: &Tokenizer) -> Vec<Vec<u32>> {
    let mut rng = ChaCha20Rng::from_seed(seed);
    let mut texts = Vec::with_capacity(PROBES);
    // Every draw gives a text but the rare one that is a single token: ten times as many are enough.
    for _ in 0..10 * PROBES {
        // A token is at least one character: this many characters hold more tokens than are kept.
        let text = corpus::passage(&mut rng, PROBE_TOKENS * 6);
        let mut tokens = tokenizer.encode(text).unwrap_or_default();
        tokens.truncate(PROBE_TOKENS);
        if tokens.len() > 1 && texts.len() < PROBES {
            texts.push(tokens);
        }
    }
    texts
}

impl Likeness {
    /// Replays the probes on a checkpoint, and reads its weights.
    pub fn of(
        checkpoint: &Checkpoint,
        lens: &Lens,
        probes: &[Vec<u32>],
    ) -> Result<Self, LikenessError> {
        Self::of_tensors(&checkpoint.config, &checkpoint.tensors()?, lens, probes)
    }

    /// The same of weights that lie in memory.
    pub fn of_tensors(
        config: &Config,
        tensors: &Tensors,
        lens: &Lens,
        probes: &[Vec<u32>],
    ) -> Result<Self, LikenessError> {
        let scorer = Scorer::from_tensors(config, tensors, lens.device)?;
        let mut log_probabilities = Vec::new();
        for probe in probes {
            let logits = scorer.logits(probe, 1)?;
            for (row, token) in probe[1..].iter().enumerate() {
                let probability = fidelity::probability(logits.row(row), *token);
                log_probabilities.push(probability.ln() as f32);
            }
        }
        let weights = weights(config, tensors);
        let reference = lens.reference.as_ref();
        Ok(Self {
            log_probabilities,
            signature: weights.as_ref().and_then(|it| Signature::of(it, lens.seed)),
            innovation: weights.as_ref().and_then(|it| reference?.innovation(it)),
        })
    }

    /// The model as the copy test takes it, as nobody else's.
    pub fn model(&self) -> Model<'_> {
        Model {
            log_probabilities: &self.log_probabilities,
            signature: self.signature.as_ref(),
            innovation: self.innovation.as_ref(),
            is_copy: false,
        }
    }
}

/// What the copy test reads of a model; `None` when a tensor is missing.
fn weights<'a>(config: &Config, tensors: &'a Tensors) -> Option<ModelWeights<'a>> {
    let matrix = |name: &str| {
        let tensor = tensors.get(name)?;
        let [rows, columns] = tensor.shape[..] else {
            return None;
        };
        Some(Matrix {
            rows,
            columns,
            data: &tensor.data,
        })
    };
    let gain = |name: &str| Some(tensors.get(name)?.data.as_slice());
    let embedding = matrix(EMBEDDING)?;
    let layers = (0..config.num_hidden_layers)
        .map(|layer| {
            let of = |rest: &str| format!("model.layers.{layer}.{rest}");
            Some(FeedForward {
                gain: gain(&of("post_attention_layernorm.weight"))?,
                gate: matrix(&of("mlp.gate_proj.weight"))?,
                up: matrix(&of("mlp.up_proj.weight"))?,
                down: matrix(&of("mlp.down_proj.weight"))?,
            })
        })
        .collect::<Option<Vec<_>>>()?;
    Some(ModelWeights {
        embedding,
        head: if config.tie_word_embeddings {
            embedding
        } else {
            matrix(HEAD)?
        },
        final_gain: gain(FINAL_NORM)?,
        layers,
    })
}
