#!/bin/bash
# Remove what the demo made: its directory, and what it put into /var/tmp.  The
# demo installs nothing outside of these, but for Debian packages, which stay.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

dir=${DEMO_DIR:-.demo}
[ -d "$dir" ] || exit 0
pid=$(cat "$dir/demo.pid" 2>/dev/null || true)
if [ -n "$pid" ] && tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -q demo.sh; then
  die "the demo in $dir is running (pid $pid): end it first"
fi
base=$dir
if [ -L "$dir/base" ]; then base=$(readlink "$dir/base"); fi
[ ! -d "$base/pg" ] || scripts/pg.sh stop "$base/pg"
case $base in
/var/tmp/sync-progress-demo.*) rm -rf "$base" ;;
esac
rm -rf "$dir"
make -s -C demo clean
say "Removed $dir"
