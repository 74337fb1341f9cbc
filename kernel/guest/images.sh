#!/bin/bash
# Gets Debian's prebuilt kernels, flavour cloud-amd64, into the cache, to be booted in a virtual machine.
#
#   kernel/guest/images.sh fetch VERSION ROOT   VERSION: `default`, a series such as 6.12 (the newest of it that can be
#                                               had) or a version such as 6.18.15 or 7.3-rc7; prints the directory
#   kernel/guest/images.sh available ROOT       prints what can be had: version, package, its version, suite, and
#                                               whether there are headers (yes or no), separated by tabs
#   kernel/guest/images.sh drop VERSION ROOT    removes a fetched image
#
# An image is ROOT/images/VERSION with
#   vmlinuz        the kernel
#   config         its configuration, if a package has it
#   modules/       what a guest may load: swap devices and what they need
#   headers/build  for `make -C ROOT/images/VERSION/headers/build M=DIR modules`, if there are headers of the very
#                  same package; the directory may be moved
#   record         lines key=value: version, release (uname -r), package, package_version, suite, headers, config
# and appears under its name only when it is complete.
#
# Nothing outside ROOT changes: see kernel/apt.sh. Packages are unpacked, never installed. Lists of packages are kept in
# ROOT/images/.lists for an hour. Exit codes: 0 done or there already, 2 no such version or wrong arguments, 3 anything
# else.
#
# Environment: MMDIFF_APT_ETC (default /etc/apt) is where apt's sources are read.
set -euo pipefail

here=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
# shellcheck source=kernel/apt.sh
. "$here/../apt.sh"
# shellcheck source=kernel/guest/headers.sh
. "$here/headers.sh"

# The series that `default` means: the one that Debian 12 itself carries besides its own.
readonly default_series=6.12

# What a guest may load; what these depend on comes with them.
readonly wanted_modules='zram|zsmalloc|brd|lz4.*|lzo.*|842.*|zstd.*|deflate|zlib_deflate|zlib_inflate'

# suites ETC: where to look, one a line, the preferred first; what is in "machine" already is left out.
suites() {
  local suite mine
  mine=$(debian_entries "$1" "$work" | cut -d'|' -f2)
  echo machine
  for suite in bookworm-security bookworm bookworm-backports trixie-backports trixie-security trixie sid \
    experimental; do
    if ! grep -qxF "$suite" <<<"$mine"; then echo "$suite"; fi
  done
}

# base_of SUITE: the complete suite that the packages of SUITE are meant for.
base_of() {
  case $1 in
    *-backports | *-security) echo "${1%-*}" ;;
    experimental) echo sid ;;
    *) echo "$1" ;;
  esac
}

# lists SUITE: makes sure that $lists/SUITE is an apt with fresh lists. Fails if they cannot be had.
lists() {
  local place=$lists/$1
  if [[ -n $(find "$place/fresh" -mmin -60 2>/dev/null) ]]; then return 0; fi
  [[ ! -f $work/$1.failed ]] || return 1
  # No archive of security updates is known to a machine that names none.
  [[ $1 = machine || -n $(candidates "$etc" "$work" "$1") ]] || return 1
  say "getting the list of ${1/#machine/the suites of this machine}"
  rm -rf "$place"
  if ! open_suite "$place" "$1" "$etc"; then
    cat "$place/log" >>"$work/errors"
    : >"$work/$1.failed"
    return 1
  fi
  in_apt "$place" apt-cache pkgnames linux- |
    grep -E '^linux-(image|binary|modules|base|headers|kbuild)-' | grep -Ev -- '-rt-|-dbg$' >"$place/names" || true
  # Lines "package | version | URI suite/component architecture Packages".
  if [[ -s $place/names ]]; then
    xargs -d '\n' -a "$place/names" env APT_CONFIG="$place/apt.conf" LC_ALL=C apt-cache madison
  fi >"$place/packages"
  kernels "$1" <"$place/packages" >"$place/kernels"
  : >"$place/fresh"
}

