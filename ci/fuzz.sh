#!/bin/sh
# A fuzzing campaign in lanes, each with its own build of the same target.
#   ci/fuzz.sh SECONDS [LANE...]       SECONDS for each lane; lanes: fuzz asan ubsan tsan afl (default: all)
# Findings go to $MMDIFF_FINDINGS (default: crashes/). Ends with 1 if any lane found something.
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
. "$here/start.sh"
usage 1 20 'ci/fuzz.sh SECONDS [LANE...]' $#
seconds=$1
number "$seconds" "$seconds"
shift
[ $# -gt 0 ] || set -- fuzz asan ubsan tsan afl
findings=${MMDIFF_FINDINGS:-$root/crashes}
jobs=${MMDIFF_JOBS:-0}
mkdir -p "$findings"
need build fuzz
make release mmdiff
mmdiff=$build/release/cli/mmdiff

# Runs a program that trapped once more, in the build that prints what UBSan has to say.
second_run() {
  for repro in "$findings"/crash-SIG*/repro.mmdiff; do
    [ -f "$repro" ] || continue
    make ubsan-messages mmdiff
    say "second run of $repro:"
    UBSAN_OPTIONS=print_stacktrace=1 "$build/ubsan-messages/cli/mmdiff" explain "$repro" || true
  done
}

libfuzzer_lane() {
  make "$1" mmdiff-fuzz
  "$mmdiff" fuzz --worker "$build/$1/targets/mmdiff-fuzz" --time "${seconds}s" --jobs "$jobs" \
            --findings "$findings" --resume
}

# AFL++ with the project's mutator; what it finds, the target has kept itself by the time it aborts.
afl_lane() {
  need test
  make release mmdiff_afl_mutator
  make afl mmdiff-fuzz-afl
  work=$build/work/afl
  mkdir -p "$work"
  if [ ! -d "$work/seeds" ]; then
    "$mmdiff" corpus seeds --output "$work/seeds" >/dev/null
  fi
  before=$(find "$findings" -name repro.mmdiff | wc -l)
  fresh=1
  if [ -d "$work/out/default" ]; then fresh=; fi
  if ! AFL_I_DONT_CARE_ABOUT_MISSING_CRASHES=1 AFL_SKIP_CPUFREQ=1 AFL_NO_UI=1 AFL_NO_AFFINITY=1 \
       AFL_AUTORESUME=1 AFL_CUSTOM_MUTATOR_LIBRARY="$build/release/targets/mmdiff_afl_mutator.so" \
       AFL_CUSTOM_MUTATOR_ONLY=1 AFL_DISABLE_TRIM="${AFL_DISABLE_TRIM:-}" \
       MMDIFF_FINDINGS="$findings" MMDIFF_ON_FINDING=abort MMDIFF_MINIMISE=0 MMDIFF_IMPL=reference,model \
       timeout --signal=INT --kill-after=30 $((seconds + 30)) \
       afl-fuzz -i "$work/seeds" -o "$work/out" -V "$seconds" -t 5000 -m none \
       -- "$build/afl/targets/mmdiff-fuzz-afl" >"$work/log" 2>&1; then
    # What it could not start with is said at the end of its log.
    if ! grep -q 'We.re done here' "$work/log"; then
      tail -n 25 "$work/log" >&2
      die "afl-fuzz failed (log: $work/log)"
    fi
  fi
  stats=$work/out/default/fuzzer_stats
  [ -f "$stats" ] || { tail -n 25 "$work/log" >&2; die "afl-fuzz left no statistics (log: $work/log)"; }
  say "AFL++:${fresh:+ fresh,} $(sed -n 's/^execs_done *: */executions /p; s/^execs_per_sec *: */per second /p
    s/^corpus_count *: */corpus /p; s/^saved_crashes *: */crashes /p' "$stats" | tr '\n' ' ')"
  after=$(find "$findings" -name repro.mmdiff | wc -l)
  [ "$after" = "$before" ] && grep -q '^saved_crashes *: 0$' "$stats"
}

worst=0
for lane in "$@"; do
  say "lane $lane, ${seconds}s"
  status=0
  case $lane in
    fuzz | asan | ubsan | tsan) libfuzzer_lane "$lane" || status=$? ;;
    afl) afl_lane || status=1 ;;
    *) say "there is no lane $lane"; exit 2 ;;
  esac
  if [ "$lane" = ubsan ] && [ "$status" = 1 ]; then second_run; fi
  [ "$status" = 0 ] || say "lane $lane ended with $status"
  if [ "$status" -gt "$worst" ]; then worst=$status; fi
done
exit "$worst"
