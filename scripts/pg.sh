#!/bin/sh
# A private PostgreSQL cluster: nobody else's, and gone without a trace.
#
#   scripts/pg.sh start DIR BINDIR [SETTING=VALUE]...   make it if need be, start it
#   scripts/pg.sh standby DIR BINDIR PRIMARY            a copy of the running cluster in PRIMARY
#   scripts/pg.sh stop DIR                              stop it, if it runs
#   scripts/pg.sh socket DIR                            print its socket directory
#
# It listens on a unix socket only, in a directory that only its user may
# enter; hence no port to collide with and no password.  The superuser is
# "postgres".  Under root the server runs as user "postgres", so DIR must be
# reachable for that user.
set -eu
umask 022
cd "$(dirname "$0")/.."
. scripts/common.sh

# The name of a unix socket may have 107 bytes, and a checkout may lie deeper
# than that: then it goes to /tmp, under a name kept in DIR.
make_socket_dir() {
  if [ "$(printf '%s' "$dir/socket/.s.PGSQL.5432" | wc -c)" -le 100 ]; then
    socket=$dir/socket
    mkdir -p "$socket"
  else
    socket=$(mktemp -d /tmp/sync-progress.XXXXXX)
  fi
  chmod 700 "$socket"
  ! is_root || chown "$(run_user)" "$socket"
  printf '%s\n' "$socket" >"$dir/socket.path"
}

socket_dir() {
  cat "$dir/socket.path" 2>/dev/null || true
}

start() {
  bindir=$1
  shift
  mkdir -p "$dir"
  if [ ! -d "$(socket_dir)" ]; then make_socket_dir; fi
  if [ ! -f "$dir/data/PG_VERSION" ]; then
    rm -rf "$dir/data"
    mkdir "$dir/data"
    chmod 700 "$dir/data"
    ! is_root || chown "$(run_user)" "$dir/data"
    as_user "$bindir/initdb" -D "$dir/data" -U postgres -A trust -E UTF8 \
      --locale=C.UTF-8 >"$dir/initdb.log" 2>&1 || die "initdb failed: see $dir/initdb.log"
    {
      echo "listen_addresses = ''"
      echo "unix_socket_directories = '$(socket_dir)'"
      echo "shared_preload_libraries = 'sync_progress'"
      echo "logging_collector = off"
      echo "include_if_exists = '$dir/settings.conf'"
    } >>"$dir/data/postgresql.conf"
  fi
  for setting; do
    printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
  done >"$dir/settings.conf"
  : >>"$dir/server.log"
  ! is_root || chown "$(run_user)" "$dir/server.log"
  as_user "$bindir/pg_ctl" -D "$dir/data" -l "$dir/server.log" -w -s start || {
    tail -n 20 "$dir/server.log" >&2
    die "the server did not start: see $dir/server.log"
  }
}

# Make a copy of another cluster that follows it; "start" starts it.
standby() {
  bindir=$1
  primary=$(cat "$2/socket.path")
  make_socket_dir
  mkdir "$dir/data"
  chmod 700 "$dir/data"
  ! is_root || chown "$(run_user)" "$dir/data"
  as_user "$bindir/pg_basebackup" -D "$dir/data" -d "host=$primary user=postgres" -c fast -R
  {
    echo "unix_socket_directories = '$(socket_dir)'"
    echo "include_if_exists = '$dir/settings.conf'"
  } >>"$dir/data/postgresql.conf"
}

# Under valgrind it is called otherwise.
is_server() {
  case $(cat "/proc/$1/comm" 2>/dev/null) in postgres | memcheck*) ;; *) false ;; esac
}

# By the pid that the server itself wrote down, and only if that is still a
# postgres: after a reboot the number may be anyone's.
stop() {
  pid=$(head -n 1 "$dir/data/postmaster.pid" 2>/dev/null || true)
  if [ -n "$pid" ] && is_server "$pid"; then
    kill -INT "$pid" 2>/dev/null || true
    limit=$((100 * ${TEST_TIMEOUT_FACTOR:-1}))
    tries=0
    while kill -0 "$pid" 2>/dev/null; do
      tries=$((tries + 1))
      [ "$tries" -ne "$limit" ] || kill -QUIT "$pid" 2>/dev/null || true
      [ "$tries" -lt $((2 * limit)) ] || die "the server (pid $pid) does not end"
      sleep 0.1
    done
  fi
  socket=$(socket_dir)
  case $socket in
  /tmp/sync-progress.*) rm -rf "$socket" "$dir/socket.path" ;;
  esac
}

usage="usage: scripts/pg.sh start DIR BINDIR [SETTING=VALUE]... | standby DIR BINDIR PRIMARY | stop DIR | socket DIR"
[ $# -ge 2 ] || die "$usage"
verb=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)
shift 2
case $verb in
start) [ $# -ge 1 ] || die "$usage"; start "$@" ;;
standby) [ $# -eq 2 ] || die "$usage"; standby "$@" ;;
stop) stop ;;
socket) socket_dir ;;
*) die "$usage" ;;
esac
