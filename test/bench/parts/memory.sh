# What the server's shared memory is larger by when the library is preloaded, as
# the settings come: room for 10,000 sessions.  Whole segments are compared, for
# the entries of a shared hash table are nobody's in pg_shmem_allocations.
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

segment_bytes() {
  sql -d postgres -c 'SELECT sum(allocated_size) FROM pg_shmem_allocations'
}

measure_memory() {
  local usual=("${settings[@]}") with without named
  note "memory: three restarts"
  stop_server
  settings=(shared_preload_libraries=)
  start_server
  without=$(segment_bytes)
  stop_server
  settings=()
  start_server
  with=$(segment_bytes)
  named=$(sql -c "SELECT string_agg(format('%s %s kB', name, allocated_size / 1024), ', ' ORDER BY allocated_size DESC) FROM pg_shmem_allocations WHERE name LIKE 'sync_progress%'")
  say
  say "### Shared memory"
  say
  say "With max_sessions $(sql -c 'SHOW sync_progress.max_sessions') and max_live_counters $(sql -c 'SHOW sync_progress.max_live_counters'): $(((with - without) / 1024)) kB more than without the extension ($named)."
  must "shared memory for $(sql -c 'SHOW sync_progress.max_sessions') tracked sessions, MB" '<=' 16 \
    "$(awk '{ printf "%.1f", $1 / 1048576 }' <<<"$((with - without))")"
  stop_server
  settings=("${usual[@]}")
  start_server
  start_listener
}
