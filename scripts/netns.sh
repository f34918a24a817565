#!/usr/bin/env bash
# A validator and a miner in two network namespaces, with a router that translates addresses and a bad wire between them.
#
#   scripts/netns.sh                   run it: about five minutes
#   scripts/netns.sh --relay           forward no port: the miner is reached through a relay
#   scripts/netns.sh --keep            leave logs and data behind, and say where
#   scripts/netns.sh --delay MS        delay of the wire, each way (50)
#   scripts/netns.sh --loss SHARE      share of the packets that it loses (0.01)
#
# The chain and the validator are on 198.18.0.1. The miner is on 10.77.0.2, behind a router that is 198.18.0.2 outside
# and forwards one port, or none: then a relay on 198.18.0.1 carries, and the miner is told no address of its own.
# Rounds are answered and checkpoints fetched over that wire; then it is cut, and healed.
# Needs root (or CAP_NET_ADMIN and CAP_SYS_ADMIN), `ip` and `nft`. Prints a line per check; ends with 1 if one failed, 2 if it could not run.
set -euo pipefail
cd "$(dirname "$0")/.."

delay=50 loss=0.01 keep=no relay=no
die() { echo "netns: $*" >&2; exit 2; }
while [ $# -gt 0 ]; do
  case "$1" in
    --keep) keep=yes ;;
    --relay) relay=yes ;;
    --delay) [ $# -gt 1 ] || die "--delay needs milliseconds"; delay=$2; shift ;;
    --loss) [ $# -gt 1 ] || die "--loss needs a share"; loss=$2; shift ;;
    -h | --help) sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 0 ;;
    *) die "unknown argument $1; see --help" ;;
  esac
  shift
done
[ "$(id -u)" = 0 ] || die "network namespaces need root"
command -v ip > /dev/null || die "ip is missing: install iproute2"
command -v nft > /dev/null || die "nft is missing: install nftables"

cargo build --workspace --bins --examples
# CARGO_TARGET_DIR or a config file may move it.
target="$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/debug"
scratch="$(mktemp -d)"
core="core-$$" router="router-$$" home="home-$$"

finish() {
  local status=$?
  [ -z "${wire_in:-}" ] || exec {wire_in}>&-
  # A chain that goes first would keep them waiting for it.
  for daemon in "${miner:-}" "${validator:-}"; do
    [ -z "$daemon" ] || { kill "$daemon" 2> /dev/null && wait "$daemon"; } || true
  done
  jobs -p | xargs -r kill 2> /dev/null || true
  wait || true
  for namespace in "$core" "$router" "$home"; do ip netns delete "$namespace" 2> /dev/null || true; done
  if [ $keep = yes ] || [ $status = 1 ]; then echo "netns: logs and data are in $scratch"; else rm -rf "$scratch"; fi
}
trap finish EXIT

# --- The network.
for namespace in "$core" "$router" "$home"; do
  ip netns add "$namespace"
  ip -n "$namespace" link set lo up
done
mkfifo "$scratch/wire"
"$target/examples/wire" --ends "$core:wire" "$router:wire" --delay "$delay" --loss "$loss" < "$scratch/wire" > "$scratch/wire.log" &
exec {wire_in}> "$scratch/wire"
until grep -q ready "$scratch/wire.log"; do kill -0 $! || die "the wire does not start"; sleep 0.1; done
ip -n "$core" addr add 198.18.0.1 peer 198.18.0.2 dev wire
ip -n "$router" addr add 198.18.0.2 peer 198.18.0.1 dev wire
ip -n "$router" link add inside type veth peer name home netns "$home"
ip -n "$router" addr add 10.77.0.1/24 dev inside
ip -n "$home" addr add 10.77.0.2/24 dev home
for end in "$core wire" "$router wire" "$router inside" "$home home"; do
  ip -n "${end% *}" link set "${end#* }" up
done
ip -n "$home" route add default via 10.77.0.1
ip netns exec "$router" sh -c 'echo 1 > /proc/sys/net/ipv4/ip_forward'
forward='iifname "wire" meta l4proto { tcp, udp } th dport 8091 dnat to 10.77.0.2;'
[ $relay = no ] || forward=
ip netns exec "$router" nft -f - << RULES
table ip nat {
  chain in { type nat hook prerouting priority dstnat; $forward }
  chain out { type nat hook postrouting priority srcnat; oifname "wire" masquerade; }
}
RULES

# --- The subnet.
wallets=(--wallet.path "$scratch/wallets")
for who in validator miner; do
  for key in coldkey hotkey; do
    "$target/athanor-miner" wallet "${wallets[@]}" --wallet.name $who new --key $key --no-password --json > "$scratch/$who.$key"
  done
