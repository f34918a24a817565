//! Hide a row of weights: behind a hash, or under a beacon's time lock.

use athanor_spec::BlockNumber;
use crypto_secretbox::aead::{OsRng, rand_core::RngCore as _};

use super::{
    Sent, SetWeightsError,
    journal::Kind,
    standing::Standing,
    submission::{Submission, commit_hash},
};
use crate::timelock::TimelockedWeights;

/// Numbers in a salt, as bittensor's own tools take.
const SALT_NUMBERS: usize = 8;
/// Blocks after the first one of the reveal's epoch until the chain has surely seen the round's signature.
const BEACON_LAG_BLOCKS: u32 = 3;

/// A commit of the row's hash, with a fresh salt.
pub(super) fn hash(standing: &Standing, sent: &Sent<'_>) -> (Submission, Kind) {
    let mut rng = OsRng;
    // The upper half of 32 random bits is as random as the lower one.
    let salt: Vec<u16> = (0..SALT_NUMBERS)
        .map(|_| (rng.next_u32() >> 16) as u16)
        .collect();
    let hash = commit_hash(
        standing.hotkey.0,
        standing.netuid,
        sent.weights,
        &salt,
        sent.version_key,
    );
    (Submission::Commit { hash }, Kind::Hash { hash, salt })
}

/// A commit of the row's ciphertext, which the chain can open from some blocks after `reveal_block` on.
pub(super) fn seal(
    standing: &Standing,
    sent: &Sent<'_>,
    reveal_block: BlockNumber,
) -> Result<(Submission, Kind), SetWeightsError> {
    let live = standing.beacon.as_ref().ok_or(SetWeightsError::NoEpochs {
        netuid: standing.netuid,
    })?;
    // A short epoch must not pass before the round comes.
    let lag = BEACON_LAG_BLOCKS.min(standing.cycle.length / 2);
    let blocks = u64::from((reveal_block.0 + lag).saturating_sub(standing.block.0));
    let seconds = (live.now_ms + blocks * live.block_time_ms) / 1000;
    let round = live.beacon.round_at(seconds);
    let ciphertext = TimelockedWeights {
        hotkey: standing.hotkey,
        weights: sent.weights.to_vec(),
        version_key: sent.version_key,
    }
    .seal(round, &live.beacon)?;
    Ok((
        Submission::Timelocked { ciphertext, round },
        Kind::Timelocked { round },
    ))
}
