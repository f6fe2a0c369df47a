/*
 * held.c
 *		The rows of sessions that a fold has locked.
 *
 * Read and locked at once, without waiting for whoever has them, and written
 * by place (by id, if something moved them since).  The queries are prepared
 * once and named by schema.  Within SPI, in the fold's transaction.  Those of
 * accounts are in held_accounts.c.
 */
#include "postgres.h"

#include "call.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "counters.h"
#include "executor/spi.h"
#include "flush.h"
#include "held.h"
#include "marks.h"
#include "pace.h"
#include "place.h"
#include "rows.h"
#include "state.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

static SpStatement find_sessions = {
	"SELECT id, xmax::text::bigint FROM %s.sync_sessions WHERE id = ANY ($1)", 1, {INT8ARRAYOID}
};

/*
 * What a fold writes.  Many in one UPDATE: what it costs before its first row is
 * most of it.  To one by itself, which somebody is just waiting for, arrays would
 * be half of that.
 */
#define SESSION_SET(processed, detected, error, total, processed_set_at, total_set_at, message_set_at, message, status, counters, \
					pace, at, version, live) \
	"UPDATE %s.sync_sessions AS s SET processed_count = " processed ", detected_count = " detected ", error_count = " error "," \
	" total_count = " total ", processed_set_at = " processed_set_at ", total_set_at = " total_set_at ", message_set_at = " message_set_at "," \
	" message = coalesce(" message ", s.message), status = " status "," \
	" counters = CASE WHEN " counters " IS NULL THEN s.counters ELSE %s.sync_counters_add(s.counters, " counters "::jsonb) END, pace = " pace "," \
	" started_at = CASE WHEN " status " = 'processing' THEN coalesce(s.started_at, " at ") ELSE s.started_at END," \
	" updated_at = " at ", version = greatest(s.version + 1, " version "), live = " live

#define SESSION_SET_ONE \
	SESSION_SET("$2", "$3", "$4", "$5", "$6", "$7", "$8", "$9", "$10", "$11", "$12", "$13", "$14", "$15")
#define SESSION_TYPES \
	{INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID, TEXTOID, TEXTOID, BYTEAOID, TIMESTAMPTZOID, INT8OID, BYTEAOID, TIDOID}

static SpStatement update_session_by_id = {
	SESSION_SET_ONE " WHERE s.id = $1 RETURNING s.id, s.ctid", SP_SESSION_VALUES, SESSION_TYPES
};

/* what is compared with the id is no column, or its index would be asked */
static SpStatement update_session = {
	SESSION_SET_ONE " WHERE s.ctid = $16 AND s.id + 0 = $1 RETURNING s.id, s.ctid", SP_SESSION_VALUES, SESSION_TYPES
};
static SpStatement update_sessions = {
	SESSION_SET("u.processed", "u.detected", "u.error", "u.total", "u.processed_set_at", "u.total_set_at", "u.message_set_at",
				"u.message", "u.status", "u.counters", "u.pace", "u.at", "u.version", "u.live")
	" FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16) AS u (id, processed, detected, error, total,"
	" processed_set_at, total_set_at, message_set_at, message, status, counters, pace, at, version, live, place)"
	" WHERE s.ctid = u.place AND s.id + 0 = u.id RETURNING s.id, s.ctid", SP_SESSION_VALUES,
	{INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID, INT8ARRAYOID,
	TEXTARRAYOID, TEXTARRAYOID, TEXTARRAYOID, BYTEAARRAYOID, TIMESTAMPTZARRAYOID, INT8ARRAYOID, BYTEAARRAYOID, TIDARRAYOID}
};

