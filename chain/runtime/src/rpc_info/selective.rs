//! Parts of a metagraph, for clients that do not need all of it.

use alloc::vec::Vec;
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

use super::metagraph::Metagraph;
use crate::{fixed::I96F32, subtensor::*};

/// Number of the list of validators among the parts.
const VALIDATORS: u16 = 72;
/// Number of the commitments among the parts.
const COMMITMENTS: u16 = 73;

macro_rules! selective {
    ($($index:literal $field:ident: $type:ty,)*) => {
        /// The parts that were asked for; each has the meaning that it has in [`Metagraph`].
        #[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
        #[allow(missing_docs)]
        pub struct SelectiveMetagraph {
            pub netuid: Compact<u16>,
            $(pub $field: Option<$type>,)*
            pub validators: Option<Vec<Compact<u16>>>,
            pub commitments: Option<Vec<(AccountId32, Vec<Compact<u8>>)>>,
        }

        impl SelectiveMetagraph {
            /// Keeps the parts of these numbers.
            fn pick(all: Metagraph, parts: &[u16]) -> Self {
                Self {
                    netuid: all.netuid,
                    $($field: parts.contains(&$index).then_some(all.$field),)*
                    validators: None,
                    commitments: None,
                }
            }
        }
    };
}

selective! {
    1 name: Vec<Compact<u8>>,
    2 symbol: Vec<Compact<u8>>,
    3 identity: Option<SubnetIdentityV3>,
    4 network_registered_at: Compact<u64>,
    5 owner_hotkey: AccountId32,
    6 owner_coldkey: AccountId32,
    7 block: Compact<u64>,
    8 tempo: Compact<u16>,
    9 last_step: Compact<u64>,
    10 blocks_since_last_step: Compact<u64>,
    11 subnet_emission: Compact<u64>,
    12 alpha_in: Compact<u64>,
    13 alpha_out: Compact<u64>,
    14 tao_in: Compact<u64>,
    15 alpha_out_emission: Compact<u64>,
    16 alpha_in_emission: Compact<u64>,
    17 tao_in_emission: Compact<u64>,
    18 pending_alpha_emission: Compact<u64>,
    19 pending_root_emission: Compact<u64>,
    20 subnet_volume: Compact<u128>,
    21 moving_price: I96F32,
    22 rho: Compact<u16>,
    23 kappa: Compact<u16>,
    24 min_allowed_weights: Compact<u16>,
    25 max_weights_limit: Compact<u16>,
    26 weights_version: Compact<u64>,
    27 weights_rate_limit: Compact<u64>,
    28 activity_cutoff: Compact<u16>,
    29 max_validators: Compact<u16>,
    30 num_uids: Compact<u16>,
    31 max_uids: Compact<u16>,
    32 burn: Compact<u64>,
    33 difficulty: Compact<u64>,
    34 registration_allowed: bool,
    35 pow_registration_allowed: bool,
    36 immunity_period: Compact<u16>,
    37 min_difficulty: Compact<u64>,
    38 max_difficulty: Compact<u64>,
    39 min_burn: Compact<u64>,
    40 max_burn: Compact<u64>,
    41 adjustment_alpha: Compact<u64>,
    42 adjustment_interval: Compact<u16>,
    43 target_regs_per_interval: Compact<u16>,
    44 max_regs_per_block: Compact<u16>,
    45 serving_rate_limit: Compact<u64>,
    46 commit_reveal_weights_enabled: bool,
    47 commit_reveal_period: Compact<u64>,
    48 liquid_alpha_enabled: bool,
    49 alpha_high: Compact<u16>,
    50 alpha_low: Compact<u16>,
    51 bonds_moving_avg: Compact<u64>,
    52 hotkeys: Vec<AccountId32>,
    53 coldkeys: Vec<AccountId32>,
    54 identities: Vec<Option<ChainIdentityV2>>,
    55 axons: Vec<AxonInfo>,
    56 active: Vec<bool>,
    57 validator_permit: Vec<bool>,
    58 pruning_score: Vec<Compact<u16>>,
    59 last_update: Vec<Compact<u64>>,
    60 emission: Vec<Compact<u64>>,
    61 dividends: Vec<Compact<u16>>,
    62 incentives: Vec<Compact<u16>>,
    63 consensus: Vec<Compact<u16>>,
    64 trust: Vec<Compact<u16>>,
    65 rank: Vec<Compact<u16>>,
    66 block_at_registration: Vec<Compact<u64>>,
    67 alpha_stake: Vec<Compact<u64>>,
    68 tao_stake: Vec<Compact<u64>>,
    69 total_stake: Vec<Compact<u64>>,
    70 tao_dividends_per_hotkey: Vec<(AccountId32, Compact<u64>)>,
    71 alpha_dividends_per_hotkey: Vec<(AccountId32, Compact<u64>)>,
}

impl<T: Config> Pallet<T> {
    /// The parts of a metagraph of these numbers, if the subnet exists. `commitments` reads what its hotkeys committed to,
    /// each as encoded in storage.
    pub fn get_selective_metagraph(
        netuid: NetUid,
        parts: &[u16],
        commitments: impl FnOnce() -> Vec<(AccountId32, Vec<u8>)>,
    ) -> Option<SelectiveMetagraph> {
        let mut picked = SelectiveMetagraph::pick(Self::get_metagraph(netuid)?, parts);
        if parts.contains(&VALIDATORS) {
            let permits = ValidatorPermit::<T>::get(netuid);
            let uids = (0_u16..).zip(permits);
            picked.validators = Some(
                uids.filter_map(|(uid, permit)| permit.then_some(Compact(uid)))
                    .collect(),
            );
        }
        if parts.contains(&COMMITMENTS) {
            let encoded = |(who, bytes): (AccountId32, Vec<u8>)| {
                (who, bytes.into_iter().map(Compact).collect())
            };
            picked.commitments = Some(commitments().into_iter().map(encoded).collect());
        }
        Some(picked)
    }
}
