//! Choose the parameters of the pallets that make the runtime.
#![allow(
    missing_docs,
    reason = "the macro documents nothing of what it generates"
)]

use alloc::{borrow::Cow, vec::Vec};
use frame_support::{
    derive_impl, parameter_types,
    traits::{ConstU8, ConstU32, ConstU64, Contains, OnUnbalanced, fungible::Credit},
    weights::{
        IdentityFee, Weight, WeightToFeeCoefficient, WeightToFeeCoefficients,
        WeightToFeePolynomial,
        constants::{RocksDbWeight, WEIGHT_REF_TIME_PER_SECOND},
    },
};
use frame_system::limits::BlockWeights;
use pallet_transaction_payment::FungibleAdapter;
use sp_inherents::{CheckInherentsResult, InherentData};
use sp_runtime::{
    AccountId32, MultiAddress, MultiSignature, Perbill, generic,
    traits::{BlakeTwo256, Block as BlockT},
};
use sp_version::RuntimeVersion;

use crate::{
    AllPalletsWithSystem, Balances, Commitments, Drand, InherentDataExt as _, OriginCaller,
    PalletInfo, Runtime, RuntimeCall, RuntimeEvent, RuntimeFreezeReason, RuntimeHoldReason,
    RuntimeOrigin, RuntimeTask, SubtensorModule, System, admin as pallet_admin,
    apis::RUNTIME_API_VERSIONS,
    commitments as pallet_commitments, drand as pallet_drand, extensions,
    subtensor::{self as pallet_subtensor, NetUid},
};

/// An account: its public key.
pub type AccountId = AccountId32;
/// An amount in rao.
pub type Balance = u64;
/// Number of a block.
pub type BlockNumber = u32;
/// Number of extrinsics that an account has sent.
pub type Nonce = u32;
/// A block's header.
pub type Header = generic::Header<BlockNumber, BlakeTwo256>;
/// A block.
pub type Block = generic::Block<Header, UncheckedExtrinsic>;
/// The signed extensions, in the order of the signed bytes.
pub type TxExtension = (
    frame_system::CheckNonZeroSender<Runtime>,
    frame_system::CheckSpecVersion<Runtime>,
    frame_system::CheckTxVersion<Runtime>,
    frame_system::CheckGenesis<Runtime>,
    frame_system::CheckMortality<Runtime>,
    extensions::CheckNonce<Runtime>,
    frame_system::CheckWeight<Runtime>,
    pallet_transaction_payment::ChargeTransactionPayment<Runtime>,
    extensions::SudoTransactionExtension<Runtime>,
    extensions::SubtensorTransactionExtension<Runtime>,
    extensions::DrandPriority<Runtime>,
    extensions::CheckMetadataHash<Runtime>,
);
/// A transaction as it travels.
pub type UncheckedExtrinsic = generic::UncheckedExtrinsic<
    MultiAddress<AccountId, ()>,
    RuntimeCall,
    MultiSignature,
    TxExtension,
>;
/// What a sender signs.
pub type SignedPayload = generic::SignedPayload<RuntimeCall, TxExtension>;
/// Runs blocks.
pub type Executive = frame_executive::Executive<
    Runtime,
    Block,
    frame_system::ChainContext<Runtime>,
    Runtime,
    AllPalletsWithSystem,
>;

/// Who this chain is. Clients cache metadata by genesis hash and `spec_version`: raise it with every change of calls,
/// storage or types.
#[sp_version::runtime_version]
pub const VERSION: RuntimeVersion = RuntimeVersion {
    spec_name: Cow::Borrowed("node-subtensor"),
    impl_name: Cow::Borrowed("athanor"),
    authoring_version: 1,
    spec_version: 10_003,
    impl_version: 1,
    apis: RUNTIME_API_VERSIONS,
    transaction_version: 1,
    system_version: 1,
};

/// What weighs a rao: a call of 100 microseconds costs 5,000 rao.
const FEE_PER_WEIGHT: Perbill = Perbill::from_parts(50_000);

parameter_types! {
    /// Blocks whose hashes stay known, and so the longest mortal era.
    pub const BlockHashCount: BlockNumber = 2_400;
    /// The version.
    pub const Version: RuntimeVersion = VERSION;
    /// Two seconds of computation per block, three quarters of it for ordinary extrinsics.
    pub Weights: BlockWeights = BlockWeights::with_sensible_defaults(
        Weight::from_parts(4 * WEIGHT_REF_TIME_PER_SECOND, u64::MAX),
        Perbill::from_percent(75),
    );
    /// Milliseconds between blocks, from the genesis.
    pub storage SlotDuration: u64 = 12_000;
    /// Address format of the chain's accounts.
    pub const SS58Prefix: u16 = 42;
}

/// The extrinsics that every block starts with: its time.
pub(crate) fn inherent_extrinsics(data: &InherentData) -> Vec<UncheckedExtrinsic> {
    data.create_extrinsics()
}

/// Whether a block starts with the extrinsics that it must.
pub(crate) fn check_inherents(
    block: &<Block as BlockT>::LazyBlock,
    data: &InherentData,
) -> CheckInherentsResult {
    data.check_extrinsics(block)
}

