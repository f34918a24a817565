//! Tests against the metadata of a real runtime: Bittensor's finney, spec version 365.

use athanor_spec::{Commitment, Digest, Hotkey, NetUid, Rao, Uid};
use codec::{Decode, Encode};
use scale_decode::DecodeAsType;
use subxt::{Metadata, ext::frame_decode::extrinsics::encode_call_data};

use crate::{
    commitment::Registration,
    items::{self, ALL, Item, STATEFUL_SCHEDULE},
    metagraph::AxonInfo,
    registration, serving, staking,
    state::{storage_key, storage_value},
    submit::Call,
    weights,
};

fn finney() -> Metadata {
    let bytes = include_bytes!("../tests/fixtures/finney-365.metadata.v15.scale");
    Metadata::decode(&mut &bytes[..]).unwrap()
}

const HOTKEY: Hotkey = Hotkey([7; 32]);
const RECORD: Commitment = Commitment {
    checkpoint: Digest([1; 32]),
    peer_key: Digest([2; 32]),
    transcript_root: Digest([3; 32]),
    spec: Digest([4; 32]),
};

fn check_call(call: &Call, index: [u8; 2], arguments: impl Encode) {
    let metadata = finney();
    let payload = call.payload();
    let encoded = encode_call_data(
        call.pallet,
        call.name,
        payload.call_data(),
        &metadata,
        metadata.types(),
    )
    .unwrap();
    let expected = [index.to_vec(), arguments.encode()].concat();
    assert_eq!(encoded, expected, "{}", call.path());
}

#[test]
fn every_storage_item_that_we_name_exists() {
    let metadata = finney();
    for item in ALL.iter().filter(|item| !STATEFUL_SCHEDULE.contains(item)) {
        let storage = metadata
            .pallet_by_name(item.pallet)
            .and_then(|pallet| pallet.storage());
        let found = storage
            .and_then(|storage| storage.entry_by_name(item.name))
            .is_some();
        assert!(found, "{}.{}", item.pallet, item.name);
    }
}

#[test]
fn calls_have_the_indices_and_the_arguments_of_the_runtime() {
    let netuid = NetUid(1);
    check_call(&registration::call(netuid, &HOTKEY), [7, 7], (1u16, HOTKEY));
    check_call(
        &staking::call(&HOTKEY, netuid, Rao(5)),
        [7, 2],
        (HOTKEY, 1u16, 5u64),
    );
    check_call(
        &weights::call(netuid, &[(Uid(3), 10), (Uid(5), 65535)], 9),
        [7, 0],
        (1u16, vec![3u16, 5], vec![10u16, 65535], 9u64),
    );
    check_call(
        &serving::axon_call(netuid, "127.0.0.1:9000".parse().unwrap()),
        [7, 4],
        (1u16, 1u32, 0x7f00_0001u128, 9000u16, [4u8, 4, 0, 0]),
    );
    // Data::RawN has index N + 1; the record's 129 bytes are one Raw128 and one Raw1.
    let bytes = RECORD.to_bytes();
    let fields = [
        vec![2 << 2, 129],
        bytes[..128].to_vec(),
        vec![2, bytes[128]],
    ]
    .concat();
    let mut expected = 1u16.encode();
    expected.extend(fields);
    let metadata = finney();
    let call = serving::commitment_call(netuid, &RECORD);
    let payload = call.payload();
    let encoded = encode_call_data(
        call.pallet,
        call.name,
        payload.call_data(),
        &metadata,
        metadata.types(),
    )
    .unwrap();
    assert_eq!(encoded, [vec![18, 0], expected].concat());
}

fn check_key(item: Item, key: Result<Vec<u8>, crate::ReadError>, hashed: usize, tail: &[u8]) {
    const PREFIX: usize = 32;
    let key = key.unwrap();
    assert_eq!(key.len(), PREFIX + hashed + tail.len(), "{item:?}");
    assert!(key.ends_with(tail), "{item:?}");
}

