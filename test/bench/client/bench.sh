#!/bin/bash
# How quickly clients are back after an outage, and how many at a time: ours and
# the stock ones.  "make bench-client" runs this; the table in Markdown goes to
# stdout, how far it is to stderr.
#
#   ROUNDS   of each client and outage; the figures are medians (5)
#   CLIENTS  how many there are of each (200)
#   ONLY     parts, of "sync-progress actioncable anycable" (all)
#
# Everything runs here: PostgreSQL, the bridge, the clients.  In full it takes
# some twenty minutes, and wants a machine that does nothing else.
set -euo pipefail
umask 022
cd "$(dirname "$0")/../../.."
. scripts/common.sh

for name in $(compgen -e PG); do
  [ "$name" = PG_CONFIG ] || unset "$name"
done

scripts/packages.sh client >&2
work=$(mktemp -d /tmp/sync-progress-bench.XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

make -s -j2 >&2
make -s bridge >&2
[ test/node_modules -nt test/package-lock.json ] ||
  { (cd test && npm ci --no-audit --no-fund --loglevel=error) >&2; touch test/node_modules; }
bin=$(scripts/pgroot.sh "$work/root")
PG_CONFIG=$bin/pg_config node test/bench/client/reconnect.mjs
