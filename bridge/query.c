/*
 * query.c
 *		The connection that is asked, in pipeline mode.
 *
 * A job is one statement with a Sync of its own, so that a failure ends that
 * job and no other.  Jobs are answered in the order they were sent in; their
 * number is bounded.  A job whose answer takes too long, in spite of the
 * server's own statement_timeout, means that the connection is dead.  When
 * nothing is asked for a while something is, so that this is known before it is
 * needed: one that is open but dead is found within fifteen seconds.
 */
#include "query.h"

#include <ev.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "pg.h"
#include "pgerr.h"

#define QUERY_ANSWER_MS		8000
#define QUERY_PROBE_AFTER_MS	5000

struct query_job
{
	query_done	done;
	void	   *arg;
	bool		is_reported;
};

struct query
{
	struct pg  *pg;
	const struct query_ops *ops;
	void	   *arg;
	struct query_job jobs[QUERY_JOBS_MAX];	/* a ring */
	int			first;
	int			count;
	int64_t		due_ms;			/* of the oldest job's answer */
	int64_t		heard_ms;
};

static void query_up(void *arg);
static void query_down(void *arg);
static void query_readable(void *arg);

static const struct pg_ops query_pg_ops = {
	.up = query_up, .down = query_down, .readable = query_readable,
	.ups = METRIC_DB_UP_QUERY, .losses = METRIC_DB_LOST_QUERY
};

struct query *
query_create(struct ev_loop *loop, const struct conninfo *info,
			 const struct query_ops *ops, void *arg)
{
	struct query *query = mem_zalloc(sizeof(*query));

	query->ops = ops;
	query->arg = arg;
	query->pg = pg_create(loop, "query", info, &query_pg_ops, query);
	return query;
}

/* Jobs under way are reported as lost. */
void
query_free(struct query *query)
{
	if (pg_is_up(query->pg))
		query_down(query);
	pg_free(query->pg);
	free(query);
}

void
query_start(struct query *query)
{
	pg_start(query->pg);
}

bool
query_is_up(const struct query *query)
{
	return pg_is_up(query->pg);
}

const char *
query_schema(const struct query *query)
{
	return pg_schema(query->pg);
}

const char *
query_server(const struct query *query)
{
	return pg_server(query->pg);
}

double
query_up_since(const struct query *query)
{
	return pg_up_since(query->pg);
}

/* Give the connection up, and make a fresh one. */
void
query_restart(struct query *query, const char *why)
{
	pg_fail(query->pg, why);
}

/* How many questions are under way? */
int
query_waiting(const struct query *query)
{
	return query->count;
}

const char *
query_problem(const struct query *query)
{
	return pg_problem(query->pg);
}

static void
query_up(void *arg)
{
	struct query *query = arg;

	if (PQenterPipelineMode(pg_conn(query->pg)) != 1)
		pg_fail(query->pg, PQerrorMessage(pg_conn(query->pg)));
	else
	{
		query->heard_ms = loop_clock_ms();
		query->ops->up(query->arg);
	}
}

static void
query_down(void *arg)
{
	struct query *query = arg;

	query->ops->down(query->arg);
	while (query->count > 0)
	{
		struct query_job job = query->jobs[query->first];

		query->first = (query->first + 1) % QUERY_JOBS_MAX;
		query->count--;
		if (!job.is_reported)
			job.done(job.arg, NULL, NULL);
	}
}

/*
 * Send one statement.  False: not connected, or too much is under way; "done"
 * is not called then.
 */
bool
query_send(struct query *query, const char *sql, int count,
		   const char *const *values, query_done done, void *arg)
{
	PGconn	   *conn = pg_conn(query->pg);
	struct query_job *job;

	if (!pg_is_up(query->pg) || query->count == QUERY_JOBS_MAX)
		return false;
	if (PQsendQueryParams(conn, sql, count, NULL, values, NULL, NULL, 0) != 1 ||
		PQpipelineSync(conn) != 1)
	{
		pg_fail(query->pg, PQerrorMessage(conn));
		return false;
	}
	job = &query->jobs[(query->first + query->count) % QUERY_JOBS_MAX];
	*job = (struct query_job)
	{
		.done = done, .arg = arg
	};
	if (query->count++ == 0)
		query->due_ms = loop_clock_ms() + QUERY_ANSWER_MS;
	metric_count(METRIC_QUERIES);
	pg_flush(query->pg);
	return true;
}

/* One result of the oldest job, or the Sync that ends it. */
static void
query_result(struct query *query, const PGresult *result)
{
	struct query_job *job = &query->jobs[query->first];
	ExecStatusType status = PQresultStatus(result);
	char		why[512];

	if (status == PGRES_PIPELINE_SYNC)
	{
		struct query_job ended = *job;

		query->first = (query->first + 1) % QUERY_JOBS_MAX;
		query->count--;
		query->heard_ms = loop_clock_ms();
		query->due_ms = query->heard_ms + QUERY_ANSWER_MS;
		if (!ended.is_reported)
			ended.done(ended.arg, NULL, "the database gave no answer");
		return;
	}
	if (job->is_reported)
		return;
	job->is_reported = true;
	if (status == PGRES_TUPLES_OK)
		job->done(job->arg, result, NULL);
	else
	{
		pgerr_describe(result, why, sizeof(why));
		job->done(job->arg, NULL, why);
	}
}

static void
query_readable(void *arg)
{
	struct query *query = arg;

	while (pg_is_up(query->pg) && query->count > 0 && !PQisBusy(pg_conn(query->pg)))
	{
		PGresult   *result = PQgetResult(pg_conn(query->pg));

		/* NULL is the end of one statement's results; its Sync follows. */
		if (result)
			query_result(query, result);
		PQclear(result);
	}
}

static void
query_probed(void *arg, const PGresult *rows, const char *error)
{
	(void) arg;
	(void) rows;
	(void) error;
}

/*
 * Watch over the connection; called ten times a second.
 */
void
query_tick(struct query *query, int64_t now_ms)
{
	if (!pg_is_up(query->pg))
		return;
	if (query->count > 0 && now_ms >= query->due_ms)
		pg_fail(query->pg, "the database does not answer on an open connection");
	else if (query->count == 0 && now_ms - query->heard_ms >= QUERY_PROBE_AFTER_MS &&
			 !query_send(query, "SELECT 1", 0, NULL, query_probed, NULL))
		log_debug("query", "could not ask for a sign of life");
}
