//! One answer from whichever miner gives it: asked, hedged, asked elsewhere, and checked.
//!
//! Asks go out as audits do: the same message, signed by the same key, over the same connection, within the same deadline. Until
//! a first token is there, a miner that fails is followed by the next in the order, and one that is slow gets a rival once; from
//! then on the one that spoke first is heard to its end. When all that are left are only full, it is waited for as long as an answer
//! may take, for their queues empty in milliseconds and a user would ask again anyway. Dropping a draw cancels whatever is under way.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use athanor_net::{AskError, AskStream, Client as Net, Observed};
use athanor_scoring::transcript::Times;
use athanor_spec::{Ask, Receipt, Signed};
use futures::{StreamExt as _, stream::FuturesUnordered};
use tokio::time::Instant;

use super::{
    api::ApiError,
    fleet::{Aim, Candidate, Failure, Fleet, InFlight},
    metrics::{Counted, GatewayMetrics},
};
use crate::{
    ask,
    book::Account,
    signer::{Signer, now_ms},
};

/// Miners that one answer may be asked of, one after the other.
const MOST_ASKED: usize = 4;
/// Shortest wait for miners that are full, doubled each time up to the longest.
const FIRST_WAIT: Duration = Duration::from_millis(10);
const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// What asking needs.
pub(crate) struct Asking {
    pub(crate) net: Net,
    pub(crate) signer: Signer,
    pub(crate) vocab_size: u32,
    pub(crate) deadline: Duration,
    pub(crate) fleet: Arc<Fleet>,
    pub(crate) metrics: GatewayMetrics,
}

/// An answer under way.
pub(crate) struct Draw {
    asking: Arc<Asking>,
    ask: Ask,
    aim: Aim,
    /// Whom to ask next.
    waiting: VecDeque<Arc<Candidate>>,
    asked: usize,
    /// When it ends that full miners are waited for, from the first ask on.
    patience: Option<Instant>,
    wait: Duration,
    /// The miner that is heard, and what it said first.
    leading: Option<(Attempt, Opening)>,
}

/// An answer that is whole and signed by who was asked, from a checkpoint that it committed to.
pub(crate) struct Drawn {
    pub(crate) receipt: Receipt,
    /// By this validator's socket.
    pub(crate) times: Times,
    pub(crate) candidate: Arc<Candidate>,
}

/// An answer that its user lets join the audit.
pub(crate) struct Organic {
    pub(crate) account: Account,
    pub(crate) receipt: Receipt,
    pub(crate) times: Times,
}

struct Attempt {
    candidate: Arc<Candidate>,
    signed: Signed<Ask>,
    /// Gone once its end was told.
    stream: Option<AskStream>,
    began: Instant,
    _in_flight: InFlight,
}

enum Opening {
    /// The first tokens, until somebody takes them.
    Tokens(Option<Vec<u32>>),
    /// The whole answer, which came at once.
    Whole(Box<Observed>),
}

/// An attempt that came to nothing.
struct Failed {
    candidate: Arc<Candidate>,
    error: AskError,
}

impl Attempt {
    /// Waits for the first tokens.
    async fn open(mut self) -> Result<(Self, Opening), Failed> {
        let error = match self.stream.as_mut() {
            None => AskError::Stopped,
            Some(stream) => match stream.tokens().await {
                Some(tokens) => return Ok((self, Opening::Tokens(Some(tokens)))),
                None => match self.end().await {
                    Ok(observed) => return Ok((self, Opening::Whole(Box::new(observed)))),
                    Err(error) => error,
                },
            },
        };
        Err(Failed {
            candidate: self.candidate,
            error,
        })
    }

    async fn end(&mut self) -> Result<Observed, AskError> {
        match self.stream.take() {
            Some(stream) => stream.finish().await,
            None => Err(AskError::Stopped),
        }
    }
}

impl Draw {
    /// An answer to `ask` by one of those that `aim` names.
    pub(crate) fn new(asking: Arc<Asking>, ask: Ask, aim: Aim) -> Self {
        let mut draw = Self {
            asking,
            ask,
            aim,
            waiting: VecDeque::new(),
            asked: 0,
            patience: None,
            wait: FIRST_WAIT,
            leading: None,
        };
        draw.line_up();
        draw
    }

    fn line_up(&mut self) {
        self.waiting = self.asking.fleet.order(&self.aim).into();
        self.waiting.truncate(MOST_ASKED);
    }

    /// Waits until a miner has begun to answer.
    pub(crate) async fn begin(&mut self) -> Result<(), ApiError> {
        let first = match self.next_attempt() {
            Some(first) => first,
            None => self.after_waiting(ApiError::NoMiner).await?,
        };
        self.asking.metrics.count(Counted::First);
        let mut racing = FuturesUnordered::new();
        let mut watched = vec![(first.candidate.clone(), first.began)];
        racing.push(first.open());
        let hedge_after = self.asking.fleet.hedge_after();
        let mut timer = std::pin::pin!(tokio::time::sleep(hedge_after.unwrap_or(Duration::MAX)));
        let mut hedge = hedge_after.is_some();
        loop {
            tokio::select! {
                biased;
                Some(opened) = racing.next() => match opened {
                    Ok((attempt, opening)) => {
                        let fleet = &self.asking.fleet;
                        for (candidate, began) in &watched {
                            // Of one that lost: it had not spoken by now.
                            fleet.saw_first_token(candidate, began.elapsed());
                        }
                        let first_asked = Arc::ptr_eq(&watched[0].0, &attempt.candidate);
                        if watched.len() > 1 && !first_asked {
                            self.asking.metrics.count(Counted::HedgeWon);
                        }
                        self.asking.metrics.first_token(attempt.began.elapsed());
                        self.leading = Some((attempt, opening));
                        return Ok(());
                    }
                    Err(failed) => {
                        let last = self.note(&failed);
                        watched.retain(|(candidate, _)| !Arc::ptr_eq(candidate, &failed.candidate));
                        if !racing.is_empty() {
                            continue;
                        }
                        let next = match self.next_attempt() {
                            Some(next) => next,
                            None => self.after_waiting(last).await?,
                        };
                        self.asking.metrics.count(Counted::Fallback);
                        watched.push((next.candidate.clone(), next.began));
                        racing.push(next.open());
                    }
                },
                () = &mut timer, if hedge => {
                    hedge = false;
                    if !self.waiting.is_empty()
                        && self.asking.fleet.take_hedge()
                        && let Some(rival) = self.next_attempt()
                    {
                        self.asking.metrics.count(Counted::Hedge);
                        watched.push((rival.candidate.clone(), rival.began));
                        racing.push(rival.open());
                    }
                }
            }
        }
    }

