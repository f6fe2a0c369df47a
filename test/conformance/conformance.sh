#!/bin/bash
# Compare the bridge with a real Action Cable server, frame by frame.  "make
# check-conformance" runs this; arguments are words of the cases to play.
#
# It is not a part of "make check": Ruby and Rails are much to install for one
# comparison that changes only when the protocol does.
set -euo pipefail
umask 022
cd "$(dirname "$0")/../.."
. scripts/common.sh

for name in $(compgen -e PG) $(compgen -e SYNC_PROGRESS_); do
  [ "$name" = PG_CONFIG ] || unset "$name"
done

scripts/packages.sh conformance
work=$(mktemp -d /tmp/sync-progress-conformance.XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

scripts/copytree.sh "$work/tree"
cd "$work/tree"
say "Building"
{
  make -s -j2
  make -s -C bridge -j2
  bin=$(scripts/pgroot.sh "$work/root")
  (cd test && npm ci --no-audit --no-fund --loglevel=error)
} >"$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; die "the build failed"; }
PG_CONFIG="$bin/pg_config" node test/conformance/conform.js "$@"
