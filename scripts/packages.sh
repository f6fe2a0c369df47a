#!/bin/sh
# Install the Debian packages that are missing here, after saying what each is
# for.
#
#   scripts/packages.sh build|demo|bench|load|client|check|conformance|matrix|tree|lint|fuzz|sanitize|valgrind|valgrind-server
#
# All but "lint" and "matrix" include "build"; "tree" is what check-matrix needs in a
# tree that "matrix" has made.  Needs root or sudo only if something is
# missing.  No cluster is created and no service is left running: a server
# installed here finds create_main_cluster = off while its package is set up,
# and that setting is taken away again at the end.
set -eu
umask 022
cd "$(dirname "$0")/.."
. scripts/common.sh

guard=/etc/postgresql-common/createcluster.d/sync-progress-packages.conf
policy=/usr/sbin/policy-rc.d

has_node() {
  node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)' 2>/dev/null
}

has_pgxs() {
  config=$(pg_config_path)
  [ -n "$config" ] && [ -f "$("$config" --pgxs 2>/dev/null)" ]
}

has_server() {
  has_pgxs && [ -x "$("$(pg_config_path)" --bindir)/initdb" ] &&
    [ -x "$("$(pg_config_path)" --bindir)/postgres" ]
}

has_pgtap() {
  has_pgxs && [ -f "$("$(pg_config_path)" --sharedir)/extension/pgtap.control" ]
}

has_package() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

has_clang_runtime() {
  runtime=$(clang -print-runtime-dir) && dir=$(clang -print-resource-dir) || return 1
  [ -n "$(find "$runtime" "$dir/lib" -name 'libclang_rt.fuzzer*.a' -print -quit 2>/dev/null)" ]
}

# clang's major version, by what the distribution calls it.
clang_major() {
  apt-cache depends clang 2>/dev/null | sed -n 's/.*Depends: clang-\([0-9][0-9]*\)$/\1/p' | head -n 1
}

# PostgreSQL's major version: of the one in use, else the distribution's.
pg_major() {
  if has_pgxs; then
    "$(pg_config_path)" --version | sed 's/^PostgreSQL \([0-9]*\).*/\1/'
  else
    apt-cache depends postgresql 2>/dev/null |
      sed -n 's/.*Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1
  fi
}

# What is needed: test | package | what it is for.  PGMAJOR and CLANGMAJOR are filled in later.
needs() {
  if [ "$1" = matrix ]; then
    cat <<'LIST'
command -v debootstrap|debootstrap|makes a tree of another Debian
[ -f /usr/share/keyrings/debian-archive-keyring.gpg ]|debian-archive-keyring|the keys that its packages are signed with
command -v unshare|util-linux|namespaces, to run it in
has_node|nodejs|tests with the stock Action Cable client
command -v npm|npm|fetches that client
LIST
    return
  fi
  cat <<'LIST'
has_package gcc|gcc|compiles the extension and the bridge
has_package libc6-dev|libc6-dev|the C library's headers
has_package make|make|runs the build
command -v pkg-config|pkg-config|tells the build where the libraries are
has_pgxs|postgresql-server-dev-PGMAJOR|PostgreSQL's headers and PGXS, for the extension
has_package zlib1g-dev|zlib1g-dev|gzip, for the bridge
has_package libpq-dev|libpq-dev|PostgreSQL's client library, for the bridge
has_package libwebsockets-dev|libwebsockets-dev|WebSocket and HTTP, for the bridge
has_package libev-dev|libev-dev|the bridge's event loop
has_package libcjose-dev|libcjose-dev|checks signed tokens (JWT), for the bridge
has_package libjansson-dev|libjansson-dev|JSON, for the bridge
has_package libinih-dev|libinih-dev|reads the bridge's configuration file
has_package libsystemd-dev|libsystemd-dev|the bridge's words with systemd
LIST
  case $1 in demo | bench | load | client | check | conformance | tree)
    cat <<'LIST'
has_server|postgresql-PGMAJOR|the PostgreSQL server itself, run in a private cluster
LIST
  esac
  case $1 in check | tree)
    cat <<'LIST'
has_package libcmocka-dev|libcmocka-dev|unit tests in C
has_pgtap|postgresql-PGMAJOR-pgtap|tests written in SQL
command -v pg_prove|libtap-parser-sourcehandler-pgtap-perl|runs the tests written in SQL
command -v prove|perl|runs every test
perl -MIPC::Run -e1|libipc-run-perl|tests that crash and restart servers
command -v curl|curl|a client that everybody has, which the bridge must serve
command -v openssl|openssl|makes the certificate that TLS is tested with
LIST
  esac
  case $1 in check)
    cat <<'LIST'
has_package nginx|nginx|a proxy, which the bridge must work behind
has_package haproxy|haproxy|another one
command -v chromium|chromium|tests the page in a real browser
has_package pgbouncer|pgbouncer|a pooler, which the bridge must not be behind
command -v systemd-analyze|systemd|checks the bridge's unit files
command -v mandoc|mandoc|checks the bridge's manual page
has_package fonts-dejavu-core|fonts-dejavu-core|letters for that browser
command -v promtool|prometheus|promtool, which checks the metrics and the alert rules
LIST
  esac
  case $1 in tree)
    cat <<'LIST'
has_node|nodejs|tests with the stock Action Cable client
LIST
  esac
  case $1 in check | conformance | client)
    cat <<'LIST'
has_node|nodejs|tests with the stock Action Cable client
command -v npm|npm|fetches that client
LIST
  esac
  case $1 in conformance)
    cat <<'LIST'
