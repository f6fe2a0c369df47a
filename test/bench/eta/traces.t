#!/bin/sh
# The targets of "make bench-eta" hold, over few traces: a test of make check.
exec node "$(dirname "$0")/report.mjs" --tap
