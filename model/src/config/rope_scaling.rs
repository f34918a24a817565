//! How rotary frequencies are changed for contexts longer than the model was first trained on.

use std::f64::consts::TAU;

use super::ConfigError;

/// The variants that `config.json` files use. Formulas as in Hugging Face's `modeling_rope_utils`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RopeScaling {
    /// Frequencies as they are.
    #[default]
    None,
    /// All frequencies divided by a factor (position interpolation, arXiv:2306.15595).
    Linear {
        /// The divisor.
        factor: f64,
    },
    /// Low frequencies divided, high ones kept, a ramp between (Llama 3.1).
    Llama3(Llama3Scaling),
    /// Interpolated by the number of rotations within the first context, with a temperature (arXiv:2309.00071).
    Yarn(YarnScaling),
}

/// Parameters of Llama 3.1's scaling.
#[derive(Clone, Debug, PartialEq)]
pub struct Llama3Scaling {
    /// Divisor of the low frequencies.
    pub factor: f64,
    /// Rotations within the first context below which a frequency counts as low.
    pub low_freq_factor: f64,
    /// Rotations above which it counts as high.
    pub high_freq_factor: f64,
    /// Length of the first context, in tokens.
    pub original_max_position_embeddings: usize,
}

/// Parameters of YaRN.
#[derive(Clone, Debug, PartialEq)]
pub struct YarnScaling {
    /// Divisor of the interpolated frequencies.
    pub factor: f64,
    /// Length of the first context, in tokens.
    pub original_max_position_embeddings: usize,
    /// Rotations within the first context above which a frequency is kept.
    pub beta_fast: f64,
    /// Rotations below which it is fully interpolated.
    pub beta_slow: f64,
    /// What cosines and sines are multiplied by; computed from the factor when the file does not say.
    pub attention_factor: Option<f64>,
    /// Numerator's coefficient of the computed attention factor.
    pub mscale: Option<f64>,
    /// Denominator's coefficient of the computed attention factor.
    pub mscale_all_dim: Option<f64>,
    /// Whether the ends of the ramp are rounded to whole components.
    pub truncate: bool,
}

impl RopeScaling {
    /// The `head_dim / 2` frequencies, in radians per position, and the factor on cosines and sines.
    pub(crate) fn frequencies(&self, head_dim: usize, theta: f64) -> (Vec<f64>, f64) {
        let plain: Vec<f64> = (0..head_dim / 2)
            .map(|i| theta.powf(-2.0 * i as f64 / head_dim as f64))
            .collect();
        match self {
            Self::None => (plain, 1.0),
            Self::Linear { factor } => (plain.into_iter().map(|f| f / factor).collect(), 1.0),
            Self::Llama3(scaling) => (
                plain.into_iter().map(|f| scaling.frequency(f)).collect(),
                1.0,
            ),
            Self::Yarn(scaling) => (
                scaling.frequencies(&plain, head_dim, theta),
                scaling.attention_factor(),
            ),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let positive = |field, value: f64| {
            if value.is_finite() && value > 0.0 {
                return Ok(());
            }
            Err(ConfigError::Unsupported {
                field,
                found: value.to_string(),
                expected: "a positive number",
            })
        };
        let context = |tokens: usize| match tokens {
            0 => Err(ConfigError::Dimension {
                field: "rope_scaling.original_max_position_embeddings",
                found: 0,
                expected: "it must be at least 1",
            }),
            _ => Ok(()),
        };
        match self {
            Self::None => Ok(()),
            Self::Linear { factor } => positive("rope_scaling.factor", *factor),
            Self::Llama3(scaling) => {
                positive("rope_scaling.factor", scaling.factor)?;
                positive("rope_scaling.low_freq_factor", scaling.low_freq_factor)?;
                positive(
                    "rope_scaling.high_freq_factor - low_freq_factor",
                    scaling.high_freq_factor - scaling.low_freq_factor,
                )?;
                context(scaling.original_max_position_embeddings)
            }
            Self::Yarn(scaling) => {
                positive("rope_scaling.factor", scaling.factor)?;
                positive("rope_scaling.beta_fast", scaling.beta_fast)?;
                positive("rope_scaling.beta_slow", scaling.beta_slow)?;
                positive("rope_scaling.attention_factor", scaling.attention_factor())?;
                context(scaling.original_max_position_embeddings)
            }
        }
    }
}

impl Llama3Scaling {
    fn frequency(&self, plain: f64) -> f64 {
        let rotations = self.original_max_position_embeddings as f64 * plain / TAU;
        if rotations < self.low_freq_factor {
            plain / self.factor
        } else if rotations > self.high_freq_factor {
            plain
        } else {
            let kept =
                (rotations - self.low_freq_factor) / (self.high_freq_factor - self.low_freq_factor);
            (1.0 - kept) * plain / self.factor + kept * plain
        }
    }
}

impl YarnScaling {
    fn frequencies(&self, plain: &[f64], head_dim: usize, theta: f64) -> Vec<f64> {
        // The component that makes so many rotations within the first context.
        let component = |rotations: f64| {
            let context = self.original_max_position_embeddings as f64;
            head_dim as f64 * (context / (rotations * TAU)).ln() / (2.0 * theta.ln())
        };
        let (mut low, mut high) = (component(self.beta_fast), component(self.beta_slow));
        if self.truncate {
            (low, high) = (low.floor(), high.ceil());
        }
        let (low, mut high) = (low.max(0.0), high.min(head_dim as f64 - 1.0));
        if low == high {
            high += 0.001;
        }
        plain
            .iter()
            .enumerate()
            .map(|(i, plain)| {
                let interpolated = ((i as f64 - low) / (high - low)).clamp(0.0, 1.0);
                plain / self.factor * interpolated + plain * (1.0 - interpolated)
            })
            .collect()
    }

    fn attention_factor(&self) -> f64 {
        let scale = |coefficient: f64| match self.factor > 1.0 {
            true => 0.1 * coefficient * self.factor.ln() + 1.0,
            false => 1.0,
        };
        match (self.attention_factor, self.mscale, self.mscale_all_dim) {
            (Some(given), _, _) => given,
            (None, Some(over), Some(under)) if over != 0.0 && under != 0.0 => {
                scale(over) / scale(under)
            }
            _ => scale(1.0),
        }
    }
}
