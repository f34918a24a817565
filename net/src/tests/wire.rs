//! The bytes of protocol version 1: changing one is changing the protocol, so the version must change with it.

use athanor_spec::{DeltaOffer, DeltaQuery, Fetch, PROTOCOL_VERSION, Refusal};
use codec::{Decode, Encode};

use super::*;
use crate::{CodecError, codec::decode};

fn check<M: Encode + Decode + PartialEq + std::fmt::Debug>(message: M, expected: &str) {
    let bytes = message.encode();
    assert_eq!(hex(&bytes), expected);
    assert_eq!(decode::<M>(&bytes), Ok(message));
    let mut longer = bytes.clone();
    longer.extend([0, 0]);
    assert_eq!(decode::<M>(&longer), Err(CodecError::Trailing { bytes: 2 }));
    for cut in 1..bytes.len() {
        assert_eq!(
            decode::<M>(&bytes[..cut]),
            Err(CodecError::Malformed),
            "cut at {cut}"
        );
    }
    assert_eq!(decode::<M>(&[]), Err(CodecError::Empty));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The envelope of [`envelope`] after its payload.
fn sealed() -> String {
    format!(
        "{}020000000000000003000000000000000400000000000000{}",
        "01".repeat(32),
        "05".repeat(64)
    )
}

#[test]
fn the_version_has_not_moved() {
    assert_eq!(PROTOCOL_VERSION, 1);
    assert_eq!(athanor_spec::wire::PROTOCOL_NAME, "/athanor/1");
}

#[test]
fn an_ask_has_these_bytes() {
    let payload = "080100000002010000" /* prompt */
        .to_owned()
        + "0600"
        + "bc02"
        + "0807060504030201";
    check(
        Request::Ask(ask(vec![1, 258], 0x0102_0304_0506_0708)),
        &format!("00{payload}{}", sealed()),
    );
}

#[test]
fn a_fetch_has_these_bytes() {
    let payload = "aa".repeat(32) + "0010000000000000" + "00000400";
    let fetch = Fetch {
        blob: Digest([0xaa; 32]),
        offset: 4096,
        len: 262_144,
    };
    check(
        Request::Fetch(envelope(fetch)),
        &format!("01{payload}{}", sealed()),
    );
}

#[test]
fn a_query_for_a_delta_and_its_answer_have_these_bytes() {
    let payload = "aa".repeat(32) + &"bb".repeat(32);
    let query = DeltaQuery {
        file: Digest([0xaa; 32]),
        base: Digest([0xbb; 32]),
    };
    check(
        Request::Delta(envelope(query)),
        &format!("02{payload}{}", sealed()),
    );
    let offer = DeltaOffer {
        blob: Digest([0xcc; 32]),
        bytes: 4096,
    };
    check(
        Response::Delta(offer),
        &("03".to_owned() + &"cc".repeat(32) + "0010000000000000"),
    );
}

#[test]
fn an_answer_has_these_bytes() {
    let payload = "aa".repeat(32) + &"bb".repeat(32) + "0807000000ffffffff" + "01";
    let answer = Answer {
        request: Digest([0xaa; 32]),
        checkpoint: Digest([0xbb; 32]),
        tokens: vec![7, u32::MAX],
        finish: Finish::Length,
    };
    check(
        Response::Answer(envelope(answer)),
        &format!("00{payload}{}", sealed()),
    );
}

#[test]
fn a_slice_has_these_bytes() {
    check(Response::Slice(vec![1, 2, 3]), "010c010203");
}

#[test]
fn refusals_have_these_bytes() {
    for (refusal, expected) in [
        (Refusal::BadSignature, "0200"),
        (
            Refusal::Expired { server_time_ms: 1 },
            "02010100000000000000",
        ),
        (Refusal::Replayed, "0202"),
        (Refusal::NotAllowed, "0203"),
        (Refusal::OutOfBounds, "0204"),
        (
            Refusal::Overloaded {
                retry_after_ms: 250,
            },
            "0205fa000000",
        ),
        (Refusal::UnknownBlob, "0206"),
        (Refusal::NotServing, "0207"),
    ] {
        check(Response::Refused(refusal), expected);
    }
}

#[test]
fn a_huge_claimed_length_is_malformed_not_allocated() {
    // A prompt of 2^30 - 1 tokens claimed in six bytes.
    assert_eq!(
        decode::<Request>(&[0, 0xfe, 0xff, 0xff, 0xff, 1]),
        Err(CodecError::Malformed)
    );
}