# kernels PLACE: from the lines of `apt-cache madison` the kernels, a line each:
#   version|package version|release|suite|PLACE|package of vmlinuz|package of modules|of config|headers yes or no
# An empty name of a package: there is none, or it is that of vmlinuz. Up to 6.18 all is in linux-image-RELEASE; since
# 6.19 that is empty, and the parts are packages of their own.
kernels() {
  awk -F' *[|] *' -v place="$1" '
    { sub(/^ +/, "", $1); split($3, where, " "); sub(/\/.*/, "", where[2]) }
    ($1, $2) in suite { next }
    { suite[$1, $2] = where[2]; name[++n] = $1; version[n] = $2 }
    function there(package, v) { return (package, v) in suite }
    END {
      for (i = 1; i <= n; ++i) {
        p = name[i]; v = version[i]; split_up = 0
        if (p ~ /^linux-binary-.*-cloud-amd64$/) {
          rel = p; sub(/^linux-binary-(unsigned-)?/, "", rel)
          if (p ~ /-unsigned-/ && there("linux-binary-" rel, v)) continue
          split_up = 1
        } else if (p ~ /^linux-image-.*-cloud-amd64(-unsigned)?$/) {
          rel = p; sub(/^linux-image-/, "", rel); sub(/-unsigned$/, "", rel)
          if (p ~ /-unsigned$/ && there("linux-image-" rel, v)) continue
        } else continue
        upstream = v
        sub(/^[0-9]+:/, "", upstream); sub(/-[^-]*$/, "", upstream); sub(/[+]dfsg.*/, "", upstream)
        parts = split(upstream, part, ".")
        if (!split_up && part[1] * 1000 + part[2] >= 6019) continue
        # linux-image-6.12-cloud-amd64 of 6.12.117 only names the newest package.
        if (parts >= 3 && rel ~ /^[0-9]+[.][0-9]+-cloud/) continue
        sub(/~rc/, "-rc", upstream)
        abi = rel; sub(/-cloud-amd64$/, "", abi)
        kbuild = "linux-kbuild-" (there("linux-kbuild-" abi, v) ? abi : part[1] "." part[2])
        headers = there("linux-headers-" rel, v) && there("linux-headers-" abi "-common", v) && there(kbuild, v)
        modules = split_up && there("linux-modules-" rel, v) ? "linux-modules-" rel : ""
        config = split_up && there("linux-base-" rel, v) ? "linux-base-" rel : ""
        print upstream "|" v "|" rel "|" suite[p, v] "|" place "|" p "|" modules "|" config "|" (headers ? "yes" : "no")
      }
    }'
}

# newest: of the lines of kernels() that of the newest version, with headers if possible, of the suite that comes first.
newest() {
  awk -F'|' '
    !($5 in rank) { rank[$5] = ++n }
    { v = $1; sub(/-rc/, "~rc", v); print v "|" ($9 == "yes") "|" (-rank[$5]) "|" $0 }' |
    sort -t'|' -k1,1V -k2,2n -k3,3n -k5,5V | tail -n 1 | cut -d'|' -f4-
}

# of_version VERSION: of the lines of kernels() those of a version or series.
of_version() {
  awk -F'|' -v wanted="$1" '
    $1 == wanted { print; next }
    wanted ~ /^[0-9]+[.][0-9]+$/ && (index($1, wanted ".") == 1 || index($1, wanted "-rc") == 1)'
}

# all_kernels: the lines of kernels() of all suites; those that cannot be had are left out.
all_kernels() {
  local suite
  while read -r suite; do
    if lists "$suite"; then cat "$lists/$suite/kernels"; fi
  done < <(suites "$etc")
}

