//! Keep who holds the crown, who may challenge for it, and the duels.
//!
//! A class of artifacts has priority from the epoch in which this validator has fetched and verified its artifact and had
//! an answer from it: a name on chain reserves nothing. It lapses with the first epoch in which it is not served, unless
//! the validator could not tell. Challengers take turns, [`AllocationParams::crown_slots`] in a round: who waited
//! longest is first, of those who never had a turn who has priority. A duel is keyed by the two classes and never reset
//! by a restart, a new registration, a copy, or a crown lost and won again.
//!
//! A vacant crown goes to the earliest priority among the classes whose bounds of quality reach the highest lower bound: of
//! those that cannot be told from the best, as one round would draw lots among them. It is no verdict, and can be challenged.
//!
//! When the holder publishes its next checkpoint, the crown passes to that, and so do the duels against it: a challenger's
//! W is then a product over prompts on which it met what the reigning account served at the time, so W >= 1 / alpha still errs
//! with probability alpha for a challenger that was never better. Were the duels to begin anew, nobody would be beaten who
//! publishes often enough; were the crown vacant, it would be drawn for again. A challenger's own next checkpoint begins at 1:
//! it must not win by what another one did.

use std::collections::{BTreeMap, btree_map::Entry};

use athanor_spec::{Account, BlockNumber, Digest, Epoch, params::AllocationParams};
use codec::{Decode, Encode};
use thiserror::Error;

use super::{EProcess, margin, threshold};

/// Duels remembered at most; beyond, the weakest are forgotten of those that are not under way.
const MAX_DUELS: usize = 1024;
/// How many are forgotten at once.
const FORGOTTEN: usize = 128;
/// First byte of a stored crown; another value is another layout.
const VERSION: u8 = 1;

/// Who holds the crown, who may challenge, and the duels.
#[derive(Clone, Debug, Default, PartialEq, Encode, Decode)]
pub struct Crown {
    holder: Option<Holder>,
    standing: BTreeMap<Digest, Standing>,
    duels: BTreeMap<Pair, Duel>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Holder {
    class: Digest,
    since: Epoch,
}

/// A class that has priority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
struct Standing {
    since: Epoch,
    committed_at: BlockNumber,
    attempt: u32,
    last_turn: Option<Epoch>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
struct Pair {
    challenger: Digest,
    incumbent: Digest,
}

#[derive(Clone, Debug, PartialEq, Encode, Decode)]
struct Duel {
    attempt: u32,
    process: EProcess,
}

/// Whether a class was there in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Its artifact was verified and at least one answer came from it.
    Served,
    /// The validator could not tell, by its own trouble: nothing lapses.
    Unknown,
    /// It was not: unreachable, faulty, or no longer what its hotkey commits to.
    Absent,
}

/// A class of artifacts in one round, as its member of earliest priority shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct Contender {
    /// Digest of the tensors.
    pub class: Digest,
    /// Whose it is.
    pub account: Account,
    /// Block of the commitment.
    pub committed_at: BlockNumber,
    /// Which commitment of its registration this is, from 1.
    pub attempt: u32,
    /// Whether it was there.
    pub presence: Presence,
    /// Lower confidence bound of its quality, in [0, 1].
    pub quality_low: f64,
    /// Upper one, as far from the quality.
    pub quality_high: f64,
    /// Whether it has a quality on any of the round's shared prompts.
    pub compared: bool,
}

/// Why bytes are no crown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeCrownError {
    /// Written by another version of this program, or empty.
    #[error("a crown of version {found:?}; this program reads version {VERSION}")]
    Version {
        /// Version found.
        found: Option<u8>,
    },
    /// Not the encoding of a crown, or numbers that no crown holds.
    #[error("the bytes are no crown")]
    Malformed,
}

impl Crown {
    /// The class that holds the crown.
    pub fn holder(&self) -> Option<Digest> {
        self.holder.map(|holder| holder.class)
    }

    /// The epoch since which a class has had priority without a gap.
    pub fn priority(&self, class: Digest) -> Option<Epoch> {
        self.standing.get(&class).map(|standing| standing.since)
    }

    /// Closes a round: priorities begin and lapse, challengers in turn are compared with the holder on the prompts that
    /// both got, and the crown passes to the one that is furthest above its threshold. Returns the holder.
    ///
    /// `contenders` are ordered by class, and each appears once. `reigning` is whose the holder's class is: who first
    /// committed to it. `qualities` gives those of a class in [0, 1] on
    /// the round's shared prompts, by number (0 where it gave no usable answer, none where the validator was in trouble);
    /// it is called for the holder and the challengers in turn only. Closing an epoch again, or an earlier one, is the
    /// caller's to prevent.
    pub fn close_round(
        &mut self,
        epoch: Epoch,
        contenders: &[Contender],
        reigning: Option<Account>,
        params: &AllocationParams,
        mut qualities: impl FnMut(Digest) -> BTreeMap<u32, f64>,
    ) -> Option<Digest> {
        self.stand(epoch, contenders);
        self.succeed(contenders, reigning);
        if self.holder.is_none() {
            self.claim(epoch, contenders);
        }
        let holder = self.holder?;
        if of_class(contenders, &holder.class).is_some() {
            let incumbent = qualities(holder.class);
            // Differences in the order of the prompts, whose families are drawn at random.
            let eps = margin(epoch.0.saturating_sub(holder.since.0) as f64, params);
            for class in self.turns(epoch, holder.class, contenders, params) {
                let attempt = self.standing.get(&class).map_or(1, |it| it.attempt);
                for (prompt, quality) in qualities(class) {
                    if let Some(other) = incumbent.get(&prompt) {
                        self.observe(class, holder.class, attempt, quality - other, eps);
                    }
                }
            }
        }
        self.settle(epoch, contenders, params);
        self.holder()
    }

