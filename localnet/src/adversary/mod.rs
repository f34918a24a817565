//! The red team: one file per attack of the catalogue, each played over the real network and chain with the real nodes'
//! code.
//!
//! A [`Driver`] says which seats an attack takes, with whom it may share a subnet, and what it does once it holds them: an
//! async function of a [`Scene`], which has everything that an attacker has (keys, chain, models, the time in epochs). What
//! the attack is called, what it costs and what it may earn stands under the same name in [`athanor_scoring::attack`].
//! A new attack is one file here, one there, and one line in each list.

mod answers;
mod artifacts;
mod card;
mod error;
mod forge;
mod impostor;
mod rude;
mod scene;
mod vote;

use std::fmt;

use futures::future::BoxFuture;

pub use answers::UNTRUE;
pub use artifacts::{MALFORMED, MakeMisfit, OVERSIZED};
pub(crate) use card::{Card, TOKENS_PER_SECOND};
pub use error::AttackError;
pub use impostor::{Impostor, Misfit, Workshop};
pub use scene::Scene;

/// An attack in progress: it ends when its scene is over, or with why it could not go on.
pub type Act = BoxFuture<'static, Result<(), AttackError>>;

/// How an attack of the catalogue is played over the real network.
#[derive(Clone, Copy)]
pub struct Driver {
    /// Its name in [`athanor_scoring::attack::CATALOGUE`].
    pub name: &'static str,
    /// With whom it may share a subnet.
    pub stage: Stage,
    /// Epochs of the subnet before its effect can show: what it earns counts from then on.
    pub begins_after: u64,
    /// What it holds on chain from the start.
    pub seats: &'static [Seat],
    /// What a run of minutes on a network of toy models cannot show of it; the simulator plays it for thousands of epochs.
    pub cannot_show: Option<&'static str>,
    /// What it does. It must call [`Scene::ready`] once it is in place.
    pub act: fn(Scene) -> Act,
}

/// A registration that an attack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seat {
    /// A miner's, without stake.
    Miner,
    /// A validator's, with so many thousandths of all stake.
    Validator {
        /// Thousandths of all stake on the subnet.
        stake: u32,
    },
    /// None yet: the keys of a hotkey that the attack registers itself when it wants to.
    Later,
}

/// Attacks that may share a subnet, as none disturbs what is measured of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// They commit to other models than their own work, and serve what they committed to.
    Models,
    /// They answer otherwise than their checkpoint would.
    Answers,
    /// They break the protocol; nobody but them is touched.
    Wire,
    /// They hold many seats: every share shrinks alike, so that what is earned over honest stays what it is.
    Crowd,
    /// They load others, so that nobody else's service can be measured beside them.
    Load,
    /// The subnet is full, and one registration replaces another.
    Slots,
    /// They set weights, with little stake each: the consensus stays with the honest.
    Votes,
    /// They set weights with a large share of all stake.
    Cabal,
}

impl Driver {
    /// The driver of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|driver| driver.name == name)
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Driver {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

macro_rules! drivers {
    ($($name:ident,)*) => {
        $(mod $name;)*
        /// Every attack of the catalogue, in its order.
        pub const ALL: &[Driver] = &[$($name::DRIVER,)*];
    };
}

drivers! {
    copycat,
    noisy_copy,
    resharded_copy,
    rescaled_copy,
    name_squatter,
    recommit_lottery,
    relay,
    relay_teacher,
    quantiser,
    turncoat,
    part_time_cheat,
    near_tie_steering,
    ignored_seed,
    selective_abort,
    early_stopper,
    looper,
    prompt_memoriser,
    slow_loris,
    overloader,
    replayer,
    digest_liar,
    empty_first_chunk,
    sybils_on_one_gpu,
    sibling_flood,
    sequenced_siblings,
    challenger_flood,
    victim_loading,
    identity_thief,
    malformed_artifact,
    oversized_message,
    uid_inheritor,
    weight_copier,
    lazy_validator,
    self_dealing_validator,
    cabal,
    late_revealer,
    stale_revealer,
}

#[cfg(test)]
mod tests;
