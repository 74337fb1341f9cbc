#!/bin/sh
# Installs a build tree into an empty place and uses what is there.   ci/install_test.sh BUILD_TREE
set -eu
[ $# = 1 ] || { echo "usage: $0 BUILD_TREE" >&2; exit 2; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
unset MMDIFF_ROOT MMDIFF_BUILD_DIR || true

cmake --install "$1" --prefix "$place" >"$place/log" 2>&1 || { cat "$place/log" >&2; fail "cmake --install"; }
[ -x "$place/bin/mmdiff" ] || fail "no bin/mmdiff"
[ -d "$place/share/mmdiff/corpora" ] || fail "no corpora"
for part in kernel/guest/init/init.c kernel/guest/module/Kbuild kernel/executor/executor.h kernel/wire.h program/ops.def \
            harness/choices.def; do
  [ -s "$place/share/mmdiff/$part" ] || fail "no $part, of which guests are made"
done
[ -x "$place/share/mmdiff/kernel/guest/module/build.sh" ] || fail "the build of a guest's module cannot be run"
[ -s "$place/share/bash-completion/completions/mmdiff" ] || fail "no bash completion"
[ -s "$place/share/zsh/site-functions/_mmdiff" ] || fail "no zsh completion"
[ -s "$place/share/fish/vendor_completions.d/mmdiff.fish" ] || fail "no fish completion"
[ -s "$place/share/doc/mmdiff/machine.md" ] || fail "no documentation"

cd "$place"
printf '# mmdiff 1\nworld\nm0 = mm\nmap m0 0x10 8 rw\nwrite m0 0x10 8 # => ok 8\n' >a.mmdiff
bin/mmdiff run a.mmdiff share/mmdiff/corpora >out || { cat out >&2; fail "the installed program does not run the installed corpora"; }
bin/mmdiff corpus stats >out || fail "the installed program does not find its corpora"
bin/mmdiff list ops >out || fail "list"
status=0
bin/mmdiff fuzz --time 1s >out 2>&1 || status=$?
if [ -x bin/mmdiff-fuzz ]; then
  [ "$status" -le 1 ] || { cat out >&2; fail "fuzz ended with $status"; }
else
  [ "$status" = 3 ] || fail "fuzz without its target ended with $status"
  grep -q 'is not built' out || fail "fuzz without its target does not say so: $(cat out)"
fi
status=0
bin/mmdiff test >out 2>&1 || status=$?
[ "$status" = 3 ] || fail "test of an installed program ended with $status"
echo "the installed tree works"
