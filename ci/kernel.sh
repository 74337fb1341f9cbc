#!/bin/bash
# A real kernel in continuous integration: Debian 12's Linux 6.12, in process.
#
#   ci/kernel.sh [PROGRAMS]     generated programs besides the committed ones (default 50000)
#
# Builds it once (the cache of kernels keeps it) and runs the committed programs and generated ones against
# the reference; any divergence fails, and an expectation that does not hold must be seen. That bugs of a
# kernel are found is ci/kernel_mutants.sh's to show. Exit codes: 0 passed, 1 not, 77 skipped, since the sources cannot be had (fails if CI=true).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mmdiff=${MMDIFF:-$root/mmdiff}
programs=${1:-50000}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! "$mmdiff" kernel build --debian 6.12 >"$work/build" 2>&1; then
  tail -5 "$work/build" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  echo "skipped: Linux 6.12 cannot be built here" >&2
  exit 77
fi

check() {
  local name=$1
  shift
  if ! "$mmdiff" run --impl reference,linux "$@" >"$work/out" 2>"$work/err"; then
    echo "$name: the reference and Linux 6.12 do not agree:" >&2
    head -30 "$work/out" >&2
    tail -5 "$work/err" >&2
    exit 1
  fi
  tail -1 "$work/out"
}
check corpus "$root/corpora/lockstep"
"$mmdiff" gen --seed 1 --count "$programs" --ops 20 --world table=512 --output "$work/generated" >/dev/null
check generated --fast "$work/generated"

printf '# mmdiff 1\nworld table=512 orders=0\nm0 = mm\nmap m0 0x0 1 rw\nwrite m0 0x0 1 # => EFAULT\n' >"$work/red.mmdiff"
if "$mmdiff" run --impl reference,linux "$work/red.mmdiff" >/dev/null 2>&1; then
  echo "a wrong expectation was not seen" >&2
  exit 1
fi
