# Sourced by the other scripts: messages, and stepping down from root.
#
# PostgreSQL refuses to run as root, so under root everything that is started
# runs as user "postgres", which the server's package creates; for anyone else
# it runs as who they are.
# shellcheck shell=sh

say() {
  printf '%s\n' "$*"
}

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

is_root() {
  [ "$(id -u)" -eq 0 ]
}

run_user() {
  if is_root; then echo postgres; else id -un; fi
}

# Run a command as run_user.  setpriv, not su or runuser: it replaces itself
# with the command, so that a pid taken here is the command's own.  From /: the
# user may not be able to reach where we are.
as_user() {
  if is_root; then
    (cd / && exec setpriv --reuid=postgres --regid=postgres --init-groups "$@")
  else
    "$@"
  fi
}

# Likewise, in place of the calling subshell, for "exec_as_user ... &": then $!
# is the command itself, and not a shell that waits for it.
exec_as_user() {
  if is_root; then
    cd /
    exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"
  else
    exec "$@"
  fi
}

# The programs of the PostgreSQL in use: PG_CONFIG's, or the default one's.
pg_config_path() {
  command -v "${PG_CONFIG:-pg_config}" || true
}
