//! The miners as this gateway knows them: what the round says of each, and how each has served its users.
//!
//! The validator's loop says at the start of each round who there is; what was seen of a miner stays with its account. One
//! short lock holds it all: nothing waits while it is held.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use athanor_spec::{Digest, Hotkey, Refusal};

use super::{
    hedge::{HedgeParams, Hedges},
    route::{self, Standing, Steadiness},
};
use crate::{book::Account, finding::SharedArtifact, round::RoundMiner};

/// First tokens of a miner that its median is taken over.
const REMEMBERED: usize = 32;

/// A miner that users may be served by.
pub(crate) struct Candidate {
    /// Who and where.
    pub(crate) miner: RoundMiner,
    /// Checkpoints that it may answer from, the committed one first.
    pub(crate) accepted: Vec<(Digest, SharedArtifact)>,
    /// Lower bound of its quality, by the ledger.
    pub(crate) quality: f64,
    /// Its incentive as the chain has it, of 65535.
    pub(crate) incentive: u16,
}

impl Candidate {
    /// The checkpoints that an answer may name.
    pub(crate) fn digests(&self) -> Vec<Digest> {
        self.accepted.iter().map(|(digest, _)| *digest).collect()
    }

    /// The checkpoint with this digest, if an answer may name it.
    pub(crate) fn artifact(&self, digest: &Digest) -> Option<SharedArtifact> {
        let found = self.accepted.iter().find(|(known, _)| known == digest);
        found.map(|(_, artifact)| artifact.clone())
    }
}

/// Which miners a request may go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Any.
    Any,
    /// The one that is paid best.
    Best,
    /// One.
    Miner(Hotkey),
}

/// Where an answer may come from, and how its miner is drawn.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Aim {
    pub(crate) target: Target,
    pub(crate) how: Steadiness,
    pub(crate) draw: [u8; 32],
}

/// What happened to an ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// It is full for a while.
    Full(Duration),
    /// It does not answer, or not as it should.
    Failed,
}

impl Failure {
    /// What a refusal or an error of the network is; `None` when this node is to blame.
    pub(crate) fn of(error: &athanor_net::AskError) -> Option<Self> {
        use athanor_net::AskError::Refused;
        match error {
            Refused(Refusal::Overloaded { retry_after_ms }) => {
                Some(Self::Full(Duration::from_millis((*retry_after_ms).into())))
            }
            error => error.blames_peer().then_some(Self::Failed),
        }
    }
}

pub(crate) struct Fleet {
    began: Instant,
    state: Mutex<State>,
}

struct State {
    candidates: Vec<Arc<Candidate>>,
    live: HashMap<Account, Live>,
    hedges: Hedges,
}

impl State {
    /// The miners that an answer may come from, in UID order but for the best.
    fn eligible(&self, target: Target) -> Vec<&Arc<Candidate>> {
        let mut eligible: Vec<&Arc<Candidate>> = self.candidates.iter().collect();
        match target {
            Target::Any => {}
            Target::Best => {
                let pay = |it: &&Arc<Candidate>| (it.incentive, it.quality);
                eligible.sort_by(|a, b| {
                    pay(b)
                        .partial_cmp(&pay(a))
                        .unwrap_or(std::cmp::Ordering::Equal)
                });
                eligible.truncate(1);
            }
            Target::Miner(hotkey) => eligible.retain(|it| it.miner.account.hotkey == hotkey),
        }
        eligible
    }
}

#[derive(Default)]
struct Live {
    in_flight: usize,
    first_tokens: VecDeque<Duration>,
    /// Failures since the last answer.
    failures: u32,
    /// Left alone as it failed.
    rests_until_ms: u64,
    /// Left alone as it said that it is full.
    full_until_ms: u64,
}

impl Live {
    fn median_ms(&self) -> Option<f64> {
        let mut times: Vec<Duration> = self.first_tokens.iter().copied().collect();
        times.sort_unstable();
        times
            .get(times.len() / 2)
            .map(|time| time.as_secs_f64() * 1000.0)
    }
}

/// A request that a miner works on, until this is dropped.
pub(crate) struct InFlight {
    fleet: Arc<Fleet>,
    account: Account,
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if let Some(live) = self.fleet.state().live.get_mut(&self.account) {
            live.in_flight = live.in_flight.saturating_sub(1);
        }
    }
}

