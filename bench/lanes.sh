#!/bin/sh
# The speed of lockstep in each lane of a campaign, side by side: as released, with libFuzzer's coverage, and with that
# and a sanitizer.
#
#   bench/lanes.sh [--build DIRECTORY] [--rounds N] [--out FILE]
#
# Configures and builds lockstep_bench in DIRECTORY/LANE for each lane (default build/lanes; the first time takes minutes),
# then runs one case of it in all lanes in turn, N times (default 5). Writes JSON lines to FILE (default
# DIRECTORY/lanes.jsonl): operations/s, medians, ratio to the lane "coverage".
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/lanes
rounds=5
out=
while [ $# -gt 0 ]; do
  [ $# -ge 2 ] || { echo "bench/lanes.sh: $1 needs a value, or is unknown" >&2; exit 2; }
  case $1 in
    --build) build=$2 ;;
    --rounds) rounds=$2 ;;
    --out) out=$2 ;;
    *) echo "bench/lanes.sh: unknown flag $1; it takes --build, --rounds and --out" >&2; exit 2 ;;
  esac
  shift 2
done
out=${out:-$build/lanes.jsonl}
mkdir -p "$build"

# lane NAME FLAG...: configures and builds one lane.
lane() {
  name=$1
  shift
  if cmake -S "$root" -B "$build/$name" -G Ninja -DCMAKE_BUILD_TYPE=Release -DMMDIFF_BENCH=ON -DMMDIFF_TESTS=OFF \
           "$@" > "$build/$name.log" 2>&1; then
    ninja -C "$build/$name" lockstep_bench >> "$build/$name.log" 2>&1 && return
  fi
  tail -n 20 "$build/$name.log" >&2
  echo "bench/lanes.sh: lane $name does not build" >&2
  exit 1
}
fuzz="-DCMAKE_C_COMPILER=clang-14 -DCMAKE_CXX_COMPILER=clang++-14 -DMMDIFF_FUZZ=ON"
lane release -DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++
# shellcheck disable=SC2086
{
  lane coverage $fuzz "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG"
  lane address $fuzz "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG" -DMMDIFF_SANITIZE=address
  lane undefined-trap $fuzz "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG" -DMMDIFF_SANITIZE=undefined-trap
  lane undefined $fuzz "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG" -DMMDIFF_SANITIZE=undefined
  lane thread $fuzz "-DCMAKE_CXX_FLAGS_RELEASE=-O2 -DNDEBUG" -DMMDIFF_SANITIZE=thread
}
lanes='release coverage address undefined-trap undefined thread'

rm -f "$build"/*.samples
i=0
while [ "$i" -lt "$rounds" ]; do
  for name in $lanes; do
    ASAN_OPTIONS=detect_leaks=0 "$build/$name/bench/lockstep_bench" --benchmark_filter='^lockstep/generated$' \
      --benchmark_repetitions=1 --jsonl="$build/$name.samples" > /dev/null
  done
  i=$((i + 1))
done

# median NAME: of the samples of a lane.
median() {
  sed -n 's/.*"value":\([0-9.]*\).*/\1/p' "$build/$1.samples" | sort -n |
    awk '{ v[NR] = $1 } END { printf "%.0f", (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}
base=$(median coverage)
: > "$out"
for name in $lanes; do
  value=$(median "$name")
  ratio=$(awk -v a="$value" -v b="$base" 'BEGIN { printf "%.3f", a / b }')
  machine=$(tail -n 1 "$build/$name.samples" | sed 's/.*"machine"://')
  printf '{"name":"lane/%s","value":%s,"unit":"operations/s","repetitions":%s,"ratio_to":"lane/coverage","ratio":%s,"machine":%s\n' \
    "$name" "$value" "$rounds" "$ratio" "$machine" >> "$out"
  printf '%-16s %10s operations/s  %s of coverage\n' "$name" "$value" "$ratio"
done
