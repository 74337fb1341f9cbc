# The default guest for the scripts here. To be sourced, with `mmdiff` set.
# shellcheck shell=bash disable=SC2034,SC2154

# get_guest WORK: gets QEMU and the default image; sets guest_version and guest_directory. If they cannot be had, says
# why, and ends with 77, or with 1 if CI=true.
get_guest() {
  if "$mmdiff" guest fetch default >"$1/fetched" 2>"$1/fetch.log"; then
    guest_version=$(sed 's/ .*//' "$1/fetched")
    guest_directory=$(sed 's/^[^:]*: //' "$1/fetched")
    if [ -n "${MMDIFF_QEMU:-}" ] || command -v qemu-system-x86_64 >/dev/null; then return 0; fi
    echo "there is no qemu-system-x86_64" >>"$1/fetch.log"
  fi
  tail -5 "$1/fetch.log" >&2
  if [ "${CI:-}" = true ]; then exit 1; fi
  echo "skipped: QEMU or the default kernel image cannot be had here" >&2
  exit 77
}
