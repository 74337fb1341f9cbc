# The first lines of each script here: finds the tree, loads lib.sh. To be sourced with `here` set.
# shellcheck shell=sh disable=SC2154
root=$(CDPATH='' cd -- "$here/.." && pwd)
build=${MMDIFF_BUILD_DIR:-$root/build}
case $build in /*) ;; *) build=$PWD/$build ;; esac
export MMDIFF_BUILD_DIR="$build" MMDIFF_ROOT="$root"
. "$root/ci/lib.sh"

# usage MIN MAX TEXT COUNT: ends with 2 if COUNT arguments are too few or too many.
usage() {
  if [ "$4" -lt "$1" ] || [ "$4" -gt "$2" ]; then
    printf 'usage: %s\n' "$3" >&2
    exit 2
  fi
}
# number TEXT WHAT: ends with 2 if TEXT is no number.
number() {
  case $1 in
    '' | *[!0-9]*) printf '%s: %s is no number of seconds\n' "$0" "$2" >&2; exit 2 ;;
  esac
}
