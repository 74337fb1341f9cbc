#!/bin/bash
# Tests of sources.sh: reading apt's sources, and getting sources with stand-ins for apt and a small package.
set -euo pipefail
here=$(dirname -- "$(readlink -f -- "$0")")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
bad() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
expect() { case $2 in *"$1"*) ;; *) bad "expected '$1' in: $2" ;; esac; }
same() { [[ $1 = "$2" ]] || bad "expected:
$1
but got:
$2"; }
unset MMDIFF_APT_ETC MMDIFF_LINUX_SOURCE_DIR || true

# shellcheck source=/dev/null
. "$here/sources.sh"

# Both forms of apt's sources; what is no Debian, switched off, source-only or flat is left out.
mkdir -p "$tree/etc/sources.list.d" "$tree/keys"
cat >"$tree/etc/sources.list" <<'LIST'
# deb http://commented.example/debian bookworm main
deb http://one.example/debian bookworm main contrib # with a remark
deb [ arch=amd64 signed-by=/keys/debian-archive-one.gpg ] http://two.example/debian/ bookworm-updates main
deb-src http://one.example/debian bookworm main
deb http://flat.example/debian ./
deb cdrom:[Debian]/ bookworm main
	deb	http://tab.example/debian-security	bookworm-security	main
LIST
cat >"$tree/etc/sources.list.d/other.list" <<'LIST'
deb [arch=amd64] https://third.example/linux bookworm-pgdg main
deb https://docker.example/linux/debian bookworm stable
LIST
cat >"$tree/etc/sources.list.d/debian.sources" <<'SOURCES'
# a remark
Types: deb deb-src
URIs: mirror+file:///etc/apt/mirrors/debian.list
Suites: bookworm
 bookworm-backports
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: bookworm
Components: main

types: deb
uris: https://vendor.example/repos
suites: bookworm
components: main
signed-by:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb-src
URIs: http://sourceonly.example/debian
Suites: bookworm
Components: main
SOURCES
same 'http://one.example/debian|bookworm|main contrib|
http://two.example/debian/|bookworm-updates|main|/keys/debian-archive-one.gpg
http://tab.example/debian-security|bookworm-security|main|
mirror+file:///etc/apt/mirrors/debian.list|bookworm|main|/usr/share/keyrings/debian-archive-keyring.gpg
mirror+file:///etc/apt/mirrors/debian.list|bookworm-backports|main|/usr/share/keyrings/debian-archive-keyring.gpg
https://vendor.example/repos|bookworm|main|'"$tree"'/keys/key-1.asc' "$(debian_entries "$tree/etc" "$tree/keys")"
same '-----BEGIN PGP PUBLIC KEY BLOCK-----

abc
-----END PGP PUBLIC KEY BLOCK-----' "$(cat "$tree/keys/key-1.asc")"
# The likeliest archive comes first, a vendor's with a key of its own last, a security archive not at all.
same 'http://one.example/debian|
http://two.example/debian/|/keys/debian-archive-one.gpg
mirror+file:///etc/apt/mirrors/debian.list|/usr/share/keyrings/debian-archive-keyring.gpg
https://vendor.example/repos|'"$tree"'/keys/key-1.asc' "$(candidates "$tree/etc" "$tree/keys" sid)"
same 'http://tab.example/debian-security|' "$(candidates "$tree/etc" "$tree/keys" trixie-security)"
same '' "$(candidates "$tree/nowhere" "$tree/keys" sid)"

# A package like Debian's, and an apt that offers it in the suites of $OFFERS.
mkdir -p "$tree/linux-source-9.1/mm" "$tree/deb/DEBIAN" "$tree/deb/usr/src" "$tree/bin"
echo 'VERSION = 9' >"$tree/linux-source-9.1/Makefile"
echo 'int x;' >"$tree/linux-source-9.1/mm/memory.c"
tar -C "$tree" -cJf "$tree/deb/usr/src/linux-source-9.1.tar.xz" linux-source-9.1
printf 'Package: linux-source-9.1\nVersion: 9.1.4-2\nArchitecture: all\nMaintainer: a <a@a.example>\nDescription: x\n' \
  >"$tree/deb/DEBIAN/control"
dpkg-deb --root-owner-group --build "$tree/deb" "$tree/good.deb" >/dev/null
cat >"$tree/bin/apt-get" <<'STUB'
#!/bin/bash
place=$(dirname "$APT_CONFIG")
suites=$(sed -n 's/^Suites: //p' "$place/debian.sources" | tr '\n' ' ')
echo "apt-get $suites: $*" >>"$LOG"
offered=no
for suite in $suites; do case " $OFFERS " in *" $suite "*) offered=yes ;; esac; done
case " $* " in
  *' update '*) [ -z "${NO_NETWORK:-}" ] || { echo 'E: could not resolve' >&2; exit 100; } ;;
  *' --print-uris '*) [ $offered = yes ] || exit 100; echo "'x' linux-source-9.1_9.1.4-2_all.deb 5000000 SHA256:0" ;;
  *' download '*)
    case ${BREAK:-} in
      '') cp "$DEB" linux-source-9.1_9.1.4-2_all.deb ;;
      half) head -c 300 "$DEB" >linux-source-9.1_9.1.4-2_all.deb ;;
      none) echo 'E: connection lost' >&2; exit 100 ;;
      kill) kill -TERM -- "-$(ps -o pgid= $$ | tr -d ' ')"; sleep 5 ;;
    esac
    ;;
