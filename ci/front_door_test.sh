#!/bin/sh
# Tests of ./mmdiff itself, in a copy of the tree's front with stand-ins for apt-get, cmake and ninja.
set -eu
here=$(dirname -- "$(readlink -f -- "$0")")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
expect() { case $2 in *"$1"*) ;; *) fail "expected '$1' in: $2" ;; esac; }

mkdir -p "$tree/root/ci" "$tree/bin" "$tree/elsewhere"
cp "$here/../mmdiff" "$tree/root/"
cp "$here/lib.sh" "$tree/root/ci/"
sign=$tree/installed-thing
printf 'build some-package %s what it is for\nfuzz other-package %s more\nkernel kernel-package %s more\nkernel-coverage coverage-package %s more\nguest guest-package %s more\n' \
  "$sign" "$sign.2" "$sign.3" "$sign.4" "$sign.5" >"$tree/root/ci/packages.txt"

# The stand-ins: apt-get makes the file that shows the package, cmake a build.ninja, ninja the program.
cat >"$tree/bin/apt-get" <<STUB
#!/bin/sh
echo "apt-get \$*" >>"$tree/log"
[ -z "\${FAIL_APT:-}" ] || { echo "no network"; exit 100; }
case " \$* " in *' some-package '*) touch "$sign" ;; esac
case " \$* " in *' other-package '*) touch "$sign.2" ;; esac
case " \$* " in *' kernel-package '*) touch "$sign.3" ;; esac
case " \$* " in *' coverage-package '*) touch "$sign.4" ;; esac
case " \$* " in *' guest-package '*) touch "$sign.5" ;; esac
STUB
cat >"$tree/bin/cmake" <<STUB
#!/bin/sh
echo "cmake \$*" >>"$tree/log"
while [ \$# -gt 1 ]; do [ "\$1" != -B ] || touch "\$2/build.ninja"; shift; done
touch "\$1/build.ninja" 2>/dev/null || true
STUB
cat >"$tree/bin/ninja" <<STUB
#!/bin/sh
echo "ninja \$*" >>"$tree/log"
[ -z "\${FAIL_NINJA:-}" ] || { echo '[1/2] compiling'; echo 'error: no such thing'; exit 1; }
mkdir -p "\$2/cli"
printf '#!/bin/sh\necho "ran \$*; root \$MMDIFF_ROOT"\nexit 4\n' >"\$2/cli/mmdiff"
chmod +x "\$2/cli/mmdiff"
STUB
printf '#!/bin/sh\necho ${FAKE_UID:-0}\n' >"$tree/bin/id"
chmod +x "$tree"/bin/*
PATH=$tree/bin:$PATH
export PATH
unset MMDIFF_BUILD_DIR MMDIFF_ROOT MMDIFF_NO_INSTALL MMDIFF_NO_BUILD MMDIFF_BUILD_JOBS || true

# Not allowed to install: the message holds the exact command.
out=$(MMDIFF_NO_INSTALL=1 "$tree/root/mmdiff" list 2>&1) && fail "ran without its package"
expect 'apt-get install -y --no-install-recommends some-package' "$out"
[ ! -e "$tree/log" ] || fail "something ran although installing was forbidden: $(cat "$tree/log")"
out=$(FAKE_UID=1000 PATH=$tree/bin:/bin sh -c 'command -v sudo >/dev/null && exit 9; "$0" list' "$tree/root/mmdiff" 2>&1) && fail "installed without the right to"
expect 'install -y --no-install-recommends some-package' "$out"

# An installation that fails.
out=$(FAIL_APT=1 "$tree/root/mmdiff" list 2>&1) && fail "went on after a failed installation"
expect 'no network' "$out"
expect 'the installation failed' "$out"

# The whole way, from another directory and through a link: installs, configures, builds, runs, exit code kept.
: >"$tree/log"
ln -s "$tree/root/mmdiff" "$tree/elsewhere/link"
status=0
out=$(cd "$tree/elsewhere" && ./link list 'two words' --json 2>&1) || status=$?
[ "$status" = 4 ] || fail "exit code $status instead of the program's"
expect "ran list two words --json; root $tree/root" "$out"
expect 'some-package' "$(cat "$tree/log")"
expect '--preset release' "$(cat "$tree/log")"
case $(cat "$tree/log") in *other-package*) fail "list installed what only fuzz needs" ;; esac

# The second time nothing is installed or configured.
: >"$tree/log"
"$tree/root/mmdiff" list >/dev/null 2>&1 || true
case $(cat "$tree/log") in *apt-get* | *cmake*) fail "did it again: $(cat "$tree/log")" ;; esac

# fuzz needs more, and builds the target too.
: >"$tree/log"
"$tree/root/mmdiff" fuzz >/dev/null 2>&1 || true
expect 'other-package' "$(cat "$tree/log")"
expect '--preset fuzz' "$(cat "$tree/log")"
expect 'mmdiff-fuzz' "$(cat "$tree/log")"

# Only what may build a kernel needs what kernels are built with.
for words in 'kernel list' 'kernel build --help' 'run linux.mmdiff --impl reference,model' 'fuzz --impl reference,model' \
             'run --name linux a.mmdiff' 'kernel --help'; do
  # shellcheck disable=SC2086
  "$tree/root/mmdiff" $words >/dev/null 2>&1 || true
  [ ! -e "$sign.3" ] || fail "$words installed what kernels need"
done
for words in 'kernel build' 'kernel --json fetch' 'run a --impl reference,linux' 'explain --impl linux a' \
             'corpus --impl reference,linux:/x stats'; do
  rm -f "$sign.3"
  # shellcheck disable=SC2086
  "$tree/root/mmdiff" $words >/dev/null 2>&1 || true
  [ -e "$sign.3" ] || fail "$words did not install what kernels need"
  [ ! -e "$sign.4" ] || fail "$words installed what only coverage needs"
done
for words in 'kernel build --coverage' 'kernel coverage a.mmdiff' 'fuzz --impl=linux:7.2,reference'; do
  rm -f "$sign.4"
  # shellcheck disable=SC2086
  "$tree/root/mmdiff" $words >/dev/null 2>&1 || true
  [ -e "$sign.4" ] || fail "$words did not install what coverage needs"
done
# Coverage is no condition.
rm -f "$sign.4"
out=$(FAIL_APT=1 "$tree/root/mmdiff" fuzz --impl reference,linux 2>&1) || true
expect 'going on without coverage of the kernel' "$out"
expect 'ran fuzz --impl reference,linux' "$out"
# The kernel's packages and those of fuzz come in one go.
rm -f "$sign.2" "$sign.3" "$sign.4"
: >"$tree/log"
"$tree/root/mmdiff" fuzz --impl reference,linux >/dev/null 2>&1 || true
[ "$(grep -c ' install ' "$tree/log")" = 1 ] || fail "more than one installation: $(cat "$tree/log")"

# Only what may boot a guest needs what guests are booted with.
for words in 'guest list' 'guest fetch --help' 'run guest.mmdiff' 'run a --impl reference,linux'; do
  # shellcheck disable=SC2086
  "$tree/root/mmdiff" $words >/dev/null 2>&1 || true
  [ ! -e "$sign.5" ] || fail "$words installed what guests need"
done
for words in 'guest fetch 6.12' 'run a --impl reference,guest' 'run --impl=guest:6.1,linux a'; do
  rm -f "$sign.3" "$sign.5"
  # shellcheck disable=SC2086
  "$tree/root/mmdiff" $words >/dev/null 2>&1 || true
  [ -e "$sign.5" ] || fail "$words did not install what guests need"
done
[ -e "$sign.3" ] || fail "a kernel beside a guest did not install what kernels need"

# Another place for the build.
MMDIFF_BUILD_DIR=$tree/elsewhere/b "$tree/root/mmdiff" list >/dev/null 2>&1 || true
[ -x "$tree/elsewhere/b/release/cli/mmdiff" ] || fail "MMDIFF_BUILD_DIR was not used"

# A build that fails shows the error and not the steps.
status=0
out=$(FAIL_NINJA=1 "$tree/root/mmdiff" list 2>&1) || status=$?
[ "$status" = 3 ] || fail "a failed build ended with $status"
expect 'error: no such thing' "$out"

# Without building, only what is there runs.
: >"$tree/log"
MMDIFF_NO_BUILD=1 "$tree/root/mmdiff" list >/dev/null 2>&1 || true
[ ! -s "$tree/log" ] || fail "MMDIFF_NO_BUILD built: $(cat "$tree/log")"

# Little of its own: fifty runs in less than fifteen seconds.
start=$(date +%s)
i=0
while [ $i -lt 50 ]; do
  "$tree/root/mmdiff" list >/dev/null 2>&1 || true
  i=$((i + 1))
done
passed=$(($(date +%s) - start))
[ "$passed" -lt 15 ] || fail "50 runs took ${passed}s"
echo "the front door works"
