//! Open timelocked fields when their time has come.

use alloc::{collections::BTreeSet, vec::Vec};
use frame_support::{traits::Get, weights::Weight};
use sp_runtime::{AccountId32, traits::UniqueSaturatedInto};

use super::*;
use crate::drand::{self, Rounds};

/// Most opened fields of a hotkey that are kept.
const MOST_REVEALED: usize = 10;

impl<T: Config> Pallet<T> {
    /// Opens every field whose round is known, at the start of a block. One that does not open is dropped
    /// (`reveal_timelocked_commitments`).
    pub(super) fn reveal_timelocked() -> Weight {
        let index = TimelockedIndex::<T>::get();
        let count = index.len() as u64;
        let (waiting, done): (BTreeSet<_>, BTreeSet<_>) = index
            .into_iter()
            .partition(|(netuid, who)| Self::reveal(*netuid, who));
        if !done.is_empty() {
            TimelockedIndex::<T>::put(waiting);
        }
        T::DbWeight::get().reads_writes(1 + 2 * count, 3 * done.len() as u64)
    }

    /// Opens what can be opened of a hotkey's fields; whether some still wait.
    fn reveal(netuid: u16, who: &AccountId32) -> bool {
        let Some(mut registration) = CommitmentOf::<T>::get(netuid, who) else {
            return false;
        };
        let before = registration.info.fields.len();
        let mut opened = Vec::new();
        registration.info.fields.retain(|field| {
            let Data::TimelockEncrypted {
                encrypted,
                reveal_round,
            } = field
            else {
                return true;
            };
            let Some(signature) = T::Rounds::signature(*reveal_round) else {
                return true;
            };
            opened.extend(drand::open(encrypted, &signature));
            false
        });
        let waits = registration
            .info
            .fields
            .iter()
            .any(|field| field.reveal_round().is_some());
        if registration.info.fields.len() < before {
            match registration.info.fields.is_empty() {
                true => CommitmentOf::<T>::remove(netuid, who),
                false => CommitmentOf::<T>::insert(netuid, who, registration),
            }
        }
        if !opened.is_empty() {
            Self::keep_revealed(netuid, who, opened);
        }
        waits
    }

    fn keep_revealed(netuid: u16, who: &AccountId32, opened: Vec<Vec<u8>>) {
        let block: u64 = frame_system::Pallet::<T>::block_number().unique_saturated_into();
        let mut revealed = RevealedCommitments::<T>::get(netuid, who).unwrap_or_default();
        for bytes in opened {
            revealed.push((bytes, block));
            Self::deposit_event(Event::CommitmentRevealed {
                netuid,
                who: who.clone(),
            });
        }
        let excess = revealed.len().saturating_sub(MOST_REVEALED);
        revealed.drain(..excess);
        RevealedCommitments::<T>::insert(netuid, who, revealed);
    }

    /// The rounds that timelocked fields wait for.
    pub(crate) fn awaited_rounds() -> BTreeSet<u64> {
        TimelockedIndex::<T>::get()
            .iter()
            .filter_map(|(netuid, who)| CommitmentOf::<T>::get(netuid, who))
            .flat_map(|registration| registration.info.fields)
            .filter_map(|field| field.reveal_round())
            .filter(|round| T::Rounds::signature(*round).is_none())
            .collect()
    }
}
