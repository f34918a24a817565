//! Count the asks of a round into the records of the miners that were asked.

use std::collections::BTreeMap;

use athanor_spec::{Account, Round, SubnetSpec};

use super::{AskResult, Observed, Purpose, SeenMiner, Shown};
use crate::{
    goodput,
    ledger::{AskId, AskOutcome, Record},
    width,
};

/// What came of a round's asks, by account and index.
pub(super) struct Asks<'a> {
    round: Round,
    spec: &'a SubnetSpec,
    of_account: BTreeMap<Account, Vec<&'a AskResult>>,
}

impl<'a> Asks<'a> {
    /// Takes results in any order; a second one for the same ask counts for nothing.
    pub(super) fn new(round: Round, results: &'a [AskResult], spec: &'a SubnetSpec) -> Self {
        let mut results: Vec<&AskResult> = results.iter().collect();
        results.sort_by_key(|result| (result.account, result.purpose, result.index));
        results.dedup_by_key(|result| (result.account, result.purpose, result.index));
        let mut of_account: BTreeMap<Account, Vec<&AskResult>> = BTreeMap::new();
        for result in results {
            of_account.entry(result.account).or_default().push(result);
        }
        Self {
            round,
            spec,
            of_account,
        }
    }

    fn of(&self, miner: &SeenMiner) -> &[&'a AskResult] {
        self.of_account
            .get(&miner.account)
            .map_or(&[][..], Vec::as_slice)
    }

    /// The audit's asks whose outcome is the miner's present checkpoint's: what came from that of the round before says
    /// nothing about this one.
    fn its<'s>(&'s self, miner: &'s SeenMiner) -> impl Iterator<Item = &'a AskResult> + 's {
        self.of(miner)
            .iter()
            .copied()
            .filter(|result| result.purpose == Purpose::Audit)
            .filter(|result| match result.outcome.is_answered() {
                true => result.from == Some(miner.checkpoint),
                false => true,
            })
    }
}

impl Observed for Asks<'_> {
    fn count(&mut self, miner: &SeenMiner, record: &mut Record) -> Shown {
        let results = self.of(miner);
        count(record, self.round, results, self.spec);
        let compared = |result: &AskResult| {
            result.shared.is_some() && !matches!(result.outcome, AskOutcome::Unopened { .. })
        };
        Shown {
            asked: results.iter().any(|it| it.purpose == Purpose::Audit),
            answered: self.its(miner).any(|result| result.outcome.is_answered()),
            compared: self.its(miner).any(compared),
            misconduct: results.iter().find_map(|result| result.fault.clone()),
        }
    }

    fn qualities(&mut self, miner: &SeenMiner) -> BTreeMap<u32, f64> {
        let grade = &self.spec.grade;
        self.its(miner)
            .filter_map(|result| Some((result.shared?, result.outcome.quality(grade)?)))
            .collect()
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
    let window_ms = goodput::window_ms(spec);
    let probes = (0..spec.service.load_probes).filter(|probe| goodput::is_joint(*probe));
    for probe in probes {
        let streams = spec.service.load_streams;
        // The places of its asks in the plan, after the shared prompts.
        let first = width::shared_prompts(&spec.round) + probe * streams;
        let audits = || {
            results
                .iter()
                .filter(|result| result.purpose == Purpose::Audit)
        };
        let together = audits().map(|result| &result.outcome);
        let made = together.filter(|outcome| outcome.load() == Some(probe));
        let alone = audits()
            .filter(|result| (first..first + streams).contains(&result.index))
            .map(|result| &result.outcome)
            .filter(|outcome| outcome.load().is_none());
        let reached =
            goodput::of_joint(made, streams, window_ms).or_else(|| goodput::of_waived(alone));
        if let Some(tokens_per_second) = reached {
            record.load_probe(tokens_per_second);
        }
    }
}
