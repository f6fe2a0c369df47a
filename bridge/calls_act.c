/*
 * calls_act.c
 *		The extension's functions that do something or may take long.
 *
 * The only place that knows their SQL, the columns of their rows, and what each
 * of their errors means to somebody who asked over HTTP or the cable.
 *
 * Errors that these functions raise have a hint for whoever asked, and are
 * handed on as they are.  What else goes wrong, a missing GRANT say, is for the
 * administrator: it goes to the log, and who asked learns only that it did.
 */
#include "calls_act.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "log.h"
#include "metrics.h"
#include "pgerr.h"
#include "pool.h"

struct call_kind
{
	const char *name;
	const char *sql;
	/* Put what the rows say into "answer"; texts of its own go to "text". */
	void		(*read) (const PGresult *rows, struct call_answer *answer,
						 struct buf *text);
};

struct call
{
	const struct call_kind *kind;
	call_done	done;
	void	   *arg;
};

/* ---- errors ---- */

static int
status_of(const char *sqlstate)
{
	static const struct
	{
		const char *sqlstate;	/* or the beginning of it */
		int			status;
	}			known[] = {
		{"P0002", 404}, {"42501", 403}, {"55000", 409}, {"SP409", 409},
		{"22", 422}, {"55P03", 503}, {"SP408", 503}, {"57014", 503},
		{"40", 503}, {"53", 503}, {"57P", 503}, {"25006", 503}
	};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strncmp(sqlstate, known[i].sqlstate, strlen(known[i].sqlstate)) == 0)
			return known[i].status;
	return 500;
}

static void
read_error(const struct call_kind *kind, const PGresult *result,
		   struct call_answer *answer)
{
	static struct log_rate rate;
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	char		said[512];

	answer->hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
	answer->status = status_of(sqlstate ? sqlstate : "");
	answer->error = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	if (answer->status == 409 && strcmp(sqlstate, "SP409") == 0)
		answer->current = PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL);
	if (answer->error && (answer->status == 422 || (answer->hint && answer->status != 500)))
		return;

	pgerr_describe(result, said, sizeof(said));
	if (log_rate_allows(&rate, "calls"))
		log_error("calls", "%s failed: %s", kind->name, said);
	if (answer->status != 503)
		answer->status = 500;
	answer->error = answer->status == 503 ? "the database cannot do that now" :
		"the database reported an error";
	answer->hint = answer->status == 503 ? "Try again in a moment." :
		"The bridge's log has it.";
}

static void
on_end(void *arg, enum pool_end end, const PGresult *result)
{
	struct call *call = arg;
	struct call_answer answer = {.status = 503};
	struct buf text = {0};

	switch (end)
	{
		case POOL_FORGOTTEN:
			free(call);
			return;
		case POOL_ANSWERED:
			answer.status = 200;
			call->kind->read(result, &answer, &text);
			break;
		case POOL_FAILED:
			read_error(call->kind, result, &answer);
			break;
		case POOL_LOST:
			answer.is_lost = true;
			answer.error = "the database went away: it is not known whether it was done";
			answer.hint = "Look at the state before trying again.";
			break;
		case POOL_LATE:
			answer.error = "too much is waiting to be done";
			answer.hint = "Try again in a moment.";
			break;
	}
	call->done(call->arg, &answer);
	buf_free(&text);
	free(call);
}

/* The answer was not what the extension's function gives. */
static void
read_nonsense(struct call_answer *answer)
{
	answer->status = 500;
	answer->error = "the database gave no answer";
	answer->hint = "Are the bridge and the extension of the same version?";
}

/* ---- calling ---- */

static struct pool_call *
send_call(struct pool *pool, const struct call_kind *kind, const struct istr *caller,
		  const char *key, int count, const char *const *values, call_done done, void *arg)
{
	struct call *call = mem_zalloc(sizeof(*call));
	struct pool_call *sent;

	*call = (struct call)
	{
		.kind = kind, .done = done, .arg = arg
	};
	sent = pool_send(pool, caller, key, kind->sql, count, values, on_end, call);
	if (sent == NULL)
		free(call);
	return sent;
}

