//! The workspace keeps its layering and its file rules.
//!
//! Each rule is a function from what it looks at to what is wrong with it, so that a test can show that it finds
//! something; the last test of each rule applies it to this repository.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Which of our crates each of our crates may depend on outside its tests.
const GRAPH: &[(&str, &[&str])] = &[
    ("athanor-yuma", &[]),
    ("athanor-spec", &[]),
    ("athanor-model", &[]),
    ("athanor-scoring", &["athanor-spec", "athanor-yuma"]),
    ("athanor-net", &["athanor-spec"]),
    ("athanor-chain", &["athanor-spec"]),
    ("athanor-runtime", &["athanor-yuma"]),
    ("athanor-cli", &[]),
    ("athanor-devnet", &["athanor-runtime", "athanor-cli"]),
    (
        "athanor-distill",
        &["athanor-model", "athanor-scoring", "athanor-cli"],
    ),
    (
        "athanor-subnet",
        &[
            "athanor-spec",
            "athanor-scoring",
            "athanor-chain",
            "athanor-node",
            "athanor-cli",
        ],
    ),
    (
        "athanor-node",
        &["athanor-spec", "athanor-chain", "athanor-cli"],
    ),
    (
        "athanor-miner",
        &[
            "athanor-spec",
            "athanor-scoring",
            "athanor-net",
            "athanor-node",
            "athanor-cli",
            "athanor-chain",
            "athanor-model",
            "athanor-distill",
        ],
    ),
    (
        "athanor-validator",
        &[
            "athanor-spec",
            "athanor-scoring",
            "athanor-net",
            "athanor-node",
            "athanor-cli",
            "athanor-chain",
            "athanor-model",
        ],
    ),
    (
        "athanor-tui",
        &[
            "athanor-spec",
            "athanor-yuma",
            "athanor-scoring",
            "athanor-chain",
            "athanor-cli",
        ],
    ),
];

/// The crates that stand above the graph: they may depend on all others.
const ABOVE: &[&str] = &["athanor-localnet", "athanor-tests"];

/// Our crates that run on real chains: they carry no chain of their own.
const PRODUCTS: &[&str] = &[
    "athanor-miner",
    "athanor-validator",
    "athanor-tui",
    "athanor-subnet",
];

/// What must not be found below a crate, however deep: crates and what they must stay free of.
const FREE_OF: &[(&[&str], &[&str])] = &[
    (PRODUCTS, &["athanor-devnet", "athanor-runtime"]),
    // Models are computed by threads that know no executor.
    (&["athanor-model", "athanor-distill"], EXECUTORS),
    // What the network agrees on is a function of its inputs.
    (&["athanor-spec", "athanor-scoring"], EXECUTORS),
    (
        &["athanor-spec", "athanor-scoring"],
        &["libp2p", "subxt", "redb"],
    ),
];

const EXECUTORS: &[&str] = &["tokio", "tokio-util"];

/// Names that say nothing about what is in a file.
const NAMELESS: &[&str] = &["util", "utils", "helper", "helpers"];

/// Traces of the machine or the conversation in which a file was written. In two parts, for this file is read as well.
const TRACES: &[(&str, &str)] = &[
    ("/wo", "rk/"),
    ("/ro", "ot/"),
    ("shared/", "design"),
    ("shared/", "vectors"),
    ("shared/", "fixtures"),
    ("this ", "session"),
    ("this ", "workplace"),
    ("plan/", "contract"),
    ("issues ", "show"),
];

/// The names of the direct dependencies of every package outside its tests, as `cargo metadata` tells them.
type Dependencies = BTreeMap<String, BTreeSet<String>>;

fn dependencies(metadata: &Value) -> Dependencies {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    list(&metadata["packages"])
        .iter()
        .map(|package| {
            let names = list(&package["dependencies"])
                .iter()
                .filter(|dependency| dependency["kind"] != "dev")
                .map(name)
                .collect();
            (name(package), names)
        })
        .collect()
}

