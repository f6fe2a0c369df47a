/*
 * state.c
 *		Sessions as they are told: rows, accounts and kinds, under one snapshot.
 *
 * The worker reads thousands of sessions a second, each by its id.  So nothing
 * is planned, and no query started: the indexes are opened once for a batch and
 * asked again and again.  All of it under the active snapshot, so that a
 * version and what is said under it belong together.
 *
 * A row that was got is good until the next one of its table is asked for.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "pace.h"
#include "state.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* Columns of sync_kinds, in the order of the extension's script. */
#define KINDS_KIND			0
#define KINDS_STALL_AFTER	6

/* A table, and an index of it that is asked. */
typedef struct Scan
{
	MemoryContext context;		/* what a scan allocates at its first row
								 * stays for all */
	Relation	rel;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *row;
} Scan;

typedef struct Kind
{
	char	   *name;
	int64		stall_after_us;
} Kind;

struct SpState
{
	const SpCatalog *catalog;
	Scan		sessions;		/* by id */
	Scan		accounts;		/* by session, in the order of display */
	Scan		runs;			/* by kind and source */
	Kind	   *kinds;			/* NULL: not read yet */
	int			nkinds;
};

static void
open_scan(Scan *scan, Oid relation, Oid index, int nkeys)
{
	scan->context = CurrentMemoryContext;
	scan->rel = table_open(relation, AccessShareLock);
	scan->index = index_open(index, AccessShareLock);
	scan->scan = SpIndexBeginScan(scan->rel, scan->index, GetActiveSnapshot(), nkeys);
	scan->row = table_slot_create(scan->rel, NULL);
}

static void
close_scan(Scan *scan)
{
	ExecDropSingleTupleTableSlot(scan->row);
	index_endscan(scan->scan);
	index_close(scan->index, AccessShareLock);
	/* the lock stays, as after a query */
	table_close(scan->rel, NoLock);
}

static void
find(Scan *scan, ScanKey keys, int nkeys)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);

	index_rescan(scan->scan, keys, nkeys, NULL, 0);
	MemoryContextSwitchTo(old);
}

/* The next row that was found, or NULL. */
static TupleTableSlot *
next_row(Scan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(scan->context);
	bool		got = index_getnext_slot(scan->scan, ForwardScanDirection, scan->row);

	if (got)
		slot_getallattrs(scan->row);
	MemoryContextSwitchTo(old);
	return got ? scan->row : NULL;
}

/* Open the tables, for as long as the active snapshot stays that. */
SpState *
sp_state_open(const SpCatalog *catalog)
{
	SpState    *state = palloc0(sizeof(SpState));

	state->catalog = catalog;
	open_scan(&state->sessions, catalog->sessions, catalog->sessions_pkey, 1);
	open_scan(&state->accounts, catalog->accounts, catalog->accounts_session, 1);
	open_scan(&state->runs, catalog->sessions, catalog->sessions_source, 3);
	return state;
}

const SpCatalog *
sp_state_catalog(const SpState *state)
{
	return state->catalog;
}

void
sp_state_close(SpState *state)
{
	close_scan(&state->sessions);
	close_scan(&state->accounts);
	close_scan(&state->runs);
	pfree(state);
}

/* The session's row; NULL: there is none. */
TupleTableSlot *
sp_state_session(SpState *state, int64 session)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(session));
	find(&state->sessions, &key, 1);
	return next_row(&state->sessions);
}

/* Begin with the accounts of the session that was got last. */
void
sp_state_begin_accounts(SpState *state)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, state->sessions.row->tts_values[SP_SESSIONS_ID]);
	find(&state->accounts, &key, 1);
}

/* Its next account, in the order of display; NULL: that were all. */
TupleTableSlot *
sp_state_account(SpState *state)
{
	return next_row(&state->accounts);
}

/* A column of a row as text; NULL for NULL. */
char *
sp_state_text(TupleTableSlot *row, int column)
{
	return sp_state_is_null(row, column) ? NULL : TextDatumGetCString(row->tts_values[column]);
}

/* The version of the session that was got last, its accounts' included. */
int64
sp_state_version(SpState *state)
{
	int64		version = sp_state_int64(state->sessions.row, SP_SESSIONS_VERSION);
	TupleTableSlot *account;

	sp_state_begin_accounts(state);
	while ((account = sp_state_account(state)) != NULL)
		version = Max(version, sp_state_int64(account, SP_ACCOUNTS_VERSION));
	return version;
}

/*
 * Whether the session that was got last has a successor: another run of its
 * source, which is what watchers are shown now.
 */
bool
sp_state_has_successor(SpState *state)
{
	TupleTableSlot *session = state->sessions.row;
	TupleDesc	desc = RelationGetDescr(state->runs.rel);
	ScanKeyData keys[3];

	for (int i = 0; i < 2; i++)
	{
		int			column = i == 0 ? SP_SESSIONS_KIND : SP_SESSIONS_SOURCE_ID;

		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   TupleDescAttr(desc, column)->attcollation, F_TEXTEQ, session->tts_values[column]);
	}
	ScanKeyInit(&keys[2], 3, BTGreaterStrategyNumber, F_INT8GT, session->tts_values[SP_SESSIONS_ID]);
	find(&state->runs, keys, 3);
	return next_row(&state->runs) != NULL;
}

/* Reads all kinds; there are a few. */
static void
read_kinds(SpState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->sessions.context);
	Relation	rel = table_open(state->catalog->kinds, AccessShareLock);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	TupleTableSlot *row = table_slot_create(rel, NULL);
	int			allocated = 8;

	state->kinds = palloc(allocated * sizeof(Kind));
	while (table_scan_getnextslot(scan, ForwardScanDirection, row))
	{
		Kind	   *kind;

		if (state->nkinds == allocated)
			state->kinds = repalloc(state->kinds, (allocated *= 2) * sizeof(Kind));
		slot_getallattrs(row);
		kind = &state->kinds[state->nkinds++];
		kind->name = TextDatumGetCString(row->tts_values[KINDS_KIND]);
		kind->stall_after_us = sp_pace_interval_us(DatumGetIntervalP(row->tts_values[KINDS_STALL_AFTER]));
	}
	ExecDropSingleTupleTableSlot(row);
	table_endscan(scan);
	table_close(rel, NoLock);
	MemoryContextSwitchTo(old);
}

/* After how long the session that was got last is stalled. */
int64
sp_state_stall_after_us(SpState *state)
{
	text	   *name = DatumGetTextPP(state->sessions.row->tts_values[SP_SESSIONS_KIND]);
	Size		length = VARSIZE_ANY_EXHDR(name);

	if (state->kinds == NULL)
		read_kinds(state);
	for (int i = 0; i < state->nkinds; i++)
	{
		if (strlen(state->kinds[i].name) == length && memcmp(state->kinds[i].name, VARDATA_ANY(name), length) == 0)
			return state->kinds[i].stall_after_us;
	}
	elog(ERROR, "the kind of session " INT64_FORMAT " is missing", sp_state_int64(state->sessions.row, SP_SESSIONS_ID));
}
