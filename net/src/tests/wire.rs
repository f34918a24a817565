//! The bytes of every message, signing bytes included: changing one is changing a protocol.

use athanor_spec::{
    DeltaOffer, DeltaQuery, Fetch, NetUid, PROTOCOL_VERSION, Refusal, Round, SigningContext,
    envelope::signing_bytes,
    wire::{
        self, AskFrame, BlobRequest, BlobResponse, NodeKind, SpecQuery, SpecResponse, Status,
        StatusQuery, StatusResponse, TranscriptOffer, TranscriptQuery, TranscriptResponse,
    },
};
use codec::{Decode, Encode};
use proptest::prelude::*;

use super::*;
use crate::{CodecError, frame};

/// One line a message: its name, a space, its bytes in hexadecimal digits.
const GOLDEN: &str = include_str!("golden.txt");

fn sample_ask() -> Signed<Ask> {
    ask(vec![1, 258], 0x0102_0304_0506_0708)
}

fn sample_fetch() -> Fetch {
    Fetch {
        blob: Digest([0xaa; 32]),
        offset: 4096,
        len: 262_144,
    }
}

fn sample_query() -> DeltaQuery {
    DeltaQuery {
        file: Digest([0xaa; 32]),
        base: Digest([0xbb; 32]),
    }
}

fn sample_answer() -> Answer {
    Answer {
        request: Digest([0xaa; 32]),
        checkpoint: Digest([0xbb; 32]),
        tokens: vec![7, u32::MAX],
        finish: Finish::Length,
    }
}

fn sample_status() -> Status {
    Status {
        kind: NodeKind::Validator,
        version: 2,
        spec: Some(Digest([0xaa; 32])),
        checkpoint: Some(Digest([0xbb; 32])),
        free_slots: 8,
        time_ms: 258,
    }
}

fn sample_transcript() -> TranscriptOffer {
    TranscriptOffer {
        round: Round(258),
        root: Digest([0xaa; 32]),
        blob: Digest([0xbb; 32]),
        bytes: 4096,
        ledger: Some((Digest([0xcc; 32]), 2048)),
        oldest: Round(3),
    }
}

