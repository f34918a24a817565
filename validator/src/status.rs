//! What a running validator says of itself, and the board on which its parts note what goes into that.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use athanor_chain::Client as Chain;
use athanor_node::{Feed, Metrics, metrics::Phase};
use athanor_scoring::readiness::Readiness;
use athanor_spec::{
    Hotkey, NetUid, Round,
    telemetry::{CollusionSummary, Event},
};
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{
    alarms::{self, Alarm, Alarms, Facts, Standing},
    artifacts::Artifacts,
    finding::Finding,
    round::Timetable,
};

/// How often alarms are judged.
const JUDGE_EVERY: Duration = Duration::from_secs(5);

/// A validator at one moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The program's version.
    pub version: String,
    /// The process.
    pub pid: u32,
    /// Seconds since it started.
    pub uptime_seconds: u64,
    /// Whose validator it is.
    pub hotkey: Hotkey,
    /// On which subnet.
    pub netuid: NetUid,
    /// Its slot, if it has one.
    pub uid: Option<u16>,
    /// Whether it may set weights.
    pub validator_permit: Option<bool>,
    /// `starting`, `serving` or `draining`.
    pub phase: String,
    /// Whether it does what it is for.
    pub ready: bool,
    /// Why not.
    pub reasons: Vec<String>,
    /// The last block that it saw.
    pub block: Option<u32>,
    /// How long ago, in seconds.
    pub block_age_seconds: Option<f64>,
    /// The subnet's epoch.
    pub epoch: Option<u64>,
    /// The round under way.
    pub round: Option<RoundStatus>,
    /// What waits for what.
    pub queues: Queues,
    /// What checkpoints have cost on the wire since the start.
    pub artifacts: ArtifactTraffic,
    /// Its weights.
    pub weights: WeightsStatus,
    /// What it knows of the miners, at the end of the last round.
    pub readiness: Option<Readiness>,
    /// What it sees of collusion, over the rounds up to the last. Shown; no pay depends on it.
    pub collusion: Option<CollusionSummary>,
    /// What somebody has to know of.
    pub alarms: Alarms,
}

/// A round under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoundStatus {
    /// Its number.
    pub round: u64,
    /// Its first block.
    pub first_block: u32,
    /// From which block on weights are set.
    pub submit_from: u32,
    /// Until which.
    pub submit_until: u32,
    /// Miners that are asked.
    pub miners: u32,
    /// Asks that were still to be sent when this process began the round.
    pub planned: u32,
    /// ... of which so many were sent.
    pub sent: u32,
    /// ... and so many have come to an end and are in the ledger.
    pub ended: u32,
    /// ... of which so many were lost by this validator's own trouble, and count for nothing.
    pub own_trouble: u32,
    /// Whether it is closed and its weights are done with.
    pub submitted: bool,
}

/// What waits for what, each with how much may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queues {
    /// Asks in flight.
    pub in_flight: u32,
    /// The most that may be.
    pub in_flight_limit: u32,
    /// Findings that wait for the ledger.
    pub findings: u32,
    /// The most that may.
    pub findings_limit: u32,
}

/// What checkpoints have cost on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactTraffic {
    /// Bytes that were fetched.
    pub fetched_bytes: u64,
    /// Bytes of the files that came of it: more, where only what had changed was fetched.
    pub obtained_bytes: u64,
}

/// Weights, and what comes next for them, in blocks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightsStatus {
    /// What became of the last row, in words.
    pub last: Option<String>,
    /// Whether it is on chain, revealed or not.
    pub given: bool,
    /// Block in which they were last set or committed.
    pub last_update: Option<u32>,
    /// Until the next epoch.
    pub epoch_blocks: Option<u32>,
    /// Until the first committed row can be revealed.
    pub reveal_blocks: Option<u32>,
    /// Until they no longer count for their age.
    pub cutoff_blocks: Option<u32>,
}

#[derive(Default)]
struct Live {
    round: Option<RoundStatus>,
    readiness: Option<Readiness>,
    last_weights: Option<Became>,
    was_registered: bool,
    collusion: Option<CollusionSummary>,
    alarms: Alarms,
}

/// What became of a round's weights, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Became {
    /// They are on chain, or committed there.
    Given(String),
    /// There are none in this epoch, and nothing more is to be done.
    None(String),
    /// They were not set, and are tried again.
    Failed(String),
}

impl Became {
    fn words(&self) -> &str {
        match self {
            Self::Given(words) | Self::None(words) | Self::Failed(words) => words,
        }
    }
}

/// Where the parts of a validator note what they are at. Clones are the same board.
#[derive(Clone)]
pub(crate) struct Board(Arc<Shared>);

struct Shared {
    started: Instant,
    hotkey: Hotkey,
    netuid: NetUid,
    metrics: Metrics,
    feed: Feed,
    chain: Chain,
    artifacts: Artifacts,
    in_flight: Arc<Semaphore>,
    in_flight_limit: u32,
    findings: mpsc::WeakSender<Finding>,
    live: Mutex<Live>,
}

