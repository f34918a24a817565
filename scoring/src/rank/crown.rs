//! Keep who holds the crown, who may challenge for it, and the duels.
//!
//! A class of artifacts has priority from the epoch in which this validator has fetched and verified its artifact and had
//! an answer from it: a name on chain reserves nothing. It lapses with the first epoch in which it is not served, unless
//! the validator could not tell. Challengers take turns, [`AllocationParams::crown_slots`] in a round: who waited
//! longest is first, of those who never had a turn who has priority. A duel is keyed by the two classes and never reset
//! by a restart, a new registration, a copy, or a crown lost and won again.
//!
//! A vacant crown goes to the class of the highest lower bound of quality, which is no verdict: it can be challenged
//! like any other.

use std::collections::BTreeMap;

use athanor_spec::{BlockNumber, Digest, Epoch, params::AllocationParams};
use codec::{Decode, Encode};
use thiserror::Error;

use super::{EProcess, margin, threshold};

/// Duels remembered at most; beyond, the weakest against a former holder is forgotten.
const MAX_DUELS: usize = 1024;
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
    /// Block of the commitment.
    pub committed_at: BlockNumber,
    /// Which commitment of its registration this is, from 1.
    pub attempt: u32,
    /// Whether it was there.
    pub presence: Presence,
    /// Lower confidence bound of its quality, in [0, 1].
    pub quality_low: f64,
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
    /// Each class appears once in `contenders`; their order does not matter. `qualities` gives those of a class in [0, 1] on
    /// the round's shared prompts, by number (0 where it gave no usable answer, none where the validator was in trouble);
    /// it is called for the holder and the challengers in turn only. Closing an epoch again, or an earlier one, is the
    /// caller's to prevent.
    pub fn close_round(
        &mut self,
        epoch: Epoch,
        contenders: &[Contender],
        params: &AllocationParams,
        mut qualities: impl FnMut(Digest) -> BTreeMap<u32, f64>,
    ) -> Option<Digest> {
        let by_class: BTreeMap<Digest, &Contender> =
            contenders.iter().map(|it| (it.class, it)).collect();
        self.stand(epoch, &by_class);
        if self
            .holder
            .is_some_and(|holder| !self.standing.contains_key(&holder.class))
        {
            self.holder = None;
        }
        if self.holder.is_none() {
            self.claim(epoch, &by_class);
        }
        let holder = self.holder?;
        if by_class.contains_key(&holder.class) {
            let incumbent = qualities(holder.class);
            // Differences in the order of the prompts, whose families are drawn at random.
            let eps = margin(epoch.0.saturating_sub(holder.since.0) as f64, params);
            for class in self.turns(epoch, holder.class, &by_class, params) {
                let attempt = self.standing.get(&class).map_or(1, |it| it.attempt);
                for (prompt, quality) in qualities(class) {
                    if let Some(other) = incumbent.get(&prompt) {
                        self.observe(class, holder.class, attempt, quality - other, eps);
                    }
                }
            }
        }
        self.settle(epoch, &by_class, params);
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
    fn stand(&mut self, epoch: Epoch, contenders: &BTreeMap<Digest, &Contender>) {
        self.standing.retain(|class, _| {
            contenders
                .get(class)
                .is_some_and(|it| it.presence != Presence::Absent)
        });
        for (class, it) in contenders {
            if it.presence == Presence::Served {
                self.standing.entry(*class).or_insert(Standing {
                    since: epoch,
                    committed_at: it.committed_at,
                    attempt: it.attempt,
                    last_turn: None,
                });
            }
        }
    }

    fn claim(&mut self, epoch: Epoch, contenders: &BTreeMap<Digest, &Contender>) {
        let best = self
            .standing
            .iter()
            .filter_map(|(class, standing)| {
                let low = contenders.get(class)?.quality_low;
                (low > 0.0).then_some((low, standing.committed_at, *class))
            })
            // Of equals the earlier.
            .max_by(|left, right| {
                let earlier = (right.1, right.2).cmp(&(left.1, left.2));
                left.0.total_cmp(&right.0).then(earlier)
            });
        self.holder = best.map(|(.., class)| Holder {
            class,
            since: epoch,
        });
    }

    /// The challengers of this round, whose turn is noted.
    fn turns(
        &mut self,
        epoch: Epoch,
        holder: Digest,
        contenders: &BTreeMap<Digest, &Contender>,
        params: &AllocationParams,
    ) -> Vec<Digest> {
        let mut waiting: Vec<(Option<Epoch>, Epoch, BlockNumber, Digest)> = self
            .standing
            .iter()
            .filter(|(class, _)| **class != holder)
            .filter(|(class, _)| contenders.get(class).is_some_and(|it| it.compared))
            .map(|(class, it)| (it.last_turn, it.since, it.committed_at, *class))
            .collect();
        waiting.sort_unstable();
        waiting.truncate(params.crown_slots as usize);
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
            && !self.forget_one(incumbent)
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
    fn settle(
        &mut self,
        epoch: Epoch,
        contenders: &BTreeMap<Digest, &Contender>,
        params: &AllocationParams,
    ) {
        let Some(holder) = self.holder() else {
            return;
        };
        let served = |class: &Digest| {
            self.standing.contains_key(class)
                && contenders
                    .get(class)
                    .is_some_and(|it| it.presence == Presence::Served)
        };
        let winner = self
            .duels
            .iter()
            .filter(|(pair, _)| pair.incumbent == holder && served(&pair.challenger))
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

    fn forget_one(&mut self, holder: Digest) -> bool {
        let weakest = self
            .duels
            .iter()
            .filter(|(pair, _)| pair.incumbent != holder)
            .min_by(|l, r| {
                l.1.process
                    .log_e_value()
                    .total_cmp(&r.1.process.log_e_value())
            })
            .map(|(pair, _)| *pair);
        weakest.is_some_and(|pair| self.duels.remove(&pair).is_some())
    }
}

#[cfg(test)]
mod tests;
