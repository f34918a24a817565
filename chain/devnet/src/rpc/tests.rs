//! The shapes that clients rely on, asked as they ask them.

use std::sync::Arc;

use jsonrpsee::RpcModule;
use serde_json::{Value, json};

use super::{Api, hex, module};
use crate::{chain::Chain, development::development_pair, testing::*, workers::Workers};

struct Node {
    chain: Arc<Chain>,
    module: RpcModule<Api>,
}

impl Node {
    fn new() -> Self {
        let chain = chain();
        Self {
            module: module(chain.clone(), Workers::start(64).unwrap(), true),
            chain,
        }
    }

    /// The whole answer to a request with this id.
    async fn ask(&self, id: Value, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params });
        let (answer, _) = self
            .module
            .raw_json_request(&request.to_string(), 16)
            .await
            .unwrap();
        serde_json::from_str(answer.get()).unwrap()
    }

    async fn result(&self, method: &str, params: Value) -> Value {
        let answer = self.ask(json!(1), method, params).await;
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    async fn error(&self, method: &str, params: Value) -> (i64, String, Value) {
        let error = self.ask(json!(1), method, params).await["error"].clone();
        let message = error["message"]
            .as_str()
            .unwrap_or_else(|| panic!("{method}: {error}"));
        (
            error["code"].as_i64().unwrap(),
            message.to_owned(),
            error["data"].clone(),
        )
    }
}

#[tokio::test]
async fn hexadecimal_comes_with_and_without_its_prefix() {
    let node = Node::new();
    let with = node
        .result(
            "state_call",
            json!(["Metadata_metadata_at_version", "0x0f000000"]),
        )
        .await;
    let without = node
        .result(
            "state_call",
            json!(["Metadata_metadata_at_version", "0f000000", null]),
        )
        .await;
    assert_eq!(with, without);
    // An option that is present, a compact length, the magic number "meta" and version 15.
    let bytes = hex::decode(with.as_str().unwrap()).unwrap();
    assert_eq!((bytes[0], &bytes[5..10]), (1, b"meta\x0f".as_slice()));
    let versions = node
        .result("state_call", json!(["Metadata_metadata_versions", ""]))
        .await;
    assert_eq!(versions, "0x0c0e0000000f00000010000000");
}

#[tokio::test]
async fn missing_and_null_arguments_mean_the_newest_block() {
    let node = Node::new();
    node.chain.seal().unwrap();
    let newest = node.result("chain_getBlockHash", json!([1])).await;
    for method in [
        "chain_getBlockHash",
        "chain_getHead",
        "chain_getFinalizedHead",
    ] {
        for params in [json!([]), json!([null])] {
            assert_eq!(node.result(method, params).await, newest, "{method}");
        }
    }
    let header = node.result("chain_getHeader", json!([null])).await;
    assert_eq!(
        header,
        node.result("chain_getHeader", json!([newest])).await
    );
    assert_eq!(header["number"], "0x1");
    let genesis = node.result("chain_getBlockHash", json!(["0x0"])).await;
    assert_eq!(header["parentHash"], genesis);
    assert_eq!(
        node.result("chain_getBlockHash", json!([[0, 1]])).await,
        json!([genesis, newest])
    );
    assert_eq!(
        node.result("chain_getBlockHash", json!([7])).await,
        Value::Null
    );
    let version = node.result("state_getRuntimeVersion", json!([])).await;
    assert_eq!(version["specName"], "node-subtensor");
    assert_eq!(version["transactionVersion"], 1);
}

#[tokio::test]
async fn ids_come_back_as_they_were() {
    let node = Node::new();
    for id in [json!("aB12"), json!(7)] {
        assert_eq!(
            node.ask(id.clone(), "system_chain", json!([])).await["id"],
            id
        );
    }
}

