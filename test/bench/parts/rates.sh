# Increments a second, transactional, beside what else could count.
# shellcheck shell=bash disable=SC2154 # variables are bench.sh's

measure_rates() {
  local variants=(increment trigger update insert select1) load nclients
  for load in hot 'spread'; do
    for nclients in ${BENCH_CLIENTS:-1 8 32}; do
      rounds_of rates "$load" "$nclients" "${variants[@]}"
    done
  done
  say
  say "### Increments a second"
  say
  table rates "${variants[@]}"
  for nclients in ${BENCH_CLIENTS:-1 8 32}; do
    [ "$nclients" != 32 ] ||
      must_ratio "one session, 32 clients: increment ÷ UPDATE with NOTIFY trigger" 10 rates hot 32 increment trigger
    [ "$nclients" = 1 ] || {
      must_ratio "one session, $nclients clients: increment ÷ prepared INSERT into an identical heap" 0.9 rates hot "$nclients" increment insert
      must_ratio "1,000 sessions, $nclients clients: the same" 0.9 rates 'spread' "$nclients" increment insert
    }
  done
}