#[derive_impl(frame_system::config_preludes::SolochainDefaultConfig)]
impl frame_system::Config for Runtime {
    type BaseCallFilter = ExceptUpgrades;
    type Block = Block;
    type BlockWeights = Weights;
    type BlockHashCount = BlockHashCount;
    type DbWeight = RocksDbWeight;
    type Nonce = Nonce;
    type AccountId = AccountId;
    type AccountData = pallet_balances::AccountData<Balance>;
    type Version = Version;
    type SS58Prefix = SS58Prefix;
}

/// Refuses to replace the code of a runtime that runs natively: what is stored would never run.
pub struct ExceptUpgrades;

impl Contains<RuntimeCall> for ExceptUpgrades {
    fn contains(call: &RuntimeCall) -> bool {
        use frame_system::Call as System;
        use pallet_sudo::Call as Sudo;
        match call {
            RuntimeCall::System(
                System::set_code { .. }
                | System::set_code_without_checks { .. }
                | System::authorize_upgrade { .. }
                | System::authorize_upgrade_without_checks { .. }
                | System::apply_authorized_upgrade { .. },
            ) => false,
            RuntimeCall::Sudo(Sudo::sudo { call } | Sudo::sudo_unchecked_weight { call, .. }) => {
                Self::contains(call)
            }
            _ => true,
        }
    }
}

impl pallet_timestamp::Config for Runtime {
    type Moment = u64;
    type OnTimestampSet = ();
    type MinimumPeriod = ConstU64<1>;
    type WeightInfo = ();
}

impl crate::aura::Config for Runtime {
    type SlotDuration = SlotDuration;
}

impl pallet_balances::Config for Runtime {
    type MaxLocks = ConstU32<50>;
    type MaxReserves = ConstU32<50>;
    type ReserveIdentifier = [u8; 8];
    type Balance = Balance;
    type RuntimeEvent = RuntimeEvent;
    type DustRemoval = RecycleFees;
    type ExistentialDeposit = ConstU64<500>;
    type AccountStore = System;
    type WeightInfo = ();
    type FreezeIdentifier = RuntimeFreezeReason;
    type MaxFreezes = ConstU32<50>;
    type RuntimeHoldReason = RuntimeHoldReason;
    type RuntimeFreezeReason = RuntimeFreezeReason;
    type DoneSlashHandler = ();
}

/// Takes fees, and what is left of accounts too small to keep, out of the issuance.
pub struct RecycleFees;

impl OnUnbalanced<Credit<AccountId, Balances>> for RecycleFees {
    fn on_nonzero_unbalanced(fee: Credit<AccountId, Balances>) {
        let amount = frame_support::traits::Imbalance::peek(&fee);
        pallet_subtensor::TotalIssuance::<Runtime>::mutate(|total| {
            *total = total.saturating_sub(amount)
        });
    }
}

/// Fees grow with the weight of the call.
pub struct LinearFee;

impl WeightToFeePolynomial for LinearFee {
    type Balance = Balance;

    fn polynomial() -> WeightToFeeCoefficients<Self::Balance> {
        [WeightToFeeCoefficient {
            coeff_integer: 0,
            coeff_frac: FEE_PER_WEIGHT,
            negative: false,
            degree: 1,
        }]
        .into_iter()
        .collect()
    }
}

impl pallet_transaction_payment::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type OnChargeTransaction = FungibleAdapter<Balances, RecycleFees>;
    type OperationalFeeMultiplier = ConstU8<5>;
    type WeightToFee = LinearFee;
    type LengthToFee = IdentityFee<Balance>;
    type FeeMultiplierUpdate = ();
    type WeightInfo = ();
}

impl pallet_subtensor::Config for Runtime {
    type Currency = Balances;
    type Rounds = Drand;
    type Commitments = Commitments;
    type InitialStartCallDelay = ConstU64<0>;
    type KeySwapCost = ConstU64<100_000_000>;
    type KeySwapOnSubnetCost = ConstU64<1_000_000>;
    type HotkeySwapOnSubnetInterval = ConstU64<36_000>;
}

impl pallet_drand::Config for Runtime {}

impl pallet_admin::Config for Runtime {}

impl pallet_utility::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type PalletsOrigin = OriginCaller;
    type WeightInfo = ();
}

impl pallet_sudo::Config for Runtime {
    type RuntimeEvent = RuntimeEvent;
    type RuntimeCall = RuntimeCall;
    type WeightInfo = ();
}

impl pallet_commitments::Config for Runtime {
    type Subnets = SubtensorModule;
    type Rounds = Drand;
}

impl pallet_commitments::Subnets for SubtensorModule {
    fn is_registered(netuid: NetUid, hotkey: &AccountId) -> bool {
        pallet_subtensor::Uids::<Runtime>::contains_key(netuid, hotkey)
    }

    fn epoch_index(netuid: NetUid) -> u64 {
        pallet_subtensor::SubnetEpochIndex::<Runtime>::get(netuid)
    }

    fn reset_bonds(netuid: NetUid, hotkey: &AccountId) {
        SubtensorModule::reset_bonds(netuid, hotkey);
    }
}

#[cfg(test)]
mod tests;
