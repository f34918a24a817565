//! Draw random calls: few accounts, few subnets and telling numbers, so that calls meet each other.

use sp_core::H256;
use sp_runtime::{AccountId32, MultiAddress};

use super::super::*;
use crate::{
    RuntimeCall, admin, commitments,
    drand::{self, Pulse, PulsesPayload, beacon::Beacon},
    subtensor::{Call, NetUid},
};

type Sub = Call<Runtime>;
type Admin = admin::Call<Runtime>;

/// A source of numbers that depend on a seed alone (SplitMix64; Steele, Lea and Flood 2014).
pub(super) struct Draw {
    state: u64,
}

impl Draw {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Coldkeys 1 to 9 have money; their hotkeys are ten and eleven times them.
    fn coldkey(&mut self) -> AccountId32 {
        account(1 + self.below(9) as u8)
    }

    fn hotkey(&mut self) -> AccountId32 {
        let coldkey = 1 + self.below(9) as u8;
        account(coldkey * if self.below(3) == 0 { 11 } else { 10 })
    }

    /// Mostly another hotkey of the same coldkey.
    fn swapped_in(&mut self, coldkey: u8) -> AccountId32 {
        match self.below(4) {
            0 => self.hotkey(),
            factor => account(coldkey.checked_mul(9 + factor as u8).unwrap_or(99)),
        }
    }

    /// Mostly a subnet that exists.
    fn netuid(&mut self) -> NetUid {
        [1, 1, 1, 2, 2, 2, 3, 0, 9][self.below(9) as usize]
    }

    /// An amount in rao, mostly one that somebody has.
    fn amount(&mut self) -> u64 {
        match self.below(10) {
            0 => 0,
            1 => u64::MAX,
            2 => self.next(),
            3 => self.below(5_000_000),
            _ => self.below(100 * TAO),
        }
    }

    fn price(&mut self) -> u64 {
        [0, TAO - 1, TAO, TAO + 1, u64::MAX][self.below(5) as usize]
    }

    fn number(&mut self) -> u64 {
        match self.below(5) {
            0 => 0,
            1 => u64::MAX,
            2 => self.next(),
            _ => self.below(1_000),
        }
    }

    fn short(&mut self) -> u16 {
        self.number() as u16
    }

    fn uids(&mut self) -> Vec<u16> {
        (0..self.below(7)).map(|_| self.below(7) as u16).collect()
    }

    fn distinct(&mut self) -> Vec<u16> {
        let start = self.below(6) as u16;
        (start..start + 1 + self.below(3) as u16).collect()
    }

    fn row(&mut self) -> (Vec<u16>, Vec<u16>) {
        let uids = if self.below(4) == 0 {
            self.uids()
        } else {
            self.distinct()
        };
        let extra = u64::from(self.below(20) == 0);
        let values = (0..uids.len() as u64 + extra)
            .map(|_| self.short())
            .collect();
        (uids, values)
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = [0, 5, 300, 1_100][self.below(4) as usize];
        vec![self.next() as u8; length]
    }

    fn children(&mut self) -> Vec<(u64, AccountId32)> {
        (0..self.below(4))
            .map(|_| (self.next() >> self.below(3), self.hotkey()))
            .collect()
    }

    fn hash(value: &impl codec::Encode) -> H256 {
        use sp_runtime::traits::{BlakeTwo256, Hash};
        BlakeTwo256::hash_of(value)
    }

    /// A call and who makes it: the right one more often than not.
    pub(super) fn call(&mut self) -> (RuntimeOrigin, RuntimeCall) {
        let (hotkey, coldkey) = (self.hotkey(), self.coldkey());
        match self.below(12) {
            0..=3 => (
                RuntimeOrigin::signed(hotkey.clone()),
                self.of_hotkey(&hotkey),
            ),
            4..=8 => (
                RuntimeOrigin::signed(coldkey.clone()),
                self.of_coldkey(&coldkey),
            ),
            9 => (RuntimeOrigin::root(), self.setting()),
            10 => (RuntimeOrigin::signed(coldkey), self.setting()),
            _ => (RuntimeOrigin::none(), self.pulse()),
        }
    }

