//! Whose pulses are taken, and what they open.

use codec::Encode;
use frame_support::{assert_noop, assert_ok};
use sp_core::{Pair, sr25519};
use sp_inherents::InherentData;
use sp_io::TestExternalities;
use sp_runtime::{
    BuildStorage, MultiSigner,
    transaction_validity::{InvalidTransaction, TransactionSource},
};

use super::{beacon::Beacon, *};
use crate::{
    Drand, Runtime, RuntimeGenesisConfig, RuntimeOrigin, System, subtensor::WeightsTlockPayload,
};

/// What quicknet signed in round 1000.
const ROUND_1000: &str = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39";
/// SHA-256 of it, as quicknet published it.
const RANDOMNESS_1000: &str = "fe290beca10872ef2fb164d2aa4442de4566183ec51c56ff3cd603d930e54fdd";
/// A commit for round 1000 that bittensor-drand 2.0.0 made for hotkey [20; 32], UIDs 2 and 3 with weights 2 and 1.
const SDK_COMMIT: &str = "984bb5a5ca74db4fe1c018f29368611742007edcdc0cd8b69ebc0bca04c08787fca6145e2559d351dc89fa156ddd9ab110cf17e8fa00656908df118fafea10f404765e3c02eab4f15728fc0d6f1e61cd17d5dbfa54b57ead923d26d76dff6e7820000000000000001146f576c8e61a8dca7ae83b4cba33a0b31941c6c554f1eefb514605d573cb3720000000000000006197dcd3ac66ac20479f32dabd50d3de9481cab8ed52b12afb2c95dd22a2fc995f0000000000000043000000000000001fb17ba1486c9db46713425b5459f6a2b998f57bc6f658eb1c685c395b11917db6e1539c5b9e41e2f13de1fe09a9bbe2197fdabb481e0d58607f76f4286a879ab1dc2b0c000000000000007c7b80d28cecd9e0b3a1dd8808000000000000004145535f47434d5f";

/// The signature of quicknet's round 1000.
pub(crate) fn signature_1000() -> Vec<u8> {
    hex::decode(ROUND_1000).unwrap()
}

/// A commit of the reference client for that round.
pub(crate) fn sdk_commit() -> Vec<u8> {
    hex::decode(SDK_COMMIT).unwrap()
}

fn pulse_1000() -> Pulse {
    Pulse::new(1_000, &signature_1000())
}

fn quicknet_key() -> Vec<u8> {
    BeaconConfiguration::quicknet().public_key.into_inner()
}

/// Runs a test on a chain with this beacon, quicknet if none.
fn on_chain(beacon: Option<BeaconGenesis>, test: impl FnOnce()) {
    let storage = RuntimeGenesisConfig {
        drand: crate::DrandConfig {
            beacon,
            ..Default::default()
        },
        ..Default::default()
    }
    .build_storage()
    .unwrap();
    TestExternalities::new(storage).execute_with(|| {
        System::set_block_number(1);
        test();
    });
}

fn write(pulses: Vec<Pulse>) -> sp_runtime::DispatchResult {
    Drand::write_pulse(RuntimeOrigin::none(), payload(pulses), None)
}

fn payload(pulses: Vec<Pulse>) -> PulsesPayload<MultiSigner, u32> {
    let public = MultiSigner::Sr25519(sr25519::Pair::from_seed(&[1; 32]).public());
    PulsesPayload {
        block_number: 1,
        pulses,
        public,
    }
}

#[test]
fn quicknets_pulse_is_quicknets_and_a_changed_one_is_not() {
    let pulse = pulse_1000();
    assert_eq!(hex::encode(&pulse.randomness), RANDOMNESS_1000);
    assert!(verify(&quicknet_key(), &pulse));
    let changed = |change: &dyn Fn(&mut Pulse)| {
        let mut pulse = pulse_1000();
        change(&mut pulse);
        assert!(!verify(&quicknet_key(), &pulse), "{pulse:?}");
    };
    changed(&|pulse| pulse.round = 1_001);
    changed(&|pulse| pulse.randomness[0] ^= 1);
    changed(&|pulse| pulse.signature[47] ^= 1);
    changed(&|pulse| pulse.signature.clear());
    let local = Beacon::from_seed(b"x").genesis(0, 3).public_key;
    assert!(!verify(&local, &pulse));
    assert!(!verify(&[], &pulse));
}

