//! Who a peer is: an ed25519 key, its peer id, and the 32 bytes that a hotkey commits to on chain.

use std::{
    fs, io,
    io::Write,
    path::{Path, PathBuf},
};

use athanor_spec::Digest;
use libp2p::{
    PeerId,
    identity::{Keypair, PublicKey, ed25519},
};
use thiserror::Error;

/// The secret by which a node proves its peer id.
#[derive(Clone)]
pub struct Identity {
    keypair: Keypair,
    peer_key: Digest,
}

/// The 32 bytes are not an ed25519 public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{peer_key} is not an ed25519 public key")]
pub struct BadPeerKey {
    /// What was committed on chain.
    pub peer_key: Digest,
}

/// The identity's file cannot be used.
#[derive(Debug, Error)]
pub enum IdentityFileError {
    /// Reading or writing failed.
    #[error("cannot use the identity file {path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file is not a seed of 64 hexadecimal digits.
    #[error(
        "the identity file {path} does not hold 64 hexadecimal digits; remove it to get a new identity"
    )]
    NotASeed {
        /// The file.
        path: PathBuf,
    },
    /// Others than the owner may read the secret.
    #[error(
        "the identity file {path} is readable by others (mode {mode:o}); run `chmod 600` on it"
    )]
    TooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Identity {
    /// The identity that a 32-byte secret stands for; the same seed is the same peer.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        // An ed25519 secret is any 32 bytes, so both steps accept every seed.
        let mut seed = seed;
        let secret = ed25519::SecretKey::try_from_bytes(&mut seed)
            .expect("any 32 bytes are an ed25519 secret");
        Self::of(ed25519::Keypair::from(secret))
    }

    /// A peer that nobody was before: for who only asks, and need not be known again.
    pub fn random() -> Self {
        Self::of(ed25519::Keypair::generate())
    }

    fn of(pair: ed25519::Keypair) -> Self {
        let peer_key = Digest(pair.public().to_bytes());
        Self {
            keypair: pair.into(),
            peer_key,
        }
    }

    /// Reads the identity of a node from its file, or draws one from the system's randomness and writes it, readable
    /// by the owner alone.
    pub fn open_or_create(path: &Path) -> Result<Self, IdentityFileError> {
        let io = |source| IdentityFileError::Io {
            path: path.to_owned(),
            source,
        };
        match fs::read_to_string(path) {
            Ok(text) => {
                check_mode(path)?;
                let seed: Digest =
                    text.trim()
                        .parse()
                        .map_err(|_| IdentityFileError::NotASeed {
                            path: path.to_owned(),
                        })?;
                Ok(Self::from_seed(seed.0))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let secret = ed25519::SecretKey::generate();
                let mut seed = [0; 32];
                seed.copy_from_slice(secret.as_ref());
                let mut options = fs::OpenOptions::new();
                options.write(true).create_new(true);
                #[cfg(unix)]
                std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
                let mut file = options.open(path).map_err(io)?;
                writeln!(file, "{}", Digest(seed)).map_err(io)?;
                file.sync_all().map_err(io)?;
                Ok(Self::from_seed(seed))
            }
            Err(error) => Err(io(error)),
        }
    }

    /// The public key, as committed on chain in `Commitment::peer_key`.
    pub fn peer_key(&self) -> Digest {
        self.peer_key
    }

    /// The peer id that others dial.
    pub fn peer_id(&self) -> PeerId {
        self.keypair.public().to_peer_id()
    }

    pub(crate) fn keypair(&self) -> Keypair {
        self.keypair.clone()
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("peer_id", &self.peer_id())
            .finish_non_exhaustive()
    }
}

/// The peer id of a public key that was committed on chain, where anybody may have written anything.
pub fn peer_id(peer_key: &Digest) -> Result<PeerId, BadPeerKey> {
    let key = ed25519::PublicKey::try_from_bytes(&peer_key.0).map_err(|_| BadPeerKey {
        peer_key: *peer_key,
    })?;
    Ok(PublicKey::from(key).to_peer_id())
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), IdentityFileError> {
    use std::os::unix::fs::PermissionsExt;
    let metadata = fs::metadata(path).map_err(|source| IdentityFileError::Io {
        path: path.to_owned(),
        source,
    })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        Ok(())
    } else {
        Err(IdentityFileError::TooOpen {
            path: path.to_owned(),
            mode,
        })
    }
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), IdentityFileError> {
    Ok(())
}
