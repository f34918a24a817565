//! What a training run needs beside its weights, as one file in the checkpoint's directory: a run that was killed goes on
//! from it bit for bit.
//!
//! The file holds a magic, the digest of the checkpoint that it belongs to, then three parts (where the run stands, the
//! optimiser, the examples being learnt from), each behind its length, and last a blake3 hash of all before. It is
//! renamed into place after the checkpoint's manifest: a state whose file names another checkpoint is not whole.

use std::{fs, io, path::Path};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    gate::Evidence,
    shard::{Shard, ShardError},
};

/// Name of the file.
const FILE: &str = "resume.bin";
/// The first bytes of the file: name and version.
const MAGIC: &[u8; 8] = b"athresu1";

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Place {
    /// Steps since the optimiser was fresh.
    pub(crate) run_steps: u64,
    /// Passes over the examples so far.
    pub(crate) pass: u64,
    /// Order of the examples in this pass.
    pub(crate) order: Vec<usize>,
    /// Place of the next one in it.
    pub(crate) next: usize,
    /// The example that is replaced next.
    pub(crate) oldest: usize,
    /// Held-out examples that a gate has seen, where there is only a record to draw them from.
    #[serde(default)]
    pub(crate) judged: usize,
    /// What the gate has seen of the candidate in hand.
    pub(crate) gate: Evidence,
}

/// A run's state beside its weights.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resume {
    pub(crate) place: Place,
    /// The optimiser's moments, as burn records them.
    pub(crate) optimiser: Vec<u8>,
    /// What is learnt from.
    pub(crate) pool: Shard,
}

/// Why a state cannot be gone on with.
#[derive(Debug, Error)]
pub enum ResumeError {
    /// The file cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The file ends early, or does not hash to what it ends with.
    #[error("{FILE} is damaged")]
    Damaged,
    /// It was written for another checkpoint: the machine stopped between the two.
    #[error("{FILE} belongs to another checkpoint")]
    Checkpoint,
    /// The examples do not read.
    #[error("{FILE}: {0}")]
    Shard(#[from] ShardError),
    /// Where the run stands does not read.
    #[error("{FILE}: {0}")]
    Place(#[from] serde_json::Error),
    /// The optimiser's state does not read, or is that of another model.
    #[error("{FILE}: the optimiser's state does not read ({0})")]
    Optimiser(#[from] burn::record::RecorderError),
}

impl Resume {
    /// Writes the state of the checkpoint with that digest into its directory.
    pub(crate) fn write(&self, dir: &Path, checkpoint: [u8; 32]) -> Result<(), ResumeError> {
        let mut bytes = [&MAGIC[..], &checkpoint].concat();
        let place = serde_json::to_vec(&self.place)?;
        for part in [&place, &self.optimiser, &self.pool.to_bytes()] {
            bytes.extend((part.len() as u64).to_le_bytes());
            bytes.extend(part);
        }
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes());
        let partial = dir.join(format!(".partial-{FILE}"));
        let mut file = fs::File::create(&partial)?;
        io::Write::write_all(&mut file, &bytes)?;
        file.sync_all()?;
        Ok(fs::rename(partial, dir.join(FILE))?)
    }

    /// Reads the state of the checkpoint with that digest.
    pub(crate) fn read(dir: &Path, checkpoint: [u8; 32]) -> Result<Resume, ResumeError> {
        let bytes = fs::read(dir.join(FILE))?;
        let (body, hash) = bytes.split_last_chunk::<32>().ok_or(ResumeError::Damaged)?;
        if blake3::hash(body).as_bytes() != hash {
            return Err(ResumeError::Damaged);
        }
        let rest = body.strip_prefix(MAGIC).ok_or(ResumeError::Damaged)?;
        let (found, mut rest) = rest.split_first_chunk::<32>().ok_or(ResumeError::Damaged)?;
        if *found != checkpoint {
            return Err(ResumeError::Checkpoint);
        }
        let mut part = || {
            let (length, after) = rest.split_first_chunk::<8>().ok_or(ResumeError::Damaged)?;
            let length = usize::try_from(u64::from_le_bytes(*length));
            let length = length.map_err(|_| ResumeError::Damaged)?;
            let (part, after) = after.split_at_checked(length).ok_or(ResumeError::Damaged)?;
            rest = after;
            Ok::<_, ResumeError>(part)
        };
        let (place, optimiser, pool) = (part()?, part()?, part()?);
        let resume = Resume {
            place: serde_json::from_slice(place)?,
            optimiser: optimiser.to_vec(),
            pool: Shard::from_bytes(pool)?,
        };
        let count = resume.pool.examples.len();
        let Place {
            order,
            next,
            oldest,
            ..
        } = &resume.place;
        let fits = order.iter().all(|&at| at < count) && *next <= order.len() && *oldest <= count;
        match fits {
            true => Ok(resume),
            false => Err(ResumeError::Damaged),
        }
    }
}

#[cfg(test)]
mod tests;
