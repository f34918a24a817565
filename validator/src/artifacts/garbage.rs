//! What of the cache may go: never what somebody uses.

use std::{
    path::{Path, PathBuf},
    sync::PoisonError,
    time::SystemTime,
};

use athanor_spec::Digest;

use super::{ArtifactError, Artifacts, disk};

/// Begins the name of a directory that is about to be removed; after a crash it is removed as old.
const GOING: &str = "going-";

impl Artifacts {
    /// The same cache, kept to so many bytes: the checkpoints that were used least lately make room, but none that is needed.
    pub fn with_quota(self, quota: Option<u64>) -> Self {
        Self { quota, ..self }
    }

    /// From now on these checkpoints are needed, and no others; what is on its way is so as long as it is.
    pub fn need(&self, digests: impl IntoIterator<Item = Digest>) {
        let mut needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        *needed = digests.into_iter().collect();
    }

    /// Removes the checkpoints that were not used since `oldest`, and as many more as the quota asks for. What is needed
    /// stays, even over the quota. Does blocking I/O.
    pub fn prune(&self, oldest: SystemTime) -> Result<(), ArtifactError> {
        let present = self.present()?;
        let mut left: u64 = present.iter().map(|it| it.bytes).sum();
        for it in victims(present, oldest, self.quota) {
            let Some(aside) = self.set_aside(&it.name)? else {
                continue;
            };
            tracing::debug!(path = %it.name.display(), bytes = it.bytes, "leaves the artifact cache");
            std::fs::remove_dir_all(&aside).map_err(disk(&aside))?;
            left -= it.bytes;
        }
        if let Some(quota) = self.quota.filter(|quota| left > *quota) {
            tracing::warn!(
                bytes = left,
                quota,
                "the artifact cache is over its quota, and all of it is in use: raise --artifacts.quota"
            );
        }
        Ok(())
    }

    fn present(&self) -> Result<Vec<Present<PathBuf>>, ArtifactError> {
        let mut present = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(disk(&self.dir))? {
            let path = entry.map_err(disk(&self.dir))?.path();
            // Another thread may have removed or renamed it meanwhile.
            let Ok(used) = path.metadata().and_then(|metadata| metadata.modified()) else {
                continue;
            };
            if !path.is_dir() {
                continue;
            }
            let files = std::fs::read_dir(&path).into_iter().flatten().flatten();
            present.push(Present {
                bytes: files
                    .filter_map(|file| Some(file.metadata().ok()?.len()))
                    .sum(),
                used,
                needed: self.if_unused(&path, || ()).is_none(),
                name: path,
            });
        }
        Ok(present)
    }

    /// Gives a directory that nobody uses another name, so that nobody finds it while it is removed.
    fn set_aside(&self, path: &Path) -> Result<Option<PathBuf>, ArtifactError> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let aside = self.dir.join(format!("{GOING}{name}"));
        // Of a process that ended while it removed it.
        let _ = std::fs::remove_dir_all(&aside);
        match self.if_unused(path, || std::fs::rename(path, &aside)) {
            None => Ok(None),
            Some(Ok(())) => Ok(Some(aside)),
            Some(Err(source)) => Err(disk(path)(source)),
        }
    }

    /// Does something to a directory of the cache, unless it is needed, or something is on its way into it.
    fn if_unused<T>(&self, path: &Path, work: impl FnOnce() -> T) -> Option<T> {
        let digest = path
            .file_name()
            .and_then(|name| name.to_str()?.parse::<Digest>().ok());
        let needed = self.needed.lock().unwrap_or_else(PoisonError::into_inner);
        let incoming = self.incoming.lock().unwrap_or_else(PoisonError::into_inner);
        let used = digest.is_some_and(|digest| needed.contains(&digest))
            || incoming
                .get(path)
                .is_some_and(|turn| turn.strong_count() > 0);
        (!used).then(work)
    }
}

/// A directory of the cache.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Present<N> {
    pub(super) name: N,
    pub(super) bytes: u64,
    /// When it was used last.
    pub(super) used: SystemTime,
    /// Whether it is in use: then it stays.
    pub(super) needed: bool,
}

