//! The chain client against a devnet: what it writes is what it reads, and whatever goes wrong has a name.

use std::{net::SocketAddr, time::Duration};

use athanor_chain::{
    BlockRef, BlocksError, Change, Client, ConnectError, Included, RegisterError, SetWeightsError,
    StakeError, SubmitError,
};
use athanor_devnet::{
    Clock, Config, Devnet, Genesis, NeuronGenesis, Sealing, SubnetGenesis, TAO,
    development_account, development_pair,
};
use athanor_spec::{BlockNumber, Commitment, Digest, Hotkey, NetUid, Rao, Uid};
use futures::{Stream, StreamExt as _};

pub(crate) const NETUID: NetUid = NetUid(1);
pub(crate) const TEMPO: u16 = 8;
/// Bob and Charlie validate, Dave mines. Ferdie owns them, not Alice: the subnet owner's own miners are paid nothing.
const VALIDATORS: [&str; 2] = ["Bob", "Charlie"];
pub(crate) const MINER: &str = "Dave";
const ENDLESS: Duration = Duration::from_secs(60);

pub(crate) fn genesis(adjust: impl FnOnce(&mut SubnetGenesis)) -> Genesis {
    let mut genesis = Genesis::development(Duration::from_secs(12));
    let subnet = &mut genesis.subnets[0];
    subnet.tempo = TEMPO;
    let neuron = |name: &str, stake| NeuronGenesis {
        coldkey: development_account("Ferdie").into(),
        hotkey: development_account(name).into(),
        stake,
    };
    subnet.neurons = VALIDATORS.map(|name| neuron(name, 1000 * TAO)).to_vec();
    subnet.neurons.push(neuron(MINER, 0));
    subnet.max_allowed_validators = 2;
    adjust(subnet);
    genesis
}

pub(crate) fn config(genesis: Genesis) -> Config {
    Config {
        sealing: Sealing::Interval(Duration::from_millis(40)),
        ..Config::deterministic(genesis)
    }
}

pub(crate) async fn start(config: Config) -> (Devnet, Client) {
    let devnet = athanor_devnet::spawn(config).await.unwrap();
    let client = Client::connect(&devnet.url()).await.unwrap();
    (devnet, client)
}

pub(crate) fn hotkey(name: &str) -> Hotkey {
    Hotkey(development_account(name))
}

pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(ENDLESS, work)
        .await
        .expect("this should take seconds")
}

/// Whether a call sets weights in the open, in either of its spellings.
pub(crate) fn sets_weights(call: &str) -> bool {
    matches!(
        call,
        "SubtensorModule.set_weights" | "SubtensorModule.set_mechanism_weights"
    )
}

/// Waits for the first finalized block after the subnet's next epoch.
pub(crate) async fn next_epoch(client: &Client) {
    let due = client
        .schedule(NETUID, None)
        .await
        .unwrap()
        .next_epoch_block;
    let mut blocks = client.blocks();
    while within(blocks.next()).await.unwrap().unwrap().number < due {}
}

