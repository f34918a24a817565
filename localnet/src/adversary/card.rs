//! One card of stated speed, which everything that is served from it shares.
//!
//! On a machine where all miners share two cores, nobody would see that several hotkeys share one engine. So whoever is
//! compared by capacity gets a card that draws so many tokens a second, whoever asks: below what the machine itself can do, and
//! above what all hotkeys of a card are asked for in a round.

use std::{sync::Arc, time::Duration};

use athanor_miner::Behaviour as Conduct;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// Tokens per second that one card draws, over all of its streams.
const TOKENS_PER_SECOND: f64 = 150.0;

/// A card. Clones are the same card.
#[derive(Clone)]
pub(crate) struct Card {
    /// When what was taken on so far is done.
    free_at: Arc<Mutex<Instant>>,
}

impl Card {
    pub(crate) fn new() -> Self {
        Self {
            free_at: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// Honest answers, as fast as this card draws them together with whatever else it draws.
    pub(crate) fn conduct(&self) -> Conduct {
        let card = self.clone();
        Conduct::custom(move |ask, backend| {
            let card = card.clone();
            async move {
                let drawn = backend.draft(&ask).await?;
                let took = Duration::from_secs_f64(drawn.tokens.len() as f64 / TOKENS_PER_SECOND);
                let done = {
                    let mut free_at = card.free_at.lock().await;
                    *free_at = (*free_at).max(Instant::now()) + took;
                    *free_at
                };
                sleep_until(done).await;
                Ok(drawn)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_served_from_one_card_waits_for_it() {
        let card = Card::new();
        let other = card.clone();
        let later = Instant::now() + Duration::from_secs(60);
        *card.free_at.lock().await = later;
        assert_eq!(*other.free_at.lock().await, later);
        assert_ne!(*Card::new().free_at.lock().await, later);
    }
}
