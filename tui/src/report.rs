//! One machine-readable picture of the subnet.

use std::{collections::BTreeMap, time::Duration};

use athanor_chain::Hyperparameters;
use athanor_spec::{BlockNumber, Digest, Epoch, Hotkey, NetUid, Rao};
use serde::Serialize;

use crate::{
    state::{Connection, Link, Snapshot, State, explain},
    table::EpochRow,
};

/// What `--json` prints.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The network or endpoint, as the user named it.
    pub network: String,
    /// The subnet.
    pub netuid: NetUid,
    /// The finalized block that everything is as of.
    pub block: BlockNumber,
    /// Its hash.
    pub hash: Digest,
    /// The subnet's epoch.
    pub epoch: Epoch,
    /// Blocks between epochs.
    pub tempo: u16,
    /// The block of the next epoch.
    pub next_epoch_block: BlockNumber,
    /// Seconds until then, where the block time is known.
    pub next_epoch_seconds: Option<f64>,
    /// Whether blocks arrive: `connecting`, `live`, `stalled` or `lost`.
    pub connection: &'static str,
    /// How every feed of events stands, by name.
    pub feeds: BTreeMap<String, Link>,
    /// The subnet's rules, with the price of a registration.
    pub rules: Hyperparameters,
    /// Alarms that are raised.
    pub alarms: Vec<AlarmEntry>,
    /// The neurons by UID.
    pub neurons: Vec<Entry>,
}

/// An alarm in a [`Report`].
#[derive(Clone, Debug, Serialize)]
pub struct AlarmEntry {
    /// The validator that raised it.
    pub validator: Hotkey,
    /// Its stable name.
    pub name: String,
    /// `warn` or `page`.
    pub severity: String,
    /// What is wrong and what to do.
    pub text: String,
}

/// A neuron in a [`Report`].
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// Its stake, rao.
    pub stake: Rao,
    /// Whether it may set weights.
    pub validator_permit: bool,
    /// The block of its registration.
    pub registered_at: BlockNumber,
    /// TAO that it did not earn since it was accused: what the median paid miner got in each epoch, less its own.
    pub lost_tao: f64,
    /// Why it is paid what it is paid, the decisive reason first.
    pub why: Vec<String>,
    /// What the epoch table shows of it.
    #[serde(flatten)]
    pub row: EpochRow,
}

impl Report {
    /// The picture that a state holds; `None` before the chain was read.
    pub fn of(state: &State) -> Option<Self> {
        let Snapshot {
            metagraph, rules, ..
        } = state.chain.as_ref()?;
        let mut neurons: Vec<_> = metagraph.neurons.iter().collect();
        neurons.sort_by_key(|neuron| neuron.uid);
        let entries = neurons
            .into_iter()
            .zip(state.epoch_rows())
            .map(|(neuron, row)| Entry {
                hotkey: neuron.hotkey,
                stake: neuron.stake,
                validator_permit: neuron.validator_permit,
                registered_at: neuron.registered_at,
                lost_tao: state
                    .history
                    .tracks
                    .get(&neuron.hotkey)
                    .map_or(0.0, |track| track.forgone),
                why: explain(state, neuron)
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
                row,
            });
        Some(Self {
            network: state.network.clone(),
            netuid: state.netuid,
            block: metagraph.block,
            hash: metagraph.hash,
            epoch: metagraph.schedule.epoch,
            tempo: metagraph.schedule.tempo,
            next_epoch_block: metagraph.schedule.next_epoch_block,
            next_epoch_seconds: state
                .next_epoch()
                .and_then(|(_, time)| time)
                .as_ref()
                .map(Duration::as_secs_f64),
            connection: match state.connection() {
                Connection::Connecting => "connecting",
                Connection::Live => "live",
                Connection::Stalled { .. } => "stalled",
                Connection::Lost { .. } => "lost",
            },
            feeds: state.feeds.clone(),
            rules: rules.clone(),
            alarms: state
                .peers
                .alarms
                .iter()
                .map(|((validator, name), alarm)| AlarmEntry {
                    validator: *validator,
                    name: name.clone(),
                    severity: alarm.severity.clone(),
                    text: alarm.text.clone(),
                })
                .collect(),
            neurons: entries.collect(),
        })
    }
}
