//! One card of stated speed, which everything that is served from it shares.
//!
//! On a machine where all miners share two cores, nobody would see that several hotkeys share one engine. So whoever is
//! compared by capacity gets a card that draws so many tokens a second, whoever asks: below what the machine itself can do, and
//! above what all hotkeys of a card are asked for in a round.
//!
//! The time that the machine takes to draw an answer is part of the card's time for it, so that cards alone decide as long as
//! they are the slower. Where other programs leave so little of the machine that it is slower than the cards on it, every
//! hotkey gets a like part of that, and many hotkeys look like many cards.

use std::{sync::Arc, time::Duration};

use athanor_miner::Behaviour as Conduct;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep_until},
};

/// Tokens per second that one card draws, over all of its streams.
const TOKENS_PER_SECOND: f64 = 100.0;

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

    /// When an answer of so many tokens is done that was begun at `begun`, after all that was taken on before.
    async fn takes_on(&self, tokens: usize, begun: Instant) -> Instant {
        let took = Duration::from_secs_f64(tokens as f64 / TOKENS_PER_SECOND);
        let mut free_at = self.free_at.lock().await;
        *free_at = (*free_at).max(begun) + took;
        *free_at
    }

    /// Honest answers, as fast as this card draws them together with whatever else it draws.
    pub(crate) fn conduct(&self) -> Conduct {
        let card = self.clone();
        Conduct::custom(move |ask, backend| {
            let card = card.clone();
            async move {
                let begun = Instant::now();
                let drawn = backend.draft(&ask).await?;
                sleep_until(card.takes_on(drawn.tokens.len(), begun).await).await;
                Ok(drawn)
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_that_is_served_from_a_card_adds_up_to_its_speed() {
        let card = Card::new();
        let other = card.clone();
        // Later than any card here was made.
        let begun = Instant::now() + Duration::from_secs(60);
        let seconds = |done: Instant| (done - begun).as_secs_f64();
        // A second each, whichever clone is asked, and however long the machine took to draw them.
        assert_eq!(seconds(card.takes_on(100, begun).await), 1.0);
        assert_eq!(seconds(other.takes_on(100, begun).await), 2.0);
        assert_eq!(seconds(Card::new().takes_on(100, begun).await), 1.0);
        let later = begun + Duration::from_secs(9);
        assert_eq!(seconds(card.takes_on(50, later).await), 9.5);
    }
}
