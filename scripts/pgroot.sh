#!/bin/sh
# Make a private copy of the installed PostgreSQL, with this extension in it.
#
#   scripts/pgroot.sh DIR
#
# PostgreSQL finds its libraries and its share directory relative to where its
# programs really are.  So DIR gets copies of the programs, links to all else,
# and the freshly built extension: the system's own PostgreSQL is not touched,
# root is not needed, and removing DIR removes every installed file.
#
# Prints the directory of the programs (put it first in PATH).
set -eu
umask 022
cd "$(dirname "$0")/.."
. scripts/common.sh

[ $# -eq 1 ] || die "usage: scripts/pgroot.sh DIR"
config=$(pg_config_path)
[ -n "$config" ] || die "pg_config not found: scripts/packages.sh build installs it"
mkdir -p "$1"
root=$(cd "$1" && pwd)
[ -f "$root/.pgroot" ] || rmdir "$root" || die "$root holds something else"
rm -rf "$root"
mkdir "$root"
: >"$root/.pgroot"

# Every entry of a directory as a link of the same name.
link_all() {
  mkdir -p "$root$1"
  for entry in "$1"/*; do
    [ ! -e "$entry" ] || ln -sfn "$entry" "$root$entry"
  done
}

bindir=$("$config" --bindir)
sharedir=$("$config" --sharedir)
mkdir -p "$root$bindir"
cp -Lf "$bindir"/* "$root$bindir/"
link_all "$("$config" --pkglibdir)"
link_all "$sharedir"

# The links of what make install writes to must become plain directories, or
# it would write through them.  Nor may an installed version shine through.
rm -f "$root$("$config" --pkglibdir)/bitcode" "$root$("$config" --pkglibdir)/sync_progress.so"
rm -f "$root$sharedir/extension"
link_all "$sharedir/extension"
rm -f "$root$sharedir/extension/sync_progress"*

${MAKE:-make} -s install DESTDIR="$root" PG_CONFIG="$config" >/dev/null
printf '%s\n' "$root$bindir"
