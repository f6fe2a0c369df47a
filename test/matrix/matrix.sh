#!/bin/bash
# Run the database's tests, and the bridge's that need no browser, with the
# PostgreSQL of other Debians, and upgrade clusters to it.  "make check-matrix"
# runs this.  Needs root.
#
#   MATRIX="trixie forky"   only these of test/matrix/distributions
#   MATRIX_SUITES="sql …"   only these suites (scripts/suites.sh; "upgrade" is
#                           pg_upgrade from each version that is listed there)
#   MATRIX_DIR=DIR          keep the trees there, for the next run: without it
#                           they are made, and removed, each time
#   MATRIX_MIRROR=URL       Debian's mirror (else the one of this machine's apt)
#
# Each Debian is a tree that debootstrap makes in a temporary directory.  What
# runs there runs in namespaces of its own: its mounts are seen by nobody else,
# and when its first process is killed, which is all that an interrupt has to
# do, the kernel ends all others and takes the mounts away.  So a tree can be
# removed without looking for what might still be mounted in it.
#
# Nothing of this machine is changed but the directory named above, and what
# scripts/packages.sh says that it installs.
set -euo pipefail
umask 022
cd "$(dirname "$0")/../.."
. scripts/common.sh

matrix=test/matrix
suites=${MATRIX_SUITES:-unit sql isolation cluster installcheck bridge upgrade}
results=
failed=
runner=

# -- in namespaces --------------------------------------------------------------

# A command in namespaces of its own, killed as a whole by interrupt().
contained() {
  unshare --mount --pid --ipc --fork --kill-child "$@" </dev/null &
  runner=$!
  local status=0
  wait "$runner" || status=$?
  runner=
  return $status
}

# The first process in there is what must go: unshare then waits until the
# kernel has ended all others.
interrupt() {
  trap '' INT TERM HUP
  if [ -n "$runner" ]; then
    # shellcheck disable=SC2046 # one argument a process
    kill -KILL $(cat "/proc/$runner/task/$runner/children" 2>/dev/null) 2>/dev/null || true
    wait "$runner" 2>/dev/null || true
  fi
  exit "$1"
}

# Runs a script of ours in a tree, as root of it.
inside() {
  local tree=$1
  shift
  # shellcheck disable=SC2016 # they do in there
  contained sh -euc 'mount -t proc proc "$1/proc"
    mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
    tree=$1; shift; exec chroot "$tree" "$@"' sh "$tree" \
    /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 HOME=/root "$@"
}

# -- making a tree ----------------------------------------------------------------

# Where this machine gets Debian from.
mirror() {
  local found=${MATRIX_MIRROR:-}
  # shellcheck disable=SC2016 # these are apt's
  [ -n "$found" ] || found=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(SITE)' 'Created-By: Packages' 2>/dev/null |
    sed -n 's,^Debian|Debian|\(https\{0\,1\}://.*\),\1,p' | head -n 1)
  say "${found:-http://deb.debian.org/debian}"
}

# How this machine's apt reaches it: proxies, and how old an index may be.
apt_settings() {
  apt-config dump | grep -E '^Acquire::(http|https|ftp|Retries|Check-Valid-Until|Check-Date)\b' || true
}

