//! Who stands high enough on the subnet to be served, and how high.

use std::{collections::HashMap, num::NonZeroU16};

use athanor_chain::Metagraph;
use athanor_spec::{Hotkey, Rao};

/// The hotkeys that are served: holders of a validator permit, and those with enough stake to get one; each with its stake
/// as a share of the largest among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roster {
    admitted: HashMap<Hotkey, Standing>,
}

/// Stake in thousandths of the largest stake on the roster, 0 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Standing(u16);

/// What an asker counts for where askers compete, in thousandths of the largest validator, 1 to 1000.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(NonZeroU16);

impl Standing {
    /// The weight of an asker with this stake, where nobody counts for less than `floor`.
    pub fn weight(self, floor: Weight) -> Weight {
        let (floor, standing) = (u32::from(floor.0.get()), u32::from(self.0));
        let weight = floor + (1000 - floor) * standing / 1000;
        Weight::new(u16::try_from(weight).unwrap_or(1000))
    }
}

impl Weight {
    /// The weight of the largest validator.
    pub const FULL: Self = Self(NonZeroU16::MIN.saturating_add(999));

    /// A weight in thousandths; what is out of range becomes the nearest that is in it.
    pub fn new(thousandths: u16) -> Self {
        Self(NonZeroU16::new(thousandths.clamp(1, 1000)).unwrap_or(NonZeroU16::MIN))
    }

    /// In thousandths.
    pub fn thousandths(self) -> u16 {
        self.0.get()
    }
}

impl Roster {
    /// A roster of these hotkeys with their stakes.
    pub fn new(admitted: impl IntoIterator<Item = (Hotkey, Rao)>) -> Self {
        let stakes: Vec<(Hotkey, Rao)> = admitted.into_iter().collect();
        let largest = stakes.iter().map(|(_, stake)| stake.0).max().unwrap_or(0);
        let standing = |stake: Rao| {
            let thousandths = (u128::from(stake.0) * 1000).checked_div(u128::from(largest));
            // Where nobody has any stake all are alike.
            Standing(thousandths.map_or(1000, |of| u16::try_from(of).unwrap_or(1000)))
        };
        let admitted = stakes
            .into_iter()
            .map(|(hotkey, stake)| (hotkey, standing(stake)));
        Self {
            admitted: admitted.collect(),
        }
    }

    /// Those whom a metagraph admits; `min_stake_tao` is `limits.min_validator_stake_tao` of the spec. The miner's `own`
    /// hotkey may ask too, so that its operator can see what validators see; it counts for the least.
    pub fn of(metagraph: &Metagraph, min_stake_tao: u64, own: &Hotkey) -> Self {
        let enough = Rao::from_tao(min_stake_tao);
        let validators = metagraph
            .neurons
            .iter()
            .filter(|neuron| neuron.validator_permit || neuron.stake >= enough)
            .map(|neuron| (neuron.hotkey, neuron.stake));
        Self::new([(*own, Rao(0))].into_iter().chain(validators))
    }

    /// How a hotkey that is served stands.
    pub fn standing(&self, hotkey: &Hotkey) -> Option<Standing> {
        self.admitted.get(hotkey).copied()
    }

    /// Whether a hotkey is served.
    pub fn admits(&self, hotkey: &Hotkey) -> bool {
        self.admitted.contains_key(hotkey)
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
