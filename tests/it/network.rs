//! The chain client on a bad network: what was sent counts once, and nothing needs a restart.

use std::time::Duration;

use athanor_chain::{
    Client, Included, Patience, ReadError, SetWeightsError, StakeError, SubmitError,
};
use athanor_devnet::{Config, Devnet, Sealing, development_pair};
use athanor_spec::{BlockNumber, NetUid, Rao, Uid};
use futures::StreamExt as _;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::{
    chain::{NETUID, config, genesis, hotkey, summaries, within},
    gateway::{Gateway, SUBMIT},
    operator::Operator,
    wire::Wire,
};

/// Blocks in which an extrinsic can be included.
const ERA: u32 = 64;
const STAKED: Rao = Rao(5_000_000_000);

/// A chain that makes blocks on request, and on which things can be made to go wrong.
async fn quiet_node() -> Devnet {
    let node = athanor_devnet::spawn(Config {
        sealing: Sealing::Manual,
        faults: true,
        ..config(genesis(|_| {}))
    })
    .await
    .unwrap();
    node.seal(1).await;
    node
}

fn stake(client: &Client) -> JoinHandle<Result<Included, StakeError>> {
    let client = client.clone();
    tokio::spawn(async move {
        let alice = development_pair("Alice");
        client
            .add_stake(&alice, hotkey("Dave"), NETUID, STAKED)
            .await
    })
}

/// How many calls of `name` are on chain.
async fn count(client: &Client, name: &str) -> usize {
    let head = client.finalized().await.unwrap().number;
    let calls = summaries(client, BlockNumber(1), head).await;
    calls.iter().filter(|(call, _)| call == name).count()
}

async fn check_staked_once(client: &Client) {
    assert_eq!(count(client, "SubtensorModule.add_stake").await, 1);
    let metagraph = client.metagraph(NETUID).await.unwrap();
    let stake = metagraph.by_hotkey(&hotkey("Dave")).unwrap().stake;
    assert_eq!(stake, STAKED, "staked once");
}

#[tokio::test]
async fn an_extrinsic_whose_connection_is_dropped_is_found_on_chain() {
    let node = quiet_node().await;
    let client = Client::connect(&node.url()).await.unwrap();
    let operator = Operator::of(&node).await;
    let staking = stake(&client);
    operator.pending(1).await;
    operator.call("dev_dropConnections", &[json!(300)]).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    node.seal(2).await;
    let included = within(staking).await.unwrap().unwrap();
    assert_eq!(included.block, BlockNumber(2));
    check_staked_once(&client).await;
    assert!(client.connection().reconnects > 0 && client.connection().is_up);
    node.shutdown().await;
}

/// The node has the extrinsic, the answer to that is lost, and the way to the node is open again only after the era: the
/// node then refuses what it is sent again, and yet it was included.
#[tokio::test]
async fn an_extrinsic_of_which_nobody_heard_for_longer_than_its_era_is_not_sent_twice() {
    let node = quiet_node().await;
    let gateway = Gateway::before(&node.url()).await;
    let wire = Wire::to(gateway.address()).await;
    let client = Client::connect(&wire.url()).await.unwrap();
    let operator = Operator::of(&node).await;
    let cut = wire.scissors();
    gateway.alter(move |method, _, answer| {
        if method == SUBMIT {
            cut();
        }
        answer
    });
    let staking = stake(&client);
    operator.pending(1).await;
    node.seal(ERA + 10).await;
    gateway.alter(|_, _, answer| answer);
    wire.mend();
    let included = within(staking).await.unwrap().unwrap();
    assert_eq!(included.block, BlockNumber(2));
    check_staked_once(&client).await;
    node.shutdown().await;
}

#[tokio::test]
async fn an_extrinsic_that_waited_past_its_era_is_signed_anew() {
    let node = quiet_node().await;
    let client = Client::connect(&node.url()).await.unwrap();
    let operator = Operator::of(&node).await;
    operator.call("dev_delayInclusion", &[json!(1000)]).await;
    let staking = stake(&client);
    operator.pending(1).await;
    operator.call("dev_clearFaults", &[]).await;
    node.seal(ERA + 1).await;
    operator.pending(0).await;
    // The one with a fresh era.
    operator.pending(1).await;
    node.seal(1).await;
    let included = within(staking).await.unwrap().unwrap();
    assert_eq!(included.block, BlockNumber(ERA + 3));
    check_staked_once(&client).await;
    node.shutdown().await;
}