impl Shared {
    fn queues(&self) -> Queues {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let free = count(self.in_flight.available_permits());
        let (waiting, limit) = self.findings.upgrade().map_or((0, 0), |findings| {
            let limit = findings.max_capacity();
            (limit - findings.capacity(), limit)
        });
        Queues {
            in_flight: self.in_flight_limit.saturating_sub(free),
            in_flight_limit: self.in_flight_limit,
            findings: count(waiting),
            findings_limit: count(limit),
        }
    }
}

impl Queues {
    /// Adds to a registry what waits at this moment.
    fn register(&self, registry: &mut Registry) {
        let mut gauge = |name: &str, help: &str, value: u32| {
            let gauge = Gauge::<i64>::default();
            gauge.set(value.into());
            registry.register(name, help, gauge);
        };
        gauge(
            "round_asks_in_flight",
            "Asks of the round that are under way",
            self.in_flight,
        );
        gauge(
            "outcomes_waiting",
            "Outcomes of asks that wait to be written down",
            self.findings,
        );
    }
}

/// What a board looks at beside what is noted on it.
pub(crate) struct Sources {
    pub(crate) hotkey: Hotkey,
    pub(crate) netuid: NetUid,
    pub(crate) metrics: Metrics,
    pub(crate) feed: Feed,
    pub(crate) chain: Chain,
    pub(crate) artifacts: Artifacts,
    pub(crate) in_flight: Arc<Semaphore>,
    pub(crate) in_flight_limit: u32,
    pub(crate) findings: mpsc::WeakSender<Finding>,
}

impl Board {
    pub(crate) fn new(sources: Sources) -> Self {
        let Sources {
            hotkey,
            netuid,
            metrics,
            feed,
            chain,
            artifacts,
            in_flight,
            in_flight_limit,
            findings,
        } = sources;
        let shared = Arc::new(Shared {
            started: Instant::now(),
            hotkey,
            netuid,
            metrics,
            feed,
            chain,
            artifacts,
            in_flight,
            in_flight_limit,
            findings,
            live: Mutex::default(),
        });
        let told = Arc::downgrade(&shared);
        shared.metrics.also(move |registry| {
            if let Some(shared) = told.upgrade() {
                shared.queues().register(registry);
            }
        });
        Self(shared)
    }

    /// A round begins, or goes on after a restart.
    pub(crate) fn begins(&self, round: Round, timetable: &Timetable, miners: usize, asks: usize) {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        self.note(|live| {
            live.round = Some(RoundStatus {
                round: round.0,
                first_block: timetable.first.0,
                submit_from: timetable.submit_from.0,
                submit_until: timetable.submit_until.0,
                miners: count(miners),
                planned: count(asks),
                sent: 0,
                ended: 0,
                own_trouble: 0,
                submitted: false,
            });
        });
    }

    /// An ask of the round under way is sent.
    pub(crate) fn sent(&self) {
        self.in_round(|round| round.sent += 1);
    }

    /// Asks of the round under way have come to an end, some of them by this validator's own trouble.
    pub(crate) fn ended(&self, asks: u32, own_trouble: u32) {
        self.in_round(|round| {
            round.ended += asks;
            round.own_trouble += own_trouble;
        });
    }

    /// What the ledger knows of a round's miners as the round begins.
    pub(crate) fn knows(&self, readiness: Readiness) {
        self.note(|live| live.readiness = Some(readiness));
    }

    /// What is known of the miners at the end of a round. Told to whoever watches, and to the log while it is too little.
    pub(crate) fn learnt(&self, round: Round, readiness: Readiness) {
        let sets_weights = readiness.is_enough();
        let before = self.note(|live| live.readiness.replace(readiness));
        match sets_weights {
            false => tracing::info!(%round, "no weights are set yet: {readiness}"),
            true if before.is_none_or(|before| !before.is_enough()) => {
                tracing::info!(%round, "enough is known to set weights: {readiness}");
            }
            true => {}
        }
        self.0.feed.send(Event::Learnt {
            validator: self.0.hotkey,
            round,
            miners: readiness.miners,
            known: readiness.known,
            miners_needed: readiness.miners_needed,
            asks_needed: readiness.asks_needed,
            sets_weights,
        });
    }

    /// What the rounds so far show of collusion.
    pub(crate) fn collusion(&self, seen: CollusionSummary) {
        self.note(|live| live.collusion = Some(seen));
    }

    /// What became of a round's weights.
    pub(crate) fn weights(&self, became: Became) {
        let done = !matches!(became, Became::Failed(_));
        self.note(|live| live.last_weights = Some(became));
        self.in_round(|round| round.submitted = done);
    }

