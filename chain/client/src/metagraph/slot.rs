//! A neuron as far as it can be read in more than one way.

use std::net::SocketAddr;

use athanor_spec::{BlockNumber, Commitment, Hotkey, Rao};

/// What the runtime's API gives of a slot, and storage as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) hotkey: Hotkey,
    pub(super) coldkey: Hotkey,
    pub(super) registered_at: BlockNumber,
    pub(super) axon: Option<SocketAddr>,
    pub(super) validator_permit: bool,
    pub(super) active: bool,
    pub(super) incentive: u16,
    pub(super) dividends: u16,
    pub(super) consensus: u16,
    pub(super) emission: Rao,
    pub(super) last_update: BlockNumber,
    pub(super) commitment: Option<(Commitment, BlockNumber)>,
}

/// An entry that a column lacks counts as zero.
pub(super) fn entry<T: Copy + Default>(column: &[T], at: usize) -> T {
    column.get(at).copied().unwrap_or_default()
}
