//! Validators that set weights without grading: rows out of nothing, sent as the chain demands.

use athanor_chain::{Metagraph, SetWeightsError, WeightSetter};
use athanor_spec::{BlockNumber, Uid};
use futures::StreamExt as _;

use super::{AttackError, Scene};

/// Share of an epoch after which rows are sent, as honest validators do after their round.
const SENT_AFTER: f64 = 0.7;

/// What a voter sees.
pub(super) struct Poll<'a> {
    /// The subnet as it is.
    pub(super) metagraph: &'a Metagraph,
    /// Whether it ever set weights.
    pub(super) has_voted: bool,
}

impl Poll<'_> {
    /// The consensus that the chain shows; `None` while there is none.
    pub(super) fn consensus(&self) -> Option<Vec<(Uid, u16)>> {
        let neurons = self.metagraph.neurons.iter();
        let row: Vec<(Uid, u16)> = neurons
            .filter(|neuron| neuron.consensus > 0)
            .map(|neuron| (neuron.uid, neuron.consensus))
            .collect();
        (!row.is_empty()).then_some(row)
    }
}

/// How rows get on chain.
#[derive(Clone, Copy)]
pub(super) enum Showing {
    /// As the chain demands, revealed when they are due.
    InTime,
    /// So are those, by their number from 0, of which this is true; the others are committed to by their hash and never
    /// revealed.
    Some(fn(u64) -> bool),
}

impl Showing {
    fn reveals(self, number: u64) -> bool {
        match self {
            Self::InTime => true,
            Self::Some(reveals) => reveals(number),
        }
    }
}

/// Sets, once per epoch, the row that `row` makes of what it sees, until the subnet ends; `None` sets none.
pub(super) async fn vote(
    scene: &Scene,
    seat: usize,
    showing: Showing,
    row: impl Fn(&Poll<'_>) -> Option<Vec<(Uid, u16)>>,
) -> Result<(), AttackError> {
    let netuid = scene.spec.subnet.netuid;
    let participant = &scene.seats[seat];
    let open = |kind: &str| {
        let journal = scene.dir.join(format!("{}-{kind}.json", participant.name));
        let hotkey = participant.hotkey.pair.clone();
        WeightSetter::open(scene.chain.clone(), hotkey, netuid, &journal)
    };
    // Whoever ticks reveals all of its journal: what is never revealed has one of its own.
    let (mut shown, mut hidden) = (open("weights")?, open("hidden")?.by_hash());
    let mut blocks = scene.chain.blocks();
    let (mut set_in, mut rows) = (None, 0);
    loop {
        let block = tokio::select! {
            () = scene.stop.cancelled() => return Ok(()),
            block = blocks.next() => match block {
                Some(block) => block?,
                None => return Ok(()),
            },
        };
        if shown.waits()
            && let Err(error) = shown.tick().await
        {
            tracing::debug!(%error, "a voter cannot reveal yet");
        }
        let metagraph = scene.chain.metagraph_at(netuid, block.hash).await?;
        let epoch = metagraph.schedule.epoch;
        if set_in == Some(epoch) || !is_time(&metagraph, block.number) {
            continue;
        }
        let poll = Poll {
            metagraph: &metagraph,
            has_voted: rows > 0,
        };
        let Some(row) = row(&poll) else {
            continue;
        };
        let setter = match showing.reveals(rows) {
            true => &mut shown,
            false => &mut hidden,
        };
        match setter.set(&row, scene.spec.subnet.version_key).await {
            Ok(_) | Err(SetWeightsError::AlreadySet { .. }) => {
                (set_in, rows) = (Some(epoch), rows + 1);
            }
            Err(error) => {
                tracing::debug!(%error, "a voter's row was not taken; again with the next block")
            }
        }
    }
}

fn is_time(metagraph: &Metagraph, block: BlockNumber) -> bool {
    let schedule = &metagraph.schedule;
    let into = block.0.saturating_sub(schedule.last_epoch_block.0);
    f64::from(into) >= SENT_AFTER * f64::from(schedule.tempo)
}

/// The slot of a seat's hotkey.
pub(super) async fn slot(scene: &Scene, seat: usize) -> Result<Option<Uid>, AttackError> {
    let metagraph = scene.chain.metagraph(scene.spec.subnet.netuid).await?;
    let hotkey = scene.seats[seat].hotkey.account();
    Ok(metagraph.by_hotkey(&hotkey).map(|neuron| neuron.uid))
}