# An older debootstrap knows no newer distribution, but they are all made alike.
bootstrap() {
  local suite=$1 tree=$2 script=/usr/share/debootstrap/scripts/$1
  [ -e "$script" ] || script=${script%/*}/sid
  contained debootstrap --variant=minbase "$suite" "$tree" "$(mirror)" "$script" || return
  cp -L /etc/resolv.conf /etc/hosts "$tree/etc/"
  if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
    mkdir -p "$tree/etc/ssl/certs"
    cp -L /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/"
  fi
  apt_settings >"$tree/etc/apt/apt.conf.d/90matrix"
  touch "$tree/.matrix"
}

# A tree from an earlier run is used if that has finished it.
make_tree() {
  local suite=$1 major=$2 tree=$3
  shift 3
  if [ ! -f "$tree/.matrix" ]; then
    say "Making a tree of Debian $suite in $tree"
    remove "$tree"
    bootstrap "$suite" "$tree" >"$tree.log" 2>&1 || { tail -n 20 "$tree.log" >&2; return 1; }
  fi
  cp $matrix/inside.sh "$tree/inside.sh"
  rm -rf "$tree/src" "$tree/work"
  scripts/copytree.sh "$tree/src"
  say "Installing PostgreSQL $major and what the tests need${1:+ (and of PostgreSQL, to upgrade from: $*)}"
  inside "$tree" bash /inside.sh packages "$(mirror)" "$major" "$@" >>"$tree.log" 2>&1 || { tail -n 20 "$tree.log" >&2; return 1; }
}

remove() {
  case $1 in "$dir"/?*) rm -rf --one-file-system "$1" ;; *) die "will not remove $1" ;; esac
}

# What the bridge's tests need from npm is the same everywhere.
fetch_modules() {
  say "Fetching what the bridge's tests need from npm"
  mkdir -p "$dir/npm"
  cp test/package.json test/package-lock.json "$dir/npm/"
  (cd "$dir/npm" && npm ci --no-audit --no-fund --loglevel=error) >"$dir/npm.log" 2>&1 ||
    { tail -n 20 "$dir/npm.log" >&2; die "npm ci failed"; }
}

# -- running the tests ----------------------------------------------------------

note() {
  results+=$(printf '%-10s %-10s %-14s %6s %6s %6s  %s' "$@")$'\n'
  case $7 in FAILED*) failed=yes ;; esac
}

# The summary lines of suites.sh and upgrade.pl, as rows of ours.
take_results() {
  local name passed bad seconds verdict
  while read -r name passed _ bad _ seconds _ verdict; do
    note "$1" "$2" "$name" "$passed" "$bad" "$seconds" "$verdict"
  done < <(grep -E '^[a-z0-9-]+ +[0-9]+ passed +[0-9]+ failed +[0-9]+ s  (ok|FAILED)$' "$3")
}

run_tests() {
  local suite=$1 major=$2 tree=$3 status=0 version before
  shift 3
  [ ! -d "$dir/npm" ] || cp -R "$dir/npm/node_modules" "$tree/src/test/"
  mkdir -p "$tree/work"
  version=$(sed -n 's/^PostgreSQL \([^ ]*\).*/\1/p' "$tree/.version")
  say "Running the tests with PostgreSQL $version"
  before=$results
  inside "$tree" bash /inside.sh tests "$major" "$suites" "$@" || status=$?
  take_results "$suite" "$version" "$tree/work/tests.log"
  if [ $status -eq 0 ]; then return; fi
  case ${results#"$before"} in
  *FAILED*) ;;
  *) note "$suite" "$version" - - - - "FAILED: it ended early" ;;
  esac
  keep_logs "$suite" "$tree"
}

keep_logs() {
  local to=$dir/logs.$1
  remove "$to"
  mkdir "$to"
  cp -R "$2/work/logs/." "$to/" 2>/dev/null || true
  if [ -d "$2/work/cluster/log" ]; then cp -R "$2/work/cluster/log" "$to/cluster"; fi
  kept+=" $to"
}

one() {
  local suite=$1 major=$2 tree=$dir/$1
  shift 2
  say "== Debian $suite, PostgreSQL $major"
  if make_tree "$suite" "$major" "$tree" "$@"; then
    run_tests "$suite" "$major" "$tree" "$@"
  else
    note "$suite" "$major" - - - - "FAILED: no tree"
    kept+=" $tree.log"
  fi
  if [ -z "${MATRIX_DIR:-}" ]; then remove "$tree"; fi
}

# This machine's own version is what make check is for.
own_major() {
  local config
  config=$(pg_config_path)
  [ -z "$config" ] || "$config" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
}

finish() {
  local status=$?
  if [ -n "${kept:-}" ]; then
    say "Logs are in:$kept"
  elif [ -z "${MATRIX_DIR:-}" ]; then
    rm -rf --one-file-system "$dir"
  fi
  exit $status
}

is_root || die "this makes Debian trees with debootstrap, and runs programs in them: it needs root"
scripts/packages.sh matrix
unshare --mount --pid --ipc --fork true || die "this needs namespaces (unshare), which are not allowed here"
if [ -n "${MATRIX_DIR:-}" ]; then
  mkdir -p "$MATRIX_DIR"
  dir=$(cd "$MATRIX_DIR" && pwd)
else
  dir=$(mktemp -d "${TMPDIR:-/var/tmp}/sync-progress-matrix.XXXXXX")
fi
chmod 755 "$dir"
kept=
trap finish EXIT
trap 'interrupt 130' INT
trap 'interrupt 143' TERM HUP

case " $suites " in *" bridge "*) fetch_modules ;; esac
own=$(own_major)
while read -r suite major from <&3; do
  case " ${MATRIX:-$suite} " in
  *" $suite "*) ;;
  *) note "$suite" "$major" - - - - "skipped: not in MATRIX"; continue ;;
  esac
  if [ -z "${MATRIX:-}" ] && [ "$major" = "$own" ]; then
    note "$suite" "$major" - - - - "skipped: this machine has PostgreSQL $own, which make check tests"
    continue
  fi
  # shellcheck disable=SC2086 # one argument a version
  one "$suite" "$major" $from
done 3< <(grep -v '^#' $matrix/distributions)
for name in ${MATRIX:-}; do
  grep -q "^$name " $matrix/distributions || note "$name" - - - - - "FAILED: not in $matrix/distributions"
done

say
printf '%-10s %-10s %-14s %6s %6s %6s\n' distribution PostgreSQL suite passed failed s
printf '%s' "$results"
[ -z "$failed" ]
