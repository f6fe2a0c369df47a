# The steps of demo.sh, and how each is undone.
# shellcheck shell=bash disable=SC2034,SC2154

bridge_pid=
watch_pid=
latency_pid=
worker_pids=()
tour_pid=
latency_result=

sql() {
  PGOPTIONS='-c client_min_messages=warning' "$bin/psql" -X -q -A -t -P pager=off -v ON_ERROR_STOP=1 "$@"
}

is_running_demo() {
  [ -n "$1" ] && grep -qs demo.sh "/proc/$1/cmdline"
}

# Two demos in one directory would take each other's database away.
claim_directory() {
  mkdir -p "${DEMO_DIR:-.demo}"
  local claimed other
  claimed=$(cd "${DEMO_DIR:-.demo}" && pwd)
  other=$(cat "$claimed/demo.pid" 2>/dev/null || true)
  if is_running_demo "$other"; then
    die "a demo is running in $claimed already (pid $other): end it, or set DEMO_DIR"
  fi
  dir=$claimed
  echo $$ >"$dir/demo.pid"
}

# Under root the servers run as somebody else, who may not be able to reach
# this checkout (/root is closed to others).  Then they live in /var/tmp.
choose_base() {
  base=$dir
  is_root || return 0
  if [ -L "$dir/base" ] && [ -d "$dir/base" ]; then
    base=$(readlink "$dir/base")
  elif ! as_user test -x "$dir"; then
    base=$(mktemp -d /var/tmp/sync-progress-demo.XXXXXX)
    chmod 755 "$base"
    ln -sfn "$base" "$dir/base"
    say "User $(run_user) cannot reach $dir: the servers run in $base"
  fi
}

build() {
  say "Building (the log is $dir/build.log)"
  if ! {
    make -j2 && make bridge && make -C demo
    bin=$(scripts/pgroot.sh "$base/root")
  } >"$dir/build.log" 2>&1; then
    tail -n 20 "$dir/build.log" >&2
    die "the build failed: see $dir/build.log"
  fi
  mkdir -p "$base/bin"
  rm -rf "$base/www"
  mkdir -p "$base/www/client"
  cp bridge/sync-progress-bridge "$base/bin/"
  cp -R demo/www/. "$base/www/"
  cp -R client/. "$base/www/client/"
  chmod -R a+rX "$base/bin" "$base/www"
}

start_database() {
  say "Starting a private PostgreSQL in $base/pg$(! is_root || echo ", as user $(run_user)")"
  rm -rf "$base/pg/data"
  scripts/pg.sh start "$base/pg" "$bin" track_functions=all
  PGHOST=$(scripts/pg.sh socket "$base/pg")
  export PGHOST PGUSER=postgres PGDATABASE=demo
  sql -d postgres -c 'CREATE DATABASE demo'
  sql -f demo/setup.sql -f demo/mail.sql -f demo/job.sql -f demo/tour.sql -f demo/grants.sql
}

copy_messages() {
  demo/load.sh "$@" | sql -c 'TRUNCATE mail.messages CASCADE' -c '\copy mail.messages (raw) FROM pstdin'
  total=$(sql -c 'SELECT count(*) FROM mail.messages')
}