#[tokio::test]
async fn what_a_newcomer_writes_is_what_the_metagraph_shows() {
    let (devnet, client) = start(config(genesis(|_| {}))).await;
    let alice = development_pair("Alice");
    let eve = development_pair("Eve");
    let before = client.balance(&hotkey("Alice")).await.unwrap();

    let empty = client.metagraph(NETUID).await.unwrap();
    let error = client
        .register_within(&alice, NETUID, hotkey("Eve"), Some(Rao(1)))
        .await
        .unwrap_err();
    assert!(
        matches!(error, RegisterError::TooExpensive { limit: Rao(1), .. }),
        "{error}"
    );
    let registered = client
        .register_within(&alice, NETUID, hotkey("Eve"), Some(Rao::from_tao(1000)))
        .await
        .unwrap();
    let after = client.balance(&hotkey("Alice")).await.unwrap();
    assert!(
        before.0 - after.0 > TAO / 20,
        "the price was not paid: {before} to {after}"
    );
    let again = client
        .register(&alice, NETUID, hotkey("Eve"))
        .await
        .unwrap_err();
    assert!(
        matches!(again, RegisterError::AlreadyRegistered { .. }),
        "{again}"
    );

    client
        .add_stake(&alice, hotkey("Eve"), NETUID, Rao::from_tao(2000))
        .await
        .unwrap();
    let address: SocketAddr = "127.0.0.1:9123".parse().unwrap();
    client.serve_axon(&eve, NETUID, address).await.unwrap();
    let record = Commitment {
        checkpoint: Digest([1; 32]),
        peer_key: Digest([2; 32]),
        transcript_root: Digest([3; 32]),
        spec: Digest([4; 32]),
    };
    client
        .set_commitment(&eve, NETUID, &Commitment::default())
        .await
        .unwrap();
    let committed = client.set_commitment(&eve, NETUID, &record).await.unwrap();

    let metagraph = client.metagraph(NETUID).await.unwrap();
    assert_eq!(metagraph.neurons.len(), 4);
    for (index, neuron) in metagraph.neurons.iter().enumerate() {
        assert_eq!(usize::from(neuron.uid.0), index);
        assert_eq!(metagraph.by_uid(neuron.uid), Some(neuron));
    }
    let neuron = metagraph.by_hotkey(&hotkey("Eve")).unwrap();
    assert_eq!(neuron.coldkey, hotkey("Alice"));
    assert_eq!(neuron.registered_at, registered.block);
    assert!(neuron.stake > Rao(0));
    assert_eq!(neuron.axon, Some(address));
    assert_eq!(neuron.commitment, Some((record, committed.block)));
    assert_eq!(metagraph.by_hotkey(&hotkey(MINER)).unwrap().axon, None);

    let fresh = Client::connect(&devnet.url()).await.unwrap();
    let hash = metagraph.hash;
    assert_eq!(
        fresh.metagraph_at(NETUID, hash).await.unwrap(),
        metagraph,
        "a client that knows no hotkey yet sees the same"
    );
    let changes = metagraph.diff(&empty);
    assert!(
        changes.contains(&Change::Joined {
            uid: Uid(3),
            hotkey: hotkey("Eve")
        }),
        "{changes:?}"
    );

    let staked = neuron.stake;
    client
        .remove_stake(&alice, hotkey("Eve"), NETUID, Rao::from_tao(500))
        .await
        .unwrap();
    let metagraph = client.metagraph(NETUID).await.unwrap();
    let left = metagraph.by_hotkey(&hotkey("Eve")).unwrap().stake;
    assert!(left < staked && left > Rao(0), "{staked} to {left}");

    let summary = client.extrinsics(committed.block).await.unwrap();
    let own = summary
        .iter()
        .find(|extrinsic| extrinsic.hash == committed.extrinsic)
        .unwrap();
    assert_eq!(
        (own.call.as_str(), own.signer, own.success),
        ("Commitments.set_commitment", Some(hotkey("Eve")), true)
    );
    assert_eq!(summary[0].call, "Timestamp.set");
    assert_eq!(summary[0].signer, None);
    devnet.shutdown().await;
}

#[tokio::test]
async fn a_failed_extrinsic_is_named_and_shows_as_failed_in_its_block() {
    let (devnet, client) = start(config(genesis(|_| {}))).await;
    let first = client.finalized().await.unwrap().number;
    let error = client
        .add_stake(
            &development_pair("Bob"),
            hotkey("Bob"),
            NETUID,
            Rao::from_tao(9_000_000),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, StakeError::TooPoor { .. }), "{error}");
    let error = client
        .add_stake(
            &development_pair("Bob"),
            Hotkey([9; 32]),
            NETUID,
            Rao::from_tao(1),
        )
        .await
        .unwrap_err();
    assert!(matches!(error, StakeError::UnknownHotkey { .. }), "{error}");
    let last = client.finalized().await.unwrap().number;
    let calls = summaries(&client, first, last).await;
    assert!(
        calls
            .iter()
            .all(|(call, success)| call != "SubtensorModule.add_stake" || !success),
        "{calls:?}"
    );
    let error = client
        .register(&development_pair("Bob"), NetUid(77), hotkey("Eve"))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("subnet 77 does not exist"), "{error}");
    devnet.shutdown().await;
}

pub(crate) async fn summaries(
    client: &Client,
    first: BlockNumber,
    last: BlockNumber,
) -> Vec<(String, bool)> {
    let mut calls = Vec::new();
    for number in (first.0..=last.0).map(BlockNumber) {
        let block = client.extrinsics(number).await.unwrap();
        calls.extend(
            block
                .into_iter()
                .map(|extrinsic| (extrinsic.call, extrinsic.success)),
        );
    }
    calls
}

