//! The calls.

use frame_support::pallet_macros::pallet_section;

/// Calls, with the names, numbers and arguments that they have on Bittensor.
#[pallet_section]
mod dispatches {
    #[pallet::call]
    impl<T: Config> Pallet<T> {
        /// Sets the weights that the signing hotkey gives to the neurons `dests`. Free of charge.
        #[pallet::call_index(0)]
        #[pallet::weight((weigh::<T>(200, 12, 2), DispatchClass::Normal, Pays::No))]
        pub fn set_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            dests: Vec<u16>,
            weights: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_set_weights(&hotkey, netuid, 0, &dests, &weights, version_key)
        }

        /// Stakes TAO of the signing coldkey on a hotkey.
        #[pallet::call_index(2)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn add_stake(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: NetUid,
            amount_staked: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_add_stake(&coldkey, &hotkey, netuid, amount_staked)
        }

        /// Takes back alpha that the signing coldkey staked on a hotkey, as TAO.
        #[pallet::call_index(3)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn remove_stake(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: NetUid,
            amount_unstaked: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_remove_stake(&coldkey, &hotkey, netuid, amount_unstaked)
        }

        /// Announces where the signing hotkey is reached. Free of charge.
        #[pallet::call_index(4)]
        #[pallet::weight((weigh::<T>(100, 4, 1), DispatchClass::Normal, Pays::No))]
        pub fn serve_axon(
            origin: OriginFor<T>,
            netuid: NetUid,
            version: u32,
            ip: u128,
            port: u16,
            ip_type: u8,
            protocol: u8,
            placeholder1: u8,
            placeholder2: u8,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let block = Self::current_block();
            let axon = AxonInfo {
                block,
                version,
                ip,
                port,
                ip_type,
                protocol,
                placeholder1,
                placeholder2,
            };
            Self::do_serve_axon(hotkey, netuid, axon)
        }

        /// Registers a hotkey at the current price. The proof of work is no longer asked for and is ignored.
        #[pallet::call_index(6)]
        #[pallet::weight(weigh::<T>(400, 30, 20))]
        pub fn register(
            origin: OriginFor<T>,
            netuid: NetUid,
            _block_number: u64,
            _nonce: u64,
            _work: Vec<u8>,
            hotkey: AccountId32,
            _coldkey: AccountId32,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register(&coldkey, netuid, hotkey)
        }

        /// Registers a hotkey at the current price, paid by the signing coldkey.
        #[pallet::call_index(7)]
        #[pallet::weight(weigh::<T>(400, 30, 20))]
        pub fn burned_register(
            origin: OriginFor<T>,
            netuid: NetUid,
            hotkey: AccountId32,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register(&coldkey, netuid, hotkey)
        }

        /// Adds a subnet that the signing coldkey owns, and registers its hotkey there.
        #[pallet::call_index(59)]
        #[pallet::weight(weigh::<T>(400, 20, 30))]
        pub fn register_network(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register_network(&coldkey, hotkey)
        }

        /// Starts the emission of a subnet; for its owner.
        #[pallet::call_index(92)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn start_call(origin: OriginFor<T>, netuid: NetUid) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_start_call(&coldkey, netuid)
        }

        /// Sets weights in one mechanism of a subnet. Free of charge.
        #[pallet::call_index(119)]
        #[pallet::weight((weigh::<T>(200, 12, 2), DispatchClass::Normal, Pays::No))]
        pub fn set_mechanism_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            mecid: u8,
            dests: Vec<u16>,
            weights: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_set_weights(&hotkey, netuid, mecid, &dests, &weights, version_key)
        }

        /// Registers a hotkey unless the price, in rao, is above a limit.
        #[pallet::call_index(134)]
        #[pallet::weight(weigh::<T>(400, 30, 20))]
        pub fn register_limit(
            origin: OriginFor<T>,
            netuid: NetUid,
            hotkey: AccountId32,
            limit_price: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            ensure!(
                Burn::<T>::get(netuid) <= limit_price,
                Error::<T>::RegistrationPriceLimitExceeded
            );
            Self::do_register(&coldkey, netuid, hotkey)
        }
    }

    /// The weight of a call from microseconds of computation and numbers of storage reads and writes. Estimates: they
    /// bound how much a block holds, and nobody pays for weights calls.
    fn weigh<T: Config>(micros: u64, reads: u64, writes: u64) -> Weight {
        Weight::from_parts(micros * 1_000_000, 0)
            .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
    }
}
