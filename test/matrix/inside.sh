#!/bin/bash
# Run by matrix.sh in a tree, as root of it.
#
#   inside.sh packages MIRROR MAJOR [OLD:SUITE]...   install what the tests need, and an older
#                                                    PostgreSQL beside it
#   inside.sh tests MAJOR SUITES [OLD:SUITE]...      build, and run them
#
# The sources are in /src, and everything that is made goes to /work.
set -euo pipefail
umask 022
export DEBIAN_FRONTEND=noninteractive

# -- packages -------------------------------------------------------------------

install_packages() {
  local major=$1
  echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/matrix
  apt-get -q update
  /src/scripts/packages.sh tree
  apt-get clean
  [ -x "/usr/lib/postgresql/$major/bin/postgres" ] || {
    echo "test/matrix/distributions says PostgreSQL $major, but here is:" /usr/lib/postgresql/* >&2
    return 1
  }
  "/usr/lib/postgresql/$major/bin/pg_config" --version >/.version
}

# What apt has for another distribution, without a word of that to this one's.
apt_of() {
  local suite=$1 program=$2
  shift 2
  "$program" -q -o "Dir::Etc::SourceList=/opt/$suite/sources.list" -o Dir::Etc::SourceParts=/dev/null \
    -o "Dir::State::Lists=/opt/$suite/lists" -o Dir::State::Status=/dev/null -o "Dir::Cache=/opt/$suite/cache" \
    -o APT::Sandbox::User=root "$@"
}

# The shared libraries that programs and libraries need and that are not here.
not_found() {
  { ldd "$@" 2>/dev/null || true; } | sed -n 's/^\t\(.*\) => not found$/\1/p' | sort -u
}

# The libraries that the packages in this directory depend on, and that are not
# among them.  Its compiler at run time is not worth its size, nor tested here.
more_libraries() {
  local deb name
  for deb in ./*.deb; do dpkg-deb -f "$deb" Depends; done | tr ',' '\n' | sed 's/^ *\([^ |(:]*\).*/\1/' |
    grep '^lib' | grep -vE '^lib(c6|llvm|gcc|stdc)' | sort -u |
    while read -r name; do [ -n "$(find . -name "${name}_*")" ] || echo "$name"; done
}

# Copies to /usr/local/lib what these files need of the unpacked packages, down
# to what those need; prints what is in none.
take_libraries() {
  local root=$1 library missing before=
  shift
  while missing=$(not_found "$@" /usr/local/lib/*.so*) && [ "$missing" != "$before" ]; do
    for library in $missing; do
      find "$root" -name "$library" -exec cp -L {} /usr/local/lib/ \;
    done
    ldconfig
    before=$missing
  done
  printf '%s' "$missing"
}

# An older PostgreSQL as its distribution has built it.  All that it has is in
# directories with its version in their names, so it is unpacked, not installed:
# what it depends on could not be installed next to this distribution's.  Of
# that, only those libraries are taken that are not here by that name.
fetch_old() {
  local mirror=$1 major=$2 suite=$3 root=/opt/$3/root missing more
  [ ! -f "/opt/$suite/complete" ] || return 0
  mkdir -p "/opt/$suite/lists/partial" "/opt/$suite/cache/archives/partial" "/opt/$suite/debs" "$root"
  echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"/opt/$suite/sources.list"
  apt_of "$suite" apt-get update
  cd "/opt/$suite/debs"
  apt_of "$suite" apt-get download "postgresql-$major" "postgresql-client-$major" "postgresql-server-dev-$major"
  for deb in ./*.deb; do dpkg-deb -x "$deb" "$root"; done
  cp -R "$root/usr/lib/postgresql/$major" /usr/lib/postgresql/
  cp -R "$root/usr/share/postgresql/$major" /usr/share/postgresql/
  cp -R "$root/usr/include/postgresql/$major" /usr/include/postgresql/
  rm -f "/usr/lib/postgresql/$major/lib/llvmjit.so"
  while missing=$(take_libraries "$root" "/usr/lib/postgresql/$major"/bin/* "/usr/lib/postgresql/$major"/lib/*.so) && [ -n "$missing" ]; do
    more=$(more_libraries)
    [ -n "$more" ] || { echo "PostgreSQL $major of $suite needs what is nowhere:" "$missing" >&2; return 1; }
    # shellcheck disable=SC2086 # one argument a package
    apt_of "$suite" apt-get download $more
    for deb in ./*.deb; do dpkg-deb -x "$deb" "$root"; done
  done
  "/usr/lib/postgresql/$major/bin/postgres" --version
  touch "/opt/$suite/complete"
  rm -rf "/opt/$suite/debs" "$root"
}

# -- tests ------------------------------------------------------------------------

as_postgres() {
  setpriv --reuid=postgres --regid=postgres --init-groups env HOME=/work "$@"
}

# Of the bridge's tests those of its transports, and no more: what they are about
# is this libwebsockets and this libpq.
run_suites() {
  local only=${1//upgrade/}
  [ -n "${only// /}" ] || return 0
  as_postgres WORK=/work CHECK_ONLY="$only" CHECK_THESE='(auth|bodies|cable|events|hostile_http|http|rest|slow|snapshots|sse|tls)\.test' scripts/suites.sh
}

# Another build of the extension, in a copy of that PostgreSQL; prints where.
old_root() {
  local major=$1
  cp -R /src "/work/src.$major"
  chown -R postgres "/work/src.$major"
  (
    cd "/work/src.$major"
    as_postgres make -s clean
    as_postgres PG_CONFIG="/usr/lib/postgresql/$major/bin/pg_config" MAKE='make with_llvm=no' scripts/pgroot.sh "/work/root.$major"
  )
}

# One line as those of suites.sh.
upgrade() {
  local new=$1 old=$2 name=upgrade-$2-$1 log=/work/logs/upgrade-$2-$1.log bin status=0 started=$SECONDS verdict=ok passed bad
  bin=$(old_root "$old" 2>"$log") || { cat "$log"; return 1; }
  # shellcheck disable=SC2016 # they do in there
  as_postgres sh -euc 'new=$1 old=$2 pgxs=$3; cd /src/test/cluster; mkdir -p "$4"
    export PATH="$new:$PATH" PG_CONFIG="$new/pg_config" OLD_BINDIR="$old" TESTDIR="$4" PG_TEST_PORT_DIR="$4/ports" PG_REGRESS="$pgxs/regress/pg_regress"
    exec prove -v -I "$pgxs/perl" -I . ../matrix/upgrade.pl' sh "/work/root/usr/lib/postgresql/$new/bin" "$bin" \
    "/usr/lib/postgresql/$new/lib/pgxs/src/test" "/work/$name" >"$log" 2>&1 </dev/null || status=$?
  passed=$(grep -cE '^ok [0-9]' "$log" || true)
  bad=$(grep -cE '^not ok [0-9]' "$log" || true)
  if [ $status -ne 0 ] || [ "$passed" -eq 0 ]; then
    verdict=FAILED
    [ "$bad" -ne 0 ] || bad=1
    grep -v '^ok' "$log" | tail -n 60
    cp -R "/work/$name/log" "/work/logs/$name" || true
  fi
  printf '%-13s %5s passed %4s failed %4s s  %s\n' "$name" "$passed" "$bad" $((SECONDS - started)) $verdict
  [ $verdict = ok ]
}

run_tests() {
  local major=$1 suites=$2 status=0 bin from
  shift 2
  cd /src
  chown -R postgres /src /work
  as_postgres mkdir -p /work/logs
  run_suites "$suites" || status=1
  case " $suites " in *" upgrade "*) ;; *) return $status ;; esac
  if [ ! -x "/work/root/usr/lib/postgresql/$major/bin/postgres" ]; then
    bin=$(as_postgres scripts/pgroot.sh /work/root) && as_postgres make -s -C bridge || return 1
  fi
  for from; do upgrade "$major" "${from%:*}" || status=1; done
  return $status
}

verb=$1
shift
case $verb in
packages)
  mirror=$1 major=$2
  shift 2
  install_packages "$major"
  for from; do fetch_old "$mirror" "${from%:*}" "${from#*:}"; done
  ;;
tests) run_tests "$@" 2>&1 | tee /work/tests.log ;;
*) echo "inside.sh packages|tests" >&2; exit 2 ;;
esac
