//! Tests against the metadata of a real runtime: Bittensor's finney, spec version 365.

mod api;

use athanor_spec::{
    Announcement, BlockNumber, Commitment, Digest, Hotkey, NetUid, Rao, Uid, commitment::Record,
};
use codec::{Decode, Encode};
use scale_decode::DecodeAsType;
use subxt::{Metadata, ext::frame_decode::extrinsics::encode_call_data};

use crate::{
    Hyperparameter, calls,
    commitment::Registration,
    contract::{self, Need},
    items::{self, Item},
    metagraph::AxonInfo,
    owner, registration, serving, staking,
    state::{storage_key, storage_value},
    submit::Call,
    weights::submission::{Calls, Submission},
};

fn finney() -> Metadata {
    let bytes = include_bytes!("../tests/fixtures/finney-365.metadata.v15.scale");
    Metadata::decode(&mut &bytes[..]).unwrap()
}

const HOTKEY: Hotkey = Hotkey([7; 32]);
const RECORD: Record = Record {
    commitment: Commitment {
        checkpoint: Digest([1; 32]),
        peer_key: Digest([2; 32]),
        transcript_root: Digest([3; 32]),
        spec: Digest([4; 32]),
    },
    announcement: None,
};

/// The call as the chain would read it.
fn encoded(call: &Call) -> Vec<u8> {
    let metadata = finney();
    let payload = call.payload();
    let types = metadata.types();
    encode_call_data(
        call.pallet,
        call.name,
        payload.call_data(),
        &metadata,
        types,
    )
    .unwrap()
}

fn check_call(call: &Call, index: [u8; 2], arguments: impl Encode) {
    let expected = [index.to_vec(), arguments.encode()].concat();
    assert_eq!(
        hex::encode(encoded(call)),
        hex::encode(expected),
        "{}",
        call.path()
    );
}

#[test]
fn the_runtime_is_what_this_build_takes_for_granted() {
    contract::check(&finney()).unwrap();
    let names = |need| {
        let items = items::ALL.iter().filter(move |item| item.need == need);
        items.map(|item| (item.pallet, item.name))
    };
    let metadata = finney();
    let has = |(pallet, name): (&str, &str)| {
        let storage = metadata
            .pallet_by_name(pallet)
            .and_then(|pallet| pallet.storage());
        storage.is_some_and(|storage| storage.entry_by_name(name).is_some())
    };
    assert!(names(Need::Always).all(has));
    let absent: Vec<&str> = names(Need::WhereKnown)
        .filter(|item| !has(*item))
        .map(|(_, name)| name)
        .collect();
    // Added to Subtensor after spec version 365; without them the older rules hold.
    assert_eq!(
        absent,
        [
            "ActivityCutoffFactorMilli",
            "LastEpochBlock",
            "PendingEpochAt",
            "SubnetEpochIndex"
        ]
    );
    let absent: Vec<&str> = calls::ALL
        .iter()
        .filter(|call| {
            let pallet = metadata.pallet_by_name(call.pallet).unwrap();
            pallet.call_variant_by_name(call.name).is_none()
        })
        .map(|call| call.name)
        .collect();
    assert_eq!(
        absent,
        ["register_limit", "set_activity_cutoff_factor", "set_tempo"]
    );
}

#[test]
fn a_runtime_that_differs_is_refused_with_what_was_found() {
    let metadata = finney();
    let wider = Item {
        value: contract::Value::Exactly("u32"),
        ..items::TEMPO
    };
    let error = contract::check_item(&metadata, &wider)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`SubtensorModule.Tempo` is `[u16] -> u16`")
            && error.contains("knows it as `[u16] -> u32`"),
        "{error}"
    );
    let keyed = Item {
        keys: &["u16", "u16"],
        ..items::UIDS
    };
    let error = contract::check_item(&metadata, &keyed)
        .unwrap_err()
        .to_string();
    assert!(error.contains("[u16, [u8; 32]] -> u16"), "{error}");
    let fields = Item {
        value: contract::Value::Fields(&[("ip", "u128"), ("tls", "bool")]),
        ..items::AXONS
    };
    let error = contract::check_item(&metadata, &fields)
        .unwrap_err()
        .to_string();
    assert!(error.contains("{ip: u128}"), "{error}");
    let gone = Item {
        name: "Gone",
        ..items::TEMPO
    };
    let error = contract::check_item(&metadata, &gone)
        .unwrap_err()
        .to_string();
    assert!(error.contains("no `SubtensorModule.Gone`"), "{error}");

    let renamed = calls::Signature {
        arguments: &[("netuid", "u16"), ("hot_key", "[u8; 32]")],
        ..calls::BURNED_REGISTER
    };
    let error = contract::check_call(&metadata, &renamed)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("`SubtensorModule.burned_register` is `{netuid: u16, hotkey: [u8; 32]}`"),
        "{error}"
    );
    let absent = calls::Signature {
        need: Need::Always,
        ..calls::REGISTER_LIMIT
    };
    assert!(matches!(
        contract::check_call(&metadata, &absent).unwrap_err(),
        crate::ReadError::UnknownName { .. }
    ));
}

