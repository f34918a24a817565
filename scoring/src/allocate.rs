//! Turn qualities into the weights that a validator sets.
//!
//! Every class of identical artifacts has one slot. The slot's pay is Q_low^p S( joint goodput ) of its members of
//! earliest priority, split by goodput; later members of the class earn nothing, so copying gains nothing. Goodput is
//! measured while all miners are loaded at once, so what hotkeys on one card serve together is what the card gives, and
//! with the linear S splitting a card over hotkeys gains nothing either.
//!
//! The curve says who is paid. `proportional`: every slot by its worth, so siblings of one model earn together what they
//! would earn apart. `top_k`: the k slots of the greatest worth. `crown`: a share to the holder of the crown, the rest
//! proportional. A flood of siblings can fill the k slots, and siblings of the crowned model share the rest: a spec
//! that takes one of these pays for being first and accepts that.

use athanor_spec::{
    BlockNumber, Digest, Uid,
    params::{AllocationParams, Curve, GoodputWorth},
};
use codec::{Decode, Encode};

/// Room kept below the chain's limit of a single weight, which is checked after rounding.
const LIMIT_ROOM: f64 = 1.0 - 1e-4;

/// One registered miner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// Its slot.
    pub uid: Uid,
    /// Its class of identical artifacts: the digest of the tensors, however they are laid out in files.
    pub class: Digest,
    /// Lower confidence bound of its quality, in [0, 1].
    pub quality_low: f64,
    /// Goodput under load, as a multiple of the reference in the spec; not below 0.
    pub goodput: f64,
    /// Whether it is accused of anything: then it earns nothing.
    pub faulty: bool,
    /// Block since which it has committed to this artifact: the earliest of a class is paid.
    pub priority_block: BlockNumber,
}

/// What the chain lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ChainLimits {
    /// Fewest UIDs in a weight vector, zero weights included.
    pub min_allowed_weights: u16,
    /// Largest share of one UID, in units of 1/65535; 65535 for no limit.
    pub max_weight_limit: u16,
    /// Where emission goes that nobody earned: a UID whose incentive the chain burns, such as the owner's. `None` sets
    /// no weights when nobody earned any.
    pub burn: Option<Uid>,
}

impl ChainLimits {
    /// No limits and nowhere to burn.
    pub const NONE: Self = Self {
        min_allowed_weights: 0,
        max_weight_limit: u16::MAX,
        burn: None,
    };
}

/// The weights to set, by ascending UID, the largest being 65535; empty when nobody earned and nothing can be burned.
///
/// `crown` is the class that holds the crown, for the curve that has one. Where the crown's share is earned by nobody it
/// is burned, and where nothing can be burned it is shared like the rest. Members of one class that committed in the same
/// block share its slot. UIDs of weight 0 appear only as far as the chain asks for a longer vector.
pub fn allocate(
    entries: &[Entry],
    crown: Option<Digest>,
    params: &AllocationParams,
    limits: &ChainLimits,
) -> Vec<(Uid, u16)> {
    let burn = limits.burn.filter(|_| params.burn_unearned);
    let mut shares = shares(entries, crown, params, burn);
    if limits.max_weight_limit < u16::MAX {
        let cap = f64::from(limits.max_weight_limit) / f64::from(u16::MAX);
        limit(&mut shares, cap * LIMIT_ROOM);
    }
    let mut weights = upscaled(&shares);
    if weights.is_empty() {
        let Some(burn) = burn else {
            return Vec::new();
        };
        weights.push((burn, u16::MAX));
    }
    let wanted = usize::from(limits.min_allowed_weights);
    for entry in entries {
        if weights.len() >= wanted {
            break;
        }
        if let Err(place) = weights.binary_search_by_key(&entry.uid, |(uid, _)| *uid) {
            weights.insert(place, (entry.uid, 0));
        }
    }
    weights
}

/// S, what a class is paid for serving at `goodput` references: `linear` the goodput itself; `concave` its square root
/// up to the reference, beyond which more is not paid. Not below 0.
pub fn goodput_worth(goodput: f64, params: &AllocationParams) -> f64 {
    let goodput = if goodput.is_nan() {
        0.0
    } else {
        goodput.max(0.0)
    };
    match params.goodput {
        GoodputWorth::Linear => goodput,
        GoodputWorth::Concave => goodput.min(1.0).sqrt(),
    }
}

/// A class's members of earliest priority, and what they are worth together.
struct Slot<'a> {
    class: Digest,
    members: &'a [&'a Entry],
    worth: f64,
}

impl Slot<'_> {
    /// Splits the slot's pay by goodput, or evenly where none has any.
    fn parts(&self) -> impl Iterator<Item = (Uid, f64)> + '_ {
        let total: f64 = self
            .members
            .iter()
            .map(|entry| entry.goodput.max(0.0))
            .sum();
        let even = 1.0 / self.members.len() as f64;
        self.members.iter().map(move |entry| {
            let part = if total > 0.0 {
                entry.goodput.max(0.0) / total
            } else {
                even
            };
            (entry.uid, part)
        })
    }
}

