//! Compare the models of a round with each other, on a thread of its own and off the way to the weights.
//!
//! What comes out is shown and logged, and changes no pay: pay is a function of the round's transcript, which these comparisons
//! are not part of. While the thread is busy, rounds are left out.

use std::{io, sync::Arc};

use athanor_model::{Checkpoint, DeviceChoice, Tokenizer};
use athanor_node::Feed;
use athanor_scoring::similarity::{
    copies::{CopyTest, Resemblance},
    exact::{self, Committed},
    null::NullSample,
};
use athanor_spec::{BlockNumber, Digest, Hotkey, Round, Uid, telemetry::Event};
use tokio::sync::mpsc;

use crate::likeness::{self, Likeness};

/// A round in so many is looked at: models change slowly, and each costs a replay of all probes.
const EVERY: u64 = 4;

/// The models of a round.
pub(crate) struct Population {
    pub(crate) validator: Hotkey,
    pub(crate) round: Round,
    /// Draws the probes; nobody else knows it before the round is closed.
    pub(crate) seed: [u8; 32],
    pub(crate) members: Vec<Member>,
}

/// A miner with its checkpoint.
pub(crate) struct Member {
    pub(crate) hotkey: Hotkey,
    pub(crate) uid: Uid,
    pub(crate) committed_at: BlockNumber,
    pub(crate) checkpoint: Arc<Checkpoint>,
}

/// A handle on the thread, which ends when the handle is dropped.
pub(crate) struct Battery {
    rounds: mpsc::Sender<Population>,
}

impl Battery {
    /// Starts the thread.
    pub(crate) fn spawn(
        tokenizer: Tokenizer,
        device: DeviceChoice,
        feed: Feed,
    ) -> io::Result<Self> {
        let (rounds, mut queue) = mpsc::channel::<Population>(1);
        std::thread::Builder::new()
            .name("battery".into())
            .spawn(move || {
                let test = CopyTest::new(NullSample::shipped(), 1);
                while let Some(population) = queue.blocking_recv() {
                    for event in compare(&test, &tokenizer, device, population) {
                        tell(&event);
                        feed.send(event);
                    }
                }
            })?;
        Ok(Self { rounds })
    }

    /// Whether a round is one of those that are looked at.
    pub(crate) fn is_due(round: Round) -> bool {
        round.0.is_multiple_of(EVERY)
    }

    /// Hands a round over, unless the thread is still at an earlier one.
    pub(crate) fn observe(&self, population: Population) {
        if let Err(error) = self.rounds.try_send(population) {
            tracing::debug!(%error, "the models of this round are not compared");
        }
    }
}

fn tell(event: &Event) {
    if let Event::Resembles {
        miner,
        earlier,
        verdict,
        behaviour,
        weights,
        p_smallest,
        ..
    } = event
    {
        tracing::info!(
            %miner, %earlier, verdict, behaviour, weights, p_smallest,
            "a model is nearer to an earlier one than siblings come"
        );
    }
}

fn compare(
    test: &CopyTest,
    tokenizer: &Tokenizer,
    device: DeviceChoice,
    population: Population,
) -> Vec<Event> {
    let Population {
        validator,
        round,
        seed,
        mut members,
    } = population;
    members.sort_by_key(|member| (member.committed_at, member.uid));
    let committed: Vec<Committed> = members
        .iter()
        .map(|member| Committed {
            manifest: Digest(member.checkpoint.digest()),
            tensors: Some(Digest(member.checkpoint.manifest.tensors_digest())),
            committed_at: member.committed_at,
        })
        .collect();
    // Equal tensors are a matter of the ledger already.
    let first = exact::first_of(&committed);
    let mut index = 0;
    members.retain(|_| {
        index += 1;
        first[index - 1] == index - 1
    });
    let probes = likeness::probes(seed, tokenizer);
    let mut seen = Vec::with_capacity(members.len());
    for member in members {
        match Likeness::of(&member.checkpoint, device, &probes, test.null().seed) {
            Ok(likeness) => seen.push((member, likeness)),
            Err(error) => tracing::debug!(uid = %member.uid, %error, "a model is not compared"),
        }
    }
    let models: Vec<_> = seen.iter().map(|(_, likeness)| likeness.model()).collect();
    let screen = u64::from_le_bytes(std::array::from_fn(|byte| seed[byte]));
    test.run(&models, screen)
        .into_iter()
        .filter_map(|found| {
            let verdict = match found.resemblance {
                Resemblance::Distinct => return None,
                Resemblance::Similar => "similar",
                Resemblance::SameClass => "same_class",
            };
            Some(Event::Resembles {
                validator,
                round,
                miner: seen[found.later].0.hotkey,
                uid: seen[found.later].0.uid,
                earlier: seen[found.earlier].0.hotkey,
                verdict: verdict.to_owned(),
                behaviour: found.behaviour,
                weights: found.weights,
                p_bound: found.p_behaviour,
                p_smallest: found.p_smallest,
            })
        })
        .collect()
}

#[cfg(test)]
mod tests;
