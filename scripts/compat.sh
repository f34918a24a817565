#!/usr/bin/env bash
# Whether the clients that people use on Bittensor work on athanor-devnet, unmodified.
#
#   scripts/compat.sh                  install what is missing, then run every suite
#   scripts/compat.sh --json           also print a summary as JSON (the last line)
#   scripts/compat.sh --only SUITE     asi | sdk10 | btcli | sdk11 | polkadot; may be repeated
#   scripts/compat.sh --dir DIR        where the clients are installed (default: ~/.cache/athanor/compat)
#   scripts/compat.sh --devnet FILE    the athanor-devnet to test (default: built with cargo)
#
# Needs python3 (3.10 to 3.13) with venv, node 18 or newer with npm, and PyPI and npm for the first run, which takes some
# minutes. Every suite gets a chain of its own: subnet 1 sets weights in the open, subnet 2 by commit and reveal, Bob
# validates and Charlie mines on both, and pulses are taken from drand's quicknet. Prints a line per check; ends with 1 if one failed, 2 if it could not run.
set -euo pipefail

root="$(cd "$(dirname "$0")/.." && pwd)"
here="$root/scripts/compat"
directory="${XDG_CACHE_HOME:-$HOME/.cache}/athanor/compat"
devnet=""
json=false
suites=()

die() { echo "compat: $*" >&2; exit 2; }

while [ $# -gt 0 ]; do
    case "$1" in
        --json) json=true ;;
        --only) [ $# -gt 1 ] || die "--only needs a suite"; suites+=("$2"); shift ;;
        --dir) [ $# -gt 1 ] || die "--dir needs a directory"; directory="$2"; shift ;;
        --devnet) [ $# -gt 1 ] || die "--devnet needs a file"; devnet="$2"; shift ;;
        -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) die "unknown argument $1; see --help" ;;
    esac
    shift
done
[ ${#suites[@]} -gt 0 ] || suites=(asi sdk10 btcli sdk11 polkadot)
for suite in "${suites[@]}"; do
    case "$suite" in
        asi | sdk10 | btcli | sdk11 | polkadot) ;;
        *) die "unknown suite $suite; there are asi, sdk10, btcli, sdk11 and polkadot" ;;
    esac
done
command -v python3 > /dev/null || die "python3 is missing"
command -v node > /dev/null && command -v npm > /dev/null || die "node and npm are missing"

mkdir -p "$directory"
directory="$(cd "$directory" && pwd)"

# The two generations of the SDK both own the command btcli: one environment each.
venv() { # NAME MODULE PACKAGE..
    local name="$1" stamp="$directory/$1.installed"; shift
    [ "$(cat "$stamp" 2> /dev/null)" = "$*" ] && return
    echo "compat: installing $* (this takes minutes)" >&2
    rm -rf "${directory:?}/$name" "$stamp"
    python3 -m venv "$directory/$name"
    "$directory/$name/bin/pip" install --quiet --disable-pip-version-check "$@" \
        || die "pip could not install $*"
    echo "$*" > "$stamp"
}
venv gen-a bittensor==10.5.0 bittensor-cli==9.23.2 async-substrate-interface==2.2.1
venv gen-b bittensor==11.3.0
if [ ! -e "$directory/node_modules/@polkadot/api/package.json" ]; then
    echo "compat: installing @polkadot/api" >&2
    npm install --prefix "$directory" --no-audit --no-fund --silent @polkadot/api@16.5.6 \
        || die "npm could not install @polkadot/api"
fi

if [ -z "$devnet" ]; then
    (cd "$root" && cargo build --quiet -p athanor-devnet) || die "athanor-devnet does not build"
    target="$(cd "$root" && cargo metadata --format-version 1 --no-deps | python3 -c \
        'import json, sys; print(json.load(sys.stdin)["target_directory"])')"
    devnet="$target/debug/athanor-devnet"
fi
[ -x "$devnet" ] || die "$devnet is not a program"

# The clients write settings and caches into the home directory: give them another.
scratch="$(mktemp -d)"
export HOME="$scratch/home" BITTENSOR_RUNTIME_CACHE_DIR="$scratch/cache" NO_CACHE=1 PYTHONPATH="$here"
export PYTHONDONTWRITEBYTECODE=1 COMPAT_RESULTS="$scratch/results" BT_LOGGING_LOGGING_DIR="$scratch/logs"
mkdir -p "$HOME"
: > "$COMPAT_RESULTS"
chain=""
# shellcheck disable=SC2317
cleanup() {
    [ -z "$chain" ] || kill "$chain" 2> /dev/null || true
    rm -rf "$scratch"
}
trap cleanup EXIT

# polkadot.js is looked for beside the script that uses it.
mkdir -p "$scratch/js" "$scratch/py"
cp "$here/polkadot.mjs" "$scratch/js/"
ln -s "$directory/node_modules" "$scratch/js/node_modules"
python="$directory/gen-a/bin/python"
"$python" "$here/wallets.py" "$scratch/wallets" Alice Bob Charlie Dave Eve Ferdie > /dev/null \
    || die "no wallets could be written"

start_chain() {
    "$devnet" --port 0 --block-time 250 --genesis "$here/genesis.json" > "$scratch/url" 2> "$scratch/devnet.log" &
    chain=$!
    for _ in $(seq 100); do
        url="$(head -n 1 "$scratch/url")"
        [ -z "$url" ] || return 0
        kill -0 "$chain" 2> /dev/null || break
        sleep 0.1
    done
    cat "$scratch/devnet.log" >&2
    die "athanor-devnet did not start"
}

failed=0
for suite in "${suites[@]}"; do
    start_chain
    case "$suite" in
        asi) command=("$python" "$here/substrate_interface.py" "$url") ;;
        sdk10) command=("$python" "$here/sdk10.py" "$url" "$scratch/wallets") ;;
        btcli) command=("$python" "$here/btcli.py" "$url" "$scratch/wallets" "$directory/gen-a/bin/btcli") ;;
        sdk11) command=("$directory/gen-b/bin/python" "$here/sdk11.py" "$url" "$scratch/wallets") ;;
        polkadot) command=(node "$scratch/js/polkadot.mjs" "$url") ;;
    esac
    # Clients chatter on stderr; what matters is in the lines of the checks.
    if ! timeout 900 "${command[@]}" 2> "$scratch/$suite.log" | grep --line-buffered -E "^(pass|fail) "; then
        failed=1
    fi
    if ! grep -q . "$COMPAT_RESULTS"; then
        tail -n 20 "$scratch/$suite.log" >&2
        failed=1
    fi
    kill "$chain" 2> /dev/null || true
    wait "$chain" 2> /dev/null || true
    chain=""
done

[ "$json" = false ] || python3 - "$COMPAT_RESULTS" << 'PYTHON'
import json, sys
checks = [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
failed = sum(not check["passed"] for check in checks)
print(json.dumps({"passed": len(checks) - failed, "failed": failed, "checks": checks}))
PYTHON
exit "$failed"
