//! Bytes of a record, with a version and a bound on everything that grows.

use codec::{Decode, Encode};
use thiserror::Error;

use athanor_spec::{Digest, Epoch, Round};

use super::{Fault, Goodput, MAX_ASKS_PER_ROUND, Mean, Record};
use crate::{evidence::HotkeyEvidence, fidelity::FidelitySums};

/// First byte of every record; another value is another layout.
const VERSION: u8 = 3;
/// The layout before: when every ask was opened.
const ALL_OPENED: u8 = 2;
/// The one before that: without goodput, and without the number of checkpoints committed to.
const WITHOUT_GOODPUT: u8 = 1;

/// A record as [`ALL_OPENED`] holds it.
#[derive(Decode)]
struct AllOpened {
    epoch: Epoch,
    round: Round,
    seen: Vec<u64>,
    checkpoint: Option<Digest>,
    asked: f64,
    asked_squared: f64,
    answered: f64,
    fidelity: FidelitySums,
    correctness: Mean,
    liveliness: Mean,
    service: Mean,
    goodput: Goodput,
    attempts: u32,
    evidence: HotkeyEvidence,
    fault: Option<Fault>,
}

impl From<AllOpened> for Record {
    fn from(old: AllOpened) -> Self {
        Self {
            epoch: old.epoch,
            round: old.round,
            seen: old.seen,
            checkpoint: old.checkpoint,
            asked: old.asked,
            answered: old.answered,
            opened: old.asked,
            opened_squared: old.asked_squared,
            fidelity: old.fidelity,
            correctness: old.correctness,
            liveliness: old.liveliness,
            service: old.service,
            goodput: old.goodput,
            attempts: old.attempts,
            evidence: old.evidence,
            fault: old.fault,
        }
    }
}

/// A record as [`WITHOUT_GOODPUT`] holds it.
#[derive(Decode)]
struct WithoutGoodput {
    epoch: Epoch,
    round: Round,
    seen: Vec<u64>,
    checkpoint: Option<Digest>,
    asked: f64,
    asked_squared: f64,
    answered: f64,
    fidelity: FidelitySums,
    correctness: Mean,
    liveliness: Mean,
    service: Mean,
    evidence: HotkeyEvidence,
    fault: Option<Fault>,
}

impl From<WithoutGoodput> for AllOpened {
    fn from(old: WithoutGoodput) -> Self {
        Self {
            epoch: old.epoch,
            round: old.round,
            seen: old.seen,
            // At least one, if there is a checkpoint; earlier ones were not counted.
            attempts: old.checkpoint.is_some().into(),
            checkpoint: old.checkpoint,
            asked: old.asked,
            asked_squared: old.asked_squared,
            answered: old.answered,
            fidelity: old.fidelity,
            correctness: old.correctness,
            liveliness: old.liveliness,
            service: old.service,
            // Was not measured: the next rounds do.
            goodput: Goodput::default(),
            evidence: old.evidence,
            fault: old.fault,
        }
    }
}

/// Why bytes are not a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum DecodeRecordError {
    /// Longer than any record can be.
    #[error("a record of {len} bytes; none has more than {}", Record::MAX_BYTES)]
    TooLong {
        /// Length found.
        len: usize,
    },
    /// Written by another version of this program, or empty.
    #[error(
        "a record of version {found:?}; this program reads versions {WITHOUT_GOODPUT} to {VERSION}"
    )]
    Version {
        /// Version found.
        found: Option<u8>,
    },
    /// Not the encoding of a record, or numbers that no record holds.
    #[error("the bytes are no record")]
    Malformed,
}

impl Record {
    /// Longest encoded record in bytes.
    pub const MAX_BYTES: usize = 4096;

    /// The record as stored: a version byte and the SCALE encoding.
    pub fn to_bytes(&self) -> Vec<u8> {
        (VERSION, self).encode()
    }

    /// Reads a stored record of this version or of one before. Every collection and number in it is checked.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeRecordError> {
        if bytes.len() > Self::MAX_BYTES {
            return Err(DecodeRecordError::TooLong { len: bytes.len() });
        }
        let malformed = |_| DecodeRecordError::Malformed;
        let (record, rest) = match bytes.split_first() {
            Some((&VERSION, mut rest)) => (Self::decode(&mut rest).map_err(malformed)?, rest),
            Some((&ALL_OPENED, mut rest)) => {
                let old = AllOpened::decode(&mut rest).map_err(malformed)?;
                (old.into(), rest)
            }
            Some((&WITHOUT_GOODPUT, mut rest)) => {
                let old = WithoutGoodput::decode(&mut rest).map_err(malformed)?;
                (AllOpened::from(old).into(), rest)
            }
            other => {
                return Err(DecodeRecordError::Version {
                    found: other.map(|(found, _)| *found),
                });
            }
        };
        if rest.is_empty() && record.is_bounded() {
            Ok(record)
        } else {
            Err(DecodeRecordError::Malformed)
        }
    }

    pub(crate) fn is_bounded(&self) -> bool {
        let counts = [self.asked, self.answered, self.opened, self.opened_squared];
        self.seen.len() <= (MAX_ASKS_PER_ROUND / 64) as usize
            && counts
                .iter()
                .all(|count| count.is_finite() && *count >= 0.0)
            && self.fidelity.is_bounded()
            && [self.correctness, self.liveliness, self.service]
                .iter()
                .all(|m| m.is_bounded())
            && self.goodput.is_bounded()
            && self.evidence.is_bounded()
            && self
                .fault
                .as_ref()
                .is_none_or(|f| f.evidence.len() <= Fault::MAX_EVIDENCE_BYTES)
    }
}
