/*
 * tell.c
 *		What the watchers of folded sessions are told.
 *
 * Runs in the fold's transaction, so that a message has exactly the counts and
 * the version that the fold commits, and none is made of a fold that is undone.
 *
 * A payload function is a user's: it may fail, or never end, for one session or
 * for all.  So each function's sessions are composed apart from the others', and
 * those that failed last time apart from those that did not.  What fails may
 * take payload_timeout, and as long again while the one to blame is looked for;
 * then that group waits WAIT_FACTOR times as long as was spent, so that all
 * others have most of the worker's time whatever that function does.  One that
 * will not even be cancelled costs a worker (isolate.c); its successor learns
 * from shared memory which it was, and lets it wait.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "guc.h"
#include "isolate.h"
#include "mark.h"
#include "payload.h"
#include "rows.h"
#include "tell.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define WAIT_FACTOR		4
#define NAME_BYTES		SP_FUNCTION_LENGTH	/* longer names share what is
											 * known of them */

/* What is known of a payload function. */
typedef struct TellFunction
{
	char		name[NAME_BYTES];
	TimestampTz wait_until[2];	/* [1]: sessions that failed last time */
	int			logged;			/* the SQLSTATE last logged */
} TellFunction;

/* A session to tell. */
typedef struct Told
{
	SpDue	   *due;
	TellFunction *function;
	bool		untellable;		/* failed last time */
} Told;

typedef struct Telling
{
	const SpCatalog *catalog;
	SpDatabase *database;
	Told	   *told;
	MemoryContext context;
} Telling;

/* A worker serves one extension until its end, so one plan will do. */
static SPIPlanPtr states = NULL;

static HTAB *functions = NULL;

/* One query for the payloads of many sessions; they get their messages. */
static void
compose(void *state, int first, int count)
{
	Telling    *telling = state;
	int64	   *ids = palloc(count * sizeof(int64));
	Oid			types[1] = {INT8ARRAYOID};
	Datum		args[1];
	bool	   *found = palloc0(count * sizeof(bool));
	TimestampTz now = GetCurrentTimestamp();

	for (int i = 0; i < count; i++)
	{
		ids[i] = telling->told[first + i].due->session;
		telling->told[first + i].due->message = NULL;	/* of an attempt undone */
	}
	args[0] = sp_rows_ids(ids, count);

	SPI_connect();
	if (states == NULL)
	{
		SPIPlanPtr	plan = SPI_prepare(psprintf("SELECT session_id, stream, version, payload, final FROM %s.sync_progress_states($1)",
												quote_identifier(get_namespace_name(telling->catalog->schema))), 1, types);

		if (plan == NULL || SPI_keepplan(plan) != 0)
			elog(ERROR, "could not prepare the query for payloads");
		states = plan;
	}
	if (SPI_execute_plan(states, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read payloads");
	for (uint64 n = 0; n < SPI_processed; n++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[n];
		bool		isnull;
		int64		session = sp_rows_int64(tuple, 1, NULL);

		for (int i = first; i < first + count; i++)
		{
			MemoryContext old;
			char	   *payload;

			if (telling->told[i].due->session != session)
				continue;
			payload = sp_rows_text(tuple, 4);
			found[i - first] = true;
			if (payload == NULL)
				break;			/* it has a successor, which is told instead */
			old = MemoryContextSwitchTo(telling->context);
			telling->told[i].due->message =
				sp_payload_progress(sp_rows_text(tuple, 2),
									sp_rows_int64(tuple, 3, NULL),
									DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 5, &isnull)),
									telling->told[i].due->owner, payload, now);
			MemoryContextSwitchTo(old);
			break;
		}
	}
	SPI_finish();
	for (int i = first; i < first + count; i++)
	{
		if (!found[i - first])
			ereport(ERROR,
					(errcode(ERRCODE_NO_DATA_FOUND),
					 errmsg("the payload function gave nothing for session " INT64_FORMAT, telling->told[i].due->session),
					 errhint("It returns one row with a payload for every id it is given.")));
	}
}

/* Without a slot nothing remembers it but the ledger: a touch, for the next sweep. */
static void
leave_touch(const Telling *telling, int64 session)
{
	SpRow		row = {
		.session = session,
		.op = SP_OP_TOUCH,
		.stamp = sp_ledger_stamp(telling->database)
	};

	sp_mark_heap(telling->database, sp_ledger_insert(telling->catalog, telling->database, &row, 1));
}

