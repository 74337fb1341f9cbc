#!/bin/sh
# libFuzzer's own byte minimiser beside the reducer, on the same input of the same broken build.
#
#   bench/libfuzzer_minimizer.sh FUZZER [SEED]
#
# FUZZER is a libFuzzer program with a planted bug: a mutant, as build/fuzz/mutants/mmdiff-fuzz-NAME (cmake --build --preset
# fuzz --target mmdiff-fuzz-NAME). It fuzzes until the bug shows, once with libFuzzer's crash input as the result, and hands that
# input to `-minimize_crash=1`; the reducer's time comes from a second run on the same input with minimising on. Prints both.
set -eu
if [ $# -lt 1 ] || [ ! -x "$1" ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
fuzzer=$(cd "$(dirname "$1")" && pwd)/$(basename "$1")
seed=${2:-1}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
now() { date +%s.%N; }
since() { awk -v a="$1" -v b="$(now)" 'BEGIN { printf "%.3f", b - a }'; }
mkdir empty

MMDIFF_FINDINGS=$work/found MMDIFF_ON_FINDING=abort MMDIFF_MINIMISE=0 \
  "$fuzzer" -seed="$seed" -max_total_time=120 -artifact_prefix="$work/" -close_fd_mask=3 empty > log 2>&1 || true
input=$(find "$work" -maxdepth 1 -name 'crash-*' | head -n 1)
[ -n "$input" ] || { tail -n 5 log >&2; echo "$fuzzer showed nothing in 120 s" >&2; exit 1; }
echo "input: $(wc -c < "$input") bytes"

# A run that keeps the input as it is, and one that minimises it: their difference is the reducer.
start=$(now)
MMDIFF_FINDINGS=$work/raw MMDIFF_ON_FINDING=abort MMDIFF_MINIMISE=0 "$fuzzer" "$input" > raw.log 2>&1 || true
raw=$(since "$start")
start=$(now)
MMDIFF_FINDINGS=$work/reduced MMDIFF_ON_FINDING=abort MMDIFF_MINIMISE=30 "$fuzzer" "$input" > reduced.log 2>&1 || true
both=$(since "$start")
sed -n 's/^MMDIFF-FINDING \(.*\)/reducer: \1/p' reduced.log
awk -v a="$raw" -v b="$both" 'BEGIN { printf "reducer: %.3f s (%.3f s with it, %.3f s without)\n", b - a, b, a }'

start=$(now)
MMDIFF_FINDINGS=$work/bytes MMDIFF_ON_FINDING=abort MMDIFF_MINIMISE=0 \
  "$fuzzer" -minimize_crash=1 -max_total_time=120 -exact_artifact_path="$work/minimized" "$input" > bytes.log 2>&1 || true
echo "libFuzzer -minimize_crash=1: $(since "$start") s, $(wc -c < "$work/minimized" 2>/dev/null || echo "$(wc -c < "$input") (not reduced)") bytes left"