    /// The next tokens of the answer that has begun; `None` at its end, which [`Draw::finish`] tells.
    pub(crate) async fn next(&mut self) -> Option<Vec<u32>> {
        let (attempt, opening) = self.leading.as_mut()?;
        match opening {
            Opening::Whole(_) => None,
            Opening::Tokens(first) => match first.take() {
                Some(tokens) => Some(tokens),
                None => attempt.stream.as_mut()?.tokens().await,
            },
        }
    }

    /// Waits for the rest of the answer, and checks it.
    pub(crate) async fn finish(&mut self) -> Result<Drawn, ApiError> {
        let Some((mut attempt, opening)) = self.leading.take() else {
            return Err(ApiError::NoMiner);
        };
        let observed = match opening {
            Opening::Whole(observed) => Ok(*observed),
            Opening::Tokens(_) => attempt.end().await,
        };
        let candidate = attempt.candidate;
        let observed = match observed {
            Ok(observed) => observed,
            Err(error) => {
                let why = error.to_string();
                self.note(&Failed { candidate, error });
                return Err(ApiError::Broken { why });
            }
        };
        let expected = ask::Expected {
            context: self.asking.signer.context(),
            hotkey: &candidate.miner.account.hotkey,
            accepted: &candidate.digests(),
            vocab_size: self.asking.vocab_size,
        };
        let checked = ask::check(&expected, &self.ask, &observed.answer, now_ms());
        if let Err(reason) = checked {
            let why = reason.to_string();
            tracing::debug!(uid = %candidate.miner.uid, why, "a miner's answer to a user is not one");
            self.asking.fleet.failed(&candidate, Failure::Failed);
            self.asking.metrics.count(Counted::Failed);
            return Err(ApiError::Broken { why });
        }
        self.asking.fleet.answered(&candidate);
        let millis = |time: Duration| u32::try_from(time.as_millis()).unwrap_or(u32::MAX);
        Ok(Drawn {
            times: Times {
                first_token_ms: millis(observed.first_token),
                elapsed_ms: millis(observed.elapsed),
                own_ms: 0,
            },
            receipt: Receipt {
                ask: attempt.signed,
                answer: observed.answer,
            },
            candidate,
        })
    }

    /// The whole answer at once. As nobody has seen a part of it, a miner that fails in the middle is followed by the next.
    pub(crate) async fn whole(&mut self) -> Result<Drawn, ApiError> {
        loop {
            self.begin().await?;
            match self.finish().await {
                Err(_) if !self.waiting.is_empty() => {
                    self.asking.metrics.count(Counted::Fallback);
                }
                finished => return finished,
            }
        }
    }

    /// Asks one of those that were only full, as soon as one is said to have room; `otherwise` if there is none.
    async fn after_waiting(&mut self, otherwise: ApiError) -> Result<Attempt, ApiError> {
        let now = Instant::now();
        let until = *self.patience.get_or_insert(now + self.asking.deadline);
        while let Some(frees_in) = self.asking.fleet.frees_in(self.aim.target) {
            let wait = frees_in.max(self.wait);
            if Instant::now() + wait > until {
                return Err(ApiError::Full {
                    retry_after: frees_in,
                });
            }
            self.asking.metrics.count(Counted::Waited);
            self.wait = LONGEST_WAIT.min(self.wait * 2);
            tokio::time::sleep(wait).await;
            self.line_up();
            if let Some(attempt) = self.next_attempt() {
                return Ok(attempt);
            }
        }
        Err(otherwise)
    }

    fn next_attempt(&mut self) -> Option<Attempt> {
        let candidate = self.waiting.pop_front()?;
        self.asked += 1;
        let Asking {
            net,
            signer,
            deadline,
            fleet,
            ..
        } = self.asking.as_ref();
        // Signed anew each time, as no miner answers a message that another has shown it.
        let signed = signer.sign(self.ask.clone());
        Some(Attempt {
            stream: Some(net.ask_stream(&candidate.miner.peer, signed.clone(), *deadline)),
            signed,
            began: Instant::now(),
            _in_flight: fleet.enter(&candidate),
            candidate,
        })
    }

    /// Remembers a failure, and says what it means if nobody else can be asked.
    fn note(&self, failed: &Failed) -> ApiError {
        let Failed { candidate, error } = failed;
        tracing::debug!(uid = %candidate.miner.uid, %error, "a miner did not answer a user");
        self.asking.metrics.count(Counted::Failed);
        match Failure::of(error) {
            Some(failure) => self.asking.fleet.failed(candidate, failure),
            // This node's own trouble is no miner's.
            None => return ApiError::Overloaded,
        }
        ApiError::AllFailed {
            asked: self.asked,
            last: error.to_string(),
        }
    }
}
