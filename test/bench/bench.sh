#!/bin/bash
# What an increment costs, next to what else could count.  "make bench" runs
# this; the report in Markdown goes to stdout, how far it is to stderr.
#
#   BENCH_PARTS    what to measure: files of test/bench/parts (all)
#   BENCH_ROUNDS   rounds of all variants (15)
#   BENCH_SECONDS  whole seconds of one run of one variant (2)
#   BENCH_CLIENTS  numbers of clients in "rates" ("1 8 32")
#   BENCH_SAMPLES  of each latency (300)
#   BENCH_FOLD_SECONDS      length of the run with an old snapshot (300)
#   BENCH_LONG_SECONDS      length of a long transaction (60)
#   BENCH_WAIT_SECONDS      how long each variant's waits are sampled (10)
#   BENCH_SESSIONS, BENCH_SESSIONS_SECONDS  how many are active, how long (10000, 60)
#
# Machines drift, so nothing is compared across minutes: a round runs all
# variants right after one another, every other round backwards, and ratios
# are taken within the round.  After each run the total must equal the commits
# that pgbench counted, or this fails.  The worker folds and one client LISTENs
# all the while.
#
# A part says with "must" what has to hold; the table at the end has each with
# its bound, what was measured, and whether that is within.  A miss is no
# failure: this measures.  Other work on the machine is best kept out by
# priority: "chrt -r 1 make bench".
set -euo pipefail
umask 022
cd "$(dirname "$0")/../.."
. scripts/common.sh

rounds=${BENCH_ROUNDS:-15}
seconds=${BENCH_SECONDS:-2}
here=test/bench
known='memory rates worker live latency sessions slowsync waits long folds'
parts=${BENCH_PARTS:-$known}
listener=
# room for the bench's 1,000 sessions beside 10,000
settings=(shared_buffers=256MB max_wal_size=8GB checkpoint_timeout=60min sync_progress.max_sessions=12000)
preload= # a library in front of the C library's, for the server

for name in $(compgen -e PG); do
  [ "$name" = PG_CONFIG ] || unset "$name"
done

for part in $parts; do
  case " $known " in
  *" $part "*) ;;
  *) die "BENCH_PARTS knows $known, not $part" ;;
  esac
done

scripts/packages.sh bench >&2
work=$(mktemp -d /tmp/sync-progress-bench.XXXXXX)
chmod 755 "$work"

