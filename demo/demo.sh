#!/bin/bash
# The two-minute tour: a real job, a private PostgreSQL, a bridge, and a page
# to watch it on.  "make demo" runs this.
#
#   DEMO_DIR   where everything is kept (.demo)
#   DEMO_PORT  first port to try for the page (8080)
#   DEMO_RATE  messages a second, or "max" (default: the job takes a minute)
#   DEMO_EXIT  1: wait for nobody, stop everything after the job, and exit with
#              0 only if a WebSocket client saw the final state and it is right
#   MBOX       a mailbox file to sync (default: this machine's package index)
#
# Every process started here is ended here, by its pid, however this ends.
set -euo pipefail
umask 022
mbox=${MBOX:+$(realpath -- "$MBOX")}
cd "$(dirname "$0")/.."
. scripts/common.sh
. demo/parts.sh

workers=4
port=${DEMO_PORT:-8080}
rate=${DEMO_RATE:-}

[[ $port =~ ^[0-9]{1,5}$ ]] || die "DEMO_PORT is not a port: $port"
[[ $rate =~ ^(max|[1-9][0-9]*)?$ ]] || die "DEMO_RATE is a number or max, not $rate"
if [ -n "$mbox" ]; then
  [ -r "$mbox" ] || die "cannot read $mbox"
  [ "$(head -c 5 "$mbox")" = 'From ' ] || die "$mbox is no mailbox: an mbox file starts with \"From \""
fi
# the caller's own database and bridge are none of our business
for name in $(compgen -e PG) $(compgen -e SYNC_PROGRESS_); do
  [ "$name" = PG_CONFIG ] || unset "$name"
done

trap stop_everything EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

claim_directory
scripts/packages.sh demo
choose_base
end_what_was_left
build
start_database
load_messages
start_bridge

session=$(sql -U app -c "SELECT mail.sync_start('alice', '$title')")
token=$(sql -U app -c "SELECT sync.sync_progress_token('alice', ttl => '1 day', scope => '{read,control}')")
start_watcher

say
say "Watch it here:  http://127.0.0.1:$port/#session=$session&token=$token"
say "or in psql:     psql -h $PGHOST -U postgres demo -c 'SELECT * FROM sync.sync_progress($session)'"
say
[ -n "${DEMO_EXIT:-}" ] || wait_for_first_watcher

[ -n "${DEMO_EXIT:-}" ] || start_tour
set_pace
start_latency
started_ms=$(date +%s%3N)
for ((i = 0; i < workers; i++)); do
  sql -U app -c "CALL mail.sync_worker($session, $per_worker, $batch)" >>"$dir/job.log" 2>&1 &
  worker_pids+=($!)
done
show_progress_until_done
finished_ms=$(date +%s%3N)
status=$(complete)
show_progress
[ ! -t 1 ] || say

seen=$(final_state_seen)
finish_latency
if [ "$status" = completed ]; then
  summary
  verify "$seen"
else
  say "The job was told to stop: it is $status."
fi

if [ -z "${DEMO_EXIT:-}" ]; then
  say
  say "The page stays until you press Ctrl-C. \"make demo-clean\" removes everything."
  wait "$bridge_pid" || die "the bridge has ended: see $dir/bridge.log"
fi