#[tokio::test]
async fn weights_that_waited_past_their_era_are_set_once_without_a_restart() {
    let node = quiet_node().await;
    let client = Client::connect(&node.url()).await.unwrap();
    let operator = Operator::of(&node).await;
    node.seal(10).await;
    operator.call("dev_delayInclusion", &[json!(1000)]).await;
    let setting = tokio::spawn({
        let client = client.clone();
        async move {
            let bob = development_pair("Bob");
            client.set_weights(&bob, NETUID, &[(Uid(2), 1)], 1).await
        }
    });
    operator.pending(1).await;
    operator.call("dev_clearFaults", &[]).await;
    node.seal(ERA + 1).await;
    operator.pending(0).await;
    node.seal(1).await;
    operator.pending(1).await;
    node.seal(1).await;
    within(setting).await.unwrap().unwrap();
    let call = "SubtensorModule.set_mechanism_weights";
    assert_eq!(count(&client, call).await, 1);
    assert_eq!(
        client.weights(NETUID).await.unwrap(),
        [(Uid(0), vec![(Uid(2), 65535)])]
    );
    node.shutdown().await;
}

/// The caller gave up waiting, and a block took the extrinsic later.
#[tokio::test]
async fn weights_that_were_given_up_and_included_later_count_once() {
    let node = quiet_node().await;
    node.seal(10).await;
    let patience = Patience {
        inclusion: Duration::from_millis(300),
        ..Patience::default()
    };
    let client = Client::open_with(node.url().parse().unwrap(), patience)
        .await
        .unwrap();
    let bob = development_pair("Bob");
    let set = async |to| {
        client
            .set_weights(&bob, NETUID, &[(Uid(to), 1)], 1)
            .await
            .unwrap_err()
    };
    let error = set(2).await;
    assert!(
        matches!(
            error,
            SetWeightsError::Submit(SubmitError::NotIncluded { .. })
        ),
        "{error}"
    );
    // It waits in the pool with the only nonce that its successor may have.
    let error = set(1).await;
    assert!(
        matches!(
            error,
            SetWeightsError::Submit(SubmitError::NonceTaken { .. })
        ),
        "{error}"
    );
    node.seal(1).await;
    let error = set(1).await;
    assert!(
        matches!(error, SetWeightsError::AlreadySet { .. }),
        "{error}"
    );
    let call = "SubtensorModule.set_mechanism_weights";
    assert_eq!(count(&client, call).await, 1);
    assert_eq!(
        client.weights(NETUID).await.unwrap(),
        [(Uid(0), vec![(Uid(2), 65535)])]
    );
    node.shutdown().await;
}

#[tokio::test]
async fn what_a_node_calls_outdated_is_signed_anew_and_what_it_calls_wrong_is_not() {
    let node = quiet_node().await;
    let client = Client::connect(&node.url()).await.unwrap();
    let operator = Operator::of(&node).await;
    let refuse = async |reason: &str| {
        let refusal = json!({"code": 1010, "message": "Invalid Transaction", "data": reason});
        operator.call("dev_refuse", &[json!(SUBMIT), refusal]).await;
    };
    for reason in [
        "Transaction is outdated",
        "Transaction has an ancient birth block",
    ] {
        refuse(reason).await;
        let staking = stake(&client);
        operator.pending(1).await;
        node.seal(1).await;
        within(staking).await.unwrap().unwrap();
    }
    refuse("Transaction has a bad signature").await;
    let error = within(stake(&client)).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("bad signature"), "{error}");
    assert_eq!(count(&client, "SubtensorModule.add_stake").await, 2);
    node.shutdown().await;
}

/// Signed for the runtime before an upgrade, refused by the one after it.
#[tokio::test]
async fn an_extrinsic_that_an_upgrade_overtook_is_signed_anew() {
    let node = quiet_node().await;
    let gateway = Gateway::before(&node.url()).await;
    let operator = Operator::of(&node).await;
    let version = operator.call("state_getRuntimeVersion", &[]).await["specVersion"].clone();
    let version = u32::try_from(version.as_u64().unwrap()).unwrap();
    // Connects with the old version, and so does the first signature.
    let mut asked = 0;
    gateway.alter(
        move |_, given, answer| match given.first().and_then(|name| name.as_str()) {
            Some("Core_version") if asked < 2 => {
                asked += 1;
                respelt(answer, version, version - 1)
            }
            _ => answer,
        },
    );
    let client = Client::connect(&gateway.url()).await.unwrap();
    gateway.called();
    let staking = stake(&client);
    operator.pending(1).await;
    let sent = gateway
        .called()
        .iter()
        .filter(|name| *name == SUBMIT)
        .count();
    assert_eq!(sent, 2, "refused once");
    node.seal(1).await;
    within(staking).await.unwrap().unwrap();
    check_staked_once(&client).await;
    node.shutdown().await;
}

