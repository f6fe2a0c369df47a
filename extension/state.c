/*
 * state.c
 *		Sessions as they are told: rows, accounts and kinds, under one snapshot.
 *
 * The worker reads thousands of sessions a second, each by its id.  So nothing
 * is planned, and no query started: the indexes are opened once for a batch and
 * asked again and again; a session's row is looked for where it was last before
 * an index is asked (place.c).  All of it under the active snapshot, so that a
 * version and what is said under it belong together.
 *
 * A row that was got is good until the next one of its table is asked for.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "pace.h"
#include "place.h"
#include "shape.h"
#include "state.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

/* A table, and an index of it that is asked; opened when it is first. */
typedef struct Scan
{
	Relation	rel;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *row;
} Scan;

struct SpState
{
	const SpCatalog *catalog;
	Snapshot	snapshot;
	MemoryContext context;		/* what a scan allocates at its first row
								 * stays for all */
	Scan		sessions;		/* by id */
	Scan		accounts;		/* by session, in the order of display */
	BlockNumber blocks;			/* of the sessions, when it was opened */
	Scan		runs;			/* by kind and source */
	TupleTableSlot *locked;
	SpKind	   *kinds;			/* NULL: not read yet */
	int			nkinds;
};

static void
open_scan(const SpState *state, Scan *scan, Oid relation, Oid index, int nkeys)
{
	scan->rel = table_open(relation, AccessShareLock);
	if (relation == state->catalog->accounts)
		sp_shape_require_accounts(scan->rel);
	else
		sp_shape_require_sessions(scan->rel);
	scan->index = index_open(index, AccessShareLock);
	scan->scan = SpIndexBeginScan(scan->rel, scan->index, state->snapshot, nkeys);
	scan->row = table_slot_create(scan->rel, NULL);
}

static void
close_scan(Scan *scan)
{
	if (scan->rel == NULL)
		return;
	ExecDropSingleTupleTableSlot(scan->row);
	index_endscan(scan->scan);
	index_close(scan->index, AccessShareLock);
	/* the lock stays, as after a query */
	table_close(scan->rel, NoLock);
}

/* Asks for rows; next_row() gets them. */
static void
find(const SpState *state, Scan *scan, Oid relation, Oid index, ScanKey keys, int nkeys)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);

	if (scan->rel == NULL)
		open_scan(state, scan, relation, index, nkeys);
	index_rescan(scan->scan, keys, nkeys, NULL, 0);
	MemoryContextSwitchTo(old);
}

/* The next row that was found, or NULL. */
static TupleTableSlot *
next_row(const SpState *state, Scan *scan)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	bool		got = index_getnext_slot(scan->scan, ForwardScanDirection, scan->row);

	if (got)
		slot_getallattrs(scan->row);
	MemoryContextSwitchTo(old);
	return got ? scan->row : NULL;
}

/* For reading as of the active snapshot, for as long as it stays that. */
SpState *
sp_state_open(const SpCatalog *catalog)
{
	SpState    *state = palloc0(sizeof(SpState));

	state->catalog = catalog;
	state->snapshot = GetActiveSnapshot();
	state->context = CurrentMemoryContext;
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
	if (state->locked != NULL)
		ExecDropSingleTupleTableSlot(state->locked);
	close_scan(&state->sessions);
	close_scan(&state->accounts);
	close_scan(&state->runs);
}

/* The session's row; NULL: there is none. */
TupleTableSlot *
sp_state_session(SpState *state, int64 session)
{
	Scan	   *scan = &state->sessions;
	ScanKeyData key;

	if (scan->rel == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(state->context);

		open_scan(state, scan, state->catalog->sessions, state->catalog->sessions_pkey, 1);
		state->blocks = sp_place_blocks(scan->rel);
		MemoryContextSwitchTo(old);
	}
	if (sp_place_fetch(scan->rel, state->blocks, state->snapshot, session, scan->row))
		return scan->row;
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(session));
	find(state, scan, state->catalog->sessions, state->catalog->sessions_pkey, &key, 1);
	return next_row(state, scan);
}

/*
 * The session's row in its last version, locked as for an update, and without
 * waiting; NULL: there is none, or somebody else has it.
 */
