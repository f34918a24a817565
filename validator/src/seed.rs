//! The secret of a round: unpredictable to miners, not a choice of the validator, reproducible by anybody afterwards.
//!
//! The seed is the sr25519 VRF output of the validator's hotkey over (genesis hash, netuid, spec digest, round, block
//! hash). The proof is published after the round; with it anybody regenerates every prompt.

use athanor_spec::{Digest, Hotkey, NetUid, Round};
use codec::{Decode, Encode};
use sp_core::{
    crypto::{VrfPublic as _, VrfSecret as _},
    sr25519::{
        Pair, Public,
        vrf::{VrfSignature, VrfTranscript},
    },
};

/// What a round's seed is drawn over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeedInput {
    /// Hash of the chain's genesis block.
    pub genesis: Digest,
    /// The subnet.
    pub netuid: NetUid,
    /// Digest of the spec in force.
    pub spec: Digest,
    /// The round.
    pub round: Round,
    /// Hash of the round's first block.
    pub block_hash: Digest,
}

/// A round's seed and the proof that it could not have been another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundSeed {
    /// 32 uniformly distributed bytes.
    pub output: [u8; 32],
    /// VRF pre-output and proof, SCALE encoded (96 bytes).
    pub proof: Vec<u8>,
}

const OUTPUT_CONTEXT: &[u8] = b"athanor/round-seed";

impl SeedInput {
    fn transcript(&self) -> VrfTranscript {
        VrfTranscript::new(
            b"athanor/round",
            &[
                (b"genesis", &self.genesis.0),
                (b"netuid", &self.netuid.0.to_le_bytes()),
                (b"spec", &self.spec.0),
                (b"round", &self.round.0.to_le_bytes()),
                (b"block", &self.block_hash.0),
            ],
        )
    }
}

/// Draws the seed. The output is a function of the key and the input; the proof is randomised.
pub fn draw(pair: &Pair, input: &SeedInput) -> RoundSeed {
    let transcript = input.transcript();
    let output = pair.make_bytes::<32>(OUTPUT_CONTEXT, &transcript);
    let proof = pair.vrf_sign(&transcript.into_sign_data()).encode();
    RoundSeed { output, proof }
}

/// Checks a published proof and returns the seed that it proves, or `None` when it proves nothing.
pub fn verify(validator: &Hotkey, input: &SeedInput, proof: &[u8]) -> Option<[u8; 32]> {
    let signature = VrfSignature::decode(&mut &*proof).ok()?;
    let public = Public::from_raw(validator.0);
    let transcript = input.transcript();
    if !public.vrf_verify(&transcript.clone().into_sign_data(), &signature) {
        return None;
    }
    public
        .make_bytes::<32>(OUTPUT_CONTEXT, &transcript, &signature.pre_output)
        .ok()
}

/// The salt of one miner in one round: its sampling seeds and times are its own, and so are the prompts that are not
/// shared.
pub fn salt(seed: &[u8; 32], miner: &Hotkey) -> [u8; 32] {
    *blake3::keyed_hash(seed, &miner.0).as_bytes()
}

/// The salt of a round's shared prompts. No hotkey has this length, so it is no miner's.
pub fn shared(seed: &[u8; 32]) -> [u8; 32] {
    *blake3::keyed_hash(seed, b"athanor/shared-prompts").as_bytes()
}

/// The seed of the deck that a round's procedural items are dealt from.
pub fn deck(seed: &[u8; 32]) -> [u8; 32] {
    *blake3::keyed_hash(seed, b"athanor/deck").as_bytes()
}

/// The seed of one load probe, of the whole round under its seed, of one miner under its salt.
pub fn probe(salt: &[u8; 32], probe: u32) -> [u8; 32] {
    *blake3::keyed_hash(
        salt,
        &[&b"athanor/load-probe"[..], &probe.to_le_bytes()].concat(),
    )
    .as_bytes()
}

/// The seed of the coin by which a user's request joins the audit of a round.
pub fn organic(seed: &[u8; 32], request: &Digest) -> [u8; 32] {
    *blake3::keyed_hash(
        seed,
        &[&b"athanor/organic-opening"[..], &request.0].concat(),
    )
    .as_bytes()
}

/// The seed of one ask under a salt.
pub fn ask(salt: &[u8; 32], index: u32) -> [u8; 32] {
    *blake3::keyed_hash(salt, &index.to_le_bytes()).as_bytes()
}

#[cfg(test)]
mod tests {
    use sp_core::Pair as _;

    use super::*;

    const INPUT: SeedInput = SeedInput {
        genesis: Digest([1; 32]),
        netuid: NetUid(1),
        spec: Digest([2; 32]),
        round: Round(3),
        block_hash: Digest([4; 32]),
    };

    #[test]
    fn the_seed_is_reproducible_and_proven() {
        let pair = Pair::from_seed(&[5; 32]);
        let first = draw(&pair, &INPUT);
        let second = draw(&pair, &INPUT);
        assert_eq!(first.output, second.output);
        let validator = Hotkey(pair.public().0);
        assert_eq!(verify(&validator, &INPUT, &first.proof), Some(first.output));
        assert_eq!(
            verify(&validator, &INPUT, &second.proof),
            Some(first.output)
        );
    }

    #[test]
    fn a_proof_proves_nothing_for_another_round_or_validator() {
        let pair = Pair::from_seed(&[5; 32]);
        let seed = draw(&pair, &INPUT);
        let validator = Hotkey(pair.public().0);
        let other_round = SeedInput {
            round: Round(4),
            ..INPUT
        };
        assert_eq!(verify(&validator, &other_round, &seed.proof), None);
        assert_eq!(
            verify(
                &Hotkey(Pair::from_seed(&[6; 32]).public().0),
                &INPUT,
                &seed.proof
            ),
            None
        );
        assert_eq!(verify(&validator, &INPUT, &seed.proof[..95]), None);
        assert_ne!(draw(&pair, &other_round).output, seed.output);
    }

    #[test]
    fn salts_differ_between_miners_and_rounds() {
        let (a, b) = (Hotkey([1; 32]), Hotkey([2; 32]));
        assert_ne!(salt(&[0; 32], &a), salt(&[0; 32], &b));
        assert_ne!(salt(&[0; 32], &a), salt(&[1; 32], &a));
        assert_ne!(salt(&[0; 32], &a), shared(&[0; 32]));
        assert_ne!(ask(&[0; 32], 0), ask(&[0; 32], 1));
    }
}