    /// Judges the alarms until told to stop, whether or not blocks arrive.
    pub(crate) async fn watch(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(JUDGE_EVERY);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => self.judge(),
            }
        }
    }

    fn judge(&self) {
        let after = alarms::judge(&self.facts());
        let before = self.note(|live| std::mem::replace(&mut live.alarms, after.clone()));
        let (raised, lifted) = alarms::changes(&before, &after);
        for (name, Alarm { severity, text }) in raised {
            tracing::warn!(alarm = name, severity = severity.name(), "{text}");
            self.tell(name, severity.name(), text.clone(), true);
        }
        for name in lifted {
            tracing::info!(alarm = name, "over");
            let severity = before.get(name).map_or("", |alarm| alarm.severity.name());
            self.tell(name, severity, String::new(), false);
        }
        let raised = after
            .iter()
            .map(|(name, alarm)| (name.clone(), alarm.severity.name()));
        self.0.metrics.alarms(raised);
    }

    fn tell(&self, name: &str, severity: &str, text: String, raised: bool) {
        self.0.feed.send(Event::Alarm {
            validator: self.0.hotkey,
            name: name.to_owned(),
            severity: severity.to_owned(),
            text,
            raised,
        });
    }

    fn facts(&self) -> Facts {
        let sight = self.0.metrics.sight();
        let epoch_blocks = sight.schedule.map(|schedule| {
            let (last, next) = (schedule.last_epoch_block.0, schedule.next_epoch_block.0);
            next.saturating_sub(last)
        });
        // The hotkey is looked up in the first block of every epoch, at which one that came later had no slot yet.
        let (round, readiness, was_registered) = self.note(|live| {
            live.was_registered |= sight.neuron.is_some();
            (live.round, live.readiness, live.was_registered)
        });
        let neuron = was_registered.then(|| Standing {
            registered: sight.neuron.is_some(),
            permit: sight.neuron.as_ref().is_some_and(|it| it.validator_permit),
        });
        Facts {
            block_age: sight.block_age,
            block_time: self.0.chain.block_time(),
            epoch_blocks,
            neuron,
            countdown: sight.countdown,
            weights_failing: sight.weights_failing.map(str::to_owned),
            weights_lost: sight.weights_lost,
            asks_ended: round.map_or(0, |round| round.ended),
            asks_lost: round.map_or(0, |round| round.own_trouble),
            still_learning: match readiness {
                Some(readiness) => (!readiness.is_enough()).then(|| readiness.to_string()),
                None => Some("no round is closed since the start".to_owned()),
            },
        }
    }

    /// The validator at this moment.
    pub(crate) fn status(&self) -> Status {
        let shared = &self.0;
        let (sight, health) = (shared.metrics.sight(), shared.metrics.health());
        let (round, readiness, last_weights, alarms) = self.note(|live| {
            let alarms = live.alarms.clone();
            (
                live.round,
                live.readiness,
                live.last_weights.clone(),
                alarms,
            )
        });
        let traffic = shared.artifacts.traffic();
        let countdown = sight.countdown;
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: shared.started.elapsed().as_secs(),
            hotkey: shared.hotkey,
            netuid: shared.netuid,
            uid: sight.neuron.as_ref().map(|neuron| neuron.uid.0),
            validator_permit: sight.neuron.as_ref().map(|neuron| neuron.validator_permit),
            phase: match health.phase {
                Phase::Starting => "starting",
                Phase::Serving => "serving",
                Phase::Draining => "draining",
            }
            .to_owned(),
            ready: health.ready,
            reasons: health.reasons.iter().map(|it| (*it).to_owned()).collect(),
            block: sight.block.map(|block| block.0),
            block_age_seconds: sight.block_age.map(|age| age.as_secs_f64()),
            epoch: sight.schedule.map(|schedule| schedule.epoch.0),
            round,
            queues: shared.queues(),
            artifacts: ArtifactTraffic {
                fetched_bytes: traffic.fetched,
                obtained_bytes: traffic.obtained,
            },
            weights: WeightsStatus {
                given: matches!(last_weights, Some(Became::Given(_))),
                last: last_weights.map(|became| became.words().to_owned()),
                last_update: countdown.map(|countdown| countdown.last_update.0),
                epoch_blocks: countdown.map(|countdown| countdown.epoch),
                reveal_blocks: countdown.and_then(|countdown| countdown.reveal),
                cutoff_blocks: countdown.and_then(|countdown| countdown.activity_cutoff),
            },
            readiness,
            collusion: self.note(|live| live.collusion.clone()),
            alarms,
        }
    }

    fn in_round(&self, change: impl FnOnce(&mut RoundStatus)) {
        self.note(|live| {
            if let Some(round) = &mut live.round {
                change(round);
            }
        });
    }

    fn note<T>(&self, change: impl FnOnce(&mut Live) -> T) -> T {
        change(&mut self.0.live.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
