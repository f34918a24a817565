//! The task that owns the swarm.
//!
//! It never waits on anything but its own inputs: streams are carried by tasks of their own, a caller that went away is
//! ignored, and what a peer sends or breaks is an event like any other.

use std::time::Duration;

use athanor_spec::params::Limits;
use futures::StreamExt;
use libp2p::{Swarm, swarm::SwarmEvent};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{
    InboundRequest,
    acceptor::{Acceptor, Report},
    behaviour::{Behaviour, BehaviourEvent},
    streams::Open,
};

/// How long responses may take to arrive after the end was asked for.
const DRAIN: Duration = Duration::from_millis(1500);
/// Faults of peers that may wait to be counted; more are forgotten.
const FAULT_QUEUE: usize = 64;

/// What the handles ask of the loop.
#[derive(Debug)]
pub(crate) enum Command {
    /// Open a stream.
    Open(Open),
}

/// Sole owner of the swarm.
pub(crate) struct EventLoop {
    swarm: Swarm<Behaviour>,
    acceptor: Acceptor,
    // Messaging.
    commands: mpsc::Receiver<Command>,
    faults: mpsc::Receiver<Report>,
    stop: CancellationToken,
}

impl EventLoop {
    pub(crate) fn new(
        swarm: Swarm<Behaviour>,
        limits: Limits,
        commands: mpsc::Receiver<Command>,
        inbound: mpsc::Sender<InboundRequest>,
        stop: CancellationToken,
    ) -> Self {
        let (report, faults) = mpsc::channel(FAULT_QUEUE);
        Self {
            swarm,
            acceptor: Acceptor::new(limits, inbound, report, stop.clone()),
            commands,
            faults,
            stop,
        }
    }

    /// Runs until the end is asked for, then drains.
    pub(crate) async fn run(mut self) {
        let stop = self.stop.clone();
        let until_stopped = stop.cancelled();
        tokio::pin!(until_stopped);
        loop {
            tokio::select! {
                () = &mut until_stopped => break,
                more = self.turn() => if !more { break },
            }
        }
        self.drain().await;
    }

    /// One command or one event; false when no handle is left.
    async fn turn(&mut self) -> bool {
        tokio::select! {
            command = self.commands.recv() => match command {
                Some(Command::Open(open)) => self.swarm.behaviour_mut().streams.open(open),
                None => return false,
            },
            Some(report) = self.faults.recv() => self.on_fault(report),
            event = self.swarm.select_next_some() => self.on_event(event),
        }
        true
    }

    /// Lets the responses that were given arrive, within the deadline.
    async fn drain(&mut self) {
        self.commands.close();
        let drained = tokio::time::timeout(DRAIN, self.acceptor.drained());
        tokio::pin!(drained);
        loop {
            tokio::select! {
                _ = &mut drained => return,
                Some(_) = self.faults.recv() => {}
                event = self.swarm.select_next_some() => self.on_event(event),
            }
        }
    }

    fn on_fault(&mut self, report: Report) {
        tracing::debug!(peer = %report.peer, fault = ?report.fault, "a peer is at fault");
    }

    fn on_event(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Streams(stream)) => self.acceptor.accept(stream),
            SwarmEvent::ListenerClosed {
                reason: Err(error), ..
            } => {
                tracing::error!(%error, "a listener ended; no new connections are accepted there");
            }
            SwarmEvent::ListenerError { error, .. } => {
                tracing::warn!(%error, "a listener reported an error");
            }
            _ => {}
        }
    }
}
