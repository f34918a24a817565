//! The transaction extensions that Bittensor adds to Substrate's own.
//!
//! Clients sign over a fixed list of extensions and look them up by name, so all of them are present and in order.
//! Those without a role here are empty; the Subtensor one refuses calls in the pool that could only fail in a block.

use codec::{Decode, DecodeWithMemTracking, Encode};
use core::marker::PhantomData;
use frame_support::traits::{IsSubType, OriginTrait};
use scale_info::TypeInfo;
use sp_runtime::{
    impl_tx_ext_default,
    traits::{DispatchInfoOf, Dispatchable, Implication, TransactionExtension, ValidateResult},
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidityError, UnknownTransaction,
        ValidTransaction,
    },
};

use crate::subtensor::{self, Error};

macro_rules! empty_extension {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
        #[scale_info(skip_type_params(T))]
        pub struct $name<T>(PhantomData<T>);

        impl<T> $name<T> {
            /// The extension.
            pub fn new() -> Self {
                Self(PhantomData)
            }
        }

        impl<T> TransactionExtension<T::RuntimeCall> for $name<T>
        where
            T: frame_system::Config + Send + Sync + core::fmt::Debug + Eq + Clone + 'static,
            T::RuntimeCall: Dispatchable,
        {
            const IDENTIFIER: &'static str = stringify!($name);
            type Implicit = ();
            type Val = ();
            type Pre = ();
            impl_tx_ext_default!(T::RuntimeCall; weight validate prepare);
        }
    };
}

empty_extension!(
    /// Stands where Bittensor checks who may call Sudo; the Sudo pallet checks it on dispatch.
    SudoTransactionExtension
);
empty_extension!(
    /// Stands where Bittensor prefers randomness pulses.
    DrandPriority
);

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

/// Whether a signature covers the digest of the metadata that the signer saw.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub enum Mode {
    /// It does not.
    #[default]
    Disabled,
    /// It does; this runtime knows no digest of its metadata and refuses it.
    Enabled,
}

/// Lets hardware wallets check the metadata; only [`Mode::Disabled`] passes here.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[scale_info(skip_type_params(T))]
pub struct CheckMetadataHash<T> {
    mode: Mode,
    #[codec(skip)]
    config: PhantomData<T>,
}

impl<T> CheckMetadataHash<T> {
    /// The extension in [`Mode::Disabled`].
    pub fn new() -> Self {
        Self {
            mode: Mode::Disabled,
            config: PhantomData,
        }
    }
}

impl<T> TransactionExtension<T::RuntimeCall> for CheckMetadataHash<T>
where
    T: frame_system::Config + Send + Sync + core::fmt::Debug + Eq + Clone + 'static,
    T::RuntimeCall: Dispatchable,
{
    const IDENTIFIER: &'static str = "CheckMetadataHash";
    type Implicit = Option<[u8; 32]>;
    type Val = ();
    type Pre = ();

    fn implicit(&self) -> Result<Self::Implicit, TransactionValidityError> {
        match self.mode {
            Mode::Disabled => Ok(None),
            Mode::Enabled => Err(UnknownTransaction::CannotLookup.into()),
        }
    }

    impl_tx_ext_default!(T::RuntimeCall; weight validate prepare);
}
