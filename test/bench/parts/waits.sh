# What 32 clients on one session wait for, sampled every 10 ms: locks that
# somebody asked for and has not got (pg_locks), and what the clients' backends
# are at (pg_stat_activity).  UPDATEs show that the sampler finds what there is.
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

measure_waits() {
  local length=${BENCH_WAIT_SECONDS:-10} variants=(increment insert worker_increment update trigger) variant bench_pid
  note "waits: $length s of ${variants[*]}"
  for variant in "${variants[@]}"; do
    "$bin/pgbench" -n -M prepared -c 32 -j 2 -T $((length + 2)) -D sessions=1 -f "$here/pgbench/$variant.sql" >"$work/waits.out" 2>&1 &
    bench_pid=$!
    sleep 1
    sql -v ON_ERROR_STOP=1 -c "CALL bench.sample_waits('$variant', interval '$length s')"
    wait "$bench_pid" || die "pgbench failed: $(cat "$work/waits.out")"
  done
  say
  say "### What is waited for, one session, 32 clients"
  say
  sql -f "$here/waitsreport.sql"
  must "one session, 32 clients, increments: waits for locks that involve the extension, in $(sql -c "SELECT count FROM bench.wait_samples WHERE run = 'increment'") samples of pg_locks" \
    '<=' 0 "$(sql -c "SELECT count(*) FROM bench.lock_waits WHERE run = 'increment' AND ours")"
  must "the same, workers' transactions, in $(sql -c "SELECT count FROM bench.wait_samples WHERE run = 'worker_increment'") samples" \
    '<=' 0 "$(sql -c "SELECT count(*) FROM bench.lock_waits WHERE run = 'worker_increment' AND ours")"
}
