//! Neurons as clients list them.

use alloc::{vec, vec::Vec};
use codec::{Compact, Decode, Encode};
use scale_info::TypeInfo;
use sp_runtime::AccountId32;

use crate::subtensor::{
    Active, AxonInfo, Axons, Bonds, Config, Consensus, Dividends, Emission, Incentive, Keys,
    LastUpdate, NetUid, Owner, Pallet, Prometheus, PrometheusInfo, SubnetworkN, ValidatorPermit,
    ValidatorTrust, Weights,
};

/// A neuron without its weights and bonds. Shares are out of 65535, amounts in rao.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct NeuronInfoLite {
    pub hotkey: AccountId32,
    pub coldkey: AccountId32,
    pub uid: Compact<u16>,
    pub netuid: Compact<u16>,
    pub active: bool,
    pub axon_info: AxonInfo,
    pub prometheus_info: PrometheusInfo,
    pub stake: Vec<(AccountId32, Compact<u64>)>,
    pub rank: Compact<u16>,
    pub emission: Compact<u64>,
    pub incentive: Compact<u16>,
    pub consensus: Compact<u16>,
    pub trust: Compact<u16>,
    pub validator_trust: Compact<u16>,
    pub dividends: Compact<u16>,
    pub last_update: Compact<u64>,
    pub validator_permit: bool,
    pub pruning_score: Compact<u16>,
}

/// A neuron with its weights and bonds. Shares are out of 65535, amounts in rao.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, TypeInfo)]
#[allow(missing_docs)]
pub struct NeuronInfo {
    pub hotkey: AccountId32,
    pub coldkey: AccountId32,
    pub uid: Compact<u16>,
    pub netuid: Compact<u16>,
    pub active: bool,
    pub axon_info: AxonInfo,
    pub prometheus_info: PrometheusInfo,
    pub stake: Vec<(AccountId32, Compact<u64>)>,
    pub rank: Compact<u16>,
    pub emission: Compact<u64>,
    pub incentive: Compact<u16>,
    pub consensus: Compact<u16>,
    pub trust: Compact<u16>,
    pub validator_trust: Compact<u16>,
    pub dividends: Compact<u16>,
    pub last_update: Compact<u64>,
    pub validator_permit: bool,
    pub weights: Vec<(Compact<u16>, Compact<u16>)>,
    pub bonds: Vec<(Compact<u16>, Compact<u16>)>,
    pub pruning_score: Compact<u16>,
}

/// A subnet's vectors, read once for all of its neurons.
struct Columns {
    active: Vec<bool>,
    emission: Vec<u64>,
    incentive: Vec<u16>,
    consensus: Vec<u16>,
    validator_trust: Vec<u16>,
    dividends: Vec<u16>,
    last_update: Vec<u64>,
    validator_permit: Vec<bool>,
}

impl Columns {
    fn read<T: Config>(netuid: NetUid) -> Self {
        Self {
            active: Active::<T>::get(netuid),
            emission: Emission::<T>::get(netuid),
            incentive: Incentive::<T>::get(netuid),
            consensus: Consensus::<T>::get(netuid),
            validator_trust: ValidatorTrust::<T>::get(netuid),
            dividends: Dividends::<T>::get(netuid),
            last_update: LastUpdate::<T>::get(netuid),
            validator_permit: ValidatorPermit::<T>::get(netuid),
        }
    }

    fn neuron<T: Config>(&self, netuid: NetUid, uid: u16) -> NeuronInfoLite {
        let hotkey = Keys::<T>::get(netuid, uid);
        let coldkey = Owner::<T>::get(&hotkey);
        let stake = Pallet::<T>::stake_weight(&hotkey, netuid);
        let prometheus_info = Prometheus::<T>::get(netuid, &hotkey).unwrap_or_default();
        let axon_info = Axons::<T>::get(netuid, &hotkey).unwrap_or_default();
        NeuronInfoLite {
            stake: vec![(coldkey.clone(), Compact(stake))],
            hotkey,
            coldkey,
            uid: Compact(uid),
            netuid: Compact(netuid),
            active: at(&self.active, uid),
            axon_info,
            prometheus_info,
            // Rank, trust and pruning score are no longer computed by the chain, which answers with these constants.
            rank: Compact(0),
            emission: Compact(at(&self.emission, uid)),
            incentive: Compact(at(&self.incentive, uid)),
            consensus: Compact(at(&self.consensus, uid)),
            trust: Compact(0),
            validator_trust: Compact(at(&self.validator_trust, uid)),
            dividends: Compact(at(&self.dividends, uid)),
            last_update: Compact(at(&self.last_update, uid)),
            validator_permit: at(&self.validator_permit, uid),
            pruning_score: Compact(u16::MAX),
        }
    }
}

fn at<V: Copy + Default>(values: &[V], uid: u16) -> V {
    values.get(usize::from(uid)).copied().unwrap_or_default()
}

fn compact(row: Vec<(u16, u16)>) -> Vec<(Compact<u16>, Compact<u16>)> {
    row.into_iter()
        .map(|(uid, value)| (Compact(uid), Compact(value)))
        .collect()
}

impl<T: Config> Pallet<T> {
    /// All neurons of a subnet, by UID.
    pub fn get_neurons_lite(netuid: NetUid) -> Vec<NeuronInfoLite> {
        let columns = Columns::read::<T>(netuid);
        (0..SubnetworkN::<T>::get(netuid))
            .map(|uid| columns.neuron::<T>(netuid, uid))
            .collect()
    }

    /// One neuron, if the UID is in use.
    pub fn get_neuron_lite(netuid: NetUid, uid: u16) -> Option<NeuronInfoLite> {
        let exists = uid < SubnetworkN::<T>::get(netuid);
        exists.then(|| Columns::read::<T>(netuid).neuron::<T>(netuid, uid))
    }

    /// All neurons of a subnet with weights and bonds, by UID.
    pub fn get_neurons(netuid: NetUid) -> Vec<NeuronInfo> {
        Self::get_neurons_lite(netuid)
            .into_iter()
            .map(Self::with_rows)
            .collect()
    }

    /// One neuron with weights and bonds, if the UID is in use.
    pub fn get_neuron(netuid: NetUid, uid: u16) -> Option<NeuronInfo> {
        Self::get_neuron_lite(netuid, uid).map(Self::with_rows)
    }

    fn with_rows(lite: NeuronInfoLite) -> NeuronInfo {
        let (Compact(netuid), Compact(uid)) = (lite.netuid, lite.uid);
        NeuronInfo {
            hotkey: lite.hotkey,
            coldkey: lite.coldkey,
            uid: lite.uid,
            netuid: lite.netuid,
            active: lite.active,
            axon_info: lite.axon_info,
            prometheus_info: lite.prometheus_info,
            stake: lite.stake,
            rank: lite.rank,
            emission: lite.emission,
            incentive: lite.incentive,
            consensus: lite.consensus,
            trust: lite.trust,
            validator_trust: lite.validator_trust,
            dividends: lite.dividends,
            last_update: lite.last_update,
            validator_permit: lite.validator_permit,
            weights: compact(Weights::<T>::get(netuid, uid)),
            bonds: compact(Bonds::<T>::get(netuid, uid)),
            pruning_score: lite.pruning_score,
        }
    }
}
