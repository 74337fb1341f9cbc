#!/bin/bash
# Builds a kernel worker from a Linux source tree: User Mode Linux with mmdiff's executor inside.
#
#   kernel/uml/build.sh --tree DIR --out DIR [--kasan] [--no-debug-vm] [--coverage]
#                       [--config FRAGMENT]... [--jobs N]
#
# The tree is only read. OUT/tree is a farm of symbolic links to it with our files on top, OUT/build
# the objects; a second call compiles what has changed. Leaves OUT/linux, the worker, and OUT/release.
# The log is OUT/build.log. Exit codes: 0 built, 1 not.
set -euo pipefail

here=$(cd "$(dirname "$(readlink -f "$0")")" && pwd)
root=$(cd "$here/../.." && pwd)
tree= out= kasan=0 debug_vm=1 coverage=0 fragments=() jobs=$(nproc)

die() { printf 'kernel build: %s\n' "$*" >&2; exit 1; }
while [ $# -gt 0 ]; do
  case $1 in
    --tree) tree=${2:?}; shift ;;
    --out) out=${2:?}; shift ;;
    --config) fragments+=("$(readlink -f "${2:?}")"); shift ;;
    --jobs) jobs=${2:?}; shift ;;
    --kasan) kasan=1 ;;
    --no-debug-vm) debug_vm=0 ;;
    --coverage) coverage=1 ;;
    *) die "unknown option '$1'" ;;
  esac
  shift
done
[ -n "$tree" ] && [ -n "$out" ] || die "--tree DIR and --out DIR are needed"
[ -f "$tree/mm/memory.c" ] && [ -f "$tree/arch/um/Kconfig" ] || die "$tree is no Linux source tree"
tree=$(cd "$tree" && pwd)
version=$(sed -n 's/^VERSION = //p' "$tree/Makefile").$(sed -n 's/^PATCHLEVEL = //p' "$tree/Makefile")
case $version in
  6.12 | 7.2 | 7.3) ;;
  *) die "Linux $version is not supported: kernel/uml/ knows 6.12, 7.2 and 7.3" ;;
esac
mkdir -p "$out/tree" "$out/build"
out=$(cd "$out" && pwd)
log=$out/build.log
: >"$log"

# --- the farm: links to the tree's sources, ours in place of some -----------------------------------------
parts=$(cd "$tree" && ls -d -- Kbuild Kconfig Makefile COPYING LICENSES Documentation/Kconfig arch block certs \
  crypto drivers fs include init io_uring ipc kernel lib mm net rust samples scripts security sound usr virt \
  tools/arch tools/build tools/include tools/lib tools/objtool tools/scripts 2>/dev/null)
if [ "$(cat "$out/source" 2>/dev/null)" != "$tree" ]; then
  rm -rf "$out/tree"
  printf '%s\n' "$tree" >"$out/source"
fi
mkdir -p "$out/tree/tools" "$out/tree/Documentation"
for part in $parts; do
  mkdir -p "$out/tree/$(dirname "$part")"
  cp -rsn -- "$tree/$part" "$out/tree/$(dirname "$part")/" 2>>"$log" || die "cannot link $tree/$part; see $log"
done
# What a build inside the tree may have left, and what the tree has lost since.
rm -rf "$out/tree/include/config" "$out/tree/include/generated" "$out"/tree/arch/*/include/generated
find "$out/tree" -xtype l -delete

# put FILE NAME: FILE becomes NAME in the farm; the tree's own stays beside it as x.tree.ext.
put() {
  local to=$out/tree/$2 base=${2%.*} ext=
  case ${2##*/} in *.*) ext=.${2##*.} ;; *) base=$2 ;; esac
  mkdir -p "$(dirname "$to")"
  if [ -f "$tree/$2" ]; then ln -sfn "$tree/$2" "$out/tree/$base.tree$ext"; fi
  if [ -L "$to" ] || ! cmp -s "$1" "$to"; then
    rm -f "$to"
    cp "$1" "$to"
  fi
}
while IFS= read -r file; do put "$here/overlay/$file" "$file"; done < <(cd "$here/overlay" && find . -type f -printf '%P\n' | LC_ALL=C sort)
for file in "$root"/kernel/executor/*.[ch]; do put "$file" "arch/um/mmdiff/${file##*/}"; done
put "$root/kernel/executor/windows.h" mmdiff/windows.h
put "$root/kernel/wire.h" mmdiff/wire.h
for def in ops arg_kinds world; do put "$root/program/$def.def" "mmdiff/program/$def.def"; done
put "$root/harness/choices.def" mmdiff/harness/choices.def

# --- configuration ----------------------------------------------------------------------------------------
cc=gcc
[ $coverage = 0 ] || cc=clang-19
if command -v ccache >/dev/null; then cc="ccache $cc"; fi
make_kernel() { make -C "$out/tree" ARCH=um O="$out/build" CC="$cc" "$@"; }
wanted=$out/config.wanted
{
  cat "$here/config/base"
  [ $debug_vm = 0 ] || cat "$here/config/debug_vm"
  [ $kasan = 0 ] || cat "$here/config/kasan"
  if [ ${#fragments[@]} -gt 0 ]; then cat "${fragments[@]}"; fi
} >"$wanted.new"
if ! cmp -s "$wanted.new" "$wanted" || [ ! -f "$out/build/.config" ]; then
  cp "$wanted.new" "$out/build/allno.config"
  make_kernel KCONFIG_ALLCONFIG="$out/build/allno.config" allnoconfig >>"$log" 2>&1 || die "configuration failed; see $log"
  mv "$wanted.new" "$wanted"
fi
rm -f "$wanted.new"
missing=$(grep '=y$' "$wanted" | while IFS= read -r line; do grep -qx "$line" "$out/build/.config" || printf '%s ' "$line"; done)
[ -z "$missing" ] || printf 'kernel build: this tree does not take %s\n' "$missing" >>"$log"

# --- objects ----------------------------------------------------------------------------------------------
cover=()
[ $coverage = 0 ] || cover=("CFLAGS_MMDIFF=-fsanitize-coverage=inline-8bit-counters,pc-table -gline-tables-only")
if ! make_kernel -k -j"$jobs" "${cover[@]}" linux >>"$log" 2>&1; then
  grep -E 'error:|Error |undefined reference' "$log" | head -20 >&2
  die "the build failed; the whole log is $log"
fi
cp -f "$out/build/linux" "$out/linux.new" && mv "$out/linux.new" "$out/linux"
make_kernel -s kernelrelease 2>/dev/null | tail -1 >"$out/release"
