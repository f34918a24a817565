//! The real binaries, as processes of their own.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// Path of one of the workspace's binaries. The first call builds all of them, with the workspace's own feature
/// selection: cargo builds a package's binaries for that package's tests only.
pub(crate) fn binary(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let status = Command::new(env!("CARGO"))
            .args(["build", "--workspace", "--bins", "--quiet"])
            .current_dir(root)
            .status()
            .unwrap();
        assert!(status.success());
        let test = std::env::current_exe().unwrap();
        // target/debug/deps/it-<hash> -> target/debug
        test.ancestors().nth(2).unwrap().to_owned()
    });
    folder.join(name)
}
