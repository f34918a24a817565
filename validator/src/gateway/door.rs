//! Who may ask, and what is left of its share.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use hyper::header::{AUTHORIZATION, HeaderMap};

use super::{
    api::ApiError,
    keys::{KeyEntry, KeyStore, Keyring, KeysError},
    quota::{Left, Quotas},
};

/// How long the file of keys may be out of date.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The keys and their shares.
pub(crate) struct Door {
    store: KeyStore,
    began: Instant,
    keys: Mutex<Known>,
    quotas: Mutex<Quotas>,
}

/// The keys as they were read last.
struct Known {
    ring: Arc<Keyring>,
    looked: Instant,
    stamp: Option<Stamp>,
}

/// What tells one state of the file from the next.
type Stamp = (SystemTime, u64, u64);

impl Door {
    /// Of the keys in this file.
    pub(crate) fn open(path: PathBuf) -> Result<Self, KeysError> {
        let store = KeyStore::new(path);
        let stamp = stamp(&store);
        let keys = Keyring::new(store.list()?);
        if keys.is_empty() {
            tracing::warn!(
                file = %store.path().display(),
                "the gateway has no key yet, so nobody may ask: `athanor-validator keys new NAME` makes one"
            );
        }
        let now = Instant::now();
        Ok(Self {
            store,
            began: now,
            keys: Mutex::new(Known {
                ring: Arc::new(keys),
                looked: now,
                stamp,
            }),
            quotas: Mutex::default(),
        })
    }

    /// The key that a request names.
    pub(crate) fn key(&self, headers: &HeaderMap) -> Result<KeyEntry, ApiError> {
        let named = headers.get(AUTHORIZATION).ok_or(ApiError::NoKey)?;
        let named = named.to_str().map_err(|_| ApiError::BadKey)?;
        let (scheme, key) = named.split_once(' ').ok_or(ApiError::NoKey)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ApiError::NoKey);
        }
        let ring = self.ring();
        ring.find(key.trim()).cloned().ok_or(ApiError::BadKey)
    }

    /// Takes a place and `tokens` from a key's share.
    pub(crate) fn enter(
        self: &Arc<Self>,
        key: &KeyEntry,
        tokens: u32,
    ) -> Result<(Charge, Left), ApiError> {
        let now_ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        let left = self.quotas().take(&key.id, &key.limits, tokens, now_ms)?;
        let charge = Charge {
            door: self.clone(),
            key: key.clone(),
            taken: tokens,
            used: tokens,
        };
        Ok((charge, left))
    }

    /// The keys as they are now. A file that cannot be read, perhaps for it is being written, leaves them as they were.
    fn ring(&self) -> Arc<Keyring> {
        let mut known = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        if known.looked.elapsed() >= LOOK_AGAIN {
            known.looked = Instant::now();
            let stamp = stamp(&self.store);
            if stamp != known.stamp {
                match self.store.list() {
                    Ok(keys) => {
                        known.ring = Arc::new(Keyring::new(keys));
                        known.stamp = stamp;
                        tracing::info!(
                            keys = known.ring.len(),
                            "the gateway's keys were read again"
                        );
                    }
                    Err(error) => tracing::warn!(%error, "the gateway's keys stay as they were"),
                }
            }
        }
        known.ring.clone()
    }

    fn quotas(&self) -> MutexGuard<'_, Quotas> {
        self.quotas.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn stamp(store: &KeyStore) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = std::fs::metadata(store.path()).ok()?;
    // A file that was renamed into place has another number, however coarse the clock is.
    Some((metadata.modified().ok()?, metadata.len(), metadata.ino()))
}

/// What a request has taken of a share. What was not used goes back when it is dropped.
pub(crate) struct Charge {
    door: Arc<Door>,
    key: KeyEntry,
    taken: u32,
    used: u32,
}

impl Charge {
    /// What was used after all; who says nothing, as a client that hangs up does, has used everything.
    pub(crate) fn used(&mut self, tokens: usize) {
        self.used = u32::try_from(tokens).unwrap_or(u32::MAX);
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        let unused = self.taken.saturating_sub(self.used);
        let mut quotas = self.door.quotas();
        quotas.give_back(&self.key.id, &self.key.limits, unused);
    }
}
