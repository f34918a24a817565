//! A share of the model's tokens per asker, so that one cannot starve the rest.

use super::roster::Weight;

/// How many model tokens the askers may use, each by its own bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Tokens per second, prompt and answer together, that the validator with the largest stake may use for ever.
    pub tokens_per_second: u32,
    /// Tokens that it may use at once after a pause.
    pub burst_tokens: u32,
    /// What the smallest validator counts for at least, as a share of the largest. Rates, bursts and turns in the queue
    /// rise from it to the whole in proportion to stake.
    pub floor: Weight,
}

impl Default for Allowance {
    /// Several rounds of the local spec at once, and then far more than one round per epoch needs: the fair queue is the
    /// limit that honest askers meet first.
    fn default() -> Self {
        Self {
            tokens_per_second: 2_000,
            burst_tokens: 20_000,
            floor: Weight::new(250),
        }
    }
}

impl Allowance {
    /// The share of an asker of this weight. `largest_ask` tokens are in every burst: less would refuse such an ask for ever.
    pub fn share(&self, weight: Weight, largest_ask: u32) -> Rate {
        let of = |whole: u32| {
            let share = u64::from(whole) * u64::from(weight.thousandths()) / 1000;
            u32::try_from(share).unwrap_or(u32::MAX)
        };
        Rate {
            tokens_per_second: of(self.tokens_per_second).max(self.tokens_per_second.min(1)),
            burst_tokens: of(self.burst_tokens).max(largest_ask),
        }
    }
}

/// What one bucket holds and how fast it fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Tokens per second.
    pub tokens_per_second: u32,
    /// Tokens in a full bucket.
    pub burst_tokens: u32,
}

/// What is left of an asker's allowance. Integer arithmetic in thousandths of a token: exact at any rate and pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    level_milli: u64,
    updated_ms: u64,
}

impl TokenBucket {
    /// A bucket that was never used.
    pub fn full(rate: &Rate, now_ms: u64) -> Self {
        Self {
            level_milli: 1000 * u64::from(rate.burst_tokens),
            updated_ms: now_ms,
        }
    }

    /// Takes `tokens`, or says in how many milliseconds they will be there. A clock that goes back adds nothing.
    pub fn take(&mut self, rate: &Rate, tokens: u32, now_ms: u64) -> Result<(), u32> {
        self.refill(rate, now_ms);
        self.wait(rate, tokens)?;
        self.level_milli -= 1000 * u64::from(tokens);
        Ok(())
    }

    /// Whether [`Self::take`] would succeed; takes nothing.
    pub fn peek(&self, rate: &Rate, tokens: u32, now_ms: u64) -> Result<(), u32> {
        let mut refilled = *self;
        refilled.refill(rate, now_ms);
        refilled.wait(rate, tokens)
    }

    /// Puts back what was taken and not used.
    pub fn give_back(&mut self, rate: &Rate, tokens: u32) {
        let level = self.level_milli.saturating_add(1000 * u64::from(tokens));
        self.level_milli = level.min(1000 * u64::from(rate.burst_tokens));
    }

    fn refill(&mut self, rate: &Rate, now_ms: u64) {
        let elapsed_ms = now_ms.saturating_sub(self.updated_ms);
        self.level_milli = self
            .level_milli
            .saturating_add(u64::from(rate.tokens_per_second).saturating_mul(elapsed_ms))
            .min(1000 * u64::from(rate.burst_tokens));
        self.updated_ms = self.updated_ms.max(now_ms);
    }

    fn wait(&self, rate: &Rate, tokens: u32) -> Result<(), u32> {
        let Some(missing) = (1000 * u64::from(tokens)).checked_sub(self.level_milli) else {
            return Ok(());
        };
        if missing == 0 {
            return Ok(());
        }
        let per_ms = u64::from(rate.tokens_per_second);
        let wait_ms = missing.checked_div(per_ms).map_or(u64::MAX, |ms| ms + 1);
        Err(u32::try_from(wait_ms).unwrap_or(u32::MAX))
    }
}
