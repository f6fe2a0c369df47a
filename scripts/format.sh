#!/bin/sh
# Lay out the C code as PostgreSQL does.
#
#   scripts/format.sh [FILE]...           rewrite the files that need it
#   scripts/format.sh --check [FILE]...   print what would change, and fail if
#                                         anything would
#
# The options are those of PostgreSQL's own pgindent, and tidy() repairs what
# pg_bsd_indent gets wrong, as pgindent does.
set -eu
cd "$(dirname "$0")/.."
. scripts/common.sh

# The star of a returned pointer, designated initializers, and attributes in
# front of a function's name.
tidy() {
  sed -E -e 's/^([A-Za-z_][^ \t]*)[ \t]+\*$/\1 */' -e 's/,\.([a-z_]+ =)/, .\1/g' \
    -e '/^static void$/ { N; s/\n(pg_attribute_[a-z]+\(\))$/ \1/ }'
}

not_ascii() {
  LC_ALL=C tr -cd '\200-\377' | cksum
}

check=
if [ "${1:-}" = --check ]; then
  check=yes
  shift
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
make -s
make -s bridge
make -s -C demo
scripts/typedefs.sh >"$work/typedefs"

status=0
if [ $# -gt 0 ]; then
  printf '%s\n' "$@"
else
  find extension bridge demo test -name '*.[ch]' ! -path '*/node_modules/*' ! -path '*/build/*' | sort
fi >"$work/files"
while read -r file; do
  pg_bsd_indent -bad -bap -bbb -bc -bl -cli1 -cp33 -cdb -nce -d0 -di12 -nfc1 -i4 \
    -l79 -lp -lpl -nip -npro -sac -tpg -ts4 -U"$work/typedefs" "$file" "$work/out" 2>"$work/err" || {
    # mostly a variable that has the name of a type
    say "$file: pg_bsd_indent cannot read it: $(head -n 1 "$work/err")" >&2
    status=1
    continue
  }
  tidy <"$work/out" >"$work/tidy"
  if [ "$(not_ascii <"$file")" != "$(not_ascii <"$work/tidy")" ]; then
    say "$file: pg_bsd_indent spoils what is not ASCII outside of comments: write it otherwise" >&2
    status=1
    continue
  fi
  if ! cmp -s "$file" "$work/tidy"; then
    if [ -n "$check" ]; then
      diff -u --label "$file" --label "$file, laid out" "$file" "$work/tidy" || true
      status=1
    else
      cat "$work/tidy" >"$file"
      say "$file"
    fi
  fi
done <"$work/files"
exit $status
