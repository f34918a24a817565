//! From one file back to a data directory: whole and verified, or as if nothing had happened.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
};

use athanor_spec::Digest;
use flate2::read::GzDecoder;
use tar::Entry;

use super::{BackupError, DATA, DataKind, HOTKEY, LAYOUT, MANIFEST, Manifest, Packed, at};
use crate::lock;

/// Longer than any manifest: what is longer is not read.
const MAX_MANIFEST: u64 = 64 << 20;

/// Unpacks `file` into `data`, and the hotkey into its own file if that is wanted.
pub(super) fn unpack(
    file: &Path,
    data: &Path,
    kind: DataKind,
    hotkey: Option<&Path>,
    force: bool,
) -> Result<Manifest, BackupError> {
    let occupied = is_occupied(data).map_err(at(data))?;
    if occupied && !force {
        return Err(BackupError::Exists {
            path: data.to_owned(),
        });
    }
    if let Some(path) = hotkey.filter(|path| path.exists()) {
        return Err(BackupError::KeyExists {
            path: path.to_owned(),
        });
    }
    let held = match occupied {
        true => Some(lock::directory(data)?),
        false => None,
    };
    let parent = parent_of(data);
    fs::create_dir_all(parent).map_err(at(parent))?;
    let stage = tempfile::Builder::new()
        .prefix(".restoring-")
        .tempdir_in(parent)
        .map_err(at(parent))?;
    let manifest = Backup::open(file, kind)?.into_stage(stage.path())?;
    if let Some(path) = hotkey {
        let staged = stage.path().join(HOTKEY);
        if !staged.exists() {
            return Err(BackupError::NoHotkey {
                path: file.to_owned(),
            });
        }
        let folder = parent_of(path);
        fs::create_dir_all(folder).map_err(at(folder))?;
        place_key(&staged, path).map_err(at(path))?;
    }
    if occupied {
        let aside = aside(data);
        fs::rename(data, &aside).map_err(at(data))?;
        tracing::info!(path = %aside.display(), "what was there is kept");
    } else if data.exists() {
        // Nothing but a lock, perhaps.
        fs::remove_dir_all(data).map_err(at(data))?;
    }
    let staged = stage.path().join(DATA);
    fs::create_dir_all(&staged).map_err(at(&staged))?;
    fs::rename(&staged, data).map_err(at(data))?;
    drop(held);
    Ok(manifest)
}

/// A backup that is read from front to back.
struct Backup<'a> {
    path: &'a Path,
    kind: DataKind,
    archive: tar::Archive<GzDecoder<File>>,
}

impl<'a> Backup<'a> {
    fn open(path: &'a Path, kind: DataKind) -> Result<Self, BackupError> {
        let file = File::open(path).map_err(at(path))?;
        Ok(Self {
            path,
            kind,
            archive: tar::Archive::new(GzDecoder::new(file)),
        })
    }

    /// Writes every file below `stage`, each as the manifest says.
    fn into_stage(mut self, stage: &Path) -> Result<Manifest, BackupError> {
        let no_backup = |reason| BackupError::NotABackup {
            path: self.path.to_owned(),
            reason,
        };
        let unreadable = |_| no_backup("it is no gzipped tar archive, or breaks off");
        let mut entries = self.archive.entries().map_err(unreadable)?;
        let first = entries.next().ok_or(no_backup("it is empty"))?;
        let manifest =
            manifest(first.map_err(unreadable)?).ok_or(no_backup("it has no manifest of ours"))?;
        if manifest.layout != LAYOUT {
            return Err(no_backup("its layout is another"));
        }
        if manifest.daemon != self.kind.daemon {
            return Err(BackupError::OtherDaemon {
                path: self.path.to_owned(),
                found: manifest.daemon,
                expected: self.kind.daemon,
            });
        }
        let mut awaited: HashMap<&str, &Packed> = HashMap::new();
        for file in &manifest.files {
            if !is_inside(&file.path) || awaited.insert(&file.path, file).is_some() {
                return Err(no_backup("its manifest names a file that cannot be"));
            }
        }
        for entry in entries {
            let mut entry = entry.map_err(unreadable)?;
            let name = entry.path().map_err(unreadable)?;
            let name = name.to_str().unwrap_or_default().to_owned();
            let packed = awaited
                .remove(name.as_str())
                .ok_or(no_backup("it holds a file that its manifest does not name"))?;
            write(&mut entry, packed, &stage.join(&name)).map_err(|cause| match cause {
                Some(source) => at(&stage.join(&name))(source),
                None => BackupError::Damaged {
                    path: self.path.to_owned(),
                    name: name.clone(),
                },
            })?;
        }
        match awaited.keys().next() {
            Some(name) => Err(BackupError::Damaged {
                path: self.path.to_owned(),
                name: (*name).to_owned(),
            }),
            None => Ok(manifest),
        }
    }
}

fn manifest<R: Read>(entry: Entry<'_, R>) -> Option<Manifest> {
    if entry.path().ok()?.to_str() != Some(MANIFEST) {
        return None;
    }
    serde_json::from_reader(entry.take(MAX_MANIFEST)).ok()
}

/// Writes one file; `None` is a file that is not as the manifest says.
fn write(source: &mut impl Read, packed: &Packed, path: &Path) -> Result<(), Option<io::Error>> {
    let folder = parent_of(path);
    fs::create_dir_all(folder)?;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = Hashed {
        file: options.open(path)?,
        hasher: blake3::Hasher::new(),
    };
    // One byte more than there should be is seen.
    let limit = packed.bytes.saturating_add(1);
    // A stream that cannot be read is a damaged backup, and not this disk's fault; writing errors have no such kinds.
    let copied = io::copy(&mut source.take(limit), &mut target).map_err(|error| {
        let damaged = matches!(
            error.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput
        );
        (!damaged).then_some(error)
    })?;
    target.file.sync_all()?;
    let hash = Digest(*target.hasher.finalize().as_bytes());
    match (copied, hash) == (packed.bytes, packed.blake3) {
        true => Ok(()),
        false => Err(None),
    }
}

struct Hashed {
    file: File,
    hasher: blake3::Hasher,
}

impl Write for Hashed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

/// Whether a name stays below the two folders that a backup has.
pub(super) fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    let plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    match parts.next() {
        Some(Component::Normal(first)) if first == HOTKEY => parts.next().is_none(),
        Some(Component::Normal(first)) if first == DATA => {
            let rest: Vec<_> = parts.collect();
            !rest.is_empty() && rest.into_iter().all(plain)
        }
        _ => false,
    }
}

fn is_occupied(data: &Path) -> io::Result<bool> {
    match fs::read_dir(data) {
        Ok(entries) => {
            for entry in entries {
                if entry?.file_name() != "lock" {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// A name beside the directory that nothing has.
fn aside(data: &Path) -> PathBuf {
    let mut number = 1;
    loop {
        let mut name = data.as_os_str().to_owned();
        name.push(format!(".before-restore-{number}"));
        let path = PathBuf::from(name);
        if !path.exists() {
            return path;
        }
        number += 1;
    }
}

/// Moves a key to its place, never over another one.
fn place_key(staged: &Path, path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut target = options.open(path)?;
    io::copy(&mut File::open(staged)?, &mut target)?;
    target.sync_all()
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}
