#!/bin/sh
# Replays the corpora with their expectations and every repro under crashes/: all must agree.
#   ci/replay.sh [DIR...]      default: corpora and crashes
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
. "$here/start.sh"
[ $# -gt 0 ] || set -- "$root/corpora" "$root/crashes"
need build
make release mmdiff
exec "$build/release/cli/mmdiff" run "$@"
