# A transaction that counts for a minute before it commits, beside 8 clients who
# count on other sessions: what it does to them and to the folds.
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

count_of() {
  sql -c 'SELECT sync.sync_progress_flush()' -c "SELECT processed_count FROM sync.sync_sessions WHERE id = $1" | tail -n 1
}

# long_transaction MODE: in the middle six eighths of the run.
long_transaction() {
  local mode=$1 length=${BENCH_LONG_SECONDS:-60} session=101 bench_pid long_pid before counted after
  note "long: $mode, $length s and a third more"
  before=$(count_of $session)
  "$bin/pgbench" -n -M prepared -c 8 -j 2 -T $((length * 8 / 6)) -P 1 -D sessions=100 -f "$here/pgbench/increment.sql" >"$work/long.out" 2>&1 &
  bench_pid=$!
  (
    sleep $((length / 6))
    PGOPTIONS="-c sync_progress.mode=$mode" sql -c "CALL bench.count_long($session, interval '$length s')" >"$work/long.count"
  ) &
  long_pid=$!
  sample_folds "long $mode" "$bench_pid" $((length * 8 / 6 - 1))
  wait "$bench_pid" || die "pgbench failed: $(cat "$work/long.out")"
  wait "$long_pid" || die "the long transaction failed"
  counted=$(cat "$work/long.count")
  after=$(count_of $session)
  [ $((after - before)) -eq "$counted" ] || die "the long transaction, $mode: counted $((after - before)) of $counted"
  load_progress "long $mode" "$work/long.out"
  say
  say "### Others, while one transaction counts $counted in $length s ($mode): before, six parts, after"
  say
  sql -v run="long $mode" -v parts=8 -f "$here/foldreport.sql"
}

measure_long() {
  long_transaction transactional
  long_transaction live
}
