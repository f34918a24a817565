//! What miners are able to do, and what each does in an epoch.

use std::{collections::BTreeMap, iter::repeat_n};

use athanor_spec::{Account, BlockNumber, Digest, Hotkey, SubnetSpec, Uid};
use codec::Encode as _;
use statrs::distribution::{ContinuousCDF as _, Normal};

use super::{
    population::{MinerGroup, Population, SkillRange, attack_of},
    random::Draw,
};
use crate::{
    attack::{self, Conduct, Play, Scene, Served, Skill, Tensors},
    grade::{self, Timing},
    round::{Artifact, Distances, Likeness, Lineage, SeenMiner},
};

/// Tokens of an ordinary answer, for its time.
const ANSWER_TOKENS: u32 = 16;
/// Quantiles over which the worth of an answer's time is averaged.
const QUANTILES: u32 = 32;

/// A miner's abilities: what it begins with, and what training leads to.
#[derive(Clone, Copy, Debug)]
struct Talent {
    start: Skill,
    trained: Skill,
    half_life: f64,
    publish_every: u64,
}

impl Talent {
    fn draw(range: &SkillRange, spec: &SubnetSpec, draw: &mut Draw) -> Self {
        let service = worth_of_time(
            draw.between(range.ttft_ms),
            draw.between(range.per_token_ms),
            range.jitter,
            spec,
        );
        let goodput =
            draw.between(range.tokens_per_second) / spec.service.goodput_tokens_per_second;
        let answered = draw.between(range.answered);
        let mut skill = |divergence, correctness| {
            let divergence = draw.between(divergence);
            Skill {
                divergence,
                forced_divergence: divergence,
                correctness: draw.between(correctness),
                liveliness: 1.0,
                service,
                goodput,
                answered,
            }
        };
        Self {
            start: skill(range.divergence, range.correctness),
            trained: skill(range.divergence_trained, range.correctness_trained),
            half_life: draw.between(range.half_life),
            publish_every: range.publish_every,
        }
    }

    /// Checkpoints published in so many epochs.
    fn published(&self, age: u64) -> u64 {
        age / self.publish_every
    }

    /// What the checkpoint of this number can do.
    fn skill(&self, published: u64) -> Skill {
        let trained = (published * self.publish_every) as f64;
        let left = (-trained / self.half_life).exp2();
        let toward = |end: f64, start: f64| end + (start - end) * left;
        Skill {
            divergence: toward(self.trained.divergence, self.start.divergence),
            forced_divergence: toward(self.trained.forced_divergence, self.start.forced_divergence),
            correctness: toward(self.trained.correctness, self.start.correctness),
            ..self.start
        }
    }
}

/// What an answer's time is worth on average, when its two times are log-normal around these medians.
fn worth_of_time(ttft_ms: f64, per_token_ms: f64, jitter: f64, spec: &SubnetSpec) -> f64 {
    let normal = Normal::standard();
    let worth = |index: u32| {
        let quantile = (f64::from(index) + 0.5) / f64::from(QUANTILES);
        let slower = (jitter * normal.inverse_cdf(quantile)).exp();
        let first = ttft_ms * slower;
        let rest = per_token_ms * slower * f64::from(ANSWER_TOKENS - 1);
        let timing = Timing {
            first_token_ms: first as u64,
            elapsed_ms: (first + rest) as u64,
            tokens: ANSWER_TOKENS,
        };
        grade::service(timing, &spec.service)
    };
    (0..QUANTILES).map(worth).sum::<f64>() / f64::from(QUANTILES)
}

/// A miner.
struct Member {
    uid: u16,
    group: usize,
    number: u32,
    joins: u64,
    registered: u64,
    account: Account,
    talent: Talent,
    tensors: Digest,
    committed: u64,
    /// Registrations paid.
    registrations: u32,
    /// Which of the attackers it belongs to, of those whose hotkeys share a machine.
    shares: Option<u32>,
}

/// What a miner does in an epoch, as validators will measure it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Act {
    /// How it plays.
    pub(super) play: Play,
    /// Its group.
    pub(super) group: usize,
    /// Hotkeys that its machine serves, itself among them: where all miners are loaded at once, all of them are.
    pub(super) on_machine: u32,
}

/// The miners of a subnet.
pub(super) struct World {
    members: Vec<Member>,
    groups: Vec<MinerGroup>,
    /// By UID; those that are not miners, or not there yet, have none.
    acts: Vec<Option<Act>>,
    seen: Vec<SeenMiner>,
    blocks: u64,
    best: Option<(Skill, Digest)>,
}

