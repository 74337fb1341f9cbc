#!/bin/sh
# Source coverage of the tests, as a table and as HTML in the build directory.
#   ci/coverage.sh TEST_PROGRAM... | all       e.g. ci/coverage.sh program_test model_test
# Fails if a room that was tested has less than MMDIFF_MIN_COVERAGE percent of its lines (default 0).
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
. "$here/start.sh"
usage 1 50 'ci/coverage.sh TEST_PROGRAM... | all' $#
need build fuzz test
[ "$1" != all ] || set -- program_test state_test reference_test model_test harness_test minimize_test
need_tests coverage
make coverage "$@"
out=$build/coverage/report
rm -rf "$out"
mkdir -p "$out"
objects=
for program in "$@"; do
  path=$(find "$build/coverage" -type f -name "$program" -perm -u+x | head -n 1)
  [ -n "$path" ] || die "there is no $program in $build/coverage"
  say "running $program"
  LLVM_PROFILE_FILE="$out/$program-%p.profraw" "$path" --gtest_brief=1 >"$out/$program.log" 2>&1 ||
    { tail -n 40 "$out/$program.log" >&2; die "$program failed"; }
  objects="$objects ${objects:+-object }$path"
done
llvm-profdata-14 merge -sparse -o "$out/all.profdata" "$out"/*.profraw
ignore='(_test\.cc$|^/usr/)'
# shellcheck disable=SC2086
llvm-cov-14 report $objects -instr-profile="$out/all.profdata" -ignore-filename-regex="$ignore" >"$out/report.txt"
# shellcheck disable=SC2086
llvm-cov-14 show $objects -instr-profile="$out/all.profdata" -ignore-filename-regex="$ignore" \
  -format=html -output-dir="$out/html" >/dev/null
cat "$out/report.txt"
lines=$(awk '$1 == "TOTAL" { sub("%", "", $10); print int($10) }' "$out/report.txt")
say "lines covered: ${lines:-0}% (HTML: $out/html/index.html)"
[ "${lines:-0}" -ge "${MMDIFF_MIN_COVERAGE:-0}" ] || die "less than ${MMDIFF_MIN_COVERAGE}% of the lines are covered"