# find_kernel VERSION: the line of what is to be fetched; nothing if there is none.
find_kernel() {
  local version=$1 suite line found=
  if [[ $version = default ]]; then
    # The machine's own metapackage says which; its version is that of the package it names.
    if lists machine; then
      line=$(awk -F' *[|] *' -v p="linux-image-$default_series-cloud-amd64" '
        { sub(/^ +/, "", $1) } $1 == p { print $2; exit }' "$lists/machine/packages")
      if [[ -n $line ]]; then awk -F'|' -v v="$line" '$2 == v' "$lists/machine/kernels" | newest; return; fi
    fi
    version=$default_series
  fi
  if [[ $version =~ ^[0-9]+\.[0-9]+$ ]]; then
    all_kernels | of_version "$version" | newest
    return
  fi
  # A version of which one suite has the headers need not be looked for in others.
  while read -r suite; do
    lists "$suite" || continue
    line=$(of_version "$version" <"$lists/$suite/kernels" | newest)
    if [[ $line = *'|yes' || -z $found ]]; then found=$line; fi
    if [[ $line = *'|yes' ]]; then break; fi
  done < <(suites "$etc")
  printf '%s' "$found"
}

# no_lists: nothing could be had from any suite.
no_lists() { ! cat "$lists"/*/fresh >/dev/null 2>&1; }

# apt_errors: what apt has said, at most eight lines.
apt_errors() {
  if [[ -f $work/errors ]]; then grep -h '^[EW]: ' "$work/errors" | sort -u | head -n 8 >&2 || true; fi
}

# not_found VERSION: nothing has it. Says what there is, or what went wrong.
not_found() {
  local there
  apt_errors
  if no_lists; then
    fail 3 "no list of Debian packages could be had; is there a network? apt's words are above"
  fi
  there=$(all_kernels | cut -d'|' -f1 | sed 's/-rc/~rc/' | sort -Vu | sed 's/~rc/-rc/' | tr '\n' ' ')
  fail 2 "Debian has no cloud-amd64 kernel $1 (any more); there are: ${there% }"
}

# download PLACE DIR PACKAGE=VERSION...: the packages go to DIR. apt compares them with the signed lists.
download() {
  local place=$1 dir=$2 package
  shift 2
  mkdir -p "$dir"
  for package; do
    say "downloading ${package%%=*}"
    # apt ends with 0 also where the file did not come; the file counts.
    (cd "$dir" && in_apt "$place" apt-get -qq download "$package") >"$work/download.log" 2>&1 || true
    if [[ -z $(find "$dir" -maxdepth 1 -name "${package%%=*}_*.deb") ]]; then
      tail -n 5 "$work/download.log" >&2
      fail 3 "downloading ${package%%=*} failed (see above); run again"
    fi
  done
}

# unpack DIR TREE: all packages of DIR.
unpack() {
  local deb
  mkdir -p "$2"
  for deb in "$1"/*.deb; do
    dpkg-deb -x "$deb" "$2" || unpack_failed "$(basename -- "$deb")"
  done
}

# take_modules TREE DIR: the wanted modules below TREE and what they depend on, uncompressed, with _ for - in their
# names, as the kernel calls them.
take_modules() {
  local tree=$1 dir=$2 file name next
  local -A path=() taken=()
  while read -r file; do
    name=${file##*/}
    name=${name%%.ko*}
    path[${name//-/_}]=$file
  done < <(find "$tree" -name '*.ko' -o -name '*.ko.xz')
  local queue=()
  for name in "${!path[@]}"; do
    if [[ $name =~ ^($wanted_modules)$ ]]; then queue+=("$name"); fi
  done
  while ((${#queue[@]})); do
    name=${queue[0]}
    queue=("${queue[@]:1}")
    if [[ -n ${taken[$name]:-} || -z ${path[$name]:-} ]]; then continue; fi
    taken[$name]=1
    file=${path[$name]}
    case $file in
      *.xz) xz -dc "$file" >"$dir/$name.ko" ;;
      *) cp "$file" "$dir/$name.ko" ;;
    esac || unpack_failed "$file"
    # modules.dep is made where a kernel is installed; the modules themselves say what they depend on.
    while read -r next; do
      if [[ -n $next ]]; then queue+=("${next//-/_}"); fi
    done < <(tr '\0' '\n' <"$dir/$name.ko" | sed -n 's/^depends=//p' | tr ',' '\n')
  done
}

# first_file FILE...: the first that is there.
first_file() {
  local file
  for file; do
    if [[ -f $file ]]; then echo "$file"; return 0; fi
  done
  return 1
}

# make_image DIR LINE: fills DIR with the image that the line of kernels() is of.
make_image() {
  local dir=$1 version package_version release suite place package modules config headers file
  IFS='|' read -r version package_version release suite place package modules config headers <<<"$2"
  local packages=("$package=$package_version") has_config=no
  if [[ -n $modules ]]; then packages+=("$modules=$package_version"); fi
  if [[ -n $config ]]; then packages+=("$config=$package_version"); fi
  download "$lists/$place" "$work/debs" "${packages[@]}"
  unpack "$work/debs" "$work/tree"
  mkdir -p "$dir/modules"
  file=$(first_file "$work/tree/boot/vmlinuz-$release" "$work/tree/usr/lib/modules/$release/vmlinuz"{,.unsigned}) ||
    fail 3 "$package $package_version holds no kernel where it is looked for; is this mmdiff too old for it?"
  # What a kernel calls itself stands in its first sectors; modules are made for that name.
  LC_ALL=C grep -aqF "$release (" < <(head -c 65536 "$file") || fail 3 "the kernel of $package is not $release"
  cp "$file" "$dir/vmlinuz"
  if file=$(first_file "$work/tree/boot/config-$release" "$work/tree/usr/lib/modules/$release/config"); then
    cp "$file" "$dir/config"
    has_config=yes
  fi
  take_modules "$work/tree" "$dir/modules"
  if [[ $headers = yes ]]; then
    get_headers "$place" "$release" "$package_version" "$dir/headers"
  fi
  printf '%s\n' "version=$version" "release=$release" "package=$package" "package_version=$package_version" \
    "suite=$suite" "headers=$headers" "config=$has_config" >"$dir/record"
}

# fetched SERIES: the newest fetched version of a series, if any.
fetched() {
  local series=${1/#default/$default_series} record
  for record in "$root/images/$series" "$root/images/$series".* "$root/images/$series"-rc*; do
    if [[ -f $record/record ]]; then basename -- "$record" | sed 's/-rc/~rc/'; fi
  done | sort -V | tail -n 1 | sed 's/~rc/-rc/'
}

# open ROOT: the lock, and the variables that all share: root, lists, etc and work.
open() {
  mkdir -p "$1/images" || fail 3 "$1 cannot be written; set MMDIFF_KERNELS to a directory that can"
  root=$(cd -- "$1" && pwd)
  lists=$root/images/.lists
  etc=${MMDIFF_APT_ETC:-/etc/apt}
  begin "$root/images" "kernel images"
  # Lists are large; none is kept that would not be used.
  find "$lists" -mindepth 1 -maxdepth 1 -mmin +60 -exec rm -rf {} + 2>/dev/null || true
}

# need_apt
need_apt() {
  command -v apt-get >/dev/null || fail 3 "there is no apt-get here, so no kernels of Debian"
  [[ -n $(candidates "$etc" "$work" sid) ]] || fail 3 "$etc names no Debian archive, so no kernels of it"
}

# fetch VERSION ROOT
fetch() {
  local version=$1 line had target
  [[ $version =~ ^[0-9]+\.[0-9]+(\.[0-9]+)?(-rc[0-9]+)?$ || $version = default ]] ||
    fail 2 "'$version' is no version; write default, a series such as 6.12 or a version such as 6.18.15"
  if [[ $version != default && ! $version =~ ^[0-9]+\.[0-9]+$ && -f $2/images/$version/record ]]; then
    printf '%s\n' "$2/images/$version"
    return 0
  fi
  open "$2"
  need_apt
  line=$(find_kernel "$version")
  if [[ -z $line ]]; then
    had=$(fetched "$version")
    if ! no_lists || [[ -z $had ]]; then not_found "$version"; fi
    say "no list of Debian packages could be had, so the fetched $had it is"
    printf '%s\n' "$root/images/$had"
    return 0
  fi
  target=$root/images/${line%%|*}
  if [[ ! -f $target/record ]]; then
    enough_space "$root/images" 700000 "fetching a kernel image"
    mkdir "$work/image"
    make_image "$work/image" "$line"
    rm -rf "$target"
    mv -T "$work/image" "$target"
    say "Linux ${line%%|*} is in $target"
  fi
  printf '%s\n' "$target"
}

# available ROOT
available() {
  open "$1"
  need_apt
  local all
  all=$(all_kernels)
  if [[ -z $all ]]; then
    apt_errors
    fail 3 "no list of Debian packages could be had; is there a network? apt's words are above"
  fi
  # Of the same version in several suites only what fetch would take.
  while read -r version; do
    of_version "$version" <<<"$all" | awk -F'|' -v v="$version" '$1 == v' | newest
  done < <(cut -d'|' -f1 <<<"$all" | sed 's/-rc/~rc/' | sort -Vu | sed 's/~rc/-rc/') |
    awk -F'|' -v OFS='\t' '{ print $1, $6, $2, $4, $9 }'
}

# drop VERSION ROOT
drop() {
  [[ $1 =~ ^[0-9][0-9a-z.-]*$ && -d $2/images/$1 ]] || fail 2 "there is no image $1 in $2"
  open "$2"
  # What is half removed has no name any more.
  mv -T "$root/images/$1" "$work/gone"
}

main() {
  case ${1:-}/$# in
    fetch/3) fetch "$2" "$3" ;;
    available/2) available "$2" ;;
    drop/3) drop "$2" "$3" ;;
    *)
      printf 'usage: %s fetch VERSION ROOT | available ROOT | drop VERSION ROOT\n' "$0" >&2
      exit 2
      ;;
  esac
}
if [[ ${BASH_SOURCE[0]} = "$0" ]]; then main "$@"; fi
