//! How a student is trained: one struct, checked before anything starts.

use std::num::NonZeroUsize;

use thiserror::Error;

use crate::{
    schedule::{Decay, Schedule, ScheduleError},
    shard::ShardPlan,
};

/// How a student is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainerConfig {
    /// Seed of the order of examples and of the student's own rollouts.
    pub seed: u64,
    /// The learning rate over the run.
    pub schedule: Schedule,
    /// Steps that the schedule is laid out for; `None` when there is no planned end, and then the rate cannot go down.
    pub planned_steps: Option<u64>,
    /// Upper bound of the gradient's Euclidean norm.
    pub clip: f32,
    /// Tokens of a batch; 384 take a three-layer student of width 128 about 80 ms on one core.
    pub step_tokens: usize,
    /// Batches whose gradients are added up for one step.
    pub accumulate: NonZeroUsize,
    /// What the student is to become good at.
    pub objective: Objective,
    /// Examples of the held-out set that [`crate::trainer::Trainer::evaluate`] measures.
    pub held_out: usize,
    /// What the student learns from at first.
    pub shard: ShardPlan,
    /// Every so many steps a part of it is replaced by fresh examples; 0 for never.
    pub refresh_every: u64,
}

/// What is minimised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Objective {
    /// Weight of the true next token beside the teacher's distribution, in [0, 1].
    pub hard_share: f32,
    /// Temperature of the teacher's and the student's distributions in the forward KL.
    pub temperature: f32,
    /// Over what the forward KL goes.
    pub vocabulary: Vocabulary,
    /// Every so many steps the student learns from its own rollouts by the loss that grades them; 0 for never.
    pub rollout_every: u64,
    /// Prompts of a step of rollouts.
    pub rollouts: usize,
    /// Skew of the reverse KL, in (0, 1], as the subnet's spec has it.
    pub skew: f32,
}

/// Over what a forward KL goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vocabulary {
    /// The teacher's likeliest tokens, as they were recorded, all others being one outcome.
    Top,
    /// All tokens: the teacher runs at every step.
    Full,
}

/// Why settings make no training.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum ConfigError {
    /// The learning rate makes no schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// The rate is to go down over a run without an end.
    #[error("the learning rate can only go down over a planned number of steps: say how many")]
    NoEnd,
    /// No gradient would pass.
    #[error("a bound of {0} for the gradient's norm is not a positive number")]
    Clip(f32),
    /// A batch would be empty.
    #[error("a batch needs at least one token")]
    Tokens,
    /// Not a share.
    #[error("the weight {0} of the true token is not in [0, 1]")]
    HardShare(f32),
    /// Not a temperature.
    #[error("the temperature {0} is not a positive number")]
    Temperature(f32),
    /// Not a skew: without any, a token that the teacher rules out would cost infinitely much.
    #[error("the skew {0} is not in (0, 1]")]
    Skew(f32),
    /// A step of rollouts would have no prompts.
    #[error("a step of rollouts needs at least one prompt")]
    Rollouts,
    /// Nothing would be measured.
    #[error("at least one example must be held out")]
    HeldOut,
}

impl TrainerConfig {
    /// The settings that suit a small student on a shared CPU.
    pub fn small(seed: u64) -> TrainerConfig {
        TrainerConfig {
            seed,
            // Students start near their teacher: at three times this rate small batches carry them away from it.
            schedule: Schedule {
                rate: 3e-4,
                warm_up: 20,
                decay: Decay::Constant,
            },
            planned_steps: None,
            clip: 1.0,
            step_tokens: 384,
            accumulate: NonZeroUsize::MIN,
            objective: Objective {
                hard_share: 0.1,
                temperature: 1.0,
                vocabulary: Vocabulary::Top,
                rollout_every: 4,
                rollouts: 6,
                skew: 0.1,
            },
            held_out: 48,
            shard: ShardPlan {
                seed,
                items: 224,
                passages: 32,
                continuations: 96,
            },
            refresh_every: 4,
        }
    }

    /// Whether a record of the teacher does not do: something is to be asked of the teacher itself.
    pub(crate) fn needs_teacher(&self) -> bool {
        let objective = &self.objective;
        self.refresh_every > 0
            || objective.rollout_every > 0
            || objective.vocabulary == Vocabulary::Full
            || objective.temperature != 1.0
    }

    /// Checks every number.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.schedule.check()?;
        if self.schedule.decay != Decay::Constant && self.planned_steps.is_none() {
            return Err(ConfigError::NoEnd);
        }
        let positive = |x: f32| x > 0.0 && x.is_finite();
        let Objective {
            hard_share,
            temperature,
            rollout_every,
            rollouts,
            skew,
            ..
        } = self.objective;
        if !positive(self.clip) {
            return Err(ConfigError::Clip(self.clip));
        }
        if self.step_tokens == 0 {
            return Err(ConfigError::Tokens);
        }
        if !(0.0..=1.0).contains(&hard_share) {
            return Err(ConfigError::HardShare(hard_share));
        }
        if !positive(temperature) {
            return Err(ConfigError::Temperature(temperature));
        }
        if !(skew > 0.0 && skew <= 1.0) {
            return Err(ConfigError::Skew(skew));
        }
        if rollout_every > 0 && rollouts == 0 {
            return Err(ConfigError::Rollouts);
        }
        match self.held_out {
            0 => Err(ConfigError::HeldOut),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
