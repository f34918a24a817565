//! What a devnet is made of: where it listens, when it seals, which clock it keeps and what its first block holds.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use sp_core::{Pair, sr25519};

/// Public key of an account, as on chain.
pub type AccountBytes = [u8; 32];

/// One TAO in rao.
pub const TAO: u64 = 1_000_000_000;

/// Everything that [`spawn`](crate::spawn) needs to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where the WebSocket server listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// When blocks are made.
    pub sealing: Sealing,
    /// Which time the blocks carry.
    pub clock: Clock,
    /// The state of block 0.
    pub genesis: Genesis,
}

impl Config {
    /// A devnet on a free loopback port whose blocks are made only on request, twelve virtual seconds apart: equal
    /// extrinsics in equal blocks give equal block hashes.
    pub fn deterministic(genesis: Genesis) -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            sealing: Sealing::Manual,
            clock: Clock::Virtual,
            genesis,
        }
    }
}

/// When blocks are made. A block is best and final as soon as it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sealing {
    /// Only on request, by [`Devnet::seal`](crate::Devnet::seal) or the RPC method `dev_newBlock`.
    Manual,
    /// One every interval, with or without extrinsics.
    Interval(Duration),
    /// One as soon as an extrinsic enters the pool.
    Instant,
}

/// Which time the blocks carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clock {
    /// The machine's time, at least one millisecond after the parent block's.
    Wall,
    /// The parent block's time plus the block time of the genesis: independent of the machine.
    Virtual,
}

/// The state of block 0.
#[derive(Clone, Debug)]
pub struct Genesis {
    /// Free balances in rao.
    pub endowed: Vec<(AccountBytes, u64)>,
    /// The account that may dispatch as root.
    pub sudo: AccountBytes,
    /// The subnets that exist from the start.
    pub subnets: Vec<SubnetGenesis>,
    /// Nominal time between blocks, which clients read as `Aura.SlotDuration` and [`Clock::Virtual`] advances by.
    pub block_time: Duration,
    /// Least stake weight in rao for setting weights and for counting as a validator (`StakeThreshold`, which is one
    /// value for all subnets).
    pub stake_threshold: u64,
    /// The share of a subnet's emission that goes to its owner's hotkey, out of 65535 (`SubnetOwnerCut`, which is one
    /// value for all subnets).
    pub owner_cut: u16,
    /// Whether an axon may announce 127.0.0.1 or ::1, which Bittensor refuses with `InvalidIpAddress`.
    pub loopback_axons: bool,
}

/// A subnet at block 0. Fields are named after the chain's storage items and have their units.
#[derive(Clone, Debug)]
pub struct SubnetGenesis {
    /// Number of the subnet, at least 1.
    pub netuid: u16,
    /// Account that owns the subnet.
    pub owner_coldkey: AccountBytes,
    /// The owner's hotkey, if it has one: it takes the owner's cut, and holds a permanent permit once registered.
    pub owner_hotkey: Option<AccountBytes>,
    /// Blocks between epochs.
    pub tempo: u16,
    /// Alpha in rao that accrues per block, backed by as much TAO.
    pub emission_per_block: u64,
    /// Blocks that must pass between two weight settings of a hotkey.
    pub weights_rate_limit: u64,
    /// Blocks that must pass between two axon announcements of a hotkey.
    pub serving_rate_limit: u64,
    /// Price of the first registration in rao.
    pub burn: u64,
    /// Lower bound of the registration price in rao.
    pub min_burn: u64,
    /// Upper bound of the registration price in rao.
    pub max_burn: u64,
    /// Blocks after its registration in which a UID is not pruned while others can be.
    pub immunity_period: u16,
    /// Number of UIDs; the next registration replaces one.
    pub max_allowed_uids: u16,
    /// How many UIDs hold a validator permit at most.
    pub max_allowed_validators: u16,
    /// Fewest entries of a weight vector (or the number of UIDs, if that is smaller).
    pub min_allowed_weights: u16,
    /// Oldest weights version that is accepted; 0 accepts all.
    pub weights_version_key: u64,
    /// A neuron is inactive after this many thousandths of a tempo without an update.
    pub activity_cutoff_factor_milli: u32,
    /// Majority of stake that Yuma asks for, out of 65535.
    pub kappa: u16,
    /// Inertia of bonds, in millionths.
    pub bonds_moving_average: u64,
    /// Penalty on bonds for weights above consensus, out of 65535.
    pub bonds_penalty: u16,
    /// Whether bonds follow Yuma 3.
    pub yuma3: bool,
    /// Whether Yuma 3 adapts the bonds' inertia per pair.
    pub liquid_alpha: bool,
    /// Neurons that are registered from the start; the first has UID 0.
    pub neurons: Vec<NeuronGenesis>,
}

impl SubnetGenesis {
    /// A subnet with the chain's own defaults for Yuma, a tempo and rate limits fit for a chain that runs on one
    /// machine, one TAO of emission per block and weights that are set in the open.
    pub fn new(netuid: u16, owner_coldkey: AccountBytes) -> Self {
        Self {
            netuid,
            owner_coldkey,
            owner_hotkey: None,
            tempo: 20,
            emission_per_block: TAO,
            weights_rate_limit: 1,
            serving_rate_limit: 1,
            burn: TAO / 10,
            min_burn: TAO / 2_000,
            max_burn: 100 * TAO,
            immunity_period: 4_096,
            max_allowed_uids: 256,
            max_allowed_validators: 64,
            min_allowed_weights: 1,
            weights_version_key: 0,
            activity_cutoff_factor_milli: 13_889,
            kappa: 32_767,
            bonds_moving_average: 900_000,
            bonds_penalty: u16::MAX,
            yuma3: true,
            liquid_alpha: false,
            neurons: Vec::new(),
        }
    }
}

/// A neuron that is registered at block 0 without paying for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeuronGenesis {
    /// Account that owns the hotkey and its stake.
    pub coldkey: AccountBytes,
    /// The neuron's own account.
    pub hotkey: AccountBytes,
    /// Alpha in rao staked on it. Whoever reaches the stake threshold starts with a validator permit.
    pub stake: u64,
}

impl Genesis {
    /// The usual development chain: //Alice (who is sudo), //Bob, //Charlie, //Dave, //Eve and //Ferdie with a million
    /// TAO each, and subnet 1, which belongs to //Alice.
    pub fn development(block_time: Duration) -> Self {
        let accounts =
            ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie"].map(development_account);
        Self {
            endowed: accounts
                .iter()
                .map(|account| (*account, 1_000_000 * TAO))
                .collect(),
            sudo: accounts[0],
            subnets: vec![SubnetGenesis::new(1, accounts[0])],
            block_time,
            stake_threshold: 0,
            owner_cut: 0,
            loopback_axons: true,
        }
    }
}

/// Key pair of the well-known development account `//name`.
pub fn development_pair(name: &str) -> sr25519::Pair {
    sr25519::Pair::from_string(&format!("//{name}"), None)
        .expect("a plain name is a valid derivation path")
}

/// Public key of the well-known development account `//name`.
pub fn development_account(name: &str) -> AccountBytes {
    development_pair(name).public().0
}
