#!/usr/bin/env bash
# Athanor beside candle and Hugging Face transformers (PyTorch) on this CPU: the same weights, the same work, in turn.
#
#   scripts/bench-peers.sh                 install what is missing, then measure and print one table
#   scripts/bench-peers.sh --rounds N      how often each program has its turn (default: 3); the median counts
#   scripts/bench-peers.sh --threads N     threads of each program (default: 2)
#   scripts/bench-peers.sh --dir DIR       where the peers are installed (default: ~/.cache/athanor/peers)
#   scripts/bench-peers.sh --bench FILE    the built bench of athanor-model (default: built with cargo)
#   scripts/bench-peers.sh --formats       also measure Athanor with bf16 and int8 weights, and PyTorch in bf16
#
# Needs python3 with venv and cargo, and PyPI and crates.io for the first run, which takes some minutes and a few GB.
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
here="$root/scripts/peers"
directory="${XDG_CACHE_HOME:-$HOME/.cache}/athanor/peers"
rounds=3
threads=2
bench=""
formats=(f32)

die() { echo "bench-peers: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case "$1" in
        --rounds) [ $# -gt 1 ] || die "--rounds needs a number"; rounds="$2"; shift ;;
        --threads) [ $# -gt 1 ] || die "--threads needs a number"; threads="$2"; shift ;;
        --dir) [ $# -gt 1 ] || die "--dir needs a directory"; directory="$2"; shift ;;
        --bench) [ $# -gt 1 ] || die "--bench needs a file"; bench="$2"; shift ;;
        --formats) formats=(f32 bf16 int8) ;;
        -h | --help) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die "unknown argument $1; see --help" ;;
    esac
    shift
done
[[ "$rounds" =~ ^[1-9][0-9]*$ ]] || die "--rounds needs a number from 1 on"
[[ "$threads" =~ ^[1-9][0-9]*$ ]] || die "--threads needs a number from 1 on"
command -v python3 > /dev/null || die "python3 is missing"
command -v cargo > /dev/null || die "cargo is missing"
mkdir -p "$directory"
directory="$(cd "$directory" && pwd)"

if [ -z "$bench" ]; then
    bench="$(cd "$root" && cargo bench -p athanor-model --bench shapes --no-run --message-format=json \
        | sed -n 's/.*"executable":"\([^"]*shapes-[^"]*\)".*/\1/p' | tail -1)"
    [ -x "$bench" ] || die "cargo did not build the bench"
fi

python="$directory/venv/bin/python"
if ! "$python" -c "import torch, transformers" 2> /dev/null; then
    echo "bench-peers: installing PyTorch and transformers (this takes minutes)" >&2
    python3 -m venv "$directory/venv"
    "$directory/venv/bin/pip" install --quiet --disable-pip-version-check torch transformers safetensors numpy \
        || die "pip could not install PyTorch and transformers"
fi

# A cargo project of its own, so that candle never enters this workspace.
mkdir -p "$directory/candle/src"
cp "$here/candle.toml" "$directory/candle/Cargo.toml"
cp "$here/candle.rs" "$directory/candle/src/main.rs"
echo "bench-peers: building candle" >&2
(cd "$directory/candle" && env -u CARGO_TARGET_DIR RUSTFLAGS="-C target-cpu=native" cargo build --release --quiet) \
    || die "candle does not build"

weights="$directory/weights"
"$bench" --write "$weights"

export RAYON_NUM_THREADS="$threads" OMP_NUM_THREADS="$threads" MKL_NUM_THREADS="$threads"
# Without it PyTorch's threads spin, and collapse where cores are shared.
export OMP_WAIT_POLICY=passive TOKENIZERS_PARALLELISM=false TRANSFORMERS_OFFLINE=1
results="$(mktemp)"
trap 'rm -f "$results"' EXIT
for round in $(seq "$rounds"); do
    echo "bench-peers: round $round of $rounds" >&2
    for shape in 7M 134M; do
        for format in "${formats[@]}"; do
            figures=prefill,decode1,decode8
            [ "$format" = f32 ] && figures="$figures,train"
            "$bench" --json --only "$shape" --rounds 3 --weights "$format" --figures "$figures" >> "$results"
        done
        "$directory/candle/target/release/peer" "$weights/$shape" "$shape" >> "$results"
        for format in "${formats[@]}"; do
            [ "$format" = int8 ] || "$python" "$here/transformers_peer.py" "$weights/$shape" "$shape" "$format" >> "$results"
        done
    done
done
"$python" "$here/table.py" "$results" "$("$bench" --ceilings)"