#[tokio::test]
async fn weights_are_set_once_per_epoch_and_pay_the_miner() {
    let (devnet, client) = start(config(genesis(|_| {}))).await;
    let bob = development_pair("Bob");
    let weights = [(Uid(2), 100), (Uid(1), 50)];
    next_epoch(&client).await;
    let before = client.metagraph(NETUID).await.unwrap();
    assert!(before.by_hotkey(&hotkey("Bob")).unwrap().validator_permit);

    let set = client.set_weights(&bob, NETUID, &weights, 1).await.unwrap();
    let rows = client.weights(NETUID).await.unwrap();
    assert_eq!(
        rows,
        [(Uid(0), vec![(Uid(2), 65535), (Uid(1), 32768)])],
        "scaled to a largest weight of 65535"
    );
    let again = client.set_weights(&bob, NETUID, &weights, 1).await;
    match again {
        Err(SetWeightsError::AlreadySet { block }) => assert_eq!(block, set.block),
        // A loaded machine may take an epoch's time between the two.
        Ok(Included { block, .. }) => assert!(block.0 >= set.block.0 + u32::from(TEMPO)),
        Err(other) => panic!("{other}"),
    }

    next_epoch(&client).await;
    next_epoch(&client).await;
    let after = client.metagraph(NETUID).await.unwrap();
    let miner = after.by_hotkey(&hotkey(MINER)).unwrap();
    assert!(miner.incentive > 0 && miner.emission > Rao(0), "{miner:?}");
    assert!(
        miner.stake > before.by_hotkey(&hotkey(MINER)).unwrap().stake,
        "{miner:?}"
    );
    let validator = after.by_hotkey(&hotkey("Bob")).unwrap();
    assert!(
        validator.dividends > 0 && validator.last_update >= set.block,
        "{validator:?}"
    );
    assert!(after.schedule.epoch >= before.schedule.epoch, "{after:?}");
    assert_eq!(after.schedule.tempo, TEMPO);
    assert!(
        after.schedule.last_epoch_block <= after.block
            && after.block < after.schedule.next_epoch_block
    );
    client.set_weights(&bob, NETUID, &weights, 1).await.unwrap();
    devnet.shutdown().await;
}

#[tokio::test]
async fn weights_that_the_chain_would_refuse_are_refused_by_name() {
    let (devnet, client) = start(config(genesis(|subnet| {
        subnet.weights_version_key = 5;
        subnet.weights_rate_limit = 1000;
    })))
    .await;
    let row = [(Uid(2), 1)];
    let set = async |name: &str, weights: &[(Uid, u16)], version| {
        client
            .set_weights(&development_pair(name), NETUID, weights, version)
            .await
            .unwrap_err()
    };
    assert!(matches!(
        set("Ferdie", &row, 5).await,
        SetWeightsError::NotRegistered { .. }
    ));
    // A vote for itself alone needs none.
    assert!(matches!(
        set(MINER, &[(Uid(1), 1)], 5).await,
        SetWeightsError::NoPermit { .. }
    ));
    let error = set("Bob", &row, 4).await;
    assert!(
        matches!(
            error,
            SetWeightsError::OldVersion {
                chain: 5,
                ours: 4,
                ..
            }
        ),
        "{error}"
    );
    let error = set("Bob", &[(Uid(3), 1)], 5).await;
    assert!(
        matches!(
            error,
            SetWeightsError::UnknownUid {
                uid: Uid(3),
                neurons: 3,
                ..
            }
        ),
        "{error}"
    );
    let error = set("Bob", &[(Uid(2), 1), (Uid(2), 2)], 5).await;
    assert!(
        matches!(error, SetWeightsError::DuplicateUid { uid: Uid(2) }),
        "{error}"
    );
    let error = client
        .set_weights(&development_pair("Bob"), NetUid(9), &row, 5)
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("subnet 9 does not exist"),
        "{error}"
    );

    client
        .set_weights(&development_pair("Bob"), NETUID, &row, 5)
        .await
        .unwrap();
    next_epoch(&client).await;
    let error = set("Bob", &row, 5).await;
    assert!(
        matches!(
            error,
            SetWeightsError::TooFast {
                wait_blocks: 900..1000
            }
        ),
        "{error}"
    );
    devnet.shutdown().await;
}

