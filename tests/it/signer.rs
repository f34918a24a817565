//! A hotkey that lies elsewhere: what it signs reaches the chain, and what it must not sign is never signed.

use std::time::Duration;

use athanor_chain::{
    Client, CommitError, SignError, Signer, StakeError, SubmitError,
    signer::{Purpose, RemoteSigner},
};
use athanor_devnet::{Devnet, development_pair};
use athanor_node::signer::SigningService;
use athanor_spec::{Commitment, Digest, Fetch, NetUid, Rao, SigningContext};

use crate::chain::{MINER, NETUID, config, genesis, hotkey, start, within};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

async fn signed_elsewhere() -> (Devnet, Client, SigningService, String) {
    let (devnet, client) = start(config(genesis(|_| {}))).await;
    let service = SigningService::start(
        "127.0.0.1:0".parse().unwrap(),
        development_pair(MINER).into(),
        client.signing_context(NETUID),
        Client::connect(&devnet.url()).await.unwrap(),
        TOKEN.to_owned(),
    )
    .await
    .unwrap();
    let url = format!("http://{}", service.address());
    (devnet, client, service, url)
}

fn now_ms() -> u64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    elapsed.unwrap().as_millis() as u64
}

const FETCH: Fetch = Fetch {
    blob: Digest([1; 32]),
    offset: 0,
    len: 1,
};

#[tokio::test]
async fn a_miner_commits_announces_and_answers_with_a_key_that_lies_elsewhere() {
    let (_devnet, client, _service, url) = signed_elsewhere().await;
    let signer = Signer::Remote(RemoteSigner::connect(&url, TOKEN).await.unwrap());
    assert_eq!(signer.hotkey(), hotkey(MINER));
    let record = Commitment {
        checkpoint: Digest([9; 32]),
        ..Commitment::default()
    };
    let address = "10.1.2.3:8091".parse().unwrap();
    within(client.set_commitment(&signer, NETUID, &record))
        .await
        .unwrap();
    within(client.serve_axon(&signer, NETUID, address))
        .await
        .unwrap();
    let metagraph = client.metagraph(NETUID).await.unwrap();
    let neuron = metagraph.by_hotkey(&hotkey(MINER)).unwrap();
    assert_eq!(neuron.axon, Some(address));
    assert_eq!(neuron.commitment.map(|(record, _)| record), Some(record));

    let context = client.signing_context(NETUID);
    let sealed = signer.seal(&context, FETCH, now_ms(), 60_000, 1).await;
    assert_eq!(sealed.unwrap().verify(&context, now_ms()), Ok(()));
}

#[tokio::test]
async fn a_signer_moves_no_stake_and_signs_for_no_other_subnet() {
    let (_devnet, client, _service, url) = signed_elsewhere().await;
    let signer = Signer::Remote(RemoteSigner::connect(&url, TOKEN).await.unwrap());
    let record = Commitment::default();
    let elsewhere = within(client.set_commitment(&signer, NetUid(2), &record)).await;
    match elsewhere.unwrap_err() {
        CommitError::Submit(SubmitError::Sign(SignError::Refused { reason, .. })) => {
            assert!(reason.contains("another chain, subnet"), "{reason}")
        }
        other => panic!("{other}"),
    }
    let staking = within(client.add_stake(&signer, hotkey(MINER), NETUID, Rao(1_000_000_000)));
    match staking.await.unwrap_err() {
        StakeError::Submit(SubmitError::Sign(SignError::Refused { reason, .. })) => {
            assert!(reason.contains("SubtensorModule.add_stake"), "{reason}")
        }
        other => panic!("{other}"),
    }
    let context = SigningContext {
        netuid: NetUid(2),
        ..client.signing_context(NETUID)
    };
    let error = signer.seal(&context, FETCH, now_ms(), 60_000, 1).await;
    assert!(matches!(error.unwrap_err(), SignError::Refused { .. }));
    let error = signer
        .sign(Purpose::Message, b"anything")
        .await
        .unwrap_err();
    assert!(matches!(error, SignError::Refused { .. }), "{error}");
}

#[tokio::test]
async fn a_wrong_token_and_a_dead_signer_are_told_apart() {
    let (_devnet, client, service, url) = signed_elsewhere().await;
    let error = RemoteSigner::connect(&url, "another").await.unwrap_err();
    assert!(matches!(error, SignError::NotAuthorised { .. }), "{error}");
    let signer = Signer::Remote(RemoteSigner::connect(&url, TOKEN).await.unwrap());
    let context = client.signing_context(NETUID);
    let seal = || signer.seal(&context, FETCH, now_ms(), 60_000, 1);
    seal().await.unwrap();
    drop(service);
    // Aborting the service's tasks takes a moment.
    tokio::time::sleep(Duration::from_millis(50)).await;
    let error = within(seal()).await.unwrap_err();
    assert!(matches!(error, SignError::Unreachable { .. }), "{error}");
}
