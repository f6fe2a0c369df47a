# Sourced by suites.sh: running suites under a tool that watches the C code.
#
#   CHECK_TOOL=sanitize   the bridge and the units, built by clang with
#                         AddressSanitizer, LeakSanitizer and
#                         UndefinedBehaviorSanitizer
#   CHECK_TOOL=valgrind   the same programs as ever, under valgrind's memcheck;
#                         CHECK_NOT="outage|slow" says which tests not
#
# What a tool finds is written to a file for each process, and any such file
# fails the suite: a test may well pass although the program it talks to has
# read a byte too much, or has died a moment later.
# shellcheck shell=bash disable=SC2034,SC2154

tool_suites='unit bridge'
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

# Not those that are about time and crowds: twenty times as slow, they would test
# nothing but that.
tool_use_valgrind() {
  not_these=${CHECK_NOT:-clients|hostile|limits|outage|slow|time}
  unit_exec="env -u MEMCHECK_PROGRAM $tree/test/tool/memcheck"
  export MEMCHECK_REPORTS="$reports" TEST_TIMEOUT_FACTOR=${TEST_TIMEOUT_FACTOR:-10}
  export MEMCHECK_PROGRAM="$tree/bridge/sync-progress-bridge" BRIDGE="$tree/test/tool/memcheck"
}

tool_prepare() {
  reports=$WORK/logs/reports
  mkdir -p "$reports"
  "tool_use_$CHECK_TOOL"
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
