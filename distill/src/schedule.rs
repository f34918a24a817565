//! The learning rate over a run, as a function of the step: a resumed run needs no state to go on with it.

use thiserror::Error;

/// How the learning rate goes up, and down.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// The highest rate.
    pub rate: f64,
    /// Steps until it is reached, in even increments.
    pub warm_up: u64,
    /// What follows.
    pub decay: Decay,
}

/// How the learning rate goes down over a run whose length is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Decay {
    /// Not at all: distillation has no planned end.
    Constant,
    /// Along half a cosine to a share of the highest rate (Loshchilov and Hutter, 2017).
    Cosine {
        /// The last rate over the highest.
        floor: f64,
    },
    /// Warm-up, stable, decay (Hu et al., 2024): constant, then linearly down to a share of the highest rate.
    Wsd {
        /// The part of the run, at its end, in which the rate goes down.
        share: f64,
        /// The last rate over the highest.
        floor: f64,
    },
}

/// Why numbers make no schedule.
#[derive(Clone, Copy, Debug, PartialEq, Error)]
pub enum ScheduleError {
    /// The rate is none.
    #[error("the learning rate {0} is not a positive number")]
    Rate(f64),
    /// The last rate is none, or above the highest.
    #[error("the learning rate's floor {0} is not in [0, 1]")]
    Floor(f64),
    /// The part of the run is none.
    #[error("the decaying share {0} of the run is not in (0, 1]")]
    Share(f64),
}

impl Schedule {
    /// Checks the numbers.
    pub fn check(&self) -> Result<(), ScheduleError> {
        if !(self.rate > 0.0 && self.rate.is_finite()) {
            return Err(ScheduleError::Rate(self.rate));
        }
        let (Decay::Cosine { floor } | Decay::Wsd { floor, .. }) = self.decay else {
            return Ok(());
        };
        if !(0.0..=1.0).contains(&floor) {
            return Err(ScheduleError::Floor(floor));
        }
        match self.decay {
            Decay::Wsd { share, .. } if !(share > 0.0 && share <= 1.0) => {
                Err(ScheduleError::Share(share))
            }
            _ => Ok(()),
        }
    }

    /// The rate of a step, counted from zero, when a share of `done` of the run lies behind it.
    pub fn at(&self, step: u64, done: f64) -> f64 {
        let warm = ((step + 1) as f64 / self.warm_up.max(1) as f64).min(1.0);
        let done = done.clamp(0.0, 1.0);
        let left = match self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine { floor } => {
                floor + (1.0 - floor) * 0.5 * (1.0 + (std::f64::consts::PI * done).cos())
            }
            Decay::Wsd { share, floor } => {
                1.0 - (1.0 - floor) * ((done - (1.0 - share)) / share).clamp(0.0, 1.0)
            }
        };
        self.rate * warm * left
    }
}

#[cfg(test)]
mod tests;