impl World {
    /// Miners whose UIDs begin with `first`. The n-th of every group has the talent that the n-th of any other group of the
    /// same ranges has, so that an attacker can be compared with who would have worked honestly in its place.
    pub(super) fn new(population: &Population, spec: &SubnetSpec, first: u16, seed: u64) -> Self {
        let mut members = Vec::new();
        let mut uid = first;
        for (index, group) in population.miners.iter().enumerate() {
            let identities = identities(group);
            let shares_machine =
                matches!(attack_of(&group.behaviour), Ok(Some(attack)) if attack.shares_machine);
            for number in 0..group.count {
                // All identities of an attacker have its abilities.
                let attacker = number / identities;
                let mut draw = Draw::of([seed, 0x7a1e, u64::from(attacker), 0]);
                members.push(Member {
                    uid,
                    group: index,
                    number,
                    joins: group.joins,
                    registered: group.joins,
                    account: account(uid, 0),
                    talent: Talent::draw(&group.skill, spec, &mut draw),
                    tensors: Digest([0; 32]),
                    committed: 0,
                    registrations: 0,
                    shares: shares_machine.then_some(attacker),
                });
                uid += 1;
            }
        }
        let blocks = u64::from(population.chain.tempo);
        for member in &mut members {
            member.account = account(member.uid, member.registered * blocks);
        }
        Self {
            acts: repeat_n(None, usize::from(uid)).collect(),
            groups: population.miners.clone(),
            seen: Vec::with_capacity(members.len()),
            members,
            blocks,
            best: None,
        }
    }

    /// What everybody does in this epoch. Returns the UIDs that registered.
    pub(super) fn turn(&mut self, epoch: u64) -> Vec<u16> {
        let best = self.best.unwrap_or((UNKNOWN, Digest([0; 32])));
        let mut registered = Vec::new();
        let mut next_best: Option<(Skill, Digest)> = None;
        let mut burden = 0.0;
        self.seen.clear();
        for member in &mut self.members {
            if member.joins > epoch {
                continue;
            }
            let group = &self.groups[member.group];
            let mut play = member.play(group, epoch, best.0);
            if member.joins == epoch || play.registers_anew {
                member.registered = epoch;
                member.registrations += 1;
                member.account = account(member.uid, epoch * self.blocks);
                registered.push(member.uid);
                if play.registers_anew {
                    play = member.play(group, epoch, best.0);
                }
            }
            let age = epoch - member.registered;
            let published = member.talent.published(age);
            let tensors = match play.tensors {
                Tensors::Own => named(b"own", &(member.account, published)),
                Tensors::Fresh => named(b"fresh", &(member.account, epoch)),
                Tensors::Derived { .. } => named(b"derived", &(member.account, best.1)),
                Tensors::Group => named(b"group", &(member.group as u64, published)),
                Tensors::OfTheBest if self.best.is_some() => best.1,
                Tensors::OfTheBest => named(b"own", &(member.account, published)),
            };
            if tensors != member.tensors {
                member.tensors = tensors;
                member.committed = epoch * self.blocks;
            }
            burden += play.burden;
            if super::HONEST == group.behaviour {
                let better = |known: &(Skill, Digest)| play.skill.divergence < known.0.divergence;
                if next_best.as_ref().is_none_or(better) {
                    next_best = Some((play.skill, tensors));
                }
            }
            self.seen.push(member.seen(&play, best.1, self.blocks));
            self.acts[usize::from(member.uid)] = Some(Act {
                play,
                group: member.group,
                on_machine: 1,
            });
        }
        self.share_machines(epoch);
        if burden > 0.0 {
            for act in self.acts.iter_mut().flatten() {
                let others = (burden - act.play.burden).clamp(0.0, 1.0);
                act.play.skill.service *= 1.0 - others;
                act.play.skill.goodput *= 1.0 - others;
            }
        }
        self.seen.sort_by_key(|miner| (miner.account, miner.uid));
        self.best = next_best.or(self.best);
        registered
    }

    /// Counts the hotkeys that each machine serves.
    fn share_machines(&mut self, epoch: u64) {
        let there = |member: &&Member| member.joins <= epoch && member.shares.is_some();
        let mut hotkeys = BTreeMap::<_, u32>::new();
        for member in self.members.iter().filter(there) {
            *hotkeys.entry((member.group, member.shares)).or_default() += 1;
        }
        for member in self.members.iter().filter(there) {
            if let Some(act) = &mut self.acts[usize::from(member.uid)] {
                act.on_machine = hotkeys[&(member.group, member.shares)];
            }
        }
    }

