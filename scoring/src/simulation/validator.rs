//! A validator: its ledger, its rounds, and the row that it votes.

use athanor_spec::{Round, SubnetSpec, Uid};

use super::{
    drawn::Drawn,
    population::{Noise, attack_of},
    random::Draw,
    world::Act,
};
use crate::{
    allocate::ChainLimits,
    attack::{Conduct, Poll, Row, Vote},
    readiness::Readiness,
    round::{self, Ledger, SeenMiner},
    width,
};

/// A row of weights as the chain takes it.
pub(super) type Weights = Vec<(u16, u16)>;

/// A validator.
pub(super) struct Validator {
    pub(super) uid: u16,
    pub(super) group: usize,
    member: u32,
    members: u32,
    conduct: Option<fn(&Poll) -> Vote>,
    /// UIDs of the miners that its operator owns.
    favourites: Vec<u16>,
    ledger: Ledger,
    ready: bool,
    /// What its last round would set.
    graded: Weights,
    /// What it set last.
    kept: Weights,
    /// UIDs that it accuses.
    pub(super) accused: Vec<u16>,
    effective: Vec<f64>,
    asks: Vec<u32>,
}

/// What all validators share in an epoch.
pub(super) struct Stage<'a> {
    pub(super) epoch: u64,
    pub(super) seed: u64,
    pub(super) seen: &'a [SeenMiner],
    pub(super) acts: &'a [Option<Act>],
    pub(super) spec: &'a SubnetSpec,
    pub(super) noise: &'a Noise,
    pub(super) limits: &'a ChainLimits,
}

impl Validator {
    pub(super) fn new(
        uid: u16,
        group: usize,
        (member, members): (u32, u32),
        behaviour: &str,
        favourites: Vec<u16>,
    ) -> Self {
        let conduct = match attack_of(behaviour) {
            Ok(Some(attack)) => match attack.conduct {
                Conduct::Validator(vote) => Some(vote),
                Conduct::Miner(_) => None,
            },
            Ok(None) | Err(()) => None,
        };
        Self {
            uid,
            group,
            member,
            members,
            conduct,
            favourites,
            ledger: Ledger::default(),
            ready: false,
            graded: Weights::new(),
            kept: Weights::new(),
            accused: Vec::new(),
            effective: Vec::new(),
            asks: Vec::new(),
        }
    }

    /// Whether it plays by the rules.
    pub(super) fn is_honest(&self) -> bool {
        self.conduct.is_none()
    }

    /// What it does in this epoch.
    pub(super) fn vote(&self, epoch: u64) -> Vote {
        self.conduct.map_or(Vote::HONEST, |vote| {
            vote(&Poll {
                epoch,
                member: self.member,
                members: self.members,
            })
        })
    }

    /// Makes its round, as far as it makes one.
    pub(super) fn round(&mut self, stage: &Stage<'_>) {
        let vote = self.vote(stage.epoch);
        if vote.diligence <= 0.0 {
            return;
        }
        self.share_out(stage, vote.diligence);
        let words = [stage.seed, stage.epoch, u64::from(self.uid)];
        let [seed, epoch, uid] = words;
        let mut drawn = Drawn {
            acts: stage.acts,
            asks: &self.asks,
            spec: stage.spec,
            noise: stage.noise,
            draw: Draw::of([seed, epoch, uid, u64::MAX]),
            prompts: words,
        };
        let closed = round::settle(
            std::mem::take(&mut self.ledger),
            Round(stage.epoch),
            stage.seen,
            &mut drawn,
            stage.limits,
            stage.spec,
        );
        self.ledger = closed.ledger;
        self.accused.clear();
        let faulty = closed.graded.iter().filter(|it| it.grade.fault.is_some());
        self.accused.extend(faulty.map(|it| it.uid.0));
        if !self.ready {
            let accounts = stage.seen.iter().map(|miner| &miner.account);
            self.ready = Readiness::of_miners(&self.ledger, accounts, stage.spec).is_enough();
        }
        self.graded.clear();
        if self.ready {
            let rows = closed.weights.into_iter();
            self.graded
                .extend(rows.map(|(Uid(uid), weight)| (uid, weight)));
        }
    }

    /// Shares the round's asks out by how little is known of each miner.
    fn share_out(&mut self, stage: &Stage<'_>, diligence: f64) {
        self.effective.clear();
        let mut records = self.ledger.records().iter().peekable();
        for miner in stage.seen {
            while records
                .next_if(|(known, _)| **known < miner.account)
                .is_some()
            {}
            let known = records.next_if(|(known, _)| **known == miner.account);
            let asks = known.map_or(0.0, |(_, record)| record.effective_asks());
            self.effective.push(asks);
        }
        let least = width::least_asks(stage.spec);
        let prompts = width::prompts(&self.effective, least, stage.spec);
        self.asks.clear();
        self.asks.resize(stage.acts.len(), 0);
        for (miner, prompts) in stage.seen.iter().zip(prompts) {
            let asked = (f64::from(prompts) * diligence).round();
            self.asks[usize::from(miner.uid.0)] = asked as u32;
        }
    }

    /// The row that it submits, `None` for none. `consensus` is what the chain shows, by UID.
    pub(super) fn row(&mut self, vote: &Vote, consensus: &[u16]) -> Option<Weights> {
        if !vote.submits {
            return None;
        }
        let base: Weights = match vote.row {
            Row::Graded => self.graded.clone(),
            Row::Kept => self.kept.clone(),
            Row::Consensus => consensus
                .iter()
                .zip(0_u16..)
                .filter(|(weight, _)| **weight > 0)
                .map(|(weight, uid)| (uid, *weight))
                .collect(),
        };
        let row = match vote.favour > 0.0 && !self.favourites.is_empty() {
            true => favour(&base, &self.favourites, vote.favour),
            false => base,
        };
        if row.is_empty() {
            return None;
        }
        self.kept.clone_from(&row);
        Some(row)
    }
}

/// `share` of a row goes to the favourites alike, the rest to whom the row gives it.
fn favour(row: &Weights, favourites: &[u16], share: f64) -> Weights {
    let total: f64 = row.iter().map(|(_, weight)| f64::from(*weight)).sum();
    let share = if total > 0.0 { share } else { 1.0 };
    let each = share / favourites.len() as f64;
    let mut mixed: std::collections::BTreeMap<u16, f64> =
        favourites.iter().map(|uid| (*uid, each)).collect();
    if total > 0.0 {
        for (uid, weight) in row {
            *mixed.entry(*uid).or_insert(0.0) += (1.0 - share) * f64::from(*weight) / total;
        }
    }
    let most = mixed.values().copied().fold(0.0, f64::max);
    mixed
        .into_iter()
        // At most 65535 and not negative: the cast is exact after rounding.
        .map(|(uid, weight)| (uid, (weight / most * f64::from(u16::MAX)).round() as u16))
        .collect()
}
