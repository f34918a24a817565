//! Compare models anew that a transcript says are of one class.
//!
//! The probes follow from the round's seed, which its proof shows. Distances are held to what other hardware may differ
//! by. What was found to be like nobody's is not looked at: that takes every model of the round, and accuses nobody.

use std::sync::Arc;

use athanor_model::Checkpoint;
use athanor_scoring::{
    round::{Artifact, Distances, Likeness, Lineage},
    similarity::{
        copies::{CopyTest, Resemblance},
        null::NullSample,
    },
    transcript::Transcript,
};
use athanor_spec::{Digest, Hotkey};
use serde::Serialize;

use super::{Difference, Grounds};
use crate::{
    battery,
    likeness::{self, Lens, Likeness as Sight, LikenessError},
};

/// Nats by which a median difference of log-probabilities may differ.
const NATS: f64 = 2e-3;
/// By how much a distance of weights may differ: sums in another order.
const WEIGHTS: f64 = 1e-4;
/// By how much the share of innovations in common may differ: the same.
const SHARED: f64 = 1e-3;
/// The same of any, as a share of it.
const SHARE: f64 = 0.02;

/// What a transcript says of two models.
#[derive(Clone, Copy, Debug)]
pub(super) struct Verdict {
    pub(super) miner: Hotkey,
    pub(super) checkpoint: Digest,
    pub(super) like: Likeness,
}

/// What was found of it.
#[derive(Clone, Debug, Serialize)]
pub struct LikenessReport {
    /// Whose model.
    pub miner: Hotkey,
    /// Digest of its manifest.
    pub checkpoint: Digest,
    /// Digest of the manifest of the earlier one.
    pub earlier: Digest,
    /// As recorded.
    pub recorded: Distances,
    /// As compared anew.
    pub compared: Option<Distances>,
    /// Why they were not compared.
    pub not_compared: Option<String>,
    /// What does not hold.
    pub differences: Vec<Difference>,
}

/// The verdicts of a transcript by which a model goes on with an earlier one.
pub(super) fn verdicts(transcript: &Transcript) -> Vec<Verdict> {
    let miners = transcript.head.miners.iter();
    let alike = miners.filter_map(|miner| match &miner.artifact {
        Artifact::Compared {
            lineage: Lineage::Alike(like),
            ..
        } => Some(Verdict {
            miner: miner.account.hotkey,
            checkpoint: miner.checkpoint,
            like: *like,
        }),
        _ => None,
    });
    alike.collect()
}

/// Compares the two models of a verdict; each may not be at hand.
pub(super) fn verdict(
    transcript: &Transcript,
    verdict: &Verdict,
    (later, earlier): (Option<Arc<Checkpoint>>, Option<Arc<Checkpoint>>),
    grounds: &Grounds,
    lens: &Lens,
) -> LikenessReport {
    let mut report = LikenessReport {
        miner: verdict.miner,
        checkpoint: verdict.checkpoint,
        earlier: verdict.like.manifest,
        recorded: verdict.like.distances,
        compared: None,
        not_compared: None,
        differences: Vec::new(),
    };
    let (Some(later), Some(earlier)) = (later, earlier) else {
        let reason = "both checkpoints are needed: give them by --artifact";
        report.not_compared = Some(reason.to_owned());
        return report;
    };
    if earlier.manifest.tensors_digest() != verdict.like.tensors.0 {
        report.differences.push(Difference::OtherModel);
    }
    let test = CopyTest::new(NullSample::shipped(), 1);
    let probes = likeness::probes(transcript.head.seed, &grounds.tokenizer);
    let look = |checkpoint: &Checkpoint| Sight::of(checkpoint, lens, &probes);
    let (later, earlier) = match both(look(&later), look(&earlier)) {
        Ok(both) => both,
        Err(error) => {
            report.not_compared = Some(error.to_string());
            return report;
        }
    };
    let mut measured = test.measure(&later.model(), &earlier.model(), &mut Vec::new());
    // What is expected of the two rests on all models of the round, which are not looked at.
    if let Some(own) = report.recorded.innovation {
        measured.expected = own.expected;
    }
    match test.of_pair(measured) {
        None => report.differences.push(Difference::NotAlike),
        Some(found) => {
            let compared = battery::distances(&found);
            report.compared = Some(compared);
            if found.resemblance != Resemblance::SameClass {
                report.differences.push(Difference::NotAlike);
            }
            report
                .differences
                .extend(apart(&report.recorded, &compared));
        }
    }
    report
}

