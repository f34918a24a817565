//! Add up stake in I64F64 and share it out.

use alloc::vec::Vec;

use crate::fixed::{Fixed, normalise};
use crate::params::Params;
use crate::state::State;

/// Largest I64F64, as a count of 2^-64.
const MAX: u128 = i128::MAX as u128;

/// Stake of every UID.
pub(crate) struct Stake {
    /// Total stake in rao, rounded down.
    pub(crate) total: Vec<u64>,
    /// Share of the stake of those that reach the threshold.
    pub(crate) share: Vec<Fixed>,
}

impl Stake {
    /// Weighs stake on root against stake on the subnet, drops who is below the threshold (but never the owner), and
    /// divides by the sum.
    pub(crate) fn new(params: &Params, state: &State<'_>) -> Self {
        let tao_weight = tao_weight(params.tao_weight);
        let at = |stake: &[u64], uid: usize| stake.get(uid).copied().unwrap_or(0);
        let totals: Vec<u128> = (0..usize::from(params.n))
            .map(|uid| {
                let alpha = from_rao(at(state.alpha_stake, uid));
                let tao = weigh(at(state.tao_stake, uid), tao_weight);
                alpha.saturating_add(tao).min(MAX)
            })
            .collect();
        let total: Vec<u64> = totals.iter().map(|total| (total >> 64) as u64).collect();
        let counted = |uid: usize| {
            Some(uid) == params.owner_uid.map(usize::from) || total[uid] >= params.stake_threshold
        };
        let sum = (0..totals.len())
            .filter(|&uid| counted(uid))
            .fold(0_u128, |sum, uid| sum.saturating_add(totals[uid]).min(MAX));
        let share = (0..totals.len())
            .map(|uid| match counted(uid) {
                true => divide(totals[uid], sum),
                false => Fixed::ZERO,
            })
            .collect();
        Self { total, share }
    }

    /// The share of each UID among those that are active and hold a permit.
    pub(crate) fn among_active(&self, active: &[bool], permits: &[bool]) -> Vec<Fixed> {
        let mut shares: Vec<Fixed> = self
            .share
            .iter()
            .zip(active.iter().zip(permits))
            .map(|(share, (active, permit))| match *active && *permit {
                true => *share,
                false => Fixed::ZERO,
            })
            .collect();
        normalise(&mut shares);
        shares
    }
}

/// `weight / (2^64 - 1)` as a count of 2^-32, which is all that the chain keeps of it.
fn tao_weight(weight: u64) -> u128 {
    (u128::from(weight) << 32) / u128::from(u64::MAX)
}

/// Rao as I64F64, which ends at 2^63.
fn from_rao(rao: u64) -> u128 {
    (u128::from(rao) << 64).min(MAX)
}

/// Rao times a weight that is a count of 2^-32 up to 1, as I64F64.
fn weigh(rao: u64, weight: u128) -> u128 {
    let stake = from_rao(rao);
    if stake < MAX {
        ((u128::from(rao) * weight) << 32).min(MAX)
    } else {
        // floor((2^127 - 1) * weight / 2^32) without the 160 bits that the product takes.
        (weight << 95).saturating_sub(1)
    }
}

/// `floor(part * 2^32 / whole)` for a part of the whole, 0 for a whole of 0. Longhand, for the dividend takes 160 bits.
fn divide(part: u128, whole: u128) -> Fixed {
    if whole == 0 {
        return Fixed::ZERO;
    }
    if let Some(scaled) = part.checked_mul(1 << 32) {
        return Fixed::from_bits((scaled / whole) as i64);
    }
    let mut quotient = (part / whole) as i64;
    let mut rest = part % whole;
    for _ in 0..32 {
        rest <<= 1;
        quotient <<= 1;
        if rest >= whole {
            rest -= whole;
            quotient |= 1;
        }
    }
    Fixed::from_bits(quotient)
}

#[cfg(test)]
mod tests;