#[tokio::test]
async fn two_processes_with_one_key_get_one_inclusion() {
    let mut config = config(genesis(|_| {}));
    config.sealing = Sealing::Manual;
    let (devnet, first) = start(config).await;
    let second = Client::connect(&devnet.url()).await.unwrap();
    devnet.seal(1).await;
    // No block comes in between, so both read the same nonce.
    let set = |client: Client, weight| {
        tokio::spawn(async move {
            client
                .set_weights(
                    &development_pair("Bob"),
                    NETUID,
                    &[(Uid(2), 9), (Uid(1), weight)],
                    1,
                )
                .await
        })
    };
    let (mut one, mut other) = (set(first.clone(), 1), set(second, 2));
    let refused = within(async {
        tokio::select! { result = &mut one => result, result = &mut other => result }
    })
    .await;
    let error = refused.unwrap().unwrap_err();
    assert!(
        matches!(
            error,
            SetWeightsError::Submit(SubmitError::NonceTaken { nonce: 0, .. })
        ),
        "{error}"
    );
    assert!(error.to_string().contains("already sent"), "{error}");

    devnet.seal(1).await;
    let winner = if one.is_finished() { other } else { one };
    let included = within(winner).await.unwrap().unwrap();
    devnet.seal(2).await;
    let head = first.finalized().await.unwrap().number;
    let sent: Vec<_> = summaries(&first, BlockNumber(1), head)
        .await
        .into_iter()
        .filter(|(call, _)| sets_weights(call))
        .collect();
    assert!(matches!(sent.as_slice(), [(_, true)]), "{sent:?}");
    // A process that starts over after the crash finds the epoch served.
    let error = first
        .set_weights(&development_pair("Bob"), NETUID, &[(Uid(2), 9)], 1)
        .await
        .unwrap_err();
    assert!(
        matches!(error, SetWeightsError::AlreadySet { block } if block == included.block),
        "{error}"
    );
    devnet.shutdown().await;
}

async fn block(
    blocks: &mut (impl Stream<Item = Result<BlockRef, BlocksError>> + Unpin),
) -> BlockRef {
    within(blocks.next()).await.unwrap().unwrap()
}

#[tokio::test]
async fn the_stream_of_blocks_and_the_reads_survive_a_restart_of_the_node() {
    let (devnet, client) = start(config(genesis(|_| {}))).await;
    let address = devnet.local_addr();
    let mut blocks = client.blocks();
    let mut last = block(&mut blocks).await;
    for _ in 0..5 {
        let next = block(&mut blocks).await;
        assert_eq!(next.number.0, last.number.0 + 1);
        last = next;
    }
    devnet.shutdown().await;

    let mut again = config(genesis(|_| {}));
    again.listen = address;
    // By the virtual clock the same blocks would come again.
    again.clock = Clock::Wall;
    let devnet = athanor_devnet::spawn(again).await.unwrap();
    let restarted = loop {
        // Blocks of before the restart may still be queued.
        let next = block(&mut blocks).await;
        if next.number.0 != last.number.0 + 1 {
            break next;
        }
        last = next;
    };
    assert_eq!(block(&mut blocks).await.number.0, restarted.number.0 + 1);
    assert!(client.balance(&hotkey("Alice")).await.unwrap() > Rao(0));
    client
        .register(&development_pair("Alice"), NETUID, hotkey("Eve"))
        .await
        .unwrap();
    devnet.shutdown().await;
}

#[tokio::test]
async fn another_chain_behind_the_same_address_ends_the_stream() {
    let (devnet, client) = start(config(genesis(|_| {}))).await;
    let address = devnet.local_addr();
    let mut blocks = client.blocks();
    block(&mut blocks).await;
    devnet.shutdown().await;

    let mut other = config(genesis(|subnet| subnet.tempo += 1));
    other.listen = address;
    let devnet = athanor_devnet::spawn(other).await.unwrap();
    let error = loop {
        if let Err(error) = within(blocks.next()).await.unwrap() {
            break error;
        }
    };
    assert!(
        matches!(error, BlocksError::ChainReplaced { .. }),
        "{error}"
    );
    assert!(within(blocks.next()).await.is_none());
    devnet.shutdown().await;
}

#[tokio::test]
async fn a_dead_endpoint_is_an_error_at_once_with_address_and_next_step() {
    // A port that was free a moment ago: nothing listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = within(Client::connect(&format!("ws://{address}")))
        .await
        .err()
        .unwrap();
    assert!(matches!(error, ConnectError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(
        text.contains(&address.to_string()) && text.contains("athanor-devnet"),
        "{text}"
    );
    let error = Client::connect("http://127.0.0.1:9944")
        .await
        .err()
        .unwrap();
    assert!(matches!(error, ConnectError::Endpoint(_)), "{error}");
}

#[tokio::test]
async fn blocks_and_subnets_that_do_not_exist_are_named() {
    let (devnet, client) = start(config(genesis(|_| {}))).await;
    let error = client
        .extrinsics(BlockNumber(1_000_000))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("block 1000000"), "{error}");
    let error = client.metagraph(NetUid(5)).await.unwrap_err().to_string();
    assert!(error.contains("subnet 5 does not exist"), "{error}");
    let error = client
        .schedule(NETUID, Some(Digest([8; 32])))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains("0808"), "{error}");
    let first = client.finalized().await.unwrap();
    assert_eq!(
        client
            .schedule(NETUID, Some(first.hash))
            .await
            .unwrap()
            .tempo,
        TEMPO
    );
    devnet.shutdown().await;
}
