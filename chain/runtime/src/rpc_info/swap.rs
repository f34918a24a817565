//! What an exchange of TAO and alpha would give. One alpha is worth one TAO, without fee or slippage.

use alloc::vec::Vec;
use codec::{Decode, Encode};
use scale_info::TypeInfo;

use crate::subtensor::*;

/// What an exchange would give, in rao.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct SimSwapResult {
    /// TAO that goes in or comes out.
    pub tao_amount: u64,
    /// Alpha that comes out or goes in.
    pub alpha_amount: u64,
    /// Fee on the TAO.
    pub tao_fee: u64,
    /// Fee on the alpha.
    pub alpha_fee: u64,
    /// TAO lost to the price's moving.
    pub tao_slippage: u64,
    /// Alpha lost to the price's moving.
    pub alpha_slippage: u64,
}

/// Price of a subnet's alpha.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
pub struct SubnetPrice {
    /// The subnet.
    pub netuid: NetUid,
    /// Rao of TAO for one alpha.
    pub price: u64,
}

impl<T: Config> Pallet<T> {
    /// Rao of TAO for one alpha.
    pub fn current_alpha_price(_netuid: NetUid) -> u64 {
        PRICE
    }

    /// The price of every subnet's alpha.
    pub fn current_alpha_price_all() -> Vec<SubnetPrice> {
        let price = |netuid| SubnetPrice {
            netuid,
            price: PRICE,
        };
        Self::with_root().into_iter().map(price).collect()
    }

    /// An exchange of `amount` rao, either way; of nothing where the subnet does not exist.
    pub fn sim_swap(netuid: NetUid, amount: u64) -> SimSwapResult {
        match NetworksAdded::<T>::get(netuid) {
            true => SimSwapResult {
                tao_amount: amount,
                alpha_amount: amount,
                ..Default::default()
            },
            false => SimSwapResult::default(),
        }
    }
}
