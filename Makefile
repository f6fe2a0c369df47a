# sync_progress: extension, bridge, client.
#
# "make", "make install" and "make installcheck" are what PGXN clients expect
# and need PostgreSQL's server headers; "make help" lists the rest.  Targets
# that install those headers themselves must work before they are there, so
# PGXS is included only for goals that compile the extension.

EXTENSION = sync_progress
MODULE_big = sync_progress
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard extension/*.c)))
# A script is put together from its parts, one subject each.  CREATE EXTENSION
# takes the same path as ALTER EXTENSION UPDATE: the first version, then each
# step from there.
SCRIPTS = sql/$(EXTENSION)--1.0.0.sql sql/$(EXTENSION)--1.0.0--1.1.0.sql
DATA_built = $(SCRIPTS)
PGFILEDESC = "sync_progress - exact, live progress of long-running jobs"

# PostgreSQL's own headers do not survive -Wextra whole.  Warnings are errors
# where developers build (make lint, make check), not where a user's newer
# compiler might know a new one.  A function that this server's headers do not
# declare is an error always, or it would be one only when the server starts.
WARNINGS = -std=gnu11 -Wall -Wextra -Wno-unused-parameter -Wno-sign-compare \
	-Wno-missing-field-initializers -Werror=implicit-function-declaration \
	$(if $(WERROR),-Werror)
PG_CPPFLAGS = -Iextension
PG_CFLAGS = $(WARNINGS)
SHLIB_LINK = -lm

REGRESS = installcheck
REGRESS_OPTS = --inputdir=test/installcheck --outputdir=build/installcheck
REGRESS_PREP = installcheck-prepare
EXTRA_CLEAN = build

PG_CONFIG ?= pg_config

# Goals that run without PGXS.
OWN_GOALS = help bridge install-bridge unit units demo demo-clean check check-conformance check-matrix check-sanitize check-valgrind check-valgrind-server \
	fuzz bench bench-bridge bench-client bench-eta lint format screenshots

ifneq ($(filter-out $(OWN_GOALS),$(or $(MAKECMDGOALS),all)),)
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(wildcard $(PGXS)),)
$(error PostgreSQL's server development files were not found with \
PG_CONFIG=$(PG_CONFIG). On Debian and Ubuntu: "sudo apt-get install \
postgresql-server-dev-all", elsewhere install PostgreSQL's devel package, \
or name the right pg_config: make PG_CONFIG=/path/to/pg_config)
endif
include $(PGXS)

# PGXS tracks no headers: any of them rebuilds all, and so does another server.
$(OBJS) $(OBJS:.o=.bc): $(wildcard extension/*.h) Makefile build/pg_version

sql/$(EXTENSION)--1.0.0.sql: $(wildcard sql/1.0.0/*.sql)
sql/$(EXTENSION)--1.0.0--1.1.0.sql: $(wildcard sql/1.1.0/*.sql)

$(SCRIPTS): Makefile
	cat $(sort $(filter %.sql,$^)) >$@.tmp
	mv $@.tmp $@

clean: clean-programs

clean-programs:
	$(MAKE) -C bridge clean
	$(MAKE) -C demo clean
	$(MAKE) -C test/bench clean
	$(MAKE) -C test/load clean

build/pg_version: FORCE
	@mkdir -p build
	@'$(PG_CONFIG)' --version | cmp -s - $@ || '$(PG_CONFIG)' --version >$@
endif

help:
	@echo 'make               build the extension (PG_CONFIG=... for another PostgreSQL)'
	@echo 'make install       install it into that PostgreSQL'
	@echo 'make installcheck  try it in a running server (PGHOST, PGPORT ... as for psql)'
	@echo 'make bridge        build bridge/sync-progress-bridge'
	@echo 'make install-bridge  install it with its manual page, sample configuration and units'
	@echo '                   (PREFIX=/usr/local, DESTDIR)'
	@echo 'make demo          the tour: installs what is missing, and shows a real job in the browser'
	@echo '                   (MBOX=file, DEMO_PORT, DEMO_DIR, DEMO_RATE=max, DEMO_EXIT=1)'
	@echo 'make demo-clean    remove what it made'
	@echo 'make check         install what is missing, build, and run every test'
	@echo 'make check-conformance  install a real Action Cable server, and compare the bridge with it, frame by frame'
	@echo 'make check-matrix  the tests of the database with the PostgreSQL of other Debians, and pg_upgrade to it (as root;'
	@echo '                   MATRIX="trixie forky", MATRIX_SUITES, MATRIX_DIR=where the trees are kept)'
	@echo 'make check-sanitize  the tests of the bridge and the units, under AddressSanitizer and UBSan'
	@echo 'make check-valgrind  most of the same under valgrind'
	@echo 'make check-valgrind-server  the tests of the database, those that run in reasonable time, under valgrind: builds'
	@echo '                   a PostgreSQL with assertions, which takes minutes (PGDEBUG_DIR=where it is kept)'
	@echo 'make fuzz          what comes from outside, with random input (FUZZ_SECONDS=60 each, FUZZ_ONLY="event http")'
	@echo 'make bench         what an increment costs, next to what else could count, and whether what must hold does'
	@echo '                   (BENCH_PARTS="rates latency sessions", BENCH_ROUNDS=15, BENCH_SECONDS=2)'
	@echo 'make bench-bridge  what the bridge does with 10,000 connections, next to a bare loop of send()'
	@echo '                   (ONLY="fanout memory handshakes sessions storm slow", CONNECTIONS)'
	@echo 'make bench-client  how quickly 200 clients are back after an outage, ours and the stock ones (ROUNDS=5, CLIENTS, ONLY)'
	@echo 'make bench-eta     how good the estimates of the time remaining are (SEEDS=20, BASE=1)'
	@echo 'make lint          layout, warnings, cppcheck, shellcheck'
	@echo 'make format        lay out the C code'
	@echo 'make screenshots   take the pictures of the README anew'

bridge:
	$(MAKE) -C bridge

install-bridge:
	$(MAKE) -C bridge install

# Unit tests of the extension's pure modules: test/unit/extension/test_x.c is
# linked with extension/x.c and what that stands on, and with no PostgreSQL at
# all.
ETA_NEEDS = extension/tempo.c extension/forecast.c
# UNIT_BUILD says where, so that those built for a tool can lie beside.
UNIT_BUILD = build/unit
UNITS = $(patsubst test/unit/extension/%.c,$(UNIT_BUILD)/%,$(wildcard test/unit/extension/test_*.c))
$(UNIT_BUILD)/test_eta: UNIT_NEEDS = $(ETA_NEEDS)
$(UNIT_BUILD)/test_tempo: UNIT_NEEDS = extension/forecast.c
$(UNIT_BUILD)/test_eta $(UNIT_BUILD)/test_tempo: $(ETA_NEEDS)

units: $(UNITS)

unit: units build/judge-eta

$(UNIT_BUILD)/test_%: test/unit/extension/test_%.c extension/%.c $(wildcard extension/*.h) test/unit/unit.h
	@mkdir -p $(UNIT_BUILD)
	$(CC) $(CFLAGS) -g $(WARNINGS) -Iextension -Itest/unit -o $@ $< extension/$*.c $(UNIT_NEEDS) -lcmocka -lm

# The scripts call make again, once what it needs is installed.
demo:
	@demo/demo.sh

demo-clean:
	@demo/clean.sh

# PGXS has a check of its own, which only says that there is none.
ifndef PGXS
check:
	@scripts/check.sh
endif

check-conformance:
	@test/conformance/conformance.sh

check-matrix:
	@test/matrix/matrix.sh

check-sanitize:
	@CHECK_TOOL=sanitize scripts/check.sh

check-valgrind:
	@CHECK_TOOL=valgrind scripts/check.sh

check-valgrind-server:
	@CHECK_TOOL=valgrind-server scripts/check.sh

fuzz:
	@test/fuzz/fuzz.sh

bench:
	@test/bench/bench.sh

bench-bridge:
	@test/load/bench.sh

bench-client:
	@test/bench/client/bench.sh

bench-eta: build/judge-eta
	@test/bench/eta/report.mjs

build/judge-eta: test/bench/eta/judge.c extension/eta.c $(ETA_NEEDS) $(wildcard extension/*.h)
	@mkdir -p build
	$(CC) $(CFLAGS) -O2 $(WARNINGS) -Iextension -o $@ $(filter %.c,$^) -lm

lint:
	@scripts/lint.sh

format:
	@scripts/format.sh

screenshots:
	@scripts/screenshots.sh

# pg_regress alone would say only that everything differs.
installcheck-prepare:
	@mkdir -p build/installcheck
	@preload=`'$(bindir)/psql' -X -A -t -d postgres -c 'SHOW shared_preload_libraries'` || exit 1; \
	case "$$preload" in \
	*sync_progress*) ;; \
	*) echo "sync_progress is not preloaded in this server: set"; \
	   echo "shared_preload_libraries = 'sync_progress' in postgresql.conf and restart it."; \
	   exit 1;; \
	esac

.PHONY: FORCE help clean-programs bridge install-bridge unit units demo demo-clean check check-conformance check-matrix check-sanitize \
	check-valgrind check-valgrind-server fuzz bench bench-bridge bench-client bench-eta lint format screenshots installcheck-prepare
