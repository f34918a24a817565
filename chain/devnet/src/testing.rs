//! What the tests of this crate share: signed extrinsics, and a chain to send them to.

use std::{sync::Arc, time::Duration};

use athanor_runtime::{RuntimeCall, subtensor::Call, subtensor::NeuronGenesis};
use codec::{Decode, Encode};
use sp_core::{crypto::AccountId32, sr25519};

use crate::{
    chain::Chain,
    config::{Clock, TAO},
    development::{development_account, development_pair, sign},
    executor,
    genesis::Genesis,
};

/// The subnet of the tests.
pub(crate) const NETUID: u16 = 1;
/// Its tempo.
pub(crate) const TEMPO: u16 = 10;

/// The development genesis with a short tempo, a stake threshold of 50 TAO, and Bob as a validator with
/// 1000 TAO of stake.
pub(crate) fn genesis() -> Genesis {
    let mut genesis = Genesis::development(Duration::from_secs(12));
    genesis.subnets[0].tempo = TEMPO;
    genesis.stake_threshold = 50 * TAO;
    genesis.subnets[0].neurons = vec![NeuronGenesis {
        coldkey: account("Bob"),
        hotkey: account("Bob//hotkey"),
        stake: 1_000 * TAO,
    }];
    genesis
}

/// A chain on a virtual clock.
pub(crate) fn chain() -> Arc<Chain> {
    Arc::new(Chain::new(Clock::Virtual, &genesis()).unwrap())
}

/// An account as the runtime's calls take it.
pub(crate) fn account(name: &str) -> AccountId32 {
    development_account(name).into()
}

/// An extrinsic for this chain.
pub(crate) fn signed(
    chain: &Chain,
    signer: &sr25519::Pair,
    nonce: u32,
    tip: u64,
    call: impl Into<RuntimeCall>,
) -> Vec<u8> {
    let genesis = chain.read(|ledger| ledger.hash(0)).unwrap();
    sign(genesis, signer, nonce, tip, call)
}

/// Signs with a development account and submits.
pub(crate) fn send(chain: &Chain, name: &str, call: impl Into<RuntimeCall>) {
    let account = development_account(name);
    let nonce = next_nonce(chain, &account);
    let bytes = signed(chain, &development_pair(name), nonce, 0, call);
    chain.submit(bytes, None).unwrap();
}

fn next_nonce(chain: &Chain, account: &[u8; 32]) -> u32 {
    let on_chain: u32 = query(chain, "AccountNonceApi_account_nonce", account.encode());
    on_chain + chain.pool().pending_nonces(account, on_chain)
}

/// A runtime call over the newest state.
pub(crate) fn query<R: Decode>(chain: &Chain, method: &str, data: Vec<u8>) -> R {
    let state = chain.read(|ledger| ledger.best_state());
    R::decode(&mut &executor::query(&state, method, &data).unwrap()[..]).unwrap()
}

/// Makes blocks until the newest has this number.
pub(crate) fn seal_to(chain: &Chain, number: u32) {
    while chain.read(|ledger| ledger.best().header.number) < number {
        chain.seal().unwrap();
    }
}

pub(crate) fn burned_register(hotkey: &str) -> Call<athanor_runtime::Runtime> {
    Call::burned_register {
        netuid: NETUID,
        hotkey: account(hotkey),
    }
}

pub(crate) fn add_stake(hotkey: &str, tao: u64) -> Call<athanor_runtime::Runtime> {
    Call::add_stake {
        hotkey: account(hotkey),
        netuid: NETUID,
        amount_staked: tao * TAO,
    }
}

pub(crate) fn set_weights(weights: &[(u16, u16)]) -> Call<athanor_runtime::Runtime> {
    let (dests, weights) = weights.iter().copied().unzip();
    Call::set_weights {
        netuid: NETUID,
        dests,
        weights,
        version_key: 0,
    }
}
