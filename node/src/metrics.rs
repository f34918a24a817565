//! What a daemon tells Prometheus.
//!
//! A daemon notes what it sees; what follows from it (countdowns, the connection) is worked out when somebody asks. A
//! value that is not known is left out rather than zero.

mod health;
mod server;
mod sheet;

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use athanor_chain::{Client, Countdown, EpochSchedule, Neuron, Protocol, SetWeightsError};
use athanor_spec::BlockNumber;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet},
    metrics::{counter::Counter, family::Family, gauge::Gauge},
    registry::Registry,
};

pub use health::{Health, Phase};
pub use server::{MetricsError, MetricsServer, serve};
use sheet::Sheet;

/// What a daemon has seen, cheap to clone.
#[derive(Clone)]
pub struct Metrics(Arc<State>);

impl Default for Metrics {
    fn default() -> Self {
        Self(Arc::new(State {
            started: Instant::now(),
            chain: OnceLock::new(),
            served: OnceLock::new(),
            seen: Mutex::default(),
            weights_set: Family::default(),
            weights_failed: Family::default(),
            weights_revealed: Counter::default(),
            weights_lost: Counter::default(),
            parts: Mutex::default(),
            alarms: Family::default(),
        }))
    }
}

struct State {
    started: Instant,
    chain: OnceLock<Client>,
    served: OnceLock<Box<dyn Fn() -> Served + Send + Sync>>,
    seen: Mutex<Seen>,
    weights_set: Family<Form, Counter>,
    weights_failed: Family<Reason, Counter>,
    weights_revealed: Counter,
    weights_lost: Counter,
    parts: Mutex<Vec<Part>>,
    alarms: Family<Raised, Gauge>,
}

/// Adds what a part of the daemon counts to a registry.
type Part = Arc<dyn Fn(&mut Registry) + Send + Sync>;

/// What a miner did with requests since it started, and has at hand now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Whole answers.
    pub answered: u64,
    /// Tokens of these answers.
    pub tokens: u64,
    /// Asks whose asker went away before the end.
    pub cancelled: u64,
    /// Ranges of files that were sent.
    pub slices: u64,
    /// Refusals, each reason with its name.
    pub refused: Vec<(&'static str, u64)>,
    /// Answers being drawn, or waiting for the engine.
    pub in_flight: usize,
}

/// A log that goes on until this is dropped.
pub struct Summaries(tokio::task::JoinHandle<()>);

