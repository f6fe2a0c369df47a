#!/bin/bash
# Takes the README's pictures anew, into doc/screenshots/.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

scripts/packages.sh check
mkdir -p doc/screenshots
[ test/node_modules -nt test/package-lock.json ] ||
  (cd test && npm ci --no-audit --no-fund --loglevel=error && touch node_modules)
node test/browser/screenshots.js doc/screenshots
for picture in doc/screenshots/*.png; do say "$picture"; done
