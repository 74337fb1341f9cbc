#!/bin/bash
# Builds mmdiff's module for a prebuilt kernel from the headers that belong to it.
#
#   kernel/guest/module/build.sh HEADERS OUT
#
# HEADERS is what /lib/modules/RELEASE/build is on a machine that runs the kernel. Leaves OUT/mmdiff.ko, whose undefined
# symbols are those that the kernel does not offer to modules: the guest's init puts their addresses in. The log is
# OUT/build.log. Exit codes: 0 built, 1 not.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$(cd "$here/../../.." && pwd)
die() { printf 'module build: %s\n' "$*" >&2; exit 1; }
[ $# = 2 ] || die "usage: $0 HEADERS OUT"
[ -f "$1/Makefile" ] || die "$1 holds no kernel headers"
headers=$(cd "$1" && pwd)
mkdir -p "$2/src/program" "$2/src/harness"
out=$(cd "$2" && pwd)
log=$out/build.log

# Only what differs is written: make goes by the times of files.
put() { cmp -s "$1" "$2" || cp "$1" "$2"; }
for file in "$root"/kernel/executor/*.[ch] "$here"/*.[ch] "$here/Kbuild" "$root/kernel/wire.h"; do
  put "$file" "$out/src/${file##*/}"
done
for def in ops arg_kinds world; do put "$root/program/$def.def" "$out/src/program/$def.def"; done
put "$root/harness/choices.def" "$out/src/harness/choices.def"

if ! make -C "$headers" M="$out/src" KBUILD_MODPOST_WARN=1 -j"$(nproc)" modules >"$log" 2>&1; then
  grep -E 'error:|Error |No such file' "$log" | head -20 >&2
  die "the build failed; the whole log is $log"
fi
cp -f "$out/src/mmdiff.ko" "$out/mmdiff.ko.new" && mv "$out/mmdiff.ko.new" "$out/mmdiff.ko"
