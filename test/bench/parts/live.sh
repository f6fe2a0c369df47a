# Live mode, beside what it cannot beat and what people use for this: Redis.
# The transactional mode is beside a Redis that is as durable (AOF, always).
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

# start_redis NAME SETTING...: each in a directory of its own, on a unix socket
# there.  Its server is in Debian's redis-tools, under the name of the program
# that checks its files; so no service is set up.
start_redis() {
  local dir=$work/$1 server
  shift
  mkdir "$dir"
  server=$(command -v redis-server || true)
  if [ -z "$server" ]; then
    server=$dir/redis-server
    ln -s "$(command -v redis-check-rdb)" "$server"
  fi
  "$server" --port 0 --unixsocket "$dir/socket" --dir "$dir" --save '' "$@" >"$dir/out" 2>&1 &
  until [ "$(redis-cli -s "$dir/socket" ping 2>/dev/null)" = PONG ]; do
    kill -0 $! 2>/dev/null || die "Redis does not start: $(cat "$dir/out")"
    sleep 0.1
  done
}

run_redis() {
  local part=$1 load=$2 nclients=$3 round=$4 variant=$5 sessions=1000 server=redis how=${5#redis_} out
  [ "$load" != hot ] || sessions=1
  [ "$variant" != redis_aof ] || { server=redis-aof && how=count; }
  out=$("$here"/build/redis "$work/$server/socket" "$nclients" 2 "$seconds" $sessions "$how") ||
    die "the client of Redis failed"
  note_run "$part" "$load" "$nclients" "$round" "$variant" "${out% *}" "${out#* }" 0
}

measure_live() {
  local load
  start_redis redis --appendonly no
  start_redis redis-aof --appendonly yes --appendfsync always
  for load in hot 'spread'; do
    rounds_of live "$load" 32 redis_blind live select1 redis_count increment redis_aof
  done
  say
  say "### Increments a second in live mode"
  say
  table live live select1 redis_count redis_blind redis_aof
  say
  say "### Increments a second, transactional, beside a Redis that flushes each"
  say
  table live increment redis_aof
}
