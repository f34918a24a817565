//! The token that a daemon shows to its signer: one line in a file that nobody else may read.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use thiserror::Error;

/// Shorter ones can be guessed.
const MIN_CHARS: usize = 32;
const MAX_BYTES: u64 = 4096;

/// Why a token is not used.
#[derive(Debug, Error)]
pub enum TokenError {
    /// The file cannot be read or written.
    #[error("cannot use the token file {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// Others may read it.
    #[error("the token file {} is readable by others: run `chmod 600` on it", path.display())]
    TooOpen {
        /// The file.
        path: PathBuf,
    },
    /// It holds no token.
    #[error(
        "{} holds no token of at least {MIN_CHARS} letters and digits: `signer` makes one where there is no file",
        path.display()
    )]
    NotAToken {
        /// The file.
        path: PathBuf,
    },
}

/// The token in a file.
pub(super) fn read(path: &Path) -> Result<String, TokenError> {
    let told = |source| TokenError::Io {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(told)?;
    #[cfg(unix)]
    {
        let mode = std::os::unix::fs::MetadataExt::mode(&file.metadata().map_err(told)?);
        if mode & 0o077 != 0 {
            return Err(TokenError::TooOpen {
                path: path.to_owned(),
            });
        }
    }
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(file, MAX_BYTES), &mut text).map_err(told)?;
    let token = text.trim();
    let fine = token.len() >= MIN_CHARS && token.chars().all(|c| c.is_ascii_alphanumeric());
    match fine {
        true => Ok(token.to_owned()),
        false => Err(TokenError::NotAToken {
            path: path.to_owned(),
        }),
    }
}

/// The token in a file, which is made with a new one if it is not there.
pub(super) fn read_or_make(path: &Path) -> Result<String, TokenError> {
    if !path.exists() {
        let make = || {
            let mut options = fs::OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            let mut file = options.open(path)?;
            writeln!(file, "{}", hex::encode(rand::random::<[u8; 32]>()))?;
            file.sync_all()
        };
        make().map_err(|source| TokenError::Io {
            path: path.to_owned(),
            source,
        })?;
        tracing::info!(file = %path.display(), "a new token: copy the file to the daemon's machine");
    }
    read(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_made_once_and_for_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        assert!(matches!(read(&path), Err(TokenError::Io { .. })));
        let made = read_or_make(&path).unwrap();
        assert_eq!(made.len(), 64);
        assert_eq!(read_or_make(&path).unwrap(), made);
        fs::write(&path, "short\n").unwrap();
        assert!(matches!(read(&path), Err(TokenError::NotAToken { .. })));
        #[cfg(unix)]
        {
            let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
            fs::set_permissions(&path, open).unwrap();
            assert!(matches!(read(&path), Err(TokenError::TooOpen { .. })));
        }
    }
}
