#!/usr/bin/env bash
# Distil siblings: students of one teacher that differ in nothing but their seed (initialisation, examples, rollouts).
# usage: siblings.sh DIR COUNT [FIRST_SEED] [-- flags of `athanor-distill train`]
# Each ends up as DIR/seed-N, a checkpoint; what is there already is kept, so an interrupted run goes on. Niced, one thread each:
# a student of 300 steps takes about half a minute of one core. ATHANOR_DISTILL names the program [default: built by cargo].
# The null that ships with the program: siblings.sh DIR 24 1 -- --layers 3 --noise 0.1 --steps 300
set -euo pipefail
usage() { sed -n '2,6s/^# \{0,1\}//p' "$0" >&2; exit 2; }
[ $# -ge 2 ] || usage
dir=$1 count=$2; shift 2
first=1
if [ $# -gt 0 ] && [ "$1" != -- ]; then first=$1; shift; fi
if [ $# -gt 0 ]; then [ "$1" = -- ] || usage; shift; fi
[[ $count =~ ^[0-9]+$ && $first =~ ^[0-9]+$ ]] || usage
flags=("$@")
[ ${#flags[@]} -gt 0 ] || flags=(--layers 3 --noise 0.1 --steps 300)
steps=300
for ((i = 0; i < ${#flags[@]}; i++)); do
    if [ "${flags[i]}" = --steps ]; then steps=${flags[i + 1]:?--steps needs a number}; fi
done
program=${ATHANOR_DISTILL:-}
if [ -z "$program" ]; then
    program=$(cargo build --bin athanor-distill --message-format=json | sed -n 's/.*"executable":"\([^"]*athanor-distill\)".*/\1/p')
fi
mkdir -p "$dir"
for ((seed = first; seed < first + count; seed++)); do
    to=$dir/seed-$seed
    if [ -e "$to/manifest.json" ]; then continue; fi
    echo "sibling of seed $seed ($((seed - first + 1)) of $count)"
    run=$dir/run-$seed
    nice -n 15 "$program" train --out "$run" --seed "$seed" --threads 1 --device cpu --judge-every "$steps" "${flags[@]}" \
        >"$dir/run-$seed.log" 2>&1 || { tail -n 3 "$dir/run-$seed.log" >&2; exit 1; }
    best=$(find "$run/best" -mindepth 1 -maxdepth 1 -type d 2>/dev/null | sort | tail -n 1)
    [ -n "$best" ] || { echo "siblings: no checkpoint in $run: --steps counts those that its --student has behind it" >&2; exit 1; }
    mv "$best" "$to"
    rm -rf "$run" "$dir/run-$seed.log"
done
