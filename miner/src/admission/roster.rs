//! Who stands high enough on the subnet to be served.

use std::collections::HashSet;

use athanor_chain::Metagraph;
use athanor_spec::{Hotkey, Rao};

/// The hotkeys that are served: holders of a validator permit, and those with enough stake to get one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    admitted: HashSet<Hotkey>,
}

impl Roster {
    /// A roster of these hotkeys.
    pub fn new(admitted: impl IntoIterator<Item = Hotkey>) -> Self {
        Self {
            admitted: admitted.into_iter().collect(),
        }
    }

    /// Those whom a metagraph admits; `min_stake_tao` is `limits.min_validator_stake_tao` of the spec.
    pub fn of(metagraph: &Metagraph, min_stake_tao: u64) -> Self {
        let enough = Rao::from_tao(min_stake_tao);
        Self::new(
            metagraph
                .neurons
                .iter()
                .filter(|neuron| neuron.validator_permit || neuron.stake >= enough)
                .map(|neuron| neuron.hotkey),
        )
    }

    /// Whether a hotkey is served.
    pub fn admits(&self, hotkey: &Hotkey) -> bool {
        self.admitted.contains(hotkey)
    }

    /// Number of hotkeys served.
    pub fn len(&self) -> usize {
        self.admitted.len()
    }

    /// Whether nobody is served.
    pub fn is_empty(&self) -> bool {
        self.admitted.is_empty()
    }
}