#[tokio::test]
async fn methods_list_the_aliases_and_promise_no_family_that_is_absent() {
    let node = Node::new();
    let listed = node.result("rpc_methods", json!([])).await;
    let names: Vec<&str> = listed["methods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|name| name.as_str().unwrap())
        .collect();
    for name in [
        "account_nextIndex",
        "chain_getHead",
        "state_getStorageAt",
        "rpc_methods",
    ] {
        assert!(names.contains(&name), "{name} is not listed");
    }
    for family in [
        "chainHead_",
        "archive_",
        "transaction_",
        "transactionWatch_",
    ] {
        assert!(
            !names.iter().any(|name| name.starts_with(family)),
            "{family} is listed"
        );
    }
    assert_eq!(
        node.error("chainHead_v1_follow", json!([true])).await.0,
        -32601
    );
}

#[tokio::test]
async fn the_next_index_counts_what_waits_in_the_pool() {
    let node = Node::new();
    let alice = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY";
    assert_eq!(node.result("account_nextIndex", json!([alice])).await, 0);
    send(&node.chain, "Alice", add_stake("Bob//hotkey", 1));
    assert_eq!(node.result("account_nextIndex", json!([alice])).await, 1);
    assert_eq!(
        node.result("system_accountNextIndex", json!([alice])).await,
        1
    );
}

#[tokio::test]
async fn storage_is_read_at_a_block_by_key_and_by_page() {
    let node = Node::new();
    let start = node.result("chain_getBlockHash", json!([0])).await;
    node.chain.seal().unwrap();
    // System.Number.
    let key = "26aa394eea5630e07c48ae0c9558cef702a5c1b19ab7a04f536c519aca4983ac";
    let now = node.result("state_getStorageAt", json!([key, null])).await;
    assert_eq!(now, "0x01000000");
    assert_eq!(
        node.result("state_getStorage", json!([key, start])).await,
        Value::Null
    );
    let queried = node
        .result("state_queryStorageAt", json!([[key, "0x00"], null]))
        .await;
    assert_eq!(
        queried[0]["changes"],
        json!([[format!("0x{key}"), "0x01000000"], ["0x00", null]])
    );

    let prefix = &key[..32];
    let all = node.result("state_getKeys", json!([prefix, null])).await;
    let all = all.as_array().unwrap();
    let page = node
        .result("state_getKeysPaged", json!([prefix, 3, prefix, null]))
        .await;
    assert_eq!(page.as_array().unwrap()[..], all[..3]);
    let next = node
        .result("state_getKeysPaged", json!([prefix, 2, all[2], null]))
        .await;
    assert_eq!(next.as_array().unwrap()[..], all[3..5]);
    assert_eq!(
        node.error("state_getKeysPaged", json!([prefix, 1001]))
            .await
            .0,
        4002
    );
}

#[tokio::test]
async fn errors_have_the_words_that_clients_look_for() {
    let node = Node::new();
    let unknown = json!(format!("0x{}", "07".repeat(32)));
    let (code, message, _) = node
        .error("state_call", json!(["Core_version", "", unknown]))
        .await;
    assert_eq!(code, 4003);
    assert!(
        message.starts_with("Client error: Api called for an unknown Block: "),
        "{message}"
    );
    let (_, message, _) = node
        .error("state_call", json!(["Metadata_nothing", ""]))
        .await;
    assert!(
        message.ends_with("Exported method Metadata_nothing is not found"),
        "{message}"
    );
    let (code, message, data) = {
        let eve = development_pair("Eve//pauper");
        let call = signed(&node.chain, &eve, 0, 0, add_stake("Bob//hotkey", 1));
        node.error("author_submitExtrinsic", json!([hex::encode(&call)]))
            .await
    };
    assert_eq!((code, message.as_str()), (1010, "Invalid Transaction"));
    assert!(data.as_str().unwrap().contains("pay"), "{data}");
    assert_eq!(
        node.error("author_submitExtrinsic", json!(["0x010203"]))
            .await
            .0,
        1001
    );
    assert_eq!(
        node.error("chain_getHeader", json!(["nonsense"])).await.0,
        -32602
    );
}

#[tokio::test]
async fn a_watched_extrinsic_is_followed_to_finality() {
    let node = Node::new();
    let bytes = signed(
        &node.chain,
        &development_pair("Alice"),
        0,
        0,
        add_stake("Bob//hotkey", 1),
    );
    let mut updates = node
        .module
        .subscribe("author_submitAndWatchExtrinsic", [hex::encode(&bytes)], 8)
        .await
        .unwrap();
    assert_eq!(updates.next::<Value>().await.unwrap().unwrap().0, "ready");
    let hash = node.chain.seal().unwrap().hash;
    assert_eq!(
        updates.next::<Value>().await.unwrap().unwrap().0,
        json!({ "inBlock": hash })
    );
    assert_eq!(
        updates.next::<Value>().await.unwrap().unwrap().0,
        json!({ "finalized": hash })
    );
}

#[tokio::test]
async fn heads_are_sent_from_the_newest_on() {
    let node = Node::new();
    node.chain.seal().unwrap();
    let mut heads = node
        .module
        .subscribe_unbounded("chain_subscribeNewHeads", jsonrpsee::rpc_params![])
        .await
        .unwrap();
    assert_eq!(
        heads.next::<Value>().await.unwrap().unwrap().0["number"],
        "0x1"
    );
    node.chain.seal().unwrap();
    assert_eq!(
        heads.next::<Value>().await.unwrap().unwrap().0["number"],
        "0x2"
    );
}

#[tokio::test]
async fn blocks_show_their_extrinsics_byte_by_byte() {
    let node = Node::new();
    let bytes = signed(
        &node.chain,
        &development_pair("Alice"),
        0,
        0,
        add_stake("Bob//hotkey", 1),
    );
    node.chain.submit(bytes.clone(), None).unwrap();
    let hash = node.result("dev_newBlock", json!([])).await;
    let block = node.result("chain_getBlock", json!([hash])).await;
    assert_eq!(block["block"]["extrinsics"][1], hex::encode(&bytes));
    let fee = node
        .result("payment_queryInfo", json!([hex::encode(&bytes), null]))
        .await;
    assert!(fee["partialFee"].as_str().unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(fee["class"], "normal");
}

#[tokio::test]
async fn the_metagraph_and_stakes_are_answered_by_one_call_each() {
    use athanor_runtime::{Metagraph, StakeInfo};
    use codec::{Decode, Encode};
    let node = Node::new();
    send(&node.chain, "Alice", add_stake("Bob//hotkey", 5));
    node.chain.seal().unwrap();
    let call = async |method: &str, data: Vec<u8>| {
        let answer = node
            .result("state_call", json!([method, hex::encode(&data)]))
            .await;
        hex::decode(answer.as_str().unwrap()).unwrap()
    };
    let encoded = call("SubnetInfoRuntimeApi_get_metagraph", NETUID.encode()).await;
    let metagraph = Option::<Metagraph>::decode(&mut &encoded[..])
        .unwrap()
        .unwrap();
    assert_eq!((metagraph.num_uids.0, metagraph.tempo.0), (1, TEMPO));
    assert_eq!(metagraph.total_stake[0].0, 1_005 * crate::TAO);
    let encoded = call("SubnetInfoRuntimeApi_get_metagraph", 9_u16.encode()).await;
    assert_eq!(encoded, [0]);
    let alice = account("Alice").encode();
    let encoded = call("StakeInfoRuntimeApi_get_stake_info_for_coldkey", alice).await;
    let stakes = Vec::<StakeInfo>::decode(&mut &encoded[..]).unwrap();
    assert_eq!(stakes.len(), 1);
    assert_eq!(
        (stakes[0].stake.0, stakes[0].is_registered),
        (5 * crate::TAO, true)
    );
    let encoded = call(
        "SubnetInfoRuntimeApi_get_next_epoch_start_block",
        NETUID.encode(),
    )
    .await;
    assert_eq!(
        Option::<u64>::decode(&mut &encoded[..]).unwrap(),
        Some(u64::from(TEMPO))
    );
}