fn refusals() -> [(&'static str, Refusal); 8] {
    let server_time_ms = 1;
    let retry_after_ms = 250;
    [
        ("bad-signature", Refusal::BadSignature),
        ("expired", Refusal::Expired { server_time_ms }),
        ("replayed", Refusal::Replayed),
        ("not-allowed", Refusal::NotAllowed),
        ("out-of-bounds", Refusal::OutOfBounds),
        ("overloaded", Refusal::Overloaded { retry_after_ms }),
        ("unknown-blob", Refusal::UnknownBlob),
        ("not-serving", Refusal::NotServing { retry_after_ms }),
    ]
}

fn signed_bytes<T: Encode + Domain>(payload: &T) -> Vec<u8> {
    let context = SigningContext {
        genesis: Digest([0xdd; 32]),
        netuid: NetUid(258),
    };
    signing_bytes(&context, payload, &Hotkey([1; 32]), 2, 3, 4)
}

/// Encodes a message and checks that it decodes to itself, whole and nothing else.
fn encoded<M: Encode + Decode + PartialEq + std::fmt::Debug>(message: M) -> Vec<u8> {
    let bytes = message.encode();
    assert_eq!(frame::decode::<M>(&bytes), Ok(message));
    let mut longer = bytes.clone();
    longer.extend([0, 0]);
    let trailing = Err(CodecError::Trailing { bytes: 2 });
    assert_eq!(frame::decode::<M>(&longer), trailing);
    for cut in 1..bytes.len() {
        let cut_off = frame::decode::<M>(&bytes[..cut]);
        assert_eq!(cut_off, Err(CodecError::Malformed), "cut at {cut}");
    }
    assert_eq!(frame::decode::<M>(&[]), Err(CodecError::Empty));
    bytes
}

fn samples() -> Vec<(String, Vec<u8>)> {
    let mut samples = vec![
        ("ask", encoded(sample_ask())),
        ("ask-signing-bytes", signed_bytes(&sample_ask().payload)),
        ("tokens", encoded(AskFrame::Tokens(vec![7, u32::MAX]))),
        ("done", encoded(AskFrame::Done(envelope(sample_answer())))),
        ("answer-signing-bytes", signed_bytes(&sample_answer())),
        (
            "fetch",
            encoded(BlobRequest::Fetch(envelope(sample_fetch()))),
        ),
        ("fetch-signing-bytes", signed_bytes(&sample_fetch())),
        (
            "delta",
            encoded(BlobRequest::Delta(envelope(sample_query()))),
        ),
        ("delta-signing-bytes", signed_bytes(&sample_query())),
        ("slice", encoded(BlobResponse::Slice(vec![1, 2, 3]))),
        (
            "offer",
            encoded(BlobResponse::Delta(DeltaOffer {
                blob: Digest([0xcc; 32]),
                bytes: 4096,
            })),
        ),
        ("status-query", encoded(StatusQuery { time_ms: 258 })),
        ("status", encoded(StatusResponse::Status(sample_status()))),
        (
            "spec-query",
            encoded(SpecQuery {
                digest: Digest([0xaa; 32]),
            }),
        ),
        ("spec", encoded(SpecResponse::Toml("a = 1".to_owned()))),
        (
            "transcript-query",
            encoded(TranscriptQuery {
                round: Some(Round(258)),
            }),
        ),
        (
            "transcript-query-last",
            encoded(TranscriptQuery { round: None }),
        ),
        (
            "transcript-offer",
            encoded(TranscriptResponse::Offer(sample_transcript())),
        ),
    ]
    .into_iter()
    .map(|(name, bytes)| (name.to_owned(), bytes))
    .collect::<Vec<_>>();
    for (name, refusal) in refusals() {
        let bytes = encoded(AskFrame::Refused(refusal.clone()));
        // A node that cannot tell what was asked refuses all the same.
        assert_eq!(bytes, encoded(BlobResponse::Refused(refusal.clone())));
        assert_eq!(bytes, encoded(StatusResponse::Refused(refusal.clone())));
        assert_eq!(bytes, encoded(SpecResponse::Refused(refusal.clone())));
        assert_eq!(bytes, encoded(TranscriptResponse::Refused(refusal)));
        samples.push((format!("refused-{name}"), bytes));
    }
    samples
}

#[test]
fn the_encodings_have_not_moved() {
    let found: String = samples()
        .iter()
        .map(|(name, bytes)| format!("{name} {}\n", hex::encode(bytes)))
        .collect();
    assert!(
        found == GOLDEN,
        "the bytes of a message have changed, so nodes of the old and the new version would not understand each other. \
         If that is meant, raise the version in the protocol's name, bring docs/protocol.md up to date, and put this \
         into net/src/tests/golden.txt:\n{found}"
    );
}

#[test]
fn every_protocol_carries_the_version() {
    assert_eq!(PROTOCOL_VERSION, 3);
    for name in crate::acceptor::protocols() {
        assert!(name.as_ref().ends_with("/3"), "{name}");
    }
}

#[test]
fn a_frame_is_its_length_and_its_message() {
    let frame = frame::encode(&AskFrame::Refused(Refusal::NotAllowed), 2).unwrap();
    assert_eq!(frame, [2, 0, 0, 0, 0, 3]);
    let over = frame::encode(&AskFrame::Refused(Refusal::NotAllowed), 1);
    assert_eq!(over, Err(CodecError::TooLarge { bound: 1 }));
}

#[test]
fn every_message_at_its_largest_fits_its_bound() {
    let limits = limits();
    let largest_ask = ask(vec![u32::MAX; limits.max_prompt_tokens as usize], u64::MAX);
    assert!(largest_ask.encoded_size() as u64 <= wire::max_ask_bytes(&limits));
    let answer = Answer {
        tokens: vec![u32::MAX; limits.max_new_tokens as usize],
        ..sample_answer()
    };
    let largest = AskFrame::Done(envelope(answer)).encoded_size() as u64;
    assert!(largest <= wire::max_ask_frame_bytes(&limits));
    let fetch = BlobRequest::Fetch(envelope(sample_fetch())).encoded_size() as u64;
    let query = BlobRequest::Delta(envelope(sample_query())).encoded_size() as u64;
    assert!(fetch.max(query) <= wire::MAX_BLOB_REQUEST_BYTES);
    let status = StatusResponse::Status(sample_status()).encoded_size() as u64;
    assert!(status <= wire::MAX_STATUS_BYTES);
    let offer = TranscriptResponse::Offer(sample_transcript()).encoded_size() as u64;
    assert!(offer <= wire::MAX_TRANSCRIPT_OFFER_BYTES);
    let spec = SpecResponse::Toml(SubnetSpec::local().to_toml()).encoded_size() as u64;
    assert!(spec <= wire::MAX_SPEC_BYTES);
}

#[tokio::test]
async fn a_frame_over_the_bound_is_refused_before_it_is_read() {
    let mut claimed: &[u8] = &[0xff, 0xff, 0xff, 0xff, 1, 2, 3];
    let error = frame::read::<AskFrame>(&mut claimed, 100).await;
    let too_large = CodecError::TooLarge { bound: 100 };
    assert!(matches!(error, Err(frame::ReadError::Bad(bad)) if bad == too_large));
    assert_eq!(claimed, [1, 2, 3]);
}

#[test]
fn a_huge_claimed_length_is_malformed_not_allocated() {
    // 2^30 - 1 tokens claimed in six bytes.
    let claimed = frame::decode::<AskFrame>(&[1, 0xfe, 0xff, 0xff, 0xff, 1]);
    assert_eq!(claimed, Err(CodecError::Malformed));
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic_and_what_decodes_encodes_back(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        fn check<M: Encode + Decode>(bytes: &[u8]) {
            if let Ok(message) = frame::decode::<M>(bytes) {
                assert_eq!(message.encode(), bytes);
            }
        }
        check::<Signed<Ask>>(&bytes);
        check::<AskFrame>(&bytes);
        check::<BlobRequest>(&bytes);
        check::<BlobResponse>(&bytes);
        check::<StatusResponse>(&bytes);
        check::<SpecResponse>(&bytes);
        check::<TranscriptQuery>(&bytes);
        check::<TranscriptResponse>(&bytes);
    }
}
