//! Asks and answers between two nodes.

use std::{net::TcpListener, time::Instant};

use athanor_spec::Refusal;

use super::*;
use crate::{AskError, CodecError, StartError};

#[tokio::test]
async fn an_ask_comes_back_as_its_answer() {
    let miner = node(1).await;
    let validator = node(2).await;
    serve(miner.inbound, echo_all);
    let sent = ask(vec![1, 2, 3], 7);
    let observed = validator
        .client
        .ask(&miner.address, sent.clone(), ENOUGH)
        .await
        .unwrap();
    assert_eq!(observed.answer.payload.request, sent.payload.hash());
    assert_eq!(observed.answer.payload.tokens, [1, 2, 3]);
    assert!(observed.elapsed < ENOUGH);
}

#[tokio::test]
async fn many_asks_at_once_get_their_own_answers() {
    let miner = node_with(3, limits(), 256).await;
    let validator = node(4).await;
    serve(miner.inbound, echo_all);
    let asks = (0..200_u32).map(|i| {
        let (client, address) = (validator.client.clone(), miner.address);
        async move {
            let observed = client
                .ask(&address, ask(vec![i; 10], u64::from(i)), ENOUGH)
                .await
                .unwrap();
            assert_eq!(observed.answer.payload.tokens, [i; 10]);
        }
    });
    futures::future::join_all(asks).await;
}

#[tokio::test]
async fn a_refusal_arrives_typed() {
    let miner = node(5).await;
    let validator = node(6).await;
    serve(miner.inbound, |_| Response::Refused(Refusal::NotAllowed));
    let error = validator
        .client
        .ask(&miner.address, ask(vec![1], 1), ENOUGH)
        .await
        .unwrap_err();
    assert_eq!(error, AskError::Refused(Refusal::NotAllowed));
    assert!(error.blames_peer());
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    let miner = node_with(7, limits(), 1).await;
    let validator = node(8).await;
    // Nobody takes requests off the queue of one, so of two the second is refused by the network itself.
    let first = validator
        .client
        .ask(&miner.address, ask(vec![1], 1), ENOUGH);
    let second = validator
        .client
        .ask(&miner.address, ask(vec![2], 2), ENOUGH);
    let refused = tokio::select! {
        first = first => first,
        second = second => second,
    };
    assert!(
        matches!(refused, Err(AskError::Refused(Refusal::Overloaded { .. }))),
        "{refused:?}"
    );
}

#[tokio::test]
async fn a_node_that_serves_nobody_says_so() {
    let other = node(9).await;
    let validator = node(10).await;
    drop(other.inbound);
    let refused = validator
        .client
        .ask(&other.address, ask(vec![1], 1), ENOUGH)
        .await;
    assert_eq!(refused, Err(AskError::Refused(Refusal::RESTARTING)));
}

#[tokio::test]
async fn another_peer_at_the_address_is_not_spoken_to() {
    let miner = node(11).await;
    let validator = node(12).await;
    let expected = Identity::from_seed([13; 32]).peer_key();
    let address = PeerAddress {
        peer_key: expected,
        ..miner.address
    };
    let obtained = Identity::from_seed([11; 32]).peer_id();
    let error = validator
        .client
        .ask(&address, ask(vec![1], 1), ENOUGH)
        .await
        .unwrap_err();
    assert_eq!(error, AskError::WrongPeer { obtained });
    drop(miner.handle);
}

#[tokio::test]
async fn a_silent_peer_times_out() {
    let miner = node(14).await;
    let validator = node(15).await;
    let within = Duration::from_millis(300);
    let started = Instant::now();
    let error = validator
        .client
        .ask(&miner.address, ask(vec![1], 1), within)
        .await
        .unwrap_err();
    assert_eq!(error, AskError::Timeout { after: within });
    assert!(started.elapsed() >= within);
    drop(miner.inbound);
}

#[tokio::test]
async fn a_dropped_request_reads_as_disconnected() {
    let mut miner = node(16).await;
    let validator = node(17).await;
    tokio::spawn(async move { drop(miner.inbound.recv().await) });
    let error = validator
        .client
        .ask(&miner.address, ask(vec![1], 1), ENOUGH)
        .await
        .unwrap_err();
    assert_eq!(error, AskError::Disconnected);
}