impl Drop for Summaries {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The latest of everything that changes with the blocks.
#[derive(Clone, Default)]
struct Seen {
    phase: Phase,
    block: Option<BlockNumber>,
    /// When it was seen.
    block_at: Option<Instant>,
    schedule: Option<EpochSchedule>,
    countdown: Option<Countdown>,
    neuron: Option<Neuron>,
    /// Why the latest attempt to set weights failed, if it did.
    weights_failing: Option<&'static str>,
    /// Parts of the daemon that do not do what they are for, and why.
    troubles: BTreeMap<&'static str, &'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Form {
    form: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Raised {
    name: String,
    severity: &'static str,
}

/// What a daemon has seen of the chain and of its hotkey.
#[derive(Clone, Debug, Default)]
pub struct Sight {
    /// The latest finalized block.
    pub block: Option<BlockNumber>,
    /// How long ago it was seen.
    pub block_age: Option<Duration>,
    /// The subnet's schedule at that block.
    pub schedule: Option<EpochSchedule>,
    /// What comes next for a validator's weights, as of that block.
    pub countdown: Option<Countdown>,
    /// How the hotkey stood when it was last looked up; `None` if it has no slot, or nobody looked.
    pub neuron: Option<Neuron>,
    /// Why the latest attempt to set weights failed, if it did.
    pub weights_failing: Option<&'static str>,
    /// Committed rows of weights that were not shown in time, since the start.
    pub weights_lost: u64,
}

impl Metrics {
    /// From now on, the connection of `chain` is told of.
    pub fn connected(&self, chain: &Client) {
        // A daemon has one client.
        let _ = self.0.chain.set(chain.clone());
    }

    /// From now on, what `served` gives is told of, asked for at every scrape.
    pub fn serves(&self, served: impl Fn() -> Served + Send + Sync + 'static) {
        // A daemon serves once.
        let _ = self.0.served.set(Box::new(served));
    }

    /// The daemon came to another phase of its life.
    pub fn phase(&self, phase: Phase) {
        self.note(|seen| seen.phase = phase);
    }

    /// Whether it lives, and whether it does what it is for.
    pub fn health(&self) -> Health {
        let block_time = self
            .0
            .chain
            .get()
            .map_or(Duration::ZERO, Client::block_time);
        health::judge(&self.seen(), self.0.started, block_time, Instant::now())
    }

    /// Logs how the daemon stands every now and then, until what this gives is dropped.
    pub fn summarise(&self, every: Duration) -> Summaries {
        let metrics = self.clone();
        Summaries(tokio::spawn(async move {
            loop {
                tokio::time::sleep(every).await;
                metrics.summary();
            }
        }))
    }

    fn summary(&self) {
        let (health, seen) = (self.health(), self.seen());
        let neuron = seen.neuron.as_ref();
        tracing::info!(
            ready = health.ready,
            reasons = health.reasons.join(","),
            block = health.block,
            epoch = seen.schedule.map(|schedule| schedule.epoch.0),
            uid = neuron.map(|neuron| neuron.uid.0),
            emission = neuron.map(|neuron| neuron.emission.to_string()),
            "so far"
        );
    }

    /// A block became final; the subnet's schedule at that block.
    pub fn block(&self, block: BlockNumber, schedule: &EpochSchedule) {
        self.note(|seen| {
            seen.block = Some(block);
            seen.block_at = Some(Instant::now());
            seen.schedule = Some(*schedule);
        });
    }

    /// How the daemon's hotkey stands; `None` if it has no slot.
    pub fn neuron(&self, neuron: Option<&Neuron>) {
        self.note(|seen| seen.neuron = neuron.cloned());
    }

    /// What comes next for a validator's weights.
    pub fn countdown(&self, countdown: Countdown) {
        self.note(|seen| seen.countdown = Some(countdown));
    }

    /// A row of weights was set, or committed.
    pub fn weights_set(&self, protocol: Protocol) {
        let form = match protocol {
            Protocol::Plain => "plain",
            Protocol::HashCommit => "hash_commit",
            Protocol::Timelocked => "timelocked",
        };
        self.0.weights_set.get_or_create(&Form { form }).inc();
        self.note(|seen| seen.weights_failing = None);
    }

    /// A row of weights was not set.
    pub fn weights_failed(&self, error: &SetWeightsError) {
        let reason = error.name();
        self.note(|seen| seen.weights_failing = Some(reason));
        self.0
            .weights_failed
            .get_or_create(&Reason { reason })
            .inc();
    }

    /// A committed row was shown on chain.
    pub fn weights_revealed(&self) {
        self.0.weights_revealed.inc();
    }

    /// A committed row was not shown in time.
    pub fn weights_lost(&self) {
        self.0.weights_lost.inc();
    }

    /// A part of the daemon does what it is for, or why it does not: the daemon is ready if all parts are.
    pub fn part(&self, name: &'static str, trouble: Option<&'static str>) {
        self.note(|seen| {
            match trouble {
                Some(trouble) => seen.troubles.insert(name, trouble),
                None => seen.troubles.remove(name),
            };
        });
    }

    /// From now on, what `register` adds to a registry is told too. It is called at every scrape, and should register clones of
    /// what a part of the daemon counts.
    pub fn also(&self, register: impl Fn(&mut Registry) + Send + Sync + 'static) {
        let mut parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.push(Arc::new(register));
    }

    /// What was seen until now.
    pub fn sight(&self) -> Sight {
        let seen = self.seen();
        let countdown = seen
            .countdown
            .map(|countdown| countdown.at(seen.block.unwrap_or(countdown.block)));
        Sight {
            block: seen.block,
            block_age: seen.block_at.map(|at| at.elapsed()),
            schedule: seen.schedule,
            countdown,
            neuron: seen.neuron,
            weights_failing: seen.weights_failing,
            weights_lost: self.0.weights_lost.get(),
        }
    }

    /// The alarms that are raised from now on, each with its severity; the others are lifted.
    pub fn alarms(&self, raised: impl IntoIterator<Item = (String, &'static str)>) {
        self.0.alarms.clear();
        for (name, severity) in raised {
            let label = Raised { name, severity };
            self.0.alarms.get_or_create(&label).set(1);
        }
    }

    fn note(&self, change: impl FnOnce(&mut Seen)) {
        change(&mut self.0.seen.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn seen(&self) -> Seen {
        let seen = self.0.seen.lock();
        seen.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Everything, in the text format of OpenMetrics 1.0.
    pub fn text(&self) -> Result<String, fmt::Error> {
        let mut registry = Registry::with_prefix("athanor");
        registry.register(
            "weights_set",
            "Rows of weights that were set or committed, by form",
            self.0.weights_set.clone(),
        );
        registry.register(
            "weights_failed",
            "Attempts to set weights that failed, by reason",
            self.0.weights_failed.clone(),
        );
        registry.register(
            "weights_revealed",
            "Committed rows of weights that came to be shown on chain",
            self.0.weights_revealed.clone(),
        );
        registry.register(
            "weights_lost",
            "Committed rows of weights that were not shown in time",
            self.0.weights_lost.clone(),
        );
        let parts = self.0.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let parts = parts.clone();
        for part in parts {
            part(&mut registry);
        }
        registry.register(
            "alarm",
            "1 for every alarm that is raised",
            self.0.alarms.clone(),
        );
        registry.register_collector(Box::new(self.clone()));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry)?;
        Ok(text)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Collector for Metrics {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let seen = self.seen();
        let chain = self.0.chain.get();
        let mut sheet = Sheet(encoder);
        sheet.connection(chain)?;
        sheet.epoch(&seen, chain)?;
        sheet.countdown(&seen, chain)?;
        if let Some(served) = self.0.served.get() {
            sheet.served(&served())?;
        }
        sheet.neuron(&seen)
    }
}

#[cfg(test)]
mod tests;
