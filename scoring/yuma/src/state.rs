//! What a subnet has in storage when its epoch comes due.

use alloc::vec::Vec;

/// State of one subnet at the start of an epoch.
///
/// UIDs index every slice. A slice may be shorter than the subnet (what is missing reads as 0, `false` or no entries)
/// or longer (what is too much is ignored). A row lists `(target UID, value)` pairs in stored order; targets beyond the
/// subnet are allowed, the same target twice in one row is not: the chain refuses to store it, and here the outcome for
/// such a row is unspecified.
#[derive(Debug, Clone, Copy)]
pub struct State<'a> {
    /// Current block.
    pub block: u64,
    /// Block of the previous successful epoch, 0 for none (`LastMechansimStepBlock`).
    pub last_mechanism_step_block: u64,
    /// Number of this epoch (`SubnetEpochIndex`, which the chain increments before it runs the epoch).
    pub epoch_index: u64,
    /// Alpha to share out in this epoch, in rao.
    pub rao_emission: u64,
    /// Stake on the subnet per UID in rao, after redistribution between parents and children. All stake together is
    /// taken to be below 2^63 rao, where the chain's numbers end (there can never be 2^55 rao).
    pub alpha_stake: &'a [u64],
    /// Stake on root per UID in rao, after redistribution between parents and children.
    pub tao_stake: &'a [u64],
    /// Block at which each UID last set or committed weights (`LastUpdate`).
    pub last_update: &'a [u64],
    /// Block at which each UID was registered (`BlockAtRegistration`).
    pub block_at_registration: &'a [u64],
    /// Weights that each UID has set (`Weights`).
    pub weights: &'a [Vec<(u16, u16)>],
    /// Bonds that the previous epoch left to each UID (`Bonds`).
    pub bonds: &'a [Vec<(u16, u16)>],
    /// Validator permits that the previous epoch gave (`ValidatorPermit`).
    pub validator_permit: &'a [bool],
    /// Hash commits in queue order per UID (`WeightCommits`). Ignored unless commit-reveal is on.
    pub commits: &'a [Commit],
    /// Timelocked commits in any order. Ignored unless commit-reveal is on.
    pub timelocked_commits: &'a [Commit],
}

/// A commitment to weights that are not revealed yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Commit {
    /// UID that committed.
    pub uid: u16,
    /// Epoch in which it did.
    pub epoch: u64,
    /// Block in which it did.
    pub block: u64,
}
