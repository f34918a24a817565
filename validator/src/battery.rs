//! Hold the new models of a round against those before them, on a thread of its own.
//!
//! What comes out stands in the round's transcript, and whoever goes on with another's model is unpaid. The probes are the
//! round's secret, so the models that new ones must be held against are replayed in every round that has new ones, and in
//! no other. A round does not wait for the thread beyond the time in which it must set weights: what was not compared by
//! then is left for the next round.

use std::{collections::HashMap, io, path::PathBuf, sync::Arc};

use athanor_model::{Checkpoint, Tokenizer};
use athanor_node::Feed;
use athanor_scoring::{
    round::{Artifact, Distances, Ledger, SharedInnovation},
    similarity::{
        copies::{Comparison, CopyTest, Model, Resemblance},
        newcomers::{self, Compared, Earlier, Present},
    },
};
use athanor_spec::{Account, BlockNumber, Digest, Hotkey, Round, Uid, telemetry::Event};
use tokio::sync::{mpsc, oneshot};

use crate::likeness::{self, Lens, Likeness};

/// The models of a round.
pub(crate) struct Population {
    pub(crate) validator: Hotkey,
    pub(crate) round: Round,
    /// Draws the probes; nobody else knows it before the round is closed.
    pub(crate) seed: [u8; 32],
    /// As the rounds before left it.
    pub(crate) ledger: Ledger,
    pub(crate) members: Vec<Member>,
    /// Models of earlier rounds that may be asked for, by the digests of their manifests.
    pub(crate) earlier: HashMap<Digest, PathBuf>,
    /// Takes what was found of those that are new. When nobody waits for it any more, the work ends.
    pub(crate) found: oneshot::Sender<Vec<(Account, Artifact)>>,
}

/// A miner with its checkpoint.
pub(crate) struct Member {
    pub(crate) account: Account,
    pub(crate) uid: Uid,
    pub(crate) committed_at: BlockNumber,
    pub(crate) checkpoint: Arc<Checkpoint>,
}

/// What models are looked at with.
pub(crate) struct Bench {
    pub(crate) test: CopyTest,
    pub(crate) tokenizer: Tokenizer,
    pub(crate) lens: Lens,
    /// Digest of the teacher's manifest: no model before a student's first.
    pub(crate) teacher: Digest,
}

/// A handle on the thread, which ends when the handle is dropped.
pub(crate) struct Battery {
    rounds: mpsc::Sender<Population>,
}

impl Battery {
    /// Starts the thread.
    pub(crate) fn spawn(bench: Bench, feed: Feed) -> io::Result<Self> {
        let (rounds, mut queue) = mpsc::channel::<Population>(1);
        std::thread::Builder::new()
            .name("battery".into())
            .spawn(move || {
                while let Some(population) = queue.blocking_recv() {
                    for event in bench.compare(population) {
                        tell(&event);
                        feed.send(event);
                    }
                }
            })?;
        Ok(Self { rounds })
    }

    /// Hands a round over; whether the thread takes it now.
    pub(crate) fn observe(&self, population: Population) -> bool {
        self.rounds.try_send(population).is_ok()
    }
}

fn tell(event: &Event) {
    if let Event::Resembles {
        miner,
        earlier,
        verdict,
        behaviour,
        weights,
        shared,
        p_smallest,
        ..
    } = event
    {
        tracing::info!(
            %miner, %earlier, verdict, behaviour, weights, shared, p_smallest,
            "a model is nearer to an earlier one than siblings come"
        );
    }
}

/// The models of a round as far as they were looked at.
struct Sights<'a> {
    bench: &'a Bench,
    population: &'a Population,
    probes: Vec<Vec<u32>>,
    seen: HashMap<Digest, Option<Likeness>>,
}

impl Bench {
    /// Finds out whose model every new one goes on with, and tells whoever waits. Returns what is shown.
    fn compare(&self, population: Population) -> Vec<Event> {
        let present: Vec<Present> = population
            .members
            .iter()
            .map(|member| self.present(member))
            .collect();
        let mut sights = Sights {
            bench: self,
            population: &population,
            probes: Vec::new(),
            seen: HashMap::new(),
        };
        let mut events = Vec::new();
        let (ledger, round) = (&population.ledger, population.round);
        let lineages = newcomers::lineages(ledger, &present, |later, earlier| {
            let (compared, event) = sights.compare(later, earlier);
            events.extend(event);
            compared
        });
        let found = present.iter().filter_map(|it| {
            let artifact = Artifact::Compared {
                tensors: it.tensors,
                lineage: *lineages.get(&it.account)?,
            };
            Some((it.account, artifact))
        });
        if population.found.send(found.collect()).is_err() {
            tracing::debug!(%round, "the round was closed before its models were compared");
        }
        events
    }

