//! A miner that nobody can dial: what it tells the chain, who reaches it by that, and what it does when its relay goes.

use std::time::Duration;

use athanor_net::{Identity, Multiaddr, NetConfig, NetHandle, RelayLimits, Ways, address_of};
use athanor_spec::SubnetSpec;

use crate::miner::{Asker, ENDLESS, VALIDATOR, config, devnet, on_chain, student, within};

/// A relay on this machine, and its address.
async fn relay(seed: u8) -> (NetHandle, Multiaddr) {
    let identity = Identity::from_seed([seed; 32]);
    let peer = identity.peer_id();
    let (_, _, net) = athanor_net::start(NetConfig {
        listen: vec![([127, 0, 0, 1], 0).into()],
        relay_server: Some(RelayLimits::default()),
        ..NetConfig::new(identity, SubnetSpec::local().limits)
    })
    .await
    .unwrap();
    let addr = net.local_addr().unwrap();
    net.announce(addr).await;
    (net, address_of(addr, peer, true))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_miner_behind_a_router_is_reached_by_what_the_chain_says_through_whichever_relay_lives() {
    let directory = tempfile::tempdir().unwrap();
    let (_devnet, chain) = devnet().await;
    let (one, other) = (relay(71).await, relay(72).await);
    let model = student(directory.path(), 1, 0.02);
    let mut behind = config(&chain, directory.path().join("miner"), &model);
    behind.ways = Ways {
        relays: vec![one.1.clone(), other.1.clone()],
        ..Ways::default()
    };
    let miner = within(athanor_miner::start(behind)).await.unwrap();
    let (address, _) = on_chain(&chain).await;
    assert_eq!(address, miner.address());
    let (told, left) = match Some(address.addr) == one.0.local_addr() {
        true => (one.0, other.0),
        false => (other.0, one.0),
    };
    assert_eq!(Some(address.addr), told.local_addr());

    let validator = Asker::start(VALIDATOR, &chain).await;
    let answered = validator.net.ask(&address, validator.ask(1), ENDLESS).await;
    assert_eq!(answered.unwrap().answer.signer, miner.hotkey());

    told.shutdown().await;
    let moved = async {
        loop {
            let (address, _) = on_chain(&chain).await;
            if Some(address.addr) == left.local_addr() {
                return address;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let address = within(moved).await;
    let answered = validator.net.ask(&address, validator.ask(2), ENDLESS).await;
    assert_eq!(answered.unwrap().answer.signer, miner.hotkey());
    within(miner.shutdown()).await;
}
