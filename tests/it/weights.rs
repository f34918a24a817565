//! Weights in each of the forms that a subnet may demand, through crashes at the worst moments.

use std::{path::Path, time::Duration};

use athanor_chain::{Client, Progress, Protocol, SetWeightsError, Tick, WeightSetter, WeightsSet};
use athanor_devnet::{Config, Devnet, Genesis, Sealing, development_pair};
use athanor_spec::{BlockNumber, Uid};
use futures::StreamExt as _;
use jsonrpsee::{core::client::ClientT as _, rpc_params, ws_client::WsClientBuilder};

use crate::chain::{NETUID, config, genesis, hotkey, within};

const ROW: [(Uid, u16); 2] = [(Uid(2), 65535), (Uid(1), 21845)];
/// Longer than a loaded machine takes for a commit, so that none misses its epoch.
const TEMPO: u16 = 20;

fn hidden() -> Genesis {
    genesis(|subnet| {
        subnet.tempo = TEMPO;
        subnet.commit_reveal = true;
    })
}

/// A chain that stands still, in the second epoch: the first hands out the permits.
async fn start(genesis: Genesis) -> (Devnet, Client) {
    let devnet = athanor_devnet::spawn(Config {
        sealing: Sealing::Manual,
        ..config(genesis)
    })
    .await
    .unwrap();
    devnet.seal(u32::from(TEMPO) + 2).await;
    let client = Client::connect(&devnet.url()).await.unwrap();
    (devnet, client)
}

/// Makes blocks until the work is done.
async fn sealing<T>(devnet: &Devnet, work: impl Future<Output = T>) -> T {
    let blocks = async {
        loop {
            devnet.try_seal(1).await.unwrap();
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
    };
    tokio::select! {
        done = work => done,
        () = blocks => unreachable!(),
    }
}

fn setter(client: &Client, journal: &Path) -> WeightSetter {
    WeightSetter::open(client.clone(), development_pair("Bob"), NETUID, journal).unwrap()
}

/// Looks at every block until a committed row comes to its end.
async fn follow(client: &Client, setter: &mut WeightSetter) -> (Progress, BlockNumber) {
    let mut blocks = client.blocks();
    loop {
        within(blocks.next()).await.unwrap().unwrap();
        let Tick {
            progress,
            countdown,
        } = setter.tick().await.unwrap();
        assert!(countdown.epoch <= u32::from(TEMPO));
        if let [ended] = progress.as_slice() {
            return (ended.clone(), countdown.block);
        }
        assert!(countdown.reveal.is_some(), "{countdown:?}");
    }
}

async fn check_revealed(client: &Client, ended: Progress) {
    let weights = ROW.to_vec();
    assert_eq!(ended, Progress::Revealed { weights });
    assert_eq!(
        client.weights(NETUID).await.unwrap(),
        [(Uid(0), ROW.to_vec())]
    );
}

#[tokio::test]
async fn a_setter_sets_weights_in_the_open_where_the_subnet_takes_them_so() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("weights.json");
    let (devnet, client) = start(genesis(|subnet| subnet.tempo = TEMPO)).await;
    let mut setter = setter(&client, &journal);
    let set = sealing(&devnet, setter.set(&ROW, 1)).await.unwrap();
    assert!(matches!(set, WeightsSet::Plain(_)), "{set:?}");
    assert_eq!(
        client.weights(NETUID).await.unwrap(),
        [(Uid(0), ROW.to_vec())]
    );
    assert!(!setter.waits() && !journal.exists());
    let countdown = setter.tick().await.unwrap().countdown;
    assert_eq!(countdown.protocol, Protocol::Plain);
    assert_eq!(countdown.reveal, None);
    assert!(countdown.activity_cutoff.unwrap() > 0, "{countdown:?}");
    devnet.shutdown().await;
}