/// The slots that earn anything, by class, of entries that are ordered by class and priority.
fn slots<'a>(ordered: &'a [&'a Entry], params: &AllocationParams) -> Vec<Slot<'a>> {
    ordered
        .chunk_by(|left, right| left.class == right.class)
        .filter_map(|class| {
            let first = class.first()?;
            let later = class
                .iter()
                .position(|entry| entry.priority_block > first.priority_block);
            let members = &class[..later.unwrap_or(class.len())];
            // They are the same model: what is known best of it counts for all.
            let quality = members
                .iter()
                .map(|e| e.quality_low.min(1.0))
                .fold(0.0, f64::max);
            let joint = members.iter().map(|e| e.goodput.max(0.0)).sum();
            let worth = quality.powf(params.exponent) * goodput_worth(joint, params);
            let class = first.class;
            (worth > 0.0).then_some(Slot {
                class,
                members,
                worth,
            })
        })
        .collect()
}

/// Shares of the pay by ascending UID, adding up to 1; empty when nobody earned.
fn shares(
    entries: &[Entry],
    crown: Option<Digest>,
    params: &AllocationParams,
    burn: Option<Uid>,
) -> Vec<(Uid, f64)> {
    let paid = |entry: &&Entry| !entry.faulty && entry.quality_low > 0.0;
    let mut ordered: Vec<&Entry> = entries.iter().filter(paid).collect();
    ordered.sort_by(|left, right| {
        let class = left.class.cmp(&right.class);
        class.then_with(|| left.priority_block.cmp(&right.priority_block))
    });
    let mut slots = slots(&ordered, params);
    if params.curve == Curve::TopK {
        keep_best(&mut slots, params.top_k);
    }
    let mut shares = Vec::with_capacity(ordered.len() + 1);
    if slots.is_empty() {
        return shares;
    }
    let crowned = crown.filter(|crowned| slots.iter().any(|slot| slot.class == *crowned));
    let crown_share = match (params.curve, crowned, burn) {
        (Curve::Proportional | Curve::TopK, ..) | (Curve::Crown, None, None) => 0.0,
        (Curve::Crown, Some(_), _) => params.crown_share,
        (Curve::Crown, None, Some(burn)) => {
            shares.push((burn, params.crown_share));
            params.crown_share
        }
    };
    let total: f64 = slots.iter().map(|slot| slot.worth).sum();
    for slot in &slots {
        let bonus = if Some(slot.class) == crowned {
            crown_share
        } else {
            0.0
        };
        let pay = (1.0 - crown_share) * slot.worth / total + bonus;
        shares.extend(slot.parts().map(|(uid, part)| (uid, pay * part)));
    }
    shares.sort_by_key(|(uid, _)| *uid);
    // The burn's UID may have earned something itself.
    shares.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        kept.1 += if same { next.1 } else { 0.0 };
        same
    });
    shares
}

/// Keeps the `k` slots of the greatest worth; of equals the earlier.
fn keep_best(slots: &mut Vec<Slot<'_>>, k: u32) {
    let first = |slot: &Slot<'_>| slot.members.first().map(|entry| entry.priority_block);
    slots.sort_by(|left, right| {
        right
            .worth
            .total_cmp(&left.worth)
            .then_with(|| (first(left), left.class).cmp(&(first(right), right.class)))
    });
    slots.truncate(k as usize);
    slots.sort_by_key(|slot| slot.class);
}

/// Holds every share at `cap` and spreads the excess over the others in proportion. Where the cap cannot be kept
/// because too few earned, all earn alike, which is as close to it as the chain's check can be met.
fn limit(shares: &mut [(Uid, f64)], cap: f64) {
    if shares.len() as f64 * cap <= 1.0 {
        let equal = 1.0 / shares.len().max(1) as f64;
        shares.iter_mut().for_each(|(_, share)| *share = equal);
        return;
    }
    // Each pass holds at least one more share, so there are at most as many passes as shares.
    let mut held = 0_usize;
    loop {
        let below = shares.iter().filter(|(_, share)| *share < cap);
        let free: f64 = below.map(|(_, share)| share).sum();
        let over = shares.iter().filter(|(_, share)| *share >= cap).count();
        if over == held || free <= 0.0 {
            return;
        }
        held = over;
        let scale = (1.0 - over as f64 * cap) / free;
        for (_, share) in shares.iter_mut() {
            *share = if *share >= cap { cap } else { *share * scale };
        }
    }
}

fn upscaled(shares: &[(Uid, f64)]) -> Vec<(Uid, u16)> {
    let max = shares.iter().map(|(_, share)| *share).fold(0.0, f64::max);
    shares
        .iter()
        // At most 65535 and not negative: the cast is exact after rounding.
        .map(|(uid, share)| (*uid, (share / max * f64::from(u16::MAX)).round() as u16))
        .filter(|(_, weight)| *weight > 0)
        .collect()
}

#[cfg(test)]
mod tests;
