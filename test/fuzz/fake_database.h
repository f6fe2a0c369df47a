/*
 * fake_database.h
 *		The connections to the database, which answer what the target says.
 *
 * These functions take the place of listen.c, query.c and pool.c.
 */
#ifndef FAKE_DATABASE_H
#define FAKE_DATABASE_H

#include <libpq-fe.h>

#include "fuzz.h"
#include "beat.h"
#include "listen.h"
#include "pool.h"
#include "query.h"

#define WAITING_MAX	64

/* What becomes of questions. */
enum
{
	DB_SILENT = 1,
	DB_REFUSES = 2,
	DB_LOST = 4,
	DB_AWAY = 8
};

static const char *const jwk =
"{\"kty\":\"oct\",\"k\":\"a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s\"}";

static int	database;

/* ---- the connections to the database ---- */

struct listen
{
	const struct listen_ops *ops;
	void	   *arg;
};

struct query
{
	const struct query_ops *ops;
	void	   *arg;
};

struct pool_call
{
	pool_done	done;
	void	   *arg;
	int			columns;
};

static struct listen the_listen;
static struct query the_query;

static struct
{
	query_done	done;
	void	   *arg;
	int			columns;
	int			rows;
}			asked[WAITING_MAX];
static int	asked_count;

static struct pool_call *called[WAITING_MAX];
static int	called_count;

struct listen *
listen_create(struct ev_loop *loop, const struct conninfo *info, const struct listen_ops *ops, void *arg)
{
	(void) loop;
	(void) info;
	the_listen = (struct listen)
	{
		ops, arg
	};
	return &the_listen;
}

void
listen_free(struct listen *listen)
{
	(void) listen;
}

void
listen_start(struct listen *listen)
{
	(void) listen;
}

void
listen_tick(struct listen *listen, int64_t now_ms)
{
	(void) listen;
	(void) now_ms;
}

bool
listen_is_live(const struct listen *listen)
{
	(void) listen;
	return !(database & DB_AWAY);
}

const char *
listen_server(const struct listen *listen)
{
	(void) listen;
	return "";
}

double
listen_up_since(const struct listen *listen)
{
	(void) listen;
	return 0;
}

void
listen_restart(struct listen *listen, const char *why)
{
	(void) listen;
	(void) why;
}

const struct beat *
listen_beat(const struct listen *listen)
{
	static const struct beat beat = {.pid = 1, .interval_ms = 10000};

	(void) listen;
	return &beat;
}

const char *
listen_problem(const struct listen *listen)
{
	(void) listen;
	return "a problem";
}

struct query *
query_create(struct ev_loop *loop, const struct conninfo *info, const struct query_ops *ops, void *arg)
{
	(void) loop;
	(void) info;
	the_query = (struct query)
	{
		ops, arg
	};
	return &the_query;
}

void
query_free(struct query *query)
{
	(void) query;
}

void
query_start(struct query *query)
{
	(void) query;
}

void
query_tick(struct query *query, int64_t now_ms)
{
	(void) query;
	(void) now_ms;
}

bool
query_is_up(const struct query *query)
{
	(void) query;
	return !(database & DB_AWAY);
}

const char *
query_schema(const struct query *query)
{
	(void) query;
	return "sync";
}

const char *
query_server(const struct query *query)
{
	(void) query;
	return "";
}

double
query_up_since(const struct query *query)
{
	(void) query;
	return 0;
}

void
query_restart(struct query *query, const char *why)
{
	(void) query;
	(void) why;
}

int
query_waiting(const struct query *query)
{
	(void) query;
	return asked_count;
}

const char *
query_problem(const struct query *query)
{
	(void) query;
	return "a problem";
}

/* The columns that this asks for, by which the answers are told apart. */
static int
columns_of(const char *sql)
{
	return strstr(sql, "_subscribe(") ? 7 : strstr(sql, "_snapshots(") ? 4 : strstr(sql, "_keys(") ? 3 :
		strstr(sql, "_perform(") ? 5 : strstr(sql, "_sessions(") ? 2 : 1;
}

bool
query_send(struct query *query, const char *sql, int count, const char *const *values, query_done done, void *arg)
{
	int			rows = 1;

	(void) query;
	if (asked_count == WAITING_MAX)
		return false;
	for (const char *at = count == 3 ? values[2] : ""; *at; at++)
		rows += *at == ',';
	asked[asked_count].done = done;
	asked[asked_count].arg = arg;
	asked[asked_count].columns = columns_of(sql);
	asked[asked_count++].rows = rows;
	return true;
}