/* Shows what went wrong; says it aloud once, whichever session it is about. */
static void
report(const Telling *telling, const Told *told, const ErrorData *error)
{
	SpStats    *stats = &telling->database->stats;
	const char *what = error->sqlerrcode == ERRCODE_QUERY_CANCELED
	? "took longer than sync_progress.payload_timeout" : error->message;
	char text[	SP_ERROR_LENGTH];

	snprintf(text, sizeof(text), "payload of session " INT64_FORMAT " by %s: %s", told->due->session,
			 told->function->name, what);
	SpinLockAcquire(&telling->database->stats_lock);
	strlcpy(stats->last_error, text, SP_ERROR_LENGTH);
	SpinLockRelease(&telling->database->stats_lock);
	if (told->function->logged == error->sqlerrcode)
		return;
	told->function->logged = error->sqlerrcode;
	ereport(WARNING,
			(errmsg("sync_progress: %s", text),
			 errdetail("The session is put off and tried again; the others go on."),
			 errhint("%s", error->hint != NULL ? error->hint : "See last_error in pg_stat_sync_progress.")));
}

static void
failed(void *state, int item, ErrorData *error)
{
	Telling    *telling = state;
	SpDue	   *due = telling->told[item].due;

	due->message = NULL;
	due->outcome = error == NULL ? SP_OUTCOME_PUT_OFF : SP_OUTCOME_UNTOLD;
	due->untellable = error != NULL;
	if (due->slot == NULL)
		leave_touch(telling, due->session);
	if (error != NULL)
		report(telling, &telling->told[item], error);
}

static int
compare_told(const void *a, const void *b)
{
	const Told *x = a;
	const Told *y = b;

	if (x->function != y->function)
		return (uintptr_t) x->function < (uintptr_t) y->function ? -1 : 1;
	return (int) x->untellable - (int) y->untellable;
}

/* What is known of this function; a newcomer has no past. */
static TellFunction *
find_function(SpDatabase *database, const char *name)
{
	TellFunction *function;
	bool		found;

	if (functions == NULL)
	{
		HASHCTL		info = {.keysize = NAME_BYTES, .entrysize = sizeof(TellFunction)};

		functions = hash_create("sync_progress payload functions", 16, &info, HASH_ELEM | HASH_STRINGS);
	}
	function = hash_search(functions, name, HASH_ENTER, &found);
	if (!found)
	{
		memset((char *) function + NAME_BYTES, 0, sizeof(TellFunction) - NAME_BYTES);
		if (strcmp(database->telling, function->name) == 0)
		{
			function->wait_until[0] = function->wait_until[1] =
				GetCurrentTimestamp() + 2 * WAIT_FACTOR * (int64) sp_payload_timeout_ms * 1000;
			ereport(WARNING,
					(errmsg("sync_progress: %s took longer than sync_progress.payload_timeout, and would not be cancelled", name),
					 errdetail("The worker was ended for it, and another one started."),
					 errhint("Do not catch query_canceled in it.")));
		}
	}
	return function;
}

/* Composes a function's sessions of one sort, unless they have to wait. */
static void
compose_group(Telling *telling, int first, int count)
{
	const Told *group = &telling->told[first];
	TimestampTz *wait_until = &group->function->wait_until[group->untellable];
	TimestampTz now = GetCurrentTimestamp();
	int64		longest_us = (int64) sp_payload_timeout_ms * 1000;
	SpBudget	budget = {.left_us = 2 * longest_us};

	/* a wait that is longer than any is from before the clock was set back */
	if (*wait_until > now && *wait_until - now <= 3 * WAIT_FACTOR * longest_us)
		budget.left_us = 0;
	strlcpy(telling->database->telling, group->function->name, SP_FUNCTION_LENGTH);
	sp_isolate(compose, failed, telling, first, count, &budget);
	telling->database->telling[0] = '\0';
	if (budget.spent_us > 0)
		*wait_until = GetCurrentTimestamp() + WAIT_FACTOR * budget.spent_us;
	else if (budget.left_us > 0 && group->untellable)
		group->function->logged = 0;	/* it works again */
	for (int i = first; i < first + count; i++)
		telling->told[i].due->retry_at = *wait_until;
}

/*
 * Make the messages of the sessions in "told", in "context".  One whose payload
 * fails becomes SP_OUTCOME_UNTOLD, one that has to wait SP_OUTCOME_PUT_OFF;
 * their folds stand.
 */
void
sp_tell_compose(const SpCatalog *catalog, SpDatabase *database, SpDue **told, int ntold, MemoryContext context)
{
	Telling		telling = {catalog, database, palloc0(Max(ntold, 1) * sizeof(Told)), context};

	for (int i = 0; i < ntold; i++)
	{
		telling.told[i].due = told[i];
		telling.told[i].function = find_function(database, told[i]->payload_function);
		telling.told[i].untellable = told[i]->slot != NULL && told[i]->slot->untellable;
	}
	qsort(telling.told, ntold, sizeof(Told), compare_told);
	for (int first = 0, last; first < ntold; first = last)
	{
		for (last = first; last < ntold && compare_told(&telling.told[first], &telling.told[last]) == 0;)
			last++;
		compose_group(&telling, first, last - first);
	}
}