    fn of_hotkey(&mut self, who: &AccountId32) -> RuntimeCall {
        let (row, netuid) = (self.row(), self.netuid());
        match self.below(16) {
            0 => Sub::set_weights {
                netuid: self.netuid(),
                dests: row.0,
                weights: row.1,
                version_key: 0,
            }
            .into(),
            1 => Sub::set_mechanism_weights {
                netuid: self.netuid(),
                mecid: self.below(2) as u8,
                dests: row.0,
                weights: row.1,
                version_key: self.number(),
            }
            .into(),
            2 => Sub::batch_set_weights {
                netuids: vec![self.netuid().into(), self.netuid().into()],
                weights: vec![
                    row.0
                        .iter()
                        .zip(&row.1)
                        .map(|(uid, value)| ((*uid).into(), (*value).into()))
                        .collect();
                    2
                ],
                version_keys: vec![0.into(); 2],
            }
            .into(),
            3 => Sub::commit_weights {
                netuid,
                commit_hash: Self::hash(&(
                    who,
                    netuid,
                    vec![0_u16, 1],
                    vec![1_u16, 2],
                    vec![self.below(3) as u16],
                    0_u64,
                )),
            }
            .into(),
            4 => Sub::commit_weights {
                netuid,
                commit_hash: Self::hash(&(
                    who,
                    netuid,
                    vec![0_u16, 1],
                    vec![1_u16, 2],
                    vec![self.below(3) as u16],
                    0_u64,
                )),
            }
            .into(),
            5 => Sub::reveal_weights {
                netuid,
                uids: vec![0, 1],
                values: vec![1, 2],
                salt: vec![self.below(3) as u16],
                version_key: 0,
            }
            .into(),
            6 => Sub::reveal_weights {
                netuid,
                uids: vec![0, 1],
                values: vec![1, 2],
                salt: vec![self.below(3) as u16],
                version_key: 0,
            }
            .into(),
            7 => Sub::batch_reveal_weights {
                netuid,
                uids_list: vec![vec![0, 1]],
                values_list: vec![vec![1, 2]],
                salts_list: vec![vec![0]; self.below(2) as usize + 1],
                version_keys: vec![0],
            }
            .into(),
            8 => Sub::batch_commit_weights {
                netuids: vec![self.netuid().into()],
                commit_hashes: vec![H256::zero(); self.below(3) as usize],
            }
            .into(),
            9 => Sub::commit_timelocked_weights {
                netuid: self.netuid(),
                commit: self.bytes().try_into().unwrap(),
                reveal_round: self.below(9),
                commit_reveal_version: 4,
            }
            .into(),
            10 => Sub::commit_crv3_mechanism_weights {
                netuid: self.netuid(),
                mecid: self.below(2) as u8,
                commit: self.bytes().try_into().unwrap(),
                reveal_round: self.below(9),
            }
            .into(),
            11 => Sub::serve_axon {
                netuid: self.netuid(),
                version: 1,
                ip: self.number().into(),
                port: self.short(),
                ip_type: 4,
                protocol: 0,
                placeholder1: 0,
                placeholder2: 0,
            }
            .into(),
            12 => Sub::serve_axon_tls {
                netuid: self.netuid(),
                version: 1,
                ip: self.number().into(),
                port: self.short(),
                ip_type: 6,
                protocol: 0,
                placeholder1: 0,
                placeholder2: 0,
                certificate: self.bytes(),
            }
            .into(),
            13 => Sub::serve_prometheus {
                netuid: self.netuid(),
                version: 1,
                ip: self.number().into(),
                port: self.short(),
                ip_type: 4,
            }
            .into(),
            14 => commitments::Call::<Runtime>::set_commitment {
                netuid,
                info: Box::new(self.commitment()),
            }
            .into(),
            _ => self.of_coldkey(who),
        }
    }