    /// ln W of a challenger against the present holder; 0 where they never met.
    pub fn log_e_value(&self, challenger: Digest) -> f64 {
        self.duel(challenger)
            .map_or(0.0, |duel| duel.process.log_e_value())
    }

    /// The value that W of a challenger must reach, and the prompts on which it met the present holder; `None` where
    /// they never met.
    pub fn challenge(&self, challenger: Digest, params: &AllocationParams) -> Option<(f64, u64)> {
        let duel = self.duel(challenger)?;
        Some((threshold(duel.attempt, params), duel.process.prompts()))
    }

    /// The crown as stored: a version byte and the SCALE encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        (VERSION, self).encode()
    }

    /// Reads a stored crown; every number in it is checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeCrownError> {
        let mut rest = match bytes.split_first() {
            Some((&VERSION, rest)) => rest,
            other => {
                return Err(DecodeCrownError::Version {
                    found: other.map(|(found, _)| *found),
                });
            }
        };
        let crown = Self::decode(&mut rest).map_err(|_| DecodeCrownError::Malformed)?;
        if rest.is_empty() && crown.is_bounded() {
            Ok(crown)
        } else {
            Err(DecodeCrownError::Malformed)
        }
    }

    /// Whether it is no larger than any, and every number is one.
    pub(crate) fn is_bounded(&self) -> bool {
        self.duels.len() <= MAX_DUELS && self.duels.values().all(|duel| duel.process.is_bounded())
    }

    fn duel(&self, challenger: Digest) -> Option<&Duel> {
        let incumbent = self.holder()?;
        self.duels.get(&Pair {
            challenger,
            incumbent,
        })
    }

    /// Priorities begin for who was served, and lapse for who was not.
    fn stand(&mut self, epoch: Epoch, contenders: &[Contender]) {
        // Both are ordered by class, so one walk over the two finds every match.
        let mut rest = contenders.iter().peekable();
        self.standing.retain(|class, _| {
            while rest.next_if(|it| it.class < *class).is_some() {}
            rest.peek()
                .is_some_and(|it| it.class == *class && it.presence != Presence::Absent)
        });
        let mut known = self.standing.keys().peekable();
        let mut new = Vec::new();
        for it in contenders {
            while known.next_if(|class| **class < it.class).is_some() {}
            let stands = known.peek().is_some_and(|class| **class == it.class);
            if it.presence == Presence::Served && !stands {
                new.push(it);
            }
        }
        for it in new {
            let standing = Standing {
                since: epoch,
                committed_at: it.committed_at,
                attempt: it.attempt,
                last_turn: None,
            };
            self.standing.insert(it.class, standing);
        }
    }

    /// Who stands, with how it shows itself in this round; whoever stands is a contender.
    fn standing<'a>(
        &'a self,
        contenders: &'a [Contender],
    ) -> impl Iterator<Item = (&'a Contender, &'a Standing)> {
        let mut rest = contenders.iter().peekable();
        self.standing.iter().filter_map(move |(class, standing)| {
            while rest.next_if(|it| it.class < *class).is_some() {}
            let it = rest.peek().filter(|it| it.class == *class)?;
            Some((*it, standing))
        })
    }

    /// Where what holds the crown is served no more: passes it to what its account serves now, with the duels, or leaves it
    /// vacant where that serves nothing. While the validator could not tell, it stays where it is.
    fn succeed(&mut self, contenders: &[Contender], reigning: Option<Account>) {
        let Some(holder) = self.holder else {
            return;
        };
        if self.standing.contains_key(&holder.class) {
            return;
        }
        let next = contenders.iter().find(|it| Some(it.account) == reigning);
        match next.map(|it| (it.presence, it.class)) {
            Some((Presence::Served, class)) => {
                self.carry_over(holder.class, class);
                self.holder = Some(Holder { class, ..holder });
            }
            Some((Presence::Unknown, _)) => {}
            Some((Presence::Absent, _)) | None => self.holder = None,
        }
    }

    /// Goes on with the duels against `old` as duels against `new`.
    fn carry_over(&mut self, old: Digest, new: Digest) {
        let against = self.duels.keys().filter(|pair| pair.incumbent == old);
        let pairs: Vec<Pair> = against.copied().collect();
        for pair in pairs {
            let Some(duel) = self.duels.remove(&pair) else {
                continue;
            };
            // Nobody challenges itself.
            if pair.challenger == new {
                continue;
            }
            let next = Pair {
                incumbent: new,
                ..pair
            };
            match self.duels.entry(next) {
                Entry::Vacant(place) => {
                    place.insert(duel);
                }
                // They met before, on other prompts.
                Entry::Occupied(mut known) => known.get_mut().process.join(&duel.process),
            }
        }
    }

    fn claim(&mut self, epoch: Epoch, contenders: &[Contender]) {
        let known = || {
            self.standing(contenders)
                .filter(|(it, _)| it.quality_low > 0.0)
        };
        let best = known().map(|(it, _)| it.quality_low).fold(0.0, f64::max);
        let earliest = known()
            .filter(|(it, _)| it.quality_high >= best)
            .min_by_key(|(it, standing)| (standing.since, standing.committed_at, it.class));
        self.holder = earliest.map(|(it, _)| Holder {
            class: it.class,
            since: epoch,
        });
    }

    /// The challengers of this round, whose turn is noted.
    fn turns(
        &mut self,
        epoch: Epoch,
        holder: Digest,
        contenders: &[Contender],
        params: &AllocationParams,
    ) -> Vec<Digest> {
        let mut waiting: Vec<(Option<Epoch>, Epoch, BlockNumber, Digest)> = self
            .standing(contenders)
            .filter(|(it, _)| it.compared && it.class != holder)
            .map(|(it, standing)| {
                (
                    standing.last_turn,
                    standing.since,
                    standing.committed_at,
                    it.class,
                )
            })
            .collect();
        let slots = params.crown_slots as usize;
        if slots < waiting.len() {
            waiting.select_nth_unstable(slots);
            waiting.truncate(slots);
        }
        waiting.sort_unstable();
        let turns: Vec<Digest> = waiting.into_iter().map(|(.., class)| class).collect();
        for class in &turns {
            if let Some(standing) = self.standing.get_mut(class) {
                standing.last_turn = Some(epoch);
            }
        }
        turns
    }

    /// Takes the paired difference of `challenger` minus the holder on one prompt. The attempt is fixed by the first
    /// prompt of a duel.
    fn observe(
        &mut self,
        challenger: Digest,
        incumbent: Digest,
        attempt: u32,
        difference: f64,
        eps: f64,
    ) {
        let pair = Pair {
            challenger,
            incumbent,
        };
        if !self.duels.contains_key(&pair)
            && self.duels.len() >= MAX_DUELS
            && !self.make_room(incumbent)
        {
            return;
        }
        let fresh = || Duel {
            attempt,
            process: EProcess::default(),
        };
        self.duels
            .entry(pair)
            .or_insert_with(fresh)
            .process
            .observe(difference, eps);
    }

    /// Crowns the standing challenger that is furthest above its threshold, if any is.
    fn settle(&mut self, epoch: Epoch, contenders: &[Contender], params: &AllocationParams) {
        let Some(holder) = self.holder() else {
            return;
        };
        let served = |class: &Digest| {
            self.standing.contains_key(class)
                && of_class(contenders, class).is_some_and(|it| it.presence == Presence::Served)
        };
        // A first attempt needs the least, and W is at most the largest of its products.
        let least = threshold(1, params).ln();
        let winner = self
            .duels
            .iter()
            .filter(|(pair, _)| pair.incumbent == holder)
            .filter(|(_, duel)| duel.process.log_bound() >= least)
            .filter(|(pair, _)| served(&pair.challenger))
            .map(|(pair, duel)| {
                let lead = duel.process.log_e_value() - threshold(duel.attempt, params).ln();
                (lead, pair.challenger)
            })
            .filter(|(lead, _)| *lead >= 0.0)
            .max_by(|left, right| left.0.total_cmp(&right.0));
        if let Some((_, class)) = winner {
            self.holder = Some(Holder {
                class,
                since: epoch,
            });
        }
    }

    /// Forgets the weakest duels against former holders, and of challengers that are not there; whether there were any.
    fn make_room(&mut self, holder: Digest) -> bool {
        let under_way =
            |pair: &Pair| pair.incumbent == holder && self.standing.contains_key(&pair.challenger);
        let mut others: Vec<(f64, Pair)> = self
            .duels
            .iter()
            .filter(|(pair, _)| !under_way(pair))
            .map(|(pair, duel)| (duel.process.log_e_value(), *pair))
            .collect();
        others.sort_by(|l, r| l.0.total_cmp(&r.0).then_with(|| l.1.cmp(&r.1)));
        others.truncate(FORGOTTEN);
        for (_, pair) in &others {
            self.duels.remove(pair);
        }
        !others.is_empty()
    }
}

/// The contender of a class, of contenders that are ordered by class.
fn of_class<'a>(contenders: &'a [Contender], class: &Digest) -> Option<&'a Contender> {
    let at = contenders.binary_search_by(|it| it.class.cmp(class));
    at.ok().map(|at| &contenders[at])
}

#[cfg(test)]
mod tests;
