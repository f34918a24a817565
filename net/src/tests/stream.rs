//! Tokens on their way: streamed, cancelled, stalled, forged.

use athanor_spec::wire::{self, AskFrame};
use tokio::time::timeout;

use super::*;
use crate::{AskError, CodecError, Responder, frame};

/// The next request, which must be an ask.
async fn next_ask(inbound: &mut Inbound) -> (Signed<Ask>, Responder) {
    let InboundRequest { request, reply, .. } = inbound.recv().await.unwrap();
    match request {
        Request::Ask(ask) => (ask, reply),
        other => panic!("{other:?}"),
    }
}

fn answer_to(ask: &Signed<Ask>, tokens: &[u32]) -> Response {
    Response::Answer(envelope(Answer {
        request: ask.payload.hash(),
        checkpoint: Digest([9; 32]),
        tokens: tokens.to_vec(),
        finish: Finish::Stop,
    }))
}

#[tokio::test]
async fn tokens_arrive_before_the_answer_is_whole() {
    let mut miner = node(80).await;
    let validator = node(81).await;
    let mut stream = validator
        .client
        .ask_stream(&miner.address, ask(vec![1], 1), ENOUGH);
    let (received, mut reply) = next_ask(&mut miner.inbound).await;
    // Each piece is here before the next is made.
    for piece in [&[4][..], &[5, 6]] {
        reply.tokens(piece);
        assert_eq!(stream.tokens().await.unwrap(), piece);
    }
    let pause = Duration::from_millis(30);
    tokio::time::sleep(pause).await;
    reply.send(answer_to(&received, &[4, 5, 6, 7]));
    assert_eq!(stream.tokens().await, None);
    let observed = stream.finish().await.unwrap();
    assert_eq!(observed.answer.payload.tokens, [4, 5, 6, 7]);
    assert!(observed.first_token + pause <= observed.elapsed);
    let arrivals = &observed.arrivals;
    let counts: Vec<u32> = arrivals.iter().map(|(_, tokens)| *tokens).collect();
    assert_eq!(counts, [1, 3, 4]);
    assert_eq!(observed.arrived_by(arrivals[0].0 - pause), 0);
    assert_eq!(observed.arrived_by(arrivals[1].0), 3);
    assert_eq!(observed.arrived_by(arrivals[2].0 - pause / 2), 3);
    assert_eq!(observed.arrived_by(arrivals[2].0), 4);
}

#[tokio::test]
async fn an_answer_that_came_at_once_has_one_time() {
    let miner = node(82).await;
    let validator = node(83).await;
    serve(miner.inbound, echo_all);
    let sent = ask(vec![1], 1);
    let observed = validator
        .client
        .ask(&miner.address, sent, ENOUGH)
        .await
        .unwrap();
    assert_eq!(observed.first_token, observed.elapsed);
}

/// What a client makes of tokens that are streamed before an answer.
async fn judged(seed: u8, streamed: Vec<u32>, answered: Vec<u32>) -> Result<Vec<u32>, AskError> {
    let mut miner = node(seed).await;
    let validator = node(seed + 1).await;
    tokio::spawn(async move {
        let (received, mut reply) = next_ask(&mut miner.inbound).await;
        reply.tokens(&streamed);
        // The writer must have taken them, or the answer would replace them.
        tokio::time::sleep(Duration::from_millis(50)).await;
        reply.send(answer_to(&received, &answered));
        miner.inbound.recv().await
    });
    let sent = ask(vec![1], 1);
    let observed = validator.client.ask(&miner.address, sent, ENOUGH).await?;
    Ok(observed.answer.payload.tokens)
}

#[tokio::test]
async fn an_answer_must_hold_the_tokens_that_were_streamed() {
    let forged = Err(AskError::Malformed(CodecError::OtherTokens));
    assert_eq!(
        judged(84, vec![1, 2], vec![1, 2, 3]).await,
        Ok(vec![1, 2, 3])
    );
    assert_eq!(judged(86, vec![1, 2], vec![1, 3]).await, forged);
    assert_eq!(judged(88, vec![1, 2], vec![1]).await, forged);
    // The ask is for six tokens.
    assert_eq!(judged(90, vec![0; 7], vec![0; 7]).await, forged);
    assert!(forged.is_err_and(|error| error.blames_peer()));
}

#[tokio::test]
async fn an_asker_that_goes_away_is_noticed() {
    let mut miner = node(92).await;
    let validator = node(93).await;
    // It gives up before the first token, after it, when its time is over, and when its node ends.
    let stream = validator
        .client
        .ask_stream(&miner.address, ask(vec![1], 1), ENOUGH);
    let (_, reply) = next_ask(&mut miner.inbound).await;
    assert!(reply.is_open());
    drop(stream);
    timeout(ENOUGH, reply.cancelled()).await.unwrap();

    let mut stream = validator
        .client
        .ask_stream(&miner.address, ask(vec![1], 1), ENOUGH);
    let (_, mut reply) = next_ask(&mut miner.inbound).await;
    reply.tokens(&[1]);
    assert_eq!(stream.tokens().await.unwrap(), [1]);
    drop(stream);
    timeout(ENOUGH, reply.cancelled()).await.unwrap();
    assert!(!reply.is_open());

    let within = Duration::from_millis(50);
    let sent = ask(vec![1], 1);
    let asking = validator.client.ask(&miner.address, sent, within);
    let (asked, (_, reply)) = tokio::join!(asking, next_ask(&mut miner.inbound));
    assert_eq!(asked, Err(AskError::Timeout { after: within }));
    timeout(ENOUGH, reply.cancelled()).await.unwrap();

    let _asking = validator
        .client
        .ask_stream(&miner.address, ask(vec![1], 1), ENOUGH);
    let (_, reply) = next_ask(&mut miner.inbound).await;
    validator.handle.shutdown().await;
    timeout(ENOUGH, reply.cancelled()).await.unwrap();
}

