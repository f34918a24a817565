//! Ways to reach a peer: transports, relays, discovery; and peers that are not let in.

use std::{
    net::Ipv6Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use athanor_spec::{NetUid, SigningContext};
use libp2p::multiaddr::Protocol;
use tokio::{net::UdpSocket, time::timeout};

use super::*;
use crate::{AskError, Multiaddr, RelayLimits, StartError};

const NETWORK: SigningContext = SigningContext {
    genesis: Digest([0xdd; 32]),
    netuid: NetUid(7),
};

fn base(seed: u8) -> NetConfig {
    NetConfig {
        inbound_queue: 64,
        ..NetConfig::new(Identity::from_seed([seed; 32]), limits())
    }
}

fn listening(seed: u8) -> NetConfig {
    NetConfig {
        listen: vec![LOOPBACK],
        ..base(seed)
    }
}

/// Where a node is, with its peer id.
fn multiaddr(node: &Node) -> Multiaddr {
    let peer = crate::peer_id(&node.address.peer_key).unwrap();
    Multiaddr::from(node.address.addr.ip())
        .with(Protocol::Tcp(node.address.addr.port()))
        .with(Protocol::P2p(peer))
}

async fn answers(asker: &Node, address: &PeerAddress) -> Result<Vec<u32>, AskError> {
    let observed = asker
        .client
        .ask(address, ask(vec![3, 1], 1), ENOUGH)
        .await?;
    Ok(observed.answer.payload.tokens)
}

#[tokio::test]
async fn quic_is_preferred_and_tcp_the_way_without_it() {
    for (seed, quic) in [(120, true), (122, false)] {
        let mut miner = node_of(NetConfig {
            quic,
            ..listening(seed)
        })
        .await;
        let validator = node_of(base(seed + 1)).await;
        let asking = answers(&validator, &miner.address);
        let serving = async {
            let InboundRequest { request, reply, .. } = miner.inbound.recv().await.unwrap();
            reply.send(echo_all(&request));
        };
        let (answered, ()) = tokio::join!(asking, serving);
        assert_eq!(answered, Ok(vec![3, 1]));
        let connections = validator.handle.connections().await;
        let over_quic = |address: &Multiaddr| address.iter().any(|p| p == Protocol::QuicV1);
        assert!(connections.iter().all(|c| over_quic(&c.address) == quic));
        assert_eq!(connections.len(), 1);
    }
}

#[tokio::test]
async fn a_node_listens_on_several_addresses_of_both_families() {
    let v6 = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 0);
    let miner = node_of(NetConfig {
        listen: vec![LOOPBACK, v6],
        ..base(124)
    })
    .await;
    serve(miner.inbound, echo_all);
    let [first, second] = miner.handle.local_addrs() else {
        panic!("{:?}", miner.handle.local_addrs());
    };
    assert!(first.is_ipv4() && second.is_ipv6());
    for (seed, addr) in [(125, *first), (126, *second)] {
        let validator = node_of(base(seed)).await;
        let address = PeerAddress {
            addr,
            ..miner.address
        };
        assert_eq!(answers(&validator, &address).await, Ok(vec![3, 1]));
    }
}

#[tokio::test]
async fn a_peer_that_only_a_relay_reaches_answers_through_it() {
    let relay = node_of(NetConfig {
        relay_server: Some(RelayLimits::default()),
        ..listening(127)
    })
    .await;
    relay.handle.announce(relay.address.addr).await;
    // It listens nowhere: whoever reaches it comes through the relay.
    let miner = node_of(NetConfig {
        relays: vec![multiaddr(&relay)],
        ..base(128)
    })
    .await;
    serve(miner.inbound, echo_all);
    let mut reachability = miner.handle.reachability();
    let relayed = reachability.wait_for(|reached| !reached.relayed.is_empty());
    let relayed = timeout(ENOUGH, relayed).await.unwrap().unwrap().clone();
    assert!(relayed.direct.is_empty());

    let stranger = node_of(base(129)).await;
    let unreachable = AskError::Unreachable { addr: NOBODY };
    assert_eq!(answers(&stranger, &miner.address).await, Err(unreachable));
    // What it tells the chain is where its relay answers: with that, a stranger to the relay comes through too.
    let told = relayed.address(None).unwrap();
    assert_eq!(told, relay.address.addr);
    let by_chain = PeerAddress {
        addr: told,
        ..miner.address
    };
    assert_eq!(answers(&stranger, &by_chain).await, Ok(vec![3, 1]));
    let validator = node_of(NetConfig {
        relays: vec![multiaddr(&relay)],
        ..base(130)
    })
    .await;
    assert_eq!(answers(&validator, &miner.address).await, Ok(vec![3, 1]));
}

