//! What is known about the subnet: a pure fold over updates, without widgets, clock or I/O.
//!
//! Time is an argument: the duration since the program started. Everything that outsiders can make grow is capped:
//! the log, the series, the hotkeys heard of and the graders of each miner.

mod explain;
mod log;
mod pace;
mod rows;
mod screen;
mod series;
mod telemetry;

use std::{collections::BTreeMap, time::Duration};

use athanor_chain::{Metagraph, Neuron};
use athanor_spec::{Hotkey, NetUid, Uid, telemetry::Event};

pub use explain::{Cause, explain};
pub use log::{Kind, Line, Log};
pub use pace::Pace;
pub use rows::{NeuronRow, Sort, Verdict};
pub use screen::{Action, Flow, Pane, Screen};
pub use series::Series;
pub use telemetry::{Graded, Miner, Peers, Validator, VoteRecord};

/// One finalized block's view of the subnet.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// The neurons and the schedule of epochs.
    pub metagraph: Metagraph,
    /// The weights on chain: per validator, the miners and their max-upscaled shares.
    pub weights: Vec<(Uid, Vec<(Uid, u16)>)>,
}

/// Something that the sources bring.
#[derive(Clone, Debug)]
pub enum Update {
    /// A block was finalized.
    Chain(Box<Snapshot>),
    /// The chain cannot be read at the moment; the source goes on trying.
    ChainLost {
        /// Why, in one line.
        reason: String,
    },
    /// A daemon reported something.
    Event(Event),
    /// The source of events has a problem that a person should see.
    EventsTrouble {
        /// What it is, in one line.
        reason: String,
    },
    /// Nothing but time passed.
    Tick,
}

/// Whether what is shown is fresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Nothing was heard from the chain yet.
    Connecting,
    /// Blocks arrive.
    Live,
    /// Connected, but no block arrived for much longer than a block takes.
    Stalled {
        /// Time since the last block.
        since: Duration,
    },
    /// The connection failed; the source is trying again.
    Lost {
        /// Why.
        reason: String,
        /// Time since it failed.
        since: Duration,
    },
}

/// No block for this many block times (and at least [`STALL_MIN`]) is called a stall.
const STALL_BLOCKS: u32 = 5;
/// A short block time must not turn every hiccup of a busy machine into an alarm.
const STALL_MIN: Duration = Duration::from_secs(10);

/// Blocks that a node may lag behind another of the same network. A chain that goes back further has started over, as a
/// local one does with every run.
const MAX_LAG: u32 = 16;

/// All that is known, and when it was learnt.
#[derive(Clone, Debug)]
pub struct State {
    /// The network or endpoint, as the user named it.
    pub network: String,
    /// The subnet.
    pub netuid: NetUid,
    /// What the neurons are known to be, where the caller knows it (a local subnet with its red team).
    pub labels: BTreeMap<Hotkey, String>,
    /// The latest finalized view of the chain.
    pub chain: Option<Snapshot>,
    /// What daemons told about themselves and each other.
    pub peers: Peers,
    /// What happened, newest last.
    pub log: Log,
    /// How fast blocks come.
    pub pace: Pace,
    slots: BTreeMap<Hotkey, usize>,
    now: Duration,
    lost: Option<(String, Duration)>,
}

impl State {
    /// A state in which nothing is known yet. `block_time` is the nominal time between blocks, where it is known.
    pub fn new(
        network: String,
        netuid: NetUid,
        labels: BTreeMap<Hotkey, String>,
        block_time: Option<Duration>,
    ) -> Self {
        Self {
            network,
            netuid,
            labels,
            chain: None,
            peers: Peers::default(),
            log: Log::default(),
            pace: Pace::new(block_time),
            slots: BTreeMap::new(),
            now: Duration::ZERO,
            lost: None,
        }
    }

    /// Takes in an update that arrived `at` this long after the start.
    pub fn update(&mut self, update: Update, at: Duration) {
        self.now = self.now.max(at);
        match update {
            Update::Chain(snapshot) => self.take_snapshot(*snapshot),
            Update::ChainLost { reason } => {
                if self.lost.is_none() {
                    self.say(Kind::Warning, format!("lost the chain: {reason}"));
                }
                let since = self.lost.take().map_or(self.now, |(_, since)| since);
                self.lost = Some((reason, since));
            }
            Update::Event(event) => self.take_event(event),
            Update::EventsTrouble { reason } => self.say(Kind::Warning, reason),
            Update::Tick => {}
        }
    }

