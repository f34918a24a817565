//! Why a miner is paid what it is: what the chain says, what this validator holds of it, and what follows from both.

use std::collections::BTreeMap;

use athanor_chain::{Metagraph, Neuron};
use athanor_scoring::{
    ledger::Measured,
    round::{Artifact, Purpose},
    transcript::{DecodeTranscriptError, Head, Leaf, Sight, Transcript},
};
use athanor_spec::{
    Account, BlockNumber, Digest, Hotkey, Round, SubnetSpec, Uid, telemetry::FaultSummary,
};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    archive::Archive,
    book::{Book, BookError},
    watch,
};

mod findings;

pub use findings::{Finding, findings};

/// Reasons of failed asks that are listed; the rest is one sum.
const MAX_REASONS: usize = 12;

/// What the chain says of a miner, at one block. Shares are in [0, 1].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OnChain {
    /// The block.
    pub block: BlockNumber,
    /// Blocks until the next epoch, when weights become pay.
    pub blocks_to_epoch: u32,
    /// Its slot; absent if it is not registered.
    pub slot: Option<Slot>,
    /// Whether the validator that explains may set weights.
    pub validator_permit: bool,
    /// That validator's weight for it, as the chain has it.
    pub own_weight: f64,
    /// Share of the stake of all permitted validators that gives it any weight.
    pub stake_giving: f64,
}

/// A miner's slot.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Slot {
    /// Its number.
    pub uid: Uid,
    /// Block in which the hotkey took it.
    pub registered_at: BlockNumber,
    /// Share of what miners are paid.
    pub incentive: f64,
    /// Weight on which more than half of the stake agrees.
    pub consensus: f64,
    /// Alpha paid in the last epoch, in rao.
    pub emission_rao: u64,
    /// Where it serves, if it said so.
    pub axon: Option<std::net::SocketAddr>,
    /// The checkpoint that it committed to, and in which block.
    pub committed: Option<(Digest, BlockNumber)>,
    /// The spec that it says it runs.
    pub spec: Option<Digest>,
    /// Whether it holds a validator permit itself.
    pub validator_permit: bool,
}

impl OnChain {
    /// From a metagraph and the weights that the chain has; `validator` is who explains.
    pub fn of(
        metagraph: &Metagraph,
        weights: &[(Uid, Vec<(Uid, u16)>)],
        miner: &Hotkey,
        validator: &Hotkey,
    ) -> Self {
        let neuron = metagraph.by_hotkey(miner);
        let own = metagraph.by_hotkey(validator);
        let share = |of: &Neuron| -> f64 {
            let row = weights.iter().find(|(uid, _)| *uid == of.uid);
            let row = row.map_or(&[][..], |(_, row)| row.as_slice());
            let all: u64 = row.iter().map(|(_, weight)| u64::from(*weight)).sum();
            let given = row
                .iter()
                .find(|(to, _)| neuron.is_some_and(|it| it.uid == *to));
            given.map_or(0.0, |(_, weight)| {
                f64::from(*weight) / (all as f64).max(1.0)
            })
        };
        let permitted = || metagraph.neurons.iter().filter(|it| it.validator_permit);
        let stake: u128 = permitted().map(|it| u128::from(it.stake.0)).sum();
        let giving: u128 = permitted()
            .filter(|it| share(it) > 0.0)
            .map(|it| u128::from(it.stake.0))
            .sum();
        let next = metagraph.schedule.next_epoch_block.0;
        Self {
            block: metagraph.block,
            blocks_to_epoch: next.saturating_sub(metagraph.block.0),
            slot: neuron.map(Slot::of),
            validator_permit: own.is_some_and(|own| own.validator_permit),
            own_weight: own.map_or(0.0, share),
            stake_giving: giving as f64 / (stake as f64).max(1.0),
        }
    }
}

impl Slot {
    fn of(neuron: &Neuron) -> Self {
        let share = |value: u16| f64::from(value) / f64::from(u16::MAX);
        let commitment = neuron.commitment;
        Self {
            uid: neuron.uid,
            registered_at: neuron.registered_at,
            incentive: share(neuron.incentive),
            consensus: share(neuron.consensus),
            emission_rao: neuron.emission.0,
            axon: neuron.axon,
            committed: commitment.and_then(|(record, block)| Some((record.checkpoint()?, block))),
            spec: commitment.map(|(record, _)| record.spec),
            validator_permit: neuron.validator_permit,
        }
    }
}

