//! Close a round: everything that a validator saw in it becomes records, grades and weights.
//!
//! [`close`] is one pure function of the ledger before, what was seen, and the spec. What was seen may come in any
//! order: it is taken by account and index, so whoever has the same inputs gets the same bits. The validator and whoever
//! verifies it call this same function. It has two parts: asks are counted into the miners' records ([`Observed`]), and
//! [`settle`] makes grades, the crown and weights of the records. A simulation, which draws sums and no asks, enters at the
//! second.

use std::collections::BTreeMap;

use athanor_spec::{
    Account, BlockNumber, Digest, Epoch, Round, SubnetSpec, Uid, telemetry::GradeSummary,
};
use codec::{Decode, Encode};
use serde::Serialize;

use crate::{
    allocate::{ChainLimits, Entry, allocate},
    ledger::{AskOutcome, Fault, FaultKind, Record},
    rank::Contender,
};

mod asks;
mod contest;
mod lineage;
mod state;

pub use lineage::{Chain, Distances, Likeness, Lineage, Past, SharedInnovation};
pub use state::{DecodeLedgerError, Ledger};

/// The first account that was seen to commit to certain tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize)]
pub struct Claim {
    /// Who committed first.
    pub account: Account,
    /// In which block.
    pub committed_at: BlockNumber,
    /// Digest of the manifest that was committed.
    pub manifest: Digest,
}

impl Claim {
    /// What comes first has priority: the earlier block, in one block the smaller account.
    pub fn rank(&self) -> (BlockNumber, Account) {
        (self.committed_at, self.account)
    }
}

/// What became of a committed checkpoint by the end of a round.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub enum Artifact {
    /// It could not be had, and nobody can say by whose fault: neutral, and unpaid.
    #[default]
    #[codec(index = 0)]
    Missing,
    /// It was fetched and verified.
    #[codec(index = 1)]
    Fetched {
        /// Digest of its tensors, however they are laid out in files.
        tensors: Digest,
    },
    /// What was committed to can never be served.
    #[codec(index = 2)]
    Bad {
        /// Why, in words; at most [`Fault::MAX_EVIDENCE_BYTES`].
        evidence: String,
    },
    /// It was fetched and verified, is new, and was held against the models before it.
    #[codec(index = 3)]
    Compared {
        /// Digest of its tensors.
        tensors: Digest,
        /// Whose model it goes on with.
        lineage: Lineage,
    },
}

impl Artifact {
    /// Digest of the tensors, of what was fetched.
    pub fn tensors(&self) -> Option<Digest> {
        match self {
            Self::Fetched { tensors } | Self::Compared { tensors, .. } => Some(*tensors),
            Self::Missing | Self::Bad { .. } => None,
        }
    }

    /// Whether every number in it is one that a comparison can give.
    pub(crate) fn is_bounded(&self) -> bool {
        match self {
            Self::Compared { lineage, .. } => lineage.is_bounded(),
            Self::Missing | Self::Fetched { .. } | Self::Bad { .. } => true,
        }
    }
}

/// A miner as the chain showed it in the round's first block, and what became of its checkpoint.
#[derive(Clone, Debug, PartialEq, Encode, Decode)]
pub struct SeenMiner {
    /// Whose record the answers go to.
    pub account: Account,
    /// Slot.
    pub uid: Uid,
    /// ed25519 public key of the peer that speaks for it.
    pub peer_key: Digest,
    /// Checkpoint that it committed to before the round's prompts could be known.
    pub checkpoint: Digest,
    /// Block of that commitment.
    pub committed_at: BlockNumber,
    /// The checkpoint of the round before, from which answers are taken too: a swap may lag the epoch by a block.
    pub previous: Option<Digest>,
    /// How many asks it was to get (see [`crate::width::prompts`]).
    pub asks: u32,
    /// What became of `checkpoint`.
    pub artifact: Artifact,
}