#[tokio::test]
async fn a_closed_port_is_unreachable() {
    let validator = node(18).await;
    let addr = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
    let address = PeerAddress {
        peer_key: Identity::from_seed([19; 32]).peer_key(),
        addr,
    };
    let error = validator
        .client
        .ask(&address, ask(vec![1], 1), ENOUGH)
        .await
        .unwrap_err();
    assert_eq!(error, AskError::Unreachable { addr });
}

#[tokio::test]
async fn a_taken_port_refuses_to_start() {
    let holder = node(20).await;
    for taken in [
        holder.address.addr,
        TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap(),
    ] {
        let blocker = TcpListener::bind(taken);
        let config = NetConfig {
            listen: vec![taken],
            ..NetConfig::new(Identity::from_seed([21; 32]), limits())
        };
        let error = start(config).await.expect_err("the port is taken");
        assert!(
            matches!(error, StartError::Listen { addr, .. } if addr == taken),
            "{error}"
        );
        drop(blocker);
    }
}

#[tokio::test]
async fn an_oversized_ask_is_not_sent() {
    let miner = node(22).await;
    let validator = node(23).await;
    let error = validator
        .client
        .ask(&miner.address, ask(vec![0; 100_000], 1), ENOUGH)
        .await
        .unwrap_err();
    let bound = athanor_spec::wire::max_ask_bytes(&limits());
    assert_eq!(
        error,
        AskError::RequestTooLarge(CodecError::TooLarge { bound })
    );
    assert!(!error.blames_peer());
}

#[tokio::test]
async fn an_oversized_ask_is_refused_by_the_server() {
    let mut miner = node(24).await;
    let loose = Limits {
        max_prompt_tokens: 1 << 20,
        ..limits()
    };
    let liar = node_with(25, loose, 1).await;
    let error = liar
        .client
        .ask(&miner.address, ask(vec![0; 1 << 19], 1), ENOUGH)
        .await
        .unwrap_err();
    assert_eq!(error, AskError::Disconnected);
    // It never became a request; one within bounds still does.
    let client = liar.client.clone();
    tokio::spawn(async move { client.ask(&miner.address, ask(vec![42], 1), ENOUGH).await });
    match miner.inbound.recv().await.unwrap().request {
        Request::Ask(received) => assert_eq!(received.payload.prompt, [42]),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_oversized_answer_is_refused_by_the_client() {
    let loose = Limits {
        max_new_tokens: 1 << 16,
        max_chunk_bytes: 1 << 20,
        ..limits()
    };
    let liar = node_with(26, loose, 1).await;
    let validator = node(27).await;
    serve(liar.inbound, |request| match request {
        Request::Ask(ask) => Response::Answer(envelope(Answer {
            request: ask.payload.hash(),
            checkpoint: Digest([9; 32]),
            tokens: vec![0; 1 << 15],
            finish: Finish::Length,
        })),
        other => echo_all(other),
    });
    let error = validator
        .client
        .ask(&liar.address, ask(vec![1], 1), ENOUGH)
        .await
        .unwrap_err();
    let bound = athanor_spec::wire::max_ask_frame_bytes(&limits());
    assert_eq!(error, AskError::Malformed(CodecError::TooLarge { bound }));
}

#[tokio::test]
async fn a_shutdown_lets_the_answer_leave_and_ends_the_queue() {
    let mut miner = node(30).await;
    let validator = node(31).await;
    let asking = tokio::spawn({
        let client = validator.client.clone();
        async move { client.ask(&miner.address, ask(vec![5], 1), ENOUGH).await }
    });
    let InboundRequest { request, reply, .. } = miner.inbound.recv().await.unwrap();
    let ending = tokio::spawn(miner.handle.shutdown());
    reply.send(echo_all(&request));
    assert_eq!(asking.await.unwrap().unwrap().answer.payload.tokens, [5]);
    ending.await.unwrap();
    assert!(miner.inbound.recv().await.is_none());
    let error = miner
        .client
        .ask(&validator.address, ask(vec![1], 1), ENOUGH)
        .await
        .unwrap_err();
    assert_eq!(error, AskError::Stopped);
}
