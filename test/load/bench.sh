#!/bin/bash
# What the bridge does with many connections, next to a bare loop of send().
# "make bench-bridge" runs this; the table in Markdown goes to stdout, how far
# it is to stderr.
#
#   ONLY             parts, of "fanout memory handshakes sessions storm slow" (all)
#   CONNECTIONS      how many (10000)
#   PAIRS            pairs of runs of bridge and loop (7)
#   MESSAGES, EVERY_MS  messages of such a run (24), and one each so many ms (300)
#   ROUNDS           repetitions of what is not done in pairs (5)
#   IDLE_SECONDS, SESSIONS_SECONDS, SLOW_SECONDS  lengths (20, 300, 60)
#
# Everything runs here: PostgreSQL, the bridge, the clients.  In full it takes
# some fifteen minutes, and wants a machine that does nothing else.
set -euo pipefail
umask 022
cd "$(dirname "$0")/../.."
. scripts/common.sh

connections=${CONNECTIONS:-10000}
hard=$(ulimit -Hn)
if [ "$hard" != unlimited ] && [ "$hard" -lt $((connections + 512)) ]; then
  { is_root && ulimit -Hn $((connections + 1024)) 2>/dev/null; } ||
    die "$connections connections need $((connections + 512)) open files a process, and the hard limit is $hard.
Raise it (in /etc/security/limits.conf, or \"prlimit --nofile=65536 --pid \$\$\" as root), or take fewer: CONNECTIONS=$((hard - 512))"
fi
ulimit -Sn "$(ulimit -Hn)"

for name in $(compgen -e PG); do
  [ "$name" = PG_CONFIG ] || unset "$name"
done

scripts/packages.sh load >&2
work=$(mktemp -d /tmp/sync-progress-load.XXXXXX)
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

make -s -j2 >&2
make -s bridge >&2
make -s -C test/load >&2
bin=$(scripts/pgroot.sh "$work/root")
say "- $(date -u +%Y-%m-%d), $(nproc) cores$(sed -n 's/^model name[^:]*: /, /p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo) of memory, $(uname -sr)"
say "- libwebsockets $(pkg-config --modversion libwebsockets | tr -d -), $("$bin/postgres" --version), all on this machine over loopback"
say
PG_CONFIG=$bin/pg_config node test/load/bench.mjs "$work"
