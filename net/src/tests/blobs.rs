//! Blobs from one node to another, and what a dishonest server can do.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use athanor_spec::Fetch;

use super::*;
use crate::{AskError, BlobStore, FetchError, Fetched, fetch::verify};

const MANY: u64 = 1 << 30;

/// Content in which every kibibyte differs.
fn content(len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

fn store(directory: &Path, bytes: &[u8]) -> (BlobStore, Digest) {
    let path = directory.join("content");
    fs::write(&path, bytes).unwrap();
    let store = BlobStore::open(&directory.join("trees"), limits().max_chunk_bytes).unwrap();
    let digest = store.add(&path).unwrap();
    (store, digest)
}

fn slices(store: &BlobStore, fetch: &Signed<Fetch>) -> Response {
    store
        .slice(&fetch.payload)
        .map_or_else(Response::Refused, Response::Slice)
}

/// Fetches from a node whose answers pass through `tamper`, and returns the result and what lies at the target.
async fn fetch_through(
    seed: u8,
    bytes: &[u8],
    max_bytes: u64,
    partial: Option<&[u8]>,
    tamper: impl Fn(&Fetch, Vec<u8>) -> Vec<u8> + Send + 'static,
) -> (Result<u64, FetchError>, Option<Vec<u8>>, u64) {
    let directory = tempfile::tempdir().unwrap();
    let (store, digest) = store(directory.path(), bytes);
    let miner = node(seed).await;
    let validator = node(seed + 1).await;
    serve(miner.inbound, move |request| match request {
        Request::Ask(ask) => echo(ask),
        Request::Delta(_) => Response::Refused(Refusal::UnknownBlob),
        Request::Fetch(fetch) => match slices(&store, fetch) {
            Response::Slice(slice) => Response::Slice(tamper(&fetch.payload, slice)),
            other => other,
        },
    });
    let to = directory.path().join("fetched");
    if let Some(partial) = partial {
        fs::write(
            directory
                .path()
                .join(format!("fetched.{}.partial", digest.short())),
            partial,
        )
        .unwrap();
    }
    let mut requests = 0;
    let sign = |fetch| {
        requests += 1;
        envelope(fetch)
    };
    let result = validator
        .client
        .fetch(&miner.address, digest, max_bytes, sign, &to)
        .await;
    (result, fs::read(&to).ok(), requests)
}

fn honest(_: &Fetch, slice: Vec<u8>) -> Vec<u8> {
    slice
}

#[tokio::test]
async fn a_blob_of_megabytes_arrives_whole() {
    let bytes = content(5_000_123);
    let (result, found, requests) = fetch_through(50, &bytes, MANY, None, honest).await;
    assert_eq!(result.unwrap(), bytes.len() as u64);
    assert_eq!(found.unwrap(), bytes);
    assert_eq!(requests, 22);
}

#[tokio::test]
async fn small_and_empty_blobs_arrive() {
    for (seed, len) in [(52, 0), (54, 1), (56, 1024), (58, 262_144), (60, 262_145)] {
        let bytes = content(len);
        let (result, found, _) = fetch_through(seed, &bytes, MANY, None, honest).await;
        assert_eq!(result.unwrap(), len as u64);
        assert_eq!(found.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_partial_file_is_continued() {
    let bytes = content(1_000_000);
    let (result, found, requests) =
        fetch_through(62, &bytes, MANY, Some(&bytes[..600_000]), honest).await;
    assert_eq!(result.unwrap(), 1_000_000);
    assert_eq!(found.unwrap(), bytes);
    assert_eq!(requests, 2);
}

#[tokio::test]
async fn a_partial_file_with_other_bytes_is_begun_anew() {
    let bytes = content(1_000_000);
    for (seed, len) in [(64, 600_000), (66, 3_000_000)] {
        let (result, found, _) =
            fetch_through(seed, &bytes, MANY, Some(&vec![7; len]), honest).await;
        assert_eq!(result.unwrap(), 1_000_000);
        assert_eq!(found.unwrap(), bytes);
    }
}

#[tokio::test]
async fn a_tampered_slice_is_refused_as_it_arrives() {
    let bytes = content(2_000_000);
    let chunk = 224 * 1024;
    let (result, found, requests) =
        fetch_through(68, &bytes, MANY, None, move |fetch, mut slice| {
            if fetch.offset == 2 * chunk {
                let last = slice.len() - 1;
                slice[last] ^= 1;
            }
            slice
        })
        .await;
    let error = result.unwrap_err();
    assert!(
        matches!(error, FetchError::BadSlice { offset, .. } if offset == 2 * chunk),
        "{error}"
    );
    assert!(error.blames_peer());
    assert!(found.is_none() && requests >= 3);
}

#[tokio::test]
async fn a_blob_over_the_bound_is_refused_before_anything_is_written() {
    let bytes = content(100_000);
    let (result, found, requests) = fetch_through(70, &bytes, 99_999, None, honest).await;
    assert!(matches!(
        result,
        Err(FetchError::TooLarge {
            bytes: 100_000,
            bound: 99_999,
            ..
        })
    ));
    assert_eq!((found, requests), (None, 1));
}

#[tokio::test]
async fn an_unknown_blob_is_a_typed_refusal() {
    let directory = tempfile::tempdir().unwrap();
    let (store, digest) = store(directory.path(), b"something");
    store.remove(&digest);
    assert!(!store.contains(&digest));
    let fetch = Fetch {
        blob: digest,
        offset: 0,
        len: 1024,
    };
    assert_eq!(store.slice(&fetch), Err(Refusal::UnknownBlob));
    assert_eq!(
        store.slice(&Fetch {
            len: u32::MAX,
            ..fetch
        }),
        Err(Refusal::OutOfBounds)
    );

    let miner = node(72).await;
    let validator = node(73).await;
    serve(miner.inbound, move |request| match request {
        Request::Fetch(fetch) => slices(&store, fetch),
        Request::Ask(ask) => echo(ask),
        Request::Delta(_) => Response::Refused(Refusal::UnknownBlob),
    });
    let to = directory.path().join("to");
    let result = validator
        .client
        .fetch(&miner.address, digest, MANY, envelope, &to)
        .await;
    assert!(matches!(
        result,
        Err(FetchError::Ask(AskError::Refused(Refusal::UnknownBlob)))
    ));
}

/// How a node serves a range.
type Server = Box<dyn Fn(&BlobStore, &Signed<Fetch>) -> Response + Send>;

/// Fetches a blob from several nodes, each of which serves it as its own function says.
async fn fetch_from_many(
    seed: u8,
    bytes: &[u8],
    servers: Vec<Server>,
) -> (
    Result<Fetched, FetchError>,
    Vec<PeerAddress>,
    Option<Vec<u8>>,
) {
    let directory = tempfile::tempdir().unwrap();
    let (store, digest) = store(directory.path(), bytes);
    let (mut addresses, mut handles) = (Vec::new(), Vec::new());
    for (seed, server) in (seed + 1..).zip(servers) {
        let (miner, store) = (node(seed).await, store.clone());
        addresses.push(miner.address);
        handles.push(miner.handle);
        serve(miner.inbound, move |request| match request {
            Request::Fetch(fetch) => server(&store, fetch),
            other => echo_all(other),
        });
    }
    let validator = node(seed).await;
    let to = directory.path().join("fetched");
    let fetched = validator
        .client
        .fetch_from(&addresses, digest, MANY, envelope, &to)
        .await;
    (fetched, addresses, fs::read(&to).ok())
}

#[tokio::test]
async fn several_providers_share_a_blob_and_the_bad_ones_are_named() {
    let bytes = content(6_000_000);
    let served = Arc::new(AtomicUsize::new(0));
    let (count, seen) = (served.clone(), served.clone());
    let (fetched, addresses, found) = fetch_from_many(
        150,
        &bytes,
        vec![
            // Is first to be connected, and would give everything before the others are dialled on a machine that is slow to
            // dial: busy until the third has given its share.
            Box::new(move |store, fetch| {
                match seen.load(Ordering::Relaxed) > 2 || fetch.payload.offset >= MANY {
                    true => slices(store, fetch),
                    false => Response::Refused(Refusal::Overloaded {
                        retry_after_ms: 250,
                    }),
                }
            }),
            // Lies about the content of all but the first range.
            Box::new(|store, fetch| match slices(store, fetch) {
                Response::Slice(mut slice) if fetch.payload.offset > 0 => {
                    let last = slice.len() - 1;
                    slice[last] ^= 1;
                    Response::Slice(slice)
                }
                other => other,
            }),
            Box::new(move |store, fetch| {
                count.fetch_add(1, Ordering::Relaxed);
                slices(store, fetch)
            }),
            Box::new(|_, _| Response::Refused(Refusal::UnknownBlob)),
        ],
    )
    .await;
    let fetched = fetched.unwrap();
    assert_eq!((fetched.bytes, found), (6_000_000, Some(bytes)));
    assert!(served.load(Ordering::Relaxed) > 2);
    let dropped: Vec<_> = fetched.dropped.iter().map(|d| d.provider).collect();
    assert_eq!(dropped, [addresses[1], addresses[3]]);
    assert!(matches!(
        fetched.dropped[0].error,
        FetchError::BadSlice { .. }
    ));
}

#[tokio::test]
async fn no_claimed_length_is_held_against_the_honest() {
    let bytes = content(1_000_000);
    let (fetched, addresses, found) = fetch_from_many(
        160,
        &bytes,
        vec![
            Box::new(|store, fetch| match slices(store, fetch) {
                Response::Slice(mut slice) => {
                    slice[..8].copy_from_slice(&u64::to_le_bytes(999_999));
                    Response::Slice(slice)
                }
                other => other,
            }),
            Box::new(slices),
        ],
    )
    .await;
    let fetched = fetched.unwrap();
    assert_eq!(found, Some(bytes));
    let dropped: Vec<_> = fetched.dropped.iter().map(|d| d.provider).collect();
    assert_eq!(dropped, [addresses[0]]);
}

#[tokio::test]
async fn when_no_provider_is_left_each_says_why() {
    let refuse = |_: &BlobStore, _: &Signed<Fetch>| Response::Refused(Refusal::NotAllowed);
    let unknown = |_: &BlobStore, _: &Signed<Fetch>| Response::Refused(Refusal::UnknownBlob);
    let servers: Vec<Server> = vec![Box::new(refuse), Box::new(unknown)];
    let (fetched, _, found) = fetch_from_many(170, &content(1000), servers).await;
    let error = fetched.unwrap_err();
    assert!(error.blames_peer());
    let text = error.to_string();
    assert!(
        text.contains("not served here") && text.contains("permitted"),
        "{text}"
    );
    assert_eq!(found, None);
}

#[tokio::test]
async fn a_busy_provider_is_asked_again() {
    let bytes = content(1_000_000);
    let busy = std::sync::atomic::AtomicUsize::new(0);
    let (fetched, _, found) = fetch_from_many(
        180,
        &bytes,
        vec![Box::new(move |store, fetch| {
            let asked = busy.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if asked.is_multiple_of(2) {
                let retry_after_ms = 1;
                return Response::Refused(Refusal::Overloaded { retry_after_ms });
            }
            slices(store, fetch)
        })],
    )
    .await;
    assert!(fetched.unwrap().dropped.is_empty());
    assert_eq!(found, Some(bytes));
}

#[test]
fn every_changed_byte_of_a_slice_is_noticed() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = content(9_000);
    let (store, blob) = store(directory.path(), &bytes);
    for (offset, len) in [(0, 2048), (2048, 4096), (8192, 4096), (0, 16_384)] {
        let fetch = Fetch { blob, offset, len };
        let slice = store.slice(&fetch).unwrap();
        let end = bytes.len().min((offset + u64::from(len)) as usize);
        let (total, found) = verify(&fetch, &slice, MANY).unwrap();
        assert_eq!(
            (total, found.as_slice()),
            (9_000, &bytes[offset as usize..end])
        );

        for at in 0..slice.len() {
            let mut changed = slice.clone();
            changed[at] ^= 1 << (at % 8);
            // Before the last chunk the length is only a claim, so a changed one may pass unless it changes the tree;
            // the content that is returned must be right in any case.
            match verify(&fetch, &changed, MANY) {
                Ok((_, found)) => assert!(
                    at < 8 && bytes[offset as usize..].starts_with(&found),
                    "byte {at}"
                ),
                Err(FetchError::BadSlice { .. } | FetchError::TooLarge { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        for cut in [0, 7, 8, slice.len() - 1] {
            assert!(matches!(
                verify(&fetch, &slice[..cut], MANY),
                Err(FetchError::BadSlice { .. })
            ));
        }
        let mut longer = slice.clone();
        longer.push(0);
        assert!(matches!(
            verify(&fetch, &longer, MANY),
            Err(FetchError::BadSlice { .. })
        ));
        let other = Fetch {
            blob: Digest([1; 32]),
            ..fetch
        };
        assert!(matches!(
            verify(&other, &slice, MANY),
            Err(FetchError::BadSlice { .. })
        ));
    }
}

#[test]
fn a_claimed_length_never_panics() {
    let directory = tempfile::tempdir().unwrap();
    let (store, blob) = store(directory.path(), &content(9_000));
    let fetch = Fetch {
        blob,
        offset: 4096,
        len: 4096,
    };
    let slice = store.slice(&fetch).unwrap();
    for length in (0..20_000).chain([1 << 20, 1 << 30, MANY]) {
        let mut claimed = slice.clone();
        claimed[..8].copy_from_slice(&u64::to_le_bytes(length));
        let _ = verify(&fetch, &claimed, MANY);
    }
    for length in [MANY + 1, u64::MAX / 2, u64::MAX] {
        let mut claimed = slice.clone();
        claimed[..8].copy_from_slice(&length.to_le_bytes());
        assert!(matches!(
            verify(&fetch, &claimed, MANY),
            Err(FetchError::TooLarge { .. })
        ));
    }
}