    fn of_coldkey(&mut self, who: &AccountId32) -> RuntimeCall {
        let coldkey: &[u8] = who.as_ref();
        let own = account(
            coldkey[0]
                .checked_mul(if self.below(3) == 0 { 11 } else { 10 })
                .unwrap_or(1),
        );
        match self.below(39) {
            0 => Sub::burned_register {
                netuid: self.netuid(),
                hotkey: own,
            }
            .into(),
            1 => Sub::burned_register {
                netuid: self.netuid(),
                hotkey: own,
            }
            .into(),
            2 => Sub::burned_register {
                netuid: self.netuid(),
                hotkey: own,
            }
            .into(),
            3 => Sub::register_limit {
                netuid: self.netuid(),
                hotkey: own,
                limit_price: self.amount(),
            }
            .into(),
            4 => Sub::root_register { hotkey: own }.into(),
            5 => Sub::register_network { hotkey: own }.into(),
            6 => Sub::register_network_with_identity {
                hotkey: own,
                identity: Some(SubnetIdentityV3 {
                    subnet_name: self.bytes(),
                    ..Default::default()
                }),
            }
            .into(),
            7 => Sub::start_call {
                netuid: self.netuid(),
            }
            .into(),
            8 => Sub::add_stake {
                hotkey: self.hotkey(),
                netuid: self.netuid(),
                amount_staked: self.amount(),
            }
            .into(),
            9 => Sub::add_stake {
                hotkey: own,
                netuid: self.netuid(),
                amount_staked: self.amount(),
            }
            .into(),
            10 => Sub::add_stake_limit {
                hotkey: own,
                netuid: self.netuid(),
                amount_staked: self.amount(),
                limit_price: self.price(),
                allow_partial: self.coin(),
            }
            .into(),
            11 => Sub::remove_stake {
                hotkey: own,
                netuid: self.netuid(),
                amount_unstaked: self.amount(),
            }
            .into(),
            12 => Sub::remove_stake {
                hotkey: self.hotkey(),
                netuid: self.netuid(),
                amount_unstaked: self.amount(),
            }
            .into(),
            13 => Sub::remove_stake_limit {
                hotkey: own,
                netuid: self.netuid(),
                amount_unstaked: self.amount(),
                limit_price: self.price(),
                allow_partial: self.coin(),
            }
            .into(),
            14 => Sub::remove_stake_full_limit {
                hotkey: own,
                netuid: self.netuid(),
                limit_price: self.coin().then(|| self.price()),
            }
            .into(),
            15 => Sub::unstake_all {
                hotkey: self.hotkey(),
            }
            .into(),
            16 => Sub::unstake_all_alpha { hotkey: own }.into(),
            17 => Sub::move_stake {
                origin_hotkey: own,
                destination_hotkey: self.hotkey(),
                origin_netuid: self.netuid(),
                destination_netuid: self.netuid(),
                alpha_amount: self.amount(),
            }
            .into(),
            18 => Sub::transfer_stake {
                destination_coldkey: self.coldkey(),
                hotkey: own,
                origin_netuid: self.netuid(),
                destination_netuid: self.netuid(),
                alpha_amount: self.amount(),
            }
            .into(),
            19 => Sub::swap_stake {
                hotkey: own,
                origin_netuid: self.netuid(),
                destination_netuid: self.netuid(),
                alpha_amount: self.amount(),
            }
            .into(),
            20 => Sub::swap_stake_limit {
                hotkey: own,
                origin_netuid: self.netuid(),
                destination_netuid: self.netuid(),
                alpha_amount: self.amount(),
                limit_price: self.price(),
                allow_partial: self.coin(),
            }
            .into(),
            21 => Sub::recycle_alpha {
                hotkey: own,
                amount: self.amount(),
                netuid: self.netuid(),
            }
            .into(),
            22 => Sub::burn_alpha {
                hotkey: own,
                amount: self.amount(),
                netuid: self.netuid(),
            }
            .into(),
            23 => Sub::increase_take {
                hotkey: own,
                take: self.short(),
            }
            .into(),
            24 => Sub::decrease_take {
                hotkey: own,
                take: self.short(),
            }
            .into(),
            25 => Sub::set_children {
                hotkey: own,
                netuid: self.netuid(),
                children: self.children(),
            }
            .into(),
            26 => Sub::set_children {
                hotkey: own,
                netuid: self.netuid(),
                children: self.children(),
            }
            .into(),
            27 => Sub::set_childkey_take {
                hotkey: own,
                netuid: self.netuid(),
                take: self.short(),
            }
            .into(),
            28 => Sub::set_coldkey_auto_stake_hotkey {
                netuid: self.netuid(),
                hotkey: self.hotkey(),
            }
            .into(),
            29 => Sub::try_associate_hotkey {
                hotkey: self.hotkey(),
            }
            .into(),
            30 => Sub::set_identity {
                name: self.bytes(),
                url: vec![],
                github_repo: vec![],
                image: vec![],
                discord: vec![],
                description: self.bytes(),
                additional: vec![],
            }
            .into(),
            31 => Sub::set_tempo {
                netuid: self.netuid(),
                tempo: self.short(),
            }
            .into(),
            32 => Sub::set_activity_cutoff_factor {
                netuid: self.netuid(),
                factor_milli: self.number() as u32,
            }
            .into(),
            33 => Sub::trigger_epoch {
                netuid: self.netuid(),
            }
            .into(),
            34 | 35 => Sub::swap_hotkey {
                hotkey: own,
                new_hotkey: self.swapped_in(coldkey[0]),
                netuid: self.coin().then(|| self.netuid()),
            }
            .into(),
            36 => Sub::move_stake {
                origin_hotkey: self.hotkey(),
                destination_hotkey: own,
                origin_netuid: self.netuid(),
                destination_netuid: self.netuid(),
                alpha_amount: self.amount(),
            }
            .into(),
            37 => pallet_balances::Call::<Runtime>::transfer_allow_death {
                dest: MultiAddress::Id(self.coldkey()),
                value: self.amount(),
            }
            .into(),
            _ => pallet_balances::Call::<Runtime>::transfer_all {
                dest: MultiAddress::Id(self.coldkey()),
                keep_alive: self.coin(),
            }
            .into(),
        }
    }

