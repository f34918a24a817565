#!/usr/bin/env bash
# Walk through all screens of the terminal UI of a live subnet, in tmux, and look for what each has to show.
#
#   scripts/tui-tour.sh                start a subnet (cargo run), walk, stop it: about three minutes
#   scripts/tui-tour.sh --keep         leave the session there: tmux -L athanor-tour attach
#   scripts/tui-tour.sh --frames DIR   also write what every screen showed to DIR
#   scripts/tui-tour.sh --size 160x50  size of the terminal (80x24)
#
# Needs tmux. Prints a line per check; ends with 1 if one failed, 2 if it could not run.
set -euo pipefail
cd "$(dirname "$0")/.."

keep=no frames="" size=80x24
die() { echo "tui-tour: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=yes ;;
    --frames) [ $# -gt 1 ] || die "--frames needs a directory"; frames=$2; mkdir -p "$frames"; shift ;;
    --size) [ $# -gt 1 ] || die "--size needs columns x rows"; size=$2; shift ;;
    -h | --help) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown argument $1; see --help" ;;
  esac
  shift
done
command -v tmux > /dev/null || die "tmux is missing: install tmux"

# A program that was built already may be named instead.
localnet="${ATHANOR_LOCALNET:-}"
if [ -z "$localnet" ]; then
  cargo build --bin athanor-localnet
  localnet="$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug/athanor-localnet"
fi
scratch="$(mktemp -d)"
session="athanor-tour-$$"
t() { tmux -L "$session" "$@"; }
finish() {
  if [ "$keep" = yes ]; then
    echo "the session goes on: tmux -L $session attach"
  else
    t kill-server 2> /dev/null || true
    rm -rf "$scratch"
  fi
}
trap finish EXIT

failed=0 name=start
seen() { t capture-pane -p -t 0; }
# Waits until the screen shows a pattern, for so many seconds.
look() {
  local seconds=$1 pattern=$2 what=$3
  for ((i = 0; i < seconds * 4; i++)); do
    if seen | grep -Eq -- "$pattern"; then
      echo "ok    $name: $what"
      return 0
    fi
    sleep 0.25
  done
  echo "FAIL  $name: $what (no '$pattern')"
  seen | sed 's/^/      | /'
  failed=1
}
press() { t send-keys -t 0 "$@"; sleep 0.4; }
screen() {
  name=$1
  press "$2"
  look 5 "\[$2 " "is there"
}
keep_frame() { [ -z "$frames" ] || seen > "$frames/$name.txt"; }

t -f /dev/null new-session -d -x "${size%x*}" -y "${size#*x}" \
  "LANG=C.UTF-8 $localnet --seed 7 --port 0 --block-time 1000 --data-dir '$scratch/net'; echo left with \$?; stty -a; sleep 60"

look 90 'block +[0-9]+' "the chain is read"
name=overview
look 150 'Found out' "a place for who is found out"
look 240 'wrong_checkpoint' "a cheat is found out"
look 60 'asks' "rounds are under way"
keep_frame

# Nothing but evidence may tell who cheats.
unlabelled() {
  if seen | grep -Eq 'copycat|relay|ignored_seed|looper'; then
    echo "FAIL  $name: it names the cheats"; seen | sed 's/^/      | /'; failed=1
  else
    echo "ok    $name: miners are numbers"
  fi
}
unlabelled

# What a new user asks: who cheats, how was it caught, what did it lose?
name="first cheat"
press Enter
look 5 'Why its incentive is zero' "one key gives the reason"
look 5 'accuse it of' "with the accusation"
look 60 'it lost [0-9.]+ TAO' "and with what it lost, once an epoch has paid"
keep_frame
press Escape
name=overview
look 5 '\[1 Overview\]' "Esc goes back"

screen metagraph 2
look 5 'UID' "the table has its head"
press f; press f; press f
look 5 'filter: accused' "the filter goes round"
press r
press /
t send-keys -t 0 -l wrong_checkpoint; sleep 0.4
look 5 'search: wrong_checkpoint' "a search is seen as it is typed"
press Enter
press Enter
name=miner
look 5 '\[3 Miner\]' "Enter looks closer"
look 5 'accuse it of wrong_checkpoint' "at one of those that were looked for"
unlabelled
press u
look 5 'UID [0-9]+ miner \((relay|ignored_seed)\)' "u says what it is"
press u
press G
look 5 'Checkpoints and distillation|held out|committed' "it scrolls to its end"
keep_frame

screen validator 4
press g
look 5 'Weights against consensus|Round and weights' "its votes are there"
press G
look 5 'Bonds: validators down' "and the bonds"
keep_frame

screen rounds 5
look 30 'FLIGHT' "what is under way"
look 60 'uid [0-9]+ .* [0-9]' "miner by miner"
unlabelled
keep_frame

screen collusion 6
look 10 'copy|same model' "the copycat is a pair"
keep_frame

screen chain 7
look 10 'kappa' "the rules are there"
look 30 'SubtensorModule|Commitments' "extrinsics and events are there"
press j; press Right
look 10 'THEN' "a turned rule is computed"
press r
keep_frame

screen logs 8
look 5 'FAULT|grade|votes' "lines are there"
press f
look 5 'kind: faults' "of one kind"
look 5 'accuses' "the accusations"
unlabelled
keep_frame

name=help
press '?'
look 5 'screens' "the keys are explained"
keep_frame
press Escape

name=export
press e
press C-u
for ((i = 0; i < 60; i++)); do t send-keys -t 0 BSpace; done
t send-keys -t 0 -l "$scratch/frame.txt"; press Enter
look 5 'written to' "the frame is written"
[ -s "$scratch/frame.txt" ] || { echo "FAIL  export: no file"; failed=1; }

name=leave
press q
look 30 'left with 0' "it ends with status 0"
look 5 ' icanon' "and the terminal is as it was"
exit $failed
