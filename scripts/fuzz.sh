#!/usr/bin/env bash
# Fuzz every decoder that peers, the chain or a damaged disk can reach.
#
#   scripts/fuzz.sh [SECONDS] [DECODER ..]   each decoder for SECONDS (60), one after the other
#   scripts/fuzz.sh --minimise               keep only what the corpus needs
#
# Needs `cargo install cargo-fuzz` and a C++ compiler; a stable toolchain will do, as nothing here needs a sanitizer:
# our code is safe Rust but for the kernels, which decoders do not reach. What it finds lands in tests/fuzz/artifacts;
# move it into tests/fuzz/corpus/DECODER with a name that says what was wrong, and the ordinary tests replay it for ever.
set -euo pipefail
cd "$(dirname "$0")/.."
command -v cargo-fuzz >/dev/null || { echo "fuzz.sh: cargo-fuzz is missing: cargo install cargo-fuzz" >&2; exit 2; }

seconds=60 minimise=no
case "${1:-}" in
  --minimise) minimise=yes; shift ;;
  [0-9]*) seconds=$1; shift ;;
esac
# The versions that everything else is tested with.
cp Cargo.lock tests/fuzz/Cargo.lock
cd tests/fuzz
build=(--sanitizer none --fuzz-dir .)
[ $# -gt 0 ] || set -- $(cargo fuzz list --fuzz-dir .)
for decoder; do
  mkdir -p "corpus/$decoder"
  if [ $minimise = yes ]; then
    cargo fuzz cmin "${build[@]}" "$decoder"
  else
    echo "fuzz.sh: $decoder for $seconds s"
    # What is found on the way goes into a directory of its own: only `--minimise` changes the committed corpus.
    mkdir -p "target/found/$decoder"
    cargo fuzz run "${build[@]}" "$decoder" "target/found/$decoder" "corpus/$decoder" -- \
      -max_total_time="$seconds" -max_len=16384 -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 -verbosity=0
  fi
done