impl Fleet {
    pub(crate) fn new(hedge: HedgeParams) -> Arc<Self> {
        Arc::new(Self {
            began: Instant::now(),
            state: Mutex::new(State {
                candidates: Vec::new(),
                live: HashMap::new(),
                hedges: Hedges::new(hedge),
            }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// A round has begun with these miners. What was seen of others is forgotten once nothing of theirs is in flight.
    pub(crate) fn announce(&self, candidates: Vec<Candidate>) {
        let mut state = self.state();
        let there: HashSet<Account> = candidates.iter().map(|it| it.miner.account).collect();
        state.candidates = candidates.into_iter().map(Arc::new).collect();
        state
            .live
            .retain(|account, live| live.in_flight > 0 || there.contains(account));
    }

    /// Everybody who may be asked, in UID order.
    pub(crate) fn candidates(&self) -> Vec<Arc<Candidate>> {
        self.state().candidates.clone()
    }

    /// Whether there is a miner of this kind at all, resting or not.
    pub(crate) fn knows(&self, target: Target) -> bool {
        match target {
            // Whether anybody is there is a matter of the moment.
            Target::Any | Target::Best => true,
            Target::Miner(hotkey) => {
                let state = self.state();
                let mut accounts = state.candidates.iter().map(|it| it.miner.account);
                accounts.any(|account| account.hotkey == hotkey)
            }
        }
    }

    /// Whom to ask, in this order; nobody twice, and nobody who rests or is full.
    pub(crate) fn order(&self, aim: &Aim) -> Vec<Arc<Candidate>> {
        let now_ms = self.now_ms();
        let state = self.state();
        let total: f64 = state
            .candidates
            .iter()
            .map(|it| f64::from(it.incentive))
            .sum();
        let eligible = state.eligible(aim.target);
        let standing = |candidate: &&Arc<Candidate>| {
            let live = state.live.get(&candidate.miner.account);
            Standing {
                hotkey: candidate.miner.account.hotkey,
                quality: candidate.quality,
                incentive: if total > 0.0 {
                    f64::from(candidate.incentive) / total
                } else {
                    0.0
                },
                ttft_ms: live.and_then(Live::median_ms),
                in_flight: live.map_or(0, |live| live.in_flight),
                rests_until_ms: live.map_or(0, |live| live.rests_until_ms.max(live.full_until_ms)),
            }
        };
        let standings: Vec<Standing> = eligible.iter().map(standing).collect();
        let order = route::order(&standings, aim.how, &aim.draw, now_ms);
        order
            .into_iter()
            .map(|place| eligible[place].clone())
            .collect()
    }

    /// How long it takes until one of these miners takes work that is not left alone for a failure; `None` if there is none.
    pub(crate) fn frees_in(&self, target: Target) -> Option<Duration> {
        let now_ms = self.now_ms();
        let state = self.state();
        let wait = |candidate: &Arc<Candidate>| match state.live.get(&candidate.miner.account) {
            None => Some(0),
            Some(live) if live.rests_until_ms > now_ms => None,
            Some(live) => Some(live.full_until_ms.saturating_sub(now_ms)),
        };
        let eligible = state.eligible(target);
        let least = eligible.into_iter().filter_map(wait).min();
        least.map(Duration::from_millis)
    }

    /// A miner begins to work on a request.
    pub(crate) fn enter(self: &Arc<Self>, candidate: &Candidate) -> InFlight {
        let account = candidate.miner.account;
        self.state().live.entry(account).or_default().in_flight += 1;
        InFlight {
            fleet: self.clone(),
            account,
        }
    }

    /// A request begins: after which time a second miner should be asked.
    pub(crate) fn hedge_after(&self) -> Option<Duration> {
        self.state().hedges.begin()
    }

    /// Whether a second miner may be asked now.
    pub(crate) fn take_hedge(&self) -> bool {
        self.state().hedges.take()
    }

    /// A miner's first token came after this time, or had not come by then.
    pub(crate) fn saw_first_token(&self, candidate: &Candidate, after: Duration) {
        let mut state = self.state();
        state.hedges.saw(after);
        let live = state.live.entry(candidate.miner.account).or_default();
        if live.first_tokens.len() == REMEMBERED {
            live.first_tokens.pop_front();
        }
        live.first_tokens.push_back(after);
    }

    /// A miner answered as it should.
    pub(crate) fn answered(&self, candidate: &Candidate) {
        let mut state = self.state();
        state
            .live
            .entry(candidate.miner.account)
            .or_default()
            .failures = 0;
    }

    /// A miner failed, and is left alone for a while.
    pub(crate) fn failed(&self, candidate: &Candidate, failure: Failure) {
        let now_ms = self.now_ms();
        let mut state = self.state();
        let live = state.live.entry(candidate.miner.account).or_default();
        let (until, rest) = match failure {
            Failure::Full(wait) => (&mut live.full_until_ms, wait),
            Failure::Failed => {
                live.failures = live.failures.saturating_add(1);
                (&mut live.rests_until_ms, route::rest(live.failures))
            }
        };
        let rest = u64::try_from(rest.as_millis()).unwrap_or(u64::MAX);
        *until = (*until).max(now_ms.saturating_add(rest));
    }
}
