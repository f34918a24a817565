//! Follows the chain block by block, closes an epoch when the chain has settled one, and keeps the report.

use std::{collections::BTreeMap, time::Instant};

use athanor_chain::{BlockRef, Client, Metagraph};
use athanor_spec::{Epoch, NetUid, Rao, Uid, telemetry::Event};
use athanor_tui::EpochRow;
use tokio::sync::broadcast::{Receiver, error::TryRecvError};

use crate::{
    error::LocalnetError,
    report::{Collector, EpochReport, ExtrinsicReport, Member, NeuronReport, Report, Role},
};

/// Follows one run.
pub struct Watcher {
    client: Client,
    netuid: NetUid,
    events: Receiver<Event>,
    collector: Collector,
    started: Instant,
    epoch: Option<Epoch>,
    /// Weights at the last block seen: those that the next epoch settles with.
    weights: BTreeMap<Uid, Vec<(Uid, u16)>>,
}

impl Watcher {
    /// A watcher of `members`; `started` is when the run began.
    pub fn new(
        client: Client,
        netuid: NetUid,
        events: Receiver<Event>,
        seed: u64,
        members: Vec<Member>,
        started: Instant,
    ) -> Self {
        Self {
            client,
            netuid,
            events,
            collector: Collector::new(seed, members),
            started,
            epoch: None,
            weights: BTreeMap::new(),
        }
    }

    /// Takes in a block; returns the epoch that it settled, if it settled one.
    pub async fn on_block(
        &mut self,
        block: BlockRef,
    ) -> Result<Option<EpochReport>, LocalnetError> {
        self.drain_events();
        let signed = self
            .client
            .extrinsics(block.number)
            .await?
            .into_iter()
            .filter(|e| e.signer.is_some());
        self.collector.extrinsics(signed.map(|e| ExtrinsicReport {
            block: e.block,
            hash: e.hash,
            call: e.call,
            signer: e.signer,
            success: e.success,
        }));
        let metagraph = self.client.metagraph_at(self.netuid, block.hash).await?;
        let epoch = metagraph.schedule.epoch;
        let settled = self.epoch.is_some_and(|known| known != epoch);
        self.epoch = Some(epoch);
        let closed = if settled {
            let report = self.epoch_report(&metagraph);
            Some(self.collector.close_epoch(report).clone())
        } else {
            None
        };
        self.weights = self
            .client
            .weights(self.netuid)
            .await?
            .into_iter()
            .collect();
        Ok(closed)
    }

    /// The report so far.
    pub fn report(&mut self) -> &Report {
        self.drain_events();
        self.collector.report()
    }

    /// An epoch as rows of a table.
    pub fn rows(&self, epoch: &EpochReport) -> Vec<EpochRow> {
        epoch
            .neurons
            .iter()
            .map(|neuron| {
                let grade = self
                    .collector
                    .members()
                    .iter()
                    .filter(|member| member.role == Role::Validator)
                    .find_map(|member| self.collector.grade(member.uid, neuron.uid))
                    .cloned();
                let fault = neuron
                    .grades_by_validator
                    .values()
                    .find_map(|grade| grade.fault.clone());
                EpochRow {
                    uid: neuron.uid,
                    role: match neuron.role {
                        Role::Miner => athanor_tui::Role::Miner,
                        Role::Validator => athanor_tui::Role::Validator,
                    },
                    behaviour: Some(neuron.behaviour.clone()),
                    checkpoint: neuron.checkpoint,
                    grade,
                    weights: neuron
                        .weight_by_validator
                        .iter()
                        .map(|(uid, weight)| (*uid, *weight))
                        .collect(),
                    incentive: neuron.incentive,
                    dividends: neuron.dividends,
                    emission: Rao(neuron.emission_rao),
                    fault,
                }
            })
            .collect()
    }

    fn drain_events(&mut self) {
        loop {
            match self.events.try_recv() {
                Ok(event) => self.collector.observe(&event),
                Err(TryRecvError::Lagged(lost)) => {
                    tracing::warn!(lost, "events were lost: the report is incomplete");
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn epoch_report(&self, metagraph: &Metagraph) -> EpochReport {
        let neurons = metagraph
            .neurons
            .iter()
            .map(|neuron| {
                let member = self.collector.member(&neuron.hotkey);
                NeuronReport {
                    uid: neuron.uid,
                    hotkey: neuron.hotkey,
                    role: member.map_or(Role::Miner, |member| member.role),
                    behaviour: member
                        .map_or_else(|| "unknown".to_owned(), |member| member.behaviour.clone()),
                    checkpoint: neuron
                        .commitment
                        .and_then(|(record, _)| record.checkpoint()),
                    weight_by_validator: self
                        .weights
                        .iter()
                        .filter_map(|(validator, row)| {
                            let weight = row.iter().find(|(to, _)| *to == neuron.uid)?.1;
                            Some((*validator, weight))
                        })
                        .collect(),
                    grades_by_validator: BTreeMap::new(),
                    fault: None,
                    incentive: neuron.incentive,
                    dividends: neuron.dividends,
                    emission_rao: neuron.emission.0,
                }
            })
            .collect();
        EpochReport {
            epoch: metagraph.schedule.epoch,
            block: metagraph.block,
            seconds: self.started.elapsed().as_secs_f64(),
            neurons,
        }
    }
}
