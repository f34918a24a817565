//! Whether a spec holds the state that the devnet starts from.

use std::time::Duration;

use sp_runtime::traits::BlakeTwo256;
use sp_trie::{LayoutV1, TrieConfiguration as _};

use super::*;
use crate::{chain::Chain, config::Clock};

const WASM: &[u8] = b"\0asm\x01\0\0\0";

#[test]
fn the_raw_state_has_the_root_of_block_0() {
    let genesis = Genesis::development(Duration::from_secs(12));
    let spec = chain_spec(&genesis, None, true).unwrap();
    let pairs: Vec<(Vec<u8>, Vec<u8>)> = spec["genesis"]["raw"]["top"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(key, value)| {
            let bytes = |text: &str| hex::decode(&text[2..]).unwrap();
            (bytes(key), bytes(value.as_str().unwrap()))
        })
        .collect();
    let chain = Chain::new(Clock::Virtual, &genesis).unwrap();
    let root = chain.read(|ledger| ledger.best().header.state_root);
    assert_eq!(LayoutV1::<BlakeTwo256>::trie_root(pairs), root);
}

#[test]
fn the_code_stands_where_a_node_looks_for_it() {
    let genesis = Genesis::development(Duration::from_secs(12));
    let code = hexadecimal(WASM);
    let raw = chain_spec(&genesis, Some(WASM), true).unwrap();
    assert_eq!(raw["genesis"]["raw"]["top"]["0x3a636f6465"], code);
    let built = chain_spec(&genesis, Some(WASM), false).unwrap();
    assert_eq!(built["genesis"]["runtimeGenesis"]["code"], code);
    let config = &built["genesis"]["runtimeGenesis"]["config"];
    assert_eq!(*config, genesis.to_json().unwrap());
    let error = chain_spec(&genesis, Some(b"#!/bin/sh"), true).unwrap_err();
    assert_eq!(error, SpecError::NotWasm);
}

#[test]
fn a_genesis_that_contradicts_itself_gives_no_spec() {
    let mut genesis = Genesis::development(Duration::from_secs(12));
    genesis.subnets.push(genesis.subnets[0].clone());
    let error = chain_spec(&genesis, None, false).unwrap_err();
    assert!(error.to_string().contains("appears twice"), "{error}");
}
