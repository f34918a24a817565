//! Whether blocks are what they claim to be, and the same every time.

use athanor_runtime::{
    Header, NeuronInfo, NeuronInfoLite,
    subtensor::{Call, NeuronGenesis},
};
use codec::{Compact, Encode};
use sp_core::H256;
use sp_runtime::traits::{BlakeTwo256, Header as _};
use sp_state_machine::{Backend, IterArgs};
use sp_trie::{LayoutV1, TrieConfiguration};

use crate::{
    executor,
    ledger::{Body, StateError},
    testing::*,
};

use super::{Chain, extrinsics_root};

/// A chain on which neurons register, stake, announce themselves and set weights, over two epochs.
fn busy_chain() -> std::sync::Arc<Chain> {
    let chain = chain();
    for name in ["Charlie", "Dave", "Eve"] {
        send(&chain, name, burned_register(&format!("{name}//hotkey")));
    }
    chain.seal().unwrap();
    send(&chain, "Charlie", add_stake("Charlie//hotkey", 100));
    for name in ["Dave//hotkey", "Eve//hotkey"] {
        let axon = Call::serve_axon {
            netuid: NETUID,
            version: 1,
            ip: 0x7f00_0001,
            port: 9_000,
            ip_type: 4,
            protocol: 4,
            placeholder1: 0,
            placeholder2: 0,
        };
        send(&chain, name, axon);
    }
    send(
        &chain,
        "Bob//hotkey",
        set_weights(&[(2, 40_000), (3, 20_000)]),
    );
    seal_to(&chain, u32::from(TEMPO) + 2);
    send(&chain, "Charlie//hotkey", set_weights(&[(2, 1), (3, 1)]));
    seal_to(&chain, 2 * u32::from(TEMPO) + 2);
    chain
}

fn blocks(chain: &Chain) -> Vec<(H256, Header, Body)> {
    chain.read(|ledger| {
        (0..=ledger.best().header.number)
            .map(|number| {
                let hash = ledger.hash(number).unwrap();
                let block = ledger.block(&hash).unwrap();
                (hash, block.header, (*block.body).clone())
            })
            .collect()
    })
}

/// The arguments of `Core_execute_block` for a block.
fn encode_block(header: &Header, body: &Body) -> Vec<u8> {
    let count = u32::try_from(body.len()).expect("a block holds fewer extrinsics than 2^32");
    let mut encoded = header.encode();
    Compact(count).encode_to(&mut encoded);
    for extrinsic in body {
        encoded.extend_from_slice(extrinsic);
    }
    encoded
}

/// Executes a block over its parent's state, as a node does that did not make it.
fn execute(chain: &Chain, header: &Header, body: &Body) -> Result<(), executor::CallError> {
    let state = chain
        .read(|ledger| ledger.state(header.parent_hash()))
        .unwrap();
    executor::query(&state, "Core_execute_block", &encode_block(header, body)).map(|_| ())
}

#[test]
fn the_same_extrinsics_on_a_virtual_clock_give_the_same_blocks() {
    // Signatures are random, so the second chain gets the extrinsics of the first one.
    let first = blocks(&busy_chain());
    let second = chain();
    for (_, header, body) in &first[1..] {
        for extrinsic in &body[1..] {
            second.submit(extrinsic.clone(), None).unwrap();
        }
        seal_to(&second, header.number);
    }
    let hashes = |blocks: Vec<(H256, Header, Body)>| -> Vec<H256> {
        blocks.into_iter().map(|(hash, ..)| hash).collect()
    };
    assert_eq!(hashes(first), hashes(blocks(&second)));
}