/* Runs a statement, which is prepared at its first time. */
void
sp_held_run(const SpCatalog *catalog, SpStatement *query, Datum *args, const char *nulls, int expected)
{
	int			result;

	if (query->plan == NULL)
	{
		const char *schema = quote_identifier(get_namespace_name(catalog->schema));

		query->plan = SPI_prepare(psprintf(query->text, schema, schema), query->nargs, query->args);
		if (query->plan == NULL || SPI_keepplan(query->plan) != 0)
			elog(ERROR, "could not prepare \"%s\"", query->text);
	}
	result = SPI_execute_plan(query->plan, args, nulls, false, 0);
	if (result != expected)
		elog(ERROR, "unexpected result %d of \"%s\"", result, query->text);
}

/*
 * Raises the error that a row which is there, and locked, was not updated.  Its
 * ledger rows must stay then, or what they count would be lost.  Why is in the
 * message, for a hint is not shown by pg_stat_sync_progress.
 */
void
sp_held_not_written(const char *what, int64 id)
{
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("the row of %s " INT64_FORMAT " was not written: a trigger, a rule or FORCE ROW LEVEL SECURITY keeps it as it is", what, id)));
}

static SpDue *
find_due(SpDue *due, int ndue, int64 session)
{
	for (int i = 0; i < ndue; i++)
	{
		if (due[i].session == session)
			return &due[i];
	}
	elog(ERROR, "session " INT64_FORMAT " was not asked for", session);
}

/* Those that could not be locked: somebody has them, or they do not exist. */
static void
explain_missing(const SpCatalog *catalog, SpDue *due, int ndue)
{
	int64	   *ids = palloc(ndue * sizeof(int64));
	int			missing = 0;
	Datum		args[1];

	for (int i = 0; i < ndue; i++)
	{
		if (due[i].outcome == SP_OUTCOME_UNKNOWN)
			ids[missing++] = due[i].session;
	}
	if (missing == 0)
		return;
	args[0] = sp_rows_ids(ids, missing);
	sp_held_run(catalog, &find_sessions, args, NULL, SPI_OK_SELECT);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		SpDue	   *blocked = find_due(due, ndue, sp_rows_int64(SPI_tuptable->vals[i], 1, NULL));

		blocked->outcome = SP_OUTCOME_LOCKED;
		blocked->blocked_by = BackendXidGetPid((TransactionId) sp_rows_int64(SPI_tuptable->vals[i], 2, NULL));
	}
}

/* What a locked row says. */
static void
read_session(SpState *state, TupleTableSlot *row, SpDatabase *database, SpHeldSession *session)
{
	SpCounts   *counts = &session->counts;
	const SpKind *kind = sp_state_kind(state, row);

	counts->id = sp_state_int64(row, SP_SESSIONS_ID);
	counts->processed = sp_state_int64(row, SP_SESSIONS_PROCESSED_COUNT);
	counts->detected = sp_state_int64(row, SP_SESSIONS_DETECTED_COUNT);
	counts->error = sp_state_int64(row, SP_SESSIONS_ERROR_COUNT);
	counts->has_total = !sp_state_is_null(row, SP_SESSIONS_TOTAL_COUNT);
	counts->total = counts->has_total ? sp_state_int64(row, SP_SESSIONS_TOTAL_COUNT) : 0;
	counts->processed_set_at = sp_state_int64(row, SP_SESSIONS_PROCESSED_SET_AT);
	counts->total_set_at = sp_state_int64(row, SP_SESSIONS_TOTAL_SET_AT);
	counts->message_set_at = sp_state_int64(row, SP_SESSIONS_MESSAGE_SET_AT);
	counts->detected_set_at = sp_state_int64(row, SP_SESSIONS_DETECTED_SET_AT);
	counts->error_set_at = sp_state_int64(row, SP_SESSIONS_ERROR_SET_AT);
	sp_ledger_raise_floor(database, Max(counts->processed_set_at, Max(sp_net_when(counts->total_set_at), sp_net_when(counts->message_set_at))));
	sp_ledger_raise_floor(database, Max(counts->detected_set_at, counts->error_set_at));
	session->status = sp_status_parse(sp_state_text(row, SP_SESSIONS_STATUS));
	sp_pace_read(sp_state_is_null(row, SP_SESSIONS_PACE) ? NULL : DatumGetByteaPP(row->tts_values[SP_SESSIONS_PACE]), &session->pace);
	if (!sp_state_is_null(row, SP_SESSIONS_STARTED_AT))
		session->started_at = sp_state_int64(row, SP_SESSIONS_STARTED_AT);
	if (!sp_state_is_null(row, SP_SESSIONS_COMPLETED_AT))
		session->completed_at = sp_state_int64(row, SP_SESSIONS_COMPLETED_AT);
	session->owner = sp_state_text(row, SP_SESSIONS_OWNER_ID);
	if (!sp_state_is_null(row, SP_SESSIONS_LIVE))
		session->live = DatumGetByteaPCopy(row->tts_values[SP_SESSIONS_LIVE]);
	session->due->throttle = kind->throttle;
	session->payload_function = kind->payload_function;
}