esac
STUB
cat >"$tree/bin/apt-cache" <<'STUB'
#!/bin/bash
case " $OFFERS " in *' sid '*) echo linux-source-9.1 ;; esac
printf 'linux-source\nlinux-source-8.0\n'
STUB
cat >"$tree/bin/df" <<'STUB'
#!/bin/bash
printf 'Filesystem 1024-blocks Used Available Capacity Mounted\nx 9 9 %s 9%% /\n' "${FREE:-99999999}"
STUB
chmod +x "$tree"/bin/*
export PATH=$tree/bin:$PATH LOG=$tree/log DEB=$tree/good.deb OFFERS=sid
export MMDIFF_APT_ETC=$tree/etc MMDIFF_LINUX_SOURCE_DIR=$tree/nowhere
root=$tree/cache
get() { status=0; out=$("$here/sources.sh" "$@" 2>&1) || status=$?; }
nothing_left() {
  local left
  left=$(find "$root/sources" -mindepth 1 ! -name .lock | head -n 3)
  [[ -z $left ]] || bad "$1 left $left"
}

# Whatever goes wrong leaves nothing half done and says what to do.
BREAK=half get fetch 9.1 "$root"
[[ $status = 3 ]] || bad "a broken package gave $status: $out"
expect 'unpacking' "$out"
nothing_left 'a broken package'
BREAK=none get fetch 9.1 "$root"
[[ $status = 3 ]] || bad "a lost connection gave $status: $out"
expect 'connection lost' "$out"
nothing_left 'a lost connection'
status=0
BREAK='kill' setsid "$here/sources.sh" fetch 9.1 "$root" >"$tree/out" 2>&1 || status=$?
[[ $status != 0 ]] || bad "an interrupted download succeeded"
nothing_left 'an interrupted download'
NO_NETWORK=1 get fetch 9.1 "$root"
[[ $status = 3 ]] || bad "no network gave $status: $out"
expect 'could not resolve' "$out"
expect 'is there a network' "$out"
FREE=1000 get fetch 9.1 "$root"
[[ $status = 3 ]] || bad "a full disk gave $status: $out"
expect 'MMDIFF_KERNELS' "$out"
OFFERS=none get fetch 9.1 "$root"
[[ $status = 2 ]] || bad "a version that is gone gave $status: $out"
expect 'there are: 8.0.' "$out"
get fetch '../9' "$root"
[[ $status = 2 ]] || bad "a wrong version gave $status"
MMDIFF_APT_ETC=$tree/nowhere get fetch 9.1 "$root"
[[ $status = 3 ]] || bad "a machine without Debian's archive gave $status"
expect '--tree' "$out"
nothing_left 'a failure'

# The whole way; the suite is asked of the likeliest archive only, signatures are not waived.
: >"$LOG"
get fetch 9.1 "$root"
[[ $status = 0 ]] || bad "fetch gave $status: $out"
same 'int x;' "$(cat "$root/sources/linux-source-9.1/mm/memory.c")"
same 'linux-source-9.1 9.1.4-2' "$(cat "$root/sources/linux-source-9.1.origin")"
expect 'downloading linux-source-9.1 (5 MB)' "$out"
[[ $(grep -c ' update' "$LOG") = 1 ]] || bad "more lists than needed: $(cat "$LOG")"
: >"$LOG"
get fetch 9.1 "$root"
[[ $status = 0 && ! -s $LOG ]] || bad "the second time it was fetched again: $(cat "$LOG")"

# An installed linux-source package is used without apt; then a revision of a git tree, work tree and index untouched.
rm -rf "$root"
MMDIFF_LINUX_SOURCE_DIR=$tree/deb/usr/src PATH=$tree/bin:/usr/bin:/bin get fetch 9.1 "$root"
[[ $status = 0 && ! -s $LOG ]] || bad "the installed package was not used: $out $(cat "$LOG")"
cp -r "$tree/linux-source-9.1" "$tree/repo"
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
git -C "$tree/repo" init -q
git -C "$tree/repo" add .
git -C "$tree/repo" -c user.name=a -c user.email=a@a.example commit -qm first
commit=$(git -C "$tree/repo" rev-parse HEAD)
echo 'int edited;' >"$tree/repo/mm/memory.c"
before=$(git -C "$tree/repo" status --porcelain=v2; sha256sum "$tree/repo/.git/index")
get revision "$tree/repo" "$commit" "$root"
[[ $status = 0 ]] || bad "revision gave $status: $out"
same 'int x;' "$(cat "$root/sources/rev-${commit:0:12}/mm/memory.c")"
same "$before" "$(git -C "$tree/repo" status --porcelain=v2; sha256sum "$tree/repo/.git/index")"
get revision "$tree/repo" "${commit/[0-9a-f]/z}" "$root"
[[ $status = 2 ]] || bad "a wrong commit gave $status"
echo 'sources.sh works'
