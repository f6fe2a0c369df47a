#!/bin/bash
# Gives what takes input from outside random input, a while each.  "make fuzz"
# runs this.
#
#   FUZZ_SECONDS=60        how long each
#   FUZZ_ONLY="event http" only these (test/fuzz/fuzz_*.c)
#
# Begins with the inputs in test/fuzz/corpus/ and with those that earlier runs
# found worth keeping, in build/fuzz/corpus/.  What makes a target end is kept in
# build/fuzz/found/, and printed with how to run it again.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/common.sh

scripts/packages.sh fuzz
say "Building"
log=build/fuzz/build.log
mkdir -p build/fuzz/found
make -C test/fuzz -j2 >"$log" 2>&1 || { tail -n 30 "$log" >&2; die "the build failed"; }

# libwebsockets and libev free at their end what they keep for good; what is
# lost on the way is what is looked for.
export ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1

failed=
for target in ${FUZZ_ONLY:-$(cd test/fuzz && ls fuzz_*.c)}; do
  name=${target#fuzz_}
  name=${name%.c}
  log=build/fuzz/$name.log
  mkdir -p "build/fuzz/corpus/$name"
  status=0
  "build/fuzz/fuzz_$name" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
    -print_final_stats=1 -dict=test/fuzz/words.dict -artifact_prefix="build/fuzz/found/$name-" \
    "build/fuzz/corpus/$name" "test/fuzz/corpus/$name" >"$log" 2>&1 </dev/null || status=$?
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  reached=$(grep -o 'cov: [0-9]*' "$log" | tail -n 1 || true)
  if [ "$status" -eq 0 ] && [ "${runs:-0}" -gt 0 ]; then
    printf '%-8s %9s runs  %s  nothing found\n' "$name" "$runs" "$reached"
    continue
  fi
  failed="$failed $name"
  printf '%-8s FAILED, the end of %s:\n' "$name" "$log"
  grep -vE '^#[0-9]+|NEW_FUNC|fuzzer::' "$log" | tail -n 60
  found=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  [ -z "$found" ] || say "Again: build/fuzz/fuzz_$name $found"
done
[ -z "$failed" ] || die "found something:$failed"
