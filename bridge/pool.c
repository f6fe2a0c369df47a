/*
 * pool.c
 *		Connections for what may take its time.
 *
 * An action waits for a row that an application holds locked, up to a second.
 * On the connection that subscribes go over it would hold up everybody, so such
 * statements have a few connections of their own, each with one statement at a
 * time.  What finds none free waits, which has a bound in number and in time;
 * turns.c says whose turn it is, so that nobody can take all connections, or
 * all the room to wait, from the others.
 *
 * Two actions of one key are never under way together: a pause and a resume
 * that follow each other are done in that order, and one locked row occupies one
 * connection, however many people press its button.
 *
 * One that has nothing to do is asked for a sign of life, so that who presses a
 * button is not the one to find out that it is dead; and all go to the server
 * that is listened to, which after a failover is another.
 *
 * Whoever asked may be gone before the answer: pool_forget() takes a call out of
 * the queue, or lets the answer of one under way go unheard.
 */
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "loop.h"
#include "metrics.h"
#include "pg.h"
#include "turns.h"

#define POOL_WAITING_MAX	256
#define POOL_WAIT_MS		10000
#define POOL_ANSWER_MS		10000
#define POOL_PROBE_AFTER_MS	5000
#define POOL_PROBE_MS		8000
#define POOL_VALUES_MAX		8

struct pool_call
{
	struct pool *pool;
	struct turn turn;			/* a probe takes none */
	const char *sql;
	int			count;
	char	   *values[POOL_VALUES_MAX];
	pool_done	done;			/* NULL: forgotten */
	void	   *arg;
	int64_t		due_ms;			/* of its sending, then of its answer */
	bool		is_reported;
};

struct pool_worker
{
	struct pool *pool;
	struct pg  *pg;
	struct pool_call *call;		/* NULL: free */
	int64_t		heard_ms;
};

struct pool
{
	int			count;
	struct pool_worker *workers;
	struct turns *turns;
};

/* ---- calls ---- */

/* Others may have its place, if it had one. */
static void
call_leave(struct pool_call *call)
{
	if (call->turn.caller == NULL)
		return;
	if (!call->turn.is_under_way)
		metric_add(METRIC_ACTIONS_WAITING, -1);
	turns_leave(call->pool->turns, &call->turn);
}

static void
call_free(struct pool_call *call)
{
	call_leave(call);
	for (int i = 0; i < call->count; i++)
		free(call->values[i]);
	free(call);
}

static void
call_report(struct pool_call *call, enum pool_end end, const PGresult *result)
{
	pool_done	done = call->done;

	call->done = NULL;
	call->is_reported = true;
	if (done)
		done(call->arg, end, result);
}

/* Nobody wants to hear of it any more. */
void
pool_forget(struct pool_call *call)
{
	bool		is_queued = !call->turn.is_under_way && !call->is_reported;

	call_report(call, POOL_FORGOTTEN, NULL);
	if (is_queued)
		call_free(call);
}

struct pool_call *
pool_send(struct pool *pool, const struct istr *caller, const char *key,
		  const char *sql, int count, const char *const *values, pool_done done, void *arg)
{
	struct pool_call *call;

	if (!pool_is_up(pool) || count > POOL_VALUES_MAX)
		return NULL;
	call = mem_zalloc(sizeof(*call));
	call->pool = pool;
	call->turn.owner = call;
	if (!turns_wait(pool->turns, &call->turn, caller, key))
	{
		free(call);
		return NULL;
	}
	metric_count(METRIC_ACTIONS_WAITING);
	call->sql = sql;
	call->count = count;
	for (int i = 0; i < count; i++)
		call->values[i] = values[i] ? mem_strdup(values[i]) : NULL;
	call->done = done;
	call->arg = arg;
	call->due_ms = loop_clock_ms() + POOL_WAIT_MS;
	return call;
}

/* ---- connections ---- */

static bool
is_free(const struct pool_worker *worker)
{
	return worker->call == NULL && pg_is_up(worker->pg);
}

static int
count_free(const struct pool *pool)
{
	int			count = 0;

	for (int i = 0; i < pool->count; i++)
		count += is_free(&pool->workers[i]);
	return count;
}

