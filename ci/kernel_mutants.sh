#!/bin/bash
# Puts known bugs into a real kernel, one line each (kernel/mutants.tsv), and hunts each.
#
#   ci/kernel_mutants.sh [NAME...]
#
# A bug is found when a program of the committed corpus, or one of the generated ones after it, diverges
# that does not diverge on the unedited kernel. Prints a table; exit code 1 if one is not found.
#
# Environment: MMDIFF_KERNEL_TREE  sources of Linux 6.12 (default: fetched into the cache of kernels)
#              MMDIFF_KERNEL_WORK  where the edited tree and its build go (default: build/kernel-mutants)
#              MMDIFF_PROGRAMS     generated programs (default: 3000 of 20 operations)
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mmdiff=${MMDIFF:-$root/mmdiff}
work=${MMDIFF_KERNEL_WORK:-$root/build/kernel-mutants}
programs=${MMDIFF_PROGRAMS:-3000}
tree=${MMDIFF_KERNEL_TREE:-}
if [ -z "$tree" ]; then
  "$mmdiff" kernel fetch --debian 6.12 >&2
  tree=$(ls -d "${MMDIFF_KERNELS:-${XDG_CACHE_HOME:-$HOME/.cache}/mmdiff/kernels}"/sources/linux-source-6.12 | head -1)
fi
mkdir -p "$work"

# The edited tree: links to the sources, but for the one file that is edited.
edited=$work/tree
if [ "$(cat "$work/source" 2>/dev/null)" != "$tree" ]; then
  rm -rf "$edited" && mkdir -p "$edited"
  cp -rs "$tree/." "$edited/"
  printf '%s\n' "$tree" >"$work/source"
fi
build() { "$root/kernel/uml/build.sh" --tree "$edited" --out "$work/out" >"$work/log" 2>&1 || { tail -5 "$work/log" >&2; return 1; }; }
restore() { rm -f "$edited/$1" && cp "$tree/$1" "$edited/$1"; }

# diverging PROGRAMS...: those that do not agree, one a line.
diverging() { "$mmdiff" run --impl "reference,linux:$work/out/linux" "$@" 2>/dev/null | sed -n 's/^\([^ ].*\.mmdiff\): .*/\1/p' | sort -u; }
mapfile -t corpus < <(find "$root/corpora/lockstep" -name '*.mmdiff' | LC_ALL=C sort)
rm -rf "$work/generated"
"$mmdiff" gen --seed 1 --count "$programs" --ops 20 --world table=512 --output "$work/generated" >/dev/null
mapfile -t generated < <(find "$work/generated" -name '*.mmdiff' | LC_ALL=C sort)

grep -v '^#' "$root/kernel/mutants.tsv" | cut -f2 | sort -u | while IFS= read -r file; do restore "$file"; done
build
start=$(date +%s%N)
diverging "${corpus[@]}" "${generated[@]}" >"$work/unedited"
printf '%-28s %6s  %s\n' unedited "$(( ($(date +%s%N) - start) / 1000000000 ))s" "$(wc -l <"$work/unedited") of $((${#corpus[@]} + ${#generated[@]})) programs diverge"

missed=0
while IFS=$'\t' read -r name file function old new what; do
  case $name in '' | '#'*) continue ;; esac
  if [ $# -gt 0 ] && ! printf '%s\n' "$@" | grep -qx "$name"; then continue; fi
  restore "$file"
  OLD=$old NEW=$new FUNCTION=$function awk '
    BEGIN { old = ENVIRON["OLD"]; f = ENVIRON["FUNCTION"] }
    !inside && $0 ~ "^[a-z].*[ *]" f "\\(" { inside = 1 }
    inside && !made && (at = index($0, old)) {
      $0 = substr($0, 1, at - 1) ENVIRON["NEW"] substr($0, at + length(old)); made = 1
    }
    { print }
    END { exit !made }' "$tree/$file" >"$edited/$file" || { echo "$name: the line is not there" >&2; missed=1; restore "$file"; continue; }
  if ! build; then echo "$name: does not build" >&2; missed=1; restore "$file"; continue; fi
  start=$(date +%s%N)
  found=$(diverging "${corpus[@]}" | comm -23 - "$work/unedited" | head -1)
  by=corpus
  if [ -z "$found" ]; then
    by=generated
    found=$(diverging "${generated[@]}" | comm -23 - "$work/unedited" | head -1)
  fi
  seconds=$(( ($(date +%s%N) - start) / 1000000 ))
  if [ -n "$found" ]; then
    printf '%-28s %5d.%ds  found: %s, %s\n' "$name" $((seconds / 1000)) $((seconds % 1000 / 100)) "$by" "$(basename "$found" .mmdiff)"
  else
    printf '%-28s %5d.%ds  NOT FOUND: %s\n' "$name" $((seconds / 1000)) $((seconds % 1000 / 100)) "$what"
    missed=1
  fi
  restore "$file"
done <"$root/kernel/mutants.tsv"
exit $missed