/// Dependencies between our crates that the graph does not have, and crates that it does not know.
fn outside_graph(dependencies: &Dependencies) -> Vec<String> {
    let mut found = Vec::new();
    for (package, names) in dependencies {
        if ABOVE.contains(&package.as_str()) {
            continue;
        }
        let Some((_, allowed)) = GRAPH.iter().find(|(name, _)| name == package) else {
            found.push(format!("{package} is not in the graph"));
            continue;
        };
        for name in names.iter().filter(|name| dependencies.contains_key(*name)) {
            if !allowed.contains(&name.as_str()) {
                found.push(format!("{package} depends on {name}"));
            }
        }
    }
    found
}

/// Crates that depend, at any depth through our crates, on what they must stay free of.
fn not_free_of(dependencies: &Dependencies) -> Vec<String> {
    let mut found = Vec::new();
    for (packages, banned) in FREE_OF {
        for package in *packages {
            let mut below = BTreeSet::new();
            let mut open = vec![*package];
            while let Some(next) = open.pop() {
                for name in dependencies.get(next).into_iter().flatten() {
                    if below.insert(name.as_str()) {
                        open.push(name);
                    }
                }
            }
            let banned = banned.iter().filter(|name| below.contains(*name));
            found.extend(banned.map(|name| format!("{package} reaches {name}")));
        }
    }
    found
}

/// Why the opening of a Rust file is wrong: it must say what the file is for.
fn opening(source: &str) -> Option<&'static str> {
    match source.lines().next() {
        Some(line) if line.starts_with("//! ") => None,
        Some(line) if line.starts_with("//!") => Some("opens with an empty sentence"),
        _ => Some("does not open with `//!`"),
    }
}

/// Whether a file or its directory has a name that says nothing.
fn nameless(path: &Path) -> bool {
    let stem = path.file_stem().and_then(OsStr::to_str).unwrap_or_default();
    let parent = path.parent().and_then(Path::file_name);
    let parent = parent.and_then(OsStr::to_str).unwrap_or_default();
    let name = if stem == "mod" { parent } else { stem };
    path.extension().is_some_and(|extension| extension == "rs") && NAMELESS.contains(&name)
}

/// The traces in a text, with the number of the line of each.
fn traces(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.to_lowercase();
        for (first, second) in TRACES {
            let trace = format!("{first}{second}");
            if line.contains(&trace) {
                found.push((index + 1, trace));
            }
        }
    }
    found
}

/// The top of this repository.
fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package
        .parent()
        .expect("this package is below the root")
        .to_owned()
}

