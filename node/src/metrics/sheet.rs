//! What follows from what a daemon saw, at the moment of one scrape.

use std::fmt;

use athanor_chain::{Client, Neuron};
use athanor_spec::Rao;
use prometheus_client::{
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, counter::ConstCounter, gauge::ConstGauge, info::Info},
    registry::Unit,
};

use super::{Seen, Served};

/// Rao in a TAO, and in an alpha.
const RAO_PER_TAO: f64 = 1e9;

/// What is written at one scrape.
pub(super) struct Sheet<'a>(pub(super) DescriptorEncoder<'a>);

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

    fn counter(&mut self, name: &str, help: &str, value: u64) -> fmt::Result {
        let encoder = self
            .0
            .encode_descriptor(name, help, None, MetricType::Counter)?;
        ConstCounter::new(value).encode(encoder)
    }

    pub(super) fn served(&mut self, served: &Served) -> fmt::Result {
        self.counter(
            "asks_answered",
            "Asks that got a whole answer",
            served.answered,
        )?;
        self.counter("tokens_answered", "Tokens of whole answers", served.tokens)?;
        self.counter(
            "asks_cancelled",
            "Asks whose asker went away before the end",
            served.cancelled,
        )?;
        self.counter(
            "slices_sent",
            "Ranges of files that were sent",
            served.slices,
        )?;
        self.gauge(
            "asks_in_flight",
            "Answers being drawn, or waiting for the engine",
            Some(served.in_flight as f64),
        )?;
        let mut refused = self.0.encode_descriptor(
            "requests_refused",
            "Requests that were refused, by reason",
            None,
            MetricType::Counter,
        )?;
        for (reason, value) in &served.refused {
            let labels = [("reason", *reason)];
            let encoder = refused.encode_family(&labels)?;
            ConstCounter::new(*value).encode(encoder)?;
        }
        Ok(())
    }

    pub(super) fn connection(&mut self, chain: Option<&Client>) -> fmt::Result {
        let Some(chain) = chain else { return Ok(()) };
        let connection = chain.connection();
        self.gauge(
            "chain_up",
            "Whether the node answers",
            Some(f64::from(u8::from(connection.is_up))),
        )?;
        self.counter(
            "chain_reconnects",
            "Connections that were made anew after one was lost",
            connection.reconnects,
        )?;
        let node =
            self.0
                .encode_descriptor("chain_node", "The node in use", None, MetricType::Info)?;
        Info::new([("endpoint", connection.endpoint.host())]).encode(node)
    }

    pub(super) fn epoch(&mut self, seen: &Seen, chain: Option<&Client>) -> fmt::Result {
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

    pub(super) fn countdown(&mut self, seen: &Seen, chain: Option<&Client>) -> fmt::Result {
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

    pub(super) fn neuron(&mut self, seen: &Seen) -> fmt::Result {
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
