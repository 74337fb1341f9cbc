#!/bin/bash
# Tests of images.sh: choosing among packages, and getting images with stand-ins for apt and small packages.
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
unset MMDIFF_APT_ETC || true

# shellcheck source=/dev/null
. "$here/images.sh"

# What `apt-cache madison` prints of real suites, and the kernels in it: signed before unsigned, metapackages of both
# kinds left out, headers only of the very same version.
same '6.12.95|6.12.95-1|6.12.95+deb12-cloud-amd64|s|p|linux-image-6.12.95+deb12-cloud-amd64|||no
6.1.192|6.1.192-2|6.1.0-56-cloud-amd64|s-security|p|linux-image-6.1.0-56-cloud-amd64-unsigned|||yes
7.3-rc7|7.3~rc7-1~exp1|7.3-cloud-amd64|s|p|linux-binary-7.3-cloud-amd64||linux-base-7.3-cloud-amd64|no
7.3.4|7.3.4-1~bpo13+1|7.3.4+deb13-cloud-amd64|s|p|linux-binary-unsigned-7.3.4+deb13-cloud-amd64|linux-modules-7.3.4+deb13-cloud-amd64||yes' "$(
  sed 's/ *$/ main amd64 Packages/' <<'MADISON' | kernels p
linux-image-6.12-cloud-amd64 | 6.12.95-1 | http://one.example/debian s/main
linux-image-6.12.95+deb12-cloud-amd64 | 6.12.95-1 | http://one.example/debian s/main
linux-image-6.12.95+deb12-cloud-amd64-unsigned | 6.12.95-1 | http://one.example/debian s/main
linux-headers-6.12.95+deb12-cloud-amd64 | 6.12.95-2 | http://one.example/debian s/main
linux-headers-6.12.95+deb12-common | 6.12.95-1 | http://one.example/debian s/main
linux-kbuild-6.12.95+deb12 | 6.12.95-1 | http://one.example/debian s/main
linux-image-6.1.0-56-cloud-amd64-unsigned | 6.1.192-2 | http://one.example/debian s-security/main
linux-headers-6.1.0-56-cloud-amd64 | 6.1.192-2 | http://one.example/debian s-security/main
linux-headers-6.1.0-56-common | 6.1.192-2 | http://one.example/debian s-security/main
linux-kbuild-6.1 | 6.1.192-2 | http://one.example/debian s-security/main
linux-kbuild-6.1 | 6.1.176-1 | http://one.example/debian s/main
linux-binary-7.3-cloud-amd64 | 7.3~rc7-1~exp1 | http://one.example/debian s/main
linux-binary-unsigned-7.3-cloud-amd64 | 7.3~rc7-1~exp1 | http://one.example/debian s/main
linux-base-7.3-cloud-amd64 | 7.3~rc7-1~exp1 | http://one.example/debian s/main
linux-image-7.3-cloud-amd64 | 7.3~rc7-1~exp1 | http://one.example/debian s/main
linux-binary-unsigned-7.3.4+deb13-cloud-amd64 | 7.3.4-1~bpo13+1 | http://one.example/debian s/main
linux-modules-7.3.4+deb13-cloud-amd64 | 7.3.4-1~bpo13+1 | http://one.example/debian s/main
linux-headers-7.3.4+deb13-cloud-amd64 | 7.3.4-1~bpo13+1 | http://one.example/debian s/main
linux-headers-7.3.4+deb13-common | 7.3.4-1~bpo13+1 | http://one.example/debian s/main
linux-kbuild-7.3.4+deb13 | 7.3.4-1~bpo13+1 | http://one.example/debian s/main
MADISON
)"
some='6.18.9|1|r|s|first|a|||no
6.18.15|1|r|s|first|b|||no
6.18.15|2|r|s|second|c|||no
7.3-rc7|1|r|s|second|d|||no
7.3-rc10|1|r|s|second|e|||no
6.12.90|2|r|s|first|f|||no
6.12.90|10|r|s|first|g|||no
6.12.90|11|r|s|second|h|||yes'
newest_of() { of_version "$1" <<<"$some" | newest | cut -d'|' -f6; }
same 'b e h' "$(newest_of 6.18) $(newest_of 7.3) $(newest_of 6.12)"
same 'a d ' "$(newest_of 6.18.9) $(newest_of 7.3-rc7) $(newest_of 6.1)"
same 'trixie sid bookworm machine' "$(base_of trixie-backports) $(base_of experimental) $(base_of bookworm-security) $(base_of machine)"

