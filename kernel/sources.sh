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

say() { printf 'mmdiff: %s\n' "$*" >&2; }
fail() {
  local code=$1
  shift
  say "$*"
  exit "$code"
}

# Suites of Debian by their names; a third party's suite of the same name is told apart by candidates().
readonly suite_words='bookworm|trixie|forky|duke|sid|oldoldstable|oldstable|stable|testing|unstable|experimental|rc-buggy'

# one_line_entries FILE...: the `deb` lines of sources.list files as URI|suite|components|key file.
one_line_entries() {
  awk '
    { sub(/#.*/, "") }
    $1 != "deb" { next }
    {
      line = $0; key = ""
      sub(/^[ \t]*deb[ \t]+/, "", line)
      if (line ~ /^\[/) {
        options = substr(line, 2, index(line, "]") - 2)
        line = substr(line, index(line, "]") + 1)
        n = split(options, option, /[ \t]+/)
        for (i = 1; i <= n; ++i)
          if (tolower(option[i]) ~ /^signed-by=/) key = substr(option[i], index(option[i], "=") + 1)
      }
      n = split(line, word, /[ \t]+/)
      first = word[1] == "" ? 2 : 1
      components = ""
      for (i = first + 2; i <= n; ++i) components = components (components == "" || word[i] == "" ? "" : " ") word[i]
      if (components != "") print word[first] "|" word[first + 1] "|" components "|" key
    }' "$@"
}

# deb822_entries KEYS FILE...: the same of *.sources files; a key that stands in the file itself goes to the
# directory KEYS.
deb822_entries() {
  local keys=$1
  shift
  awk -v keys="$keys" '
    function flush(    uri, suite, i, j, nu, ns, key) {
      if (!("uris" in field)) { delete field; return }
      key = field["signed-by"]
      if (key ~ /BEGIN PGP/) {
        ++count
        key = keys "/key-" count ".asc"
        sub(/^[ \t\n]+/, "", field["signed-by"])
        print field["signed-by"] > key
        close(key)
      }
      gsub(/[ \t\n]+/, " ", key)
      sub(/^ /, "", key); sub(/ $/, "", key)
      if (tolower(field["enabled"]) !~ /^[ \t]*(no|false|off|without|disable|0)[ \t]*$/ &&
          (" " field["types"] " ") ~ /[ \t\n]deb[ \t\n]/) {
        nu = split(field["uris"], uri, /[ \t\n]+/)
        ns = split(field["suites"], suite, /[ \t\n]+/)
        gsub(/[ \t\n]+/, " ", field["components"])
        sub(/^ /, "", field["components"]); sub(/ $/, "", field["components"])
        for (i = 1; i <= nu; ++i)
          for (j = 1; j <= ns; ++j)
            if (uri[i] != "" && suite[j] != "") print uri[i] "|" suite[j] "|" field["components"] "|" key
      }
      delete field
    }
    FNR == 1 && NR != 1 { flush() }
    /^#/ { next }
    /^[ \t]*$/ { flush(); name = ""; next }
    /^[ \t]/ {
      line = $0
      sub(/^[ \t]/, "", line)
      if (line == ".") line = ""
      if (name != "") field[name] = field[name] "\n" line
      next
    }
    {
      name = tolower(substr($0, 1, index($0, ":") - 1))
      field[name] = substr($0, index($0, ":") + 1)
    }
    END { flush() }' "$@"
}

# entries ETC KEYS: everything that apt with the configuration directory ETC installs from.
entries() {
  local etc=$1 keys=$2 lines=() stanzas=() file
  for file in "$etc/sources.list" "$etc"/sources.list.d/*.list; do
    if [[ -f $file ]]; then lines+=("$file"); fi
  done
  for file in "$etc"/sources.list.d/*.sources; do
    if [[ -f $file ]]; then stanzas+=("$file"); fi
  done
  if ((${#lines[@]})); then one_line_entries "${lines[@]}"; fi
  if ((${#stanzas[@]})); then deb822_entries "$keys" "${stanzas[@]}"; fi
}

# debian_entries ETC KEYS: those that are Debian's, by the names of suite and component.
debian_entries() {
  entries "$1" "$2" | awk -F'|' -v words="^($suite_words)(-(updates|security|backports|proposed-updates)|/updates)?\$" '
    $2 ~ words && (" " $3 " ") ~ / main / && $1 !~ /^cdrom:/ && !seen[$0]++'
}

# candidates ETC KEYS: URI|key file of what may be the Debian main archive, the likeliest first.
candidates() {
  debian_entries "$1" "$2" | awk -F'|' '
    $2 ~ /-security$|\/updates$/ { next }
    {
      score = 0
      if ($4 == "" || $4 ~ /debian-archive/) score += 2
      if ($1 ~ /\/debian(\.list)?\/?$/) score += 1
      if (!seen[$1 "|" $4]++) print score "|" $1 "|" $4
    }' | sort -t'|' -k1,1nr -s | cut -d'|' -f2-
}

# stanza URI SUITE KEY: one source for apt.
stanza() {
  printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$1" "$2"
  if [[ -n $3 ]]; then
    printf 'Signed-By: %s\n' "$3"
  elif [[ -f /usr/share/keyrings/debian-archive-keyring.gpg ]]; then
    printf 'Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n'
  fi
  printf '\n'
}

# private_apt PLACE: an apt of its own in the directory PLACE, for PLACE/debian.sources. Of the machine's configuration
# only the ways to the network (proxies, timeouts) are taken over: no hooks, no pins, no leave to skip signatures.
private_apt() {
  local place=$1
  mkdir -p "$place/lists/partial" "$place/cache/archives/partial" "$place/no-parts"
  {
    apt-config dump | grep '^Acquire::' | grep -Ev '^Acquire::(Allow|IndexTargets|Languages)' || true
    cat <<CONF
Dir::Etc::main "/dev/null";
Dir::Etc::parts "$place/no-parts";
Dir::Etc::sourcelist "$place/debian.sources";
Dir::Etc::sourceparts "$place/no-parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "$place/no-parts";
Dir::State::lists "$place/lists";
Dir::Cache "$place/cache";
Debug::NoLocking "1";
APT::Sandbox::User "$(id -un)";
APT::Default-Release "";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::Retries "3";
CONF
  } >"$place/apt.conf"
}
# in_apt PLACE COMMAND...: runs apt-get or apt-cache with that configuration.
in_apt() {
  local place=$1
  shift
  APT_CONFIG="$place/apt.conf" LC_ALL=C "$@"
}

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
  local place=$1 suite=$2 version=$3 etc=$4 uri key
  mkdir -p "$place"
  private_apt "$place"
  : >"$place/there"
  : >"$place/log"
  if [[ $suite = machine ]]; then
    while IFS='|' read -r uri suite _ key; do
      stanza "$uri" "$suite" "$key"
    done < <(debian_entries "$etc" "$place") >"$place/debian.sources"
    refresh "$place" || return 1
  else
    local done=no
    while IFS='|' read -r uri key; do
      stanza "$uri" "$suite" "$key" >"$place/debian.sources"
      if refresh "$place"; then
        done=yes
        break
      fi
    done < <(candidates "$etc" "$place")
    [[ $done = yes ]] || return 1
  fi
  in_apt "$place" apt-cache pkgnames linux-source- | grep -E '^linux-source-[0-9]+\.[0-9]+$' | sort -V \
      >"$place/there" || true
  (cd "$place" && in_apt "$place" apt-get download --print-uris "linux-source-$version") >"$place/uris" \
      2>>"$place/log"
}

# refresh PLACE: gets the lists. A suite without a list that can be verified counts as a failure.
refresh() {
  if in_apt "$1" apt-get -qq -o APT::Update::Error-Mode=any update >>"$1/log" 2>&1; then return 0; fi
  return 1
}

# enough_space DIR KIB WHAT
enough_space() {
  local free
  free=$(df -Pk "$1" | awk 'NR == 2 { print $4 }')
  [[ $free =~ ^[0-9]+$ ]] && ((free < $2)) &&
    fail 3 "$3 needs $(($2 / 1024)) MiB in $1, and $((free / 1024)) MiB are free; make room, or set MMDIFF_KERNELS" \
           "to a directory on another disk"
  return 0
}

# begin ROOT: makes ROOT/sources, takes its lock, and a directory of its own in it, $work, gone at the end.
begin() {
  mkdir -p "$1/sources" || fail 3 "$1 cannot be written; set MMDIFF_KERNELS to a directory that can"
  exec 9>"$1/sources/.lock"
  if ! flock -n 9; then
    say "another process is getting sources; waiting for it"
    flock 9
  fi
  # What an earlier run that was killed has left: nobody else holds the lock.
  rm -rf "$1"/sources/.new-*
  work=$(mktemp -d "$1/sources/.new-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
}

# settle TREE TARGET ORIGIN: gives a complete tree its name.
settle() {
  [[ -f $1/Makefile && -f $1/mm/memory.c ]] || fail 3 "$3 holds no kernel source"
  printf '%s\n' "$3" >"$2.origin"
  mv -T "$1" "$2"
}

# unpack_failed WHAT
unpack_failed() {
  fail 3 "unpacking $1 failed (see above); a full disk and a broken download are the usual reasons: make room in" \
         "$work and run again"
}

# fetch VERSION ROOT
fetch() {
  local version=$1 root=$2
  local name=linux-source-$version
  local target=$root/sources/$name
  [[ $version =~ ^[0-9]+\.[0-9]+$ ]] || fail 2 "'$version' is no version; write 6.12, 7.2 or 7.3"
  [[ ! -d $target ]] || return 0
  begin "$root"
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
  [[ -n $(candidates "$etc" "$work") ]] ||
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
  begin "$root"
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
