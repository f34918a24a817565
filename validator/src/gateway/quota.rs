//! What each key has used of its share: tokens of this minute, and requests in flight.
//!
//! A request is charged what it may use at most, and gets back what it did not use.

use std::collections::HashMap;
use std::time::Duration;

use super::{api::ApiError, keys::KeyLimits};

/// Keys that are remembered; those that were idle for longest go first.
const MOST_KEYS: usize = 16_384;

/// The shares of all keys, by the caller's clock in milliseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Quotas(HashMap<String, Quota>);

#[derive(Clone, Copy, Debug)]
struct Quota {
    /// Tokens that may be used at once.
    tokens: f64,
    /// When they were counted.
    at_ms: u64,
    in_flight: u32,
}

/// What a key has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Left {
    /// Tokens that may be used at once.
    pub(crate) tokens: u32,
    /// Time until all are there again.
    pub(crate) full_in: Duration,
}

fn refilled(quota: Quota, limits: &KeyLimits, now_ms: u64) -> Quota {
    let elapsed = now_ms.saturating_sub(quota.at_ms) as f64;
    let most = f64::from(limits.tokens_per_minute);
    Quota {
        tokens: (quota.tokens + elapsed * most / 60_000.0).min(most),
        at_ms: now_ms.max(quota.at_ms),
        ..quota
    }
}

impl Quotas {
    /// Takes a place and `tokens` from a key's share.
    pub(crate) fn take(
        &mut self,
        key: &str,
        limits: &KeyLimits,
        tokens: u32,
        now_ms: u64,
    ) -> Result<Left, ApiError> {
        let limit = limits.tokens_per_minute;
        if tokens > limit {
            return Err(ApiError::NeverAffordable {
                wanted: tokens,
                limit,
            });
        }
        self.forget();
        let fresh = Quota {
            tokens: f64::from(limit),
            at_ms: now_ms,
            in_flight: 0,
        };
        let quota = self.0.entry(key.to_owned()).or_insert(fresh);
        *quota = refilled(*quota, limits, now_ms);
        if quota.in_flight >= limits.in_flight {
            return Err(ApiError::TooManyInFlight {
                limit: limits.in_flight,
            });
        }
        let missing = f64::from(tokens) - quota.tokens;
        if missing > 0.0 {
            let seconds = missing * 60.0 / f64::from(limit);
            return Err(ApiError::TokensUsedUp {
                limit,
                wanted: tokens,
                retry_after: Duration::from_secs_f64(seconds),
            });
        }
        quota.tokens -= f64::from(tokens);
        quota.in_flight += 1;
        let used = f64::from(limit) - quota.tokens;
        Ok(Left {
            tokens: quota.tokens as u32,
            full_in: Duration::from_secs_f64((used * 60.0 / f64::from(limit)).max(0.0)),
        })
    }

    /// Gives the place back, and the tokens that were not used.
    pub(crate) fn give_back(&mut self, key: &str, limits: &KeyLimits, unused: u32) {
        if let Some(quota) = self.0.get_mut(key) {
            quota.in_flight = quota.in_flight.saturating_sub(1);
            let most = f64::from(limits.tokens_per_minute);
            quota.tokens = (quota.tokens + f64::from(unused)).min(most);
        }
    }

    fn forget(&mut self) {
        if self.0.len() < MOST_KEYS {
            return;
        }
        let mut idle: Vec<u64> = self
            .0
            .values()
            .filter(|it| it.in_flight == 0)
            .map(|it| it.at_ms)
            .collect();
        idle.sort_unstable();
        if let Some(oldest) = idle.get(idle.len() / 2).copied() {
            self.0
                .retain(|_, quota| quota.in_flight > 0 || quota.at_ms > oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: KeyLimits = KeyLimits {
        tokens_per_minute: 600,
        in_flight: 2,
        audit: false,
    };

    #[test]
    fn a_minute_s_tokens_come_back_within_a_minute() {
        let mut quotas = Quotas::default();
        assert_eq!(quotas.take("a", &LIMITS, 500, 0).unwrap().tokens, 100);
        let refused = quotas.take("a", &LIMITS, 200, 0).unwrap_err();
        assert_eq!(refused.retry_after(), Some(Duration::from_secs(10)));
        // Another key has a share of its own.
        quotas.take("b", &LIMITS, 600, 0).unwrap();
        quotas.give_back("a", &LIMITS, 0);
        assert_eq!(quotas.take("a", &LIMITS, 200, 10_000).unwrap().tokens, 0);
        quotas.give_back("a", &LIMITS, 150);
        assert_eq!(quotas.take("a", &LIMITS, 150, 10_000).unwrap().tokens, 0);
    }

    #[test]
    fn requests_in_flight_are_bounded_and_what_can_never_be_afforded_is_said_so() {
        let mut quotas = Quotas::default();
        quotas.take("a", &LIMITS, 1, 0).unwrap();
        quotas.take("a", &LIMITS, 1, 0).unwrap();
        let refused = quotas.take("a", &LIMITS, 1, 0);
        assert_eq!(refused, Err(ApiError::TooManyInFlight { limit: 2 }));
        quotas.give_back("a", &LIMITS, 0);
        quotas.take("a", &LIMITS, 1, 0).unwrap();
        let refused = quotas.take("a", &LIMITS, 601, 0);
        assert!(matches!(refused, Err(ApiError::NeverAffordable { .. })));
    }

    #[test]
    fn keys_without_number_cost_no_memory_without_bound() {
        let mut quotas = Quotas::default();
        for number in 0..3 * MOST_KEYS as u64 {
            let key = number.to_string();
            quotas.take(&key, &LIMITS, 1, number).unwrap();
            quotas.give_back(&key, &LIMITS, 0);
        }
        assert!(quotas.0.len() <= MOST_KEYS);
    }
}
