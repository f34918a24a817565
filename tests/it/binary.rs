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
        let mut build = Command::new(env!("CARGO"));
        build
            .args(["build", "--workspace", "--bins", "--quiet"])
            .current_dir(root);
        // What cargo says of this package would make the build scripts that look at it run again, and with them half of
        // the workspace.
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_") {
                build.env_remove(&*name);
            }
        }
        assert!(build.status().unwrap().success());
        let test = std::env::current_exe().unwrap();
        // target/debug/deps/it-<hash> -> target/debug
        test.ancestors().nth(2).unwrap().to_owned()
    });
    folder.join(name)
}
