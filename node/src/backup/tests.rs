//! What is packed comes back byte by byte, and nothing else does.

use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const KIND: DataKind = DataKind {
    daemon: "miner",
    caches: &["trees"],
    usual: |_, _| PathBuf::from("/nowhere/data"),
};

fn arguments(folder: &TempDir, data: &str) -> BackupArgs {
    BackupArgs {
        file: folder.path().join("b.tar.gz"),
        wallet: WalletArgs {
            name: "w".to_owned(),
            hotkey: "h".to_owned(),
            path: folder.path().join("wallets"),
        },
        subnet: SubnetArgs::default(),
        data_dir: Some(folder.path().join(data)),
        with_hotkey: false,
        force: false,
        json: true,
    }
}

fn put(folder: &TempDir, name: &str, content: &[u8]) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn filled() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    put(&folder, "data/peer.key", b"secret");
    put(
        &folder,
        "data/checkpoints/ab/model.safetensors",
        &[7; 100_000],
    );
    put(&folder, "data/checkpoints/ab/trees", b"not a cache here");
    put(&folder, "data/trees/big", b"cache");
    put(&folder, "data/empty", b"");
    folder
}

#[test]
fn what_is_packed_comes_back_without_caches_and_locks() {
    let folder = filled();
    arguments(&folder, "data").backup(KIND).unwrap();
    let told = arguments(&folder, "back").restore(KIND).unwrap();
    assert!(told.contains("\"files\":4"), "{told}");
    for name in [
        "peer.key",
        "checkpoints/ab/model.safetensors",
        "checkpoints/ab/trees",
        "empty",
    ] {
        let read = |root| fs::read(folder.path().join(root).join(name)).unwrap();
        assert_eq!(read("data"), read("back"), "{name}");
    }
    assert!(!folder.path().join("back/trees").exists());
    assert!(!folder.path().join("back/lock").exists());
    let left = fs::read_dir(folder.path())
        .unwrap()
        .map(|it| it.unwrap().file_name());
    let left: Vec<_> = left
        .filter(|name| name.to_string_lossy().starts_with('.'))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_running_daemon_a_full_directory_and_another_daemon_are_refused() {
    let folder = filled();
    let held = lock::directory(&folder.path().join("data")).unwrap();
    let error = arguments(&folder, "data").backup(KIND).unwrap_err();
    assert!(matches!(error, BackupError::Lock(_)), "{error}");
    drop(held);
    arguments(&folder, "data").backup(KIND).unwrap();
    let again = arguments(&folder, "data").backup(KIND).unwrap_err();
    assert!(matches!(again, BackupError::Exists { .. }), "{again}");
    let error = arguments(&folder, "data").restore(KIND).unwrap_err();
    assert!(error.to_string().contains("--force"), "{error}");
    let validator = DataKind {
        daemon: "validator",
        ..KIND
    };
    let error = arguments(&folder, "back").restore(validator).unwrap_err();
    assert!(error.to_string().contains("athanor-miner"), "{error}");
    let error = arguments(&folder, "nothing").backup(KIND).unwrap_err();
    assert!(matches!(error, BackupError::NoData { .. }), "{error}");
}

#[test]
fn force_keeps_what_was_there_beside_the_restored() {
    let folder = filled();
    arguments(&folder, "data").backup(KIND).unwrap();
    put(&folder, "data/peer.key", b"newer");
    let forced = BackupArgs {
        force: true,
        ..arguments(&folder, "data")
    };
    forced.restore(KIND).unwrap();
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_eq!(read("data/peer.key"), b"secret");
    assert_eq!(read("data.before-restore-1/peer.key"), b"newer");
}

#[test]
fn a_hotkey_comes_along_if_asked_for_and_never_over_another() {
    let folder = filled();
    let with = BackupArgs {
        with_hotkey: true,
        ..arguments(&folder, "data")
    };
    let wallet = with.wallet.wallet();
    let made = wallet.create(KeyKind::Hotkey, None).unwrap();
    with.backup(KIND).unwrap();
    let restore = BackupArgs {
        with_hotkey: true,
        ..arguments(&folder, "back")
    };
    let error = restore.restore(KIND).unwrap_err();
    assert!(matches!(error, BackupError::KeyExists { .. }), "{error}");
    fs::remove_dir_all(folder.path().join("wallets")).unwrap();
    restore.restore(KIND).unwrap();
    assert_eq!(wallet.address(KeyKind::Hotkey).unwrap(), made.address);

    fs::remove_file(&with.file).unwrap();
    arguments(&folder, "data").backup(KIND).unwrap();
    fs::remove_dir_all(folder.path().join("wallets")).unwrap();
    let third = BackupArgs {
        with_hotkey: true,
        ..arguments(&folder, "third")
    };
    let error = third.restore(KIND).unwrap_err();
    assert!(matches!(error, BackupError::NoHotkey { .. }), "{error}");
    assert!(!folder.path().join("third").exists());
}

#[test]
fn a_name_that_leaves_the_directory_is_refused() {
    for name in [
        "data/../../x",
        "/data/x",
        "x",
        "hotkey/x",
        "data",
        "../data/x",
    ] {
        assert!(!unpack::is_inside(name), "{name}");
    }
    assert!(unpack::is_inside("data/a/b") && unpack::is_inside("hotkey"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// A backup that is cut or changed restores nothing, or what was packed.
    #[test]
    fn a_damaged_backup_restores_nothing(at in 0.0..1.0f64, flip in 1u8.., cut: bool) {
        let folder = filled();
        let backup = arguments(&folder, "data");
        backup.backup(KIND).unwrap();
        let mut bytes = fs::read(&backup.file).unwrap();
        let at = (at * bytes.len() as f64) as usize;
        match cut {
            true => bytes.truncate(at),
            false => bytes[at] ^= flip,
        }
        fs::write(&backup.file, bytes).unwrap();
        let back = folder.path().join("back");
        match arguments(&folder, "back").restore(KIND) {
            Ok(_) => prop_assert_eq!(fs::read(back.join("peer.key")).unwrap(), b"secret"),
            Err(_) => prop_assert!(!back.exists()),
        }
    }
}
