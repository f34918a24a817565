//! Keep an account's extrinsics in order, and let none in twice.

use alloc::{vec, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::dispatch::{DispatchInfo, Pays};
use frame_system::{Account, Config};
use scale_info::TypeInfo;
use sp_runtime::{
    Weight,
    traits::{
        AsSystemOriginSigner, DispatchInfoOf, Dispatchable, Implication, One, TransactionExtension,
        ValidateResult, Zero,
    },
    transaction_validity::{
        InvalidTransaction, TransactionSource, TransactionValidityError, ValidTransaction,
    },
};

/// The sender's nonce.
///
/// Unlike Substrate's own, it lets accounts without a balance send what is free of charge: a hotkey holds no TAO, and
/// sets weights.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[scale_info(skip_type_params(T))]
pub struct CheckNonce<T: Config>(#[codec(compact)] T::Nonce);

impl<T> TransactionExtension<T::RuntimeCall> for CheckNonce<T>
where
    T: Config + Send + Sync + core::fmt::Debug + Eq + Clone + 'static,
    T::RuntimeCall: Dispatchable<Info = DispatchInfo>,
    <T::RuntimeCall as Dispatchable>::RuntimeOrigin: AsSystemOriginSigner<T::AccountId> + Clone,
{
    const IDENTIFIER: &'static str = "CheckNonce";
    type Implicit = ();
    /// The signer and its nonce on chain; nothing of what nobody signed.
    type Val = Option<(T::AccountId, T::Nonce)>;
    type Pre = ();

    fn weight(&self, _: &T::RuntimeCall) -> Weight {
        Weight::zero()
    }

    fn validate(
        &self,
        origin: <T::RuntimeCall as Dispatchable>::RuntimeOrigin,
        _call: &T::RuntimeCall,
        info: &DispatchInfoOf<T::RuntimeCall>,
        _len: usize,
        _self_implicit: (),
        _inherited_implication: &impl Implication,
        _source: TransactionSource,
    ) -> ValidateResult<Self::Val, T::RuntimeCall> {
        let Some(who) = origin.as_system_origin_signer() else {
            return Ok((ValidTransaction::default(), None, origin));
        };
        let account = Account::<T>::get(who);
        let exists = !(account.providers.is_zero() && account.sufficients.is_zero());
        if info.pays_fee == Pays::Yes && !exists {
            return Err(InvalidTransaction::Payment.into());
        }
        if self.0 < account.nonce {
            return Err(InvalidTransaction::Stale.into());
        }
        let tag = |nonce: T::Nonce| -> Vec<u8> { (who, nonce).encode() };
        let requires = if account.nonce < self.0 {
            vec![tag(self.0 - One::one())]
        } else {
            vec![]
        };
        let validity = ValidTransaction {
            requires,
            provides: vec![tag(self.0)],
            ..Default::default()
        };
        Ok((validity, Some((who.clone(), account.nonce)), origin))
    }

    fn prepare(
        self,
        signer: Self::Val,
        _origin: &<T::RuntimeCall as Dispatchable>::RuntimeOrigin,
        _call: &T::RuntimeCall,
        _info: &DispatchInfoOf<T::RuntimeCall>,
        _len: usize,
    ) -> Result<(), TransactionValidityError> {
        let Some((who, nonce)) = signer else {
            return Ok(());
        };
        if self.0 < nonce {
            return Err(InvalidTransaction::Stale.into());
        }
        if self.0 > nonce {
            return Err(InvalidTransaction::Future.into());
        }
        Account::<T>::mutate(who, |account| account.nonce = nonce + One::one());
        Ok(())
    }
}
