#!/bin/bash
# Remove what the demo made: its directory, and what it put into /var/tmp.  The
# demo installs nothing outside of these, but for Debian packages, which stay.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
. demo/parts.sh

[ -d "${DEMO_DIR:-.demo}" ] || exit 0
dir=$(cd "${DEMO_DIR:-.demo}" && pwd)
pid=$(cat "$dir/demo.pid" 2>/dev/null || true)
if is_running_demo "$pid"; then
  die "the demo in $dir is running (pid $pid): end it first"
fi
base=$dir
if [ -L "$dir/base" ]; then base=$(readlink "$dir/base"); fi
end_what_was_left
case $base in
/var/tmp/sync-progress-demo.*) rm -rf "$base" ;;
esac
rm -rf "$dir"
make -s -C demo clean
say "Removed $dir"