has_package ruby-actioncable|ruby-actioncable|Action Cable, which the bridge is compared with
has_package ruby-activerecord|ruby-activerecord|its PostgreSQL adapter needs it
has_package ruby-pg|ruby-pg|Ruby's client library of PostgreSQL
command -v puma|puma|the web server that it runs in
LIST
  esac
  case $1 in bench)
    cat <<'LIST'
has_package redis-tools|redis-tools|Redis, which live mode is compared with
has_package libhiredis-dev|libhiredis-dev|Redis's client library, likewise
LIST
  esac
  case $1 in load)
    cat <<'LIST'
has_node|nodejs|drives the load client
LIST
  esac
  case $1 in fuzz | sanitize)
    cat <<'LIST'
command -v clang|clang|the compiler that the sanitizers and the fuzzer are part of
has_clang_runtime|libclang-rt-CLANGMAJOR-dev|these, as libraries
LIST
  esac
  case $1 in valgrind | valgrind-server)
    cat <<'LIST'
command -v valgrind|valgrind|watches every access to memory
has_package libc6-dbg|libc6-dbg|without which it cannot tell what the C library does
LIST
  esac
  case $1 in valgrind-server)
    cat <<'LIST'
has_package libxml2-dev|libxml2-dev|XML, for the PostgreSQL that is built to be watched
command -v bzip2|bzip2|unpacks its source
command -v bison|bison|its grammar, which as of 17 the source has no C code of
command -v flex|flex|likewise
LIST
  esac
  case $1 in lint)
    cat <<'LIST'
command -v pg_bsd_indent|pg-bsd-indent|checks the layout of the C code
command -v cppcheck|cppcheck|looks for mistakes in the C code
command -v shellcheck|shellcheck|looks for mistakes in the scripts
command -v objdump|binutils|reads the type names that pg_bsd_indent must know
LIST
  esac
}

# Prints "package|what it is for" of what is missing.
missing() {
  needs "$1" | while IFS='|' read -r test package why; do
    eval "$test" </dev/null >/dev/null 2>&1 || printf '%s|%s\n' "$package" "$why"
  done
}

# Both are long-winded, which is of interest only when they fail.
apt() {
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -y -q "$@" </dev/null >"$log" 2>&1
}

update() {
  say "Reading the package lists (apt-get update)"
  apt update || { tail -n 20 "$log" >&2; die "apt-get update failed"; }
  updated=yes
}

clean_up() {
  rm -f "$log"
  if [ -e "$guard" ]; then
    $sudo rm -f "$guard"
    $sudo rmdir --ignore-fail-on-non-empty "${guard%/*}"
  fi
  [ -z "$policed" ] || $sudo rm -f "$policy"
}

# While packages are set up nothing is started, unless somebody decides that
# here already.
forbid_services() {
  [ ! -e "$policy" ] || return 0
  printf '#!/bin/sh\nexit 101\n' | $sudo tee "$policy" >/dev/null
  policed=yes
  $sudo chmod 755 "$policy"
}

case ${1:-} in
build | demo | bench | load | client | check | conformance | matrix | tree | lint | fuzz | sanitize | valgrind | valgrind-server) set=$1 ;;
*) die "usage: scripts/packages.sh build|demo|bench|load|client|check|conformance|matrix|tree|lint|fuzz|sanitize|valgrind|valgrind-server" ;;
esac

list=$(missing "$set")
[ -n "$list" ] || exit 0

command -v apt-get >/dev/null || die "this needs apt-get, which is not here. Install by hand:
$(printf '%s\n' "$list" | sed 's/[A-Z]*MAJOR/<version>/; s/|/: /')"

sudo=
if ! is_root; then
  command -v sudo >/dev/null || die "packages are missing, and installing them needs root or sudo:
$(printf '%s\n' "$list" | sed 's/|/: /')"
  sudo=sudo
fi

updated=
policed=
log=$(mktemp)
trap clean_up EXIT
trap 'exit 130' INT TERM HUP

major=$(pg_major)
if [ -z "$major" ]; then
  update
  major=$(pg_major)
  [ -n "$major" ] || die "no package postgresql in the package lists"
fi
list=$(printf '%s\n' "$list" | sed "s/PGMAJOR/$major/; s/CLANGMAJOR/$(clang_major)/")
names=$(printf '%s\n' "$list" | cut -d'|' -f1)

say "Installing with apt-get, because they are missing here${sudo:+ (asks for your password where sudo does)}:"
printf '%s\n' "$list" | while IFS='|' read -r package why; do
  printf '  %-40s %s\n' "$package" "$why"
done
say "No PostgreSQL cluster is created and no service is left running. This may take a minute or two."

$sudo mkdir -p "${guard%/*}"
echo 'create_main_cluster = off' | $sudo tee "$guard" >/dev/null
forbid_services

# shellcheck disable=SC2086 # one argument a package
if ! apt install --no-install-recommends $names; then
  # the lists may be older than what the archive has now
  [ -n "$updated" ] || update
  apt install --no-install-recommends $names || { tail -n 20 "$log" >&2; die "apt-get could not install them"; }
fi

# nor at the next start of the machine
for service in pgbouncer prometheus; do
  case $names in *$service*) $sudo update-rc.d "$service" disable >/dev/null 2>&1 || true ;; esac
done

left=$(missing "$set" | cut -d'|' -f1 | tr '\n' ' ')
[ -z "$left" ] || die "installed, but still not usable here: $left"
