//! Close a round: everything that a validator saw in it becomes records, grades and weights.
//!
//! [`close`] is one pure function of the ledger before, what was seen, and the spec. What was seen may come in any
//! order: it is taken by account and index, so whoever has the same inputs gets the same bits. The validator, whoever
//! verifies it, and a simulation call this same function.

use std::collections::BTreeMap;

use athanor_spec::{
    Account, BlockNumber, Digest, Epoch, Round, SubnetSpec, Uid, telemetry::GradeSummary,
};
use codec::{Decode, Encode};
use serde::Serialize;

use crate::{
    allocate::{ChainLimits, Entry, allocate},
    goodput,
    ledger::{AskId, AskOutcome, Fault, FaultKind, Record},
};

mod contest;
mod state;

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

/// What became of a committed checkpoint by the end of a round.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode)]
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
}

/// A miner as the chain showed it in the round's first block, and what became of its checkpoint.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
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

/// Closes a round on the ledger as the round before left it.
///
/// What the records held fades by one epoch before the round's results are counted. Whoever committed to the same tensors
/// first is known before anybody is judged, so it does not matter in which order miners are looked at.
pub fn close(before: Ledger, input: &RoundInput<'_>, spec: &SubnetSpec) -> Closed {
    let mut ledger = before;
    let epoch = Epoch(input.round.0);
    let mut miners: Vec<&SeenMiner> = input.miners.iter().collect();
    miners.sort_by_key(|miner| (miner.account, miner.uid));
    miners.dedup_by_key(|miner| miner.account);
    let mut results: Vec<&AskResult> = input.results.iter().collect();
    results.sort_by_key(|result| (result.account, result.purpose, result.index));
    results.dedup_by_key(|result| (result.account, result.purpose, result.index));
    let mut of_account: BTreeMap<Account, Vec<&AskResult>> = BTreeMap::new();
    for result in results {
        of_account.entry(result.account).or_default().push(result);
    }

    for miner in &miners {
        if let Artifact::Fetched { tensors } = &miner.artifact {
            ledger.claim(*tensors, claim_of(miner));
        }
    }
    let mut graded = Vec::with_capacity(miners.len());
    let mut entries = Vec::with_capacity(miners.len());
    let mut sights = Vec::with_capacity(miners.len());
    for miner in miners {
        let results = of_account
            .get(&miner.account)
            .map_or(&[][..], Vec::as_slice);
        let fault = standing_fault(miner, results, &ledger);
        let record = ledger.record_mut(miner.account, epoch);
        record.decay_to(epoch, &spec.grade);
        count(record, input.round, results, spec);
        record.set_checkpoint(Some(miner.checkpoint));
        record.set_fault(fault);
        let grade = record.summary(spec);
        let entry = entry(miner, &grade, record.goodput(&spec.service));
        sights.push(contest::Sight {
            miner,
            results,
            entry,
            attempt: record.attempts(),
        });
        entries.push(entry);
        graded.push(Graded {
            account: miner.account,
            uid: miner.uid,
            grade,
        });
    }
    let contenders = contest::contenders(&sights, &spec.grade);
    let crown = ledger
        .crown_mut()
        .close_round(epoch, &contenders, &spec.allocation);
    ledger.closed(input.round);
    let weights = allocate(&entries, crown, &spec.allocation, input.limits);
    Closed {
        ledger,
        graded,
        entries,
        weights,
    }
}

fn claim_of(miner: &SeenMiner) -> Claim {
    Claim {
        account: miner.account,
        committed_at: miner.committed_at,
        manifest: miner.checkpoint,
    }
}

fn count(record: &mut Record, round: Round, results: &[&AskResult], spec: &SubnetSpec) {
    for result in results {
        match (result.purpose, &result.outcome) {
            (Purpose::Audit, outcome) => {
                let index = result.index;
                record.apply(AskId { round, index }, outcome, &spec.audit);
            }
            (
                Purpose::Organic,
                AskOutcome::Answered {
                    e_value: Some(e_value),
                    ..
                },
            ) => record.observe(*e_value, &spec.audit),
            (Purpose::Organic, _) => {}
        }
    }
    for probe in 0..spec.service.load_probes {
        let streams = results
            .iter()
            .filter(|result| result.purpose == Purpose::Audit)
            .map(|result| &result.outcome)
            .filter(|outcome| outcome.load() == Some(probe));
        if let Some(tokens_per_second) = goodput::of_probe(streams, spec.service.load_streams) {
            record.load_probe(tokens_per_second);
        }
    }
}

/// What stands against a miner apart from the audit's evidence: the first of what it signed, what it committed to, and
/// whose tensors those were before.
fn standing_fault(miner: &SeenMiner, results: &[&AskResult], ledger: &Ledger) -> Option<Fault> {
    if let Some(fault) = results.iter().find_map(|result| result.fault.clone()) {
        return Some(fault);
    }
    match &miner.artifact {
        Artifact::Missing => None,
        Artifact::Bad { evidence } => Some(Fault {
            kind: FaultKind::BadArtifact,
            evidence: evidence.clone(),
        }),
        Artifact::Fetched { tensors } => {
            let first = ledger.claim_to(tensors)?;
            (first.account != miner.account).then(|| Fault {
                kind: FaultKind::Copy,
                evidence: format!(
                    "the tensors of {} were committed by {} in block {}, here in block {}",
                    miner.checkpoint.short(),
                    first.account.hotkey,
                    first.committed_at,
                    miner.committed_at,
                ),
            })
        }
    }
}

fn entry(miner: &SeenMiner, grade: &GradeSummary, goodput: f64) -> Entry {
    let (class, quality_low) = match &miner.artifact {
        Artifact::Fetched { tensors } => (*tensors, grade.quality_low),
        // An artifact that is not at hand was not recomputed: neutral, and unpaid.
        Artifact::Missing | Artifact::Bad { .. } => (miner.checkpoint, 0.0),
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