#[test]
fn every_block_executes_again_to_the_roots_in_its_header() {
    let chain = busy_chain();
    let mut parent = H256::zero();
    let mut extrinsics = 0;
    for (hash, header, body) in blocks(&chain) {
        assert_eq!(header.hash(), hash);
        assert_eq!(header.parent_hash, parent);
        assert_eq!(header.extrinsics_root, extrinsics_root(&body));
        let state = chain.read(|ledger| ledger.state(&hash)).unwrap();
        let pairs: Vec<(Vec<u8>, Vec<u8>)> = state
            .pairs(IterArgs::default())
            .unwrap()
            .map(|pair| pair.unwrap())
            .collect();
        assert_eq!(header.state_root, LayoutV1::<BlakeTwo256>::trie_root(pairs));
        if header.number > 0 {
            execute(&chain, &header, &body).unwrap();
        }
        extrinsics += body.len();
        parent = hash;
    }
    // The time of each block, and the eight extrinsics that were sent.
    assert_eq!(extrinsics, 2 * usize::from(TEMPO) + 2 + 8);
}

#[test]
fn a_block_that_was_tampered_with_does_not_execute() {
    let chain = busy_chain();
    let (_, header, body) = blocks(&chain)
        .into_iter()
        .max_by_key(|(_, _, body)| body.len())
        .unwrap();
    execute(&chain, &header, &body).unwrap();
    let check = |name: &str, header: Header, body: Body| {
        assert!(
            execute(&chain, &header, &body).is_err(),
            "{name} was not noticed"
        );
    };
    let other = H256::repeat_byte(7);
    check(
        "another state root",
        Header {
            state_root: other,
            ..header.clone()
        },
        body.clone(),
    );
    check(
        "another extrinsics root",
        Header {
            extrinsics_root: other,
            ..header.clone()
        },
        body.clone(),
    );
    check(
        "another number",
        Header {
            number: header.number + 1,
            ..header.clone()
        },
        body.clone(),
    );
    check(
        "a missing extrinsic",
        header.clone(),
        body[..body.len() - 1].to_vec(),
    );
    let mut swapped = body.clone();
    swapped.swap(1, 2);
    check("another order", header.clone(), swapped);
    let mut flipped = body.clone();
    *flipped.last_mut().unwrap().last_mut().unwrap() ^= 1;
    check("a flipped bit", header.clone(), flipped.clone());
    let root = extrinsics_root(&flipped);
    check(
        "a flipped bit with its root",
        Header {
            extrinsics_root: root,
            ..header
        },
        flipped,
    );
}

#[test]
fn states_leave_after_256_blocks_and_take_their_nodes_along() {
    let chain = busy_chain();
    let old = chain.read(|ledger| ledger.hash(3)).unwrap();
    let missing = H256::repeat_byte(9);
    let state_of = |hash: H256| chain.read(|ledger| ledger.state(&hash).map(|_| ()));
    assert_eq!(state_of(old), Ok(()));
    seal_to(&chain, 300);
    assert_eq!(state_of(old), Err(StateError::Discarded(old)));
    assert_eq!(state_of(missing), Err(StateError::Unknown(missing)));
    let oldest = chain.read(|ledger| ledger.hash(45)).unwrap();
    let state = chain.read(|ledger| ledger.state(&oldest)).unwrap();
    let pairs: Vec<_> = state
        .pairs(IterArgs::default())
        .unwrap()
        .map(|pair| pair.unwrap())
        .collect();
    let root = chain.read(|ledger| ledger.block(&oldest).unwrap().header.state_root);
    assert_eq!(root, LayoutV1::<BlakeTwo256>::trie_root(pairs));
    let before = chain.read(|ledger| ledger.node_count());
    seal_to(&chain, 400);
    let after = chain.read(|ledger| ledger.node_count());
    // System.BlockHash grows by an entry per block until it holds 2400; nothing else may accumulate.
    assert!(
        after < before + 400,
        "{before} nodes grew to {after} in 100 blocks"
    );
}

#[test]
fn an_extrinsic_that_panics_the_runtime_leaves_no_trace() {
    let chain = chain();
    let state = chain.read(|ledger| ledger.best_state());
    let error = executor::query(&state, "BlockBuilder_apply_extrinsic", &[1, 2, 3]).unwrap_err();
    assert!(matches!(error, executor::CallError::Panicked(_)), "{error}");
    let error = executor::query(&state, "Nothing_here", &[]).unwrap_err();
    let text = "Execution failed: Other: Exported method Nothing_here is not found";
    assert_eq!(error.to_string(), text);
    chain.seal().unwrap();
}

