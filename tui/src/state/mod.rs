//! What is known about the subnet: a pure fold over updates, without widgets, clock or I/O.
//!
//! Time is an argument: the duration since the program started. Everything that outsiders can make grow is capped:
//! the log, the series, the hotkeys heard of and the graders of each miner.

mod activity;
mod collusion;
mod columns;
mod explain;
mod history;
mod latency;
mod log;
mod pace;
mod records;
mod rounds;
mod rows;
mod screen;
mod series;
mod shares;
mod telemetry;
mod what_if;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

use athanor_chain::{BlockContent, Hyperparameters, Metagraph, Neuron, Votes};
use athanor_spec::{Hotkey, NetUid, Uid, telemetry::Event};
use serde::{Deserialize, Serialize};

pub use activity::{Activity, ChainEvent, with_names};
pub use collusion::{CopyFinding, Group, Suspect, VoteFindings, suspects};
pub use columns::Column;
pub use explain::{Cause, explain};
pub use history::{EpochVotes, History, Track};
pub use latency::Latency;
pub use log::{Kind, Line, Log};
pub use pace::Pace;
pub use records::{
    AlarmRecord, Axes, CommitRecord, Due, Graded, Learnt, Miner, Resemblance, Validator, VoteRecord,
};
pub use rounds::{LiveRound, Tally};
pub use rows::{Filter, NeuronRow, Order, Sort, Verdict};
pub use screen::{Action, Flow, Play, Prompt, Room, Screen, View};
pub use series::Series;
pub use shares::{Share, shares};
pub use telemetry::Peers;
pub use what_if::{Knob, Pay, WhatIf};

/// One finalized block's view of the subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The neurons and the schedule of epochs.
    pub metagraph: Metagraph,
    /// What the validators voted.
    pub votes: Votes,
    /// The rules that the owner set.
    pub rules: Hyperparameters,
}

/// Whether a daemon's feed is heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// It is being asked.
    Connecting,
    /// What it tells arrives.
    Live,
    /// It cannot be heard; the source is trying again.
    Lost {
        /// Why, in one line.
        reason: String,
    },
}

