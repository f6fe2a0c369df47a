#!/bin/sh
# Lay out the C code as PostgreSQL does.
#
#   scripts/format.sh           rewrite the files that need it
#   scripts/format.sh --check   print what would change, and fail if anything
#
# The options are those of PostgreSQL's own pgindent.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s
make -s bridge
make -s -C demo
scripts/typedefs.sh >"$work/typedefs"

status=0
find extension bridge demo test -name '*.[ch]' ! -path '*/node_modules/*' ! -path '*/build/*' | sort >"$work/files"
while read -r file; do
  pg_bsd_indent -bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 \
    -l79 -lp -lpl -nip -npro -sac -tpg -ts4 -U"$work/typedefs" "$file" "$work/out" 2>"$work/err" ||
    { cat "$work/err" >&2; die "pg_bsd_indent failed on $file"; }
  if ! cmp -s "$file" "$work/out"; then
    if [ "${1:-}" = --check ]; then
      diff -u --label "$file" --label "$file, laid out" "$file" "$work/out" || true
      status=1
    else
      cp "$work/out" "$file"
      say "$file"
    fi
  fi
done <"$work/files"
exit $status
