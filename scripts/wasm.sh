#!/usr/bin/env bash
# Build the chain's runtime as WASM, for a standard Substrate node; athanor-devnet runs the same crate natively.
#
#   scripts/wasm.sh [--out FILE]     default: target directory, wasm/athanor_runtime.wasm
#   scripts/wasm.sh --check          also let the module build the state of block 0, and compare it with athanor-devnet's;
#                                    needs node and what scripts/compat.sh installed (there: --dir DIR, here too)
#
# Needs a toolchain with the target wasm32v1-none, or with the sources of the standard library (rust-src), of which it then
# compiles the parts that are needed. With neither it says what is missing and ends with 2. $RUSTC and $CARGO name another
# toolchain's programs. Then:
#
#   athanor-devnet build-spec --wasm FILE > chain-spec.json
set -euo pipefail
cd "$(dirname "$0")/.."

die() { echo "wasm: $*" >&2; exit 2; }

target=wasm32v1-none
out=""
check=false
clients="${XDG_CACHE_HOME:-$HOME/.cache}/athanor/compat"
while [ $# -gt 0 ]; do
    case "$1" in
        --out) [ $# -gt 1 ] || die "--out needs a file"; out="$2"; shift ;;
        --check) check=true ;;
        --dir) [ $# -gt 1 ] || die "--dir needs a directory"; clients="$2"; shift ;;
        -h | --help) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die "unknown argument $1; see --help" ;;
    esac
    shift
done

if [ "$check" = true ]; then
    command -v node > /dev/null || die "--check needs node"
    [ -e "$clients/node_modules/@polkadot/util-crypto" ] \
        || die "--check needs @polkadot/util-crypto in $clients: run scripts/compat.sh --only polkadot"
    clients="$(cd "$clients" && pwd)"
fi
cargo="${CARGO:-cargo}"
rustc="${RUSTC:-rustc}"
command -v "$cargo" > /dev/null || die "$cargo is missing"
command -v "$rustc" > /dev/null || die "$rustc is missing"
"$rustc" --print target-list | grep -qx "$target" \
    || die "$("$rustc" --version) does not know the target $target: take Rust 1.84 or newer"

sysroot="$("$rustc" --print sysroot)"
build_std=()
if compgen -G "$sysroot/lib/rustlib/$target/lib/libcore-*.rlib" > /dev/null; then
    :
elif [ -e "$sysroot/lib/rustlib/src/rust/library/core/src/lib.rs" ]; then
    # Only nightly compilers build the standard library, unless they are told that they may.
    build_std=(-Zbuild-std=core,alloc)
    export RUSTC_BOOTSTRAP=1
else
    die "the toolchain in $sysroot has neither the target $target nor the sources of the standard library: run" \
        "\`rustup target add $target\`, or install rust-src for $("$rustc" --version | cut -d' ' -f2)"
fi
[ -e "$sysroot/lib/rustlib/$("$rustc" -vV | sed -n 's/^host: //p')/bin/rust-lld" ] || command -v rust-lld > /dev/null \
    || command -v wasm-ld > /dev/null || die "the toolchain in $sysroot has no linker for WASM: install rust-lld or lld"

# `substrate_runtime` brings the allocator, the panic handler and the host's functions; a node finds the table and the
# heap by these exports, and brings the memory.
export CARGO_TARGET_WASM32V1_NONE_RUSTFLAGS="--cfg substrate_runtime -C link-arg=--export-table \
-C link-arg=--export=__heap_base -C link-arg=--import-memory"
directory="$("$cargo" metadata --format-version 1 --no-deps | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')"
# A directory of its own, so that the workspace's dependencies are not compiled again afterwards. Debug information would be
# four fifths of the module, and a chain stores all of it.
"$cargo" rustc -p athanor-runtime --lib --crate-type cdylib --release --no-default-features --target "$target" \
    --target-dir "$directory/wasm" "${build_std[@]}" -- -C strip=debuginfo
built="$directory/wasm/$target/release/athanor_runtime.wasm"
[ -e "$built" ] || die "cargo built no $built"
out="${out:-$directory/wasm/athanor_runtime.wasm}"
cp "$built" "$out"
echo "$out"
[ "$check" = true ] || exit 0

scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
# The other toolchain was for the module alone.
devnet() { env -u CARGO -u RUSTC -u RUSTC_BOOTSTRAP cargo run --quiet -p athanor-devnet -- "$@"; }
devnet build-spec --wasm "$out" > "$scratch/spec.json"
devnet build-spec --wasm "$out" --raw > "$scratch/raw.json"
cp scripts/wasm.mjs "$scratch/"
ln -s "$clients/node_modules" "$scratch/node_modules"
node "$scratch/wasm.mjs" "$out" "$scratch/spec.json" "$scratch/raw.json"
