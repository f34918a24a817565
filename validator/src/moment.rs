//! The moment by which the tokens of a load probe are counted: one for all asks of the probe, whoever they go to.
//!
//! It comes [`goodput::window_ms`](athanor_scoring::goodput::window_ms) after the probe's asks were sent on their way, by this
//! validator's clock, and later by what the validator itself was too busy to look at its sockets until then. Asks do not count
//! from their own first byte: a peer that lets itself be dialled slowly would else have a window of its own.

use std::time::{Duration, Instant};

use athanor_net::Observed;
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};

use crate::stall::{self, Stalls};

/// The moment of one probe. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Moment {
    earliest: Instant,
    is_there: Shared<BoxFuture<'static, Instant>>,
}

impl Moment {
    /// The moment so long after now; what of that time this validator loses is added.
    pub(crate) fn after(window: Duration, stalls: &Stalls) -> Self {
        let earliest = Instant::now() + window;
        let (stalls, before) = (stalls.clone(), stalls.lost());
        let watching = tokio::spawn(async move {
            let mut moment = earliest;
            loop {
                tokio::time::sleep_until(moment.into()).await;
                tokio::time::sleep(stall::TOLD_AFTER).await;
                let lost = stalls.lost().saturating_sub(before);
                if earliest + lost <= moment {
                    return moment;
                }
                moment = earliest + lost;
            }
        });
        Self {
            earliest,
            is_there: watching
                .map(move |watched| watched.unwrap_or(earliest))
                .boxed()
                .shared(),
        }
    }

    /// Tokens of an answer that were there by the moment. Waits for it only if it makes a difference.
    pub(crate) async fn arrived(&self, observed: &Observed) -> u32 {
        let whole = observed.arrivals.last().map_or(0, |(_, tokens)| *tokens);
        match observed.arrived_by(self.earliest) {
            all if all == whole => all,
            _ => observed.arrived_by(self.is_there.clone().await),
        }
    }
}

#[cfg(test)]
mod tests {
    use athanor_spec::{Answer, Digest, Finish, Hotkey, Signed};

    use super::*;

    /// Of tokens that came so many milliseconds after now.
    fn observed(arrivals: &[(u64, u32)]) -> Observed {
        let now = Instant::now();
        let tokens = arrivals.last().map_or(0, |(_, tokens)| *tokens);
        Observed {
            answer: Signed {
                payload: Answer {
                    request: Digest([0; 32]),
                    checkpoint: Digest([0; 32]),
                    tokens: vec![0; tokens as usize],
                    finish: Finish::Stop,
                },
                signer: Hotkey([0; 32]),
                issued_ms: 0,
                expires_ms: 0,
                nonce: 0,
                signature: [0; 64],
            },
            first_token: Duration::ZERO,
            elapsed: Duration::ZERO,
            arrivals: arrivals
                .iter()
                .map(|(ms, tokens)| (now + Duration::from_millis(*ms), *tokens))
                .collect(),
        }
    }

    #[tokio::test]
    async fn tokens_count_up_to_one_moment_for_all_asks_of_a_probe() {
        let moment = Moment::after(Duration::from_millis(500), &Stalls::default());
        let streamed = observed(&[(10, 1), (200, 4), (9_000, 12)]);
        let (whole, bunched) = (observed(&[(100, 9)]), observed(&[(9_000, 12)]));
        let other = moment.clone();
        assert_eq!(moment.arrived(&streamed).await, 4);
        assert_eq!(other.arrived(&whole).await, 9);
        // All at once at the end is nothing at the moment.
        assert_eq!(other.arrived(&bunched).await, 0);
    }

    #[tokio::test]
    async fn what_the_validator_was_busy_comes_on_top_for_all_alike() {
        let stalls = Stalls::default();
        let moment = Moment::after(Duration::from_millis(300), &stalls);
        let late = observed(&[(50, 2), (500, 8), (9_000, 12)]);
        stalls.add(Duration::from_millis(500));
        assert_eq!(moment.clone().arrived(&late).await, 8);
        // Later is another matter.
        stalls.add(Duration::from_secs(60));
        assert_eq!(moment.arrived(&late).await, 8);
    }
}
