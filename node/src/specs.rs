//! The specs that a node holds, and which of them is in force.
//!
//! A daemon keeps every spec that it was given, or learnt from a peer, in its data directory, by digest: the one of now and
//! the one that the owner has announced. Which of them holds is what the chain says. A node that has another one only, ends
//! before anybody can grade it by rules that it does not know.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use athanor_chain::{Client, EpochSchedule, Publication, ReadError};
use athanor_spec::{
    Announcement, BlockNumber, Digest, NetUid, SubnetSpec,
    announcement::{self, Agreement},
};
use thiserror::Error;
use tokio::task::JoinHandle;

/// Specs that are read from the directory at most; more are no owner's doing.
const MOST: usize = 64;
/// Blocks between two looks at what is announced.
const LOOK_EVERY: u32 = 4;

/// Why a node does not go on.
#[derive(Debug, Error)]
pub enum SpecRefused {
    /// The chain cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// It has not the spec that is in force.
    #[error(
        "spec {in_force} of subnet {netuid} is in force{}, and this node holds only {own}, and no peer gave it that one: get \
         it from the subnet's owner and give it as --subnet.spec; nothing was announced and nobody was asked",
        since.map_or_else(String::new, |block| format!(" since block {block}"))
    )]
    NotHeld {
        /// The subnet.
        netuid: NetUid,
        /// The spec in force.
        in_force: Digest,
        /// The block from which on it is.
        since: Option<BlockNumber>,
        /// The spec that the node was given.
        own: Digest,
    },
}

/// Why a spec was not kept.
#[derive(Debug, Error)]
#[error("cannot keep a spec as {}: {source}", path.display())]
pub struct KeepError {
    /// The file.
    pub path: PathBuf,
    /// The cause.
    pub source: io::Error,
}

fn directory(data_dir: &Path) -> PathBuf {
    data_dir.join("specs")
}

fn file(data_dir: &Path, digest: &Digest) -> PathBuf {
    directory(data_dir).join(format!("{digest}.toml"))
}

/// Keeps a spec in the data directory.
pub fn keep(data_dir: &Path, spec: &SubnetSpec) -> Result<(), KeepError> {
    let path = file(data_dir, &spec.digest());
    let write = || {
        fs::create_dir_all(directory(data_dir))?;
        // A name that others never see half written.
        let new = path.with_extension("new");
        fs::write(&new, spec.to_commented_toml())?;
        fs::rename(&new, &path)
    };
    write().map_err(|source| KeepError {
        path: path.clone(),
        source,
    })
}

/// Keeps a spec that was learnt; a node can go on without.
fn keep_or_tell(data_dir: &Path, spec: &SubnetSpec) {
    if let Err(error) = keep(data_dir, spec) {
        tracing::error!(%error, "a spec that was learnt is not kept");
    }
}

/// The spec with a digest, if it is kept.
pub fn find(data_dir: &Path, digest: &Digest) -> Option<SubnetSpec> {
    let text = fs::read_to_string(file(data_dir, digest)).ok()?;
    let spec = SubnetSpec::from_toml(&text).ok()?;
    // A file that somebody changed is not what its name says.
    (spec.digest() == *digest).then_some(spec)
}

/// All specs that are kept, in no order.
pub fn kept(data_dir: &Path) -> Vec<SubnetSpec> {
    let entries = fs::read_dir(directory(data_dir)).into_iter().flatten();
    entries
        .take(MOST)
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let digest = path.file_stem()?.to_str()?.parse().ok()?;
            find(data_dir, &digest)
        })
        .collect()
}

/// First block of the epoch whose spec a node runs at `block`: of the one that comes, from `lead` blocks before it begins.
pub fn epoch_block(schedule: &EpochSchedule, block: BlockNumber, lead: u32) -> BlockNumber {
    match block.0.saturating_add(lead) >= schedule.next_epoch_block.0 {
        true => schedule.next_epoch_block,
        false => schedule.last_epoch_block,
    }
}

/// The spec to run now: the one that was given, or another that is kept, as the chain says. One that is not kept is asked
/// for by `fetch`, which gets peer keys and addresses of the subnet's members and the spec's digest. `lead` is as of
/// [`epoch_block`].
pub async fn in_force(
    chain: &Client,
    own: &SubnetSpec,
    data_dir: &Path,
    lead: fn(&EpochSchedule) -> u32,
    fetch: impl AsyncFnOnce(Vec<(Digest, SocketAddr)>, Digest) -> Option<SubnetSpec>,
) -> Result<SubnetSpec, SpecRefused> {
    let netuid = own.subnet.netuid;
    let published = chain.publication(netuid, None).await?;
    let schedule = chain.schedule(netuid, None).await?;
    let first_block = epoch_block(&schedule, published.read_at, lead(&schedule));
    let announced = published.announcement.map(|(announcement, _)| announcement);
    match announcement::agreement(&own.digest(), announced.as_ref(), first_block) {
        Agreement::Unpublished => {
            tracing::info!(spec = %own.digest(), "the owner has published no spec: this node's own holds");
            Ok(own.clone())
        }
        Agreement::Same => Ok(own.clone()),
        Agreement::Other { in_force, since } => {
            if let Some(spec) = find(data_dir, &in_force) {
                return Ok(spec);
            }
            // It was announced and came into force while this node was off.
            let members = chain.metagraph(netuid).await?.peers().collect();
            match fetch(members, in_force).await {
                Some(spec) => {
                    tracing::info!(spec = %in_force, "the spec in force was learnt from a peer");
                    keep_or_tell(data_dir, &spec);
                    Ok(spec)
                }
                None => Err(SpecRefused::NotHeld {
                    netuid,
                    in_force,
                    since,
                    own: own.digest(),
                }),
            }
        }
    }
}

