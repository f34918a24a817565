#!/usr/bin/env bash
# How fast a checkpoint crosses a line, beside a plain TCP copy of the same bytes: two network namespaces with a wire between them
# that has a rate and a delay.
#
#   scripts/transfer.sh                            the whole table: about four minutes
#   scripts/transfer.sh --rate MBIT --delay MS     one line of it; rate 0: as much as the wire carries on this machine
#   scripts/transfer.sh --size MIB                 bytes to copy (three seconds' worth at the rate, at most 128)
#   scripts/transfer.sh --rounds N                 how often each way (3)
#
# Delays are each way. A wire with a rate lets packets wait for up to 100 ms and loses what would wait longer, as a router does.
# Needs root (or CAP_NET_ADMIN and CAP_SYS_ADMIN) and `ip`. Ends with 2 if it could not run.
set -euo pipefail
cd "$(dirname "$0")/.."

rates=(0 100 1000) delays=(0 20 50) size= rounds=3
die() { echo "transfer: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --rate | --delay | --size | --rounds) [ $# -gt 1 ] || die "$1 needs a number" ;;
    *) die "unknown argument $1; see --help" ;;
  esac
  case "$1" in
    --rate) rates=("$2") ;;
    --delay) delays=("$2") ;;
    --size) size=$2 ;;
    --rounds) rounds=$2 ;;
  esac
  shift 2
done
[ "$(id -u)" = 0 ] || die "network namespaces need root"
command -v ip > /dev/null || die "ip is missing: install iproute2"

cargo build --workspace --example wire --example transfer
# CARGO_TARGET_DIR or a config file may move it.
target="$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/examples"
scratch="$(mktemp -d)"
left="left-$$" right="right-$$"

unplug() {
  [ -z "${wire_in:-}" ] || exec {wire_in}>&-
  wire_in=
  jobs -p | xargs -r kill 2> /dev/null || true
  wait 2> /dev/null || true
  for namespace in "$left" "$right"; do ip netns delete "$namespace" 2> /dev/null || true; done
}
finish() { unplug; rm -rf "$scratch"; }
trap finish EXIT

plug() { # MBIT MS MIB
  for namespace in "$left" "$right"; do
    ip netns add "$namespace"
    ip -n "$namespace" link set lo up
  done
  rm -f "$scratch/wire" "$scratch/wire.log" "$scratch/serve.log"
  touch "$scratch/wire.log" "$scratch/serve.log"
  mkfifo "$scratch/wire"
  local rate=()
  [ "$1" = 0 ] || rate=(--rate "$1")
  "$target/wire" --ends "$left:wire" "$right:wire" --delay "$2" "${rate[@]}" < "$scratch/wire" > "$scratch/wire.log" &
  exec {wire_in}> "$scratch/wire"
  until grep -q ready "$scratch/wire.log"; do kill -0 $! || die "the wire does not start"; sleep 0.1; done
  ip -n "$left" addr add 198.18.0.1 peer 198.18.0.2 dev wire
  ip -n "$right" addr add 198.18.0.2 peer 198.18.0.1 dev wire
  ip -n "$left" link set wire up
  ip -n "$right" link set wire up
  ip netns exec "$left" "$target/transfer" serve --at 198.18.0.1:7000 --size "$3" > "$scratch/serve.log" &
  until grep -q ready "$scratch/serve.log"; do kill -0 $! || die "the server does not start"; sleep 0.1; done
}

echo "megabits a second, medians of $rounds; shares are of the plain copy"
printf '%8s %8s %6s %10s %10s %6s %10s %6s\n' Mbit/s delay MiB plain TCP share QUIC share
for rate in "${rates[@]}"; do
  for delay in "${delays[@]}"; do
    mib=$size
    if [ -z "$mib" ]; then
      mib=$((rate * 3 / 8))
      [ "$rate" != 0 ] && [ $mib -le 128 ] || mib=128
    fi
    plug "$rate" "$delay" "$mib"
    printf '%8s %5s ms %6s ' "$rate" "$delay" "$mib"
    ip netns exec "$right" "$target/transfer" fetch --from 198.18.0.1:7000 --size "$mib" --rounds "$rounds"
    unplug
  done
done