# package NAME VERSION: what is in $tree/content becomes a package that the stand-in for apt offers.
mkdir -p "$tree/debs" "$tree/bin" "$tree/etc/sources.list.d"
package() {
  mkdir -p "$tree/content/DEBIAN"
  printf 'Package: %s\nVersion: %s\nArchitecture: all\nMaintainer: a <a@a.example>\nDescription: x\n' "$1" "$2" \
    >"$tree/content/DEBIAN/control"
  dpkg-deb -Znone --root-owner-group --build "$tree/content" "$tree/debs/$1_$2_all.deb" >/dev/null
  rm -rf "$tree/content"
  mkdir "$tree/content"
}
content() { mkdir -p "$tree/content/$(dirname "$1")"; cat >"$tree/content/$1"; }
module() { printf 'code\0license=GPL\0depends=%s\0vermagic=x\0' "$1"; }

# An image of the old kind, with modules that depend on others, some compressed, and its headers.
release=6.12.9+deb12-cloud-amd64
printf 'x%s (builder)\n' "$release" | content "boot/vmlinuz-$release"
echo 'CONFIG_MM=y' | content "boot/config-$release"
modules=lib/modules/$release/kernel
module 'zsmalloc,lz4-thing' | xz -c | content "$modules/drivers/block/zram/zram.ko.xz"
module '' | content "$modules/mm/zsmalloc.ko"
module '' | content "$modules/other/lz4-thing.ko"
module '' | content "$modules/fs/ext4.ko"
package linux-image-$release 6.12.9-1
package linux-image-6.12-cloud-amd64 6.12.9-1
headers=usr/src/linux-headers-$release
echo 'include /usr/src/linux-headers-6.12.9+deb12-common/Makefile' | content "$headers/Makefile"
printf 'CC = $(if $(X),y) $(CROSS_COMPILE)gcc-99\nCROSS_COMPILE = mmdiff-\n' | content "$headers/.kernelvariables"
printf 'CONFIG_A=y\nCONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=y\n' | content "$headers/include/config/auto.conf"
echo btf | content "$headers/vmlinux"
package linux-headers-$release 6.12.9-1
printf 'include $(CURDIR)/.kernelvariables\nall:\n\t@echo works in $(CURDIR) with $(CC)\n' |
  content usr/src/linux-headers-6.12.9+deb12-common/Makefile
package linux-headers-6.12.9+deb12-common 6.12.9-1
printf '#!/bin/sh\necho "modpost $*"\n' | content usr/lib/linux-kbuild-6.12.9+deb12/scripts/mod/modpost
package linux-kbuild-6.12.9+deb12 6.12.9-1
# One of the new kind, without headers and modules.
release_new=7.2.5+deb13-cloud-amd64
printf 'x%s (builder)\n' "$release_new" | content "usr/lib/modules/$release_new/vmlinuz.unsigned"
package linux-binary-unsigned-$release_new 7.2.5-1
echo 'CONFIG_MM=y' | content "usr/lib/modules/$release_new/config"
package linux-base-$release_new 7.2.5-1
# One that is not what its name says.
echo 'x7.1.0+other (builder)' | content "boot/vmlinuz-7.1.8+deb13-cloud-amd64"
package linux-binary-7.1.8+deb13-cloud-amd64 7.1.8-1
# A C library, for programs that cannot run here.
for file in ld-linux-x86-64.so.2 libc.so.6; do
  printf '#!/bin/sh\nshift 2\nexec sh "$@"\n' | content "usr/lib/x86_64-linux-gnu/$file"
  chmod 755 "$tree/content/usr/lib/x86_64-linux-gnu/$file"
