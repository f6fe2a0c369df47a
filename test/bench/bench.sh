#!/bin/bash
# What an increment costs, next to what else could count.  "make bench" runs
# this; the report in Markdown goes to stdout, how far it is to stderr.
#
#   BENCH_ROUNDS   rounds of all variants (15)
#   BENCH_SECONDS  whole seconds of one run of one variant (2)
#   BENCH_CLIENTS  numbers of clients ("1 8 32")
#   BENCH_PARTS    what to measure ("rates live latency folds")
#   BENCH_FOLD_SECONDS  length of the run with an old snapshot (120)
#
# Machines drift, so nothing is compared across minutes: a round runs all
# variants right after one another, every other round backwards, and ratios
# are taken within the round.  After each run the total must equal the commits
# that pgbench counted, or this fails.
set -euo pipefail
umask 022
cd "$(dirname "$0")/../.."
. scripts/common.sh

rounds=${BENCH_ROUNDS:-15}
seconds=${BENCH_SECONDS:-2}
clients=${BENCH_CLIENTS:-1 8 32}
parts=${BENCH_PARTS:-rates live latency folds}
fold_seconds=${BENCH_FOLD_SECONDS:-120}
variants=(update trigger increment insert select1)
live_clients=32
here=test/bench
pids=()

for name in $(compgen -e PG); do
  [ "$name" = PG_CONFIG ] || unset "$name"
done

scripts/packages.sh bench >&2
work=$(mktemp -d /tmp/sync-progress-bench.XXXXXX)
chmod 755 "$work"

finish() {
  trap '' INT TERM HUP
  for pid in "${pids[@]}"; do
    kill -TERM "$pid" 2>/dev/null || true
  done
  scripts/pg.sh stop "$work/pg"
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

note() {
  printf '%s\n' "$*" >&2
}

sql() {
  "$bin/psql" -X -q -A -t -P pager=off -v ON_ERROR_STOP=1 "$@"
}

prepare() {
  make -s -j2 >&2
  make -s -C $here >&2
  bin=$(scripts/pgroot.sh "$work/root")
  scripts/pg.sh start "$work/pg" "$bin" shared_buffers=256MB max_wal_size=8GB checkpoint_timeout=60min >&2
  PGHOST=$(scripts/pg.sh socket "$work/pg")
  export PGHOST PGUSER=postgres PGDATABASE=bench
  sql -d postgres -c 'CREATE DATABASE bench'
  sql -f $here/schema.sql >/dev/null
  $here/build/listen '' sync_progress bench >"$work/listen.out" &
  pids+=($!)
}

describe_machine() {
  say "- $(date -u +%Y-%m-%d), $(nproc) cores$(sed -n 's/^model name[^:]*: /, /p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo) of memory, $(uname -sr)"
  say "- $(sql -c 'SHOW server_version' | sed 's/^/PostgreSQL /'), shared_buffers 256 MB, synchronous_commit on, unix socket, pgbench on the same machine"
  say "- one flush to disk (pg_test_fsync, fdatasync): $(cd "$work" && "$bin/pg_test_fsync" -s 1 2>/dev/null | awk '/^ +fdatasync +[0-9]/ { print $(NF - 1), "µs"; exit }')"
}

# What each variant has counted so far, in all.
counted() {
  case $1 in
  increment | live) sql -c 'SELECT sync.sync_progress_flush()' -c 'SELECT sum(processed_count) FROM sync.sync_sessions' | tail -n 1 ;;
  trigger) sql -c 'SELECT sum(processed) FROM bench.with_trigger' ;;
  update) sql -c 'SELECT sum(processed) FROM bench.plain' ;;
  insert) sql -c 'SELECT count(*) FROM bench.heap' ;;
  esac
}

# One run of pgbench, and the check of its total.
run_variant() {
  local load=$1 nclients=$2 round=$3 variant=$4 sessions=1000 before=0 after out transactions tps script=$4 mode=transactional
  [ "$load" != hot ] || sessions=1
  [ "$variant" != insert ] || sql -c 'TRUNCATE bench.heap'
  [ "$variant" = select1 ] || before=$(counted "$variant")
  [ "$variant" != live ] || { script=increment && mode=live; }
  out=$(PGOPTIONS="-c sync_progress.mode=$mode" "$bin/pgbench" -n -M prepared -c "$nclients" -j 2 -T "$seconds" -D "sessions=$sessions" \
    -f "$here/pgbench/$script.sql" 2>&1) || { note "$out"; die "pgbench failed"; }
  transactions=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$out")
  tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' <<<"$out")
  if [ "$variant" != select1 ]; then
    after=$(counted "$variant")
    [ $((after - before)) -eq "$transactions" ] ||
      die "$variant, $load, $nclients clients: counted $((after - before)) of $transactions commits"
  fi
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$load" "$nclients" "$round" "$variant" "$transactions" "$tps" >>"$work/runs"
}

