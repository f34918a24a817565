//! What a signer signs, and a daemon and its signer over a real connection.

use athanor_chain::signer::{Purpose, RemoteSigner};
use athanor_spec::{
    Answer, Ask, Digest, Finish, Hotkey, NetUid, SigningContext,
    envelope::{MAX_WINDOW_MS, signing_bytes},
};
use codec::Encode as _;
use proptest::prelude::*;

use super::policy::{Policy, Refusal};
use super::*;

const CONTEXT: SigningContext = SigningContext {
    genesis: Digest([7; 32]),
    netuid: NetUid(3),
};
const HOTKEY: Hotkey = Hotkey([5; 32]);
const POLICY: Policy = Policy {
    hotkey: HOTKEY,
    context: CONTEXT,
};
const NOW: u64 = 1_700_000_000_000;

fn answer() -> Answer {
    Answer {
        request: Digest([1; 32]),
        checkpoint: Digest([2; 32]),
        tokens: vec![1, 2, 3],
        finish: Finish::Length,
    }
}

fn message(context: &SigningContext, signer: &Hotkey, issued: u64, window: u64) -> Vec<u8> {
    signing_bytes(context, &answer(), signer, issued, issued + window, 9)
}

#[test]
fn a_message_of_the_protocol_is_signed_and_none_for_elsewhere() {
    let judge = |bytes: &[u8]| POLICY.message(bytes, NOW);
    assert_eq!(
        judge(&message(&CONTEXT, &HOTKEY, NOW, 60_000)),
        Ok("athanor/answer")
    );
    let ask = Ask {
        prompt: vec![1],
        max_new_tokens: 3,
        temperature_milli: 700,
        seed: 9,
    };
    let ask = signing_bytes(&CONTEXT, &ask, &HOTKEY, NOW, NOW + 1, 0);
    assert_eq!(judge(&ask), Ok("athanor/ask"));
    for elsewhere in [
        SigningContext {
            netuid: NetUid(4),
            ..CONTEXT
        },
        SigningContext {
            genesis: Digest([8; 32]),
            ..CONTEXT
        },
    ] {
        let bytes = message(&elsewhere, &HOTKEY, NOW, 1);
        assert_eq!(judge(&bytes), Err(Refusal::Elsewhere));
    }
    let other = message(&CONTEXT, &Hotkey([6; 32]), NOW, 1);
    assert_eq!(judge(&other), Err(Refusal::Signer));
    for (issued, window) in [
        (NOW, MAX_WINDOW_MS + 1),
        (NOW - 10_000, 1),
        (NOW + 10_000, 1),
    ] {
        let bytes = message(&CONTEXT, &HOTKEY, issued, window);
        assert_eq!(judge(&bytes), Err(Refusal::Window), "{issued} {window}");
    }
    let foreign = (&b"athanor/other"[..], CONTEXT.genesis, CONTEXT.netuid).encode();
    assert_eq!(judge(&foreign), Err(Refusal::Kind));
    assert_eq!(
        judge(b"<Bytes>what a wallet lets people sign</Bytes>"),
        Err(Refusal::Kind)
    );
    assert_eq!(judge(&[]), Err(Refusal::NotAMessage));
}

fn payload(netuid: NetUid, genesis: Digest) -> Vec<u8> {
    let implicit = (1u32, 1u32, genesis, Digest([4; 32]), 0u8);
    ((7u8, 0u8, netuid), [0u8; 150], implicit).encode()
}

fn judge_call(bytes: &[u8], pallet: &str, call: &str) -> Result<&'static str, Refusal> {
    let name = |index, _| (index == 7).then(|| (pallet.to_owned(), call.to_owned()));
    POLICY.extrinsic(bytes, name, |_| Some(0))
}

#[test]
fn calls_that_serve_are_signed_and_none_that_move_coins_or_stake() {
    let bytes = payload(CONTEXT.netuid, CONTEXT.genesis);
    assert_eq!(
        judge_call(&bytes, "Commitments", "set_commitment"),
        Ok("set_commitment")
    );
    for (pallet, call) in [
        ("Balances", "transfer_keep_alive"),
        ("SubtensorModule", "add_stake"),
        ("SubtensorModule", "remove_stake"),
        ("SubtensorModule", "swap_hotkey"),
        ("SubtensorModule", "burned_register"),
        ("Utility", "batch"),
        ("Sudo", "sudo"),
        ("Commitments", "serve_axon"),
    ] {
        let refused = judge_call(&bytes, pallet, call);
        assert!(
            matches!(refused, Err(Refusal::Call { .. })),
            "{pallet}.{call}"
        );
    }
    for (netuid, genesis) in [
        (NetUid(4), CONTEXT.genesis),
        (CONTEXT.netuid, Digest([8; 32])),
    ] {
        let refused = judge_call(&payload(netuid, genesis), "SubtensorModule", "serve_axon");
        assert_eq!(refused, Err(Refusal::Elsewhere));
    }
    let name = |_, _| Some(("Commitments".to_owned(), "set_commitment".to_owned()));
    for (tip, refused) in [
        (Some(1), Refusal::Tip { tip: 1 }),
        (None, Refusal::NotAnExtrinsic),
    ] {
        assert_eq!(POLICY.extrinsic(&bytes, name, |_| tip), Err(refused));
    }
    let hash = [9; 32];
    assert_eq!(
        judge_call(&hash, "Commitments", "set_commitment"),
        Err(Refusal::NotAnExtrinsic)
    );
}

proptest! {
    /// Nothing that is signed as a message is signed as an extrinsic too, whatever the chain calls its calls, and no bytes
    /// are a panic.
    #[test]
    fn bytes_are_judged_without_a_panic(bytes: Vec<u8>) {
        let _ = POLICY.message(&bytes, NOW);
        let _ = judge_call(&bytes, "Commitments", "set_commitment");
    }

    #[test]
    fn a_message_is_no_extrinsic(issued in 0u64..1000) {
        let bytes = message(&CONTEXT, &HOTKEY, NOW + issued, 60_000);
        prop_assert!(POLICY.message(&bytes, NOW).is_ok());
        let calls = |_, _| Some(("Commitments".to_owned(), "set_commitment".to_owned()));
        let judged = POLICY.extrinsic(&bytes, calls, |_| Some(0));
        prop_assert_eq!(judged, Err(Refusal::Elsewhere));
    }
}

#[tokio::test]
async fn a_signer_that_is_not_there_is_told_by_its_address() {
    // A port that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let error = RemoteSigner::connect(&url, "t").await.unwrap_err();
    assert!(matches!(&error, SignError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains(&url), "{error}");
}

#[tokio::test]
async fn a_local_key_signs_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let wallet = WalletArgs {
        name: "w".to_owned(),
        hotkey: "h".to_owned(),
        path: folder.path().to_owned(),
    };
    let made = wallet
        .wallet()
        .create(athanor_chain::wallet::KeyKind::Hotkey, None)
        .unwrap();
    let signer = RemoteArgs::default().signer(&wallet).await.unwrap();
    assert_eq!(signer.hotkey(), made.address);
    let sealed = signer.seal(&CONTEXT, answer(), NOW, 60_000, 1).await;
    assert_eq!(sealed.unwrap().verify(&CONTEXT, NOW), Ok(()));
    assert!(signer.sign(Purpose::Message, b"x").await.is_ok());
}