static int
compare_due(const void *a, const void *b)
{
	int64		x = (*(SpDue *const *) a)->session;
	int64		y = (*(SpDue *const *) b)->session;

	return x < y ? -1 : x > y;
}

/*
 * Lock what is free.  Returns the sessions, ordered by id; those that are not
 * free become SP_OUTCOME_LOCKED, those that do not exist stay what they are.
 */
SpHeldSession *
sp_held_sessions(const SpCatalog *catalog, SpDatabase *database, SpDue *due, int ndue, int *nsessions)
{
	SpDue	  **ordered = palloc(ndue * sizeof(SpDue *));
	SpHeldSession *sessions = palloc0(ndue * sizeof(SpHeldSession));
	SpState    *state;

	for (int i = 0; i < ndue; i++)
		ordered[i] = &due[i];
	qsort(ordered, ndue, sizeof(SpDue *), compare_due);
	PushActiveSnapshot(GetTransactionSnapshot());
	state = sp_state_open(catalog);
	*nsessions = 0;
	for (int i = 0; i < ndue; i++)
	{
		bool		again = i > 0 && ordered[i]->session == ordered[i - 1]->session;
		TupleTableSlot *row = again ? NULL : sp_state_lock(state, ordered[i]->session);

		if (row == NULL)
			continue;
		sessions[*nsessions].due = ordered[i];
		sessions[*nsessions].tid = row->tts_tid;
		read_session(state, row, database, &sessions[(*nsessions)++]);
		ordered[i]->outcome = SP_OUTCOME_NOTHING;
	}
	sp_state_close(state);
	PopActiveSnapshot();
	explain_missing(catalog, due, ndue);
	return sessions;
}

/* A session's new counts, and what they make of its status and pace: for sp_held_write_sessions(). */
void
sp_held_note_session(const SpCatalog *catalog, SpHeldSession *session, int64 processed_before, TimestampTz now)
{
	SpCounts   *counts = &session->counts;
	SpDue	   *due = session->due;
	const char *counters;
	bytea	   *live;
	Datum	   *values = palloc0(SP_SESSION_VALUES * sizeof(Datum));
	bool	   *nulls = session->nulls;

	if (session->status == SP_STATUS_PENDING && session->begins && counts->status == NULL)
	{
		session->status = SP_STATUS_PROCESSING;
		due->restatus = true;
	}
	if (counts->processed != processed_before)
	{
		sp_eta_add(&session->pace, session->started_at, now, counts->processed - processed_before);
		if (session->status == SP_STATUS_PROCESSING)
			sp_marks_keep(catalog, &session->pace, counts, processed_before, session->started_at, now);
	}
	if (session->status == SP_STATUS_COMPLETED && session->started_at != 0)
		due->score = sp_eta_score(&session->pace, session->started_at, session->completed_at != 0 ? session->completed_at : now);
	values[0] = Int64GetDatum(counts->id);
	values[1] = Int64GetDatum(counts->processed);
	values[2] = Int64GetDatum(counts->detected);
	values[3] = Int64GetDatum(counts->error);
	values[4] = Int64GetDatum(counts->total);
	nulls[4] = !counts->has_total;
	values[5] = Int64GetDatum(counts->processed_set_at);
	values[6] = Int64GetDatum(counts->total_set_at);
	values[7] = Int64GetDatum(counts->message_set_at);
	values[8] = counts->message == NULL ? (Datum) 0 : CStringGetTextDatum(counts->message);
	nulls[8] = counts->message == NULL;
	values[9] = CStringGetTextDatum(sp_status_name(session->status));
	counters = sp_counters_sum(session->rows, session->nrows);
	values[10] = counters == NULL ? (Datum) 0 : CStringGetTextDatum(counters);
	nulls[10] = counters == NULL;
	values[11] = PointerGetDatum(sp_pace_write(&session->pace));
	values[12] = TimestampTzGetDatum(now);
	values[13] = Int64GetDatum(session->version);
	live = sp_flush_stored(session);
	values[14] = PointerGetDatum(live);
	nulls[14] = live == NULL;
	values[15] = PointerGetDatum(&session->tid);
	session->values = values;
}