#[test]
fn registering_staking_and_voting_pays_miners_and_validators_what_is_minted() {
    let chain = busy_chain();
    let neurons: Vec<NeuronInfoLite> = query(
        &chain,
        "NeuronInfoRuntimeApi_get_neurons_lite",
        NETUID.encode(),
    );
    let hotkeys = [
        "Bob//hotkey",
        "Charlie//hotkey",
        "Dave//hotkey",
        "Eve//hotkey",
    ];
    assert_eq!(neurons.len(), hotkeys.len());
    for (neuron, hotkey) in neurons.iter().zip(hotkeys) {
        assert_eq!(neuron.hotkey, account(hotkey));
        assert_eq!(
            neuron.coldkey,
            account(hotkey.strip_suffix("//hotkey").unwrap())
        );
    }
    let [bob, charlie, dave, eve] = neurons.as_slice() else {
        unreachable!()
    };
    assert!(bob.validator_permit && charlie.validator_permit && !dave.validator_permit);
    assert_eq!(
        (dave.axon_info.ip, dave.axon_info.port),
        (0x7f00_0001, 9_000)
    );
    assert!(dave.incentive.0 > eve.incentive.0 && eve.incentive.0 > 0);
    assert!(bob.dividends.0 > charlie.dividends.0 && bob.incentive.0 == 0);
    // Who earned holds it as stake.
    let stake = |neuron: &NeuronInfoLite| neuron.stake[0].1.0;
    assert!(stake(dave) > stake(eve) && stake(eve) > 0);
    assert!(stake(bob) > 1_000 * crate::TAO && stake(charlie) >= 100 * crate::TAO);
    // Two epochs shared out the emission of their twenty blocks, but for less than a rao per neuron and epoch.
    let minted = 2 * u64::from(TEMPO) * crate::TAO;
    let staked: u64 = neurons.iter().map(stake).sum();
    let paid = staked - 1_100 * crate::TAO;
    assert!(
        paid <= minted && minted - paid <= 16,
        "{paid} of {minted} rao were paid out"
    );
    let emission: u64 = neurons.iter().map(|neuron| neuron.emission.0).sum();
    let epoch = u64::from(TEMPO) * crate::TAO;
    assert!(
        emission <= epoch && epoch - emission <= 16,
        "{emission} of {epoch} rao"
    );
}

#[test]
fn the_chain_is_the_beacon_that_timelocked_commits_wait_for() {
    let mut genesis = genesis();
    genesis.subnets[0].commit_reveal = true;
    let chain = std::sync::Arc::new(Chain::new(crate::Clock::Virtual, &genesis).unwrap());
    seal_to(&chain, 1);
    let commit = Call::commit_timelocked_weights {
        netuid: NETUID,
        commit: vec![1; 300].try_into().unwrap(),
        reveal_round: 9,
        commit_reveal_version: 4,
    };
    send(&chain, "Bob//hotkey", commit);
    seal_to(&chain, 2);
    let awaited = |now: u64| query::<Vec<u64>>(&chain, "BeaconApi_awaited_rounds", now.encode());
    // Rounds of three seconds: the ninth begins 24 seconds after the epoch.
    assert_eq!((awaited(23_999), awaited(24_000)), (vec![], vec![9]));
    seal_to(&chain, 3);
    assert!(awaited(u64::MAX).is_empty());
    // What it opens is nobody's weights: dropped, and the chain goes on.
    seal_to(&chain, 2 * u32::from(TEMPO));
}

/// Neurons as UIDs 0 to 2, whose weights are hidden; Bob's hotkey validates.
fn hiding_chain() -> std::sync::Arc<Chain> {
    let mut genesis = genesis();
    genesis.subnets[0].commit_reveal = true;
    for name in ["Charlie", "Dave"] {
        genesis.subnets[0].neurons.push(NeuronGenesis {
            coldkey: account(name),
            hotkey: account(&format!("{name}//hotkey")),
            stake: 0,
        });
    }
    std::sync::Arc::new(Chain::new(crate::Clock::Virtual, &genesis).unwrap())
}

