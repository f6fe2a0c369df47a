/*
 * tell.c
 *		What the watchers of folded sessions are told.
 *
 * Runs in the fold's transaction, so that a message has exactly the counts and
 * the version that the fold commits, and none is made of a fold that is undone.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "guc.h"
#include "isolate.h"
#include "payload.h"
#include "rows.h"
#include "tell.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

typedef struct Telling
{
	const SpCatalog *catalog;
	SpDue	  **told;
	char	  **owners;
	MemoryContext context;
	char	   *error;
	size_t		error_size;
} Telling;

/* A worker serves one extension until its end, so one plan will do. */
static SPIPlanPtr states = NULL;

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
		ids[i] = telling->told[first + i]->session;
		telling->told[first + i]->message = NULL;	/* of an attempt undone */
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

			if (telling->told[i]->session != session)
				continue;
			payload = sp_rows_text(tuple, 4);
			found[i - first] = true;
			if (payload == NULL)
				break;			/* it has a successor, which is told instead */
			old = MemoryContextSwitchTo(telling->context);
			telling->told[i]->message =
				sp_payload_progress(sp_rows_text(tuple, 2),
									sp_rows_int64(tuple, 3, NULL),
									DatumGetBool(SPI_getbinval(tuple, SPI_tuptable->tupdesc, 5, &isnull)),
									telling->owners[i], payload, now);
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
					 errmsg("the payload function gave nothing for session " INT64_FORMAT, telling->told[i]->session),
					 errhint("It returns one row with a payload for every id it is given.")));
	}
}

static void
failed(void *state, int item, ErrorData *error)
{
	Telling    *telling = state;

	telling->told[item]->outcome = SP_OUTCOME_UNTOLD;
	telling->told[item]->message = NULL;
	snprintf(telling->error, telling->error_size, "payload of session " INT64_FORMAT ": %s",
			 telling->told[item]->session, error->message);
}

/*
 * Make the messages of the sessions in "told" (owners[i] owns told[i]), in
 * "context".  One whose payload fails becomes SP_OUTCOME_UNTOLD; its fold stands.
 */
void
sp_tell_compose(const SpCatalog *catalog, SpDue **told, char **owners, int ntold,
				MemoryContext context, char *error, size_t error_size)
{
	Telling		telling = {catalog, told, owners, context, error, error_size};

	sp_isolate(compose, failed, &telling, 0, ntold, sp_payload_timeout_ms);
}