done
address() { sed 's/.*"address":"\([^"]*\)".*/\1/' "$scratch/$1"; }
version_key="$(sed -n 's/^version_key *= *\([0-9]*\).*/\1/p' subnet-spec/subnet.toml)"
cat > "$scratch/genesis.json" << JSON
{"subtensorModule": {"subnets": [{
  "netuid": 1, "tempo": 24, "ownerHotkey": "//Alice//hotkey", "weightsRateLimit": 12, "weightsVersionKey": $version_key,
  "neurons": [
    {"coldkey": "$(address validator.coldkey)", "hotkey": "$(address validator.hotkey)", "stake": 1000000000000},
    {"coldkey": "$(address miner.coldkey)", "hotkey": "$(address miner.hotkey)", "stake": 0}
  ]}]}}
JSON
# A student that has much to learn, so that a better checkpoint comes soon.
"$target/athanor-distill" train --out "$scratch/student" --noise 0.4 --steps 1 --judge-every 1000 > "$scratch/student.log" 2>&1
chain=ws://198.18.0.1:9944
export RUST_LOG=info
ip netns exec "$core" "$target/athanor-devnet" --host 198.18.0.1 --block-time 1000 --genesis "$scratch/genesis.json" > "$scratch/devnet.log" 2>&1 &
until grep -q "$chain" "$scratch/devnet.log"; do kill -0 $! || { cat "$scratch/devnet.log"; die "the chain does not start"; }; sleep 0.1; done
reached=(--axon.external_ip 198.18.0.2)
if [ $relay = yes ]; then
  export RUST_LOG=info,athanor_net=debug
  ip netns exec "$core" "$target/athanor-miner" relay --axon.ip 198.18.0.1 --axon.port 8099 --data.dir "$scratch/relay" > "$scratch/relay.log" 2>&1 &
  until grep -q -- --net.relays "$scratch/relay.log"; do kill -0 $! || { cat "$scratch/relay.log"; die "the relay does not start"; }; sleep 0.1; done
  reached=($(grep -- --net.relays "$scratch/relay.log"))
fi
ip netns exec "$home" "$target/athanor-miner" run --subtensor.chain_endpoint $chain "${wallets[@]}" --wallet.name miner \
  "${reached[@]}" --model "$scratch/student/start" --data.dir "$scratch/miner" --feed.file "$scratch/miner.events" --distill.judge_every 20 > "$scratch/miner.log" 2>&1 &
miner=$!
ip netns exec "$core" "$target/athanor-validator" run --subtensor.chain_endpoint $chain "${wallets[@]}" --wallet.name validator \
  --axon.external_ip 198.18.0.1 --teacher distill/teacher --data-dir "$scratch/validator" --events "$scratch/validator.events" > "$scratch/validator.log" 2>&1 &
validator=$!

# --- What must hold.
failed=0
check() { # WORDS SECONDS COMMAND..
  local words="$1" until=$((SECONDS + $2)); shift 2
  while ! "$@"; do
    if [ $SECONDS -ge $until ] || ! kill -0 $miner 2> /dev/null || ! kill -0 $validator 2> /dev/null; then
      echo "fail $words"; failed=1; return
    fi
    sleep 0.5
  done
  echo "pass $words"
}
count() { grep -c "$2" "$scratch/$1.events" 2> /dev/null || true; }
# `count` prints nothing before the file is there.
at_least() { [ "$(count "$1" "$2" | tail -n 1 | grep . || echo 0)" -ge "$3" ]; }

check "the miner is graded over the wire" 150 at_least validator '"graded".*"quality":0\.[0-9]*[1-9]' 1
check "the miner's new checkpoint is committed and served" 200 at_least miner '"swapped"' 1
swapped=$(count validator '"graded"')
check "the new checkpoint is fetched, replayed and graded" 120 at_least validator '"graded".*"quality":0\.[0-9]*[1-9]' $((swapped + 1))
if [ $relay = yes ]; then
  check "the chain has the relay's address" 1 grep -q 'axon.*198.18.0.1:8099\|address=198.18.0.1:8099' "$scratch/miner.log"
  check "a direct connection was punched through the router" 60 grep -q 'a direct connection was punched' "$scratch/miner.log" "$scratch/validator.log"
fi
check "weights are on chain" 120 at_least validator '"weights_\(set\|committed\)"' 1

echo cut >&$wire_in
before=$(count validator '"graded"')
check "asks fail while the wire is cut" 90 at_least validator '"ask_failed"' 1
echo heal >&$wire_in
failures=$(count miner '"request_failed"' | grep . || echo 0)
check "rounds are answered again after it heals" 180 at_least validator '"graded".*"quality":0\.[0-9]*[1-9]' $((before + 2))
check "both processes live" 1 true
[ "${failures:-0}" = 0 ] || echo "note: the miner failed $failures requests"
exit $failed