/* Writes one session. */
static void
write_session(const SpCatalog *catalog, SpStatement *query, const SpHeldSession *session)
{
	char		nulls[SP_SESSION_VALUES];

	for (int column = 0; column < SP_SESSION_VALUES; column++)
		nulls[column] = session->nulls[column] ? 'n' : ' ';
	sp_held_run(catalog, query, session->values, nulls, SPI_OK_UPDATE_RETURNING);
}

/* Writes many at once. */
static void
write_many(const SpCatalog *catalog, const SpHeldSession **sessions, int nsessions)
{
	Datum		args[SP_SESSION_VALUES];
	Datum	   *values = palloc(nsessions * sizeof(Datum));
	bool	   *nulls = palloc(nsessions * sizeof(bool));

	for (int column = 0; column < SP_SESSION_VALUES; column++)
	{
		for (int i = 0; i < nsessions; i++)
		{
			values[i] = sessions[i]->values[column];
			nulls[i] = sessions[i]->nulls[column];
		}
		args[column] = sp_rows_array(update_sessions.args[column], values, nulls, nsessions);
	}
	sp_held_run(catalog, &update_sessions, args, NULL, SPI_OK_UPDATE_RETURNING);
}

/* Notes where those that were written are now.  Keeps the others of the list; returns how many. */
static int
note_written(const SpHeldSession **sessions, int nsessions)
{
	int			left = 0;

	sp_place_note_returned();
	for (int i = 0; i < nsessions && SPI_processed < nsessions; i++)
	{
		if (!sp_place_is_returned(sessions[i]->counts.id))
			sessions[left++] = sessions[i];
	}
	return left;
}

/*
 * Write what was noted of the sessions.  They are locked, so that only this
 * transaction can have moved one: a trigger of an application's, say.
 */
void
sp_held_write_sessions(const SpCatalog *catalog, const SpHeldSession *sessions, int nsessions)
{
	const SpHeldSession **left = palloc(Max(nsessions, 1) * sizeof(SpHeldSession *));
	int			nleft = 0;
	int			guc_level;

	for (int i = 0; i < nsessions; i++)
	{
		if (sessions[i].values != NULL)
			left[nleft++] = &sessions[i];
	}
	if (nleft == 0)
		return;
	guc_level = NewGUCNestLevel();
	sp_call_by_keys();
	if (nleft == 1)
		write_session(catalog, &update_session, left[0]);
	else
		write_many(catalog, left, nleft);
	nleft = note_written(left, nleft);
	for (int i = 0; i < nleft; i++)
	{
		write_session(catalog, &update_session_by_id, left[i]);
		if (SPI_processed == 0)
			sp_held_not_written("session", left[i]->counts.id);
		sp_place_note_returned();
	}
	AtEOXact_GUC(false, guc_level);
}