static bool
worker_send(struct pool_worker *worker, struct pool_call *call)
{
	PGconn	   *conn = pg_conn(worker->pg);
	struct buf	sql = {0};
	bool		is_sent;

	/* A format of ours; its only argument is the quoted schema. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	buf_printf(&sql, call->sql, pg_schema(worker->pg));
#pragma GCC diagnostic pop
	is_sent = PQsendQueryParams(conn, sql.data, call->count, NULL,
								(const char *const *) call->values, NULL, NULL, 0) == 1;
	buf_free(&sql);
	return is_sent;
}

/* Give a free worker the next call.  False: there is none for it. */
static bool
worker_begin(struct pool_worker *worker)
{
	struct pool *pool = worker->pool;
	struct turn *turn = turns_next(pool->turns, count_free(pool));
	struct pool_call *call;

	if (turn == NULL)
		return false;
	turns_begin(pool->turns, turn);
	metric_add(METRIC_ACTIONS_WAITING, -1);
	call = turn->owner;
	call->due_ms = loop_clock_ms() + POOL_ANSWER_MS;
	worker->call = call;
	metric_count(METRIC_QUERIES);
	if (worker_send(worker, call))
		pg_flush(worker->pg);
	else
		pg_fail(worker->pg, PQerrorMessage(pg_conn(worker->pg)));
	return true;
}

/* Give everybody who is free something to do. */
static void
pool_pump(struct pool *pool)
{
	for (int i = 0; i < pool->count; i++)
	{
		struct pool_worker *worker = &pool->workers[i];

		if (is_free(worker) && !worker_begin(worker))
			return;
	}
}

static void
worker_up(void *arg)
{
	struct pool_worker *worker = arg;

	worker->heard_ms = loop_clock_ms();
	pool_pump(worker->pool);
}

static void
worker_down(void *arg)
{
	struct pool_worker *worker = arg;
	struct pool_call *call = worker->call;

	worker->call = NULL;
	if (call == NULL)
		return;
	if (!call->is_reported)
		call_report(call, POOL_LOST, NULL);
	call_free(call);
}

/* The first result is the answer; NULL is its end. */
static void
worker_readable(void *arg)
{
	struct pool_worker *worker = arg;

	while (worker->call && pg_is_up(worker->pg) && !PQisBusy(pg_conn(worker->pg)))
	{
		PGresult   *result = PQgetResult(pg_conn(worker->pg));
		struct pool_call *call = worker->call;

		if (result == NULL)
		{
			worker->call = NULL;
			worker->heard_ms = loop_clock_ms();
			if (!call->is_reported)
				call_report(call, POOL_LOST, NULL);
			call_free(call);
			pool_pump(worker->pool);
		}
		else if (!call->is_reported)
			call_report(call, PQresultStatus(result) == PGRES_TUPLES_OK ? POOL_ANSWERED :
						POOL_FAILED, result);
		PQclear(result);
	}
}

static const struct pg_ops worker_ops = {
	.up = worker_up, .down = worker_down, .readable = worker_readable,
	.ups = METRIC_DB_UP_POOL, .losses = METRIC_DB_LOST_POOL
};

/* ---- life ---- */

struct pool *
pool_create(struct ev_loop *loop, const struct conninfo *info, int connections)
{
	struct pool *pool = mem_zalloc(sizeof(*pool));

	pool->turns = turns_create(POOL_WAITING_MAX);
	pool->count = connections;
	pool->workers = mem_zalloc(sizeof(*pool->workers) * (size_t) connections);
	for (int i = 0; i < connections; i++)
	{
		pool->workers[i].pool = pool;
		pool->workers[i].pg = pg_create(loop, "action", info, &worker_ops,
										&pool->workers[i]);
	}
	return pool;
}

/* It has waited for long enough, or in vain. */
static void
call_expire(struct pool_call *call)
{
	call_leave(call);
	call_report(call, POOL_LATE, NULL);
	call_free(call);
}

/* Whoever still waits is told that nothing is known. */
void
pool_free(struct pool *pool)
{
	struct turn *turn;

	for (int i = 0; i < pool->count; i++)
	{
		worker_down(&pool->workers[i]);
		pg_free(pool->workers[i].pg);
	}
	while ((turn = turns_oldest(pool->turns)) != NULL)
		call_expire(turn->owner);
	turns_free(pool->turns);
	free(pool->workers);
	free(pool);
}

void
pool_start(struct pool *pool)
{
	for (int i = 0; i < pool->count; i++)
		pg_start(pool->workers[i].pg);
}

bool
pool_is_up(const struct pool *pool)
{
	for (int i = 0; i < pool->count; i++)
		if (pg_is_up(pool->workers[i].pg))
			return true;
	return false;
}

int
pool_waiting(const struct pool *pool)
{
	return turns_waiting(pool->turns);
}

/* Send what was asked for in this turn of the loop. */
void
pool_turn(struct pool *pool)
{
	if (turns_oldest(pool->turns))
		pool_pump(pool);
}

/* A call of nobody's, for the sake of its answer. */
static void
worker_probe(struct pool_worker *worker, int64_t now_ms)
{
	struct pool_call *call = mem_zalloc(sizeof(*call));

	call->pool = worker->pool;
	call->sql = "SELECT 1";
	call->is_reported = true;
	call->due_ms = now_ms + POOL_PROBE_MS;
	worker->call = call;
	if (worker_send(worker, call))
		pg_flush(worker->pg);
	else
		pg_fail(worker->pg, PQerrorMessage(pg_conn(worker->pg)));
}

static void
worker_watch(struct pool_worker *worker, int64_t now_ms)
{
	if (!pg_is_up(worker->pg))
		return;
	if (worker->call && now_ms >= worker->call->due_ms)
		pg_fail(worker->pg, "the database does not answer on an open connection");
	else if (worker->call == NULL && now_ms - worker->heard_ms >= POOL_PROBE_AFTER_MS)
		worker_probe(worker, now_ms);
}

/* No connection is to stay with another server than this. */
void
pool_keep_to(struct pool *pool, const char *server)
{
	for (int i = 0; i < pool->count; i++)
	{
		struct pg  *pg = pool->workers[i].pg;

		if (pg_is_up(pg) && strcmp(pg_server(pg), server) != 0)
			pg_fail(pg, "it is to another server than is listened to");
	}
}

/*
 * What was sent and not answered means, in spite of the server's own time limit,
 * that the connection is dead.
 */
void
pool_tick(struct pool *pool, int64_t now_ms)
{
	struct turn *turn;

	for (int i = 0; i < pool->count; i++)
		worker_watch(&pool->workers[i], now_ms);
	while ((turn = turns_oldest(pool->turns)) != NULL)
	{
		struct pool_call *call = turn->owner;

		if (now_ms < call->due_ms)
			return;
		call_expire(call);
	}
}
