#!/bin/sh
# The canary: a planted bug must be found, its repro must show it again in the build that has the bug and not in
# the build that has not, and with the same signature each time.
#   ci/canary.sh SECONDS [MUTANT]      default: lazyfree_restore_upgrades_write (CVE-2026-31398)
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
. "$here/start.sh"
usage 1 2 'ci/canary.sh SECONDS [MUTANT]' $#
seconds=$1
number "$seconds" "$seconds"
mutant=${2:-lazyfree_restore_upgrades_write}
[ -f "$root/mutants/$mutant.patch" ] || die "canary: there is no mutants/$mutant.patch"
need build fuzz
make release mmdiff
make fuzz "mmdiff-fuzz-$mutant"
mmdiff=$build/release/cli/mmdiff
worker=$build/fuzz/mutants/mmdiff-fuzz-$mutant
work=$build/work/canary
rm -rf "$work"
mkdir -p "$work"

status=0
"$mmdiff" fuzz --worker "$worker" --time "${seconds}s" --findings "$work/crashes" --work "$work/corpus" \
          --corpus "$root/corpora" --stop-on-first >"$work/log" 2>&1 || status=$?
if [ "$status" != 1 ]; then
  cat "$work/log" >&2
  die "canary: $mutant was not found in ${seconds}s (exit code $status)"
fi
set -- "$work"/crashes/*/repro.mmdiff
repro=$1
signature=$(basename "$(dirname "$repro")")

# The healthy build agrees on it.
"$mmdiff" run "$repro" >/dev/null || die "canary: the repro of $mutant fails without the bug: $repro"

# The build with the bug shows it again, alone and with the same signature.
status=0
MMDIFF_FINDINGS=$work/replayed MMDIFF_REPLAY=$repro "$worker" >"$work/replay.log" 2>&1 || status=$?
[ "$status" = 1 ] || die "canary: the replay ended with $status: $(cat "$work/replay.log")"
set -- "$work"/replayed/*/repro.mmdiff
again=$(basename "$(dirname "$1")")
[ "$again" = "$signature" ] || die "canary: $mutant was found as $signature and replayed as $again"

# The GoogleTest that `repro` prints fails with the bug and passes without it.
patched=$(sed -n 's#^+++ b/##p' "$root/mutants/$mutant.patch" | head -n 1)
mkdir -p "$work/bug/$(dirname "$patched")"
cp "$root/$patched" "$work/bug/$patched"
patch -s -p1 -d "$work/bug" <"$root/mutants/$mutant.patch"
"$mmdiff" repro --form gtest --name Canary --output "$work/canary_test.cc" "$repro"
make release mmdiff_registry
flags="-std=c++20 -O1 -I$work/bug -I$root"
libraries=$(find "$build/release" -name 'libmmdiff_*.a' ! -name '*threaded*' | sort)
link="-Wl,--start-group $libraries -Wl,--end-group -lgtest_main -lgtest -lpthread
      $(pkg-config --libs absl_status absl_statusor absl_strings absl_str_format)"
# shellcheck disable=SC2086  # lists of words
{
  g++ $flags -c "$work/bug/$patched" -o "$work/bug.o"
  g++ $flags -c "$work/canary_test.cc" -o "$work/canary_test.o"
  g++ "$work/canary_test.o" "$work/bug.o" $link -o "$work/with_bug"
  g++ "$work/canary_test.o" $link -o "$work/without_bug"
}
"$work/without_bug" >"$work/without_bug.log" || die "canary: the GoogleTest fails without the bug: $work/without_bug.log"
if "$work/with_bug" >"$work/with_bug.log"; then
  die "canary: the GoogleTest passes with the bug: $work/with_bug.log"
fi
grep -q 'FAILED.*MmdiffRepro.Canary' "$work/with_bug.log" ||
  die "canary: the GoogleTest ended otherwise than by failing: $work/with_bug.log"
say "canary: $mutant was found, replayed as $signature, and its GoogleTest fails"
