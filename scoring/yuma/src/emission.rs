//! Share an epoch's emission out.

use alloc::vec;
use alloc::vec::Vec;

use crate::fixed::{Fixed, normalise};

/// Emission per UID in rao.
pub(crate) struct Emission {
    /// For incentive.
    pub(crate) server: Vec<u64>,
    /// For dividends.
    pub(crate) validator: Vec<u64>,
    /// For both.
    pub(crate) combined: Vec<u64>,
}

impl Emission {
    /// Shares `rao` out by incentive and dividends. When nobody earned either, validators get it by active stake, and
    /// when nobody is active by stake.
    pub(crate) fn new(
        rao: u64,
        incentive: &[Fixed],
        dividends: &[Fixed],
        active_stake: &[Fixed],
        stake: &[Fixed],
    ) -> Self {
        let mut combined: Vec<Fixed> = incentive
            .iter()
            .zip(dividends)
            .map(|(incentive, dividend)| *incentive + *dividend)
            .collect();
        let sum: Fixed = combined.iter().copied().sum();
        if sum == Fixed::ZERO {
            let active = active_stake.iter().any(|stake| *stake != Fixed::ZERO);
            let shares = pay(rao, if active { active_stake } else { stake });
            return Self {
                server: vec![0; incentive.len()],
                validator: shares.clone(),
                combined: shares,
            };
        }
        normalise(&mut combined);
        let of_sum =
            |parts: &[Fixed]| -> Vec<Fixed> { parts.iter().map(|part| *part / sum).collect() };
        Self {
            server: pay(rao, &of_sum(incentive)),
            validator: pay(rao, &of_sum(dividends)),
            combined: pay(rao, &combined),
        }
    }
}

/// Shares of an amount, each rounded down.
fn pay(rao: u64, shares: &[Fixed]) -> Vec<u64> {
    shares
        .iter()
        .map(|share| {
            let bits = u128::try_from(share.bits()).unwrap_or(0);
            u64::try_from((bits * u128::from(rao)) >> 32).unwrap_or(u64::MAX)
        })
        .collect()
}
