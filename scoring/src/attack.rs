//! The catalogue of known attacks: what each one does, what it costs, and what it may earn at most.
//!
//! An attack is a value: a stable name, one line of description, the side that it plays on, the bound on what it earns over
//! what an honest participant earns with the same resources, its cost, and its conduct in the simulator's terms (what it
//! answers, commits to and votes). The driver that plays it over a real network has the same name. A new attack is one file
//! here, one there, and one line in [`CATALOGUE`]'s list.

mod conduct;
mod cost;
mod evidence;

pub use conduct::{
    ALWAYS_FOUND, Conduct, NEVER_FOUND, Play, Poll, Reveal, Row, Scene, Served, Skill, Tensors,
    Vote, WORST_DIVERGENCE, found,
};
pub use cost::{Cost, Prices};
pub use evidence::Draws;

/// Goal for attacks that must earn next to nothing.
pub const NEARLY_NOTHING: f64 = 0.1;
/// Goal for all others: never more than honest work.
pub const HONEST: f64 = 1.0;

/// Which side an attack plays on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// It answers asks.
    Miner,
    /// It sets weights.
    Validator,
}

impl Side {
    /// Stable name, as reports show it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Miner => "miner",
            Self::Validator => "validator",
        }
    }
}

/// One attack of the catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Attack {
    /// Stable name in snake case, the same in simulator, red team and documentation.
    pub name: &'static str,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What it may earn at most, as a multiple of what an honest participant earns with the same resources:
    /// [`HONEST`] or [`NEARLY_NOTHING`].
    pub bound: f64,
    /// What one identity of it costs.
    pub cost: Cost,
    /// Identities (hotkeys) that one attacker uses.
    pub identities: u32,
    /// Whether they all run on one machine: then [`Cost::gpu_seconds`] is that of all of them together.
    pub shares_machine: bool,
    /// How it behaves.
    pub conduct: Conduct,
}

impl Attack {
    /// What so many identities cost over so many epochs, in GPU-seconds: the resources that an honest participant is
    /// given to compare with. `registrations` are those of all identities together, `stake` what each of them binds, in
    /// thousandths of the subnet's.
    pub fn total_cost(
        &self,
        identities: u32,
        epochs: f64,
        registrations: f64,
        stake: f64,
        prices: &Prices,
    ) -> f64 {
        let identities = identities.max(1);
        let machines = f64::from(if self.shares_machine {
            identities.div_ceil(self.identities)
        } else {
            identities
        });
        let identities = f64::from(identities);
        let together = Cost {
            gpu_seconds: machines * self.cost.gpu_seconds,
            stake_epochs: identities * self.cost.stake_epochs,
            ..self.cost
        };
        together.total(epochs, registrations, identities * stake, prices)
    }

    /// Which side it plays on.
    pub fn side(&self) -> Side {
        match self.conduct {
            Conduct::Miner(_) => Side::Miner,
            Conduct::Validator(_) => Side::Validator,
        }
    }
}

/// The attack of this name.
pub fn find(name: &str) -> Option<&'static Attack> {
    CATALOGUE.iter().copied().find(|attack| attack.name == name)
}

macro_rules! catalogue {
    ($($name:ident,)*) => {
        $(mod $name;)*
        /// Every known attack, those of miners first.
        pub const CATALOGUE: &[&Attack] = &[$(&$name::ATTACK,)*];
    };
}

catalogue! {
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