/* ---- perform ---- */

static void
read_performed(const PGresult *rows, struct call_answer *answer, struct buf *text)
{
	(void) text;

	if (PQntuples(rows) != 1 || PQnfields(rows) != 5 || PQgetisnull(rows, 0, 4))
	{
		read_nonsense(answer);
		return;
	}
	answer->stream = PQgetvalue(rows, 0, 0);
	answer->version = strtoll(PQgetvalue(rows, 0, 1), NULL, 10);
	if (!PQgetisnull(rows, 0, 2))
	{
		answer->payload = PQgetvalue(rows, 0, 2);
		answer->payload_len = (size_t) PQgetlength(rows, 0, 2);
	}
	answer->final = PQgetvalue(rows, 0, 3)[0] == 't';
	answer->result = PQgetvalue(rows, 0, 4);
	answer->result_len = (size_t) PQgetlength(rows, 0, 4);
}

static const struct call_kind perform_kind = {
	"sync_progress_perform",
	"SELECT stream, version, payload, final, result FROM "
	"%s.sync_progress_perform($1::text, $2::text, $3::jsonb, $4::jsonb)",
	read_performed
};

/* "data" is JSON or NULL.  What is asked of one identifier is done in turn. */
struct pool_call *
calls_perform(struct pool *pool, const struct call_by *by, const char *identifier,
			  const char *action, const char *data, call_done done, void *arg)
{
	const char *values[] = {identifier, action, data, by->claims};

	metric_count(METRIC_ACTIONS);
	return send_call(pool, &perform_kind, by->caller, identifier, 4, values, done, arg);
}

/* ---- lists ---- */

static void
read_sessions(const PGresult *rows, struct call_answer *answer, struct buf *text)
{
	int			count = PQntuples(rows);

	if (PQnfields(rows) != 2)
	{
		read_nonsense(answer);
		return;
	}
	buf_add_text(text, "{\"sessions\":[");
	for (int i = 0; i < count; i++)
	{
		if (PQgetisnull(rows, i, 0))
		{
			read_nonsense(answer);
			return;
		}
		if (i > 0)
			buf_add_text(text, ",");
		buf_add(text, PQgetvalue(rows, i, 0), (size_t) PQgetlength(rows, i, 0));
	}
	buf_printf(text, "],\"next\":%s}", count > 0 && !PQgetisnull(rows, count - 1, 1) ?
			   PQgetvalue(rows, count - 1, 1) : "null");
	answer->result = text->data;
	answer->result_len = text->len;
}

static const struct call_kind sessions_kind = {
	"sync_progress_sessions",
	"SELECT data, next FROM %s.sync_progress_sessions($1::jsonb, $2::bigint, "
	"coalesce($3::integer, 50), $4::text)",
	read_sessions
};

struct pool_call *
calls_sessions(struct pool *pool, const struct call_by *by, const char *after,
			   const char *limit, const char *stream, call_done done, void *arg)
{
	const char *values[] = {by->claims, after, limit, stream};

	return send_call(pool, &sessions_kind, by->caller, NULL, 4, values, done, arg);
}

/* ---- a worker's report ---- */

static void
read_report(const PGresult *rows, struct call_answer *answer, struct buf *text)
{
	(void) text;

	if (PQntuples(rows) != 1 || PQgetisnull(rows, 0, 0))
	{
		read_nonsense(answer);
		return;
	}
	answer->result = PQgetvalue(rows, 0, 0);
	answer->result_len = (size_t) PQgetlength(rows, 0, 0);
}

static const struct call_kind report_kind = {
	"sync_progress_callback",
	"SELECT %s.sync_progress_callback($1::jsonb, $2::jsonb)",
	read_report
};

/* One worker's reports are taken in the order in which they come. */
struct pool_call *
calls_report(struct pool *pool, const struct call_by *by, const char *report,
			 call_done done, void *arg)
{
	const char *values[] = {by->claims, report};

	return send_call(pool, &report_kind, by->caller, by->claims, 2, values, done, arg);
}
