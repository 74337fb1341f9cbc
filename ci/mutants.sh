#!/bin/sh
# Builds the mutants and hunts each; ends with 1 if one survives.
#   ci/mutants.sh SECONDS [ID...]      SECONDS for each; default: all
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
. "$here/start.sh"
usage 1 200 'ci/mutants.sh SECONDS [ID...]' $#
seconds=$1
number "$seconds" "$seconds"
shift
only=
for id in "$@"; do only="$only --only $id"; done
# shellcheck disable=SC2086  # one word each
exec "$root/mmdiff" mutants --time "${seconds}s" $only