done
package libc6 9.9

echo 'deb http://one.example/debian bookworm main' >"$tree/etc/sources.list"
cat >"$tree/bin/apt-get" <<'STUB'
#!/bin/bash
place=$(dirname "$APT_CONFIG")
echo "apt-get $(sed -n 's/^Suites: //p' "$place/debian.sources" | tr '\n' ' '): $*" >>"$LOG"
case " $* " in
  *' update '*) [ -z "${NO_NETWORK:-}" ] || { echo 'E: could not resolve' >&2; exit 100; } ;;
  *' download '*)
    wanted=${*: -1}
    deb=$(echo "$DEBS/${wanted%%=*}"_*.deb)
    case ${BREAK:-} in
      '') cp "$deb" . ;;
      half) head -c 300 "$deb" >"$(basename "$deb")" ;;
      none) echo 'E: connection lost' >&2; exit 100 ;;
      kill) kill -TERM -- "-$(ps -o pgid= $$ | tr -d ' ')"; sleep 5 ;;
    esac
    ;;
esac
STUB
cat >"$tree/bin/apt-cache" <<'STUB'
#!/bin/bash
case $1 in
  pkgnames) (cd "$DEBS" && ls | cut -d_ -f1) ;;
  madison)
    shift
    for package; do
      for deb in "$DEBS/${package}"_*.deb; do
        [ -e "$deb" ] || continue
        version=${deb##*/}; version=${version#*_}; version=${version%_*}
        printf '%s | %s | http://one.example/debian suite/main amd64 Packages\n' "$package" "$version"
      done
    done
    ;;
esac
STUB
cat >"$tree/bin/df" <<'STUB'
#!/bin/bash
printf 'Filesystem 1024-blocks Used Available Capacity Mounted\nx 9 9 %s 9%% /\n' "${FREE:-99999999}"
STUB
cat >"$tree/bin/ldd" <<'STUB'
#!/bin/bash
if [ -n "${OLD:-}" ]; then echo "version GLIBC_9.9 not found"; fi
STUB
chmod +x "$tree"/bin/*
export PATH=$tree/bin:$PATH LOG=$tree/log DEBS=$tree/debs MMDIFF_APT_ETC=$tree/etc
root=$tree/cache
get() { status=0; out=$("$here/images.sh" "$@" 2>&1) || status=$?; }
nothing_left() {
  local left
  left=$(find "$root/images" -mindepth 1 -maxdepth 1 ! -name .lock ! -name .lists | head -n 3)
  [[ -z $left ]] || bad "$1 left $left"
}

# Whatever goes wrong leaves nothing half done and says what to do.
NO_NETWORK=1 get fetch default "$root"
[[ $status = 3 ]] || bad "no network gave $status: $out"
expect 'could not resolve' "$out"
expect 'is there a network' "$out"
BREAK=half get fetch 6.12 "$root"
[[ $status = 3 ]] || bad "a broken package gave $status: $out"
expect 'unpacking' "$out"
BREAK=none get fetch 6.12 "$root"
[[ $status = 3 ]] || bad "a lost connection gave $status: $out"
expect 'connection lost' "$out"
status=0
BREAK='kill' setsid "$here/images.sh" fetch 6.12 "$root" >"$tree/out" 2>&1 || status=$?
[[ $status != 0 ]] || bad "an interrupted download succeeded"
FREE=1000 get fetch 6.12 "$root"
[[ $status = 3 ]] || bad "a full disk gave $status: $out"
expect 'MMDIFF_KERNELS' "$out"
get fetch 7.1 "$root"
[[ $status = 3 ]] || bad "another kernel than the package's gave $status: $out"
expect 'is not 7.1.8+deb13-cloud-amd64' "$out"
get fetch 6.18.5 "$root"
[[ $status = 2 ]] || bad "a version that is gone gave $status: $out"
expect 'there are: 6.12.9 7.1.8 7.2.5' "$out"
get fetch '../9' "$root"
[[ $status = 2 ]] || bad "a wrong version gave $status"
MMDIFF_APT_ETC=$tree/nowhere get fetch 6.12 "$root"
[[ $status = 3 ]] || bad "a machine without Debian's archive gave $status: $out"
nothing_left 'a failure'

# The whole way: what a guest may load with what it needs, and headers that build where they lie, also after a move.
get fetch default "$root"
[[ $status = 0 ]] || bad "fetch gave $status: $out"
image=$root/images/6.12.9
same "$image" "$(tail -n 1 <<<"$out")"
same "version=6.12.9
release=$release
package=linux-image-$release
package_version=6.12.9-1
suite=suite
headers=yes
config=yes" "$(cat "$image/record")"
same 'CONFIG_MM=y' "$(cat "$image/config")"
same 'lz4_thing.ko zram.ko zsmalloc.ko' "$(find "$image/modules" -type f -printf '%f\n' | sort | tr '\n' ' ' | sed 's/ $//')"
grep -aq '^code' "$image/modules/zram.ko" || bad 'zram.ko is still compressed'
mv "$image" "$tree/moved"
build=$tree/moved/headers/build
same "works in $(readlink -f "$build") with mmdiff-gcc" "$(make -C "$build" --no-print-directory)"
same 'CONFIG_A=y' "$(cat "$build/include/config/auto.conf")"
[[ ! -e $build/vmlinux ]] || bad 'the BTF of the kernel is still there'
[[ ! -e $tree/moved/headers/host ]] || bad 'libraries were fetched that are not needed'

# Programs that need newer libraries than there are here run with those of their suite.
OLD=1 get fetch 6.12.9 "$root"
[[ $status = 0 ]] || bad "fetch for an old machine gave $status: $out"
same 'modpost a b' "$("$image/headers/usr/lib/linux-kbuild-6.12.9+deb12/scripts/mod/modpost" a b)"
cmp -s "$image/headers/host/libc.so.6" "$image/headers/host/ld-linux-x86-64.so.2" || bad 'no libraries came'

# What is there is not fetched again, with and without a network, and lists are asked for once an hour.
: >"$LOG"
get fetch 6.12.9 "$root"
[[ $status = 0 && ! -s $LOG ]] || bad "the second time it was fetched again: $(cat "$LOG")"
get fetch default "$root"
[[ $status = 0 && ! -s $LOG ]] || bad "fresh lists were got again: $(cat "$LOG")"
touch -d '2 hours ago' "$root"/images/.lists/* "$root"/images/.lists/*/fresh
NO_NETWORK=1 get fetch 6.12 "$root"
[[ $status = 0 ]] || bad "what is there was not enough without a network: $out"
same "$image" "$(tail -n 1 <<<"$out")"

# The new kind, whose parts are packages of their own.
get fetch 7.2 "$root"
[[ $status = 0 ]] || bad "fetch of a split package gave $status: $out"
same 'headers=no config=yes' "$(tail -n 2 "$root/images/7.2.5/record" | tr '\n' ' ' | sed 's/ $//')"
[[ -d $root/images/7.2.5/modules && ! -e $root/images/7.2.5/headers ]] || bad 'modules or headers are wrong'

get available "$root"
same "6.12.9	linux-image-$release	6.12.9-1	suite	yes
7.1.8	linux-binary-7.1.8+deb13-cloud-amd64	7.1.8-1	suite	no
7.2.5	linux-binary-unsigned-$release_new	7.2.5-1	suite	no" "$out"

get drop 7.2.5 "$root"
[[ $status = 0 && ! -e $root/images/7.2.5 ]] || bad "drop gave $status: $out"
get drop 7.2.5 "$root"
[[ $status = 2 ]] || bad "dropping nothing gave $status"
get drop ../sources "$root"
[[ $status = 2 ]] || bad "dropping something else gave $status"
echo 'images.sh works'
