//! The gateway's keys: who may ask, how much, and with which default for audits.
//!
//! A key is 32 random bytes, shown once; the file holds their hash, from which the key cannot be told. As a key cannot be
//! guessed, one round of a fast hash is enough. The file is read again when it changes, so that a key that was revoked is
//! refused a moment later by a gateway that runs.

use std::{
    collections::HashMap,
    fs, io,
    io::Write as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngCore as _;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// How every key begins, so that one that leaks is recognised.
const PREFIX: &str = "ath-";
/// What the hash of a key is derived for.
const DOMAIN: &str = "athanor 2026-11 gateway key";
/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 4 << 20;
/// The longest name of a key, in bytes.
const MAX_NAME_BYTES: usize = 128;

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyLimits {
    /// Model tokens per minute, prompts and answers together.
    pub tokens_per_minute: u32,
    /// Requests in flight.
    pub in_flight: u32,
    /// Whether its answers may be used as evidence in audits where a request does not say.
    pub audit: bool,
}

impl Default for KeyLimits {
    /// Enough for a person; evidence is only what was consented to.
    fn default() -> Self {
        Self {
            tokens_per_minute: 60_000,
            in_flight: 8,
            audit: false,
        }
    }
}

/// A key as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// What it is called when it is not shown: the first bytes of its hash.
    pub id: String,
    /// Whose it is, in the operator's words.
    pub name: String,
    /// blake3 of the key, in hexadecimal.
    pub hash: String,
    /// When it was made, in seconds since the Unix epoch.
    pub created: u64,
    /// What it may do.
    #[serde(flatten)]
    pub limits: KeyLimits,
}

#[derive(Default, Serialize, Deserialize)]
struct KeyFile {
    /// Layout of the file.
    version: u32,
    keys: Vec<KeyEntry>,
}

const VERSION: u32 = 1;

/// Why the keys cannot be used.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The file cannot be read.
    #[error("cannot read the gateway's keys {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The file cannot be written.
    #[error("cannot write the gateway's keys {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },
    /// The file is not one of keys.
    #[error("{} does not hold a gateway's keys: {source}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: serde_json::Error,
    },
    /// Written by a version of this program with another layout.
    #[error("{} has layout {found}, this program reads {VERSION}", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u32,
    },
    /// Another process changes the file.
    #[error("{} is being changed by another process: try again", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// No key has this name.
    #[error("no key `{id}`: `athanor-validator keys list` shows them")]
    Unknown {
        /// What was asked for.
        id: String,
    },
    /// A limit of nothing would be no key.
    #[error(
        "a key needs at least one token per minute, one request in flight and a name of at most {MAX_NAME_BYTES} bytes"
    )]
    Useless,
}

/// The hash that stands for a key.
fn hash(key: &str) -> String {
    hex::encode(blake3::derive_key(DOMAIN, key.as_bytes()))
}

/// A file of keys.
#[derive(Clone, Debug)]
pub struct KeyStore {
    path: PathBuf,
}