#[test]
fn a_commit_of_the_reference_client_opens_with_its_rounds_signature_alone() {
    let bytes = open(&sdk_commit(), &signature_1000()).unwrap();
    let payload = WeightsTlockPayload::of(&[20; 32].into(), &bytes).unwrap();
    assert_eq!((payload.uids, payload.values), (vec![2, 3], vec![2, 1]));
    assert_eq!(payload.version_key, 0);
    assert_eq!(WeightsTlockPayload::of(&[21; 32].into(), &bytes), None);
    // What came before hotkeys were bound: the same without one.
    assert_eq!(
        WeightsTlockPayload::of(&[20; 32].into(), &bytes[33..]),
        None
    );
    let other = Beacon::from_seed(b"x").pulse(1_000).signature;
    assert_eq!(open(&sdk_commit(), &other), None);
}

#[test]
fn hostile_ciphertexts_do_not_open_and_harm_nobody() {
    let (commit, signature) = (sdk_commit(), signature_1000());
    for length in 0..commit.len() {
        assert_eq!(open(&commit[..length], &signature), None);
    }
    assert_eq!(open(&[commit.clone(), vec![0]].concat(), &signature), None);
    for position in 0..commit.len() {
        let mut changed = commit.clone();
        changed[position] ^= 0x80;
        assert_eq!(open(&changed, &signature), None, "byte {position}");
    }
    // Lengths that would be allocated if they were believed.
    for start in [96, 136, 176, 184, 259, 279] {
        let mut changed = commit.clone();
        changed[start..start + 8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert_eq!(open(&changed, &signature), None, "length at {start}");
    }
}

#[test]
fn a_beacon_of_the_genesis_is_believed_and_quicknet_no_longer() {
    let beacon = Beacon::from_seed(b"local");
    on_chain(Some(beacon.genesis(0, 3)), || {
        let config = BeaconConfig::<Runtime>::get();
        assert_eq!(
            [0, 2_999, 3_000, 12_000].map(|now| config.round_at(now)),
            [1, 1, 2, 5]
        );
        assert_ok!(write(vec![beacon.pulse(7), beacon.pulse(3)]));
        assert!(Drand::signature(7).is_some() && Drand::signature(5).is_none());
        assert_eq!(LastStoredRound::<Runtime>::get(), 7);
        assert_eq!(OldestStoredRound::<Runtime>::get(), 3);
        System::assert_last_event(Event::NewPulse { rounds: vec![7, 3] }.into());
        let twice = Error::<Runtime>::InvalidRoundNumber;
        assert_noop!(write(vec![beacon.pulse(3)]), twice);
        let foreign = Error::<Runtime>::PulseVerificationError;
        assert_noop!(write(vec![beacon.pulse(8), pulse_1000()]), foreign);
    });
}

#[test]
fn a_blocks_author_supplies_pulses_and_so_may_anybody() {
    use frame_support::inherent::ProvideInherent;
    on_chain(None, || {
        let mut data = InherentData::new();
        assert!(Drand::create_inherent(&data).is_none());
        data.put_data(INHERENT_IDENTIFIER, &vec![pulse_1000()])
            .unwrap();
        let call = Drand::create_inherent(&data).unwrap();
        assert!(Drand::is_inherent(&call));

        use sp_runtime::traits::ValidateUnsigned;
        let pair = sr25519::Pair::from_seed(&[1; 32]);
        let sent = |pulses: Vec<Pulse>, signer: &sr25519::Pair| {
            let payload = payload(pulses);
            let signature = Some(signer.sign(&payload.encode()).into());
            let call = Call::write_pulse {
                pulses_payload: payload,
                signature,
            };
            assert!(!Drand::is_inherent(&call));
            Drand::validate_unsigned(TransactionSource::External, &call).map(|_| ())
        };
        assert_ok!(sent(vec![pulse_1000()], &pair));
        let bad = InvalidTransaction::BadProof;
        let stranger = sr25519::Pair::from_seed(&[2; 32]);
        assert_eq!(sent(vec![pulse_1000()], &stranger), Err(bad.into()));
        let mut forged = pulse_1000();
        forged.round = 1_001;
        assert_eq!(sent(vec![forged], &pair), Err(bad.into()));
        assert_ok!(write(vec![pulse_1000()]));
        let stale = InvalidTransaction::Stale;
        assert_eq!(sent(vec![pulse_1000()], &pair), Err(stale.into()));
    });
}