#[tokio::test]
async fn who_answers_in_a_peer_s_stead_and_is_no_relay_of_it_is_named() {
    let other = node_of(listening(134)).await;
    let relay = node_of(NetConfig {
        relay_server: Some(RelayLimits::default()),
        ..listening(135)
    })
    .await;
    let (validator, missing) = (node_of(base(136)).await, node_of(base(137)).await);
    for (found, seed) in [(&other, 134), (&relay, 135)] {
        let address = PeerAddress {
            addr: found.address.addr,
            ..missing.address
        };
        let obtained = Identity::from_seed([seed; 32]).peer_key();
        let obtained = crate::peer_id(&obtained).unwrap();
        let wrong = Err(AskError::WrongPeer { obtained });
        assert_eq!(answers(&validator, &address).await, wrong);
    }
}

#[tokio::test]
async fn a_node_takes_every_address_of_both_families_on_one_port() {
    let any = |ip: std::net::IpAddr| SocketAddr::new(ip, 0);
    let first = node_of(NetConfig {
        listen: vec![any(Ipv4Addr::UNSPECIFIED.into())],
        ..base(138)
    })
    .await;
    let port = first.handle.local_addr().unwrap().port();
    let v6 = |seed| NetConfig {
        listen: vec![SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port)],
        ..base(seed)
    };
    let second = node_of(v6(139)).await;
    serve(second.inbound, echo_all);
    let validator = node_of(base(140)).await;
    let address = PeerAddress {
        addr: SocketAddr::new(Ipv6Addr::LOCALHOST.into(), port),
        ..second.address
    };
    assert_eq!(answers(&validator, &address).await, Ok(vec![3, 1]));
    let taken = start(v6(141)).await.unwrap_err();
    assert!(matches!(taken, StartError::Listen { .. }), "{taken}");
}

/// A router that swallows UDP answers nothing, not even that the port is dead.
#[tokio::test]
async fn tcp_carries_where_udp_is_swallowed() {
    let miner = node_of(NetConfig {
        quic: false,
        ..listening(142)
    })
    .await;
    serve(miner.inbound, echo_all);
    let _swallows = std::net::UdpSocket::bind(miner.address.addr).unwrap();
    let validator = node_of(base(143)).await;
    assert_eq!(answers(&validator, &miner.address).await, Ok(vec![3, 1]));
    let [connection] = &validator.handle.connections().await[..] else {
        panic!("one connection");
    };
    let tcp = |part| matches!(part, Protocol::Tcp(_));
    assert!(connection.address.iter().any(tcp), "{connection:?}");
}

/// A line for QUIC from one peer to another, which carries nothing while it stands still.
async fn line_to(peer: SocketAddr, stands_still: Arc<AtomicBool>) -> SocketAddr {
    let here = UdpSocket::bind(LOOPBACK).await.unwrap();
    let there = UdpSocket::bind(LOOPBACK).await.unwrap();
    there.connect(peer).await.unwrap();
    let addr = here.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut out, mut back) = ([0; 2048], [0; 2048]);
        let mut asker = None;
        loop {
            // Datagrams that find no room are lost, as everywhere.
            tokio::select! {
                Ok((length, from)) = here.recv_from(&mut out) => {
                    asker = Some(from);
                    if !stands_still.load(Ordering::Relaxed) {
                        let _ = there.send(&out[..length]).await;
                    }
                }
                Ok(length) = there.recv(&mut back) => {
                    if let Some(asker) = asker && !stands_still.load(Ordering::Relaxed) {
                        let _ = here.send_to(&back[..length], asker).await;
                    }
                }
            }
        }
    });
    addr
}

/// QUIC's usual patience is ten seconds; a machine that waits for its disk or its hypervisor needs longer at times.
#[tokio::test]
async fn an_answer_outlives_a_standstill_of_twelve_seconds() {
    let mut miner = node_of(listening(144)).await;
    let stands_still = Arc::new(AtomicBool::new(false));
    let addr = line_to(miner.address.addr, stands_still.clone()).await;
    let validator = node_of(base(145)).await;
    let address = PeerAddress {
        addr,
        ..miner.address
    };
    let patient = 3 * ENOUGH;
    let asking = validator.client.ask(&address, ask(vec![3, 1], 1), patient);
    let serving = async {
        let InboundRequest { request, reply, .. } = miner.inbound.recv().await.unwrap();
        stands_still.store(true, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(12)).await;
        reply.send(echo_all(&request));
        stands_still.store(false, Ordering::Relaxed);
    };
    let (answered, ()) = tokio::join!(asking, serving);
    assert_eq!(answered.unwrap().answer.payload.tokens, [3, 1]);
}

