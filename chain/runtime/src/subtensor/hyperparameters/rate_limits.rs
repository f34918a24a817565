//! How often who may do what.

use sp_runtime::AccountId32;

use super::*;

/// Blocks between two changes of a hotkey's children.
const SET_CHILDREN: u64 = 150;
/// Blocks between two changes of the owner's hotkey.
const SET_OWNER_HOTKEY: u64 = 50_400;
/// Blocks between two changes of what mechanisms a subnet has.
const MECHANISMS: u64 = 7_200;
/// Blocks between two trimmings.
const TRIMMING: u64 = 30 * 7_200;

/// An act that is limited per subnet (`TransactionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TransactionType {
    SetChildren,
    SetChildkeyTake,
    SetWeightsVersionKey,
    SetOwnerHotkey,
    OwnerHyperparamUpdate(Hyperparameter),
    MechanismCountUpdate,
    MechanismEmission,
    MaxUidsTrimming,
    TempoUpdate,
}

/// Where the block of the last act is kept.
enum Place {
    /// `LastRateLimitedBlock`.
    Keyed(RateLimitKey),
    /// `TransactionKeyLastBlock`, by this number.
    Numbered(u16),
}

impl TransactionType {
    /// Whether `who` may act now: never before, or long enough ago.
    pub fn passes<T: Config>(self, who: &AccountId32, netuid: NetUid) -> bool {
        let last = match self.place(netuid) {
            Place::Keyed(key) => LastRateLimitedBlock::<T>::get(key),
            Place::Numbered(number) => TransactionKeyLastBlock::<T>::get((who, netuid, number)),
        };
        let waited = Pallet::<T>::current_block().saturating_sub(last);
        last == 0 || waited >= self.limit::<T>(netuid)
    }

    /// Remembers that `who` acted now.
    pub fn record<T: Config>(self, who: &AccountId32, netuid: NetUid) {
        let block = Pallet::<T>::current_block();
        match self.place(netuid) {
            Place::Keyed(key) => LastRateLimitedBlock::<T>::insert(key, block),
            Place::Numbered(number) => {
                TransactionKeyLastBlock::<T>::insert((who, netuid, number), block)
            }
        }
    }

    /// Counts the time since the last act for another hotkey, if it is counted per hotkey.
    pub(in crate::subtensor) fn hand_over<T: Config>(
        self,
        from: &AccountId32,
        to: &AccountId32,
        netuid: NetUid,
    ) {
        if let Place::Numbered(number) = self.place(netuid)
            && TransactionKeyLastBlock::<T>::contains_key((from, netuid, number))
        {
            let block = TransactionKeyLastBlock::<T>::take((from, netuid, number));
            TransactionKeyLastBlock::<T>::insert((to, netuid, number), block);
        }
    }

    fn limit<T: Config>(self, netuid: NetUid) -> u64 {
        let epochs = |count: u64| u64::from(Tempo::<T>::get(netuid)).saturating_mul(count);
        match self {
            Self::SetChildren => SET_CHILDREN,
            Self::SetChildkeyTake => TxChildkeyTakeRateLimit::<T>::get(),
            Self::SetWeightsVersionKey => epochs(WeightsVersionKeyRateLimit::<T>::get()),
            Self::SetOwnerHotkey => SET_OWNER_HOTKEY,
            Self::OwnerHyperparamUpdate(_) => epochs(OwnerHyperparamRateLimit::<T>::get().into()),
            Self::MechanismCountUpdate | Self::MechanismEmission => MECHANISMS,
            Self::MaxUidsTrimming => TRIMMING,
            Self::TempoUpdate => athanor_yuma::schedule::MIN_TEMPO.into(),
        }
    }

    fn place(self, netuid: NetUid) -> Place {
        match self {
            Self::SetOwnerHotkey => Place::Keyed(RateLimitKey::SetSNOwnerHotkey(netuid)),
            Self::OwnerHyperparamUpdate(parameter) => {
                Place::Keyed(RateLimitKey::OwnerHyperparamUpdate(netuid, parameter))
            }
            Self::SetChildren => Place::Numbered(0),
            Self::SetChildkeyTake => Place::Numbered(1),
            Self::SetWeightsVersionKey => Place::Numbered(4),
            Self::MechanismCountUpdate => Place::Numbered(7),
            Self::MechanismEmission => Place::Numbered(8),
            Self::MaxUidsTrimming => Place::Numbered(9),
            Self::TempoUpdate => Place::Numbered(11),
        }
    }
}

impl From<Hyperparameter> for TransactionType {
    fn from(parameter: Hyperparameter) -> Self {
        Self::OwnerHyperparamUpdate(parameter)
    }
}
