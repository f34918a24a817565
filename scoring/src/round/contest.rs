//! Who contends for the crown in a round.

use super::{Artifact, SeenMiner, Shown};
use crate::{
    allocate::Entry,
    rank::{Contender, Presence},
};

/// A miner of the round with what it showed.
pub(super) struct Sight<'a> {
    pub(super) miner: &'a SeenMiner,
    pub(super) shown: Shown,
    pub(super) entry: Entry,
    /// Upper confidence bound of its quality.
    pub(super) quality_high: f64,
    pub(super) attempt: u32,
}

/// Of each class of artifacts, in their order, the member of earliest priority that is not accused of anything, or the earliest at all.
pub(super) fn first_of_classes<'a, 'b>(sights: &'b [Sight<'a>]) -> Vec<&'b Sight<'a>> {
    let rank = |it: &Sight<'_>| (it.entry.faulty, it.miner.committed_at, it.miner.account);
    let mut first: Vec<&Sight<'_>> = sights.iter().collect();
    first.sort_by(|left, right| {
        let class = left.entry.class.cmp(&right.entry.class);
        class.then_with(|| rank(left).cmp(&rank(right)))
    });
    first.dedup_by(|next, kept| next.entry.class == kept.entry.class);
    first
}

impl Sight<'_> {
    /// How its class contends.
    pub(super) fn contender(&self) -> Contender {
        let presence = match &self.miner.artifact {
            _ if self.entry.faulty => Presence::Absent,
            Artifact::Bad { .. } => Presence::Absent,
            Artifact::Missing => Presence::Unknown,
            Artifact::Fetched { .. } | Artifact::Compared { .. } => {
                match (self.shown.answered, self.shown.asked) {
                    (true, _) => Presence::Served,
                    (false, true) => Presence::Absent,
                    (false, false) => Presence::Unknown,
                }
            }
        };
        Contender {
            class: self.entry.class,
            account: self.miner.account,
            committed_at: self.miner.committed_at,
            attempt: self.attempt,
            presence,
            quality_low: self.entry.quality_low,
            quality_high: self.quality_high,
            compared: self.shown.compared,
        }
    }
}
