#!/bin/sh
# Copy the sources, without what was built or fetched, into DIR.
#
#   scripts/copytree.sh DIR
set -eu
cd "$(dirname "$0")/.."

mkdir -p "$1"
tar -c --exclude=./.git --exclude='./.demo*' --exclude=node_modules --exclude=build \
  --exclude=tmp_check --exclude='*.o' --exclude='*.so' --exclude='*.bc' \
  --exclude=./bridge/sync-progress-bridge . | tar -x -C "$1"
chmod -R u+rwX,go+rX "$1"