TupleTableSlot *
sp_state_lock(SpState *state, int64 session)
{
	TupleTableSlot *row = sp_state_session(state, session);
	ItemPointerData tid;
	TM_FailureData failure;

	if (row == NULL)
		return NULL;
	if (state->locked == NULL)
		state->locked = table_slot_create(state->sessions.rel, NULL);
	tid = row->tts_tid;
	if (table_tuple_lock(state->sessions.rel, &tid, state->snapshot, state->locked, GetCurrentCommandId(false),
						 LockTupleNoKeyExclusive, LockWaitSkip,
						 TUPLE_LOCK_FLAG_LOCK_UPDATE_IN_PROGRESS | TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure) != TM_Ok)
		return NULL;
	slot_getallattrs(state->locked);
	/* an id does not change; if it did, this row is not the one asked for */
	if (sp_state_int64(state->locked, SP_SESSIONS_ID) != session)
		return NULL;
	sp_place_note(session, &state->locked->tts_tid);
	return state->locked;
}

/* Begin with the accounts of the session that was got last. */
void
sp_state_begin_accounts(SpState *state)
{
	ScanKeyData key;

	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, state->sessions.row->tts_values[SP_SESSIONS_ID]);
	find(state, &state->accounts, state->catalog->accounts, state->catalog->accounts_session, &key, 1);
}

/* Its next account, in the order of display; NULL: that were all. */
TupleTableSlot *
sp_state_account(SpState *state)
{
	return next_row(state, &state->accounts);
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
	TupleDesc	desc = session->tts_tupleDescriptor;
	ScanKeyData keys[3];

	for (int i = 0; i < 2; i++)
	{
		int			column = i == 0 ? SP_SESSIONS_KIND : SP_SESSIONS_SOURCE_ID;

		ScanKeyEntryInitialize(&keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   TupleDescAttr(desc, column)->attcollation, F_TEXTEQ, session->tts_values[column]);
	}
	ScanKeyInit(&keys[2], 3, BTGreaterStrategyNumber, F_INT8GT, session->tts_values[SP_SESSIONS_ID]);
	find(state, &state->runs, state->catalog->sessions, state->catalog->sessions_source, keys, 3);
	return next_row(state, &state->runs) != NULL;
}

static int64
interval_us(TupleTableSlot *row, int column)
{
	return sp_pace_interval_us(DatumGetIntervalP(row->tts_values[column]));
}

/* Reads all kinds; there are a few. */
static void
read_kinds(SpState *state)
{
	MemoryContext old = MemoryContextSwitchTo(state->context);
	Relation	rel = table_open(state->catalog->kinds, AccessShareLock);
	TableScanDesc scan;
	TupleTableSlot *row;
	int			allocated = 8;

	sp_shape_require_kinds(rel);
	scan = SpTableBeginScan(rel, state->snapshot);
	row = table_slot_create(rel, NULL);
	state->kinds = palloc(allocated * sizeof(SpKind));
	while (table_scan_getnextslot(scan, ForwardScanDirection, row))
	{
		SpKind	   *kind;

		if (state->nkinds == allocated)
			state->kinds = repalloc(state->kinds, (allocated *= 2) * sizeof(SpKind));
		slot_getallattrs(row);
		kind = &state->kinds[state->nkinds++];
		kind->name = sp_state_text(row, SP_KINDS_KIND);
		kind->throttle.every_count = sp_state_int64(row, SP_KINDS_EVERY_COUNT);
		kind->throttle.every_interval_us = interval_us(row, SP_KINDS_EVERY_INTERVAL);
		kind->throttle.min_interval_us = interval_us(row, SP_KINDS_MIN_INTERVAL);
		kind->stall_after_us = interval_us(row, SP_KINDS_STALL_AFTER);
		kind->payload_function = sp_state_text(row, SP_KINDS_PAYLOAD_FUNCTION);
	}
	ExecDropSingleTupleTableSlot(row);
	table_endscan(scan);
	table_close(rel, NoLock);
	MemoryContextSwitchTo(old);
}

/* A session's kind, as long as the state is open. */
const SpKind *
sp_state_kind(SpState *state, TupleTableSlot *session)
{
	text	   *name = DatumGetTextPP(session->tts_values[SP_SESSIONS_KIND]);
	Size		length = VARSIZE_ANY_EXHDR(name);

	if (state->kinds == NULL)
		read_kinds(state);
	for (int i = 0; i < state->nkinds; i++)
	{
		if (strlen(state->kinds[i].name) == length && memcmp(state->kinds[i].name, VARDATA_ANY(name), length) == 0)
			return &state->kinds[i];
	}
	elog(ERROR, "the kind of session " INT64_FORMAT " is missing", sp_state_int64(session, SP_SESSIONS_ID));
}
