//! The calls.

use frame_support::pallet_macros::pallet_section;

/// Calls, with the names, numbers and arguments that they have on Bittensor. What each does is in the room of its topic.
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
            let given = Given {
                uids: &dests,
                values: &weights,
                version_key,
                committed_at: None,
            };
            Self::do_set_weights(&hotkey, netuid, 0, &given)
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
            Self::do_serve_axon(hotkey, netuid, axon, None)
        }

        /// Announces where the signing hotkey's metrics are read. Free of charge.
        #[pallet::call_index(5)]
        #[pallet::weight((weigh::<T>(100, 4, 1), DispatchClass::Normal, Pays::No))]
        pub fn serve_prometheus(
            origin: OriginFor<T>,
            netuid: NetUid,
            version: u32,
            ip: u128,
            port: u16,
            ip_type: u8,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let block = Self::current_block();
            let prometheus = PrometheusInfo {
                block,
                version,
                ip,
                port,
                ip_type,
            };
            Self::do_serve_prometheus(hotkey, netuid, prometheus)
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

        /// Announces where the signing hotkey is reached, and its public key for TLS. Free of charge.
        #[pallet::call_index(40)]
        #[pallet::weight((weigh::<T>(100, 4, 2), DispatchClass::Normal, Pays::No))]
        pub fn serve_axon_tls(
            origin: OriginFor<T>,
            netuid: NetUid,
            version: u32,
            ip: u128,
            port: u16,
            ip_type: u8,
            protocol: u8,
            placeholder1: u8,
            placeholder2: u8,
            certificate: Vec<u8>,
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
            Self::do_serve_axon(hotkey, netuid, axon, Some(&certificate))
        }

        /// Adds a subnet that the signing coldkey owns, and registers its hotkey there.
        #[pallet::call_index(59)]
        #[pallet::weight(weigh::<T>(400, 20, 30))]
        pub fn register_network(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register_network(&coldkey, hotkey, None)
        }

        /// Removes a subnet; for root, whose word the coldkey does not change.
        #[pallet::call_index(61)]
        #[pallet::weight((weigh::<T>(20_000, 2_000, 2_000), DispatchClass::Operational))]
        pub fn dissolve_network(
            origin: OriginFor<T>,
            _coldkey: AccountId32,
            netuid: NetUid,
        ) -> DispatchResult {
            ensure_root(origin)?;
            Self::do_dissolve_network(netuid)
        }

        /// Gives a hotkey a seat on root.
        #[pallet::call_index(62)]
        #[pallet::weight(weigh::<T>(400, 30, 20))]
        pub fn root_register(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_root_register(&coldkey, hotkey)
        }

        /// Lowers the take of the signing coldkey's hotkey, out of 65535. Free of charge.
        #[pallet::call_index(65)]
        #[pallet::weight((weigh::<T>(50, 4, 2), DispatchClass::Normal, Pays::No))]
        pub fn decrease_take(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            take: u16,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_change_take(coldkey, hotkey, take, false)
        }

        /// Raises the take of the signing coldkey's hotkey, out of 65535. Free of charge.
        #[pallet::call_index(66)]
        #[pallet::weight((weigh::<T>(50, 4, 2), DispatchClass::Normal, Pays::No))]
        pub fn increase_take(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            take: u16,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_change_take(coldkey, hotkey, take, true)
        }

        /// Chooses whom the signing coldkey's hotkey lends which part of its stake to; nobody revokes.
        #[pallet::call_index(67)]
        #[pallet::weight(weigh::<T>(120, 20, 20))]
        pub fn set_children(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: NetUid,
            children: Vec<(u64, AccountId32)>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_set_children(&coldkey, hotkey, netuid, children)
        }

        /// Says how the signing coldkey presents itself.
        #[pallet::call_index(68)]
        #[pallet::weight(weigh::<T>(60, 6, 1))]
        pub fn set_identity(
            origin: OriginFor<T>,
            name: Vec<u8>,
            url: Vec<u8>,
            github_repo: Vec<u8>,
            image: Vec<u8>,
            discord: Vec<u8>,
            description: Vec<u8>,
            additional: Vec<u8>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let identity = ChainIdentityV2 {
                name,
                url,
                github_repo,
                image,
                discord,
                description,
                additional,
            };
            Self::do_set_identity(coldkey, identity)
        }

        /// Sets `TxChildkeyTakeRateLimit`.
        #[pallet::call_index(69)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn sudo_set_tx_childkey_take_rate_limit(
            origin: OriginFor<T>,
            tx_rate_limit: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            TxChildkeyTakeRateLimit::<T>::put(tx_rate_limit);
            Self::deposit_event(Event::TxChildKeyTakeRateLimitSet(tx_rate_limit));
            Ok(())
        }

        /// Puts another hotkey of the signing coldkey in the place of one: on one subnet, or on all.
        #[pallet::call_index(70)]
        #[pallet::weight(weigh::<T>(1_000, 200, 200))]
        pub fn swap_hotkey(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            new_hotkey: AccountId32,
            netuid: Option<NetUid>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_swap_hotkey(&coldkey, &hotkey, &new_hotkey, netuid)
        }

        /// Sets what a hotkey keeps of what it earns with borrowed stake, out of 65535.
        #[pallet::call_index(75)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn set_childkey_take(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: NetUid,
            take: u16,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_set_childkey_take(&coldkey, hotkey, netuid, take)
        }

        /// Sets `MinChildkeyTake`.
        #[pallet::call_index(76)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn sudo_set_min_childkey_take(origin: OriginFor<T>, take: u16) -> DispatchResult {
            ensure_root(origin)?;
            MinChildkeyTake::<T>::put(take);
            Self::deposit_event(Event::MinChildKeyTakeSet(take));
            Ok(())
        }

        /// Sets `MaxChildkeyTake`.
        #[pallet::call_index(77)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn sudo_set_max_childkey_take(origin: OriginFor<T>, take: u16) -> DispatchResult {
            ensure_root(origin)?;
            MaxChildkeyTake::<T>::put(take);
            Self::deposit_event(Event::MaxChildKeyTakeSet(take));
            Ok(())
        }

        /// Says how a subnet presents itself; for its owner.
        #[pallet::call_index(78)]
        #[pallet::weight(weigh::<T>(60, 4, 1))]
        pub fn set_subnet_identity(
            origin: OriginFor<T>,
            netuid: NetUid,
            subnet_name: Vec<u8>,
            github_repo: Vec<u8>,
            subnet_contact: Vec<u8>,
            subnet_url: Vec<u8>,
            discord: Vec<u8>,
            description: Vec<u8>,
            logo_url: Vec<u8>,
            additional: Vec<u8>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let identity = SubnetIdentityV3 {
                subnet_name,
                github_repo,
                subnet_contact,
                subnet_url,
                discord,
                description,
                logo_url,
                additional,
            };
            Self::do_set_subnet_identity(&coldkey, netuid, identity)
        }

        /// Adds a subnet and says how it presents itself.
        #[pallet::call_index(79)]
        #[pallet::weight(weigh::<T>(400, 20, 31))]
        pub fn register_network_with_identity(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            identity: Option<SubnetIdentityV3>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_register_network(&coldkey, hotkey, identity)
        }

        /// Sets weights on several subnets. Free of charge.
        #[pallet::call_index(80)]
        #[pallet::weight((weigh::<T>(300, 30, 6), DispatchClass::Normal, Pays::No))]
        pub fn batch_set_weights(
            origin: OriginFor<T>,
            netuids: Vec<Compact<NetUid>>,
            weights: Vec<Vec<(Compact<u16>, Compact<u16>)>>,
            version_keys: Vec<Compact<u64>>,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_batch_set_weights(hotkey, netuids, &weights, &version_keys)
        }

        /// Takes back all that the signing coldkey staked on a hotkey.
        #[pallet::call_index(83)]
        #[pallet::weight(weigh::<T>(600, 40, 30))]
        pub fn unstake_all(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_unstake_all(&coldkey, &hotkey)
        }

        /// Moves all that the signing coldkey staked on a hotkey to root.
        #[pallet::call_index(84)]
        #[pallet::weight(weigh::<T>(600, 40, 30))]
        pub fn unstake_all_alpha(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_unstake_all_alpha(&coldkey, &hotkey)
        }

        /// Moves stake to another hotkey.
        #[pallet::call_index(85)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn move_stake(
            origin: OriginFor<T>,
            origin_hotkey: AccountId32,
            destination_hotkey: AccountId32,
            origin_netuid: NetUid,
            destination_netuid: NetUid,
            alpha_amount: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let hotkeys = (origin_hotkey, destination_hotkey);
            let netuids = (origin_netuid, destination_netuid);
            Self::do_move_stake(coldkey, hotkeys, netuids, alpha_amount)
        }

        /// Gives stake to another coldkey.
        #[pallet::call_index(86)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn transfer_stake(
            origin: OriginFor<T>,
            destination_coldkey: AccountId32,
            hotkey: AccountId32,
            origin_netuid: NetUid,
            destination_netuid: NetUid,
            alpha_amount: u64,
        ) -> DispatchResult {
            let coldkeys = (ensure_signed(origin)?, destination_coldkey);
            let netuids = (origin_netuid, destination_netuid);
            Self::do_transfer_stake(coldkeys, hotkey, netuids, alpha_amount)
        }

        /// Moves stake to another subnet.
        #[pallet::call_index(87)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn swap_stake(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            origin_netuid: NetUid,
            destination_netuid: NetUid,
            alpha_amount: u64,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let netuids = (origin_netuid, destination_netuid);
            Self::do_swap_stake(coldkey, hotkey, netuids, alpha_amount)
        }

        /// Stakes TAO unless an alpha costs more than `limit_price` rao.
        #[pallet::call_index(88)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn add_stake_limit(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: NetUid,
            amount_staked: u64,
            limit_price: u64,
            allow_partial: bool,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_add_stake_limit(
                &coldkey,
                &hotkey,
                netuid,
                amount_staked,
                limit_price,
                allow_partial,
            )
        }

        /// Takes back alpha unless it yields less than `limit_price` rao.
        #[pallet::call_index(89)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn remove_stake_limit(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: NetUid,
            amount_unstaked: u64,
            limit_price: u64,
            allow_partial: bool,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_remove_stake_limit(
                &coldkey,
                &hotkey,
                netuid,
                amount_unstaked,
                limit_price,
                allow_partial,
            )
        }

        /// Moves stake to another subnet unless an alpha yields less than `limit_price` rao's worth of the other.
        #[pallet::call_index(90)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn swap_stake_limit(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            origin_netuid: NetUid,
            destination_netuid: NetUid,
            alpha_amount: u64,
            limit_price: u64,
            allow_partial: bool,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::check_price(limit_price <= PRICE, allow_partial)?;
            let netuids = (origin_netuid, destination_netuid);
            Self::do_swap_stake(coldkey, hotkey, netuids, alpha_amount)
        }

        /// Makes a hotkey the signing coldkey's.
        #[pallet::call_index(91)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn try_associate_hotkey(origin: OriginFor<T>, hotkey: AccountId32) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::associate(&coldkey, &hotkey)
        }

        /// Starts the emission of a subnet; for its owner.
        #[pallet::call_index(92)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn start_call(origin: OriginFor<T>, netuid: NetUid) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_start_call(&coldkey, netuid)
        }

        /// Commits weights by hash. Free of charge.
        #[pallet::call_index(96)]
        #[pallet::weight((weigh::<T>(100, 14, 3), DispatchClass::Normal, Pays::No))]
        pub fn commit_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            commit_hash: H256,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_weights(&hotkey, netuid, 0, commit_hash)
        }

        /// Reveals weights that were committed by hash. Free of charge.
        #[pallet::call_index(97)]
        #[pallet::weight((weigh::<T>(200, 16, 3), DispatchClass::Normal, Pays::No))]
        pub fn reveal_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            uids: Vec<u16>,
            values: Vec<u16>,
            salt: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let revealed = Revealed {
                uids,
                values,
                salt,
                version_key,
            };
            Self::do_reveal_weights(&hotkey, netuid, 0, &revealed)
        }

        /// Reveals several weights that were committed by hash. Free of charge.
        #[pallet::call_index(98)]
        #[pallet::weight((weigh::<T>(600, 40, 6), DispatchClass::Normal, Pays::No))]
        pub fn batch_reveal_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            uids_list: Vec<Vec<u16>>,
            values_list: Vec<Vec<u16>>,
            salts_list: Vec<Vec<u16>>,
            version_keys: Vec<u64>,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let reveals = Revealed::zip(uids_list, values_list, salts_list, version_keys)
                .ok_or(Error::<T>::InputLengthsUnequal)?;
            Self::do_batch_reveal_weights(&hotkey, netuid, &reveals)
        }

        /// Commits weights on several subnets by hash. Free of charge.
        #[pallet::call_index(100)]
        #[pallet::weight((weigh::<T>(300, 30, 6), DispatchClass::Normal, Pays::No))]
        pub fn batch_commit_weights(
            origin: OriginFor<T>,
            netuids: Vec<Compact<NetUid>>,
            commit_hashes: Vec<H256>,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_batch_commit_weights(hotkey, netuids, &commit_hashes)
        }

        /// Takes stake of the signing coldkey out of the issuance.
        #[pallet::call_index(101)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn recycle_alpha(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            amount: u64,
            netuid: NetUid,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_destroy_alpha(coldkey, hotkey, amount, netuid, RecycleOrBurnEnum::Recycle)
        }

        /// Gives stake of the signing coldkey up; it stays issued.
        #[pallet::call_index(102)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn burn_alpha(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            amount: u64,
            netuid: NetUid,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_destroy_alpha(coldkey, hotkey, amount, netuid, RecycleOrBurnEnum::Burn)
        }

        /// Takes back all alpha on a hotkey unless one yields less than `limit_price` rao.
        #[pallet::call_index(103)]
        #[pallet::weight(weigh::<T>(300, 12, 8))]
        pub fn remove_stake_full_limit(
            origin: OriginFor<T>,
            hotkey: AccountId32,
            netuid: NetUid,
            limit_price: Option<u64>,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            let staked = Self::stake_of(&hotkey, &coldkey, netuid);
            let limit = limit_price.unwrap_or(0);
            Self::do_remove_stake_limit(&coldkey, &hotkey, netuid, staked, limit, false)
        }

        /// Sets `PendingChildKeyCooldown`.
        #[pallet::call_index(109)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn set_pending_childkey_cooldown(
            origin: OriginFor<T>,
            cooldown: u64,
        ) -> DispatchResult {
            ensure_root(origin)?;
            PendingChildKeyCooldown::<T>::put(cooldown);
            Ok(())
        }

        /// Commits weights that a round of public randomness opens. Free of charge.
        #[pallet::call_index(113)]
        #[pallet::weight((weigh::<T>(150, 16, 3), DispatchClass::Normal, Pays::No))]
        pub fn commit_timelocked_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            commit: TimelockedCommit,
            reveal_round: u64,
            commit_reveal_version: u16,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_timelocked_weights(
                &hotkey,
                netuid,
                0,
                commit,
                reveal_round,
                commit_reveal_version,
            )
        }

        /// Stakes the incentive of all of the signing coldkey's miners on one hotkey.
        #[pallet::call_index(114)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn set_coldkey_auto_stake_hotkey(
            origin: OriginFor<T>,
            netuid: NetUid,
            hotkey: AccountId32,
        ) -> DispatchResult {
            let coldkey = ensure_signed(origin)?;
            Self::do_set_auto_stake(coldkey, netuid, hotkey)
        }

        /// Commits weights in one mechanism of a subnet by hash. Free of charge.
        #[pallet::call_index(115)]
        #[pallet::weight((weigh::<T>(100, 14, 3), DispatchClass::Normal, Pays::No))]
        pub fn commit_mechanism_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            mecid: u8,
            commit_hash: H256,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_weights(&hotkey, netuid, mecid, commit_hash)
        }

        /// Reveals weights in one mechanism of a subnet. Free of charge.
        #[pallet::call_index(116)]
        #[pallet::weight((weigh::<T>(200, 16, 3), DispatchClass::Normal, Pays::No))]
        pub fn reveal_mechanism_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            mecid: u8,
            uids: Vec<u16>,
            values: Vec<u16>,
            salt: Vec<u16>,
            version_key: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let revealed = Revealed {
                uids,
                values,
                salt,
                version_key,
            };
            Self::do_reveal_weights(&hotkey, netuid, mecid, &revealed)
        }

        /// Commits timelocked weights in one mechanism, of the version that is accepted. Free of charge.
        #[pallet::call_index(117)]
        #[pallet::weight((weigh::<T>(150, 16, 3), DispatchClass::Normal, Pays::No))]
        pub fn commit_crv3_mechanism_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            mecid: u8,
            commit: TimelockedCommit,
            reveal_round: u64,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            let version = CommitRevealWeightsVersion::<T>::get();
            Self::do_commit_timelocked_weights(
                &hotkey,
                netuid,
                mecid,
                commit,
                reveal_round,
                version,
            )
        }

        /// Commits timelocked weights in one mechanism of a subnet. Free of charge.
        #[pallet::call_index(118)]
        #[pallet::weight((weigh::<T>(150, 16, 3), DispatchClass::Normal, Pays::No))]
        pub fn commit_timelocked_mechanism_weights(
            origin: OriginFor<T>,
            netuid: NetUid,
            mecid: u8,
            commit: TimelockedCommit,
            reveal_round: u64,
            commit_reveal_version: u16,
        ) -> DispatchResult {
            let hotkey = ensure_signed(origin)?;
            Self::do_commit_timelocked_weights(
                &hotkey,
                netuid,
                mecid,
                commit,
                reveal_round,
                commit_reveal_version,
            )
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
            let given = Given {
                uids: &dests,
                values: &weights,
                version_key,
                committed_at: None,
            };
            Self::do_set_weights(&hotkey, netuid, mecid, &given)
        }

        /// Removes a subnet; for root.
        #[pallet::call_index(120)]
        #[pallet::weight((weigh::<T>(20_000, 2_000, 2_000), DispatchClass::Operational))]
        pub fn root_dissolve_network(origin: OriginFor<T>, netuid: NetUid) -> DispatchResult {
            ensure_root(origin)?;
            Self::do_dissolve_network(netuid)
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

        /// Sets the tempo of a subnet; for its owner.
        #[pallet::call_index(139)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn set_tempo(origin: OriginFor<T>, netuid: NetUid, tempo: u16) -> DispatchResult {
            Self::do_set_tempo(origin, netuid, tempo)
        }

        /// Sets after how many thousandths of a tempo neurons count as inactive; for the owner.
        #[pallet::call_index(140)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn set_activity_cutoff_factor(
            origin: OriginFor<T>,
            netuid: NetUid,
            factor_milli: u32,
        ) -> DispatchResult {
            Self::do_set_activity_cutoff_factor(origin, netuid, factor_milli)
        }

        /// Asks for an epoch out of turn; for the owner.
        #[pallet::call_index(141)]
        #[pallet::weight(weigh::<T>(50, 4, 2))]
        pub fn trigger_epoch(origin: OriginFor<T>, netuid: NetUid) -> DispatchResult {
            Self::do_trigger_epoch(origin, netuid)
        }
    }

    /// The weight of a call from microseconds of computation and numbers of storage reads and writes. Estimates: they
    /// bound how much a block holds, and nobody pays for weights calls.
    fn weigh<T: Config>(micros: u64, reads: u64, writes: u64) -> Weight {
        Weight::from_parts(micros * 1_000_000, 0)
            .saturating_add(T::DbWeight::get().reads_writes(reads, writes))
    }
}