measure_rates() {
  local load nclients round i
  for load in hot 'spread'; do
    for nclients in $clients; do
      note "$load, $nclients clients: $rounds rounds"
      sql -c 'VACUUM ANALYZE' -c 'CHECKPOINT'
      for ((round = 1; round <= rounds; round++)); do
        for ((i = 0; i < ${#variants[@]}; i++)); do
          run_variant "$load" "$nclients" "$round" "${variants[round % 2 ? i : ${#variants[@]} - 1 - i]}"
        done
      done
    done
  done
  sql -c '\copy bench.runs FROM pstdin' <"$work/runs"
  say
  say "### Increments a second"
  say
  sql -f $here/report.sql
}

# A Redis that keeps nothing on disk.  Its server is in Debian's redis-tools,
# under the name of the program that checks its files; so no service is set up.
start_redis() {
  local server
  server=$(command -v redis-server || true)
  if [ -z "$server" ]; then
    server=$work/redis-server
    ln -s "$(command -v redis-check-rdb)" "$server"
  fi
  "$server" --port 0 --unixsocket "$work/redis.sock" --save '' --appendonly no --dir "$work" >"$work/redis.out" 2>&1 &
  pids+=($!)
  until [ "$(redis-cli -s "$work/redis.sock" ping 2>/dev/null)" = PONG ]; do
    kill -0 $! 2>/dev/null || die "Redis does not start: $(cat "$work/redis.out")"
    sleep 0.1
  done
}

run_redis() {
  local load=$1 nclients=$2 round=$3 variant=$4 sessions=1000 out
  [ "$load" != hot ] || sessions=1
  out=$($here/build/redis "$work/redis.sock" "$nclients" 2 "$seconds" $sessions "${variant#redis_}") ||
    die "the client of Redis failed"
  printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$load" "$nclients" "$round" "$variant" "${out% *}" "${out#* }" >>"$work/runs"
}

# Live mode, beside what it cannot beat and what people use for this.
measure_live() {
  local load round variant order
  start_redis
  : >"$work/runs"
  sql -c 'TRUNCATE bench.runs'
  for load in hot 'spread'; do
    note "live, $load, $live_clients clients: $rounds rounds"
    sql -c 'VACUUM ANALYZE' -c 'CHECKPOINT'
    for ((round = 1; round <= rounds; round++)); do
      order='redis_blind live select1 redis_count'
      [ $((round % 2)) -eq 1 ] || order='redis_count select1 live redis_blind'
      for variant in $order; do
        case $variant in
        redis_*) run_redis "$load" "$live_clients" "$round" "$variant" ;;
        *) run_variant "$load" "$live_clients" "$round" "$variant" ;;
        esac
      done
    done
  done
  sql -c '\copy bench.runs FROM pstdin' <"$work/runs"
  say
  say "### Increments a second in live mode"
  say
  sql -f $here/livereport.sql
}

measure_latency() {
  note "latency: 300 samples"
  say
  say "### From commit to listener, quiet session"
  say
  $here/build/latency '' 300
}

# 5,000 increments a second on 100 sessions, while a transaction holds the
# oldest snapshot it can get: what is folded cannot be vacuumed away.
measure_folds() {
  local bench_pid deadline
  note "folds: $fold_seconds s"
  sql -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT count(*) FROM sync.sync_sessions' \
    -c "SELECT pg_sleep($((fold_seconds + 60)))" >/dev/null 2>&1 &
  pids+=($!)
  until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep' AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()")" = 1 ]; do
    sleep 0.1
  done
  "$bin/pgbench" -n -M prepared -c 8 -j 2 -R 5000 -T "$fold_seconds" -D sessions=100 -f $here/pgbench/increment.sql \
    >"$work/folds.out" 2>&1 &
  bench_pid=$!
  pids+=("$bench_pid")
  deadline=$((SECONDS + fold_seconds - 1))
  while [ $SECONDS -lt $deadline ] && kill -0 "$bench_pid" 2>/dev/null; do
    sql -c 'INSERT INTO bench.folds (folds, fold_ms, ledger_bytes) SELECT folds, fold_ms, ledger_bytes FROM sync.pg_stat_sync_progress'
    sleep 1
  done
  wait "$bench_pid" || die "pgbench failed: $(cat "$work/folds.out")"
  say
  say "### Time of a fold under a snapshot held for $fold_seconds s ($(sed -n 's/^tps = \([0-9]*\).*/\1/p' "$work/folds.out") increments/s)"
  say
  sql -f $here/foldreport.sql
}

prepare
describe_machine
for part in $parts; do
  case $part in
  rates | live | latency | folds) "measure_$part" ;;
  *) die "BENCH_PARTS knows rates, live, latency and folds, not $part" ;;
  esac
done
