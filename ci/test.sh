#!/bin/sh
# Builds everything and runs the test suite in one ctest run.
#   ci/test.sh test [--long] [--json] [ctest arguments]
# --long adds the tests labelled long. The sanitizer lanes are built too; MMDIFF_TEST_LANES names which
# (default "fuzz asan ubsan tsan afl"; "none" for the release tree alone).
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
. "$here/start.sh"

long=
json=
[ "${1:-}" = test ] && shift
count=$#
while [ "$count" -gt 0 ]; do
  case $1 in
    --long) long=1 ;;
    --json) json=1 ;;
    --help | -h)
      sed -n '2,5s/^# \{0,1\}//p' "$0"
      exit 0
      ;;
    *) set -- "$@" "$1" ;;
  esac
  shift
  count=$((count - 1))
done

lanes=${MMDIFF_TEST_LANES:-fuzz asan ubsan tsan afl}
[ "$lanes" != none ] || lanes=
export MMDIFF_TEST_LANES="$lanes"
need build fuzz test kernel guest
need_tests release
make release all
for lane in $lanes; do
  case $lane in
    fuzz) make fuzz fuzz_programs ;;
    afl) make afl mmdiff-fuzz-afl ;;
    asan | ubsan) make "$lane" mmdiff-fuzz ;;
    tsan)
      need_tests tsan
      make tsan mmdiff-fuzz model_test mmdiff-threads threaded_test mmdiff-canary-split-count mmdiff-canary-no-lock
      ;;
    *) die "MMDIFF_TEST_LANES: there is no lane $lane" ;;
  esac
done

# One run over the tests of all trees: ctest goes into the directories that such a file names.
mkdir -p "$build/all"
{
  echo "subdirs(\"$build/release\")"
  for lane in $lanes; do
    case $lane in
      fuzz) echo "subdirs(\"$build/fuzz/targets\")" ;;
      tsan) printf 'subdirs("%s/tsan/model")\nsubdirs("%s/tsan/targets/threaded")\n' "$build" "$build" ;;
    esac
  done
} >"$build/all/CTestTestfile.cmake"

jobs=$(nproc 2>/dev/null || echo 2)
if [ -n "$long" ]; then
  export MMDIFF_LONG=1
else
  set -- --label-exclude long "$@"
fi
if [ -z "$json" ]; then
  exec ctest --test-dir "$build/all" --output-on-failure --parallel "$jobs" "$@"
fi
log=$build/all/ctest.log
failed=0
ctest --test-dir "$build/all" --output-on-failure --parallel "$jobs" "$@" >"$log" 2>&1 || failed=$?
line=$(grep -E '^[0-9]+% tests passed' "$log" | tail -n 1)
number_in() { printf '%s\n' "$line" | sed -n "s/$1/\\1/p"; }
bad=$(number_in '.* \([0-9]*\) tests* failed out of [0-9]*')
all=$(number_in '.* failed out of \([0-9]*\)')
printf '{"tests": %s, "failed": %s, "log": "%s", "exit": %s}\n' "${all:-0}" "${bad:-0}" "$log" \
       "$([ "$failed" = 0 ] && echo 0 || echo 1)"
[ "$failed" = 0 ] || exit 1
