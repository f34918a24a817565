//! What nodes tell about themselves.

use athanor_spec::{
    PROTOCOL_VERSION, Round,
    wire::{NodeKind, TranscriptOffer},
};

use super::*;
use crate::{AskError, CodecError, Serving, Transcripts};

async fn telling(seed: u8, spec: SubnetSpec) -> Node {
    node_of(NetConfig {
        kind: NodeKind::Miner,
        listen: vec![LOOPBACK],
        spec: Some(spec),
        ..NetConfig::new(Identity::from_seed([seed; 32]), limits())
    })
    .await
}

#[tokio::test]
async fn a_status_is_true_at_once_and_costs_the_server_nothing() {
    let spec = SubnetSpec::local();
    let miner = telling(190, spec.clone()).await;
    let validator = node(191).await;
    // Nobody serves requests there.
    drop(miner.inbound);
    let checkpoint = Some(Digest([9; 32]));
    for free_slots in [8, 3] {
        let serving = Serving {
            checkpoint,
            free_slots,
        };
        miner.handle.serving().send_replace(serving);
        let status = validator.client.status(&miner.address, ENOUGH).await;
        let status = status.unwrap();
        assert_eq!(status.kind, NodeKind::Miner);
        assert_eq!(status.version, PROTOCOL_VERSION);
        assert_eq!(status.spec, Some(spec.digest()));
        assert_eq!(
            (status.checkpoint, status.free_slots),
            (checkpoint, free_slots)
        );
        assert!(crate::clock::now_ms().abs_diff(status.time_ms) < 10_000);
    }
}

#[tokio::test]
async fn a_peer_that_asks_too_often_is_told_to_wait() {
    let miner = telling(192, SubnetSpec::local()).await;
    let validator = node(193).await;
    let refused = async {
        loop {
            if let Err(error) = validator.client.status(&miner.address, ENOUGH).await {
                break error;
            }
        }
    };
    let error = tokio::time::timeout(ENOUGH, refused).await.unwrap();
    assert!(
        matches!(error, AskError::Refused(Refusal::Overloaded { retry_after_ms }) if retry_after_ms <= 500),
        "{error}"
    );
    drop(miner.handle);
}

#[tokio::test]
async fn a_spec_is_fetched_by_its_digest_and_held_against_it() {
    let mut spec = SubnetSpec::local();
    spec.round.deadline_ms += 1;
    let (miner, validator) = (telling(194, spec.clone()).await, node(195).await);
    let fetched = validator
        .client
        .spec(&miner.address, spec.digest(), ENOUGH)
        .await;
    assert_eq!(fetched.unwrap(), spec);
    let other = validator
        .client
        .spec(&miner.address, Digest([1; 32]), ENOUGH)
        .await;
    assert_eq!(other, Err(AskError::Refused(Refusal::UnknownBlob)));

    // One that it only holds is shown as well, and found at whoever has it.
    let mut next = spec.clone();
    next.round.deadline_ms += 1;
    let shown = (next.digest(), next.to_toml().into());
    miner
        .handle
        .specs()
        .send_modify(|specs| specs.extend([shown]));
    let nobody = PeerAddress {
        peer_key: Identity::from_seed([7; 32]).peer_key(),
        addr: "127.0.0.1:1".parse().unwrap(),
    };
    let shown = validator.handle.specs();
    let found = validator
        .client
        .learn_spec(&[nobody, miner.address], next.digest(), &shown)
        .await;
    assert_eq!(found.as_ref(), Some(&next));
    assert!(shown.borrow().contains_key(&next.digest()));
    let status = validator.client.status(&miner.address, ENOUGH).await;
    assert_eq!(status.unwrap().spec, Some(spec.digest()));

    for lie in [SubnetSpec::DEFAULT_TOML, "not = TOML of a spec", ""] {
        let judged = crate::status::checked(lie, &spec.digest());
        assert_eq!(judged, Err(CodecError::OtherSpec));
    }
}

#[tokio::test]
async fn anybody_learns_where_a_transcript_is() {
    let validator = telling(196, SubnetSpec::local()).await;
    let stranger = node(197).await;
    let offer = |round| TranscriptOffer {
        round: Round(round),
        root: Digest([1; 32]),
        blob: Digest([2; 32]),
        bytes: 3,
        ledger: None,
        oldest: Round(4),
    };
    let asked = async |round| {
        let asked = stranger
            .client
            .transcript(&validator.address, round, ENOUGH);
        asked.await.unwrap()
    };
    assert_eq!(asked(None).await, None);
    let kept: Transcripts = [4, 5].map(|round| (Round(round), offer(round))).into();
    validator.handle.transcripts().send_replace(kept);
    assert_eq!(asked(None).await, Some(offer(5)));
    assert_eq!(asked(Some(Round(4))).await, Some(offer(4)));
    assert_eq!(asked(Some(Round(6))).await, None);
}