    /// The miners as every validator sees them, by account.
    pub(super) fn seen(&self) -> &[SeenMiner] {
        &self.seen
    }

    /// What each does, by UID.
    pub(super) fn acts(&self) -> &[Option<Act>] {
        &self.acts
    }

    /// UID, group, and the epoch since which it has been registered, of every miner that ever joined.
    pub(super) fn members(&self) -> impl Iterator<Item = (u16, usize, u64)> + '_ {
        self.members
            .iter()
            .map(|member| (member.uid, member.group, member.registered))
    }

    /// Registrations that a group has paid.
    pub(super) fn registrations(&self, group: usize) -> u32 {
        self.members
            .iter()
            .filter(|member| member.group == group)
            .map(|member| member.registrations)
            .sum()
    }
}

/// What is known of the best miner before there is one.
const UNKNOWN: Skill = Skill {
    divergence: 1.0,
    forced_divergence: 1.0,
    correctness: 0.3,
    liveliness: 1.0,
    service: 1.0,
    goodput: 1.0,
    answered: 1.0,
};

impl Member {
    fn play(&self, group: &MinerGroup, epoch: u64, best: Skill) -> Play {
        let age = epoch - self.registered.min(epoch);
        let own = self.talent.skill(self.talent.published(age));
        let Ok(Some(attack)) = attack_of(&group.behaviour) else {
            return Play::honest(own);
        };
        let Conduct::Miner(play) = attack.conduct else {
            return Play::honest(own);
        };
        // A model that is taken over runs on the own machine.
        let here = |skill: Skill| Skill {
            service: own.service,
            goodput: own.goodput,
            answered: own.answered,
            ..skill
        };
        let teacher = Skill {
            divergence: 0.0,
            forced_divergence: 0.0,
            correctness: 1.0,
            ..own
        };
        let identities = identities(group);
        play(&Scene {
            epoch,
            age,
            member: self.number % identities,
            members: identities,
            own,
            untrained: self.talent.skill(0),
            best: here(best),
            teacher,
        })
    }

    /// `best` are the tensors of the best honest miner, of which a copy is made.
    fn seen(&self, play: &Play, best: Digest, blocks: u64) -> SeenMiner {
        let tensors = self.tensors;
        let artifact = match play.artifact {
            Served::Verified => match play.tensors {
                Tensors::Derived { noise } if is_found(&tensors, noise) => Artifact::Compared {
                    tensors,
                    lineage: Lineage::Alike(alike(best)),
                },
                _ => Artifact::Fetched { tensors },
            },
            Served::Missing => Artifact::Missing,
            Served::Bad => Artifact::Bad {
                evidence: "the bytes are not what the commitment names".to_owned(),
            },
        };
        SeenMiner {
            account: self.account,
            uid: Uid(self.uid),
            peer_key: Digest([0; 32]),
            checkpoint: self.tensors,
            committed_at: block(self.committed.max(self.registered * blocks)),
            previous: None,
            asks: 0,
            artifact,
        }
    }
}

/// Whether validators find a copy with so much noise: the same copy is found by all, or by none.
fn is_found(copy: &Digest, noise: f64) -> bool {
    let seed = copy
        .0
        .first_chunk()
        .map_or(0, |bytes| u64::from_le_bytes(*bytes));
    Draw::of([seed, 0x11fe, 0, 0]).between((0.0, 1.0)) < attack::found(noise)
}

/// What is written down of a copy. The numbers decide nothing any more.
fn alike(original: Digest) -> Likeness {
    Likeness {
        manifest: original,
        tensors: original,
        distances: Distances {
            behaviour: 0.0,
            weights: 0.0,
            p_behaviour: 0.0,
            p_weights: 0.0,
            innovation: None,
        },
    }
}

/// Hotkeys of one attacker; a group has as many attackers as it has room for.
fn identities(group: &MinerGroup) -> u32 {
    match attack_of(&group.behaviour) {
        Ok(Some(attack)) => attack.identities.min(group.count).max(1),
        Ok(None) | Err(()) => 1,
    }
}

fn account(uid: u16, registered_at: u64) -> Account {
    let mut hotkey = [0; 32];
    hotkey[..2].copy_from_slice(&uid.to_be_bytes());
    Account {
        hotkey: Hotkey(hotkey),
        registered_at: block(registered_at),
    }
}

fn block(number: u64) -> BlockNumber {
    BlockNumber(u32::try_from(number).unwrap_or(u32::MAX))
}

fn named(kind: &[u8], of: &impl codec::Encode) -> Digest {
    Digest::of(&(kind, of).encode())
}
