# Shared by sources.sh and guest/images.sh: an apt of one's own that gets Debian's packages from suites which the
# machine does not install from. To be sourced by bash; does nothing by itself.
#
# Nothing of the machine changes: lists, cache and configuration lie in a directory of the caller's, derived at run time
# from the machine's apt sources, as any user. Signatures are verified as always; nothing is installed.
# shellcheck shell=bash

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

# candidates ETC KEYS SUITE: URI|key file of what may be the Debian archive that has SUITE, the likeliest first: that of
# security updates for a suite of these, else the main one.
candidates() {
  debian_entries "$1" "$2" | awk -F'|' -v wanted="$3" '
    function security(suite) { return suite ~ /-security$|\/updates$/ }
    security($2) != security(wanted) { next }
    {
      score = 0
      if ($4 == "" || $4 ~ /debian-archive/) score += 2
      if ($1 ~ /\/debian(-security)?(\.list)?\/?$/) score += 1
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
Dir::State::status "/dev/null";
Dir::Cache "$place/cache";
Dir::Cache::srcpkgcache "";
Debug::NoLocking "1";
APT::Sandbox::User "$(id -un)";
APT::Default-Release "";
APT::Get::AllowUnauthenticated "false";
Acquire::AllowInsecureRepositories "false";
Acquire::Languages "none";
Acquire::PDiffs "false";
Acquire::GzipIndexes "true";
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

# refresh PLACE: gets the lists. A suite without a list that can be verified counts as a failure.
refresh() {
  if in_apt "$1" apt-get -qq -o APT::Update::Error-Mode=any update >>"$1/log" 2>&1; then return 0; fi
  return 1
}

# open_suite PLACE SUITE ETC: makes the directory PLACE an apt with the lists of SUITE; "machine" is what the machine
# with the configuration ETC installs from. Fails if there is no list that can be verified; why is in PLACE/log.
open_suite() {
  local place=$1 wanted=$2 etc=$3 uri suite key
  mkdir -p "$place"
  private_apt "$place"
  : >"$place/log"
  if [[ $wanted = machine ]]; then
    while IFS='|' read -r uri suite _ key; do
      stanza "$uri" "$suite" "$key"
    done < <(debian_entries "$etc" "$place") >"$place/debian.sources"
    refresh "$place"
    return
  fi
  while IFS='|' read -r uri key; do
    stanza "$uri" "$wanted" "$key" >"$place/debian.sources"
    if refresh "$place"; then return 0; fi
  done < <(candidates "$etc" "$place" "$wanted")
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

# begin DIR WHAT: makes DIR, takes its lock, and a directory of its own in it, $work, gone at the end. WHAT is what
# another process that has the lock is said to be getting.
begin() {
  mkdir -p "$1" || fail 3 "$1 cannot be written; set MMDIFF_KERNELS to a directory that can"
  exec 9>"$1/.lock"
  if ! flock -n 9; then
    say "another process is getting $2; waiting for it"
    flock 9
  fi
  # What an earlier run that was killed has left: nobody else holds the lock.
  rm -rf "$1"/.new-*
  work=$(mktemp -d "$1/.new-XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 130' INT TERM HUP
}

# unpack_failed WHAT
unpack_failed() {
  fail 3 "unpacking $1 failed (see above); a full disk and a broken download are the usual reasons: make room in" \
         "$work and run again"
}

