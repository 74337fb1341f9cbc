#!/bin/sh
# Runs a command if its lane is among those that are tested, else says 77 (skipped).  ci/if_lane.sh LANE COMMAND...
set -eu
lane=$1
shift
case " ${MMDIFF_TEST_LANES:-fuzz asan ubsan tsan afl} " in
  *" $lane "*) exec "$@" ;;
esac
echo "lane $lane is left out by MMDIFF_TEST_LANES"
exit 77
