# Shared by ./mmdiff and the scripts here: finding packages, installing them, configuring and building.
# Needs `root` (the source tree) and `build` (where the build trees go). POSIX sh; to be sourced.
# shellcheck shell=sh disable=SC2154

say() { printf 'mmdiff: %s\n' "$*" >&2; }
die() { say "$*"; exit 3; }

# missing GROUP...: the packages of these groups that are not there, one a line.
missing() {
  awk -v groups=" $* " '!/^#/ && NF >= 3 && index(groups, " " $1 " ") { print $2, $3 }' \
      "$root/ci/packages.txt" | while read -r package sign; do
    case $sign in
      /*) [ -e "$sign" ] || echo "$package" ;;
      *) command -v "$sign" >/dev/null 2>&1 || echo "$package" ;;
    esac
  done
}

# need GROUP...: installs what is missing of these groups, or says how to and ends.
need() {
  lacking=$(missing "$@" | tr '\n' ' ')
  lacking=${lacking% }
  [ -n "$lacking" ] || return 0
  by_hand="apt-get update && apt-get install -y --no-install-recommends $lacking"
  command -v apt-get >/dev/null 2>&1 ||
    die "missing: $lacking
mmdiff: there is no apt-get here; install these (Debian names) by hand and run again."
  if [ "${MMDIFF_NO_INSTALL:-0}" = 1 ]; then
    die "missing, and MMDIFF_NO_INSTALL is set. Run as root:
  $by_hand"
  fi
  if [ "$(id -u)" = 0 ]; then
    as_root=
  elif command -v sudo >/dev/null 2>&1 && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    as_root='sudo env'
  else
    die "missing, and this user may not install packages. Run as root:
  $by_hand"
  fi
  mkdir -p "$build"
  say "installing from Debian: $lacking (log: $build/install.log)"
  # shellcheck disable=SC2086  # the lists are words on purpose
  if ! { $as_root apt-get -o DPkg::Lock::Timeout=300 update &&
         $as_root ${as_root:+DEBIAN_FRONTEND=noninteractive} apt-get \
           -o DPkg::Lock::Timeout=300 install -y --no-install-recommends $lacking; } \
         </dev/null >"$build/install.log" 2>&1; then
    tail -n 15 "$build/install.log" >&2
    die "the installation failed. Put it right, or run as root:
  $by_hand"
  fi
  lacking=$(missing "$@" | tr '\n' ' ')
  [ -z "$lacking" ] || die "installed, but still not found: $lacking"
}

# Says what goes on while process $1 runs, from the last line of log $2, about the work $3.
hint() {
  seconds=0
  while sleep 1 && kill -0 "$1" 2>/dev/null; do
    seconds=$((seconds + 1))
    if [ -t 2 ]; then
      printf '\rmmdiff: %s: %s %s\033[K' "$3" "$(tail -n 1 "$2" | sed -n 's/^\(\[[0-9]*\/[0-9]*\]\).*/\1/p')" \
             "${seconds}s" >&2
    elif [ "$seconds" = 1 ] || [ $((seconds % 30)) = 0 ]; then
      say "$3: $(tail -n 1 "$2" | sed -n 's/^\(\[[0-9]*\/[0-9]*\]\).*/\1/p') (${seconds}s; log: $2)"
    fi
  done
  if [ -t 2 ] && [ "$seconds" -gt 0 ]; then printf '\r\033[K' >&2; fi
}

# make PRESET TARGET...: configures the preset's tree if needed and builds the targets, quietly.
make() {
  preset=$1
  shift
  tree=$build/$preset
  log=$tree/build.log
  mkdir -p "$tree"
  if [ ! -f "$tree/build.ninja" ]; then
    say "configuring $preset"
    if ! (cd "$root" && cmake --preset "$preset" -B "$tree") </dev/null >"$tree/configure.log" 2>&1; then
      tail -n 30 "$tree/configure.log" >&2
      die "configuring $preset failed (log: $tree/configure.log)"
    fi
  fi
  : >"$log"
  (
    # One build of a tree at a time.
    if command -v flock >/dev/null 2>&1; then exec 9>"$tree/.lock" && flock 9; fi
    exec ninja -C "$tree" ${MMDIFF_BUILD_JOBS:+-j "$MMDIFF_BUILD_JOBS"} "$@"
  ) </dev/null >"$log" 2>&1 &
  builder=$!
  hint "$builder" "$log" "building $preset" &
  hinter=$!
  trap 'kill "$builder" "$hinter" 2>/dev/null || true; exit 130' INT TERM
  failed=0
  wait "$builder" || failed=$?
  kill "$hinter" 2>/dev/null || true
  wait "$hinter" 2>/dev/null || true
  trap - INT TERM
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
  if [ "$failed" != 0 ]; then
    grep -v '^\[[0-9]*/[0-9]*\]' "$log" | tail -n 60 >&2
    die "building $preset failed (log: $log)"
  fi
}

# need_tests: the tests of the tree of preset $1 are configured; the libraries may have come later than the tree.
need_tests() {
  if [ -f "$build/$1/CMakeCache.txt" ] &&
     grep -Eq '^(GTest|benchmark)_DIR:PATH=.*NOTFOUND' "$build/$1/CMakeCache.txt"; then
    rm -f "$build/$1/build.ninja"
  fi
}
