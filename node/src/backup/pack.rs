//! From a data directory to one file.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use athanor_spec::Digest;
use flate2::{Compression, write::GzEncoder};
use tar::{EntryType, Header};

use super::{BackupError, DATA, DataKind, HOTKEY, LAYOUT, MANIFEST, Manifest, Packed, at};

/// The lock's own file, which belongs to no state.
const LOCK: &str = "lock";

/// Packs the directory `data`, which nobody else uses.
pub(super) fn pack(
    file: &Path,
    data: &Path,
    kind: DataKind,
    hotkey: Option<&Path>,
    force: bool,
) -> Result<Manifest, BackupError> {
    if file.exists() && !force {
        return Err(BackupError::Exists {
            path: file.to_owned(),
        });
    }
    let mut sources = Vec::new();
    collect(
        data,
        DATA,
        &|name| name == LOCK || kind.caches.contains(&name),
        &mut sources,
    )?;
    sources.extend(hotkey.map(|path| (HOTKEY.to_owned(), path.to_owned())));
    let files: Result<Vec<Packed>, _> = sources.iter().map(measure).collect();
    let manifest = Manifest {
        layout: LAYOUT,
        daemon: kind.daemon.to_owned(),
        files: files?,
    };
    let write = || -> io::Result<()> {
        let folder = match file.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        // For its owner alone, and under its name only once it is whole.
        let mut target = tempfile::NamedTempFile::new_in(folder)?;
        let encoder = GzEncoder::new(target.as_file_mut(), Compression::fast());
        let mut archive = tar::Builder::new(encoder);
        let text = serde_json::to_vec(&manifest)?;
        append(&mut archive, MANIFEST, text.len() as u64, &*text)?;
        for (packed, (_, path)) in manifest.files.iter().zip(&sources) {
            append(&mut archive, &packed.path, packed.bytes, File::open(path)?)?;
        }
        archive.into_inner()?.finish()?.sync_all()?;
        match force {
            true => target.persist(file)?,
            false => target.persist_noclobber(file)?,
        };
        Ok(())
    };
    write().map_err(at(file))?;
    Ok(manifest)
}

fn append<W: io::Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    bytes: u64,
    content: impl io::Read,
) -> io::Result<()> {
    let mut header = Header::new_gnu();
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o600);
    header.set_size(bytes);
    // A file that shrank since it was measured would shift all that follow.
    let mut counted = content.take(bytes);
    archive.append_data(&mut header, name, &mut counted)?;
    match counted.limit() {
        0 => Ok(()),
        _ => Err(io::Error::other(format!(
            "{name} changed while it was packed"
        ))),
    }
}

/// Every plain file below a folder in order, but what is left out of the folder itself.
fn collect(
    folder: &Path,
    name: &str,
    left_out: &dyn Fn(&str) -> bool,
    found: &mut Vec<(String, PathBuf)>,
) -> Result<(), BackupError> {
    let entries: io::Result<Vec<_>> = fs::read_dir(folder).and_then(Iterator::collect);
    let mut entries = entries.map_err(at(folder))?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let kind = entry.file_type().map_err(at(&path))?;
        let Ok(part) = entry.file_name().into_string() else {
            let error = io::Error::other("its name is not UTF-8");
            return Err(at(&path)(error));
        };
        if left_out(&part) {
            continue;
        }
        let below = format!("{name}/{part}");
        if kind.is_dir() {
            collect(&path, &below, &|_| false, found)?;
        } else if kind.is_file() {
            found.push((below, path));
        }
        // Sockets and links are made by whoever needs them.
    }
    Ok(())
}

fn measure((name, path): &(String, PathBuf)) -> Result<Packed, BackupError> {
    let mut hasher = blake3::Hasher::new();
    let bytes = File::open(path)
        .and_then(|mut file| io::copy(&mut file, &mut hasher))
        .map_err(at(path))?;
    Ok(Packed {
        path: name.clone(),
        bytes,
        blake3: Digest(*hasher.finalize().as_bytes()),
    })
}
