#!/bin/bash
# The suites of "make check", run by check.sh in a copy of the tree and as an
# unprivileged user.  Takes WORK, a directory that may be filled.
#
# Each suite is a function that prints what its runner prints; its result is
# read from there.  A suite without a single test fails: it did not run.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

[ -d "${WORK:-}" ] || die "run by scripts/check.sh"
suites='unit sql isolation cluster installcheck bridge jose browser demo'
# shellcheck source=scripts/tool.sh
. scripts/tool.sh
for suite in ${CHECK_ONLY:=$suites}; do
  case " $suites " in *" $suite "*) ;; *) die "CHECK_ONLY names suites, of these: $suites" ;; esac
done
tree=$PWD
logs=$WORK/logs
unit_programs=(bridge/build build/unit)
unit_exec=
# Of the tests for Node.js: only files whose names begin like this, and not these.
these=${CHECK_THESE:-}
not_these=-
left_out=()
server_settings=()
summary=
total_passed=0
total_failed=0

finish() {
  trap '' INT TERM HUP
  # what is still running below us, when we were interrupted
  if [ -n "${suite_pid:-}" ]; then kill -TERM -- "-$suite_pid" 2>/dev/null || true; fi
  scripts/pg.sh stop "$WORK/pg"
}
trap finish EXIT
trap 'exit 143' INT TERM HUP

sql() {
  psql -X -q -A -t -P pager=off -v ON_ERROR_STOP=1 "$@"
}

# All in one chain: within a condition nothing else ends it.
build() {
  if [ "${CHECK_TOOL:-}" = valgrind-server ]; then
    # without optimization compilers warn of other things
    make -j2 && tool_prepare
    return
  fi
  make -j2 WERROR=1 &&
    make -C bridge -j2 WERROR=1 &&
    make -C bridge unit WERROR=1 &&
    make -C demo WERROR=1 &&
    make unit WERROR=1 &&
    if [ -n "${CHECK_TOOL:-}" ]; then tool_prepare; fi
}

prepare() {
  mkdir -p "$logs" "$WORK/screenshots"
  say "Building"
  build >"$logs/build.log" 2>&1 || { tail -n 30 "$logs/build.log" >&2; die "the build failed"; }
  pgxs=$(dirname "$("$(pg_config_path)" --pgxs)")/../test
  bin=$(scripts/pgroot.sh "$WORK/root")
  if [ -n "${CHECK_TOOL:-}" ]; then tool_server "$bin"; fi
  export PATH="$bin:$PATH" PG_CONFIG="$bin/pg_config" SCREENSHOT_DIR="$WORK/screenshots"
  # check-matrix brings them
  [ -d test/node_modules ] || [ "${CHECK_TOOL:-}" = valgrind-server ] ||
    (cd test && npm ci --no-audit --no-fund --loglevel=error) >"$logs/npm.log" 2>&1 ||
    { tail -n 20 "$logs/npm.log" >&2; die "npm ci failed"; }

  scripts/pg.sh start "$WORK/pg" "$bin" max_prepared_transactions=20 "${server_settings[@]}"
  PGHOST=$(scripts/pg.sh socket "$WORK/pg")
  export PGHOST PGUSER=postgres
  for database in check_sql check_isolation; do
    sql -d postgres -c "CREATE DATABASE $database"
    sql -d "$database" -c 'CREATE SCHEMA sync' -c 'CREATE EXTENSION sync_progress SCHEMA sync'
  done
  sql -d check_sql -c 'CREATE EXTENSION pgtap'
}

# -- the suites ---------------------------------------------------------------

suite_unit() {
  local programs
  mapfile -t programs < <(find "${unit_programs[@]}" -type f -executable -name 'test_*' | sort)
  [ -n "${CHECK_TOOL:-}" ] || programs+=(test/bench/eta/traces.t)
  prove --exec "$unit_exec" "${programs[@]}"
}

# Those of the named files that are not left out.
chosen() {
  printf '%s\n' "$@" | grep -vE "^(.*/)?($not_these)[^/]*$"
}