impl KeyStore {
    /// The keys in this file, which need not be there yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where they are.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All keys; none when there is no file.
    pub fn list(&self) -> Result<Vec<KeyEntry>, KeysError> {
        let read = |source| KeysError::Read {
            path: self.path.clone(),
            source,
        };
        let text = match fs::File::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(read(error)),
            Ok(file) => {
                let mut text = String::new();
                let mut file = io::Read::take(file, MAX_FILE_BYTES);
                io::Read::read_to_string(&mut file, &mut text).map_err(read)?;
                text
            }
        };
        let file: KeyFile = serde_json::from_str(&text).map_err(|source| KeysError::Format {
            path: self.path.clone(),
            source,
        })?;
        if file.version != VERSION {
            return Err(KeysError::Version {
                path: self.path.clone(),
                found: file.version,
            });
        }
        Ok(file.keys)
    }

    /// Makes a key; the only time that it is told.
    pub fn create(&self, name: &str, limits: KeyLimits) -> Result<(String, KeyEntry), KeysError> {
        if limits.tokens_per_minute == 0 || limits.in_flight == 0 || name.len() > MAX_NAME_BYTES {
            return Err(KeysError::Useless);
        }
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let hash = hash(&key);
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let entry = KeyEntry {
            id: hash[..12].to_owned(),
            name: name.to_owned(),
            hash,
            created: now.map_or(0, |elapsed| elapsed.as_secs()),
            limits,
        };
        self.change(|keys| {
            keys.push(entry.clone());
            Ok(())
        })?;
        Ok((key, entry))
    }

    /// Removes a key, by its id or its name; returns what was removed.
    pub fn revoke(&self, id: &str) -> Result<KeyEntry, KeysError> {
        self.change(|keys| {
            let by_id = keys.iter().position(|key| key.id == id);
            let mut by_name = keys.iter().enumerate().filter(|(_, key)| key.name == id);
            let place = match (by_id, by_name.next(), by_name.next()) {
                (Some(place), ..) | (None, Some((place, _)), None) => place,
                // Two keys of one name: which is meant is not for this program to guess.
                _ => return Err(KeysError::Unknown { id: id.to_owned() }),
            };
            Ok(keys.remove(place))
        })
    }

    /// Reads, changes and writes the file, alone.
    fn change<T>(
        &self,
        change: impl FnOnce(&mut Vec<KeyEntry>) -> Result<T, KeysError>,
    ) -> Result<T, KeysError> {
        let write = |source| KeysError::Write {
            path: self.path.clone(),
            source,
        };
        let folder = match self.path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder).map_err(write)?;
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(self.path.with_extension("lock"))
            .map_err(write)?;
        lock.try_lock().map_err(|_| KeysError::Busy {
            path: self.path.clone(),
        })?;
        let mut keys = self.list()?;
        let changed = change(&mut keys)?;
        let file = KeyFile {
            version: VERSION,
            keys,
        };
        let json = serde_json::to_string_pretty(&file).map_err(|source| KeysError::Format {
            path: self.path.clone(),
            source,
        })?;
        // Readable by its owner alone, as temporary files are.
        let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(write)?;
        temporary.write_all(json.as_bytes()).map_err(write)?;
        temporary.as_file().sync_all().map_err(write)?;
        temporary
            .persist(&self.path)
            .map_err(|error| write(error.error))?;
        Ok(changed)
    }
}

/// The keys as a gateway looks them up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Keyring(HashMap<String, KeyEntry>);

impl Keyring {
    /// Of a list of keys.
    pub(crate) fn new(keys: Vec<KeyEntry>) -> Self {
        Self(
            keys.into_iter()
                .map(|key| (key.hash.clone(), key))
                .collect(),
        )
    }

    /// The entry of a key. What is compared is its hash, so that the time tells nothing of the key.
    pub(crate) fn find(&self, key: &str) -> Option<&KeyEntry> {
        self.0.get(&hash(key))
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody may ask.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn store() -> (tempfile::TempDir, KeyStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = KeyStore::new(folder.path().join("below").join("keys.json"));
        (folder, store)
    }

    #[test]
    fn a_key_is_found_until_it_is_revoked_and_never_kept() {
        let (_folder, store) = store();
        assert_eq!(store.list().unwrap(), []);
        let (key, entry) = store.create("app", KeyLimits::default()).unwrap();
        let (other, _) = store.create("app", KeyLimits::default()).unwrap();
        let text = fs::read_to_string(store.path()).unwrap();
        assert!(!text.contains(&key[PREFIX.len()..]));
        let mode = fs::metadata(store.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);

        let ring = Keyring::new(store.list().unwrap());
        assert_eq!(ring.find(&key), Some(&entry));
        assert_eq!(ring.find(&entry.hash), None);
        assert_eq!(ring.find(&key.to_uppercase()), None);

        assert!(
            matches!(store.revoke("app"), Err(KeysError::Unknown { .. })),
            "two have the name"
        );
        assert_eq!(store.revoke(&entry.id).unwrap(), entry);
        let ring = Keyring::new(store.list().unwrap());
        assert_eq!(ring.find(&key), None);
        assert!(ring.find(&other).is_some());
        assert_eq!(store.revoke("app").unwrap().name, "app");
        assert!(matches!(
            store.revoke("app"),
            Err(KeysError::Unknown { .. })
        ));
    }

    #[test]
    fn what_is_no_file_of_keys_is_refused_by_name_and_left_alone() {
        let (_folder, store) = store();
        fs::create_dir_all(store.path().parent().unwrap()).unwrap();
        for (text, words) in [
            ("{", "does not hold"),
            (r#"{"version": 2, "keys": []}"#, "layout 2"),
            (r#"{"version": 1, "keys": [{"id": "x"}]}"#, "does not hold"),
        ] {
            fs::write(store.path(), text).unwrap();
            let error = store.create("app", KeyLimits::default()).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert_eq!(fs::read_to_string(store.path()).unwrap(), text);
        }
    }
}