    /// Whether what is shown is fresh.
    pub fn connection(&self) -> Connection {
        if let Some((reason, since)) = &self.lost {
            return Connection::Lost {
                reason: reason.clone(),
                since: self.now.saturating_sub(*since),
            };
        }
        let Some(last) = self.pace.last_block_at() else {
            return Connection::Connecting;
        };
        let since = self.now.saturating_sub(last);
        let limit = self
            .pace
            .block_time()
            .map_or(STALL_MIN, |time| (time * STALL_BLOCKS).max(STALL_MIN));
        if since > limit {
            Connection::Stalled { since }
        } else {
            Connection::Live
        }
    }

    /// Blocks until the next epoch, and the time that they should take where the pace is known.
    pub fn next_epoch(&self) -> Option<(u32, Option<Duration>)> {
        let metagraph = &self.chain.as_ref()?.metagraph;
        let blocks = metagraph
            .schedule
            .next_epoch_block
            .0
            .saturating_sub(metagraph.block.0);
        Some((blocks, self.pace.time_for(blocks, self.now)))
    }

    /// The neuron of a hotkey, if it is registered.
    pub fn neuron(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.chain
            .as_ref()?
            .metagraph
            .neurons
            .get(*self.slots.get(hotkey)?)
    }

    /// How a person calls a hotkey: its UID and label, or its shortened address.
    pub fn name(&self, hotkey: &Hotkey) -> String {
        let label = self.labels.get(hotkey);
        match (self.neuron(hotkey), label) {
            (Some(neuron), Some(label)) => format!("{label}#{}", neuron.uid),
            (Some(neuron), None) => format!("uid {}", neuron.uid),
            (None, Some(label)) => label.clone(),
            (None, None) => short(hotkey),
        }
    }

    fn say(&mut self, kind: Kind, text: String) {
        let block = self.chain.as_ref().map(|chain| chain.metagraph.block);
        self.log.push(Line {
            at: self.now,
            block,
            kind,
            text,
            times: 1,
        });
    }

    fn take_snapshot(&mut self, snapshot: Snapshot) {
        let graph = &snapshot.metagraph;
        let back = self.chain.as_ref().map_or(0, |chain| {
            chain.metagraph.block.0.saturating_sub(graph.block.0)
        });
        if (1..=MAX_LAG).contains(&back) {
            // A node that lags behind the one we spoke to before: what we have is newer.
            return;
        }
        let recovered = self.lost.take().is_some();
        if back > MAX_LAG {
            (self.chain, self.peers) = (None, Peers::default());
            self.pace = self.pace.restarted();
        }
        self.pace.block(graph.block, self.now);
        let before = self
            .chain
            .as_ref()
            .map_or(&[][..], |chain| &chain.metagraph.neurons);
        self.peers.retain_registered(before, &graph.neurons);
        self.slots = graph
            .neurons
            .iter()
            .map(|neuron| neuron.hotkey)
            .zip(0..)
            .collect();
        let before = self.chain.replace(snapshot);
        if back > MAX_LAG {
            self.say(Kind::Chain, "the chain has started over".to_owned());
        }
        if recovered {
            self.say(Kind::Chain, "the chain can be read again".to_owned());
        }
        for line in log::chain_news(before.as_ref(), self) {
            self.say(Kind::Chain, line);
        }
    }

    fn take_event(&mut self, event: Event) {
        if let Some((kind, text)) = log::event_news(&event, self) {
            self.say(kind, text);
        }
        self.peers.take(event);
    }
}

/// An address that fits into a column: the first four and the last three characters.
pub fn short(hotkey: &Hotkey) -> String {
    let text = hotkey.to_ss58();
    match (
        text.get(..4),
        text.len().checked_sub(3).and_then(|tail| text.get(tail..)),
    ) {
        (Some(head), Some(tail)) => format!("{head}…{tail}"),
        _ => text,
    }
}

#[cfg(test)]
pub(crate) mod scene;
#[cfg(test)]
mod tests;
