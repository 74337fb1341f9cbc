#!/bin/bash
# Gets kernel sources into the cache: Debian's linux-source packages, or a revision of a git tree.
#
#   kernel/sources.sh fetch VERSION ROOT          VERSION such as 7.2; leaves ROOT/sources/linux-source-7.2
#   kernel/sources.sh revision DIR COMMIT ROOT    leaves ROOT/sources/rev-<first 12 digits of COMMIT>
#   kernel/sources.sh archives                    prints what this machine's apt knows of Debian, for a look
#
# Nothing outside ROOT changes: apt runs with lists, cache and configuration of its own, derived at run time from the
# machine's apt sources, as any user. Signatures are verified as always. A source appears under its name only when it
# is complete. Exit codes: 0 done or there already, 2 no such version or wrong arguments, 3 anything else.
#
# Environment: MMDIFF_APT_ETC (default /etc/apt) is where apt's sources are read; MMDIFF_LINUX_SOURCE_DIR (default
# /usr/src) is where an installed linux-source package is looked for before anything is downloaded.
set -euo pipefail

# shellcheck source=kernel/apt.sh
. "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")/apt.sh"

# suites_for VERSION: where to look, one a line; "machine" is what the machine itself installs from.
suites_for() {
  case $1 in
    6.12) printf '%s\n' machine trixie bookworm-backports ;;
    *) printf '%s\n' sid experimental trixie-backports machine ;;
  esac
}

# look_in PLACE SUITE VERSION ETC: makes PLACE an apt that can download the package. Fails if it is not there; what is
# there goes to PLACE/there, what went wrong to PLACE/log.
look_in() {
  local place=$1 suite=$2 version=$3 etc=$4
  mkdir -p "$place"
  : >"$place/there"
  open_suite "$place" "$suite" "$etc" || return 1
  in_apt "$place" apt-cache pkgnames linux-source- | grep -E '^linux-source-[0-9]+\.[0-9]+$' | sort -V \
      >"$place/there" || true
  (cd "$place" && in_apt "$place" apt-get download --print-uris "linux-source-$version") >"$place/uris" \
      2>>"$place/log"
}

# settle TREE TARGET ORIGIN: gives a complete tree its name.
settle() {
  [[ -f $1/Makefile && -f $1/mm/memory.c ]] || fail 3 "$3 holds no kernel source"
  printf '%s\n' "$3" >"$2.origin"
  mv -T "$1" "$2"
}

# fetch VERSION ROOT
fetch() {
  local version=$1 root=$2
  local name=linux-source-$version
  local target=$root/sources/$name
  [[ $version =~ ^[0-9]+\.[0-9]+$ ]] || fail 2 "'$version' is no version; write 6.12, 7.2 or 7.3"
  [[ ! -d $target ]] || return 0
  begin "$root/sources" sources
  [[ ! -d $target ]] || return 0
  enough_space "$root/sources" 2500000 "unpacking $name"
  mkdir "$work/tree"
  local installed=${MMDIFF_LINUX_SOURCE_DIR:-/usr/src}/$name.tar.xz
  if [[ -f $installed ]]; then
    say "unpacking $installed"
    tar -xJf "$installed" -C "$work/tree" --strip-components=1 --no-same-owner || unpack_failed "$installed"
    settle "$work/tree" "$target" "$name from $installed"
    return 0
  fi
  local etc=${MMDIFF_APT_ETC:-/etc/apt} suite found=
  command -v apt-get >/dev/null ||
    fail 3 "there is no apt-get here, so no $name; unpack a kernel source and give it with --tree"
  [[ -n $(candidates "$etc" "$work" sid) ]] ||
    fail 3 "$etc names no Debian archive, so no $name; unpack a kernel source and give it with --tree"
  while read -r suite; do
    say "looking for $name in ${suite/#machine/the suites of this machine}"
    if look_in "$work/$suite" "$suite" "$version" "$etc"; then
      found=$suite
      break
    fi
  done < <(suites_for "$version")
  [[ -n $found ]] || not_found "$version"
  download "$work/$found" "$name" "$target"
}

# not_found VERSION: nothing has it. Says what there is, or what went wrong.
not_found() {
  local there errors
  there=$(cat "$work"/*/there | sort -Vu | sed 's/^linux-source-//' | tr '\n' ' ')
  errors=$(grep -h '^[EW]: ' "$work"/*/log | grep -v 'Unable to locate package\|No packages found' | sort -u | head -n 8 || true)
  if [[ -z $there ]]; then
    if [[ -n $errors ]]; then printf '%s\n' "$errors" >&2; fi
    fail 3 "no list of Debian packages could be had; is there a network? apt's words are above." \
           "A source that is on this machine can be given with --tree"
  fi
  fail 2 "Debian has no linux-source-$1 (any more); there are: ${there% }. Another source can be given with --tree"
}

# download PLACE NAME TARGET
download() {
  local place=$1 name=$2 target=$3 size deb version
  size=$(awk -v n="$name" '$2 ~ "^" n "_" { print int($3 / 1000000); exit }' "$place/uris")
  say "downloading $name (${size:-?} MB)"
  # apt ends with 0 also where the file did not come; the file counts.
  (cd "$place" && in_apt "$place" apt-get -qq download "$name") >>"$place/log" 2>&1 || true
  deb=$(find "$place" -maxdepth 1 -name "${name}_*.deb" | head -n 1)
  if [[ -z $deb ]]; then
    tail -n 5 "$place/log" >&2
    fail 3 "downloading $name failed (see above); run again"
  fi
  version=$(dpkg-deb -f "$deb" Version) || unpack_failed "$deb"
  say "unpacking $name $version"
  dpkg-deb --fsys-tarfile "$deb" | tar -xO "./usr/src/$name.tar.xz" | xz -dc |
    tar -x -C "$work/tree" --strip-components=1 --no-same-owner || unpack_failed "$name"
  settle "$work/tree" "$target" "$name $version"
}

# revision DIR COMMIT ROOT: the user's work tree and index are not looked at.
revision() {
  local dir=$1 commit=$2 root=$3
  [[ $commit =~ ^[0-9a-f]{40,64}$ ]] || fail 2 "'$commit' is no full commit"
  local target=$root/sources/rev-${commit:0:12}
  [[ ! -d $target ]] || return 0
  begin "$root/sources" sources
  [[ ! -d $target ]] || return 0
  enough_space "$root/sources" 2000000 "extracting a revision"
  mkdir "$work/tree"
  say "extracting ${commit:0:12} of $dir"
  git -C "$dir" archive --format=tar "$commit" | tar -x -C "$work/tree" --no-same-owner ||
    unpack_failed "${commit:0:12} of $dir"
  settle "$work/tree" "$target" "$commit of $dir"
}

main() {
  case ${1:-}/$# in
    fetch/3) fetch "$2" "$3" ;;
    revision/4) revision "$2" "$3" "$4" ;;
    archives/1)
      work=$(mktemp -d)
      trap 'rm -rf "$work"' EXIT
      debian_entries "${MMDIFF_APT_ETC:-/etc/apt}" "$work"
      ;;
    *)
      printf 'usage: %s fetch VERSION ROOT | revision DIR COMMIT ROOT | archives\n' "$0" >&2
      exit 2
      ;;
  esac
}
if [[ ${BASH_SOURCE[0]} = "$0" ]]; then main "$@"; fi
