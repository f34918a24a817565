//! One card of stated speed, which everything that is served from it shares.
//!
//! On a machine where all miners share two cores, nobody would see that several hotkeys share one engine. So whoever is
//! compared by capacity gets a card that draws so many tokens a second, whoever asks: below what the machine itself can do, and
//! above what all hotkeys of a card are asked for in a round.
//!
//! The time that the machine takes to draw an answer is part of the card's time for it, so that cards alone decide as long as
//! they are the slower. Where other programs leave so little of the machine that it is slower than the cards on it, every
//! hotkey gets a like part of that, and many hotkeys look like many cards.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use athanor_miner::Behaviour as Conduct;
use tokio::{
    sync::{Mutex, watch},
    time::{Instant, sleep_until},
};

/// Tokens per second that one card draws, over all of its streams.
pub(crate) const TOKENS_PER_SECOND: f64 = 50.0;
/// How long a hotkey waits in line at least, so that those before it are asked too where all are asked at once.
const IN_LINE: Duration = Duration::from_millis(150);

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

    /// Honest answers of one of several hotkeys of this card, which has the whole card as soon as those before it in line have
    /// no ask.
    pub(crate) fn conduct_in_line(&self, line: Line, hotkey: usize) -> Conduct {
        let card = self.clone();
        Conduct::custom(move |ask, backend| {
            let (card, line) = (card.clone(), line.clone());
            async move {
                let place = line.take(hotkey);
                let begun = Instant::now();
                let drawn = backend.draft(&ask).await?;
                if hotkey > 0 {
                    sleep_until(begun + IN_LINE).await;
                }
                place.turn().await;
                sleep_until(card.takes_on(drawn.tokens.len(), begun).await).await;
                Ok(drawn)
            }
        })
    }
}

/// The order in which the hotkeys of a card are served: how many asks each has, first come those of the first. Clones are the
/// same line.
#[derive(Clone, Debug)]
pub(crate) struct Line(watch::Sender<BTreeMap<usize, usize>>);

impl Default for Line {
    fn default() -> Self {
        Self(watch::Sender::new(BTreeMap::new()))
    }
}

impl Line {
    /// Takes a place for an ask to the hotkey of that number, until what is returned is dropped.
    fn take(&self, hotkey: usize) -> Place {
        self.0
            .send_modify(|asks| *asks.entry(hotkey).or_default() += 1);
        Place {
            line: self.clone(),
            hotkey,
        }
    }
}

/// An ask in line.
struct Place {
    line: Line,
    hotkey: usize,
}

impl Place {
    /// Waits until no hotkey before this one has an ask.
    async fn turn(&self) {
        let is_first = |asks: &BTreeMap<usize, usize>| {
            let mut before = asks.range(..self.hotkey);
            before.all(|(_, waiting)| *waiting == 0)
        };
        // The sender is this place's own: it is there as long as this waits.
        let _ = self.line.0.subscribe().wait_for(is_first).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.line.0.send_modify(|asks| {
            if let Some(waiting) = asks.get_mut(&self.hotkey) {
                *waiting = waiting.saturating_sub(1);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn all_that_is_served_from_a_card_adds_up_to_its_speed() {
        let card = Card::new();
        let other = card.clone();
        // Later than any card here was made.
        let begun = Instant::now() + Duration::from_secs(60);
        let seconds = |done: Instant| (done - begun).as_secs_f64();
        // A second each, whichever clone is asked, and however long the machine took to draw them.
        assert_eq!(seconds(card.takes_on(50, begun).await), 1.0);
        assert_eq!(seconds(other.takes_on(50, begun).await), 2.0);
        assert_eq!(seconds(Card::new().takes_on(50, begun).await), 1.0);
        let later = begun + Duration::from_secs(9);
        assert_eq!(seconds(card.takes_on(25, later).await), 9.5);
    }

    #[tokio::test]
    async fn who_is_later_in_line_waits_for_those_before() {
        let line = Line::default();
        let (first, second) = (line.take(0), line.take(1));
        first.turn().await;
        assert_eq!(second.turn().now_or_never(), None);
        drop(first);
        assert_eq!(second.turn().now_or_never(), Some(()));
    }
}
