//! Turn qualities into the weights that a validator sets.
//!
//! Every class of identical artifacts has one slot. The slot's pay is Q_low^p of its member of earliest priority; later
//! members of the class earn nothing, so neither copying nor splitting a model over hotkeys gains anything.

use std::collections::BTreeMap;

use athanor_spec::{BlockNumber, Digest, Uid, params::AllocationParams};

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
    /// Whether it is accused of anything: then it earns nothing.
    pub faulty: bool,
    /// Block since which it has committed to this artifact: the earliest of a class is paid.
    pub priority_block: BlockNumber,
}

/// What the chain lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
/// `crown` is the class that gets [`AllocationParams::crown_share`] on top of its proportional part; where it earns
/// nothing the whole pay is proportional. Members of one class that committed in the same block share its slot.
/// UIDs of weight 0 appear only as far as the chain asks for a longer vector.
pub fn allocate(
    entries: &[Entry],
    crown: Option<Digest>,
    params: &AllocationParams,
    limits: &ChainLimits,
) -> Vec<(Uid, u16)> {
    let mut shares = shares(entries, crown, params);
    if limits.max_weight_limit < u16::MAX {
        let cap = f64::from(limits.max_weight_limit) / f64::from(u16::MAX);
        limit(&mut shares, cap * LIMIT_ROOM);
    }
    let mut weights: BTreeMap<Uid, u16> = upscaled(&shares);
    if weights.is_empty() {
        let Some(burn) = limits.burn else {
            return Vec::new();
        };
        weights.insert(burn, u16::MAX);
    }
    let wanted = usize::from(limits.min_allowed_weights);
    for entry in entries {
        if weights.len() >= wanted {
            break;
        }
        weights.entry(entry.uid).or_insert(0);
    }
    weights.into_iter().collect()
}

/// Shares of the pay by UID, adding up to 1; empty when nobody earned.
fn shares(
    entries: &[Entry],
    crown: Option<Digest>,
    params: &AllocationParams,
) -> BTreeMap<Uid, f64> {
    let mut slots: BTreeMap<Digest, Vec<&Entry>> = BTreeMap::new();
    for entry in entries.iter().filter(|e| !e.faulty && e.quality_low > 0.0) {
        let slot = slots.entry(entry.class).or_default();
        match slot
            .first()
            .map(|first| entry.priority_block.cmp(&first.priority_block))
        {
            Some(std::cmp::Ordering::Greater) => {}
            Some(std::cmp::Ordering::Less) => *slot = vec![entry],
            Some(std::cmp::Ordering::Equal) | None => slot.push(entry),
        }
    }
    let pay = |slot: &[&Entry], entry: &Entry| {
        entry.quality_low.min(1.0).powf(params.exponent) / slot.len() as f64
    };
    let total: f64 = slots
        .values()
        .flat_map(|slot| slot.iter().map(|e| pay(slot, e)))
        .sum();
    let crowned = crown
        .and_then(|class| slots.get(&class))
        .filter(|_| total > 0.0);
    let crown_share = if crowned.is_some() {
        params.crown_share
    } else {
        0.0
    };
    let mut shares = BTreeMap::new();
    if slots.is_empty() || total <= 0.0 {
        return shares;
    }
    for (class, slot) in &slots {
        let bonus = if Some(*class) == crown {
            crown_share / slot.len() as f64
        } else {
            0.0
        };
        for entry in slot {
            *shares.entry(entry.uid).or_insert(0.0) +=
                (1.0 - crown_share) * pay(slot, entry) / total + bonus;
        }
    }
    shares
}

/// Holds every share at `cap` and spreads the excess over the others in proportion. Where the cap cannot be kept
/// because too few earned, all earn alike, which is as close to it as the chain's check can be met.
fn limit(shares: &mut BTreeMap<Uid, f64>, cap: f64) {
    if shares.len() as f64 * cap <= 1.0 {
        let equal = 1.0 / shares.len().max(1) as f64;
        shares.values_mut().for_each(|share| *share = equal);
        return;
    }
    // Each pass holds at least one more share, so there are at most as many passes as shares.
    let mut held = 0_usize;
    loop {
        let free: f64 = shares.values().filter(|share| **share < cap).sum();
        let over = shares.values().filter(|share| **share >= cap).count();
        if over == held || free <= 0.0 {
            return;
        }
        held = over;
        let scale = (1.0 - over as f64 * cap) / free;
        for share in shares.values_mut() {
            *share = if *share >= cap { cap } else { *share * scale };
        }
    }
}

fn upscaled(shares: &BTreeMap<Uid, f64>) -> BTreeMap<Uid, u16> {
    let max = shares.values().copied().fold(0.0, f64::max);
    shares
        .iter()
        // At most 65535 and not negative: the cast is exact after rounding.
        .map(|(uid, share)| (*uid, (share / max * f64::from(u16::MAX)).round() as u16))
        .filter(|(_, weight)| *weight > 0)
        .collect()
}

#[cfg(test)]
mod tests;