suite_sql() {
  local files
  mapfile -t files < <(cd test/sql && chosen ./*.sql)
  (cd test/sql && pg_prove -d check_sql --timer "${files[@]}")
}

suite_isolation() {
  local specs
  mapfile -t specs < <(chosen test/isolation/specs/*.spec | sed 's|.*/||; s|\.spec$||')
  mkdir -p "$WORK/isolation"
  "$pgxs/isolation/pg_isolation_regress" --use-existing --dbname=check_isolation \
    --bindir="$bin" --inputdir=test/isolation --outputdir="$WORK/isolation" "${specs[@]}" ||
    { cat "$WORK/isolation/regression.diffs"; return 1; }
}

# Two at a time: much of it is waiting, for servers that start and stop.
suite_cluster() {
  local at_once=2 files
  [ -z "${CHECK_TOOL:-}" ] || at_once=1
  mapfile -t files < <(cd test/cluster && chosen t/*.pl)
  mkdir -p "$WORK/cluster"
  (
    # these make clusters of their own
    unset PGHOST PGUSER
    cd test/cluster
    TESTDIR=$WORK/cluster PG_TEST_PORT_DIR=$WORK/cluster/ports PGPORT=65432 PG_REGRESS=$pgxs/regress/pg_regress \
      prove -j "$at_once" --timer -I "$pgxs/perl" -I . "${files[@]}"
  )
}

suite_installcheck() {
  make installcheck ||
    { cat build/installcheck/regression.diffs; return 1; }
}

# So many files at once, where this Node.js can be told; by itself it leaves one
# processor for itself, and runs one at a time on two.
node_test() {
  local files at_once=()
  mapfile -t files < <(find "$1" -name '*.test.js' | grep -E "/($these)[^/]*$" | grep -vE "/($not_these)[^/]*$" | sort)
  case $(node --help) in *--test-concurrency*) at_once=("--test-concurrency=${2:-1}") ;; esac
  (
    unset PGHOST PGUSER
    cd test && node --test "${at_once[@]}" --test-reporter=tap "${files[@]/#/$tree/}"
  )
}

# Most of these two is waiting: for timeouts, and for clients that come back.
# Under a tool it is work.
suite_bridge() {
  if [ -n "${CHECK_TOOL:-}" ]; then node_test test/bridge; else node_test test/bridge 2; fi
}

suite_jose() {
  node_test test/jose
}

suite_browser() {
  node_test test/browser 2
}

suite_demo() {
  (
    unset PGHOST PGUSER
    prove -v test/demo/*.t
  )
}

# -- running them -------------------------------------------------------------

# Prints "passed failed" of a suite from what its runner printed.
count() {
  case $1 in
  isolation | installcheck)
    awk '/^(test .* \.\.\. ok|ok +[0-9]+ )/ { ok++ } /^(test .* FAILED|not ok +[0-9]+ )/ { bad++ } END { print ok + 0, bad + 0 }'
    ;;
  bridge | jose | browser)
    awk '/^# pass / { ok = $3 } /^# (fail|cancelled) / { bad += $3 } END { print ok + 0, bad + 0 }'
    ;;
  *)
    awk '/Failed [0-9]+\/[0-9]+ subtests/ { split($2, n, "/"); bad += n[1] }
      /^Files=/ { gsub(",", ""); sub("Tests=", "", $2); tests = $2 }
      END { print tests - bad, bad + 0 }'
    ;;
  esac <"$2"
}

# In a process group of its own, so that all of it can be ended.
run_suite() {
  local name=$1 log=$logs/$1.log status=0 passed failed verdict=ok started=$SECONDS
  say "== $name"
  set -m
  "suite_$name" >"$log" 2>&1 </dev/null &
  suite_pid=$!
  set +m
  wait "$suite_pid" || status=$?
  suite_pid=
  read -r passed failed < <(count "$name" "$log")
  if [ "$status" -ne 0 ] || [ "$failed" -ne 0 ] || [ "$passed" -eq 0 ]; then
    verdict=FAILED
    [ "$failed" -ne 0 ] || failed=1
    grep -vE '^(ok|    ok|# Subtest|    ---|    duration_ms|    \.\.\.|  ---|  duration_ms|  \.\.\.)' "$log" | tail -n 60 >&2
  fi
  if [ -n "${CHECK_TOOL:-}" ] && tool_found >&2; then
    verdict=FAILED
    failed=$((failed + 1))
  fi
  total_passed=$((total_passed + passed))
  total_failed=$((total_failed + failed))
  summary+=$(printf '%-13s %5s passed %4s failed %4s s  %s' "$name" "$passed" "$failed" $((SECONDS - started)) "$verdict")$'\n'
}

prepare
# shellcheck disable=SC2086 # names
if [ -n "${CHECK_TOOL:-}" ]; then tool_say_left_out $CHECK_ONLY; fi
for suite in $CHECK_ONLY; do
  run_suite "$suite"
done
# what is found in the server's own processes when they end
if [ -n "${CHECK_TOOL:-}" ] && [ "$total_failed" -eq 0 ]; then
  scripts/pg.sh stop "$WORK/pg"
  if tool_found >&2; then total_failed=1; fi
fi
say
printf '%s' "$summary"
say "$total_passed passed, $total_failed failed in $((SECONDS / 60)) min $((SECONDS % 60)) s"
[ "$total_failed" -eq 0 ]
