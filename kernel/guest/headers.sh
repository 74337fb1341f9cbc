# Shared by images.sh: unpacks the headers of a kernel package so that modules can be built with them where they lie and
# with what the machine has. To be sourced by bash after kernel/apt.sh, from images.sh.
#
# The packages are meant to be installed, on the suite they are of. Here they are only unpacked, perhaps on an older
# Debian, so: their absolute paths become relative ones; the compiler is that of the packages only if it is there; and
# programs among them that need newer libraries than the machine has get these, unpacked beside them.
# shellcheck shell=bash disable=SC2154

# The programs that building a module runs.
readonly kbuild_tools='scripts/basic/fixdep scripts/mod/modpost scripts/mod/modpost.real-lsb-64
  scripts/genksyms/genksyms tools/objtool/objtool tools/objtool/objtool.real-x86'

# get_headers PLACE RELEASE PACKAGE_VERSION DIR
get_headers() {
  local place=$1 release=$2 package_version=$3 dir=$4 abi kbuild
  abi=${release%-cloud-amd64}
  kbuild=linux-kbuild-$abi
  if ! grep -qE "^ *$(sed 's/[+.]/\\&/g' <<<"$kbuild") " "$lists/$place/packages"; then
    kbuild=linux-kbuild-$(cut -d. -f1,2 <<<"$abi")
  fi
  download "$lists/$place" "$work/header-debs" "linux-headers-$release=$package_version" \
    "linux-headers-$abi-common=$package_version" "$kbuild=$package_version"
  unpack "$work/header-debs" "$dir"
  rm -rf "$dir/usr/share" "$dir/usr/lib/modules" "$dir/lib"
  place_headers "$dir" "$release" "$abi"
  run_tools_here "$dir" "$(echo "$dir"/usr/lib/linux-kbuild-*)" "$place"
}

# place_headers DIR RELEASE ABI: makes DIR/build a tree to build modules with, wherever DIR lies.
place_headers() {
  local dir=$1 build=$1/usr/src/linux-headers-$2 common=linux-headers-$3-common file
  [[ -f $build/Makefile && -f $dir/usr/src/$common/Makefile ]] ||
    fail 3 "the headers of $2 are not where they are looked for; is this mmdiff too old for them?"
  ln -s "usr/src/linux-headers-$2" "$dir/build"
  # make -C goes there, so that this path is relative to it. Packages since 6.19 set KBUILD_OUTPUT, older ones need not.
  {
    if grep -q '^KBUILD_OUTPUT' "$build/Makefile"; then printf 'KBUILD_OUTPUT = $(CURDIR)\n'; fi
    printf 'include ../%s/Makefile\n' "$common"
  } >"$build/Makefile.new"
  mv "$build/Makefile.new" "$build/Makefile"
  # The compiler that the kernel was built with if it is there, else the machine's.
  if [[ -f $build/.kernelvariables ]]; then
    sed -i -E 's/^(CC *=.*\$\(CROSS_COMPILE\))(gcc-[0-9]+) *$/\1$(if $(shell command -v $(CROSS_COMPILE)\2),\2,gcc)/' \
      "$build/.kernelvariables"
  fi
  # Options and attributes that came with gcc 13 to 15; without them the kernel's headers do what older compilers can.
  for file in "$build/include/config/auto.conf" "$build/include/generated/autoconf.h"; do
    if [[ -f $file ]]; then
      sed -i -E '/CONFIG_CC_HAS_(MIN_FUNCTION_ALIGNMENT|COUNTED_BY|ASSUME|MULTIDIMENSIONAL_NONSTRING)/d' "$file"
    fi
  done
  # With the kernel's BTF here, modules would get theirs from pahole, which no guest asks for.
  rm -f "$build/vmlinux"
  if [[ -n $(find "$dir" -lname '/*' -print -quit) ]]; then
    fail 3 "the headers of $2 hold absolute links; is this mmdiff too old for them?"
  fi
}

# run_tools_here DIR KBUILD PLACE: gives the programs in KBUILD that cannot run here the libraries of their own suite.
run_tools_here() {
  local dir=$1 kbuild=$2 tool up libraries missing=()
  for tool in $kbuild_tools; do
    if [[ ! -f $kbuild/$tool ]]; then continue; fi
    libraries=$(ldd "$kbuild/$tool" 2>&1) || true
    if [[ $libraries = *'not found'* ]]; then missing+=("$tool"); fi
  done
  ((${#missing[@]})) || return 0
  get_libraries "$dir/host" "$(base_of "$3")"
  for tool in "${missing[@]}"; do
    up=$(realpath --relative-to="$(dirname -- "$kbuild/$tool")" "$dir/host")
    mv "$kbuild/$tool" "$kbuild/$tool.elf"
    cat >"$kbuild/$tool" <<WRAPPER
#!/bin/sh
here=\$(dirname -- "\$(readlink -f -- "\$0")")
exec "\$here/$up/ld-linux-x86-64.so.2" --library-path "\$here/$up" "\$here/$(basename -- "$tool").elf" "\$@"
WRAPPER
    chmod 755 "$kbuild/$tool"
  done
}

# get_libraries DIR SUITE: the C library and what objtool needs besides.
get_libraries() {
  local dir=$1 suite=$2 package packages=()
  lists "$suite" || fail 3 "the libraries of $suite, which these headers need here, could not be had; run again"
  for package in libc6 zlib1g libzstd1 libelf1t64 libelf1; do
    if [[ -n $(in_apt "$lists/$suite" apt-cache madison "$package" 2>/dev/null) ]]; then packages+=("$package"); fi
  done
  download "$lists/$suite" "$work/library-debs" "${packages[@]}"
  unpack "$work/library-debs" "$work/libraries"
  mkdir -p "$dir"
  find "$work/libraries" -path '*/x86_64-linux-gnu/*' \( -name 'ld-linux-x86-64.so.2' -o -name 'libc.so.6' -o \
    -name 'libz.so.1*' -o -name 'libzstd.so.1*' -o -name 'libelf*.so*' \) ! -path '*/gconv/*' -exec cp -d {} "$dir" \;
  [[ -x $dir/ld-linux-x86-64.so.2 ]] || fail 3 "libc6 of $suite holds no loader where it is looked for"
}
