/*
 * calls.c
 *		The extension's functions, as the bridge calls them.
 *
 * The only place that knows their SQL and the columns of their rows.  What it
 * hands on is checked as far as a wrong value could do harm here; whether a
 * payload is JSON is the business of the column's type.
 */
#include "calls.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

#define CALLS_PAYLOAD_MAX	(1024 * 1024)

static const char *
get_text(const PGresult *rows, int row, int column)
{
	return PQgetisnull(rows, row, column) ? NULL : PQgetvalue(rows, row, column);
}

static bool
get_bool(const PGresult *rows, int row, int column)
{
	return PQgetvalue(rows, row, column)[0] == 't';
}

/*
 * Read what subscribe and snapshots have in common, from column "at" on: stream,
 * version, payload, final.
 */
static void
get_state(const PGresult *rows, int row, int at, struct ask_row *out)
{
	static struct log_rate rate;

	out->stream = get_text(rows, row, at);
	out->version = strtoll(PQgetvalue(rows, row, at + 1), NULL, 10);
	out->payload = get_text(rows, row, at + 2);
	out->payload_len = (size_t) PQgetlength(rows, row, at + 2);
	out->final = get_bool(rows, row, at + 3);
	if (out->payload_len > CALLS_PAYLOAD_MAX)
	{
		if (log_rate_allows(&rate, "calls"))
			log_warn("calls", "payload too large, not sent stream=%s bytes=%zu",
					 out->stream ? out->stream : "", out->payload_len);
		out->payload = NULL;
	}
}

static void
finish(struct ask_batch *batch, const PGresult *rows, const char *error,
	   const char *what)
{
	static struct log_rate rate;

	if (error && log_rate_allows(&rate, "calls"))
		log_error("calls", "%s failed: %s", what, error);
	ask_done(batch, rows ? ASK_ANSWERED : error ? ASK_FAILED : ASK_LOST);
}

/*
 * Does the answer have the columns that were asked for?  What speaks the
 * protocol need not be what it is taken for; else it counts as a failure.
 */
static const PGresult *
with_columns(const PGresult *rows, int columns, const char **error)
{
	if (rows == NULL || PQnfields(rows) == columns)
		return rows;
	*error = "the answer has other columns than were asked for";
	return NULL;
}

/* ---- subscribe ---- */

static void
subscribe_done(void *arg, const PGresult *rows, const char *error)
{
	struct ask_batch *batch = arg;

	rows = with_columns(rows, 7, &error);
	for (int i = 0; rows && i < PQntuples(rows); i++)
	{
		struct ask_row row = {.ord = atoi(PQgetvalue(rows, i, 0))};

		get_state(rows, i, 1, &row);
		row.refused = get_text(rows, i, 5);
		row.greeting = get_text(rows, i, 6);
		ask_answer(batch, &row);
	}
	finish(batch, rows, error, "sync_progress_subscribe");
}

static bool
subscribe(void *arg, const char *identifiers, const char *claims, const char *who,
		  struct ask_batch *batch)
{
	struct query *query = arg;
	const char *values[3] = {identifiers, claims, who};
	struct buf	sql = {0};
	bool		sent = false;

	if (query_is_up(query))
	{
		buf_printf(&sql, "SELECT ord, stream, version, payload, final, refused, greeting FROM "
				   "%s.sync_progress_subscribe($1::text[], $2::jsonb[], $3::int[])",
				   query_schema(query));
		sent = query_send(query, sql.data, 3, values, subscribe_done, batch);
		buf_free(&sql);
	}
	return sent;
}

/* ---- snapshots ---- */

static void
snapshots_done(void *arg, const PGresult *rows, const char *error)
{
	struct ask_batch *batch = arg;

	rows = with_columns(rows, 4, &error);
	for (int i = 0; rows && i < PQntuples(rows); i++)
	{
		struct ask_row row = {0};

		get_state(rows, i, 0, &row);
		ask_answer(batch, &row);
	}
	finish(batch, rows, error, "sync_progress_snapshots");
}

static bool
snapshots(void *arg, const char *streams, struct ask_batch *batch)
{
	struct query *query = arg;
	const char *values[1] = {streams};
	struct buf	sql = {0};
	bool		sent = false;

	if (query_is_up(query))
	{
		buf_printf(&sql, "SELECT stream, version, payload, final FROM "
				   "%s.sync_progress_snapshots($1::text[])", query_schema(query));
		sent = query_send(query, sql.data, 1, values, snapshots_done, batch);
		buf_free(&sql);
	}
	return sent;
}

const struct ask_port calls_ask_port = {
	.subscribe = subscribe, .snapshots = snapshots
};

/* ---- keys ---- */

struct keys_call
{
	struct auth *auth;
	calls_keys_done done;
	void	   *arg;
};

static void
keys_done(void *arg, const PGresult *rows, const char *error)
{
	static struct log_rate rate;
	struct keys_call *call = arg;

	rows = with_columns(rows, 3, &error);
	if (rows)
	{
		auth_keys_begin(call->auth);
		for (int i = 0; i < PQntuples(rows); i++)
			(void) auth_keys_add(call->auth, PQgetvalue(rows, i, 0),
								 PQgetvalue(rows, i, 1), PQgetvalue(rows, i, 2));
		auth_keys_end(call->auth);
	}
	else if (error && log_rate_allows(&rate, "calls"))
		log_error("calls", "sync_progress_keys failed: %s", error);
	call->done(call->arg, rows != NULL);
	free(call);
}

/* Read the keys into "auth".  False: not connected; "done" is not called. */
bool
calls_keys(struct query *query, struct auth *auth, calls_keys_done done, void *arg)
{
	struct keys_call *call;
	struct buf	sql = {0};
	bool		sent;

	if (!query_is_up(query))
		return false;
	call = mem_zalloc(sizeof(*call));
	*call = (struct keys_call)
	{
		.auth = auth, .done = done, .arg = arg
	};
	buf_printf(&sql, "SELECT kid, alg, jwk FROM %s.sync_progress_keys()",
			   query_schema(query));
	sent = query_send(query, sql.data, 0, NULL, keys_done, call);
	buf_free(&sql);
	if (!sent)
		free(call);
	return sent;
}
