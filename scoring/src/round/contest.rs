//! Who contends for the crown in a round, and how each did on the shared prompts.

use std::collections::BTreeMap;

use athanor_spec::{Digest, params::GradeParams};

use super::{Artifact, AskResult, Purpose, SeenMiner};
use crate::{
    allocate::Entry,
    ledger::AskOutcome,
    rank::{Contender, Presence},
};

/// A miner of the round with what it showed.
pub(super) struct Sight<'a> {
    pub(super) miner: &'a SeenMiner,
    pub(super) results: &'a [&'a AskResult],
    pub(super) entry: Entry,
    pub(super) attempt: u32,
}

/// One contender for each class of artifacts: its member of earliest priority that is not accused of anything, or the
/// earliest at all.
pub(super) fn contenders(sights: &[Sight<'_>], params: &GradeParams) -> Vec<Contender> {
    let mut first: BTreeMap<Digest, &Sight<'_>> = BTreeMap::new();
    for sight in sights {
        let rank = |it: &Sight<'_>| (it.entry.faulty, it.miner.committed_at, it.miner.account);
        let known = first.entry(sight.entry.class).or_insert(sight);
        if rank(sight) < rank(known) {
            *known = sight;
        }
    }
    first
        .into_values()
        .map(|sight| contender(sight, params))
        .collect()
}

fn contender(sight: &Sight<'_>, params: &GradeParams) -> Contender {
    let asked: Vec<&&AskResult> = sight
        .results
        .iter()
        .filter(|result| result.purpose == Purpose::Audit)
        .collect();
    // What came from the checkpoint of the round before says nothing about this one.
    let its = |result: &AskResult| match result.outcome {
        AskOutcome::Answered { .. } => result.from == Some(sight.miner.checkpoint),
        AskOutcome::Failed { .. } => true,
    };
    let answered = asked
        .iter()
        .any(|result| matches!(result.outcome, AskOutcome::Answered { .. }) && its(result));
    let presence = match &sight.miner.artifact {
        _ if sight.entry.faulty => Presence::Absent,
        Artifact::Fetched { .. } if answered => Presence::Served,
        Artifact::Fetched { .. } if !asked.is_empty() => Presence::Absent,
        Artifact::Bad { .. } => Presence::Absent,
        Artifact::Fetched { .. } | Artifact::Missing => Presence::Unknown,
    };
    Contender {
        class: sight.entry.class,
        committed_at: sight.miner.committed_at,
        attempt: sight.attempt,
        presence,
        quality_low: sight.entry.quality_low,
        qualities: asked
            .iter()
            .filter(|result| its(result))
            .filter_map(|result| Some((result.shared?, result.outcome.quality(params))))
            .collect(),
    }
}
