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

#include "access/xact.h"
#include "call.h"
#include "executor/spi.h"
#include "general.h"
#include "guc.h"
#include "isolate.h"
#include "mark.h"
#include "payload.h"
#include "rows.h"
#include "state.h"
#include "tell.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
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

static HTAB *functions = NULL;

/* Payloads by a function that is not ours, those of telling->told[first…]. */
typedef struct Answers
{
	const Told *told;
	int			count;
	char	  **payloads;
} Answers;

static void
take_answer(void *state, int64 session, Datum payload)
{
	Answers    *answers = state;

	for (int i = 0; i < answers->count; i++)
	{
		if (answers->told[i].due->session == session)
			answers->payloads[i] = sp_payload_compact(TextDatumGetCString(payload));
	}
}

/* Makes a session's message; none if its run has a successor, which is told instead. */
static void
compose_one(const Telling *telling, SpState *state, SpDue *due, const char *payload, TimestampTz now)
{
	TupleTableSlot *row = sp_state_session(state, due->session);
	int64		version;
	char	   *stream;
	bool		final;
	MemoryContext old;

	if (row == NULL)
		elog(ERROR, "session " INT64_FORMAT " is gone while it is locked", due->session);
	if (sp_state_has_successor(state))
		return;
	if (payload == NULL)
	{
		payload = sp_general_payload(state, row, true, &version);
		/* of a state that nobody can ask for it is not said that there is one */
		if (strlen(payload) > SP_PAYLOAD_MAX_BYTES / 2)
			sp_call_check_size(due->payload_function, due->session, strlen(sp_general_payload(state, row, false, &version)));
	}
	else
		version = sp_state_version(state);
	stream = psprintf("%s:%s", sp_state_text(row, SP_SESSIONS_KIND), sp_state_text(row, SP_SESSIONS_SOURCE_ID));
	final = sp_status_parse(sp_state_text(row, SP_SESSIONS_STATUS)) >= SP_STATUS_COMPLETED;
	old = MemoryContextSwitchTo(telling->context);
	due->message = sp_payload_progress(stream, version, final, due->owner, payload, now);
	MemoryContextSwitchTo(old);
}

/* The payloads of many sessions of one function; they get their messages. */
static void
compose(void *state, int first, int count)
{
	Telling    *telling = state;
	const Told *told = &telling->told[first];
	Answers		answers = {told, count, palloc0(count * sizeof(char *))};
	int64	   *ids = palloc(count * sizeof(int64));
	TimestampTz now = GetCurrentTimestamp();
	SpState    *states;
	bool		general;
	Oid			owner;

	for (int i = 0; i < count; i++)
	{
		ids[i] = told[i].due->session;
		told[i].due->message = NULL;	/* of an attempt undone */
	}

	/* what is read in here is read as of one snapshot, that has the fold */
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	SPI_connect();
	general = sp_call_is(told->due->payload_function, sync_progress_general_payload, &owner);
	if (general)
		sp_general_check(telling->catalog, owner);
	else
		sp_call_payloads(told->due->payload_function, sp_rows_ids(ids, count), take_answer, &answers);
	states = sp_state_open(telling->catalog);
	for (int i = 0; i < count; i++)
		compose_one(telling, states, told[i].due, answers.payloads[i], now);
	sp_state_close(states);
	SPI_finish();
	PopActiveSnapshot();
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
	const char *what = error->sqlerrcode == ERRCODE_QUERY_CANCELED
	? "took longer than sync_progress.payload_timeout" : error->message;
	char text[	SP_ERROR_LENGTH];

	snprintf(text, sizeof(text), "payload of session " INT64_FORMAT " by %s: %s", told->due->session,
			 told->function->name, what);
	(void) sp_shared_note_error(telling->database, text);
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
	if (strcmp(x->due->payload_function, y->due->payload_function) != 0)
		return strcmp(x->due->payload_function, y->due->payload_function);
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