finish() {
  trap '' INT TERM HUP
  for pid in $(jobs -p); do
    kill -TERM "$pid" 2>/dev/null || true
  done
  scripts/pg.sh stop "$work/pg"
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

note() {
  printf '%s\n' "$*" >&2
}

sql() {
  "$bin/psql" -X -q -A -t -P pager=off -v ON_ERROR_STOP=1 "$@"
}

# must WHAT '>='|'<=' BOUND VALUE [TEXT]: a line of the table of what must hold.
# VALUE is compared; TEXT (quartiles, units) is what is shown of it.
must() {
  printf '%s\t%s\t%s\t%s\t%s\n' "$1" "$2" "$3" "$4" "${5:-$4}" >>"$work/must"
}

# --- the server, and who listens ------------------------------------------------

start_server() {
  LD_PRELOAD=$preload scripts/pg.sh start "$work/pg" "$bin" "${settings[@]}" >&2
  PGHOST=$(scripts/pg.sh socket "$work/pg")
  export PGHOST PGUSER=postgres PGDATABASE=bench
}

stop_server() {
  stop_listener
  scripts/pg.sh stop "$work/pg"
}

start_listener() {
  local tries=0
  : >"$work/listen.out"
  "$here"/build/listen '' sync_progress bench >"$work/listen.out" &
  listener=$!
  until grep -qs listening "$work/listen.out"; do
    kill -0 "$listener" || die "the listener has ended"
    sleep 0.05
  done
  # it has asked for one
  until [ -n "$(worker_pid)" ]; do
    [ $((tries += 1)) -lt 200 ] || die "no worker has started: $(tail -n 5 "$work/pg/server.log")"
    sleep 0.05
  done
}

# Where something else listens, so that there is one.
stop_listener() {
  [ -n "$listener" ] || return 0
  kill -TERM "$listener"
  wait "$listener" || true
  listener=
}

worker_pid() {
  sql -c 'SELECT worker_pid FROM sync.pg_stat_sync_progress'
}

# Milliseconds that a process has been on a CPU.
cpu_ms() {
  awk '{ printf "%.0f", $1 / 1e6 }' "/proc/$1/schedstat"
}

prepare() {
  make -s -j2 >&2
  make -s -C "$here" >&2
  bin=$(scripts/pgroot.sh "$work/root")
  start_server
  sql -d postgres -c 'CREATE DATABASE bench'
  sql -f "$here"/schema.sql >/dev/null
  start_listener
}

# --- what is seen second by second ---------------------------------------------------

# sample_folds RUN PID SECONDS: what the worker has done so far.
sample_folds() {
  local worker deadline=$((SECONDS + $3))
  worker=$(worker_pid)
  while [ $SECONDS -lt $deadline ] && kill -0 "$2" 2>/dev/null; do
    sql -c "INSERT INTO bench.folds (run, folds, fold_ms, increments, ledger_bytes, cpu_ms)
      SELECT '$1', folds, fold_ms, increments_folded, ledger_bytes, $(cpu_ms "$worker") FROM sync.pg_stat_sync_progress"
    sleep 1
  done
}

# load_progress RUN FILE: what pgbench -P 1 has reported.
load_progress() {
  sed -n "s/^progress: \\([0-9.]*\\) s, \\([0-9.]*\\) tps, lat \\([0-9.]*\\) ms.*/$1\\t\\1\\t\\2\\t\\3/p" "$2" >"$work/progress"
  sql -c '\copy bench.progress FROM pstdin' <"$work/progress"
}

# A flush to disk, the median of three runs.
flush_us() {
  for _ in 1 2 3; do
    (cd "$work" && LD_PRELOAD=$preload "$bin/pg_test_fsync" -s 1 2>/dev/null | awk '/^ +fdatasync +[0-9]/ { print $(NF - 1); exit }')
  done | sort -n | sed -n 2p
}

describe_machine() {
  say "- $(date -u +%Y-%m-%d), $(nproc) cores$(sed -n 's/^model name[^:]*: /, /p' /proc/cpuinfo | head -n 1), $(awk '/MemTotal/ { printf "%.0f GB", $2 / 1048576 }' /proc/meminfo) of memory, $(uname -sr)"
  say "- $(sql -c 'SHOW server_version' | sed 's/^/PostgreSQL /'), shared_buffers 256 MB, synchronous_commit on, unix socket, pgbench on the same machine"
  say "- one flush to disk (pg_test_fsync, fdatasync): $(flush_us) µs"
  say "- load when this began: $(cut -d' ' -f1-3 /proc/loadavg); scheduling: $(chrt -p $$ | sed -n 's/.*policy: //p')"
}

# --- runs in rounds ---------------------------------------------------------------

# What each variant has counted so far, in all.
counted() {
  case $1 in
  increment | live | worker_increment)
    sql -c 'SELECT sync.sync_progress_flush()' -c 'SELECT sum(processed_count) FROM sync.sync_sessions' | tail -n 1 ;;
  trigger | worker_trigger) sql -c 'SELECT sum(processed) FROM bench.with_trigger' ;;
  update) sql -c 'SELECT sum(processed) FROM bench.plain' ;;
  insert) sql -c 'SELECT count(*) FROM bench.heap' ;;
  esac
}

# note_run PART LOAD CLIENTS ROUND VARIANT TRANSACTIONS TPS WORKER (% of a core)
note_run() {
  printf '%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n' "$@" >>"$work/runs"
}