/// Why somebody was asked.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// The validator's round.
    #[default]
    #[codec(index = 0)]
    Audit,
    /// A user, who consented: it counts as evidence of the audit and for nothing else.
    #[codec(index = 1)]
    Organic,
}

/// What came of one ask. An ask that failed by the validator's own trouble has no result.
#[derive(Clone, Debug, PartialEq)]
pub struct AskResult {
    /// Who was asked.
    pub account: Account,
    /// Why.
    pub purpose: Purpose,
    /// Position among the asks of this purpose to the account in this round.
    pub index: u32,
    /// Which of the round's shared prompts it was, if it was one.
    pub shared: Option<u32>,
    /// The checkpoint that answered; `None` if nothing usable came.
    pub from: Option<Digest>,
    /// What was found.
    pub outcome: AskOutcome,
    /// Provable misbehaviour that came with it.
    pub fault: Option<Fault>,
}

/// What was seen in a round.
#[derive(Clone, Copy, Debug)]
pub struct RoundInput<'a> {
    /// Which round; it is the epoch of the same number.
    pub round: Round,
    /// Whom it was about.
    pub miners: &'a [SeenMiner],
    /// What came of its asks, in any order. A second result for the same ask counts for nothing.
    pub results: &'a [AskResult],
    /// What the chain lets through.
    pub limits: &'a ChainLimits,
}

/// A miner's verdict at the end of a round.
#[derive(Clone, Debug, PartialEq)]
pub struct Graded {
    /// Who.
    pub account: Account,
    /// Slot.
    pub uid: Uid,
    /// The verdict.
    pub grade: GradeSummary,
}

/// A closed round.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// The ledger after it.
    pub ledger: Ledger,
    /// Every miner's verdict, by account.
    pub graded: Vec<Graded>,
    /// What the weights were allocated by, by account.
    pub entries: Vec<Entry>,
    /// The weights to set, by ascending UID; empty when nobody earned and nothing can be burned.
    pub weights: Vec<(Uid, u16)>,
}

/// What a round showed of one miner, beside what went into its record.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// Whether it was asked anything.
    pub asked: bool,
    /// Whether anything came from the checkpoint that it commits to.
    pub answered: bool,
    /// Whether it has a quality on any shared prompt.
    pub compared: bool,
    /// Misconduct that it signed.
    pub misconduct: Option<Fault>,
}

/// Where what was seen of the miners comes from: the asks of a round, or sums of them that a simulation draws.
pub trait Observed {
    /// Counts what was seen of a miner into its record, which has faded to this round.
    fn count(&mut self, miner: &SeenMiner, record: &mut Record) -> Shown;

    /// Qualities in [0, 1] on the round's shared prompts, by number; 0 where it gave no usable answer, and none where the
    /// validator was in trouble. Asked of those who duel for the crown.
    fn qualities(&mut self, miner: &SeenMiner) -> BTreeMap<u32, f64>;
}

/// Closes a round on the ledger as the round before left it.
///
/// What the records held fades by one epoch before the round's results are counted. Whoever committed to the same tensors
/// first is known before anybody is judged, so it does not matter in which order miners are looked at.
pub fn close(before: Ledger, input: &RoundInput<'_>, spec: &SubnetSpec) -> Closed {
    let mut asks = asks::Asks::new(input.round, input.results, spec);
    settle(
        before,
        input.round,
        input.miners,
        &mut asks,
        input.limits,
        spec,
    )
}

