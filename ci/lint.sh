#!/bin/sh
# Format and static checks.
#   ci/lint.sh SECONDS [FILE...]
# The format of every C++ file is always checked. clang-tidy runs over the files given, else over those that
# differ from the last commit, else over all, until SECONDS are spent; it says how many it did.
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
. "$here/start.sh"
usage 1 10000 'ci/lint.sh SECONDS [FILE...]' $#
seconds=$1
number "$seconds" "$seconds"
shift
need build test
cd "$root"
# What runs inside a kernel or a guest is C, in the kernel's style.
sources() {
  find program state harness reference model kernel minimize targets cli bench \
    \( -path kernel/uml -o -path kernel/executor -o -path kernel/guest/module -o -path kernel/guest/init \
       -o -path kernel/wire.h \) -prune -o \( -name '*.cc' -o -name '*.h' \) -print
}
sources | sort | xargs clang-format-14 --dry-run -Werror

make release program/CMakeFiles/mmdiff_program.dir/program.cc.o
if [ $# -eq 0 ]; then
  changed=$(git diff --name-only --diff-filter=d HEAD -- '*.cc' 2>/dev/null || true)
  # shellcheck disable=SC2046,SC2086  # file names of this tree have no spaces
  if [ -n "$changed" ]; then set -- $changed; else set -- $(sources | grep '\.cc$' | grep -v '_test\.cc$' | sort); fi
fi
end=$(($(date +%s) + seconds))
jobs=$(nproc)
total=$#
done_files=0
while [ $# -gt 0 ] && { [ "$(date +%s)" -lt "$end" ] || [ "$done_files" = 0 ]; }; do
  batch=
  n=0
  while [ $# -gt 0 ] && [ "$n" -lt "$jobs" ]; do
    batch="$batch $1"
    shift
    n=$((n + 1))
  done
  # shellcheck disable=SC2086
  printf '%s\n' $batch | xargs -P "$jobs" -n 1 clang-tidy-14 -p "$build/release" --quiet \
    --extra-arg=-Wno-unknown-warning-option 2>"$build/tidy.log" ||
    { grep -v 'warnings generated' "$build/tidy.log" >&2 || true; die "clang-tidy has something to say"; }
  done_files=$((done_files + n))
done
say "the format is right; clang-tidy found nothing in $done_files of $total files"