    fn commitment(&mut self) -> commitments::CommitmentInfo {
        use commitments::Data;
        let fields: Vec<Data> = (0..self.below(4))
            .map(|_| match self.below(4) {
                0 => Data::ResetBondsFlag,
                1 => Data::TimelockEncrypted {
                    encrypted: vec![1; self.below(400) as usize].try_into().unwrap(),
                    reveal_round: self.below(9),
                },
                2 => Data::Raw(vec![2; self.below(129) as usize].try_into().unwrap()),
                _ => Data::BigRaw(vec![3; self.below(513) as usize].try_into().unwrap()),
            })
            .collect();
        let fields = fields
            .into_iter()
            .take(3)
            .collect::<Vec<_>>()
            .try_into()
            .unwrap();
        commitments::CommitmentInfo { fields }
    }

    /// A pulse of nobody's, as checking costs too much to be done often.
    fn pulse(&mut self) -> RuntimeCall {
        let pulses = match self.below(200) {
            0 => vec![Beacon::from_seed(b"nobody").pulse(1)],
            1 => vec![Pulse::default()],
            _ => Vec::new(),
        };
        drand::Call::<Runtime>::write_pulse {
            pulses_payload: PulsesPayload {
                block_number: 1,
                pulses,
                public: sp_runtime::MultiSigner::Sr25519(Default::default()),
            },
            signature: None,
        }
        .into()
    }