/// The encoded answer to `Core_version` with another spec version.
fn respelt(answer: serde_json::Value, from: u32, to: u32) -> serde_json::Value {
    let bytes = |version: u32| -> String {
        let bytes = version.to_le_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    };
    let text = answer.as_str().unwrap();
    assert!(text.contains(&bytes(from)), "{text}");
    json!(text.replacen(&bytes(from), &bytes(to), 1))
}

/// Metadata in which one name is spelt with another last letter.
fn renamed(answer: serde_json::Value, name: &str) -> serde_json::Value {
    let hex = |text: &str| -> String { text.bytes().map(|byte| format!("{byte:02x}")).collect() };
    let other = format!("{}X", &name[..name.len() - 1]);
    let text = answer.as_str().unwrap();
    assert!(text.contains(&hex(name)));
    json!(text.replace(&hex(name), &hex(&other)))
}

#[tokio::test]
async fn a_runtime_that_was_upgraded_is_checked_again_and_a_mismatch_names_the_item() {
    let node = quiet_node().await;
    let gateway = Gateway::before(&node.url()).await;
    let operator = Operator::of(&node).await;
    let version = operator.call("state_getRuntimeVersion", &[]).await["specVersion"].clone();
    let version = u32::try_from(version.as_u64().unwrap()).unwrap();
    let client = Client::connect(&gateway.url()).await.unwrap();
    let read = async || {
        client
            .metagraph(NETUID)
            .await
            .map(|found| found.neurons.len())
    };
    assert_eq!(read().await.unwrap(), 3);

    // An upgrade that changes nothing of ours is read anew, and goes unnoticed.
    let upgrade = |to: u32, without: Option<&'static str>| {
        gateway.alter(move |_, given, answer| {
            match (given.first().and_then(|name| name.as_str()), without) {
                (Some("Core_version"), _) => respelt(answer, version, to),
                (Some("Metadata_metadata_at_version"), Some(name)) => renamed(answer, name),
                _ => answer,
            }
        });
    };
    upgrade(version + 1, None);
    assert_eq!(read().await.unwrap(), 3);

    upgrade(version + 2, Some("WeightsVersionKey"));
    for _ in 0..2 {
        let error = read().await.unwrap_err();
        assert!(
            matches!(&error, ReadError::UnknownName { name, .. } if name == "WeightsVersionKey"),
            "{error}"
        );
        let text = error.to_string();
        assert!(text.contains("SubtensorModule.WeightsVersionKey"), "{text}");
    }

    // The next one has it again, and the same client goes on.
    upgrade(version + 3, None);
    assert_eq!(read().await.unwrap(), 3);
    node.shutdown().await;
}

#[tokio::test]
async fn a_node_that_stands_still_is_left_for_another() {
    let still = quiet_node().await;
    let lively = athanor_devnet::spawn(config(genesis(|_| {})))
        .await
        .unwrap();
    let list = format!("{},{}", still.url(), lively.url());
    let patience = Patience {
        block: Duration::from_millis(500),
        ..Patience::default()
    };
    let client = Client::open_with(list.parse().unwrap(), patience)
        .await
        .unwrap();
    let mut blocks = client.blocks();
    let mut last = within(blocks.next()).await.unwrap().unwrap();
    assert_eq!(last.number, BlockNumber(1));
    assert_eq!(client.endpoint().url(), still.url());
    for _ in 0..20 {
        let next = within(blocks.next()).await.unwrap().unwrap();
        assert_eq!(next.number.0, last.number.0 + 1, "no gap, and none twice");
        last = next;
    }
    assert_eq!(client.endpoint().url(), lively.url());
    assert_eq!(client.connection().endpoint, *client.endpoint());
    still.shutdown().await;
    lively.shutdown().await;
}

/// Its machine is gone, and with it whoever would close the connection.
#[tokio::test]
async fn a_node_that_falls_silent_is_left_for_another() {
    let node = athanor_devnet::spawn(config(genesis(|_| {})))
        .await
        .unwrap();
    let wire = Wire::to(node.local_addr()).await;
    let list = format!("{},{}", wire.url(), node.url());
    let patience = Patience {
        answer: Duration::from_secs(1),
        block: Duration::from_millis(500),
        ..Patience::default()
    };
    let client = Client::open_with(list.parse().unwrap(), patience)
        .await
        .unwrap();
    let mut blocks = client.blocks();
    let first = within(blocks.next()).await.unwrap().unwrap();
    assert_eq!(client.endpoint().url(), wire.url());
    wire.freeze();
    let error = within(client.finalized()).await.unwrap_err();
    assert!(matches!(error, ReadError::Unanswered { .. }), "{error}");
    assert!(!client.connection().is_up);
    let mut last = first;
    while last.number.0 < first.number.0 + 30 {
        let next = within(blocks.next()).await.unwrap().unwrap();
        assert_eq!(next.number.0, last.number.0 + 1);
        last = next;
    }
    assert_eq!(client.endpoint().url(), node.url());
    assert!(client.finalized().await.is_ok() && client.connection().is_up);
    node.shutdown().await;
}

