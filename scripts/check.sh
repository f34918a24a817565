#!/usr/bin/env bash
# Everything that must hold before a change lands, in the order in which it fails fastest.
#   scripts/check.sh          all of it
#   scripts/check.sh fast     formatting and lints only
set -euo pipefail
cd "$(dirname "$0")/.."

# Outside the clone, so that a fresh clone does not compile the dependencies again.
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/athanor/target}"

cargo fmt --all --check
cargo clippy --workspace --all-targets -- -D warnings
[ "${1:-all}" = fast ] && exit 0
cargo test --workspace
cargo check --workspace --features cuda
# The runtime must stay compilable for WASM, where there is no standard library.
cargo check -p athanor-runtime --no-default-features