/// The round that begins with this block.
fn round_of(block: u64) -> u64 {
    block * 12 / 3 + 1
}

/// Commits the row for Bob's hotkey as a client does: encrypted to a round of the beacon that the genesis names.
fn commit_row(chain: &Chain, row: &[(u16, u16)], round: u64) {
    let named = crate::beacon::genesis();
    let beacon = athanor_chain::Beacon {
        public_key: named.public_key,
        genesis: named.genesis_time.into(),
        period: named.period.into(),
    };
    let weights = athanor_chain::TimelockedWeights {
        hotkey: athanor_spec::Hotkey(crate::development_account("Bob//hotkey")),
        weights: row
            .iter()
            .map(|(uid, value)| (athanor_spec::Uid(*uid), *value))
            .collect(),
        version_key: 0,
    };
    let commit = weights.seal(round, &beacon).unwrap();
    let call = Call::commit_timelocked_weights {
        netuid: NETUID,
        commit: commit.try_into().unwrap(),
        reveal_round: round,
        commit_reveal_version: 4,
    };
    send(chain, "Bob//hotkey", call);
}

/// The row that stands on chain for Bob's hotkey.
fn standing_row(chain: &Chain) -> Vec<(u16, u16)> {
    let method = "NeuronInfoRuntimeApi_get_neuron";
    let neuron: Option<NeuronInfo> = query(chain, method, (NETUID, 0_u16).encode());
    let row = neuron.unwrap().weights.into_iter();
    row.map(|(uid, weight)| (uid.0, weight.0)).collect()
}

/// Extrinsics in the newest block: its time, and whatever else.
fn extrinsics(chain: &Chain) -> usize {
    blocks(chain).last().unwrap().2.len()
}

const ROW: [(u16, u16); 2] = [(1, 65_535), (2, 20_000)];

#[test]
fn weights_that_a_client_locks_to_the_beacons_round_stand_on_chain_in_their_epoch() {
    let chain = hiding_chain();
    seal_to(&chain, 1);
    commit_row(&chain, &ROW, round_of(8));
    seal_to(&chain, 7);
    assert_eq!(extrinsics(&chain), 1, "the round has not begun");
    seal_to(&chain, 8);
    assert_eq!(extrinsics(&chain), 2, "the pulse comes by inherent");
    seal_to(&chain, 9);
    assert_eq!(standing_row(&chain), [], "the epoch has not come");
    seal_to(&chain, 10);
    assert_eq!(standing_row(&chain), ROW);
    // They paid in the very epoch that revealed them.
    let neurons: Vec<NeuronInfoLite> = query(
        &chain,
        "NeuronInfoRuntimeApi_get_neurons_lite",
        NETUID.encode(),
    );
    assert!(neurons[1].incentive.0 > neurons[2].incentive.0 && neurons[2].incentive.0 > 0);
}

#[test]
fn a_late_pulse_still_reveals_within_the_epoch_and_one_that_is_later_does_not() {
    let chain = hiding_chain();
    seal_to(&chain, 1);
    commit_row(&chain, &ROW, round_of(13));
    seal_to(&chain, 13);
    assert_eq!(standing_row(&chain), [], "the pulse is in this block");
    seal_to(&chain, 14);
    assert_eq!(standing_row(&chain), ROW);

    // Committed in epoch 1, so that it must open before block 30.
    commit_row(&chain, &[(2, 65_535)], round_of(31));
    seal_to(&chain, 29);
    let awaited = || query::<Vec<u64>>(&chain, "BeaconApi_awaited_rounds", u64::MAX.encode());
    assert_eq!(awaited(), [round_of(31)]);
    seal_to(&chain, 30);
    assert!(awaited().is_empty(), "it is lost");
    seal_to(&chain, 33);
    assert_eq!(extrinsics(&chain), 1, "nobody asks for its pulse");
    assert_eq!(standing_row(&chain), ROW);
}