# One run of pgbench, and the check of its total.
run_variant() {
  local part=$1 load=$2 nclients=$3 round=$4 variant=$5 sessions=1000 before=0 after out transactions tps script=$5 mode=transactional worker cpu
  [ "$load" != hot ] || sessions=1
  [ "$variant" != insert ] || sql -c 'TRUNCATE bench.heap'
  case $variant in worker_*) sql -c 'TRUNCATE bench.mails' ;; esac
  [ "$variant" = select1 ] || before=$(counted "$variant")
  [ "$variant" != live ] || { script=increment && mode=live; }
  worker=$(worker_pid)
  cpu=$(cpu_ms "$worker")
  out=$(PGOPTIONS="-c sync_progress.mode=$mode" "$bin/pgbench" -n -M prepared -c "$nclients" -j 2 -T "$seconds" -D "sessions=$sessions" \
    -f "$here/pgbench/$script.sql" 2>&1) || { note "$out"; die "pgbench failed"; }
  transactions=$(sed -n 's/^number of transactions actually processed: \([0-9]*\).*/\1/p' <<<"$out")
  tps=$(sed -n 's/^tps = \([0-9.]*\).*/\1/p' <<<"$out")
  if [ "$variant" != select1 ]; then
    after=$(counted "$variant")
    [ $((after - before)) -eq "$transactions" ] ||
      die "$variant, $load, $nclients clients: counted $((after - before)) of $transactions commits"
  fi
  # what is left to fold is folded by now, and belongs to the run
  cpu=$(($(cpu_ms "$worker") - cpu))
  note_run "$part" "$load" "$nclients" "$round" "$variant" "$transactions" "$tps" $((cpu / 10 / seconds))
}

# rounds_of PART LOAD CLIENTS VARIANT...: all rounds of these variants.
rounds_of() {
  local part=$1 load=$2 nclients=$3 round i variant
  shift 3
  local variants=("$@")
  note "$part: $load, $nclients clients, $rounds rounds of $*"
  sql -c 'VACUUM ANALYZE' -c 'CHECKPOINT'
  : >"$work/runs"
  for ((round = 1; round <= rounds; round++)); do
    for ((i = 0; i < ${#variants[@]}; i++)); do
      variant=${variants[round % 2 ? i : ${#variants[@]} - 1 - i]}
      case $variant in
      redis_*) run_redis "$part" "$load" "$nclients" "$round" "$variant" ;;
      *) run_variant "$part" "$load" "$nclients" "$round" "$variant" ;;
      esac
    done
  done
  sql -c '\copy bench.runs FROM pstdin' <"$work/runs"
}

declare -A titles=([increment]='increments/s' [live]='live increments/s' [trigger]='UPDATE + NOTIFY trigger' [update]='UPDATE'
  [insert]='bare INSERT' [select1]='SELECT 1' [worker_increment]='with an increment, transactions/s' [worker_trigger]='with UPDATE + NOTIFY trigger'
  [redis_count]='Redis, the count published' [redis_blind]='Redis, in one write' [redis_aof]='Redis, the count published, AOF always')

# table PART VARIANT...: the first beside the others.
table() {
  local part=$1 variant head='| sessions | clients |' line='|-|-|'
  shift
  for variant; do
    head="$head ${titles[$variant]} |"
    line="$line-|"
  done
  for variant in "${@:2}"; do
    head="$head × ${titles[$variant]} |"
    line="$line-|"
  done
  say "$head worker, % of a core |"
  say "$line-|"
  sql -v part="$part" -v variants="$*" -f "$here"/table.sql
}

# must_ratio WHAT BOUND PART LOAD CLIENTS OWN OTHER: of two variants, at least.
must_ratio() {
  local text
  text=$(sql -v part="$3" -v load="$4" -v clients="$5" -v own="$6" -v other="$7" -f "$here"/ratio.sql)
  must "$1" '>=' "$2" "${text%% *}" "$text"
}

# --- the end ------------------------------------------------------------------------

report_must() {
  [ -s "$work/must" ] || return 0
  say
  say "### Must hold"
  say
  say "| | bound | here | |"
  say "|-|-|-|-|"
  awk -F '\t' '{
    met = $2 == ">=" ? $4 >= $3 : $4 <= $3
    printf "| %s | %s %s | %s | %s |\n", $1, $2 == ">=" ? "≥" : "≤", $3, $5, $4 == "" ? "not measured" : met + 0 ? "met" : "missed"
  }' "$work/must"
}

for part in $parts; do
  # shellcheck source=/dev/null
  . "$here/parts/$part.sh"
done
prepare
describe_machine
for part in $parts; do
  "measure_$part"
done
report_must
