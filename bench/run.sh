#!/bin/sh
# Runs every benchmark of a build tree and writes its figures as JSON lines.
#
#   bench/run.sh [--build DIRECTORY] [--out FILE] [--short] [--only NAME]
#
# DIRECTORY is a configured and built tree with MMDIFF_BENCH=ON (default build/release), FILE is written anew
# (default DIRECTORY/bench.jsonl). --short takes seconds, and its figures say only that everything runs. --only takes
# lockstep, minimize, replay, memory or worker. Falling below a floor of speed is a warning, because machines differ.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
build=$root/build/release
out=
short=
only=
usage() {
  echo "bench/run.sh: $1" >&2
  echo "usage: bench/run.sh [--build DIRECTORY] [--out FILE] [--short] [--only NAME]" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case $1 in
    --build | --out | --only)
      [ $# -ge 2 ] || usage "$1 needs a value"
      case $1 in
        --build) build=$2 ;;
        --out) out=$2 ;;
        --only) only=$2 ;;
      esac
      shift
      ;;
    --short) short=1 ;;
    *) usage "unknown flag $1" ;;
  esac
  shift
done
case $only in
  '' | lockstep | minimize | replay | memory | worker) ;;
  *) usage "--only takes lockstep, minimize, replay, memory or worker, not $only" ;;
esac
out=${out:-$build/bench.jsonl}
[ -x "$build/bench/lockstep_bench" ] || {
  echo "bench/run.sh: $build has no benchmarks: cmake --preset release && cmake --build --preset release" >&2
  exit 2
}
rm -f "$out"

# bench NAME FLAG...: one program, its figures appended to the file.
bench() {
  name=$1
  shift
  [ -z "$only" ] || [ "$only" = "$name" ] || return 0
  echo "== $name" >&2
  "$build/bench/${name}_bench" --jsonl="$out" "$@" >&2
}
if [ -n "$short" ]; then
  bench lockstep --benchmark_repetitions=1 --benchmark_min_time=0.01
  bench minimize --cases=1
  bench replay --programs=50 --repetitions=1
  bench memory --largest=16 --operations=200 --repetitions=1
  bench worker --programs=50 --repetitions=1
else
  bench lockstep
  bench minimize
  bench replay
  bench memory
  bench worker
fi

# figure NAME: the value of a figure in the file, as a whole number; nothing if it is not there.
figure() { sed -n "s/^{\"name\":\"$1\",\"value\":\([0-9]*\).*/\1/p" "$out" 2>/dev/null | head -n 1; }
if grep -q fuzzer-no-link "$out"; then floor=150000; else floor=300000; fi
speed=$(figure 'lockstep\/generated')
if [ -n "$speed" ] && [ "$speed" -lt "$floor" ]; then
  echo "bench/run.sh: warning: lockstep does $speed operations/s, less than $floor" >&2
fi
echo "$(wc -l < "$out") figures in $out" >&2
