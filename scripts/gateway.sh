#!/usr/bin/env bash
# Whether OpenAI's own Python client works on a validator's gateway, unmodified.
#
#   scripts/gateway.sh                   install the client if it is missing, start a local subnet, run every check
#   scripts/gateway.sh --dir DIR         where the client is installed (default: ~/.cache/athanor/gateway)
#   scripts/gateway.sh --bin DIR         where athanor-localnet, -validator and -distill are (default: built with cargo)
#
# Needs python3 with venv, curl, and PyPI for the first run. The subnet is the one of `cargo run`, with a gateway at its first
# validator; a student's recorder (`athanor-distill record --endpoint`) is checked too. Prints a line per check; ends with 1
# if one failed, 2 if it could not run.
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
here="$root/scripts/gateway"
directory="${XDG_CACHE_HOME:-$HOME/.cache}/athanor/gateway"
programs=""

die() { echo "gateway: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case "$1" in
        --dir) [ $# -gt 1 ] || die "--dir needs a directory"; directory="$2"; shift ;;
        --bin) [ $# -gt 1 ] || die "--bin needs a directory"; programs="$2"; shift ;;
        -h | --help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die "unknown argument $1; see --help" ;;
    esac
    shift
done
command -v python3 > /dev/null || die "python3 is missing"
command -v curl > /dev/null || die "curl is missing"

mkdir -p "$directory"
client="openai==3.57.0"
if [ "$(cat "$directory/installed" 2> /dev/null)" != "$client" ]; then
    echo "gateway: installing $client" >&2
    rm -rf "${directory:?}/venv"
    python3 -m venv "$directory/venv"
    "$directory/venv/bin/pip" install --quiet --disable-pip-version-check "$client" || die "pip could not install $client"
    echo "$client" > "$directory/installed"
fi

if [ -z "$programs" ]; then
    (cd "$root" && cargo build --quiet --workspace --bins) || die "the programs do not build"
    programs="$(cd "$root" && cargo metadata --format-version 1 --no-deps | python3 -c \
        'import json, sys; print(json.load(sys.stdin)["target_directory"])')/debug"
fi
for program in athanor-localnet athanor-validator athanor-distill; do
    [ -x "$programs/$program" ] || die "$programs/$program is not a program"
done

scratch="$(mktemp -d)"
subnet=""
# shellcheck disable=SC2317
cleanup() {
    if [ -n "$subnet" ]; then
        kill "$subnet" 2> /dev/null || true
        wait "$subnet" 2> /dev/null || true
    fi
    rm -rf "$scratch"
}
trap cleanup EXIT

"$programs/athanor-localnet" --headless --port 0 --gateway 0 --data-dir "$scratch/subnet" \
    > "$scratch/epochs" 2> "$scratch/log" &
subnet=$!
url=""
for _ in $(seq 1200); do
    url="$(sed -n 's/^users are served at \(http[^ ,]*\),.*/\1/p' "$scratch/log")"
    [ -z "$url" ] || break
    kill -0 "$subnet" 2> /dev/null || break
    sleep 0.1
done
[ -n "$url" ] || { tail -n 20 "$scratch/log" >&2; die "the subnet did not start"; }
key="$(cat "$scratch/subnet/gateway.key")"
keys="$(find "$scratch/subnet/validators" -name gateway-keys.json)"

# Once somebody is paid, the best-paid miner is one that keeps to its checkpoint and to seeds. That takes some epochs.
echo "gateway: waiting until the first miner is paid (a minute or two)" >&2
for _ in $(seq 600); do
    curl -s -H "Authorization: Bearer $key" "$url/models" | grep -q '"incentive":[1-9]' && break
    sleep 0.5
done

failed=0
"$directory/venv/bin/python" "$here/client.py" "$url" "$key" \
    "$programs/athanor-validator" keys --gateway.keys "$keys" || failed=1

model="$(curl -s -H "Authorization: Bearer $key" "$url/models" | python3 -c 'import json, sys; print(json.load(sys.stdin)["data"][0]["id"])')"
if OPENAI_API_KEY="$key" "$programs/athanor-distill" record --endpoint "$url" --api-model "$model:best" \
    --tokenizer "$scratch/subnet/teacher" --items 8 --passages 0 --continuations 8 --parallel 2 \
    --out "$scratch/shard" > "$scratch/record" 2>&1 && [ -s "$scratch/shard" ]; then
    echo "PASS a student's recorder writes down what the best-paid miner says"
else
    echo "FAIL a student's recorder: $(tail -n 1 "$scratch/record")"
    failed=1
fi
exit "$failed"
