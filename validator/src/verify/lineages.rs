//! Hold anew against the models before them those of which a transcript says that they are like nobody's.
//!
//! Whom a model had to be held against follows from the ledger on which the round was closed, by the validator's own rules
//! ([`newcomers::lineages`]), and the probes from the round's seed. What is said of all other models is taken as it stands
//! there: whether two are of one class is compared beside this ([`super::likenesses`]).

use std::{collections::HashMap, sync::Arc};

use athanor_model::Checkpoint;
use athanor_scoring::{
    round::{Artifact, Distances, Ledger, Lineage, SeenMiner},
    similarity::{
        copies::{CopyTest, Model, Resemblance},
        newcomers::{self, Compared, Earlier, Present},
        null::NullSample,
    },
    transcript::Transcript,
};
use athanor_spec::{Digest, Hotkey};
use serde::Serialize;

use super::{Difference, Grounds};
use crate::{
    battery,
    likeness::{self, Lens, Likeness},
};

/// What was found of a model that is said to be like nobody's.
#[derive(Clone, Debug, Serialize)]
pub struct LineageReport {
    /// Whose model.
    pub miner: Hotkey,
    /// Digest of its manifest.
    pub checkpoint: Digest,
    /// Earlier models that it had to be held against.
    pub earlier: usize,
    /// Those of them that it was held against here: whose checkpoints were at hand.
    pub compared: usize,
    /// The one that decides, and how far it is.
    pub nearest: Option<Nearest>,
    /// Why nothing was compared.
    pub not_compared: Option<String>,
    /// What does not hold.
    pub differences: Vec<Difference>,
}

/// An earlier model.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Nearest {
    /// Digest of its manifest.
    pub checkpoint: Digest,
    /// How far.
    pub distances: Distances,
}

/// The miners of whose new models a transcript says that they are like nobody's.
pub(super) fn beginners(transcript: &Transcript) -> Vec<&SeenMiner> {
    let begins = |miner: &&SeenMiner| lineage(miner) == Some(Lineage::Begins);
    transcript.head.miners.iter().filter(begins).collect()
}

/// The manifests that may have to be compared: what the round's miners serve, and what the ledger says that they served
/// before.
pub(super) fn needed(transcript: &Transcript, ledger: &Ledger) -> Vec<Digest> {
    let fetched = |miner: &&SeenMiner| miner.artifact.tensors().is_some();
    let miners = transcript.head.miners.iter().filter(fetched);
    let digests = miners.flat_map(|miner| {
        let before = ledger.chain(&miner.account).map(|chain| chain.manifest);
        [Some(miner.checkpoint), before]
    });
    digests.flatten().collect()
}

/// Reports that say why nothing was compared.
pub(super) fn not_compared(transcript: &Transcript, reason: &str) -> Vec<LineageReport> {
    let not = |miner: &SeenMiner| LineageReport {
        not_compared: Some(reason.to_owned()),
        ..LineageReport::of(miner)
    };
    beginners(transcript).into_iter().map(not).collect()
}