    fn present(&self, member: &Member) -> Present {
        let manifest = &member.checkpoint.manifest;
        let parent = manifest.parent_digest().map(Digest);
        Present {
            account: member.account,
            manifest: Digest(member.checkpoint.digest()),
            tensors: Digest(manifest.tensors_digest()),
            committed_at: member.committed_at,
            has_parent: parent.is_some_and(|parent| parent != self.teacher),
        }
    }
}

impl Sights<'_> {
    /// Compares a model with earlier ones; with what is to be shown of it.
    fn compare(&mut self, later: &Digest, earlier: &[Earlier]) -> (Compared, Option<Event>) {
        if !self.look_at(later) {
            return (Compared::Unknown, None);
        }
        let at_hand: Vec<usize> = (0..earlier.len())
            .filter(|index| self.look_at(&earlier[*index].manifest))
            .collect();
        let Some(of_later) = self.sight(later) else {
            return (Compared::Unknown, None);
        };
        let others = at_hand.iter().filter_map(|index| {
            let earlier = &earlier[*index];
            Some(Model {
                is_copy: earlier.is_copy,
                ..self.sight(&earlier.manifest)?.model()
            })
        });
        let others: Vec<Model<'_>> = others.collect();
        if others.is_empty() {
            return (Compared::Unknown, None);
        }
        let Some(found) = self.bench.test.against(&of_later.model(), &others) else {
            return (Compared::Distinct, None);
        };
        let index = at_hand[found.earlier];
        let event = self.shown(later, &earlier[index].manifest, &found);
        match found.resemblance {
            Resemblance::Distinct | Resemblance::Similar => (Compared::Distinct, event),
            Resemblance::SameClass => (Compared::SameClass(index, distances(&found)), event),
        }
    }

    fn sight(&self, manifest: &Digest) -> Option<&Likeness> {
        self.seen.get(manifest)?.as_ref()
    }

    /// Looks at a model, once; whether it could be. After the end of the round nothing is looked at.
    fn look_at(&mut self, manifest: &Digest) -> bool {
        if let Some(seen) = self.seen.get(manifest) {
            return seen.is_some();
        }
        if self.population.found.is_closed() {
            return false;
        }
        let seen = self.open(manifest).and_then(|checkpoint| {
            if self.probes.is_empty() {
                self.probes = likeness::probes(self.population.seed, &self.bench.tokenizer);
            }
            match Likeness::of(&checkpoint, &self.bench.lens, &self.probes) {
                Ok(likeness) => Some(likeness),
                Err(error) => {
                    tracing::debug!(%manifest, %error, "a model is not compared");
                    None
                }
            }
        });
        let could = seen.is_some();
        self.seen.insert(*manifest, seen);
        could
    }

    fn open(&self, manifest: &Digest) -> Option<Arc<Checkpoint>> {
        let is = |checkpoint: &Checkpoint| checkpoint.digest() == manifest.0;
        let mut members = self.population.members.iter();
        if let Some(member) = members.find(|member| is(&member.checkpoint)) {
            return Some(member.checkpoint.clone());
        }
        let home = self.population.earlier.get(manifest)?;
        match Checkpoint::open(home) {
            Ok(checkpoint) => is(&checkpoint).then(|| Arc::new(checkpoint)),
            Err(error) => {
                tracing::debug!(%manifest, %error, "an earlier model is not at hand any more");
                None
            }
        }
    }

    /// What is told of a comparison with another's model.
    fn shown(&self, later: &Digest, earlier: &Digest, found: &Comparison) -> Option<Event> {
        let verdict = match found.resemblance {
            Resemblance::Distinct => return None,
            Resemblance::Similar => "similar",
            Resemblance::SameClass => "same_class",
        };
        let serves = |manifest: &Digest| {
            let mut members = self.population.members.iter();
            members.find(|member| member.checkpoint.digest() == manifest.0)
        };
        let (later, earlier) = (serves(later)?, serves(earlier)?);
        Some(Event::Resembles {
            validator: self.population.validator,
            round: self.population.round,
            miner: later.account.hotkey,
            uid: later.uid,
            earlier: earlier.account.hotkey,
            verdict: verdict.to_owned(),
            behaviour: found.measured.behaviour,
            weights: found.measured.weights,
            shared: found.measured.shared,
            p_bound: found.p_behaviour,
            p_smallest: found.p_smallest,
        })
    }
}

/// The numbers of a comparison as they are written down.
pub(crate) fn distances(found: &Comparison) -> Distances {
    let unknown = 1.0;
    Distances {
        behaviour: found.measured.behaviour,
        weights: found.measured.weights.unwrap_or(unknown),
        p_behaviour: found.p_behaviour.unwrap_or(unknown),
        p_weights: found.p_weights.unwrap_or(unknown),
        innovation: found.measured.shared.map(|share| SharedInnovation {
            share,
            expected: found.measured.expected,
            p: found.p_shared.unwrap_or(unknown),
        }),
    }
    .bounded()
}

#[cfg(test)]
pub(crate) mod tests;
