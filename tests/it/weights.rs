//! Weights in each of the forms that a subnet may demand, through crashes at the worst moments.

use std::{path::Path, time::Duration};

use athanor_chain::{Client, Progress, Protocol, SetWeightsError, Tick, WeightSetter, WeightsSet};
use athanor_devnet::{Config, Devnet, Genesis, Sealing, TAO, development_pair};
use athanor_spec::{BlockNumber, Rao, Uid};
use futures::StreamExt as _;
use serde_json::json;

use crate::{
    chain::{NETUID, config, genesis, hotkey, within},
    operator::Operator,
};

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

/// What is refused before anything is sent: nothing was paid for it.
async fn check_unsent(client: &Client, name: &str) {
    let head = client.finalized().await.unwrap().number;
    let calls = calls_of(client, name, BlockNumber(1), head).await;
    assert_eq!(calls, Vec::<String>::new());
}

#[tokio::test]
async fn a_validator_that_lost_its_stake_learns_so_before_it_pays() {
    let mut genesis = genesis(|subnet| subnet.tempo = TEMPO);
    genesis.stake_threshold = 500 * TAO;
    let (devnet, client) = start(genesis).await;
    let ferdie = development_pair("Ferdie");
    let unstake = client.remove_stake(&ferdie, hotkey("Bob"), NETUID, Rao(900 * TAO));
    sealing(&devnet, unstake).await.unwrap();
    let metagraph = client.metagraph(NETUID).await.unwrap();
    assert!(
        metagraph
            .by_hotkey(&hotkey("Bob"))
            .unwrap()
            .validator_permit
    );
    let set = async |name: &str| {
        let pair = development_pair(name);
        sealing(&devnet, client.set_weights(&pair, NETUID, &ROW, 1)).await
    };
    let error = set("Bob").await.unwrap_err();
    assert!(
        matches!(error, SetWeightsError::StakeTooLow { threshold, .. } if threshold.0 == 500 * TAO),
        "{error}"
    );
    assert!(error.to_string().contains("stake more"), "{error}");
    check_unsent(&client, "Bob").await;
    set("Charlie").await.unwrap();
    devnet.shutdown().await;
}

#[tokio::test]
async fn a_row_that_is_too_short_is_told_by_how_much() {
    let (devnet, client) = start(genesis(|subnet| {
        subnet.tempo = TEMPO;
        subnet.min_allowed_weights = 2;
    }))
    .await;
    let bob = development_pair("Bob");
    let short = client.set_weights(&bob, NETUID, &ROW[..1], 1).await;
    let error = short.unwrap_err();
    assert!(
        matches!(
            error,
            SetWeightsError::TooFewWeights {
                len: 1,
                least: 2,
                ..
            }
        ),
        "{error}"
    );
    check_unsent(&client, "Bob").await;
    sealing(&devnet, client.set_weights(&bob, NETUID, &ROW, 1))
        .await
        .unwrap();
    devnet.shutdown().await;
}

#[tokio::test]
async fn weights_that_nobody_would_ever_see_are_not_hidden() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("weights.json");
    let (devnet, client) = start(genesis(|subnet| {
        subnet.tempo = 0;
        subnet.commit_reveal = true;
    }))
    .await;
    let mut setter = setter(&client, &journal);
    // Without epochs there are no permits either, and a vote for itself needs none.
    let error = setter.set(&[(Uid(0), 1)], 1).await.unwrap_err();
    assert!(matches!(error, SetWeightsError::NoEpochs { .. }), "{error}");
    assert!(!setter.waits());
    check_unsent(&client, "Bob").await;
    devnet.shutdown().await;
}

#[tokio::test]
async fn no_commit_is_sent_beyond_those_that_the_chain_keeps() {
    const SHORT: u16 = 4;
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("weights.json");
    let (devnet, client) = start(genesis(|subnet| {
        subnet.tempo = SHORT;
        subnet.commit_reveal = true;
        subnet.reveal_period = 50;
    }))
    .await;
    let mut setter = setter(&client, &journal).by_hash();
    for _ in 0..10 {
        sealing(&devnet, setter.set(&ROW, 1)).await.unwrap();
        devnet.seal(u32::from(SHORT)).await;
    }
    let before = client.finalized().await.unwrap().number;
    let error = setter.set(&ROW, 1).await.unwrap_err();
    assert!(
        matches!(error, SetWeightsError::TooManyCommits { .. }),
        "{error}"
    );
    devnet.seal(2).await;
    let sent = calls_of(&client, "Bob", before, BlockNumber(before.0 + 2)).await;
    assert_eq!(sent, Vec::<String>::new());
    devnet.shutdown().await;
}

/// A commit that waited past its era never took effect: only the one that was signed anew has something to reveal.
#[tokio::test]
async fn a_commit_that_was_signed_anew_is_revealed_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("weights.json");
    let config = Config {
        sealing: Sealing::Manual,
        faults: true,
        ..config(hidden())
    };
    let devnet = athanor_devnet::spawn(config).await.unwrap();
    devnet.seal(u32::from(TEMPO) + 2).await;
    let client = Client::connect(&devnet.url()).await.unwrap();
    let operator = Operator::of(&devnet).await;
    operator.call("dev_delayInclusion", &[json!(1000)]).await;
    let committing = tokio::spawn({
        let mut setter = setter(&client, &journal);
        async move { setter.set(&ROW, 1).await }
    });
    operator.pending(1).await;
    operator.call("dev_clearFaults", &[]).await;
    let committed = sealing(&devnet, committing).await.unwrap().unwrap();
    assert!(
        matches!(committed, WeightsSet::Committed { included, .. } if included.block.0 > 64),
        "{committed:?}"
    );
    let mut setter = setter(&client, &journal);
    let (ended, _) = sealing(&devnet, follow(&client, &mut setter)).await;
    check_revealed(&client, ended).await;
    assert!(!setter.waits(), "nothing is left to wait for");
    devnet.shutdown().await;
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
    Operator::of(&devnet).await.pending(1).await;
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
