#!/bin/bash
# Puts bugs into a guest, one line each (kernel/guest/mutants.tsv): ci/guest.sh can turn red.
#
#   ci/guest_red.sh [NAME...]      default: all
#
# Each is an edit of the module's hooks, so that the kernel, which is Debian's and stays as it is, does something
# wrong where it calls the function that is hooked. The committed program that is named with it must agree without the
# edit and diverge with it. Exit codes: 0 each was found, 1 not, 77 skipped as ci/guest.sh.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mmdiff=${MMDIFF:-$root/mmdiff}
seeds=$root/corpora/lockstep/seeds
table=$root/kernel/guest/mutants.tsv
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$root/ci/edit_line.sh"
. "$root/ci/guest_image.sh"
die() { printf 'guest_red: %s\n' "$*" >&2; exit 1; }

for name in "$@"; do
  cut -f1 "$table" | grep -x -- "$name" >/dev/null || die "kernel/guest/mutants.tsv has no $name"
done
get_guest "$work"
headers=$guest_directory/headers/build

# What build.sh reads, to be edited.
for part in kernel/executor kernel/guest/module kernel/wire.h program harness/choices.def; do
  mkdir -p "$work/tree/$(dirname "$part")"
  cp -r "$root/$part" "$work/tree/$part"
done
build() {
  "$work/tree/kernel/guest/module/build.sh" "$headers" "$work/built" >"$work/build" 2>&1 || return 1
  strip --strip-debug -o "$work/mmdiff.ko" "$work/built/mmdiff.ko"
}
# run SEED...: the exit code of mmdiff.
run() {
  local code=0
  "$mmdiff" run --jobs 1 --impl "reference,guest:$guest_version,module=$work/mmdiff.ko" "${@/#/$seeds/}" >"$work/out" 2>"$work/err" ||
    code=$?
  if [ "$code" -gt 1 ]; then
    cat "$work/err" >&2
    die "mmdiff run ended with $code"
  fi
  return "$code"
}

build || { cat "$work/build" >&2; die "the unedited module does not build"; }
mapfile -t all < <(grep -v '^#' "$table" | cut -f6 | sort -u)
run "${all[@]}" || { cat "$work/out" >&2; die "programs diverge without any edit"; }

missed=0
while IFS=$'\t' read -r name file function old new program what; do
  case $name in '' | '#'*) continue ;; esac
  case " $* " in '  ' | *" $name "*) ;; *) continue ;; esac
  start=$SECONDS
  if ! edit_line "$root/$file" "$function" "$old" "$new" >"$work/tree/$file"; then
    echo "$name: $function in $file has no such line" >&2
    missed=1
  elif ! build; then
    echo "$name: does not build" >&2
    tail -5 "$work/build" >&2
    missed=1
  elif run "$program"; then
    echo "$name: NOT FOUND: $what" >&2
    missed=1
  else
    printf '%-24s %3s s  %s\n' "$name" $((SECONDS - start)) "$(awk '/^  / { print $1; exit }' "$work/out")"
  fi
  cp "$root/$file" "$work/tree/$file"
done <"$table"
exit $missed
