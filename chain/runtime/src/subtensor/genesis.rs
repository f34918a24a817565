//! The state of block 0.

use frame_support::pallet_macros::pallet_section;

/// The genesis of the pallet.
#[pallet_section]
mod genesis {
    /// The genesis of the pallet.
    #[pallet::genesis_config]
    pub struct GenesisConfig<T: Config> {
        /// `StakeThreshold`.
        pub stake_threshold: u64,
        /// `SubnetOwnerCut`.
        pub subnet_owner_cut: u16,
        /// `LoopbackAxons`.
        pub loopback_axons: bool,
        /// Subnets that exist from the start, and are started.
        pub subnets: Vec<SubnetGenesis>,
        #[serde(skip)]
        #[allow(missing_docs)]
        pub _config: core::marker::PhantomData<T>,
    }

    impl<T: Config> Default for GenesisConfig<T> {
        fn default() -> Self {
            Self {
                stake_threshold: 0,
                subnet_owner_cut: 0,
                loopback_axons: false,
                subnets: vec![],
                _config: Default::default(),
            }
        }
    }

    #[pallet::genesis_build]
    impl<T: Config> BuildGenesisConfig for GenesisConfig<T> {
        fn build(&self) {
            use fungible::Inspect;
            StakeThreshold::<T>::put(self.stake_threshold);
            SubnetOwnerCut::<T>::put(self.subnet_owner_cut);
            LoopbackAxons::<T>::put(self.loopback_axons);
            TotalIssuance::<T>::put(T::Currency::total_issuance());
            Pallet::<T>::build_root();
            for subnet in &self.subnets {
                Pallet::<T>::build_subnet(subnet);
            }
        }
    }
}
