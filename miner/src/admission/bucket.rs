//! A share of the model's tokens per asker, so that one cannot starve the rest.

/// How many model tokens one asker may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Tokens per second, prompt and answer together, that an asker may use for ever.
    pub tokens_per_second: u32,
    /// Tokens that an asker may use at once after a pause.
    pub burst_tokens: u32,
}

impl Default for Allowance {
    /// Several rounds of the local spec at once, and then far more than one round per epoch needs: the engine's own
    /// queue is the limit that honest askers meet first.
    fn default() -> Self {
        Self {
            tokens_per_second: 2_000,
            burst_tokens: 20_000,
        }
    }
}

/// What is left of an asker's allowance. Integer arithmetic in thousandths of a token: exact at any rate and pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenBucket {
    level_milli: u64,
    updated_ms: u64,
}

impl TokenBucket {
    /// A bucket that was never used.
    pub fn full(allowance: &Allowance, now_ms: u64) -> Self {
        Self {
            level_milli: 1000 * u64::from(allowance.burst_tokens),
            updated_ms: now_ms,
        }
    }

    /// Takes `tokens`, or says in how many milliseconds they will be there. A clock that goes back adds nothing.
    pub fn take(&mut self, allowance: &Allowance, tokens: u32, now_ms: u64) -> Result<(), u32> {
        let rate = u64::from(allowance.tokens_per_second);
        let elapsed_ms = now_ms.saturating_sub(self.updated_ms);
        self.level_milli = self
            .level_milli
            .saturating_add(rate.saturating_mul(elapsed_ms))
            .min(1000 * u64::from(allowance.burst_tokens));
        self.updated_ms = self.updated_ms.max(now_ms);
        let cost = 1000 * u64::from(tokens);
        if cost <= self.level_milli {
            self.level_milli -= cost;
            return Ok(());
        }
        let missing = cost - self.level_milli;
        let wait_ms = missing.checked_div(rate).map_or(u64::MAX, |ms| ms + 1);
        Err(u32::try_from(wait_ms).unwrap_or(u32::MAX))
    }
}