/// What a validator holds of a miner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Held {
    /// Of which registration.
    pub account: Account,
    /// What its record has measured; absent if it has none.
    pub measured: Option<Measured>,
    /// What it is accused of, with evidence.
    pub fault: Option<FaultSummary>,
    /// The last closed round in which it took part.
    pub last: Option<RoundView>,
    /// The round that is open.
    pub open: Option<RoundView>,
    /// The weights of the last closed round.
    pub weight: Option<Given>,
    /// Who committed to the same tensors first, if it was somebody else.
    pub earlier: Option<Earlier>,
    /// Rounds that this validator has closed and still keeps.
    pub rounds: u32,
    /// With whom it is seen to act together. Shown; no pay depends on it.
    #[serde(default)]
    pub together: Vec<String>,
}

/// What a round gave a miner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Given {
    /// Which round.
    pub round: u64,
    /// Its weight, of 65535 for the largest; `None` if it was not asked in that round.
    pub weight: Option<u16>,
    /// Miners with a weight above 0.
    pub paid: u32,
}

/// An earlier claim to the same tensors, or to the model that they go on with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Earlier {
    /// Whose.
    pub hotkey: Hotkey,
    /// Since which block.
    pub committed_at: BlockNumber,
}

/// A miner in one round.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RoundView {
    /// Which round.
    pub round: u64,
    /// The checkpoint that it had committed to when the round began, and in which block.
    pub committed: Option<(Digest, BlockNumber)>,
    /// `fetched`, `bad`, `missing`, or `under way` in an open round.
    pub artifact: String,
    /// Why it is bad.
    pub artifact_evidence: Option<String>,
    /// Digest of the tensors: the class in which it is paid.
    pub class: Option<Digest>,
    /// Asks that got a usable answer.
    pub answered: u32,
    /// Of those, the ones that were opened: replayed, and graded. The others count for their time alone.
    pub opened: u32,
    /// Median time from ask to last token, in milliseconds.
    pub median_ms: Option<u32>,
    /// Asks without a usable answer, by reason.
    pub failed: BTreeMap<String, u32>,
    /// Asks lost by the validator's own trouble, by reason.
    pub own_trouble: BTreeMap<String, u32>,
}

