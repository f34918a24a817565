//! Log-probabilities of answers, recomputed: nothing that a miner says about itself is passed on.
//!
//! One thread owns the models that it replays, the latest few, apart from the audit's: a user waits for this, and must not wait
//! behind a round. Its queue is bounded, and who finds it full is told so.

use std::{collections::VecDeque, sync::Arc};

use athanor_model::{
    Checkpoint, DeviceChoice,
    scorer::{LoadError, ScoreError, Scorer},
};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

/// Models kept loaded; the one unused for longest goes first.
const MOST_MODELS: usize = 4;
/// Answers that may wait.
const QUEUE: usize = 64;

/// What is known of one position of an answer, in nats at temperature 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Position {
    /// Of the token that stands there.
    pub(crate) logprob: f32,
    /// The likeliest tokens, likeliest first.
    pub(crate) top: Vec<(u32, f32)>,
}

/// Why there are none.
#[derive(Debug, Error)]
pub(crate) enum LikelihoodError {
    /// As many answers wait as may.
    #[error("too many answers wait for theirs")]
    Full,
    /// The model failed to load.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The answer cannot be replayed.
    #[error(transparent)]
    Score(#[from] ScoreError),
    /// The thread has ended.
    #[error("the thread that computes them has ended")]
    Stopped,
}

/// An answer to replay.
pub(crate) struct Replay {
    pub(crate) checkpoint: Arc<Checkpoint>,
    /// Prompt and answer.
    pub(crate) tokens: Vec<u32>,
    /// Where the answer begins; at least one.
    pub(crate) from: usize,
    /// Likeliest tokens to tell.
    pub(crate) top: usize,
}

struct Job {
    replay: Replay,
    reply: oneshot::Sender<Result<Vec<Position>, LikelihoodError>>,
}

/// A handle on the thread, which ends with the last one.
#[derive(Clone)]
pub(crate) struct Likelihoods(mpsc::Sender<Job>);

impl Likelihoods {
    /// Starts the thread; models are loaded as they are needed.
    pub(crate) fn spawn(device: DeviceChoice) -> Result<Self, std::io::Error> {
        let (jobs, mut queue) = mpsc::channel::<Job>(QUEUE);
        std::thread::Builder::new()
            .name("gateway-replay".into())
            .spawn(move || {
                let mut models = Models {
                    device,
                    loaded: VecDeque::new(),
                };
                while let Some(Job { replay, reply }) = queue.blocking_recv() {
                    // Whoever no longer waits costs nothing.
                    if !reply.is_closed() {
                        let _ = reply.send(models.replay(&replay));
                    }
                }
            })?;
        Ok(Self(jobs))
    }

    /// One position for each token of the answer.
    pub(crate) async fn of(&self, replay: Replay) -> Result<Vec<Position>, LikelihoodError> {
        let (reply, positions) = oneshot::channel();
        self.0
            .try_send(Job { replay, reply })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => LikelihoodError::Full,
                mpsc::error::TrySendError::Closed(_) => LikelihoodError::Stopped,
            })?;
        positions.await.unwrap_or(Err(LikelihoodError::Stopped))
    }
}

struct Models {
    device: DeviceChoice,
    /// The latest used last.
    loaded: VecDeque<([u8; 32], Scorer)>,
}

impl Models {
    fn replay(&mut self, replay: &Replay) -> Result<Vec<Position>, LikelihoodError> {
        let Replay {
            checkpoint,
            tokens,
            from,
            top,
        } = replay;
        let logits = self.model(checkpoint)?.logits(tokens, *from)?;
        let answer = tokens[*from..].iter().enumerate();
        let position = |(place, token): (usize, &u32)| position(logits.row(place), *token, *top);
        Ok(answer.map(position).collect())
    }

    fn model(&mut self, checkpoint: &Checkpoint) -> Result<&Scorer, LikelihoodError> {
        let digest = checkpoint.digest();
        let model = match self.loaded.iter().position(|(known, _)| *known == digest) {
            Some(place) => self.loaded.remove(place),
            None => None,
        };
        let model = match model {
            Some(model) => model,
            None => {
                if self.loaded.len() == MOST_MODELS {
                    self.loaded.pop_front();
                }
                (digest, Scorer::load(checkpoint, self.device)?)
            }
        };
        self.loaded.push_back(model);
        self.loaded
            .back()
            .map(|(_, model)| model)
            .ok_or(LikelihoodError::Stopped)
    }
}

/// The log-softmax of a row at a token, and its largest values.
fn position(logits: &[f32], token: u32, top: usize) -> Position {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f64 = logits
        .iter()
        .map(|logit| f64::from(logit - largest).exp())
        .sum();
    let log_sum = f64::from(largest) + sum.ln();
    // JSON has no infinity: a token that cannot come is as unlikely as a float can say.
    let logprob = |logit: f32| ((f64::from(logit) - log_sum) as f32).clamp(-9999.0, 0.0);
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    let by_logit = |a: &u32, b: &u32| {
        logits[*b as usize]
            .total_cmp(&logits[*a as usize])
            .then(a.cmp(b))
    };
    let kept = top.min(order.len());
    if kept > 0 && kept < order.len() {
        order.select_nth_unstable_by(kept - 1, by_logit);
    }
    order.truncate(kept);
    order.sort_unstable_by(by_logit);
    Position {
        logprob: logits
            .get(token as usize)
            .map_or(-9999.0, |logit| logprob(*logit)),
        top: order
            .into_iter()
            .map(|token| (token, logprob(logits[token as usize])))
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_likeliest_come_first_and_ties_go_to_the_smaller_id() {
        let row = [0.0, 2.0, 1.0, 2.0];
        let found = position(&row, 2, 3);
        let ids: Vec<u32> = found.top.iter().map(|(token, _)| *token).collect();
        assert_eq!(ids, [1, 3, 2]);
        assert_eq!(found.logprob, found.top[2].1);
        assert!(position(&row, 2, 0).top.is_empty());
        assert_eq!(position(&[f32::NEG_INFINITY, 0.0], 0, 1).logprob, -9999.0);
    }

    proptest! {
        #[test]
        fn probabilities_add_up(row in prop::collection::vec(-30.0_f32..30.0, 1..60)) {
            let found = position(&row, 0, row.len());
            let sum: f64 = found.top.iter().map(|(_, p)| f64::from(*p).exp()).sum();
            prop_assert!((sum - 1.0).abs() < 1e-4, "{}", sum);
            let mut sorted = found.top.clone();
            sorted.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            prop_assert_eq!(sorted, found.top);
        }
    }
}