load_messages() {
  if [ -n "$mbox" ]; then
    title=$(basename "$mbox")
    source=$mbox
    copy_messages "$mbox"
    [ "$total" -gt 0 ] || die "no messages in $mbox"
  else
    title='Debian package index'
    source="this machine's package index (apt-cache dumpavail)"
    copy_messages
    # without package lists there is only what is installed
    if [ "$total" -lt 10000 ]; then
      say "This machine has no package lists yet: apt-get update"
      if is_root; then apt-get update -q; else sudo apt-get update -q; fi
      copy_messages
    fi
  fi
  title=${title//\'/}
  say "Loaded $total messages from $source"
}

port_is_taken() {
  (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

is_ready() {
  local answer
  exec 3<>"/dev/tcp/127.0.0.1/$1" || return 1
  printf 'GET /readyz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n' >&3
  read -r -t 2 answer <&3 || true
  exec 3<&-
  [[ ${answer:-} == *" 200"* ]]
} 2>/dev/null

# A demo that was killed outright could not end its servers.
end_what_was_left() {
  local pid
  pid=$(cat "$dir/bridge.pid" 2>/dev/null || true)
  if [ -n "$pid" ] && grep -qs "^$base/bin/sync-progress-bridge" "/proc/$pid/cmdline"; then
    end_process "$pid"
  fi
  rm -f "$dir/bridge.pid"
  if [ -d "$base/pg" ]; then scripts/pg.sh stop "$base/pg"; fi
}

# On the first free port: somebody else may take one between looking and
# binding, hence also a bridge that ends at once is followed by the next port.
start_bridge() {
  local first=$port deadline
  for ((; port < first + 100; port++)); do
    if port_is_taken "$port"; then continue; fi
    exec_as_user "$base/bin/sync-progress-bridge" --drain-seconds 0 --listen "127.0.0.1:$port" \
      --db "host=$PGHOST user=bridge dbname=demo" --www "$base/www" \
      >"$dir/bridge.log" 2>&1 &
    bridge_pid=$!
    echo "$bridge_pid" >"$dir/bridge.pid"
    deadline=$((SECONDS + 15))
    while kill -0 "$bridge_pid" 2>/dev/null && [ $SECONDS -lt $deadline ]; do
      if is_ready "$port"; then
        [ "$port" -eq "$first" ] || say "Port $first is taken: the bridge listens on $port"
        return
      fi
      sleep 0.1
    done
    # bound is not always listening: another's connection may go out from there
    kill -0 "$bridge_pid" 2>/dev/null || port_is_taken "$port" || grep -qs 'Address already in use' "$dir/bridge.log" || break
  done
  tail -n 20 "$dir/bridge.log" >&2
  die "the bridge did not start: see $dir/bridge.log"
}

start_watcher() {
  demo/build/watch "$port" "$session" <<<"$token" >"$dir/watch.out" 2>"$dir/watch.log" &
  watch_pid=$!
  local deadline=$((SECONDS + 15))
  until grep -q watching "$dir/watch.out"; do
    if ! kill -0 "$watch_pid" 2>/dev/null || [ $SECONDS -ge $deadline ]; then
      die "no WebSocket client could watch the session: $(cat "$dir/watch.log")"
    fi
    sleep 0.1
  done
}

subscriptions() {
  sql -c "SELECT coalesce(sum(calls), 0) FROM pg_stat_user_functions WHERE funcname = 'sync_progress_subscribe'"
}

wait_for_first_watcher() {
  local before deadline=$((SECONDS + 20))
  before=$(subscriptions)
  say "The job starts when somebody watches, or in 20 seconds."
  while [ $SECONDS -lt $deadline ] && [ "$(subscriptions)" -le "$before" ]; do
    sleep 0.3
  done
}

# The other kinds, and whatever is begun again from the page.
start_tour() {
  sql -U app -c "SELECT tour.start('alice')" >/dev/null
  sql -U app -c "CALL tour.play($session)" >"$dir/tour.log" 2>&1 &
  tour_pid=$!
}

# Completes the main job, unless the page has ended it; says how it has ended.
complete() {
  sql -U app -c "SELECT CASE WHEN status IN ('cancelled', 'failed') THEN status
    ELSE sync.sync_session_complete(id, message => 'All messages are synced') END FROM sync.sync_sessions WHERE id = $session"
}

# How fast each worker goes, in steps of a tenth of a second, and how far apart
# the 200 samples of the latency are: they are to fill the time of the job.
set_pace() {
  per_worker=NULL
  batch=25
  spacing_ms=30
  if [ "$rate" != max ]; then
    rate=${rate:-$(((total + 59) / 60))}
    per_worker="$rate::numeric / $workers"
    batch=$(clamp $((rate / workers / 10)) 1 25)
    spacing_ms=$(clamp $((total * 1000 / rate / 200)) 30 300)
  fi
}

clamp() {
  if [ "$1" -lt "$2" ]; then echo "$2"; elif [ "$1" -gt "$3" ]; then echo "$3"; else echo "$1"; fi
}

start_latency() {
  demo/build/latency "$port" "host=$PGHOST user=app dbname=demo" 200 "$spacing_ms" \
    >"$dir/latency.out" 2>"$dir/latency.log" &
  latency_pid=$!
}

finish_latency() {
  wait "$latency_pid" || die "latency could not be measured: $(cat "$dir/latency.log")"
  latency_pid=
  latency_result=$(cat "$dir/latency.out")
}

show_progress() {
  local line
  line=$(sql -c "SELECT format('%s %s%%  %s/%s  %s/s%s', bar, progress_percentage, processed_count, total_count,
    coalesce(round(rate)::text, '-'), '  ' || time_remaining || ' left') FROM sync.sync_progress($session)")
  if [ -t 1 ]; then printf '\r\033[K%s' "$line"; else say "$line"; fi
}

show_progress_until_done() {
  local pid failed='' pause=3
  [ ! -t 1 ] || pause=0.3
  while kill -0 "${worker_pids[@]}" 2>/dev/null; do
    show_progress
    sleep "$pause"
  done
  for pid in "${worker_pids[@]}"; do
    wait "$pid" || failed=yes
  done
  worker_pids=()
  [ -z "$failed" ] || die "a worker of the job failed: $(tail -n 3 "$dir/job.log")"
}

# The payload that the WebSocket client ended with, or nothing.
final_state_seen() {
  local deadline=$((SECONDS + 15))
  while kill -0 "$watch_pid" 2>/dev/null && [ $SECONDS -lt $deadline ]; do
    sleep 0.1
  done
  sed -n 2p "$dir/watch.out"
}

summary() {
  local spent_ms=$((finished_ms - started_ms))
  say
  sql -F ' ' -v session="$session" -v spent_ms="$spent_ms" -f demo/summary.sql
  say "  latency from commit to WebSocket client: $latency_result"
}

verify() {
  local wrong
  [ -n "$1" ] || die "no WebSocket client saw the final state: $(cat "$dir/watch.log")"
  wrong=$(sql -F ': ' -v session="$session" -v seen="$1" -f demo/verify.sql)
  [ -z "$wrong" ] || die "what the WebSocket client saw last is not what the table says:
$wrong"
  say "  the last state that a WebSocket client saw equals the table, and both equal the messages synced"
}

end_process() {
  local tries=0
  [ -n "$1" ] && kill -TERM "$1" 2>/dev/null || return 0
  while kill -0 "$1" 2>/dev/null; do
    sleep 0.1
    tries=$((tries + 1))
    [ $tries -ne 100 ] || kill -KILL "$1" 2>/dev/null || true
  done
}

stop_everything() {
  trap '' INT TERM HUP
  local pid
  for pid in "${worker_pids[@]}" "$tour_pid" "$latency_pid" "$watch_pid" "$bridge_pid"; do
    end_process "$pid"
  done
  if [ -n "${dir:-}" ]; then
    [ ! -d "${base:-$dir}/pg" ] || scripts/pg.sh stop "${base:-$dir}/pg"
    rm -f "$dir/demo.pid" "$dir/bridge.pid"
  fi
}