fn both(
    later: Result<Sight, LikenessError>,
    earlier: Result<Sight, LikenessError>,
) -> Result<(Sight, Sight), LikenessError> {
    Ok((later?, earlier?))
}

fn apart(found: &Distances, compared: &Distances) -> Vec<Difference> {
    let pairs = [
        ("behaviour", found.behaviour, compared.behaviour, NATS),
        ("weights", found.weights, compared.weights, WEIGHTS),
    ];
    // What was written before innovations were measured says nothing of them.
    let own = found.innovation.map(|found| {
        let compared = compared.innovation.map_or(0.0, |it| it.share);
        ("innovation", found.share, compared, SHARED)
    });
    let apart = pairs
        .into_iter()
        .chain(own)
        .filter(|(_, found, compared, least)| {
            (found - compared).abs() > least + SHARE * found.abs().max(compared.abs())
        });
    apart
        .map(|(distance, found, compared, _)| Difference::Distance {
            distance,
            found,
            compared,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use athanor_scoring::{
        evidence::Calibration,
        round::{Ledger, SharedInnovation},
    };
    use athanor_spec::SubnetSpec;

    use super::*;
    use crate::book;

    #[test]
    fn distances_may_differ_by_what_hardware_does_and_no_more() {
        let own = |behaviour, weights, share: Option<f64>| Distances {
            behaviour,
            weights,
            p_behaviour: 0.0,
            p_weights: 0.0,
            innovation: share.map(|share| SharedInnovation {
                share,
                expected: 0.0,
                p: 0.0,
            }),
        };
        let of = |behaviour, weights| own(behaviour, weights, Some(0.5));
        let found = of(0.1, 0.01);
        assert_eq!(apart(&found, &of(0.1015, 0.01005)), []);
        assert_eq!(apart(&found, &own(0.1, 0.01, Some(0.505))), []);
        // What a program before wrote says nothing of innovations.
        assert_eq!(apart(&own(0.1, 0.01, None), &found), []);
        let wrong = |compared| {
            let wrong = apart(&found, &compared).into_iter();
            let names = wrong.map(|difference| match difference {
                Difference::Distance { distance, .. } => distance,
                _ => "another",
            });
            names.collect::<Vec<_>>()
        };
        assert_eq!(wrong(of(0.12, 0.01)), ["behaviour"]);
        assert_eq!(wrong(of(0.1, 0.02)), ["weights"]);
        assert_eq!(wrong(of(0.3, 0.3)), ["behaviour", "weights"]);
        assert_eq!(wrong(own(0.1, 0.01, Some(0.4))), ["innovation"]);
        assert_eq!(wrong(own(0.1, 0.01, None)), ["innovation"]);
    }
    #[test]
    fn a_verdict_is_compared_anew_and_one_that_is_invented_does_not_hold() {
        let models = battery::tests::models();
        let members = vec![
            battery::tests::member(1, 10, &models.original),
            battery::tests::member(2, 20, &models.copy),
        ];
        let (found, ..) = battery::tests::round(&models.bench, Ledger::default(), 4, members);
        let mut head = book::tests::head(4);
        head.seed = battery::tests::SEED;
        let of_copy = found
            .into_iter()
            .find(|(account, _)| account.hotkey.0[0] == 2);
        head.miners[1].checkpoint = Digest(models.copy.digest());
        head.miners[1].artifact = of_copy.unwrap().1;
        let transcript = Transcript::new(head, Vec::new());
        let grounds = Grounds {
            spec: SubnetSpec::local(),
            calibration: Calibration::shipped(),
            tokenizer: models.bench.tokenizer.clone(),
        };
        let [said] = verdicts(&transcript)[..] else {
            panic!("not one verdict");
        };
        let compare = |later: Option<&Arc<Checkpoint>>, earlier: &Arc<Checkpoint>| {
            let both = (later.cloned(), Some(earlier.clone()));
            verdict(&transcript, &said, both, &grounds, &models.bench.lens)
        };
        let report = compare(Some(&models.copy), &models.original);
        assert_eq!((report.differences.len(), report.not_compared), (0, None));
        assert!(report.compared.unwrap().behaviour < 0.2);
        let report = compare(Some(&models.stranger), &models.original);
        assert!(report.differences.contains(&Difference::NotAlike));
        let report = compare(Some(&models.copy), &models.stranger);
        assert!(report.differences.contains(&Difference::OtherModel));
        let report = compare(None, &models.original);
        assert!(report.differences.is_empty() && report.not_compared.is_some());
    }
}
