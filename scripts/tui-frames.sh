#!/usr/bin/env bash
# Draw the frames of docs/tui.md and the snapshots of the screens anew, from the recording that stands in the repository.
#
#   scripts/tui-frames.sh              draw them
#   scripts/tui-frames.sh --record     record a new run of athanor-localnet first: about three minutes
set -euo pipefail
cd "$(dirname "$0")/.."

recording=tui/recordings/localnet.jsonl.gz
case "${1:-}" in
  "") ;;
  --record)
    # Two minutes: the permits' epoch, and enough after it for grades, faults and votes to be paid by.
    cargo run --bin athanor-localnet -- --headless --epochs 5 --seed 7 --port 0 --record "$recording.new.gz"
    mv "$recording.new.gz" "$recording"
    ;;
  -h | --help) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
  *) echo "tui-frames: unknown argument $1; see --help" >&2; exit 2 ;;
esac
UPDATE_FRAMES=1 cargo test -p athanor-tui --test docs
INSTA_UPDATE=always cargo test -p athanor-tui --lib view::
