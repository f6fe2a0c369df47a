# What a worker of an application does: BEGIN; INSERT; count; COMMIT.
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

measure_worker() {
  local load
  for load in hot 'spread'; do
    rounds_of worker "$load" 32 worker_increment worker_trigger
  done
  say
  say "### A worker's transaction: BEGIN; INSERT; count; COMMIT"
  say
  table worker worker_increment worker_trigger
  must_ratio "worker's transaction, one session, 32 clients: with an increment ÷ with UPDATE and NOTIFY trigger" 6.5 \
    worker hot 32 worker_increment worker_trigger
}