/// Compares every model that is said to be like nobody's with the earlier ones that are at hand. `ledger` is the one on
/// which the round was closed; `teacher` the digest of the manifest that is no model before a student's first.
pub(super) fn decide_anew(
    transcript: &Transcript,
    ledger: &Ledger,
    at_hand: &HashMap<Digest, Arc<Checkpoint>>,
    grounds: &Grounds,
    (teacher, lens): (Digest, Lens),
) -> Vec<LineageReport> {
    let present = transcript.head.miners.iter().filter_map(|miner| {
        // A model that is not at hand may have had one before: its author has the benefit of the doubt.
        let parent = |checkpoint: &Arc<Checkpoint>| checkpoint.manifest.parent_digest();
        let has_parent = match at_hand.get(&miner.checkpoint) {
            Some(checkpoint) => parent(checkpoint).is_some_and(|parent| Digest(parent) != teacher),
            None => true,
        };
        Some(Present {
            account: miner.account,
            manifest: miner.checkpoint,
            tensors: miner.artifact.tensors()?,
            committed_at: miner.committed_at,
            has_parent,
        })
    });
    let present: Vec<Present> = present.collect();
    let recorded = recorded(transcript);
    let test = CopyTest::new(NullSample::shipped(), 1);
    let mut sights = Sights {
        probes: likeness::probes(transcript.head.seed, &grounds.tokenizer),
        at_hand,
        lens,
        seen: HashMap::new(),
    };
    let mut reports = HashMap::<Digest, LineageReport>::new();
    for miner in beginners(transcript) {
        reports.insert(miner.checkpoint, LineageReport::of(miner));
    }
    let lineages = newcomers::lineages(ledger, &present, |later, earlier| {
        let Some(report) = reports.get_mut(later) else {
            return as_recorded(recorded.get(later).copied().flatten(), earlier);
        };
        report.hold_against(later, earlier, &test, &mut sights)
    });
    let mut found = Vec::new();
    for miner in beginners(transcript) {
        let Some(mut report) = reports.remove(&miner.checkpoint) else {
            continue;
        };
        if let Some(Lineage::Alike(like)) = lineages.get(&miner.account) {
            report.differences.push(Difference::Alike {
                earlier: like.manifest,
            });
        }
        found.push(report);
    }
    found
}

fn lineage(miner: &SeenMiner) -> Option<Lineage> {
    match &miner.artifact {
        Artifact::Compared { lineage, .. } => Some(*lineage),
        Artifact::Missing | Artifact::Fetched { .. } | Artifact::Bad { .. } => None,
    }
}

fn recorded(transcript: &Transcript) -> HashMap<Digest, Option<Lineage>> {
    let miners = transcript.head.miners.iter();
    miners
        .map(|miner| (miner.checkpoint, lineage(miner)))
        .collect()
}

/// What a comparison must have given for what is recorded.
fn as_recorded(lineage: Option<Lineage>, earlier: &[Earlier]) -> Compared {
    let Some(Lineage::Alike(like)) = lineage else {
        return Compared::Unknown;
    };
    let is_like = |it: &Earlier| it.manifest == like.manifest;
    match earlier.iter().position(is_like) {
        Some(index) => Compared::SameClass(index, like.distances),
        // Not like the one before, and so to be held against the others.
        None => Compared::Distinct,
    }
}

/// The models as far as they were looked at.
struct Sights<'a> {
    probes: Vec<Vec<u32>>,
    at_hand: &'a HashMap<Digest, Arc<Checkpoint>>,
    lens: Lens,
    seen: HashMap<Digest, Option<Likeness>>,
}

impl Sights<'_> {
    fn look_at(&mut self, manifest: &Digest) -> Option<&Likeness> {
        let Self {
            probes,
            at_hand,
            lens,
            seen,
        } = self;
        let sight = seen.entry(*manifest).or_insert_with(|| {
            let checkpoint = at_hand.get(manifest)?;
            match Likeness::of(checkpoint, lens, probes) {
                Ok(likeness) => Some(likeness),
                Err(error) => {
                    tracing::warn!(%manifest, %error, "a model is not compared");
                    None
                }
            }
        });
        sight.as_ref()
    }
}

impl LineageReport {
    fn of(miner: &SeenMiner) -> Self {
        Self {
            miner: miner.account.hotkey,
            checkpoint: miner.checkpoint,
            earlier: 0,
            compared: 0,
            nearest: None,
            not_compared: None,
            differences: Vec::new(),
        }
    }

