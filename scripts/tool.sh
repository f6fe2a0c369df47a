# Sourced by suites.sh: running suites under a tool that watches the C code.
#
#   CHECK_TOOL=sanitize   the bridge and the units, built by clang with
#                         AddressSanitizer, LeakSanitizer and
#                         UndefinedBehaviorSanitizer
#   CHECK_TOOL=valgrind   the same programs as ever, under valgrind's memcheck
#   CHECK_TOOL=valgrind-server   the database's, in a PostgreSQL of their own that
#                         is built with assertions and under memcheck
#
# Both leave out what under valgrind tests nothing but its slowness, and say so;
# CHECK_NOT="outage|slow" leaves out these instead, CHECK_NOT=- none.
#
# What a tool finds is written to a file for each process, and any such file
# fails the suite: a test may well pass although the program it talks to has
# read a byte too much, or has died a moment later.
# shellcheck shell=bash disable=SC2034,SC2154

case ${CHECK_TOOL:-} in
valgrind-server) suites='sql isolation installcheck cluster' ;;
?*) suites='unit bridge' ;;
esac
sanitizers='-fsanitize=address,undefined -fno-sanitize-recover=all'

# No compiler warnings as errors here: another compiler, another opinion.
build_sanitized() {
  local cflags="-O1 -g -fno-omit-frame-pointer $sanitizers"
  make -C bridge -j2 all unit CC=clang CFLAGS="$cflags" LDFLAGS="$sanitizers" \
    HARDENING=-fPIE BUILD="$tree/build/sanitize/bridge" PROGRAM="$tree/build/sanitize/sync-progress-bridge" &&
    make -j2 units CC=clang CFLAGS="$cflags" UNIT_BUILD=build/sanitize/unit
}

tool_use_sanitize() {
  build_sanitized || return
  local common="log_path=$reports/report:exitcode=99"
  unit_programs=(build/sanitize)
  export BRIDGE="$tree/build/sanitize/sync-progress-bridge" TEST_TIMEOUT_FACTOR=${TEST_TIMEOUT_FACTOR:-3}
  export ASAN_OPTIONS="$common:detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1:detect_leaks=1"
  export UBSAN_OPTIONS="$common:print_stacktrace=1"
}

# What is left out, as far as CHECK_NOT does not say otherwise: which files begin
# like that, and why.
leave_out() {
  [ -z "${CHECK_NOT:-}" ] || set -- "$CHECK_NOT" 'named by CHECK_NOT'
  not_these=
  while [ $# -gt 0 ]; do
    not_these+=${not_these:+|}$1
    left_out+=("$1" "$2")
    shift 2
  done
}

# Says so, of the suites that are named.
tool_say_left_out() {
  local at suite names directories=()
  for suite; do
    case $suite in
    sql | bridge) directories+=("test/$suite") ;;
    isolation) directories+=(test/isolation/specs) ;;
    cluster) directories+=(test/cluster/t) ;;
    esac
  done
  [ "${#directories[@]}" -gt 0 ] || return 0
  for ((at = 0; at < ${#left_out[@]}; at += 2)); do
    names=$(find "${directories[@]}" -maxdepth 1 -type f | grep -E "/(${left_out[at]})[^/]*$" | sort | sed 's|.*/||' | tr '\n' ' ') || true
    [ -z "$names" ] || say "Left out, ${left_out[at + 1]}: $names"
  done
}

tool_use_valgrind() {
  leave_out 'outage|slow|time' 'about time, which is another here' 'clients|hostile|limits' 'crowds, which take too long'
  unit_exec="env -u MEMCHECK_PROGRAM $tree/test/tool/memcheck"
  export MEMCHECK_REPORTS="$reports" TEST_TIMEOUT_FACTOR=${TEST_TIMEOUT_FACTOR:-10}
  export MEMCHECK_PROGRAM="$tree/bridge/sync-progress-bridge" BRIDGE="$tree/test/tool/memcheck"
}

# Thirty times as slow.
tool_use_valgrind_server() {
  leave_out \
    'accounts|general|0(09|1[0-25])' 'crowds and thousands of payloads, which take too long' \
    'exact-view|track\.' 'a flush takes longer than it may' \
    'requirements|0(02|06|08|13|17|18|23)' 'about time, which is another here' \
    '0(04|05|14|19|2[1-79]|[3-9])' 'minutes each, and not known to pass'
  export MEMCHECK_REPORTS="$reports" MEMCHECK_SUPPRESSIONS="$tree/test/tool/postgres.supp"
  MEMCHECK_POSTGRES=$(dirname "$(dirname "$(dirname "$(pg_config_path)")")")
  export MEMCHECK_POSTGRES TEST_TIMEOUT_FACTOR=${TEST_TIMEOUT_FACTOR:-20}
  export PG_TEST_TIMEOUT_DEFAULT=1800 PGISOLATIONTIMEOUT=1800 PGCTLTIMEOUT=600
  # a function's payload in time, too
  server_settings=(sync_progress.payload_timeout=60s)
  export TEST_SERVER_SETTINGS='sync_progress.payload_timeout = 60s
'
}

tool_prepare() {
  reports=$WORK/logs/reports
  mkdir -p "$reports"
  "tool_use_${CHECK_TOOL//-/_}"
}

# Puts the tool in the place of the server's program, where it is to watch that.
tool_server() {
  [ "$CHECK_TOOL" = valgrind-server ] || return 0
  rm -f "$1/postmaster"
  mv "$1/postgres" "$1/postgres.real"
  cp test/tool/memcheck-postgres "$1/postgres"
}

# Prints what was found; true if that is something.  A process that was killed
# by its test leaves an empty file.
tool_found() {
  local file found=1
  for file in "$reports"/*; do
    [ -s "$file" ] || continue
    found=0
    printf -- '-- %s\n' "${file##*/}"
    head -n 60 "$file"
  done
  return $found
}
