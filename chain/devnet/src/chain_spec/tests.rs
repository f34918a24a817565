//! Whether a spec holds the state that the devnet starts from.

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;
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

/// What `sc-chain-spec` reads, field by field; it refuses any that it does not know.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NodesSpec {
    name: String,
    id: String,
    chain_type: String,
    boot_nodes: Vec<String>,
    telemetry_endpoints: Option<Vec<(String, u8)>>,
    protocol_id: Option<String>,
    properties: Option<Map<String, Value>>,
    code_substitutes: BTreeMap<String, String>,
    genesis: NodesGenesis,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
enum NodesGenesis {
    #[serde(rename_all = "camelCase")]
    Raw {
        top: BTreeMap<String, String>,
        children_default: BTreeMap<String, BTreeMap<String, String>>,
    },
    RuntimeGenesis {
        code: String,
        config: Value,
    },
}

#[test]
fn a_node_reads_every_field_and_misses_none() {
    let genesis = Genesis::development(Duration::from_secs(12));
    for raw in [false, true] {
        let spec = chain_spec(&genesis, Some(WASM), raw).unwrap();
        let read: NodesSpec = serde_json::from_value(spec).unwrap();
        assert!(!read.name.is_empty() && !read.id.is_empty());
        assert!(["Development", "Local", "Live"].contains(&read.chain_type.as_str()));
        assert!(read.boot_nodes.is_empty() && read.code_substitutes.is_empty());
        assert!(read.telemetry_endpoints.is_none() && read.protocol_id.is_none());
        assert_eq!(read.properties.unwrap()["ss58Format"], 42);
        let bytes = |text: &str| hex::decode(text.strip_prefix("0x").unwrap()).unwrap();
        match (raw, read.genesis) {
            (
                true,
                NodesGenesis::Raw {
                    top,
                    children_default,
                },
            ) => {
                assert!(children_default.is_empty());
                assert_eq!(bytes(&top["0x3a636f6465"]), WASM);
                for (key, value) in &top {
                    assert!(!bytes(key).is_empty());
                    bytes(value);
                }
            }
            (false, NodesGenesis::RuntimeGenesis { code, config }) => {
                assert_eq!(bytes(&code), WASM);
                // What the runtime's own `GenesisBuilder_build_state` takes, which a node calls.
                crate::genesis::build(&Ledger::new(Keep::default(), None).empty_state(), &config)
                    .unwrap();
            }
            _ => panic!("the genesis is of the other kind"),
        }
    }
}
