//! Tell clients how long a slot lasts, where they look for it: the constant `Aura.SlotDuration`.
//!
//! There is one author and no slots to share out, so nothing else of Aura is here. The duration is part of the genesis,
//! because clients infer "fast blocks" from it.

pub use pallet::*;

/// The pallet.
#[frame_support::pallet]
pub mod pallet {
    use frame_support::pallet_prelude::*;

    /// The pallet.
    #[pallet::pallet]
    pub struct Pallet<T>(_);

    /// What the runtime supplies.
    #[pallet::config]
    pub trait Config: frame_system::Config {
        /// Milliseconds between blocks.
        #[pallet::constant]
        type SlotDuration: Get<u64>;
    }

    /// The genesis of the pallet.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// Milliseconds between blocks.
        pub slot_duration: u64,
        #[serde(skip)]
        #[allow(missing_docs)]
        pub _config: core::marker::PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                slot_duration: 12_000,
                _config: Default::default(),
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            crate::SlotDuration::set(&self.slot_duration);
        }
    }
}