#[test]
fn storage_keys_are_made_with_the_hashers_of_the_metadata() {
    let metadata = finney();
    let by_hotkey = |item| (item, storage_key(&metadata, item, (1u16, HOTKEY.0)));
    let keys = storage_key(&metadata, items::KEYS, (1u16, 2u16));
    check_key(items::KEYS, keys, 0, &[1, 0, 2, 0]);
    // Identity, then blake2_128_concat or twox_64_concat, whose hashes have 16 and 8 bytes.
    let (item, key) = by_hotkey(items::UIDS);
    check_key(item, key, 2 + 16, &HOTKEY.0);
    let (item, key) = by_hotkey(items::COMMITMENT_OF);
    check_key(item, key, 2 + 8, &HOTKEY.0);
    let account = storage_key(&metadata, items::ACCOUNT, (HOTKEY.0,)).unwrap();
    assert_eq!(
        hex::encode(&account[..16]),
        "26aa394eea5630e07c48ae0c9558cef7"
    );
}

fn check_value<T: DecodeAsType>(item: Item, stored: impl Encode) -> T {
    let value = storage_value(&finney(), item, Some(&stored.encode())).unwrap();
    value.unwrap()
}

#[test]
fn values_decode_from_the_runtimes_own_encoding() {
    assert_eq!(check_value::<[u8; 32]>(items::OWNER, HOTKEY), HOTKEY.0);
    assert_eq!(
        check_value::<Vec<(u16, u16)>>(items::WEIGHTS, vec![(1u16, 2u16)]),
        vec![(1, 2)]
    );
    assert_eq!(
        check_value::<Vec<bool>>(items::VALIDATOR_PERMIT, vec![true, false]),
        vec![true, false]
    );
    assert_eq!(
        check_value::<Vec<u64>>(items::EMISSION, vec![5u64]),
        vec![5]
    );
    let axon: AxonInfo = check_value(
        items::AXONS,
        (10u64, 1u32, 0x0a00_0001u128, 9000u16, [4u8, 4, 0, 0]),
    );
    assert_eq!(axon.address(), Some("10.0.0.1:9000".parse().unwrap()));
    let account: crate::client::AccountInfo = check_value(
        items::ACCOUNT,
        (3u32, 0u32, 1u32, 0u32, 77u64, 0u64, 0u64, 0u128),
    );
    assert_eq!((account.nonce, account.data.free), (3, 77));
}

#[test]
fn a_commitment_survives_the_pallets_encoding_and_foreign_ones_are_none() {
    let bytes = RECORD.to_bytes();
    let fields = [
        vec![2 << 2, 129],
        bytes[..128].to_vec(),
        vec![2, bytes[128]],
    ]
    .concat();
    let stored = [500u64.encode(), 12u32.encode(), fields].concat();
    let registration: Registration = storage_value(&finney(), items::COMMITMENT_OF, Some(&stored))
        .unwrap()
        .unwrap();
    assert_eq!(
        (registration.block, registration.info.record()),
        (12, Some(RECORD))
    );

    // One Raw3 field, and a hash: other subnets' miners commit to such things.
    for field in [vec![4, 4, 1, 2, 3], [vec![4, 131], vec![9; 32]].concat()] {
        let stored = [500u64.encode(), 12u32.encode(), field].concat();
        let registration: Registration =
            storage_value(&finney(), items::COMMITMENT_OF, Some(&stored))
                .unwrap()
                .unwrap();
        assert_eq!(registration.info.record(), None);
    }
}

#[test]
fn what_is_not_stored_has_the_runtimes_default() {
    let metadata = finney();
    assert_eq!(
        storage_value::<u16>(&metadata, items::TEMPO, None).unwrap(),
        Some(360)
    );
    assert_eq!(
        storage_value::<u16>(&metadata, items::UIDS, None).unwrap(),
        None
    );
    assert_eq!(
        storage_value::<Vec<u16>>(&metadata, items::INCENTIVE, None).unwrap(),
        Some(Vec::new())
    );
}

#[test]
fn a_missing_name_is_an_error_that_gives_it() {
    let error = storage_key(&finney(), items::LAST_EPOCH_BLOCK, (1u16,))
        .unwrap_err()
        .to_string();
    assert!(error.contains("SubtensorModule.LastEpochBlock"), "{error}");
}
