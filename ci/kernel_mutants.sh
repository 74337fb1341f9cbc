#!/bin/bash
# Puts bugs into a real kernel, one line each (kernel/mutants.tsv), and hunts each as a user would.
#
#   ci/kernel_mutants.sh [NAME...]      default: all
#
# Each edit is built (`mmdiff kernel build --tree`: what includes the line, and the link) and hunted in up to three ways:
# with the committed programs, with generated ones alone until the first that diverges, and by fuzzing from the
# committed corpus. The unedited kernel goes first, through the whole of all three; if anything diverges there,
# that is the failure, since nothing found afterwards would be the edit's. Prints a table: in `corpus` how many
# programs diverge, in `generated` and `fuzz` when the first does. Times of `corpus` and `generated` are seconds
# of CPU, of mmdiff and the kernel together; those of `fuzz` are seconds of time, with one process.
#
# Exit codes: 0 each was found, 1 not, 77 skipped, since the sources cannot be had (fails if CI=true).
#
# Environment: MMDIFF_KERNEL_TREE  sources of Linux 6.12 (default: fetched into the cache of kernels)
#              MMDIFF_KERNEL_WORK  where the edited tree and its build go (default: build/kernel-mutants)
#              MMDIFF_PROGRAMS     generated programs (default 20000, of 20 operations; 0: none)
#              MMDIFF_SECONDS      of fuzzing at most, each (default 0: none, since the unedited kernel does not
#                                  stay clean for a minute of it yet: docs/kernel-conformance.md)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
. "$root/ci/edit_line.sh"
mmdiff=${MMDIFF:-$root/mmdiff}
work=${MMDIFF_KERNEL_WORK:-${MMDIFF_BUILD_DIR:-$root/build}/kernel-mutants}
programs=${MMDIFF_PROGRAMS:-20000}
seconds=${MMDIFF_SECONDS:-0}
tree=${MMDIFF_KERNEL_TREE:-}
corpus=$root/corpora/lockstep
batch=500
die() { printf 'kernel_mutants: %s\n' "$*" >&2; exit 1; }

for name in "$@"; do
  cut -f1 "$root/kernel/mutants.tsv" | grep -x -- "$name" >/dev/null || die "kernel/mutants.tsv has no $name"
done
if [ -z "$tree" ]; then
  if ! tree=$("$mmdiff" kernel fetch --debian 6.12); then
    if [ "${CI:-}" = true ]; then exit 1; fi
    echo "skipped: the sources of Linux 6.12 cannot be had here" >&2
    exit 77
  fi
fi
tree=$(cd "$tree" && pwd)
mkdir -p "$work"
work=$(cd "$work" && pwd)
# What ccache knows of other kernels holds for this one, though it lies elsewhere.
export MMDIFF_KERNELS=$work/kernels CCACHE_BASEDIR=$work CCACHE_NOHASHDIR=1

# The edited tree: links to the sources, but for the files that are edited.
edited=$work/linux
if [ "$(cat "$work/source" 2>/dev/null)" != "$tree" ]; then
  rm -rf "$edited"
  mkdir -p "$edited"
  cp -rs "$tree/." "$edited/"
  printf '%s\n' "$tree" >"$work/source"
fi
# restore FILE: as it was, but with the time of now, since make goes by time.
restore() { rm -f "$edited/$1" && cp "$tree/$1" "$edited/$1"; }
# edit FILE FUNCTION OLD NEW: see edit_line.sh.
edit() {
  rm -f "$edited/$1"
  edit_line "$tree/$1" "$2" "$3" "$4" >"$edited/$1"
}
build() { "$mmdiff" kernel build --tree "$edited" >"$work/build" 2>&1; }
# run PROGRAM|DIR...: leaves the programs that do not agree and their signatures in $work/found, by name,
# and the seconds of CPU in $spent.
run() {
  local TIMEFORMAT='%U %S' code=0
  { time "$mmdiff" run --jobs 1 --impl "reference,linux:$edited" "$@" >"$work/out" 2>"$work/err"; } 2>"$work/time" || code=$?
  if [ "$code" -gt 1 ]; then
    cat "$work/err" >&2
    die "mmdiff run ended with $code"
  fi
  spent=$(awk '{ printf "%.1f", $1 + $2 }' "$work/time")
  awk '/^[^ ].*\.mmdiff: / { if (name != "") print name "\t" last; name = $0; sub(/\.mmdiff: .*/, ".mmdiff", name) }
       /^  / { last = $1 }
       END { if (name != "") print name "\t" last }' "$work/out" | LC_ALL=C sort >"$work/found"
}
# kind: of the first finding, the relation and the operation that its signature names.
kind() { head -1 "$work/found" | cut -f2 | cut -d- -f1,2; }
row() { printf '%-30s %6s  %-18s %-22s %-12s %s\n' "$@"; }

