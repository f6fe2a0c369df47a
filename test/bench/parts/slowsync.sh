# One hot session on a disk that takes a millisecond longer to flush.
# shellcheck shell=bash disable=SC2034,SC2154 # variables are bench.sh's

measure_slowsync() {
  local us=1000 flush
  note "slowsync: every flush $us µs longer"
  # where the server's user can read it
  cp "$here/build/slowsync.so" "$work/"
  chmod 755 "$work/slowsync.so"
  stop_server
  preload=$work/slowsync.so
  start_server
  start_listener
  flush=$(flush_us)
  rounds_of slowsync hot 32 increment trigger update insert
  stop_server
  preload=
  start_server
  start_listener
  say
  say "### One flush to disk takes $flush µs (pg_test_fsync under test/bench/slowsync.c)"
  say
  table slowsync increment trigger update insert
  must_ratio "a flush takes $flush µs; one session, 32 clients: increment ÷ plain UPDATE" 12 slowsync hot 32 increment update
}
