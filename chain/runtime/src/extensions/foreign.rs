//! Extensions that stand for what this chain does not have.

use codec::{Decode, DecodeWithMemTracking, Encode};
use core::marker::PhantomData;
use scale_info::TypeInfo;
use sp_runtime::{
    impl_tx_ext_default,
    traits::{Dispatchable, TransactionExtension},
    transaction_validity::{TransactionValidityError, UnknownTransaction},
};

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