/// Settles a round from what was observed of each miner: records, faults, grades, the crown and the weights.
///
/// [`close`] is this on the asks themselves.
pub fn settle(
    before: Ledger,
    round: Round,
    miners: &[SeenMiner],
    observed: &mut impl Observed,
    limits: &ChainLimits,
    spec: &SubnetSpec,
) -> Closed {
    let mut ledger = before;
    let epoch = Epoch(round.0);
    let mut miners: Vec<&SeenMiner> = miners.iter().collect();
    miners.sort_by_key(|miner| (miner.account, miner.uid));
    miners.dedup_by_key(|miner| miner.account);

    let roots = lineage::follow(&mut ledger, &miners);
    let mut graded = Vec::with_capacity(miners.len());
    let mut entries = Vec::with_capacity(miners.len());
    let mut sights = Vec::with_capacity(miners.len());
    // Both are ordered by account: one walk over the two finds every miner's record.
    let mut records = ledger.take_records();
    let mut known = records.iter_mut().peekable();
    let mut newcomers = Vec::new();
    for (miner, root) in miners.into_iter().zip(&roots) {
        while known
            .next_if(|(account, _)| **account < miner.account)
            .is_some()
        {}
        let record = match known.next_if(|(account, _)| **account == miner.account) {
            Some((_, record)) => record,
            None => {
                newcomers.push((miner.account, Record::new(epoch)));
                let last = newcomers.len() - 1;
                &mut newcomers[last].1
            }
        };
        let copied = lineage::copied(&ledger, miner, root.as_ref(), spec.grade.functional_copies);
        record.decay_to(epoch, &spec.grade);
        let shown = observed.count(miner, record);
        let fault = standing_fault(miner, shown.misconduct.clone(), copied);
        record.set_checkpoint(Some(miner.checkpoint));
        record.set_fault(fault);
        let grade = record.summary(spec);
        let entry = entry(miner, &grade, record.goodput(&spec.service));
        sights.push(contest::Sight {
            miner,
            shown,
            entry,
            quality_high: 2.0 * grade.quality - grade.quality_low,
            attempt: record.attempts(),
        });
        entries.push(entry);
        graded.push(Graded {
            account: miner.account,
            uid: miner.uid,
            grade,
        });
    }
    records.extend(newcomers);
    ledger.put_records(records);
    let first = contest::first_of_classes(&sights);
    let contenders: Vec<Contender> = first.iter().map(|sight| sight.contender()).collect();
    let holder = ledger.crown().holder();
    let reigning = holder.and_then(|class| Some(ledger.claim_to(&class)?.account));
    let qualities = |class| {
        let of_class = first.binary_search_by(|sight| sight.entry.class.cmp(&class));
        of_class.map_or_else(
            |_| BTreeMap::new(),
            |at| observed.qualities(first[at].miner),
        )
    };
    let crown =
        ledger
            .crown_mut()
            .close_round(epoch, &contenders, reigning, &spec.allocation, qualities);
    ledger.closed(round);
    let weights = allocate(&entries, crown, &spec.allocation, limits);
    Closed {
        ledger,
        graded,
        entries,
        weights,
    }
}

/// What stands against a miner apart from the audit's evidence: the first of what it signed, what it committed to, and
/// whose model that was before.
fn standing_fault(
    miner: &SeenMiner,
    misconduct: Option<Fault>,
    copied: Option<Fault>,
) -> Option<Fault> {
    if misconduct.is_some() {
        return misconduct;
    }
    match &miner.artifact {
        Artifact::Missing => None,
        Artifact::Bad { evidence } => Some(Fault {
            kind: FaultKind::BadArtifact,
            evidence: evidence.clone(),
        }),
        Artifact::Fetched { .. } | Artifact::Compared { .. } => copied,
    }
}

fn entry(miner: &SeenMiner, grade: &GradeSummary, goodput: f64) -> Entry {
    let (class, quality_low) = match miner.artifact.tensors() {
        Some(tensors) => (tensors, grade.quality_low),
        // An artifact that is not at hand was not recomputed: neutral, and unpaid.
        None => (miner.checkpoint, 0.0),
    };
    Entry {
        uid: miner.uid,
        class,
        quality_low,
        goodput,
        faulty: grade.fault.is_some(),
        priority_block: miner.committed_at,
    }
}

#[cfg(test)]
mod tests;