#[tokio::test]
async fn blocks_come_once_from_a_node_that_is_behind_the_one_before() {
    let (ahead, behind) = (quiet_node().await, quiet_node().await);
    ahead.seal(9).await;
    behind.seal(4).await;
    let list = format!("{},{}", ahead.url(), behind.url());
    let client = Client::connect(&list).await.unwrap();
    let mut blocks = client.blocks();
    for _ in 0..2 {
        within(blocks.next()).await.unwrap().unwrap();
        ahead.seal(1).await;
    }
    let last = within(blocks.next()).await.unwrap().unwrap();
    assert_eq!(last.number, BlockNumber(12));
    ahead.shutdown().await;
    let next = tokio::spawn(async move { blocks.next().await.unwrap().unwrap() });
    within(client.finalized()).await.unwrap();
    assert_eq!(client.endpoint().url(), behind.url());
    // One at a time: what the node tells on the way is known already.
    for _ in 0..7 {
        behind.seal(1).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!next.is_finished());
    }
    behind.seal(1).await;
    assert_eq!(within(next).await.unwrap().number, BlockNumber(13));
    behind.shutdown().await;
}

#[tokio::test]
async fn a_node_that_refuses_for_a_while_does_not_end_the_stream() {
    let node = quiet_node().await;
    let client = Client::connect(&node.url()).await.unwrap();
    let operator = Operator::of(&node).await;
    let refusal = json!({"message": "too many requests", "count": 2});
    for method in ["chain_getBlockHash", "chain_subscribeFinalizedHeads"] {
        operator
            .call("dev_refuse", &[json!(method), refusal.clone()])
            .await;
    }
    let mut blocks = client.blocks();
    let first = within(blocks.next()).await.unwrap().unwrap();
    assert_eq!(first.number, BlockNumber(1));
    node.shutdown().await;
}

/// The machine that the node runs on is gone for half a day of the chain's, as far as the client can tell.
#[tokio::test]
async fn hours_without_a_network_need_no_restart() {
    let data = tempfile::tempdir().unwrap();
    let persistent = || Config {
        base_path: Some(data.path().to_owned()),
        sealing: Sealing::Manual,
        ..config(genesis(|_| {}))
    };
    let node = athanor_devnet::spawn(persistent()).await.unwrap();
    node.seal(20).await;
    let address = node.local_addr();
    let patience = Patience {
        answer: Duration::from_millis(400),
        ..Patience::default()
    };
    let client = Client::open_with(node.url().parse().unwrap(), patience)
        .await
        .unwrap();
    let mut blocks = client.blocks();
    let before = within(blocks.next()).await.unwrap().unwrap();
    node.shutdown().await;

    // Meanwhile every question has an end and says why.
    for _ in 0..3 {
        let error = within(client.balance(&hotkey("Alice"))).await.unwrap_err();
        assert!(matches!(error, ReadError::Unanswered { .. }), "{error}");
        assert!(error.to_string().contains(&address.to_string()), "{error}");
    }
    assert!(!client.connection().is_up);
    let error = client
        .set_weights(&development_pair("Bob"), NETUID, &[(Uid(2), 1)], 1)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("did not answer"), "{error}");

    let node = athanor_devnet::spawn(Config {
        listen: address,
        ..persistent()
    })
    .await
    .unwrap();
    node.seal(3600).await;
    let next = within(blocks.next()).await.unwrap().unwrap();
    let missed = next.number.0 - before.number.0 - 1;
    assert!(
        missed == 0 || missed > 1000,
        "resumes where it was, or near the head: {missed}"
    );
    let mut last = next;
    while last.number.0 < before.number.0 + 3600 {
        let next = within(blocks.next()).await.unwrap().unwrap();
        assert_eq!(next.number.0, last.number.0 + 1);
        last = next;
    }
    let setting = tokio::spawn({
        let client = client.clone();
        async move {
            let bob = development_pair("Bob");
            client.set_weights(&bob, NETUID, &[(Uid(2), 1)], 1).await
        }
    });
    Operator::of(&node).await.pending(1).await;
    node.seal(1).await;
    within(setting).await.unwrap().unwrap();
    assert!(client.metagraph(NetUid(1)).await.is_ok());
    node.shutdown().await;
}