    /// Compares the model with the earlier ones that are at hand. Those that are not are taken for others', as the record
    /// has it.
    fn hold_against(
        &mut self,
        later: &Digest,
        earlier: &[Earlier],
        test: &CopyTest,
        sights: &mut Sights<'_>,
    ) -> Compared {
        self.earlier += earlier.len();
        let Some(of_later) = sights.look_at(later).cloned() else {
            let reason = "its checkpoint is not at hand: give it by --artifact";
            self.not_compared = Some(reason.to_owned());
            return Compared::Distinct;
        };
        let of_earlier: Vec<(usize, Likeness)> = (0..earlier.len())
            .filter_map(|index| Some((index, sights.look_at(&earlier[index].manifest)?.clone())))
            .collect();
        self.compared += of_earlier.len();
        let models: Vec<Model<'_>> = of_earlier
            .iter()
            .map(|(index, it)| Model {
                is_copy: earlier[*index].is_copy,
                ..it.model()
            })
            .collect();
        let Some(found) = test.against(&of_later.model(), &models) else {
            return Compared::Distinct;
        };
        let index = of_earlier[found.earlier].0;
        let distances = battery::distances(&found);
        self.nearest = Some(Nearest {
            checkpoint: earlier[index].manifest,
            distances,
        });
        match found.resemblance {
            Resemblance::Distinct | Resemblance::Similar => Compared::Distinct,
            Resemblance::SameClass => Compared::SameClass(index, distances),
        }
    }
}

#[cfg(test)]
mod tests {
    use athanor_scoring::evidence::Calibration;
    use athanor_spec::SubnetSpec;

    use super::*;
    use crate::{battery::tests as round, book};

    #[test]
    fn a_model_that_is_said_to_be_like_nobody_s_is_held_against_those_before_it_anew() {
        let models = round::models();
        let all = [&models.original, &models.copy, &models.stranger];
        let members = || {
            let numbered = (1..).zip(all);
            let members = numbered.map(|(id, it)| round::member(id, 10 * u32::from(id), it));
            members.collect::<Vec<_>>()
        };
        let (found, ..) = round::round(&models.bench, Ledger::default(), 4, members());
        let mut head = book::tests::head(4);
        head.seed = round::SEED;
        let of = |member: battery::Member| {
            let mut miner = head.miners[0].clone();
            miner.account = member.account;
            miner.checkpoint = Digest(member.checkpoint.digest());
            miner.committed_at = member.committed_at;
            let artifact = found.iter().find(|(account, _)| *account == miner.account);
            miner.artifact = artifact.unwrap().1.clone();
            miner
        };
        head.miners = members().into_iter().map(of).collect();
        let grounds = Grounds {
            spec: SubnetSpec::local(),
            calibration: Calibration::shipped(),
            tokenizer: models.bench.tokenizer.clone(),
        };
        let on = || (models.bench.teacher, models.bench.lens.clone());
        let ledger = Ledger::default();
        let decide = |transcript: &Transcript, at_hand: &[&Arc<Checkpoint>]| {
            let digest = |it: &&Arc<Checkpoint>| (Digest(it.digest()), (**it).clone());
            let at_hand = at_hand.iter().map(digest).collect();
            decide_anew(transcript, &ledger, &at_hand, &grounds, on())
        };
        let told = |report: &LineageReport| {
            let LineageReport {
                miner,
                earlier,
                compared,
                ..
            } = report;
            (miner.0[0], *earlier, *compared)
        };
        let honest = Transcript::new(head.clone(), Vec::new());
        let reports = decide(&honest, &all);
        let all_told: Vec<_> = reports.iter().map(told).collect();
        assert_eq!(all_told, [(1, 0, 0), (3, 2, 2)]);
        assert!(reports.iter().all(|it| it.differences.is_empty()));
        assert!(reports[1].nearest.unwrap().distances.behaviour > 0.01);
        assert_eq!(needed(&honest, &ledger).len(), 3);

        // A validator that keeps quiet about a copy.
        let Artifact::Compared { lineage, .. } = &mut head.miners[1].artifact else {
            panic!("the copy was compared");
        };
        *lineage = Lineage::Begins;
        let silent = Transcript::new(head, Vec::new());
        let reports = decide(&silent, &all);
        let original = Digest(models.original.digest());
        assert_eq!(told(&reports[1]), (2, 1, 1));
        let wrong = Difference::Alike { earlier: original };
        assert_eq!(reports[1].differences, [wrong]);
        // Of what is not at hand nobody can say it.
        let reports = decide(&silent, &all[1..]);
        assert_eq!(told(&reports[1]), (2, 1, 0));
        assert_eq!(reports[1].differences, []);
        let reports = decide(&silent, &all[..1]);
        assert!(reports[1].not_compared.is_some() && reports[1].differences.is_empty());
    }
}