    fn setting(&mut self) -> RuntimeCall {
        match self.below(64) {
            61 => Sub::dissolve_network {
                coldkey: self.coldkey(),
                netuid: self.netuid(),
            }
            .into(),
            62 => Sub::root_dissolve_network {
                netuid: self.netuid(),
            }
            .into(),
            0 => Admin::sudo_set_default_take {
                default_take: self.short(),
            }
            .into(),
            1 => Admin::sudo_set_tx_rate_limit {
                tx_rate_limit: self.number(),
            }
            .into(),
            2 => Admin::sudo_set_serving_rate_limit {
                netuid: self.netuid(),
                serving_rate_limit: self.number(),
            }
            .into(),
            3 => Admin::sudo_set_min_difficulty {
                netuid: self.netuid(),
                min_difficulty: self.number(),
            }
            .into(),
            4 => Admin::sudo_set_max_difficulty {
                netuid: self.netuid(),
                max_difficulty: self.number(),
            }
            .into(),
            5 => Admin::sudo_set_weights_version_key {
                netuid: self.netuid(),
                weights_version_key: self.number(),
            }
            .into(),
            6 => Admin::sudo_set_weights_set_rate_limit {
                netuid: self.netuid(),
                weights_set_rate_limit: self.number(),
            }
            .into(),
            7 => Admin::sudo_set_adjustment_interval {
                netuid: self.netuid(),
                adjustment_interval: self.short(),
            }
            .into(),
            8 => Admin::sudo_set_adjustment_alpha {
                netuid: self.netuid(),
                adjustment_alpha: self.number(),
            }
            .into(),
            9 => Admin::sudo_set_immunity_period {
                netuid: self.netuid(),
                immunity_period: self.short(),
            }
            .into(),
            10 => Admin::sudo_set_min_allowed_weights {
                netuid: self.netuid(),
                min_allowed_weights: self.short(),
            }
            .into(),
            11 => Admin::sudo_set_max_allowed_uids {
                netuid: self.netuid(),
                max_allowed_uids: self.below(9) as u16,
            }
            .into(),
            12 => Admin::sudo_set_kappa {
                netuid: self.netuid(),
                kappa: self.short(),
            }
            .into(),
            13 => Admin::sudo_set_rho {
                netuid: self.netuid(),
                rho: self.short(),
            }
            .into(),
            14 => Admin::sudo_set_activity_cutoff {
                netuid: self.netuid(),
                activity_cutoff: self.short(),
            }
            .into(),
            15 => Admin::sudo_set_network_registration_allowed {
                netuid: self.netuid(),
                registration_allowed: self.coin(),
            }
            .into(),
            16 => Admin::sudo_set_target_registrations_per_interval {
                netuid: self.netuid(),
                target_registrations_per_interval: self.short(),
            }
            .into(),
            17 => Admin::sudo_set_min_burn {
                netuid: self.netuid(),
                min_burn: self.number(),
            }
            .into(),
            18 => Admin::sudo_set_max_burn {
                netuid: self.netuid(),
                max_burn: self.number(),
            }
            .into(),
            19 => Admin::sudo_set_difficulty {
                netuid: self.netuid(),
                difficulty: self.number(),
            }
            .into(),
            20 => Admin::sudo_set_max_allowed_validators {
                netuid: self.netuid(),
                max_allowed_validators: self.below(9) as u16,
            }
            .into(),
            21 => Admin::sudo_set_bonds_moving_average {
                netuid: self.netuid(),
                bonds_moving_average: self.number(),
            }
            .into(),
            22 => Admin::sudo_set_max_registrations_per_block {
                netuid: self.netuid(),
                max_registrations_per_block: self.short(),
            }
            .into(),
            23 => Admin::sudo_set_subnet_owner_cut {
                subnet_owner_cut: self.short(),
            }
            .into(),
            24 => Admin::sudo_set_network_rate_limit {
                rate_limit: self.number(),
            }
            .into(),
            25 => Admin::sudo_set_tempo {
                netuid: self.netuid(),
                tempo: self.short(),
            }
            .into(),
            26 => Admin::sudo_set_network_immunity_period {
                immunity_period: self.number(),
            }
            .into(),
            27 => Admin::sudo_set_network_min_lock_cost {
                lock_cost: self.number(),
            }
            .into(),
            28 => Admin::sudo_set_subnet_limit {
                max_subnets: self.short(),
            }
            .into(),
            29 => Admin::sudo_set_lock_reduction_interval {
                interval: self.number(),
            }
            .into(),
            30 => Admin::sudo_set_nominator_min_required_stake {
                min_stake: self.number(),
            }
            .into(),
            31 => Admin::sudo_set_tx_delegate_take_rate_limit {
                tx_rate_limit: self.number(),
            }
            .into(),
            32 => Admin::sudo_set_min_delegate_take { take: self.short() }.into(),
            33 => Admin::sudo_set_commit_reveal_weights_enabled {
                netuid: self.netuid(),
                enabled: self.coin(),
            }
            .into(),
            34 => Admin::sudo_set_liquid_alpha_enabled {
                netuid: self.netuid(),
                enabled: self.coin(),
            }
            .into(),
            35 => Admin::sudo_set_alpha_values {
                netuid: self.netuid(),
                alpha_low: self.short(),
                alpha_high: self.short(),
            }
            .into(),
            36 => Admin::sudo_set_commit_reveal_weights_interval {
                netuid: self.netuid(),
                interval: self.number(),
            }
            .into(),
            37 => Admin::sudo_set_bonds_penalty {
                netuid: self.netuid(),
                bonds_penalty: self.short(),
            }
            .into(),
            38 => Admin::sudo_set_toggle_transfer {
                netuid: self.netuid(),
                toggle: self.coin(),
            }
            .into(),
            39 => Admin::sudo_set_subnet_owner_hotkey {
                netuid: self.netuid(),
                hotkey: self.hotkey(),
            }
            .into(),
            40 => Admin::sudo_set_sn_owner_hotkey {
                netuid: self.netuid(),
                hotkey: self.hotkey(),
            }
            .into(),
            41 => Admin::sudo_set_alpha_sigmoid_steepness {
                netuid: self.netuid(),
                steepness: self.short() as i16,
            }
            .into(),
            42 => Admin::sudo_set_yuma3_enabled {
                netuid: self.netuid(),
                enabled: self.coin(),
            }
            .into(),
            43 => Admin::sudo_set_bonds_reset_enabled {
                netuid: self.netuid(),
                enabled: self.coin(),
            }
            .into(),
            44 => Admin::sudo_set_commit_reveal_version {
                version: self.short(),
            }
            .into(),
            45 => Admin::sudo_set_owner_immune_neuron_limit {
                netuid: self.netuid(),
                immune_neurons: self.short(),
            }
            .into(),
            46 => Admin::sudo_set_ck_burn {
                burn: self.number(),
            }
            .into(),
            47 => Admin::sudo_set_admin_freeze_window {
                window: self.short(),
            }
            .into(),
            48 => Admin::sudo_set_owner_hparam_rate_limit {
                epochs: self.short(),
            }
            .into(),
            49 => Admin::sudo_set_mechanism_count {
                netuid: self.netuid(),
                mechanism_count: self.number() as u8,
            }
            .into(),
            50 => Admin::sudo_set_mechanism_emission_split {
                netuid: self.netuid(),
                maybe_split: self.coin().then(|| vec![self.short()]),
            }
            .into(),
            51 => Admin::sudo_trim_to_max_allowed_uids {
                netuid: self.netuid(),
                max_n: self.below(9) as u16,
            }
            .into(),
            52 => Admin::sudo_set_min_allowed_uids {
                netuid: self.netuid(),
                min_allowed_uids: self.below(9) as u16,
            }
            .into(),
            53 => Admin::sudo_set_recycle_or_burn {
                netuid: self.netuid(),
                recycle_or_burn: if self.coin() {
                    RecycleOrBurnEnum::Burn
                } else {
                    RecycleOrBurnEnum::Recycle
                },
            }
            .into(),
            54 => Admin::sudo_set_min_non_immune_uids {
                netuid: self.netuid(),
                min: self.short(),
            }
            .into(),
            55 => Admin::sudo_set_start_call_delay {
                delay: self.number(),
            }
            .into(),
            56 => Admin::sudo_set_burn_half_life {
                netuid: self.netuid(),
                burn_half_life: self.short(),
            }
            .into(),
            57 => Admin::sudo_set_burn_increase_mult {
                netuid: self.netuid(),
                burn_increase_mult: crate::fixed::U64F64 {
                    bits: u128::from(self.next()) << self.below(4),
                },
            }
            .into(),
            58 => Admin::sudo_set_owner_cut_enabled {
                netuid: self.netuid(),
                enabled: self.coin(),
            }
            .into(),
            59 => Admin::sudo_set_min_childkey_take_per_subnet {
                netuid: self.netuid(),
                take: self.short(),
            }
            .into(),
            _ => Admin::sudo_set_max_epochs_per_block {
                max_epochs_per_block: self.number() as u8,
            }
            .into(),
        }
    }
}
