#!/bin/sh
# Print messages as rows for COPY, one a row.
#
#   demo/load.sh            this machine's own package index: real RFC 822 records
#   demo/load.sh MBOX       the messages of a mailbox file
#
# Bytes that are not UTF-8 are left out, and of each message what comes after
# 64 kB.
set -eu
export LC_ALL=C

if [ $# -eq 0 ]; then
  apt-cache dumpavail
else
  cat -- "$1"
fi |
  tr -d '\000\r' | iconv -c -f UTF-8 -t UTF-8 |
  sed 's/\\/\\\\/g; s/	/\\t/g' |
  awk -v mbox=$# '
    function flush() {
      if (size > 0) printf "\n"
      size = 0
    }
    mbox ? /^From [^ ]+ .*[0-9]:[0-9][0-9]/ && blank : /^$/ { flush(); blank = 0; next }
    size < 65536 {
      if (size > 0) printf "\\n"
      printf "%s", $0
      size += length($0) + 1
    }
    { blank = /^$/ }
    BEGIN { blank = 1 }
    END { flush() }'
