//! Values that the pallet stores and the shape of its genesis.

mod genesis;
mod identity;
mod limits;

use codec::{Decode, DecodeWithMemTracking, Encode};
use frame_support::{BoundedVec, traits::ConstU32};
use scale_info::TypeInfo;

use crate::fixed::U64F64;

pub use genesis::{NeuronGenesis, SubnetGenesis};
pub use identity::{ChainIdentityV2, NeuronCertificate, SubnetIdentityV3};
pub use limits::{Hyperparameter, RateLimitKey};

/// Number of a subnet.
pub type NetUid = u16;
/// The ciphertext of a timelocked commit.
pub type TimelockedCommit = BoundedVec<u8, ConstU32<5_000>>;

/// Where a neuron is reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct AxonInfo {
    /// Block of the announcement.
    pub block: u64,
    /// Version of the neuron's software.
    pub version: u32,
    /// The address: an IPv4 one in the low 32 bits.
    pub ip: u128,
    /// The port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
    /// Protocol number, free for the subnet to use.
    pub protocol: u8,
    /// Unused.
    pub placeholder1: u8,
    /// Unused.
    pub placeholder2: u8,
}

/// Where a neuron's metrics are read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct PrometheusInfo {
    /// Block of the announcement.
    pub block: u64,
    /// Version of the neuron's software.
    pub version: u32,
    /// The address: an IPv4 one in the low 32 bits.
    pub ip: u128,
    /// The port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
}

/// What happens to emission that falls to the subnet owner's own miners.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub enum RecycleOrBurnEnum {
    /// It stays issued and belongs to nobody.
    #[default]
    Burn,
    /// It is taken out of the issuance.
    Recycle,
}

/// Which consensus an epoch runs.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo,
)]
pub enum EpochConsensus {
    /// Yuma Consensus.
    #[default]
    Yuma,
    /// None: nothing is paid. No subnet of this chain runs it.
    Null,
}

/// What becomes of the dividends of stake on root.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum RootClaimTypeEnum {
    /// They are changed to TAO.
    #[default]
    Swap,
    /// They stay alpha.
    Keep,
    /// They stay alpha on some subnets.
    KeepSubnets {
        /// Those subnets.
        subnets: alloc::collections::BTreeSet<NetUid>,
    },
}

/// Locked stake. This chain locks none.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct LockState {
    /// Alpha in rao.
    pub locked_mass: u64,
    /// What the lock weighs.
    pub conviction: U64F64,
    /// Block of the last look at it.
    pub last_update: u64,
}