const ROW: [(Uid, u16); 2] = [(Uid(3), 10), (Uid(5), 65535)];

#[test]
fn calls_of_a_neuron_have_the_bytes_of_the_runtime() {
    let netuid = NetUid(1);
    check_call(&registration::call(netuid, &HOTKEY), [7, 7], (1u16, HOTKEY));
    check_call(
        &staking::call(&HOTKEY, netuid, Rao(5)),
        [7, 2],
        (HOTKEY, 1u16, 5u64),
    );
    check_call(
        &staking::remove_call(&HOTKEY, netuid, Rao(5)),
        [7, 3],
        (HOTKEY, 1u16, 5u64),
    );
    check_call(
        &serving::axon_call(netuid, "127.0.0.1:9000".parse().unwrap()),
        [7, 4],
        (1u16, 1u32, 0x7f00_0001u128, 9000u16, [4u8, 4, 0, 0]),
    );
    check_call(
        &serving::prometheus_call(netuid, "[::2]:9090".parse().unwrap()),
        [7, 5],
        (1u16, 1u32, 2u128, 9090u16, 6u8),
    );
    check_call(
        &owner::set_children_call(&HOTKEY, netuid, &[(u64::MAX / 2, Hotkey([9; 32]))]),
        [7, 67],
        (HOTKEY, 1u16, vec![(u64::MAX / 2, Hotkey([9; 32]))]),
    );
    // Data::RawN has index N + 1; the record's 129 bytes are one Raw128 and one Raw1.
    let bytes = RECORD.to_bytes();
    let fields = [
        vec![2 << 2, 129],
        bytes[..128].to_vec(),
        vec![2, bytes[128]],
    ]
    .concat();
    let mut expected = vec![18, 0];
    1u16.encode_to(&mut expected);
    expected.extend(fields);
    let call = serving::commitment_call(netuid, &RECORD);
    assert_eq!(encoded(&call), expected);
}

#[test]
fn calls_of_a_validator_have_the_bytes_of_the_runtime() {
    let netuid = NetUid(1);
    let (uids, values) = (vec![3u16, 5], vec![10u16, 65535]);
    let row = (uids.clone(), values.clone(), 9u64);
    let hash = Digest([6; 32]);
    let salt = vec![1u16, 2, 3];
    let revealed = (uids.clone(), values.clone(), salt.clone(), 9u64);
    let call = |mechanisms, what: &Submission| what.call(Calls { mechanisms }, netuid);

    let plain = Submission::Plain {
        weights: ROW.to_vec(),
        version_key: 9,
    };
    check_call(&call(false, &plain), [7, 0], (1u16, row.clone()));
    check_call(&call(true, &plain), [7, 119], (1u16, 0u8, row));
    let commit = Submission::Commit { hash };
    check_call(&call(false, &commit), [7, 96], (1u16, hash.0));
    check_call(&call(true, &commit), [7, 115], (1u16, 0u8, hash.0));
    let reveal = Submission::Reveal {
        weights: ROW.to_vec(),
        salt,
        version_key: 9,
    };
    check_call(&call(false, &reveal), [7, 97], (1u16, revealed.clone()));
    check_call(&call(true, &reveal), [7, 116], (1u16, 0u8, revealed));
    let sealed = Submission::Timelocked {
        ciphertext: vec![1, 2, 3],
        round: 1000,
    };
    let tail = (vec![1u8, 2, 3], 1000u64, 4u16);
    check_call(&call(false, &sealed), [7, 113], (1u16, tail.clone()));
    check_call(&call(true, &sealed), [7, 118], (1u16, 0u8, tail));
}

