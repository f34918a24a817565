//! Refuse in the pool what could only fail in a block.

use codec::{Decode, DecodeWithMemTracking, Encode};
use core::marker::PhantomData;
use frame_support::traits::{IsSubType, OriginTrait};
use scale_info::TypeInfo;
use sp_runtime::{
    impl_tx_ext_default,
    traits::{DispatchInfoOf, Dispatchable, Implication, TransactionExtension, ValidateResult},
    transaction_validity::{InvalidTransaction, TransactionSource, ValidTransaction},
};

use crate::subtensor::{self, Error};

/// Refuses calls that their sender is known not to be allowed: weights without the stake for them or too early, and
/// axons that may not be announced. Calls inside a batch are left to dispatch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[scale_info(skip_type_params(T))]
pub struct SubtensorTransactionExtension<T>(PhantomData<T>);

impl<T> SubtensorTransactionExtension<T> {
    /// The extension.
    pub fn new() -> Self {
        Self(PhantomData)
    }
}

/// The number that a refusal carries on the wire, as clients know it.
fn refusal_code<T>(error: &Error<T>) -> u8 {
    match error {
        Error::NotEnoughStakeToSetWeights => 1,
        Error::SettingWeightsTooFast => 6,
        Error::HotKeyNotRegisteredInNetwork => 10,
        Error::InvalidIpAddress => 11,
        Error::ServingRateLimitExceeded => 12,
        Error::InvalidPort => 13,
        _ => 255,
    }
}

impl<T> TransactionExtension<T::RuntimeCall> for SubtensorTransactionExtension<T>
where
    T: subtensor::Config + Send + Sync + core::fmt::Debug + Eq + Clone + 'static,
    T::RuntimeCall: Dispatchable<RuntimeOrigin = T::RuntimeOrigin> + IsSubType<subtensor::Call<T>>,
    T::RuntimeOrigin: OriginTrait<AccountId = T::AccountId>,
{
    const IDENTIFIER: &'static str = "SubtensorTransactionExtension";
    type Implicit = ();
    type Val = ();
    type Pre = ();

    fn validate(
        &self,
        origin: T::RuntimeOrigin,
        call: &T::RuntimeCall,
        _info: &DispatchInfoOf<T::RuntimeCall>,
        _len: usize,
        _self_implicit: (),
        _inherited_implication: &impl Implication,
        _source: TransactionSource,
    ) -> ValidateResult<(), T::RuntimeCall> {
        if let (Some(who), Some(call)) = (origin.as_signer(), call.is_sub_type()) {
            subtensor::Pallet::<T>::check_in_pool(who, call)
                .map_err(|error| InvalidTransaction::Custom(refusal_code(&error)))?;
        }
        Ok((ValidTransaction::default(), (), origin))
    }

    impl_tx_ext_default!(T::RuntimeCall; weight prepare);
}
