//! What a daemon tells Prometheus.
//!
//! A daemon notes what it sees; what follows from it (countdowns, the connection) is worked out when somebody asks. A
//! value that is not known is left out rather than zero.

mod server;

use std::{
    fmt,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use athanor_chain::{Client, Countdown, EpochSchedule, Neuron, Protocol, SetWeightsError};
use athanor_spec::{BlockNumber, Rao};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        MetricType,
        counter::{ConstCounter, Counter},
        family::Family,
        gauge::ConstGauge,
        info::Info,
    },
    registry::{Registry, Unit},
};

pub use server::{MetricsError, MetricsServer, serve};

/// What a daemon has seen, cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics(Arc<State>);

#[derive(Default)]
struct State {
    chain: OnceLock<Client>,
    seen: Mutex<Seen>,
    weights_set: Family<Form, Counter>,
    weights_failed: Family<Reason, Counter>,
    weights_revealed: Counter,
    weights_lost: Counter,
}

/// The latest of everything that changes with the blocks.
#[derive(Clone, Default)]
struct Seen {
    block: Option<BlockNumber>,
    schedule: Option<EpochSchedule>,
    countdown: Option<Countdown>,
    neuron: Option<Neuron>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Form {
    form: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

impl Metrics {
    /// From now on, the connection of `chain` is told of.
    pub fn connected(&self, chain: &Client) {
        // A daemon has one client.
        let _ = self.0.chain.set(chain.clone());
    }

    /// A block became final; the subnet's schedule at that block.
    pub fn block(&self, block: BlockNumber, schedule: &EpochSchedule) {
        self.note(|seen| {
            seen.block = Some(block);
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
    }

    /// A row of weights was not set.
    pub fn weights_failed(&self, error: &SetWeightsError) {
        let reason = error.name();
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
        sheet.neuron(&seen)
    }
}

/// What is written at one scrape.
struct Sheet<'a>(DescriptorEncoder<'a>);

impl Sheet<'_> {
    fn gauge(&mut self, name: &str, help: &str, value: Option<f64>) -> fmt::Result {
        self.gauge_in(name, None, help, value)
    }

    /// A gauge whose name ends with its unit.
    fn gauge_in(
        &mut self,
        name: &str,
        unit: Option<&Unit>,
        help: &str,
        value: Option<f64>,
    ) -> fmt::Result {
        let Some(value) = value else { return Ok(()) };
        let encoder = self
            .0
            .encode_descriptor(name, help, unit, MetricType::Gauge)?;
        ConstGauge::new(value).encode(encoder)
    }

    /// A time to wait, once in blocks and once in seconds.
    fn wait(
        &mut self,
        name: &str,
        help: &str,
        blocks: Option<u32>,
        chain: Option<&Client>,
    ) -> fmt::Result {
        let unit = Unit::Other("blocks".to_owned());
        self.gauge_in(name, Some(&unit), help, blocks.map(f64::from))?;
        let seconds = blocks
            .zip(chain)
            .map(|(blocks, chain)| f64::from(blocks) * chain.block_time().as_secs_f64());
        self.gauge_in(name, Some(&Unit::Seconds), help, seconds)
    }

    fn connection(&mut self, chain: Option<&Client>) -> fmt::Result {
        let Some(chain) = chain else { return Ok(()) };
        let connection = chain.connection();
        self.gauge(
            "chain_up",
            "Whether the node answers",
            Some(f64::from(u8::from(connection.is_up))),
        )?;
        let reconnects = self.0.encode_descriptor(
            "chain_reconnects",
            "Connections that were made anew after one was lost",
            None,
            MetricType::Counter,
        )?;
        ConstCounter::new(connection.reconnects).encode(reconnects)?;
        let node =
            self.0
                .encode_descriptor("chain_node", "The node in use", None, MetricType::Info)?;
        Info::new([("endpoint", connection.endpoint.host())]).encode(node)
    }

    fn epoch(&mut self, seen: &Seen, chain: Option<&Client>) -> fmt::Result {
        self.gauge(
            "chain_finalized_block",
            "Height of the latest finalized block",
            seen.block.map(|block| f64::from(block.0)),
        )?;
        let Some((block, schedule)) = seen.block.zip(seen.schedule) else {
            return Ok(());
        };
        self.gauge(
            "epoch",
            "Epochs that the subnet has run",
            Some(schedule.epoch.0 as f64),
        )?;
        let left = schedule.next_epoch_block.0.saturating_sub(block.0);
        // A tempo of 0 stands for no epochs at all.
        let left = (schedule.tempo > 0).then_some(left);
        self.wait(
            "epoch_countdown",
            "Until the subnet's next epoch",
            left,
            chain,
        )
    }

    fn countdown(&mut self, seen: &Seen, chain: Option<&Client>) -> fmt::Result {
        let Some(countdown) = seen.countdown else {
            return Ok(());
        };
        let now = countdown.at(seen.block.unwrap_or(countdown.block));
        self.gauge(
            "weights_last_update_block",
            "Block in which the validator last set or committed weights, or of its registration",
            Some(f64::from(now.last_update.0)),
        )?;
        self.wait(
            "weights_reveal",
            "Until the first committed row of weights can be revealed",
            now.reveal,
            chain,
        )?;
        self.wait(
            "weights_activity_cutoff",
            "Until the validator's weights no longer count for their age",
            now.activity_cutoff,
            chain,
        )
    }

    fn neuron(&mut self, seen: &Seen) -> fmt::Result {
        let neuron = seen.neuron.as_ref();
        let share = |of: fn(&Neuron) -> u16| {
            neuron.map(|neuron| f64::from(of(neuron)) / f64::from(u16::MAX))
        };
        let tao = |of: fn(&Neuron) -> Rao| neuron.map(|neuron| of(neuron).0 as f64 / RAO_PER_TAO);
        self.gauge(
            "neuron_registered",
            "Whether the hotkey holds a slot",
            seen.block.map(|_| f64::from(u8::from(neuron.is_some()))),
        )?;
        self.gauge(
            "neuron_uid",
            "The hotkey's slot",
            neuron.map(|neuron| neuron.uid.0.into()),
        )?;
        self.gauge(
            "neuron_validator_permit",
            "Whether the hotkey may set weights",
            neuron.map(|neuron| f64::from(u8::from(neuron.validator_permit))),
        )?;
        let alpha = Unit::Other("alpha".to_owned());
        self.gauge_in(
            "neuron_stake",
            Some(&alpha),
            "Alpha staked to the hotkey",
            tao(|neuron| neuron.stake),
        )?;
        self.gauge_in(
            "neuron_emission",
            Some(&alpha),
            "Alpha that the latest epoch paid",
            tao(|neuron| neuron.emission),
        )?;
        let ratio = Unit::Other("ratio".to_owned());
        self.gauge_in(
            "neuron_incentive",
            Some(&ratio),
            "Share of the miners' emission",
            share(|neuron| neuron.incentive),
        )?;
        self.gauge_in(
            "neuron_dividends",
            Some(&ratio),
            "Share of the validators' emission",
            share(|neuron| neuron.dividends),
        )?;
        self.gauge_in(
            "neuron_validator_trust",
            Some(&ratio),
            "How far the hotkey's weights agree with the consensus",
            share(|neuron| neuron.validator_trust),
        )
    }
}

/// Rao in a TAO, and in an alpha.
const RAO_PER_TAO: f64 = 1e9;

#[cfg(test)]
mod tests;