#[tokio::test]
async fn a_stalled_reader_stalls_nobody_and_misses_nothing() {
    const TOKENS: u32 = 1 << 16;
    let limits = Limits {
        max_new_tokens: TOKENS,
        ..limits()
    };
    let mut miner = node_with(94, limits.clone(), 4).await;
    let staller = node_with(95, limits.clone(), 4).await;
    let sent = ask(vec![1], 1);
    let request = frame::encode(&sent, wire::max_ask_bytes(&limits)).unwrap();
    let mut begun = staller
        .client
        .begin(&miner.address, wire::ASK_PROTOCOL, &request)
        .await
        .unwrap();
    let (received, mut reply) = next_ask(&mut miner.inbound).await;
    let all: Vec<u32> = (0..TOKENS).collect();
    // Nobody reads, and one frame a token would be twice what the stream's window holds; no call waits.
    for token in &all {
        reply.tokens(&[*token]);
        tokio::task::yield_now().await;
    }
    reply.send(answer_to(&received, &all));
    let bound = wire::max_ask_frame_bytes(&limits);
    let mut streamed = Vec::new();
    loop {
        match begun.read(bound).await.unwrap() {
            AskFrame::Tokens(tokens) => streamed.extend(tokens),
            AskFrame::Done(answer) => {
                assert!(answer.payload.tokens.starts_with(&streamed));
                return assert_eq!(answer.payload.tokens, all);
            }
            AskFrame::Refused(refusal) => panic!("{refusal}"),
        }
    }
}

#[tokio::test]
async fn a_protocol_that_the_peer_does_not_speak_is_named() {
    let miner = node(96).await;
    let validator = node(97).await;
    let mut begun = validator
        .client
        .begin(&miner.address, "/athanor/ask/1", &[0; 4])
        .await
        .unwrap();
    let error = begun.read::<AskFrame>(100).await.unwrap_err();
    let protocol = "/athanor/ask/1";
    assert_eq!(error, AskError::UnsupportedProtocol { protocol });
    drop(miner.handle);
}

#[tokio::test]
async fn one_peer_cannot_hold_all_streams() {
    let miner = node_with(98, limits(), 1000).await;
    let (flooder, validator) = (node(99).await, node(100).await);
    // A peer that keeps to no bound of its own: it opens streams past the client's.
    let request = frame::encode(&ask(vec![1], 1), 1000).unwrap();
    let mut held = Vec::new();
    for _ in 0..300 {
        let stream = flooder
            .client
            .begin(&miner.address, wire::ASK_PROTOCOL, &request);
        held.push(stream.await.unwrap());
    }
    let refused = held.iter_mut().map(|stream| {
        let read = stream.read::<AskFrame>(1000);
        async { timeout(Duration::from_secs(2), read).await.ok() }
    });
    let refused: Vec<_> = futures::future::join_all(refused)
        .await
        .into_iter()
        .flatten()
        .collect();
    assert_eq!(refused.len(), 300 - 256);
    let overloaded = |frame| matches!(frame, Ok(AskFrame::Refused(Refusal::Overloaded { .. })));
    assert!(refused.into_iter().all(overloaded));

    serve(miner.inbound, echo_all);
    let other = validator
        .client
        .ask(&miner.address, ask(vec![7], 1), ENOUGH)
        .await;
    assert_eq!(other.unwrap().answer.payload.tokens, [7]);
}

#[tokio::test]
async fn a_wrong_clock_is_told_from_a_refusal() {
    let validator = node(101).await;
    let far = 3_600_000;
    for (seed, ahead, blamed) in [(102, -far, false), (104, far, false)] {
        let miner = node(seed).await;
        let server_time_ms = crate::clock::now_ms().saturating_add_signed(-ahead);
        serve(miner.inbound, move |_| {
            Response::Refused(Refusal::Expired { server_time_ms })
        });
        let sent = ask(vec![1], 1);
        let error = validator
            .client
            .ask(&miner.address, sent, ENOUGH)
            .await
            .unwrap_err();
        let AskError::ClockSkew { ahead_ms, .. } = error else {
            panic!("{error}");
        };
        assert!((ahead_ms - ahead).abs() < 10_000, "{ahead_ms}");
        assert_eq!(error.blames_peer(), blamed);
    }
    // Three other peers agree with this node, so the next one that does not is wrong itself.
    for seed in 106..109 {
        let miner = node(seed).await;
        serve(miner.inbound, |request| match request {
            Request::Ask(ask) => match answer_to(ask, &[1]) {
                Response::Answer(mut answer) => {
                    answer.issued_ms = crate::clock::now_ms();
                    Response::Answer(answer)
                }
                other => other,
            },
            other => echo_all(other),
        });
        let sent = ask(vec![1], 1);
        let answered = validator.client.ask(&miner.address, sent, ENOUGH).await;
        assert!(answered.is_ok(), "{answered:?}");
    }
    let liar = node(110).await;
    serve(liar.inbound, |_| {
        Response::Refused(Refusal::Expired { server_time_ms: 5 })
    });
    let sent = ask(vec![1], 1);
    let error = validator
        .client
        .ask(&liar.address, sent, ENOUGH)
        .await
        .unwrap_err();
    assert!(error.blames_peer(), "{error}");
}
