#!/bin/sh
# Build a PostgreSQL that looks at itself: with assertions, and telling valgrind
# what its memory is used for.
#
#   scripts/pgdebug.sh DIR
#
# The source is the one that the distribution builds its own package from, of
# the same major version as the one in use; if its archive has no source of the
# very latest minor version, the newest that it has.  Everything is in DIR; no
# list of this machine's apt is touched.  That takes some minutes of a
# processor, once: what is there already is used again.
#
# Prints the path of its pg_config.  It has pgTAP, if the one in use has.
set -eu
umask 022
cd "$(dirname "$0")/.."
. scripts/common.sh

[ $# -eq 1 ] || die "usage: scripts/pgdebug.sh DIR"
# Its makefiles make its generated headers only where they are the first make.
unset MAKELEVEL MAKEFLAGS MFLAGS
installed=$(pg_config_path)
[ -n "$installed" ] || die "pg_config not found: scripts/packages.sh check installs it"
major=$("$installed" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/')
mkdir -p "$1"
dir=$(cd "$1" && pwd)
log=$dir/build.log

apt() {
  program=$1
  shift
  (cd "$dir" && "$program" -q -o Dir::State::Lists="$dir/lists" -o Dir::Cache="$dir/cache" \
    -o Dir::Etc::SourceList="$dir/sources.list" -o Dir::Etc::SourceParts=- "$@")
}

# The newest that can be had: an archive may list a source that it lacks.
download() {
  for version in $(apt apt-cache showsrc "postgresql-$major" | sed -n 's/^Version: //p' | sort -rVu); do
    ! apt apt-get source --download-only "postgresql-$major=$version" || return 0
  done
  return 1
}

get_source() {
  mkdir -p "$dir/lists/partial" "$dir/cache/archives/partial"
  # whence the packages are, but their sources
  # shellcheck disable=SC2016 # these are apt's
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' | sort -u |
    sed 's|^|deb-src |' >"$dir/sources.list"
  apt apt-get update
  download || return
  rm -rf "$dir/source"
  mkdir "$dir/source"
  tar -x --strip-components=1 -C "$dir/source" -f "$(find "$dir" -maxdepth 1 -name "postgresql-${major}_*.orig.tar.*[2z]" | sort -V | tail -n 1)"
}

# -Og, for at -O2 valgrind's reports point to lines that are not there any more.
build() {
  (cd "$dir/source" &&
    ./configure --prefix="$dir/pg" --enable-cassert --enable-debug --enable-tap-tests --with-libxml \
      --without-readline --without-zlib --without-icu CPPFLAGS=-DUSE_VALGRIND CFLAGS='-Og -g' &&
    make -s -j2 && make -s install &&
    # what an extension's tests need of it
    make -s -C src/test/isolation install && make -s -C src/test/perl install) &&
    cp "$dir/source/src/tools/valgrind.supp" "$dir/valgrind.supp"
}

if [ ! -f "$dir/complete" ]; then
  say "Building PostgreSQL $major with assertions for valgrind: some minutes (log: $log)" >&2
  { get_source && build; } >"$log" 2>&1 || { tail -n 20 "$log" >&2; die "PostgreSQL could not be built: see $log"; }
  : >"$dir/complete"
fi
config=$dir/pg/bin/pg_config
for file in "$("$installed" --sharedir)"/extension/pgtap*; do
  [ ! -e "$file" ] || cp -f "$file" "$("$config" --sharedir)/extension/"
done
"$config" --version >&2
printf '%s\n' "$config"
