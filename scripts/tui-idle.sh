#!/usr/bin/env bash
# What the terminal UI costs while nobody presses a key: processor time and memory, as /proc counts them.
#
#   scripts/tui-idle.sh                       beside a live subnet (athanor-localnet --headless) with its feed
#   scripts/tui-idle.sh --url URL [--feed URL]   beside a chain that runs already
#   scripts/tui-idle.sh --replay FILE         while a recording plays at 256 times its speed, until it is over
#   --seconds N  how long to look (60)   --size 160x50  size of the terminal (120x40)
#
# Needs tmux. Programs that are built already may be named: ATHANOR_TUI, ATHANOR_LOCALNET. Ends with 1 above 2 % of a core.
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=60 size=120x40 url="" feed="" replay=""
die() { echo "tui-idle: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case "$1" in
    --seconds) seconds=${2:?}; shift ;;
    --size) size=${2:?}; shift ;;
    --url) url=${2:?}; shift ;;
    --feed) feed=${2:?}; shift ;;
    --replay) replay=$(realpath "${2:?}"); shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown argument $1; see --help" ;;
  esac
  shift
done
command -v tmux > /dev/null || die "tmux is missing: install tmux"
target() { cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/'; }
tui="${ATHANOR_TUI:-}" localnet="${ATHANOR_LOCALNET:-}"
[ -n "$tui" ] || { cargo build --bin athanor-tui; tui="$(target)/debug/athanor-tui"; }

scratch="$(mktemp -d)" session="athanor-idle-$$" subnet=""
finish() {
  tmux -L "$session" kill-server 2> /dev/null || true
  [ -z "$subnet" ] || { kill -TERM "$subnet" 2> /dev/null && wait "$subnet" || true; }
  rm -rf "$scratch"
}
trap finish EXIT

if [ -z "$url" ] && [ -z "$replay" ]; then
  [ -n "$localnet" ] || { cargo build --bin athanor-localnet; localnet="$(target)/debug/athanor-localnet"; }
  "$localnet" --headless --seed 7 --port 0 --feed 0 --data-dir "$scratch/net" > /dev/null 2> "$scratch/log" &
  subnet=$!
  for ((i = 0; i < 360; i++)); do
    grep -q 'events are served at' "$scratch/log" && break
    kill -0 "$subnet" 2> /dev/null || { cat "$scratch/log" >&2; die "the subnet ended"; }
    sleep 0.5
  done
  url=$(sed -n 's/.*chain at \(ws:[^,]*\),.*/\1/p' "$scratch/log")
  feed=$(sed -n 's/.*events are served at \(http:[^ ]*\)\/events.*/\1/p' "$scratch/log")
  echo "a live subnet: chain $url, feed $feed"
fi

words=(--subtensor.chain_endpoint "$url")
[ -z "$feed" ] || words+=(--feed "$feed")
[ -z "$replay" ] || words=(--replay "$replay" --speed 256)
tmux -L "$session" -f /dev/null new-session -d -x "${size%x*}" -y "${size#*x}" \
  "LANG=C.UTF-8 exec '$tui' ${words[*]@Q}"
pid=$(tmux -L "$session" list-panes -F '#{pane_pid}')
screen() { tmux -L "$session" capture-pane -p -t 0; }

# Ticks of user and system time of all its threads so far.
ticks() { sed 's/.*) //' "/proc/$pid/stat" | awk '{print $12 + $13}'; }
kib() { awk '/^VmRSS/ {print $2}' "/proc/$pid/status"; }
peak() { awk '/^VmHWM/ {print $2}' "/proc/$pid/status"; }
hertz=$(getconf CLK_TCK)

if [ -n "$replay" ]; then
  for ((i = 0; i < 600; i++)); do screen | grep -q 'replay' && break; sleep 0.1; done
  rss=$(kib) began=$(ticks)
  for ((i = 0; i < 6000; i++)); do
    screen | grep -q 'at its end' && break
    sleep 0.1
  done
  screen | head -n 1
  echo "replayed at 256 times its speed: RSS $rss KiB once it was read, $(kib) KiB at its end (peak $(peak) KiB), $(($(ticks) - began)) ticks of 1/$hertz s"
  began=$(ticks)
  sleep "$seconds"
  spent=$(($(ticks) - began))
else
  for ((i = 0; i < 240; i++)); do screen | grep -q 'live' && break; sleep 0.25; done
  screen | grep -q 'live' || { screen >&2; die "the UI sees no chain"; }
  sleep 3
  rss=$(kib) began=$(ticks)
  sleep "$seconds"
  spent=$(($(ticks) - began))
  screen | head -n 2
  echo "RSS $rss KiB, $(kib) KiB after $seconds s (peak $(peak) KiB)"
fi
awk -v spent="$spent" -v hertz="$hertz" -v seconds="$seconds" -v size="$size" 'BEGIN {
  share = 100 * spent / hertz / seconds
  printf "%.2f %% of a core over %d s at %s: %d ticks of 1/%d s, user and system, all threads (/proc/PID/stat)\n", share, seconds, size, spent, hertz
  exit share > 2
}'
