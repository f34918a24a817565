//! Ciphertexts against bittensor-drand 2.0.0: theirs open here, and ours were opened there.

use crypto_secretbox::aead::rand_core::{CryptoRng, RngCore};
use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// What `tests/fixtures/timelock/make.py` recorded.
#[derive(Deserialize)]
struct Recorded {
    round: u64,
    signature: String,
    theirs: Vec<Vector>,
    /// A payload of the form before version 4, which binds no hotkey.
    legacy: String,
    ours: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    #[serde(default)]
    seed: u64,
    hotkey: Hotkey,
    weights: Vec<(Uid, u16)>,
    version_key: u64,
    ciphertext: String,
}

impl Vector {
    fn payload(&self) -> TimelockedWeights {
        TimelockedWeights {
            hotkey: self.hotkey,
            weights: self.weights.clone(),
            version_key: self.version_key,
        }
    }
}

fn recorded() -> Recorded {
    let text = include_str!("../../tests/fixtures/timelock/vectors.json");
    serde_json::from_str(text).unwrap()
}

/// Random bytes that are a function of a seed: SHA-256 of seed and counter.
struct Seeded {
    seed: u64,
    counter: u64,
}

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(32) {
            let input = [self.seed.to_le_bytes(), self.counter.to_le_bytes()].concat();
            chunk.copy_from_slice(&Sha256::digest(&input)[..chunk.len()]);
            self.counter += 1;
        }
    }

    fn try_fill_bytes(
        &mut self,
        out: &mut [u8],
    ) -> Result<(), crypto_secretbox::aead::rand_core::Error> {
        self.fill_bytes(out);
        Ok(())
    }
}

impl CryptoRng for Seeded {}

fn seeded(payload: &TimelockedWeights, round: u64, seed: u64) -> Vec<u8> {
    let rng = Seeded { seed, counter: 0 };
    payload.seal_with(round, &Beacon::quicknet(), rng).unwrap()
}

#[test]
fn ciphertexts_of_the_reference_open_here() {
    let recorded = recorded();
    let signature = hex::decode(recorded.signature).unwrap();
    assert!(recorded.theirs.len() >= 3);
    for theirs in recorded.theirs {
        let ciphertext = hex::decode(&theirs.ciphertext).unwrap();
        let opened = TimelockedWeights::open(&ciphertext, &signature, &theirs.hotkey).unwrap();
        assert_eq!(opened, theirs.payload());
        // The frame is theirs to the byte.
        assert_eq!(frame(&unframe(&ciphertext).unwrap()).unwrap(), ciphertext);
    }
}

/// The reference library opened exactly these bytes with the round's signature (`make.py --check`).
#[test]
fn our_ciphertexts_are_the_ones_that_the_reference_opened() {
    let recorded = recorded();
    assert!(recorded.ours.len() >= 3);
    for ours in recorded.ours {
        let ciphertext = seeded(&ours.payload(), recorded.round, ours.seed);
        assert_eq!(
            hex::encode(ciphertext),
            ours.ciphertext,
            "seed {}",
            ours.seed
        );
    }
}

#[test]
fn a_commit_that_binds_no_hotkey_or_another_one_is_refused() {
    let recorded = recorded();
    let signature = hex::decode(recorded.signature).unwrap();
    let theirs = &recorded.theirs[0];
    let ciphertext = hex::decode(&theirs.ciphertext).unwrap();
    let thief = Hotkey([0xee; 32]);
    assert_eq!(
        TimelockedWeights::open(&ciphertext, &signature, &thief),
        Err(OpenError::NotBound(thief))
    );
    let legacy = hex::decode(recorded.legacy).unwrap();
    assert_eq!(
        TimelockedWeights::open(&legacy, &signature, &theirs.hotkey),
        Err(OpenError::NotBound(theirs.hotkey))
    );
}

#[test]
fn another_rounds_signature_does_not_open() {
    let recorded = recorded();
    let signature = hex::decode(recorded.signature).unwrap();
    let payload = recorded.theirs[0].payload();
    let ciphertext = payload
        .seal(recorded.round + 1, &Beacon::quicknet())
        .unwrap();
    let opened = TimelockedWeights::open(&ciphertext, &signature, &payload.hotkey);
    assert_eq!(opened, Err(OpenError::WrongSignature));
    let opened = TimelockedWeights::open(&ciphertext, &[1; 48], &payload.hotkey);
    assert_eq!(opened, Err(OpenError::WrongSignature));
}

#[test]
fn rows_that_the_chain_would_not_take_are_refused_before_they_are_sent() {
    let payload = |len: u16| TimelockedWeights {
        hotkey: Hotkey([1; 32]),
        weights: (0..len).map(|uid| (Uid(uid), uid)).collect(),
        version_key: 1,
    };
    let beacon = Beacon::quicknet();
    assert!(payload(1024).seal(5, &beacon).is_ok());
    assert!(matches!(
        payload(1300).seal(5, &beacon),
        Err(SealError::TooLong { weights: 1300, .. })
    ));
    let silent = Beacon {
        public_key: vec![0; 96],
        ..beacon
    };
    assert_eq!(payload(1).seal(5, &silent), Err(SealError::BadBeacon));
}

#[test]
fn rounds_follow_the_beacons_clock() {
    let quicknet = Beacon::quicknet();
    assert_eq!(quicknet.public_key.len(), KEY_BYTES);
    assert_eq!(quicknet.round_at(0), 1);
    assert_eq!(quicknet.round_at(quicknet.genesis + 2), 1);
    assert_eq!(quicknet.round_at(quicknet.genesis + 3000), 1000);
    assert_eq!(quicknet.round_at(quicknet.genesis + 3002), 1000);
}

proptest! {
    #[test]
    fn a_payload_survives_its_encoding(
        hotkey: [u8; 32],
        row in proptest::collection::vec((any::<u16>(), any::<u16>()), 0..300),
        version_key: u64,
        surplus: u8,
    ) {
        let payload = TimelockedWeights {
            hotkey: Hotkey(hotkey),
            weights: row.into_iter().map(|(uid, weight)| (Uid(uid), weight)).collect(),
            version_key,
        };
        let mut bytes = payload.encode();
        prop_assert_eq!(TimelockedWeights::decode(&bytes), Some(payload));
        bytes.push(surplus);
        prop_assert_eq!(TimelockedWeights::decode(&bytes), None);
    }

    #[test]
    fn bytes_of_any_kind_are_refused_without_a_panic(bytes: Vec<u8>, signature: Vec<u8>) {
        let opened = TimelockedWeights::open(&bytes, &signature, &Hotkey([1; 32]));
        prop_assert!(opened.is_err());
    }
}
