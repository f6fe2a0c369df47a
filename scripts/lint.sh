#!/bin/sh
# Everything that can be found without running the code: warnings as errors,
# cppcheck, the layout of the C code, shellcheck.
set -eu
umask 022
cd "$(dirname "$0")/.."
. scripts/common.sh

scripts/packages.sh lint
scripts/packages.sh build

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
scripts/copytree.sh "$copy"

step() {
  say "== $1"
  shift
  "$@" || failed="$failed
  $*"
}

failed=
step 'warnings: extension' make -s -C "$copy" -j2 WERROR=1
step 'warnings: bridge' make -s -C "$copy/bridge" -j2 WERROR=1
step 'warnings: demo' make -s -C "$copy/demo" WERROR=1
step 'warnings: load' make -s -C "$copy/test/load" WERROR=1
# nullPointerRedundantCheck takes a check of a list's or a callback's state for
# one of the pointer at hand, across functions: only false alarms so far
step 'cppcheck' cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
  --enable=warning,performance,portability --suppress=unknownMacro --suppress=nullPointerRedundantCheck \
  --suppress='*:/usr/include/*' -j2 extension bridge demo test/bench test/load
step 'layout' "$copy/scripts/format.sh" --check
# shellcheck disable=SC2046 # no name here has a space
step 'scripts' shellcheck -x $(find scripts demo .ci test -type f \( -name '*.sh' -o -name run \) ! -path '*/node_modules/*')
[ -z "$failed" ] || die "failed:$failed"
say "Nothing found."