#[test]
fn calls_of_an_owner_have_the_bytes_of_the_runtime() {
    let netuid = NetUid(1);
    check_call(&owner::register_network_call(&HOTKEY), [7, 59], HOTKEY);
    check_call(&owner::start_call(netuid), [7, 92], 1u16);
    let set = |value: Hyperparameter, index, argument: &dyn EncodeBytes| {
        check_call(
            &value.call(netuid),
            [19, index],
            Raw([1u16.encode(), argument.bytes()].concat()),
        );
    };
    set(Hyperparameter::ServingRateLimit(50), 3, &50u64);
    set(Hyperparameter::WeightsVersionKey(7), 6, &7u64);
    set(Hyperparameter::WeightsRateLimit(100), 7, &100u64);
    set(Hyperparameter::AdjustmentAlpha(u64::MAX), 9, &u64::MAX);
    set(Hyperparameter::ImmunityPeriod(4096), 13, &4096u16);
    set(Hyperparameter::MinAllowedWeights(8), 14, &8u16);
    set(Hyperparameter::MaxAllowedUids(256), 15, &256u16);
    set(Hyperparameter::Kappa(32767), 16, &32767u16);
    set(Hyperparameter::Rho(10), 17, &10u16);
    set(Hyperparameter::ActivityCutoff(5000), 18, &5000u16);
    set(Hyperparameter::RegistrationAllowed(true), 19, &true);
    set(Hyperparameter::MinBurn(500_000), 22, &500_000u64);
    set(Hyperparameter::MaxBurn(1 << 40), 23, &(1u64 << 40));
    set(Hyperparameter::MaxAllowedValidators(64), 25, &64u16);
    set(Hyperparameter::BondsMovingAverage(900_000), 26, &900_000u64);
    set(Hyperparameter::Tempo(360), 30, &360u16);
    set(Hyperparameter::CommitReveal(true), 49, &true);
    set(Hyperparameter::LiquidAlpha(false), 50, &false);
    let values = Hyperparameter::AlphaValues { low: 1, high: 2 };
    set(values, 51, &(1u16, 2u16));
    set(Hyperparameter::CommitRevealPeriod(2), 57, &2u64);
    set(Hyperparameter::BondsPenalty(65535), 60, &65535u16);
    set(Hyperparameter::Transfers(true), 61, &true);
    set(Hyperparameter::AlphaSigmoidSteepness(-5), 68, &-5i16);
    set(Hyperparameter::Yuma3(true), 69, &true);
    set(Hyperparameter::BondsReset(true), 70, &true);
}

/// Bytes that are their own encoding.
struct Raw(Vec<u8>);

impl Encode for Raw {
    fn encode(&self) -> Vec<u8> {
        self.0.clone()
    }
}

/// `Encode` is not object safe.
trait EncodeBytes {
    fn bytes(&self) -> Vec<u8>;
}

impl<T: Encode> EncodeBytes for T {
    fn bytes(&self) -> Vec<u8> {
        self.encode()
    }
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
fn an_announcement_survives_the_pallets_encoding() {
    let record = Record {
        announcement: Some(Announcement {
            before: Digest([5; 32]),
            spec: Digest([6; 32]),
            activation: BlockNumber(77),
        }),
        ..RECORD
    };
    let bytes = record.to_bytes();
    // One Raw128 and one Raw70, of three fields that the pallet allows.
    let fields = [
        vec![2 << 2, 129],
        bytes[..128].to_vec(),
        vec![71],
        bytes[128..].to_vec(),
    ]
    .concat();
    let mut expected = vec![18, 0];
    1u16.encode_to(&mut expected);
    expected.extend(&fields);
    let call = serving::commitment_call(NetUid(1), &record);
    assert_eq!(encoded(&call), expected);
    let stored = [500u64.encode(), 12u32.encode(), fields].concat();
    let registration: Registration = storage_value(&finney(), items::COMMITMENT_OF, Some(&stored))
        .unwrap()
        .unwrap();
    assert_eq!(registration.info.record(), Some(record));
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