/// Every file of the repository, tracked or not, but for what builds and git leave behind.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root()];
    while let Some(directory) = open.pop() {
        let entries = directory.read_dir().expect("the directory was just listed");
        for entry in entries.map(|entry| entry.expect("the directory can be read")) {
            let kind = entry.file_type().expect("the entry was just listed");
            let name = entry.file_name();
            // In a worktree `.git` is a file.
            if name == ".git" || name == "target" {
                continue;
            } else if kind.is_file() {
                found.push(entry.path());
            } else if kind.is_dir() {
                open.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

fn rust_files() -> Vec<PathBuf> {
    let mut files = files();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    assert!(files.len() > 50, "only {} Rust files found", files.len());
    files
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--format-version",
            "1",
            "--no-deps",
            "--offline",
        ])
        .current_dir(root())
        .output()
        .expect("cargo runs this test");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON")
}

fn invented(packages: &[(&str, &[&str])]) -> Dependencies {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    packages
        .iter()
        .map(|(package, dependencies)| ((*package).to_owned(), names(dependencies)))
        .collect()
}

#[track_caller]
fn check(found: Vec<String>) {
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_dependency_against_the_graph_is_found() {
    let packages = invented(&[
        ("athanor-model", &["serde", "athanor-net"]),
        ("athanor-net", &["athanor-spec"]),
        ("athanor-spec", &[]),
        ("athanor-stray", &[]),
        ("athanor-localnet", &["athanor-model"]),
    ]);
    assert_eq!(
        outside_graph(&packages),
        [
            "athanor-model depends on athanor-net",
            "athanor-stray is not in the graph"
        ]
    );
}

#[test]
fn dependencies_of_tests_do_not_count() {
    let metadata = serde_json::json!({"packages": [{
        "name": "athanor-model",
        "dependencies": [
            {"name": "burn", "kind": null},
            {"name": "cc", "kind": "build"},
            {"name": "athanor-net", "kind": "dev"},
        ],
    }]});
    let expected = invented(&[("athanor-model", &["burn", "cc"])]);
    assert_eq!(dependencies(&metadata), expected);
}

#[test]
fn a_banned_crate_is_found_at_any_depth() {
    let packages = invented(&[
        ("athanor-miner", &["athanor-node"]),
        ("athanor-node", &["athanor-devnet"]),
        ("athanor-devnet", &["athanor-runtime"]),
        ("athanor-distill", &["athanor-model"]),
        ("athanor-model", &["tokio"]),
    ]);
    assert_eq!(
        not_free_of(&packages),
        [
            "athanor-miner reaches athanor-devnet",
            "athanor-miner reaches athanor-runtime",
            "athanor-model reaches tokio",
            "athanor-distill reaches tokio",
        ]
    );
}

#[test]
fn a_file_that_does_not_say_what_it_is_for_is_found() {
    assert_eq!(opening("//! Score answers.\n\nuse std::fs;\n"), None);
    assert!(opening("use std::fs;\n//! Score answers.\n").is_some());
    assert!(opening("// Score answers.\n").is_some());
    assert!(opening("\n//! Score answers.\n").is_some());
    assert!(opening("//!\n//! Score answers.\n").is_some());
    assert!(opening("").is_some());
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for path in [
        "net/src/util.rs",
        "utils.rs",
        "helpers.rs",
        "a/utils/mod.rs",
    ] {
        assert!(nameless(Path::new(path)), "{path}");
    }
    for path in [
        "net/src/utility.rs",
        "utils/blobs.rs",
        "helpers.txt",
        "mod.rs",
    ] {
        assert!(!nameless(Path::new(path)), "{path}");
    }
}

#[test]
fn a_trace_is_found_in_any_case() {
    for (first, second) in TRACES {
        let text = format!("first line\nsee {first}{second} there");
        assert_eq!(traces(&text), [(2, format!("{first}{second}"))]);
        assert_eq!(traces(&text.to_uppercase()).len(), 1);
    }
    assert_eq!(traces("networks share designs"), []);
}

#[test]
fn crates_depend_on_each_other_as_the_graph_says() {
    let dependencies = dependencies(&metadata());
    for (package, _) in GRAPH {
        assert!(dependencies.contains_key(*package), "{package} is gone");
    }
    check(outside_graph(&dependencies));
}

#[test]
fn crates_are_free_of_what_does_not_belong_in_them() {
    check(not_free_of(&dependencies(&metadata())));
}

#[test]
fn every_rust_file_opens_with_what_it_is_for() {
    let judge = |path: &PathBuf| {
        let source = fs::read_to_string(path).expect("a Rust file is UTF-8");
        opening(&source).map(|why| format!("{} {why}", path.display()))
    };
    check(rust_files().iter().filter_map(judge).collect());
}

#[test]
fn every_rust_file_has_a_name_that_says_something() {
    let mut files = rust_files();
    files.retain(|path| nameless(path));
    check(
        files
            .iter()
            .map(|path| path.display().to_string())
            .collect(),
    );
}

#[test]
fn no_file_tells_where_it_was_written() {
    let mut found = Vec::new();
    for path in files() {
        let bytes = fs::read(&path).expect("the file was just listed");
        // What is not UTF-8 is data.
        for (line, trace) in traces(str::from_utf8(&bytes).unwrap_or_default()) {
            found.push(format!("{}:{line} mentions {trace}", path.display()));
        }
    }
    check(found);
}
