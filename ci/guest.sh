#!/bin/bash
# A kernel as Debian ships it in continuous integration: the default image, booted in virtual machines.
#
#   ci/guest.sh [PROGRAMS]      generated programs besides the committed ones (default 1000)
#
# Gets QEMU and the image (the cache of kernels keeps it) and runs the committed programs and generated ones against
# the reference; any divergence fails. Where the same version is built as a process too (ci/kernel.sh does it), both run
# what real kernels have taught, side by side. That a bug in a guest is found is ci/guest_red.sh's to show. Exit codes:
# 0 passed, 1 not, 77 skipped, since QEMU or the image cannot be had (fails if CI=true).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mmdiff=${MMDIFF:-$root/mmdiff}
programs=${1:-1000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
. "$root/ci/guest_image.sh"

get_guest "$work"

# check NAME IMPLEMENTATIONS ARGUMENT...
check() {
  local name=$1 impl=$2 code=0
  shift 2
  "$mmdiff" run --impl "$impl" "$@" >"$work/out" 2>"$work/err" || code=$?
  if [ "$code" = 0 ]; then
    echo "$name: $(tail -1 "$work/out")"
    return
  fi
  if [ "$code" = 1 ]; then
    echo "$name: $impl do not agree:" >&2
  else
    echo "$name: mmdiff run --impl $impl ended with $code:" >&2
  fi
  head -30 "$work/out" >&2
  tail -20 "$work/err" >&2
  exit 1
}
check committed reference,guest "$root/corpora/lockstep" "$root/crashes/kernel"
# The guest's own world: nothing is carried over, so this is also what it does best.
"$mmdiff" gen --seed 1 --count "$programs" --ops 20 --world 'table=512 batch=31 tlb=0' --output "$work/generated" >/dev/null
check generated reference,guest --fast "$work/generated"

# A kernel that is not there, or that mmdiff has changed since, would take minutes to build.
if ! "$mmdiff" kernel list | awk -v v="$guest_version" '$1 == "6.12" && $2 == v { found = 1 } END { exit !found }'; then
  echo "both kernels: left out, Linux $guest_version is not built as a process here"
elif MMDIFF_NO_BUILD=1 "$mmdiff" run --impl reference,linux:6.12 "$root/crashes/kernel" >"$work/out" 2>&1 || true
  grep 'is out of date' "$work/out"; then
  echo "both kernels: left out, ./mmdiff kernel build --debian 6.12 makes it anew"
else
  check 'both kernels' reference,linux:6.12,guest "$root/corpora/lockstep/seeds/kernel" "$root/crashes/kernel"
fi
