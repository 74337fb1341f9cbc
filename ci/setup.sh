#!/bin/sh
# Installs everything that the build, the fuzzers and the tests need, and says what this machine has.
#   ci/setup.sh [--check]      --check: install nothing, only say what is missing
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
. "$here/start.sh"
usage 0 1 'ci/setup.sh [--check]' $#
case ${1:-} in
  '') need build fuzz test kernel guest ;;
  --check)
    lacking=$(missing build fuzz test kernel guest | tr '\n' ' ')
    [ -z "$lacking" ] || { say "missing: $lacking"; exit 3; }
    ;;
  *) usage 0 -1 'ci/setup.sh [--check]' 0 ;;
esac
say "every package of ci/packages.txt is there"
