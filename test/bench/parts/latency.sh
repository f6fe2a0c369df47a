# From commit to listener: of a quiet session, while nothing else happens and
# while 8 clients count elsewhere.
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

measure_latency() {
  local samples=${BENCH_SAMPLES:-300} quiet loaded elsewhere
  note "latency: $samples samples, twice"
  stop_listener
  quiet=$("$here"/build/latency '' "$samples")
  "$bin/pgbench" -n -M prepared -c 8 -j 2 -T $((samples / 10 + 10)) -D sessions=400 -f "$here"/pgbench/increment.sql >"$work/elsewhere.out" 2>&1 &
  elsewhere=$!
  loaded=$("$here"/build/latency '' "$samples")
  kill -0 "$elsewhere" 2>/dev/null || note "latency: what ran elsewhere has ended too early"
  kill -INT "$elsewhere" 2>/dev/null || true
  wait "$elsewhere" || true
  start_listener
  say
  say "### From commit to listener"
  say
  say "- quiet: $quiet"
  say "- while 8 clients count on 400 other sessions: $loaded"
  must "commit → LISTENer, quiet: median, ms" '<=' 1 "$(sed -n 's/.*median \([-0-9.]*\).*/\1/p' <<<"$quiet")"
  must "commit → LISTENer, quiet: p99, ms" '<=' 5 "$(sed -n 's/.*p99 \([-0-9.]*\).*/\1/p' <<<"$quiet")"
}
