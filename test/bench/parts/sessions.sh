# 10,000 sessions, each incremented once a second and told once a second: what
# the worker uses, and how late a state is.  In a database of their own.
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

measure_sessions() {
  local nsessions=${BENCH_SESSIONS:-10000} length=${BENCH_SESSIONS_SECONDS:-60} out own rate what
  what="$nsessions sessions incremented once a second, every_interval 1 s"
  note "sessions: $nsessions, $length s"
  stop_listener
  sql -d postgres -c 'CREATE DATABASE sessions'
  sql -d sessions -v nsessions="$nsessions" -f "$here"/sessions.sql >/dev/null
  out=$("$here"/build/sessions dbname=sessions paced 32 10 "$length") || die "the last states did not all come: $out"
  own=$(sql -d sessions -c "SELECT format('{\"folds\": %s, \"own_p99_ms\": %s, \"tracked\": %s}', folds, notify_p99_ms, sessions_tracked) FROM sync.pg_stat_sync_progress")
  sql -d postgres -c 'DROP DATABASE sessions'
  start_listener

  say
  say "### $what, $length s"
  say
  sql -v out="$out" -v own="$own" -f "$here"/sessionsreport.sql
  # a driver that could not keep to its plan has measured something else
  rate=$(json_number increments_per_s "$out")
  if [ "$rate" -ge $((nsessions * 99 / 100)) ]; then
    must "$what: worker, % of a core" '<=' 40 "$(json_number cpu_percent "$out")"
  else
    must "$what: worker, % of a core" '<=' 40 '' "the driver made $rate increments a second only"
  fi
  must "the same: past due, p99, s" '<=' 0.5 "$(awk '{ printf "%.3f", $1 / 1000 }' <<<"$(json_number p99_ms "$out")")"
}

# A number of a flat object.
json_number() {
  sed -n "s/.*\"$1\": \([-0-9.]*\).*/\1/p" <<<"$2"
}