/// Why nothing can be said.
#[derive(Debug, Error)]
pub enum ExplainError {
    /// The ledger cannot be read.
    #[error(transparent)]
    Book(#[from] BookError),
    /// A transcript cannot be read.
    #[error("cannot read the transcript of round {round}: {source}")]
    Read {
        /// Which.
        round: u64,
        /// Cause.
        source: std::io::Error,
    },
    /// A transcript is damaged.
    #[error("the transcript of round {round} is damaged: {source}")]
    Transcript {
        /// Which.
        round: u64,
        /// Cause.
        source: DecodeTranscriptError,
    },
}

/// What the ledger and the transcripts hold of an account.
pub fn held(
    book: &Book,
    archive: &Archive,
    spec: &SubnetSpec,
    account: Account,
) -> Result<Held, ExplainError> {
    let ledger = book.ledger()?;
    let record = ledger.records().get(&account);
    let rounds = book.rounds()?;
    let knows = |head: &Head| head.miner(&account).is_some();
    let open = rounds
        .iter()
        .rev()
        .find(|(head, closed)| closed.is_none() && knows(head));
    let open = match open {
        Some((head, _)) => {
            let seen = book.seen(head.round)?;
            let leaves = book.leaves(head.round)?;
            Some(view(head, seen.get(&account), &leaves, &account))
        }
        None => None,
    };
    let closed: Vec<_> = rounds
        .iter()
        .filter_map(|(head, closed)| Some((head, closed.as_ref()?)))
        .collect();
    let last = match closed.iter().rev().find(|(head, _)| knows(head)) {
        Some((head, _)) => transcript(archive, head.round, spec)?.map(|transcript| {
            let artifact = transcript
                .head
                .miner(&account)
                .map(|it| it.artifact.clone());
            view(
                &transcript.head,
                artifact.as_ref(),
                &transcript.leaves,
                &account,
            )
        }),
        None => None,
    };
    let seed = closed.last().map_or([0; 32], |(head, _)| head.seed);
    let weight = closed.last().map(|(head, closed)| {
        let uid = head.miner(&account).map(|miner| miner.uid);
        Given {
            round: head.round.0,
            weight: uid.map(|uid| {
                let given = closed.weights.iter().find(|(to, _)| *to == uid);
                given.map_or(0, |(_, weight)| *weight)
            }),
            paid: count(
                closed
                    .weights
                    .iter()
                    .filter(|(_, weight)| *weight > 0)
                    .count(),
            ),
        }
    });
    let class = [&open, &last]
        .into_iter()
        .flatten()
        .find_map(|view| view.class);
    let earlier = class
        .and_then(|tensors| ledger.claim_to(&tensors).copied())
        .filter(|claim| claim.account.hotkey != account.hotkey)
        .map(|claim| Earlier {
            hotkey: claim.account.hotkey,
            committed_at: claim.committed_at,
        });
    Ok(Held {
        account,
        measured: record.map(|record| record.measured(spec)),
        fault: record
            .and_then(|record| record.fault(&spec.audit))
            .map(FaultSummary::from),
        last,
        open,
        weight,
        earlier,
        rounds: count(closed.len()),
        together: watch::lines(&watch::summary(book, &seed)?, Some(&account.hotkey)),
    })
}

/// The latest registration of a hotkey that the ledger knows.
pub fn account_of(book: &Book, hotkey: &Hotkey) -> Result<Option<Account>, ExplainError> {
    let ledger = book.ledger()?;
    let of_hotkey = ledger.records().keys().filter(|it| it.hotkey == *hotkey);
    Ok(of_hotkey.max_by_key(|it| it.registered_at).copied())
}

fn transcript(
    archive: &Archive,
    round: Round,
    spec: &SubnetSpec,
) -> Result<Option<Transcript>, ExplainError> {
    match std::fs::read(archive.transcript(round)) {
        Ok(bytes) => Transcript::from_bytes(&bytes, &spec.limits)
            .map(Some)
            .map_err(|source| ExplainError::Transcript {
                round: round.0,
                source,
            }),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ExplainError::Read {
            round: round.0,
            source,
        }),
    }
}

fn view(head: &Head, artifact: Option<&Artifact>, leaves: &[Leaf], account: &Account) -> RoundView {
    let mut view = RoundView {
        round: head.round.0,
        committed: head
            .miner(account)
            .map(|miner| (miner.checkpoint, miner.committed_at)),
        ..RoundView::default()
    };
    view.artifact = match artifact {
        None => "under way",
        Some(Artifact::Missing) => "missing",
        Some(Artifact::Fetched { tensors } | Artifact::Compared { tensors, .. }) => {
            view.class = Some(*tensors);
            "fetched"
        }
        Some(Artifact::Bad { evidence }) => {
            view.artifact_evidence = Some(evidence.clone());
            "bad"
        }
    }
    .to_owned();
    let mut times = Vec::new();
    let own = |leaf: &&Leaf| leaf.account == *account && leaf.purpose == Purpose::Audit;
    for leaf in leaves.iter().filter(own) {
        match &leaf.sight {
            Sight::Answered { times: taken, .. } => {
                view.answered += 1;
                view.opened += 1;
                times.push(taken.elapsed_ms);
            }
            Sight::Unopened { times: taken, .. } => {
                view.answered += 1;
                times.push(taken.elapsed_ms);
            }
            Sight::Failed { failure, .. } | Sight::FailedUnopened { failure, .. } => {
                tally(&mut view.failed, &failure.reason);
            }
            Sight::OwnTrouble { reason, .. } => tally(&mut view.own_trouble, reason),
        }
    }
    times.sort_unstable();
    view.median_ms = times.get(times.len() / 2).copied();
    view
}

fn tally(reasons: &mut BTreeMap<String, u32>, reason: &str) {
    let reason = match reasons.len() < MAX_REASONS || reasons.contains_key(reason) {
        true => reason,
        false => "other reasons",
    };
    *reasons.entry(reason.to_owned()).or_default() += 1;
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