/// What a running node knows of the owner's announcements.
#[derive(Debug)]
pub struct SpecWatch {
    netuid: NetUid,
    data_dir: PathBuf,
    own: Digest,
    announced: Option<Announcement>,
    looked_at: Option<BlockNumber>,
    /// The spec that is to come, and whether it was told that it is held.
    told: Option<(Digest, bool)>,
    /// Asking peers for a spec.
    learning: Option<JoinHandle<()>>,
}

impl SpecWatch {
    /// For a node that runs `own`.
    pub fn new(own: &SubnetSpec, data_dir: &Path) -> Self {
        Self {
            netuid: own.subnet.netuid,
            data_dir: data_dir.to_owned(),
            own: own.digest(),
            announced: None,
            looked_at: None,
            told: None,
            learning: None,
        }
    }

    /// Reads what is announced, every few blocks. What cannot be read stays as it was.
    pub async fn look(&mut self, chain: &Client, block: BlockNumber) {
        let due = |last: BlockNumber| block < last || block.0 - last.0 >= LOOK_EVERY;
        if !self.looked_at.is_none_or(due) {
            return;
        }
        match chain.publication(self.netuid, None).await {
            Ok(Publication { announcement, .. }) => {
                self.announced = announcement.map(|(announcement, _)| announcement);
                self.looked_at = Some(block);
            }
            Err(error) => {
                tracing::warn!(%error, "what the owner announces cannot be read; trying again with the next block");
            }
        }
    }

    /// A spec that was announced and that this node neither has nor asks for: to be had from a peer before it is in force.
    /// Says in the log what is to come, once.
    pub fn missing(&mut self, block: BlockNumber) -> Option<Digest> {
        if self.learning.as_ref().is_some_and(|it| !it.is_finished()) {
            return None;
        }
        let (digest, activation) = self.announced?.coming(block)?;
        if digest == self.own {
            return None;
        }
        let held = find(&self.data_dir, &digest).is_some();
        if self.told != Some((digest, held)) {
            self.told = Some((digest, held));
            match held {
                true => {
                    tracing::info!(spec = %digest, %activation, "another spec is announced, and held: it is taken up then")
                }
                false => tracing::warn!(
                    spec = %digest, %activation,
                    "another spec is announced, which this node has not; asking peers for it. --subnet.next gives it by hand"
                ),
            }
        }
        (!held).then_some(digest)
    }

    /// Keeps the spec that `asking` ends with, if it does with one. It is asked for beside whatever the node does; until it
    /// is there, or was not to be had, nothing is [missing](Self::missing).
    pub fn learn(&mut self, asking: impl Future<Output = Option<SubnetSpec>> + Send + 'static) {
        let data_dir = self.data_dir.clone();
        self.learning = Some(tokio::spawn(async move {
            let Some(spec) = asking.await else {
                return;
            };
            tracing::info!(spec = %spec.digest(), "the spec that is announced was learnt from a peer");
            keep_or_tell(&data_dir, &spec);
        }));
    }

    /// How the spec that this node runs stands in an epoch with this first block.
    pub fn agreement(&self, first_block: BlockNumber) -> Agreement {
        announcement::agreement(&self.own, self.announced.as_ref(), first_block)
    }
}

#[cfg(test)]
mod tests {
    use athanor_spec::Epoch;

    use super::*;

    #[test]
    fn what_is_kept_is_found_by_its_digest_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let spec = SubnetSpec::local();
        let other = spec.with("round.asks_per_miner", "32").unwrap();
        assert_eq!(kept(folder.path()), []);
        for spec in [&spec, &other] {
            keep(folder.path(), spec).unwrap();
            keep(folder.path(), spec).unwrap();
            assert_eq!(find(folder.path(), &spec.digest()).as_ref(), Some(spec));
        }
        assert_eq!(kept(folder.path()).len(), 2);
        fs::write(file(folder.path(), &other.digest()), spec.to_toml()).unwrap();
        assert_eq!(find(folder.path(), &other.digest()), None);
        assert_eq!(kept(folder.path()), [spec]);
    }

    #[test]
    fn a_node_runs_the_spec_of_the_epoch_that_comes_from_some_blocks_before_it() {
        let schedule = EpochSchedule {
            tempo: 100,
            epoch: Epoch(3),
            last_epoch_block: BlockNumber(300),
            next_epoch_block: BlockNumber(400),
        };
        let at = |block, lead| epoch_block(&schedule, BlockNumber(block), lead).0;
        assert_eq!((at(300, 0), at(399, 0), at(400, 0)), (300, 300, 400));
        assert_eq!((at(391, 8), at(392, 8)), (300, 400));
    }
}