/// What goes: whatever was not used since `oldest`, then what was used least lately, until the rest keeps to the quota or all
/// that is left is needed.
pub(super) fn victims<N>(
    mut present: Vec<Present<N>>,
    oldest: SystemTime,
    quota: Option<u64>,
) -> Vec<Present<N>> {
    present.sort_by_key(|it| it.used);
    let mut bytes: u64 = present.iter().map(|it| it.bytes).sum();
    let mut gone = Vec::new();
    for it in present {
        let over = quota.is_some_and(|quota| bytes > quota);
        if !it.needed && (over || it.used < oldest) {
            bytes -= it.bytes;
            gone.push(it);
        }
    }
    gone
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use athanor_net::{Identity, NetConfig};
    use athanor_spec::{NetUid, SigningContext, SubnetSpec};
    use proptest::prelude::*;
    use sp_core::Pair as _;

    use super::*;
    use crate::{artifacts::Requirements, signer::Signer};

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    proptest! {
        #[test]
        fn what_is_needed_stays_and_no_more_goes_than_must(
            cache in prop::collection::vec((1_u64..100, 0_u64..50, any::<bool>()), 0..20),
            oldest in 0_u64..50,
            quota in prop::option::of(0_u64..1500),
        ) {
            let present: Vec<_> = cache
                .into_iter()
                .enumerate()
                .map(|(name, (bytes, used, needed))| Present { name, bytes, used: at(used), needed })
                .collect();
            let gone = victims(present.clone(), at(oldest), quota);
            prop_assert!(gone.iter().all(|it| !it.needed));
            let left: Vec<_> = present.iter().filter(|it| !gone.contains(it)).collect();
            let free: Vec<_> = left.iter().filter(|it| !it.needed).collect();
            prop_assert!(free.iter().all(|it| it.used >= at(oldest)));
            let bytes: u64 = left.iter().map(|it| it.bytes).sum();
            let quota = quota.unwrap_or(u64::MAX);
            prop_assert!(bytes <= quota || free.is_empty());
            // Whatever went and was not too old was used before all that stays, and had to go.
            for it in gone.iter().filter(|it| it.used >= at(oldest)) {
                prop_assert!(free.iter().all(|free| free.used >= it.used));
            }
            if let Some(last) = gone.iter().rev().find(|it| it.used >= at(oldest)) {
                prop_assert!(bytes + last.bytes > quota);
            }
        }
    }

    /// A directory of so many bytes, used at this time.
    fn fill(dir: &Path, bytes: usize, used: u64) {
        std::fs::create_dir(dir).unwrap();
        std::fs::write(dir.join("file"), vec![0; bytes]).unwrap();
        let opened = std::fs::File::open(dir).unwrap();
        opened.set_modified(at(used)).unwrap();
    }

    #[tokio::test]
    async fn a_cache_over_its_quota_keeps_what_is_needed_and_what_arrives() {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("cache");
        let spec = SubnetSpec::local();
        let network = NetConfig::new(Identity::from_seed([1; 32]), spec.limits.clone());
        let (client, _inbound, network) = athanor_net::start(network).await.unwrap();
        let context = SigningContext {
            genesis: Digest::default(),
            netuid: NetUid(1),
        };
        let requirements = Requirements {
            limits: spec.limits,
            vocab_size: 1,
            tokenizer: Digest::default(),
        };
        let signer = Signer::new(sp_core::sr25519::Pair::from_seed(&[2; 32]), context);
        let cache = Artifacts::new(dir.clone(), client, signer, requirements).unwrap();
        let home = |n: u8| dir.join(Digest([n; 32]).to_string());
        for n in 1..=4 {
            fill(&home(n), 100, n.into());
        }
        let (arriving, stale) = (dir.join("incoming-a"), dir.join("incoming-b"));
        fill(&arriving, 100, 0);
        fill(&stale, 100, 0);
        fill(&dir.join("going-x"), 100, 0);
        let turn = cache.incoming(&arriving);
        let there = || -> Vec<bool> { (1..=4).map(|n| home(n).exists()).collect() };

        cache.need([Digest([1; 32])]);
        cache.clone().with_quota(Some(300)).prune(at(0)).unwrap();
        assert_eq!(there(), [true, false, false, true]);
        assert!(arriving.exists() && !stale.exists());
        cache.clone().with_quota(Some(0)).prune(at(0)).unwrap();
        assert_eq!(there(), [true, false, false, false]);
        assert!(arriving.exists());
        // Old age moves nobody who is needed either.
        cache.prune(at(1000)).unwrap();
        assert!(there()[0] && arriving.exists());
        drop(turn);
        cache.need([]);
        cache.prune(at(1000)).unwrap();
        assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 0);
        network.shutdown().await;
    }
}