struct pool *
pool_create(struct ev_loop *loop, const struct conninfo *info, int connections)
{
	(void) loop;
	(void) info;
	(void) connections;
	return (struct pool *) &called_count;
}

void
pool_free(struct pool *pool)
{
	(void) pool;
}

void
pool_start(struct pool *pool)
{
	(void) pool;
}

void
pool_turn(struct pool *pool)
{
	(void) pool;
}

void
pool_keep_to(struct pool *pool, const char *server)
{
	(void) pool;
	(void) server;
}

void
pool_tick(struct pool *pool, int64_t now_ms)
{
	(void) pool;
	(void) now_ms;
}

bool
pool_is_up(const struct pool *pool)
{
	(void) pool;
	return !(database & DB_AWAY);
}

int
pool_waiting(const struct pool *pool)
{
	(void) pool;
	return called_count;
}

struct pool_call *
pool_send(struct pool *pool, const struct istr *caller, const char *key, const char *sql, int count,
		  const char *const *values, pool_done done, void *arg)
{
	struct pool_call *call;

	(void) pool;
	(void) caller;
	(void) key;
	(void) count;
	(void) values;
	if (called_count == WAITING_MAX || (database & DB_AWAY))
		return NULL;
	call = malloc(sizeof(*call));
	must_hold(call);
	*call = (struct pool_call)
	{
		done, arg, columns_of(sql)
	};
	called[called_count++] = call;
	return call;
}

static void
end_call(struct pool_call *call, enum pool_end end, const PGresult *result)
{
	struct pool_call copy = *call;

	for (int i = 0; i < called_count; i++)
		if (called[i] == call)
			called[i] = called[--called_count];
	free(call);
	copy.done(copy.arg, end, result);
}

void
pool_forget(struct pool_call *call)
{
	end_call(call, POOL_FORGOTTEN, NULL);
}

/* ---- what it answers ---- */

static void
set(PGresult *result, int row, int column, const char *value)
{
	must_hold(PQsetvalue(result, row, column, (char *) (uintptr_t) value, value ? (int) strlen(value) : -1));
}

static PGresult *
make_result(int columns, int rows)
{
	static const char *const state[] = {
		"sync:42", "1763776000123456", "{\"session_id\":42,\n\"status\":\"processing\",\"version\":1763776000123456}", "f"
	};
	PGresult   *result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
	PGresAttDesc columns_are[7] = {0};
	char		ord[16];

	for (int i = 0; i < columns; i++)
		columns_are[i].name = (char *) (uintptr_t) "column";
	must_hold(PQsetResultAttrs(result, columns, columns_are));
	for (int row = 0; row < rows; row++)
	{
		snprintf(ord, sizeof(ord), "%d", row + 1);
		for (int i = 0; i < 4 && (columns == 7 || columns == 5 || columns == 4); i++)
			set(result, row, (columns == 7) + i, state[i]);
		if (columns == 7)
		{
			set(result, row, 0, ord);
			set(result, row, 5, database & DB_REFUSES ? "not_found" : NULL);
			set(result, row, 6, "{\"type\":\"connected\",\"job_id\":\"1\"}");
		}
		else if (columns == 5)
			set(result, row, 4, "{\"session_id\":42}");
		else if (columns == 3)
		{
			set(result, row, 0, "k");
			set(result, row, 1, "HS256");
			set(result, row, 2, jwk);
		}
		else if (columns == 2)
		{
			set(result, row, 0, "{\"session_id\":42}");
			set(result, row, 1, NULL);
		}
		else if (columns == 1)
			set(result, row, 0, "{\"status\":\"accepted\"}");
	}
	return result;
}

static void
answer_one(void)
{
	PGresult   *result;

	if (asked_count > 0)
	{
		query_done	done = asked[0].done;
		void	   *arg = asked[0].arg;

		result = make_result(asked[0].columns, asked[0].rows);
		memmove(asked, asked + 1, (size_t) --asked_count * sizeof(asked[0]));
		done(arg, database & DB_LOST ? NULL : result, NULL);
	}
	else
	{
		result = make_result(called[0]->columns, 1);
		end_call(called[0], database & DB_LOST ? POOL_LOST : database & DB_REFUSES ? POOL_LATE : POOL_ANSWERED, result);
	}
	PQclear(result);
}

#endif							/* FAKE_DATABASE_H */
