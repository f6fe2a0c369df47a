#!/bin/sh
# Print the names of all types that the C code uses, which pg_bsd_indent must
# know to tell a declaration from a multiplication.  They are read from the
# debugging information of everything built, so no list can be out of date, and
# from our own headers, which may define what nothing uses by that name.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh

{
  find extension bridge demo test -name '*.o' ! -path '*/node_modules/*' |
    while read -r object; do
      objdump --dwarf=info "$object"
    done |
    awk '/DW_TAG_/ { typedef = /DW_TAG_typedef/ } typedef && /DW_AT_name/ { print $NF; typedef = 0 }'
  find extension bridge demo test -name '*.[ch]' ! -path '*/node_modules/*' -exec \
    sed -n 's/^}[ \t]*\([A-Za-z_][A-Za-z0-9_]*\);$/\1/p; s/^typedef .*[ *]\([A-Za-z_][A-Za-z0-9_]*\);$/\1/p' {} +
} | sort -u
