//! What a registration costs: a registration raises the price, time lowers it.

use super::*;

impl<T: Config> Pallet<T> {
    pub(super) fn raise_price(netuid: NetUid) {
        let factor = BurnIncreaseMult::<T>::get(netuid).max(crate::fixed::U64F64::from_int(1));
        let raised = factor.scale(Burn::<T>::get(netuid).into(), 1).to_int();
        Self::set_price(netuid, raised);
    }

    /// Lets the price decay by a block's worth of its half-life.
    pub(in crate::subtensor) fn decay_price(netuid: NetUid) {
        let price = Burn::<T>::get(netuid);
        let decayed = match BurnHalfLife::<T>::get(netuid) {
            0 => price,
            half_life => multiply_q32(price, decay_q32(half_life)),
        };
        Self::set_price(netuid, decayed);
        if RegistrationsThisBlock::<T>::get(netuid) > 0 {
            RegistrationsThisBlock::<T>::insert(netuid, 0);
        }
    }

    fn set_price(netuid: NetUid, price: u64) {
        let (low, high) = (MinBurn::<T>::get(netuid), MaxBurn::<T>::get(netuid));
        let price = price.min(high).max(low);
        if price != Burn::<T>::get(netuid) {
            Burn::<T>::insert(netuid, price);
        }
    }
}

/// `value * factor` for a factor with 32 fractional bits, rounded down.
fn multiply_q32(value: u64, factor: u64) -> u64 {
    u64::try_from((u128::from(value) * u128::from(factor)) >> 32).unwrap_or(u64::MAX)
}

/// The largest factor with 32 fractional bits whose `half_life`-th power is at most one half.
fn decay_q32(half_life: u16) -> u64 {
    let (mut low, mut high) = (0_u64, 1_u64 << 32);
    while high - low > 1 {
        let middle = (low + high) / 2;
        if power_q32(middle, half_life) <= 1 << 31 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn power_q32(base: u64, exponent: u16) -> u64 {
    let (mut result, mut square, mut rest) = (1_u64 << 32, base, exponent);
    while rest > 0 {
        if rest & 1 == 1 {
            result = multiply_q32(result, square);
        }
        square = multiply_q32(square, square);
        rest >>= 1;
    }
    result
}