# hunt: all three; leaves what the table says of them in $by_corpus, $by_generated, $by_fuzzing, and what was
# seen first in $seen, which is empty if nothing was.
hunt() {
  local total=0 i=0 place first code=0
  run "$corpus"
  by_corpus="$(wc -l <"$work/found") of $of_corpus, $spent s" seen=$(kind)
  by_generated=-
  for place in "$work"/generated/*; do
    [ -d "$place" ] || continue
    run "$place"
    total=$(awk -v a="$total" -v b="$spent" 'BEGIN { printf "%.1f", a + b }')
    by_generated="none, $total s"
    if [ -s "$work/found" ]; then
      first=$(basename "$(head -1 "$work/found" | cut -f1)" .mmdiff)
      by_generated="no. $((i * batch + 10#${first##*-} + 1)), $total s"
      seen=${seen:-$(kind)}
      break
    fi
    i=$((i + 1))
  done
  by_fuzzing=-
  [ "$seconds" != 0 ] || return 0
  rm -rf "$work/crashes" "$work/fuzzing"
  # Without the kernel's coverage: that would be a second kernel to build for each edit.
  MMDIFF_NO_BUILD=1 "$mmdiff" fuzz --impl "reference,linux:$edited" --seed 1 --jobs 1 --time "${seconds}s" --stop-on-first \
    --minimise-time 1s --corpus "$root/corpora" --findings "$work/crashes" --work "$work/fuzzing" --json >"$work/fuzz" \
    2>"$work/err" || code=$?
  if [ "$code" -gt 1 ]; then
    cat "$work/err" >&2
    die "mmdiff fuzz ended with $code"
  fi
  # The first "seconds" is the campaign's, the second the first finding's.
  awk '/"signature":/ && !s { gsub(/[ ",]|"signature":/, ""); s = $0 } /"seconds":/ && ++n <= 2 { gsub(/[^0-9.]/, ""); t = $0 }
       END { printf "%.1f\t%s\n", t, s }' "$work/fuzz" >"$work/found"
  by_fuzzing="$(cut -f1 "$work/found") s"
  if [ "$code" = 0 ]; then
    by_fuzzing="none, $by_fuzzing"
  else
    seen=${seen:-$(kind)}
  fi
}

of_corpus=$(find "$corpus" -name '*.mmdiff' | wc -l)
rm -rf "$work/generated"
for ((i = 1; i * batch <= programs; ++i)); do
  "$mmdiff" gen --seed "$i" --count "$batch" --ops 20 --world table=512 \
    --output "$work/generated/$(printf '%04d' "$i")" >/dev/null
done

grep -v '^#' "$root/kernel/mutants.tsv" | cut -f2 | sort -u | while IFS= read -r file; do
  cmp -s "$tree/$file" "$edited/$file" || restore "$file" # what an interrupted run has left
done
build || { cat "$work/build" >&2; die "the unedited kernel does not build"; }
row mutant build corpus generated fuzz 'first seen as'
hunt
row unedited '' "$by_corpus" "$by_generated" "$by_fuzzing" "${seen:--}"
if [ -n "$seen" ]; then
  cat "$work/found" >&2
  die "the unedited kernel diverges"
fi

missed=0
while IFS=$'\t' read -r name file function old new what _; do
  case $name in '' | '#'*) continue ;; esac
  case " $* " in '  ' | *" $name "*) ;; *) continue ;; esac
  start=$SECONDS
  if ! edit "$file" "$function" "$old" "$new"; then
    echo "$name: $function in $file has no such line" >&2
    missed=1
  elif ! build; then
    echo "$name: does not build" >&2
    tail -5 "$work/build" >&2
    missed=1
  else
    built=$((SECONDS - start))
    hunt
    row "$name" "$built s" "$by_corpus" "$by_generated" "$by_fuzzing" "${seen:-NOT FOUND: $what}"
    if [ -z "$seen" ]; then missed=1; fi
  fi
  restore "$file"
done <"$root/kernel/mutants.tsv"
exit $missed
