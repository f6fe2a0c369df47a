#!/bin/bash
# Run every test: install what is missing, build with warnings as errors, and
# run each suite against a PostgreSQL of its own.  "make check" runs this.
#
#   CHECK_ONLY="sql unit"  only these suites (see below for their names)
#   CHECK_TOOL=sanitize    (or valgrind, valgrind-server) the C code's suites under that (tool.sh)
#   PGDEBUG_DIR=DIR        keep the PostgreSQL that valgrind-server needs there
#   CHECK_KEEP=1           keep the working directory, logs and all
#
# The tests work in a copy, below /tmp: the checkout stays as it is, and under
# root the copy belongs to the unprivileged user that everything runs as, which
# PostgreSQL insists on.
set -euo pipefail
umask 022
cd "$(dirname "$0")/.."
. scripts/common.sh

scripts/packages.sh check
case ${CHECK_TOOL:=} in
sanitize | valgrind | valgrind-server) scripts/packages.sh "$CHECK_TOOL" ;;
?*) die "CHECK_TOOL is sanitize, valgrind or valgrind-server" ;;
esac

work=$(mktemp -d /tmp/sync-progress-check.XXXXXX)
runner=

# Children first: what the suites have started is theirs to end, but a runner
# that was interrupted may have had no time to.
finish() {
  local status=$?
  trap '' INT TERM HUP
  if [ -n "$runner" ] && kill -0 "$runner" 2>/dev/null; then
    kill -TERM "$runner" 2>/dev/null || true
    wait "$runner" 2>/dev/null || true
  fi
  if [ -d "$work/screenshots" ]; then
    mkdir -p test/tmp
    rm -rf test/tmp/screenshots
    cp -R "$work/screenshots" test/tmp/screenshots
  fi
  if [ $status -ne 0 ] || [ -n "${CHECK_KEEP:-}" ]; then
    say "Logs are in $work/logs"
  else
    rm -rf "$work"
  fi
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

scripts/copytree.sh "$work/tree"
mkdir -p "$work/home"
chmod 755 "$work"
if is_root; then chown -R "$(run_user)": "$work"; fi

if [ "$CHECK_TOOL" = valgrind-server ]; then
  debug=$(realpath -m "${PGDEBUG_DIR:-$work/pgdebug}")
  mkdir -p "$debug"
  if is_root; then chown "$(run_user)": "$debug"; fi
  PG_CONFIG=$(as_user "$work/tree/scripts/pgdebug.sh" "$debug")
  export PG_CONFIG
fi

for name in $(compgen -e PG) $(compgen -e SYNC_PROGRESS_); do
  [ "$name" = PG_CONFIG ] || unset "$name"
done
exec_as_user env HOME="$work/home" WORK="$work" "$work/tree/scripts/suites.sh" &
runner=$!
wait "$runner"