#[tokio::test]
async fn a_relayed_connection_becomes_a_direct_one() {
    // Whether the validator's operator has said where it is, or only the relay sees where it comes from.
    for (seed, told) in [(131, false), (146, true)] {
        let relay = node_of(NetConfig {
            relay_server: Some(RelayLimits::default()),
            ..listening(seed)
        })
        .await;
        relay.handle.announce(relay.address.addr).await;
        let behind = |seed| NetConfig {
            relays: vec![multiaddr(&relay)],
            ..listening(seed)
        };
        let miner = node_of(behind(seed + 1)).await;
        let validator = node_of(behind(seed + 2)).await;
        if told {
            validator.handle.announce(validator.address.addr).await;
        }
        serve(miner.inbound, echo_all);
        // Nobody but the relay, which sees where they come from, knows where they listen.
        for node in [&miner.handle, &validator.handle] {
            let mut reachability = node.reachability();
            let relayed = reachability.wait_for(|reached| !reached.relayed.is_empty());
            timeout(ENOUGH, relayed).await.unwrap().unwrap();
        }
        let stale = PeerAddress {
            addr: NOBODY,
            ..miner.address
        };
        assert_eq!(answers(&validator, &stale).await, Ok(vec![3, 1]));
        let direct = async {
            let peer = crate::peer_id(&miner.address.peer_key).unwrap();
            loop {
                let connections = validator.handle.connections().await;
                if connections.iter().any(|c| c.peer == peer && !c.relayed) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(ENOUGH, direct).await.unwrap();
        assert_eq!(answers(&validator, &stale).await, Ok(vec![3, 1]));
    }
}

#[tokio::test]
async fn a_peer_that_has_moved_is_found() {
    let discovering = |seed, bootstrap: Option<&Node>| NetConfig {
        discovery: Some(NETWORK),
        bootstrap: bootstrap.map(multiaddr).into_iter().collect(),
        ..listening(seed)
    };
    let meeting = node_of(discovering(134, None)).await;
    meeting.handle.announce(meeting.address.addr).await;
    let miner = node_of(discovering(135, Some(&meeting))).await;
    miner.handle.announce(miner.address.addr).await;
    serve(miner.inbound, echo_all);
    let validator = node_of(discovering(136, Some(&meeting))).await;
    let stale = PeerAddress {
        addr: NOBODY,
        ..miner.address
    };
    // The meeting point hears of the miner a moment after it has joined.
    let found = async {
        loop {
            match answers(&validator, &stale).await {
                Err(AskError::Unreachable { .. }) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                other => break other,
            }
        }
    };
    assert_eq!(timeout(ENOUGH, found).await.unwrap(), Ok(vec![3, 1]));

    // A node of another subnet is no neighbour.
    let elsewhere = node_of(NetConfig {
        discovery: Some(SigningContext {
            netuid: NetUid(8),
            ..NETWORK
        }),
        bootstrap: vec![multiaddr(&meeting)],
        ..base(137)
    })
    .await;
    let error = answers(&elsewhere, &stale).await;
    assert_eq!(error, Err(AskError::Unreachable { addr: NOBODY }));
}

#[tokio::test]
async fn a_peer_that_sends_rubbish_is_banned() {
    let mut miner = node_of(listening(138)).await;
    let (vandal, validator) = (node_of(base(139)).await, node_of(base(140)).await);
    let rubbish = [4, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];
    let protocol = athanor_spec::wire::ASK_PROTOCOL;
    for _ in 0..3 {
        let begun = vandal
            .client
            .begin(&miner.address, protocol, &rubbish)
            .await;
        let read = begun
            .unwrap()
            .read::<athanor_spec::wire::AskFrame>(100)
            .await;
        assert_eq!(read, Err(AskError::Disconnected));
    }
    tokio::spawn(async move {
        while let Some(InboundRequest { request, reply, .. }) = miner.inbound.recv().await {
            reply.send(echo_all(&request));
        }
    });
    let banned = async { while answers(&vandal, &miner.address).await.is_ok() {} };
    timeout(ENOUGH, banned).await.unwrap();
    assert_eq!(answers(&validator, &miner.address).await, Ok(vec![3, 1]));
    drop(miner.handle);
}

#[tokio::test]
async fn a_relay_without_a_peer_id_refuses_to_start() {
    let address: Multiaddr = "/ip4/127.0.0.1/tcp/9".parse().unwrap();
    let config = NetConfig {
        relays: vec![address.clone()],
        ..base(141)
    };
    let error = start(config).await.expect_err("no peer id");
    assert!(matches!(error, StartError::NoPeerId { address: named } if named == address));
}