/// Something that the sources bring. Serialised it is a line of a recording, see [`crate::source::recording`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// A block was finalized.
    Chain(Box<Snapshot>),
    /// The chain cannot be read at the moment; the source goes on trying.
    ChainLost {
        /// Why, in one line.
        reason: String,
    },
    /// What a block did.
    Block(BlockContent),
    /// A daemon reported something.
    Event(Event),
    /// How it stands with a daemon's feed.
    Feed {
        /// Its address.
        url: String,
        /// How it stands.
        link: Link,
    },
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
    /// What the neurons are known to be, where the caller knows it (a local subnet with its red team). It is the answer to
    /// what the evidence asks, so names say it only once they are unmasked.
    pub labels: BTreeMap<Hotkey, String>,
    /// Whether names say what neurons are known to be.
    pub unmasked: bool,
    /// The latest finalized view of the chain.
    pub chain: Option<Snapshot>,
    /// What daemons told about themselves and each other.
    pub peers: Peers,
    /// What happened, newest last.
    pub log: Log,
    /// How fast blocks come.
    pub pace: Pace,
    /// What the chain said epoch by epoch.
    pub history: History,
    /// What the last blocks did.
    pub activity: Activity,
    /// What the votes say about who works together.
    pub findings: VoteFindings,
    /// How it stands with each daemon's feed, by its address.
    pub feeds: BTreeMap<String, Link>,
    /// What other rules would pay, if somebody asked.
    pub what_if: Option<WhatIf>,
    slots: HashMap<Hotkey, usize>,
    voters: BTreeSet<Uid>,
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
            unmasked: false,
            chain: None,
            peers: Peers::default(),
            log: Log::default(),
            pace: Pace::new(block_time),
            history: History::default(),
            activity: Activity::default(),
            findings: VoteFindings::default(),
            feeds: BTreeMap::new(),
            what_if: None,
            slots: HashMap::new(),
            voters: BTreeSet::new(),
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
            Update::Block(content) => self.activity.take(content),
            Update::Event(event) => self.take_event(event),
            Update::Feed { url, link } => self.take_link(url, link),
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

    /// Time since the start, as of the last update.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// Asks what other rules would pay, or stops asking.
    pub fn suppose(&mut self, rules: Option<Hyperparameters>) {
        self.what_if = match (&self.chain, rules) {
            (Some(chain), Some(rules)) if rules != chain.rules => Some(WhatIf::of(chain, rules)),
            _ => None,
        };
    }

    /// How long so many blocks take from the last one on, where the pace is known.
    pub fn time_for(&self, blocks: u32) -> Option<Duration> {
        self.pace.time_for(blocks, self.now)
    }

    /// The neuron of a hotkey, if it is registered.
    pub fn neuron(&self, hotkey: &Hotkey) -> Option<&Neuron> {
        self.chain
            .as_ref()?
            .metagraph
            .neurons
            .get(*self.slots.get(hotkey)?)
    }

    /// A text with the addresses of hotkeys in it replaced by what a person calls them.
    pub fn named(&self, text: &str) -> String {
        let word = |word: &str| {
            let address = word.trim_end_matches([',', '.', ';', ':', ')']);
            match (46..=50)
                .contains(&address.len())
                .then(|| address.parse::<Hotkey>())
            {
                Some(Ok(hotkey)) => self.name(&hotkey) + &word[address.len()..],
                _ => word.to_owned(),
            }
        };
        text.split(' ').map(word).collect::<Vec<_>>().join(" ")
    }

    /// What a hotkey is known to be, where names say it.
    pub(super) fn label(&self, hotkey: &Hotkey) -> Option<&str> {
        match self.unmasked {
            true => self.labels.get(hotkey).map(String::as_str),
            false => None,
        }
    }

    /// How a person calls a hotkey: its UID, with its label where names say it, or its shortened address.
    pub fn name(&self, hotkey: &Hotkey) -> String {
        let label = self.label(hotkey);
        match (self.neuron(hotkey), label) {
            (Some(neuron), Some(label)) => format!("{label}#{}", neuron.uid),
            (Some(neuron), None) => format!("uid {}", neuron.uid),
            (None, Some(label)) => label.to_owned(),
            (None, None) => short(hotkey),
        }
    }

    fn say(&mut self, kind: Kind, text: String) {
        self.say_of(None, kind, text);
    }

    fn say_of(&mut self, about: Option<Hotkey>, kind: Kind, text: String) {
        let block = self.chain.as_ref().map(|chain| chain.metagraph.block);
        self.log.push(Line {
            at: self.now,
            block,
            kind,
            about,
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
            (self.history, self.activity) = (History::default(), Activity::default());
            self.findings = VoteFindings::default();
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
        self.voters = voters(&snapshot.votes);
        let settled = self.history.take(self.chain.as_ref(), &snapshot);
        let votes_changed = self
            .chain
            .as_ref()
            .is_none_or(|chain| chain.votes != snapshot.votes || chain.rules != snapshot.rules);
        if settled {
            self.findings = VoteFindings::of(&self.history, &snapshot);
        }
        let before = self.chain.replace(snapshot);
        if let Some(asked) = self.what_if.take() {
            if votes_changed {
                self.suppose(Some(asked.rules));
            } else {
                self.what_if = Some(asked);
            }
        }
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
            self.say_of(Some(log::about(&event)), kind, text);
        }
        let lead = self.lead();
        let now = self.now;
        let accused = match &event {
            Event::Graded { miner, grade, .. } => Some((*miner, grade.fault.is_some())),
            _ => None,
        };
        self.peers.take(event, now, |validator| {
            lead.is_none_or(|lead| lead == *validator)
        });
        if let Some((miner, fault)) = accused {
            self.note_accusation(miner, fault);
        }
    }

    /// The validator whose grades are followed over time: of those heard from, the one with the most stake.
    fn lead(&self) -> Option<Hotkey> {
        self.peers
            .validators
            .keys()
            .filter_map(|hotkey| self.neuron(hotkey))
            .max_by_key(|neuron| (neuron.stake, std::cmp::Reverse(neuron.uid)))
            .map(|neuron| neuron.hotkey)
    }

    /// Of the validators that graded a miner, the one with the most stake.
    pub fn lead_grader(&self, miner: &Hotkey) -> Option<Hotkey> {
        let grades = &self.peers.miners.get(miner)?.grades;
        let graders = grades.keys().filter_map(|hotkey| self.neuron(hotkey));
        graders
            .max_by_key(|neuron| (neuron.stake, std::cmp::Reverse(neuron.uid)))
            .map(|neuron| neuron.hotkey)
    }

    fn note_accusation(&mut self, miner: Hotkey, fault: bool) {
        let accused = fault || self.peers.accused.contains(&miner);
        let at = self
            .chain
            .as_ref()
            .map(|chain| (chain.metagraph.block, chain.metagraph.schedule.epoch));
        if let Some(track) = self.history.tracks.get_mut(&miner) {
            track.accused_since = match accused {
                true => track.accused_since.or(at),
                false => None,
            };
        }
    }

    fn take_link(&mut self, url: String, link: Link) {
        let url = log::printable(&url);
        let before = self.feeds.get(&url);
        let was_lost = matches!(before, Some(Link::Lost { .. }));
        match &link {
            // It stays lost until it is heard.
            Link::Connecting if was_lost => return,
            Link::Lost { reason } if !was_lost => {
                self.say(Kind::Warning, format!("lost a feed: {reason}"));
            }
            Link::Live if was_lost => self.say(Kind::Chain, format!("{url} can be heard again")),
            _ => {}
        }
        if self.feeds.len() < MAX_FEEDS || self.feeds.contains_key(&url) {
            self.feeds.insert(url, link);
        }
    }
}

/// Feeds remembered at most.
const MAX_FEEDS: usize = 64;

/// UIDs that weigh anybody but themselves.
fn voters(votes: &Votes) -> BTreeSet<Uid> {
    votes
        .weights
        .iter()
        .filter(|(uid, row)| row.iter().any(|(to, _)| to != uid))
        .map(|(uid, _)| *uid)
        .collect()
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