#[tokio::test]
async fn a_hash_commit_is_revealed_in_its_epoch_by_the_process_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("weights.json");
    let (devnet, client) = start(hidden()).await;
    let mut first = setter(&client, &journal).by_hash();
    let set = sealing(&devnet, first.set(&ROW, 1)).await.unwrap();
    let WeightsSet::Committed {
        included,
        protocol: Protocol::HashCommit,
        reveal_block,
    } = set
    else {
        panic!("{set:?}");
    };
    assert!(reveal_block > included.block);
    assert_eq!(client.weights(NETUID).await.unwrap(), [], "hidden");
    let again = first.set(&ROW, 1).await.unwrap_err();
    assert!(
        matches!(again, SetWeightsError::AlreadySet { block } if block == included.block),
        "{again}"
    );
    let plain = client
        .set_weights(&development_pair("Charlie"), NETUID, &ROW, 1)
        .await
        .unwrap_err();
    assert!(
        matches!(plain, SetWeightsError::CommitReveal { .. }),
        "{plain}"
    );
    drop(first);

    let mut second = setter(&client, &journal).by_hash();
    assert!(second.waits());
    let (ended, block) = sealing(&devnet, follow(&client, &mut second)).await;
    check_revealed(&client, ended).await;
    assert!(
        block.0 + 1 >= reveal_block.0,
        "{block} before {reveal_block}"
    );
    assert!(!second.waits());
    devnet.shutdown().await;
}

/// Our ciphertext, and a pulse that only the devnet's beacon can sign: whatever row stands on chain in the end was opened
/// by the runtime.
#[tokio::test]
async fn a_timelocked_commit_hides_its_row_until_the_chain_opens_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("weights.json");
    let (devnet, client) = start(hidden()).await;
    let mut first = setter(&client, &journal);
    let set = sealing(&devnet, first.set(&ROW, 1)).await.unwrap();
    let WeightsSet::Committed {
        included,
        protocol: Protocol::Timelocked,
        reveal_block,
    } = set
    else {
        panic!("{set:?}");
    };
    assert_eq!(client.weights(NETUID).await.unwrap(), [], "hidden");
    let countdown = first.tick().await.unwrap().countdown;
    assert_eq!(
        countdown.reveal,
        Some(reveal_block.0 - countdown.block.0),
        "{countdown:?}"
    );
    drop(first);

    // Whoever comes after a crash knows from the journal what to look for.
    let mut second = setter(&client, &journal);
    assert!(second.waits());
    let (ended, block) = sealing(&devnet, follow(&client, &mut second)).await;
    check_revealed(&client, ended).await;
    assert!(!second.waits());
    assert!(block >= reveal_block, "{block} before {reveal_block}");
    let ours: Vec<_> = calls_of(&client, "Bob", included.block, block).await;
    assert_eq!(
        ours,
        ["SubtensorModule.commit_timelocked_mechanism_weights"],
        "nobody but the chain revealed"
    );
    devnet.shutdown().await;
}

/// What `name` signed in these blocks.
async fn calls_of(
    client: &Client,
    name: &str,
    first: BlockNumber,
    last: BlockNumber,
) -> Vec<String> {
    let mut calls = Vec::new();
    for number in first.0..=last.0 {
        let block = client.extrinsics(BlockNumber(number)).await.unwrap();
        let signed = block
            .into_iter()
            .filter(|call| call.signer == Some(hotkey(name)));
        calls.extend(signed.map(|call| call.call));
    }
    calls
}

/// The process dies after the commit is sent and before it is included: it never learns that it was.
#[tokio::test]
async fn a_process_that_dies_while_its_commit_is_on_the_way_still_reveals() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("weights.json");
    let (devnet, client) = start(hidden()).await;
    let dying = tokio::spawn({
        let mut setter = setter(&client, &journal).by_hash();
        async move { setter.set(&ROW, 1).await }
    });
    // No block comes, so the call cannot end by itself.
    let node = WsClientBuilder::default()
        .build(devnet.url())
        .await
        .unwrap();
    let pending = async || -> Vec<String> {
        let pool = node.request("author_pendingExtrinsics", rpc_params![]);
        pool.await.unwrap()
    };
    within(async {
        while pending().await.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    dying.abort();
    assert!(dying.await.unwrap_err().is_cancelled());

    devnet.seal(1).await;
    let mut setter = setter(&client, &journal).by_hash();
    assert!(setter.waits());
    let again = setter.set(&ROW, 1).await.unwrap_err();
    assert!(
        matches!(again, SetWeightsError::AlreadySet { .. }),
        "{again}"
    );
    let (ended, _) = sealing(&devnet, follow(&client, &mut setter)).await;
    check_revealed(&client, ended).await;
    devnet.shutdown().await;
}
