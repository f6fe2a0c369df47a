# 5,000 increments a second on 100 sessions, while a transaction holds the
# oldest snapshot it can get: what is folded cannot be vacuumed away.
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

hold_snapshot() {
  sql -c 'BEGIN ISOLATION LEVEL REPEATABLE READ' -c 'SELECT count(*) FROM sync.sync_sessions' \
    -c "SELECT pg_sleep($1)" >/dev/null 2>&1 &
  until [ "$(sql -c "SELECT count(*) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep' AND backend_xmin IS NOT NULL AND pid <> pg_backend_pid()")" = 1 ]; do
    sleep 0.1
  done
}

measure_folds() {
  local length=${BENCH_FOLD_SECONDS:-300} bench_pid first last text
  note "folds: $length s"
  hold_snapshot $((length + 60))
  "$bin/pgbench" -n -M prepared -c 8 -j 2 -R 5000 -T "$length" -P 1 -D sessions=100 -f "$here"/pgbench/increment.sql >"$work/folds.out" 2>&1 &
  bench_pid=$!
  sample_folds folds "$bench_pid" $((length - 1))
  wait "$bench_pid" || die "pgbench failed: $(cat "$work/folds.out")"
  sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query ~ '^SELECT pg_sleep' AND pid <> pg_backend_pid()" >/dev/null
  load_progress folds "$work/folds.out"
  say
  say "### Time of a fold under a snapshot held for $length s"
  say
  sql -v run=folds -v parts=5 -f "$here"/foldreport.sql
  text=$(sql -v run=folds -v parts=5 -f "$here"/foldratio.sql)
  first=${text%%|*}
  last=${text##*|}
  must "snapshot held $length s at 5,000 increments/s: throughput, last fifth ÷ first" '>=' 0.8 "$first"
  must "the same: time of a fold, last fifth ÷ first" '<=' 1.3 "$last"
}
