/*
 * pg.c
 *		One connection to the database, kept up.
 *
 * The steps: resolve the names, connect, look at what is at the other end, up.
 * Whatever fails, in any step or later, ends in pg_fail(): the connection is
 * closed and a fresh one is tried after a while, for ever.  The same
 * complaint is logged when it is new and then once a minute.
 *
 * libpq works on our own ev_io: the socket may change with every
 * PQconnectPoll() when there are several hosts, so the watcher is armed anew
 * each time.
 *
 * The look at the other end finds what would otherwise fail in silence: a
 * standby cannot LISTEN, and through a pooler notifications get lost.  A
 * pooler gives itself away by another process id than the server's own.
 */
#include "pg.h"

#include <ev.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backoff.h"
#include "codes.h"
#include "log.h"
#include "metrics.h"
#include "pgerr.h"
#include "resolve.h"

#define PG_CONNECT_TIMEOUT_S	10.0
#define PG_RETRY_FIRST_S		0.2
#define PG_RETRY_MAX_S			5.0
#define PG_STABLE_AFTER_S		10.0
#define PG_COMPLAIN_EVERY_S		60.0

#define PG_LOOK_SQL \
	"SET statement_timeout = '2s'; " \
	"SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_backend_pid(), " \
	"pg_catalog.current_setting('sync_progress.channel', true), " \
	"(SELECT n.nspname FROM pg_catalog.pg_extension e " \
	"JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace " \
	"WHERE e.extname = '" CODE_EXTENSION "'), " \
	"pg_catalog.current_database()"

enum pg_state
{
	PG_WAITING,					/* for the next attempt */
	PG_RESOLVING,
	PG_CONNECTING,
	PG_LOOKING,
	PG_UP
};

struct pg
{
	struct ev_loop *loop;
	const char *name;
	const struct conninfo *info;
	const struct pg_ops *ops;
	void	   *arg;
	enum pg_state state;
	bool		is_freed;		/* while a name is being resolved */
	PGconn	   *conn;
	ev_io		io;
	ev_timer	timer;			/* next attempt, or connecting took too long */
	struct backoff backoff;
	ev_tstamp	up_at;
	PGresult   *looked;
	char	   *schema;			/* quoted */
	char	   *channel;
	char		problem[512];	/* the last complaint; empty while up */
	char		logged[512];
	ev_tstamp	logged_at;
};

static void pg_connect(struct pg *pg);
static void pg_connect_poll(struct pg *pg);
static void pg_input(struct pg *pg);

bool
pg_is_up(const struct pg *pg)
{
	return pg->state == PG_UP;
}

PGconn *
pg_conn(struct pg *pg)
{
	return pg->conn;
}

const char *
pg_schema(const struct pg *pg)
{
	return pg->schema;
}

const char *
pg_channel(const struct pg *pg)
{
	return pg->channel;
}

const char *
pg_problem(const struct pg *pg)
{
	return pg->problem;
}

/* ---- watchers ---- */

static void
pg_watch(struct pg *pg, int events)
{
	int			fd = PQsocket(pg->conn);

	if (ev_is_active(&pg->io) && pg->io.fd == fd &&
		(pg->io.events & (EV_READ | EV_WRITE)) == events)
		return;
	ev_io_stop(pg->loop, &pg->io);
	ev_io_set(&pg->io, fd, events);
	ev_io_start(pg->loop, &pg->io);
}

static void
pg_on_io(struct ev_loop *loop, ev_io *io, int revents)
{
	struct pg  *pg = io->data;

	(void) loop;
	if (pg->state == PG_CONNECTING)
		pg_connect_poll(pg);
	else if (revents & EV_READ)
		pg_input(pg);
	else
		pg_flush(pg);
}

static void
pg_on_timer(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct pg  *pg = timer->data;

	(void) loop;
	(void) revents;
	if (pg->state == PG_WAITING)
		pg_start(pg);
	else
		pg_fail(pg, "connecting took too long");
}

static void
pg_arm_timer(struct pg *pg, double after_s)
{
	ev_timer_stop(pg->loop, &pg->timer);
	ev_timer_set(&pg->timer, after_s, 0.0);
	ev_timer_start(pg->loop, &pg->timer);
}

/* ---- life ---- */

struct pg  *
pg_create(struct ev_loop *loop, const char *name, const struct conninfo *info,
		  const struct pg_ops *ops, void *arg)
{
	struct pg  *pg = mem_zalloc(sizeof(*pg));

	pg->loop = loop;
	pg->name = name;
	pg->info = info;
	pg->ops = ops;
	pg->arg = arg;
	pg->backoff = (struct backoff)
	{
		.first_s = PG_RETRY_FIRST_S, .max_s = PG_RETRY_MAX_S
	};
	ev_io_init(&pg->io, pg_on_io, -1, 0);
	pg->io.data = pg;
	ev_timer_init(&pg->timer, pg_on_timer, 0.0, 0.0);
	pg->timer.data = pg;
	snprintf(pg->problem, sizeof(pg->problem), "not connected to the database yet");
	return pg;
}

static void
pg_close(struct pg *pg)
{
	ev_io_stop(pg->loop, &pg->io);
	ev_timer_stop(pg->loop, &pg->timer);
	if (pg->conn)
		PQfinish(pg->conn);
	pg->conn = NULL;
	PQclear(pg->looked);
	pg->looked = NULL;
	free(pg->schema);
	free(pg->channel);
	pg->schema = pg->channel = NULL;
}

void
pg_free(struct pg *pg)
{
	pg_close(pg);
	pg->is_freed = true;
	if (pg->state != PG_RESOLVING)
		free(pg);
}

static void
pg_complain(struct pg *pg, const char *why)
{
	const char *hint;

	snprintf(pg->problem, sizeof(pg->problem), "%s", why);
	pgerr_one_line(pg->problem);
	if (strcmp(pg->problem, pg->logged) == 0 &&
		ev_now(pg->loop) - pg->logged_at < PG_COMPLAIN_EVERY_S)
		return;
	memcpy(pg->logged, pg->problem, sizeof(pg->logged));
	pg->logged_at = ev_now(pg->loop);
	hint = pgerr_hint(pg->problem);
	log_error(pg->name, "no database, trying on: %s%s%s%s", pg->problem,
			  hint ? " (hint: " : "", hint ? hint : "", hint ? ")" : "");
}

/*
 * Give this connection up and try a fresh one later.  "why" may be libpq's own
 * text.  Callers touch the connection no more.
 */
void
pg_fail(struct pg *pg, const char *why)
{
	bool		was_up = pg->state == PG_UP;

	if (pg->state == PG_WAITING)
		return;
	pg_complain(pg, why);
	if (was_up && ev_now(pg->loop) - pg->up_at > PG_STABLE_AFTER_S)
		backoff_reset(&pg->backoff);
	pg->state = PG_WAITING;
	pg_close(pg);
	pg_arm_timer(pg, backoff_next(&pg->backoff, drand48()));
	if (was_up)
		pg->ops->down(pg->arg);
}

/* What the server says unasked, its last words included. */
static void
pg_on_notice(void *arg, const PGresult *notice)
{
	struct pg  *pg = arg;
	char		said[512];

	pgerr_describe(notice, said, sizeof(said));
	log_info(pg->name, "the server says: %s", said);
}

/* ---- connecting ---- */

static void
pg_resolved(void *arg, const char *error, const char *hosts,
			const char *hostaddrs, const char *ports)
{
	struct pg  *pg = arg;
	struct conninfo info;

	if (pg->is_freed)
	{
		free(pg);
		return;
	}
	if (error)
	{
		pg_fail(pg, error);
		return;
	}
	conninfo_copy(&info, pg->info);
	conninfo_set(&info, "host", hosts[0] ? hosts : NULL);
	conninfo_set(&info, "hostaddr", hostaddrs[0] ? hostaddrs : NULL);
	conninfo_set(&info, "port", ports);
	pg->conn = PQconnectStartParams((const char *const *) info.keywords,
									(const char *const *) info.values, 0);
	conninfo_free(&info);
	pg_connect(pg);
}

/* Begin an attempt now. */
void
pg_start(struct pg *pg)
{
	const char *host = conninfo_get(pg->info, "host");
	const char *port = conninfo_get(pg->info, "port");

	pg->state = PG_RESOLVING;
	if (conninfo_get(pg->info, "hostaddr") == NULL && host)
	{
		resolve_start(pg->loop, host, port ? port : "", pg_resolved, pg);
		return;
	}
	pg->conn = PQconnectStartParams((const char *const *) pg->info->keywords,
									(const char *const *) pg->info->values, 0);
	pg_connect(pg);
}

static void
pg_connect(struct pg *pg)
{
	pg->state = PG_CONNECTING;
	pg_arm_timer(pg, PG_CONNECT_TIMEOUT_S);
	if (pg->conn == NULL)
		pg_fail(pg, "out of memory");
	else if (PQstatus(pg->conn) == CONNECTION_BAD)
		pg_fail(pg, PQerrorMessage(pg->conn));
	else
	{
		PQsetNoticeReceiver(pg->conn, pg_on_notice, pg);
		pg_watch(pg, EV_WRITE);
	}
}

static void
pg_connect_poll(struct pg *pg)
{
	switch (PQconnectPoll(pg->conn))
	{
		case PGRES_POLLING_READING:
			/* Another host means another socket, perhaps of the same number. */
			ev_io_stop(pg->loop, &pg->io);
			pg_watch(pg, EV_READ);
			break;
		case PGRES_POLLING_WRITING:
			ev_io_stop(pg->loop, &pg->io);
			pg_watch(pg, EV_WRITE);
			break;
		case PGRES_POLLING_OK:
			ev_io_stop(pg->loop, &pg->io);
			pg->state = PG_LOOKING;
			if (PQsetnonblocking(pg->conn, 1) != 0 ||
				PQsendQuery(pg->conn, PG_LOOK_SQL) != 1)
				pg_fail(pg, PQerrorMessage(pg->conn));
			else
				pg_flush(pg);
			break;
		default:
			pg_fail(pg, PQerrorMessage(pg->conn));
			break;
	}
}

/* What is at the other end is as it should be: up. */
static void
pg_come_up(struct pg *pg, const PGresult *result)
{
	char		why[256];
	char	   *quoted;

	if (strcmp(PQgetvalue(result, 0, 0), "t") == 0)
	{
		pg_fail(pg, "the server is a standby, in hot standby mode, which cannot LISTEN");
		return;
	}
	if (atoi(PQgetvalue(result, 0, 1)) != PQbackendPID(pg->conn))
	{
		pg_fail(pg, "there is a connection pooler in between, which loses notifications: "
				"let --db name the PostgreSQL server itself");
		return;
	}
	if (PQgetisnull(result, 0, 3))
	{
		snprintf(why, sizeof(why), "the extension is not installed in this database: "
				 "run CREATE EXTENSION %s in database \"%s\"", CODE_EXTENSION,
				 PQgetvalue(result, 0, 4));
		pg_fail(pg, why);
		return;
	}
	quoted = PQescapeIdentifier(pg->conn, PQgetvalue(result, 0, 3),
								(size_t) PQgetlength(result, 0, 3));
	if (quoted == NULL)
	{
		pg_fail(pg, PQerrorMessage(pg->conn));
		return;
	}
	pg->schema = mem_strdup(quoted);
	PQfreemem(quoted);
	pg->channel = mem_strdup(PQgetlength(result, 0, 2) > 0 ?
							 PQgetvalue(result, 0, 2) : CODE_CHANNEL);
	ev_timer_stop(pg->loop, &pg->timer);
	pg->state = PG_UP;
	pg->up_at = ev_now(pg->loop);
	pg->problem[0] = pg->logged[0] = '\0';
	log_info(pg->name, "connected host=%s port=%s database=%s pid=%d",
			 PQhost(pg->conn) ? PQhost(pg->conn) : "", PQport(pg->conn),
			 PQdb(pg->conn), PQbackendPID(pg->conn));
	metric_count(METRIC_DB_CONNECTS);
	pg->ops->up(pg->arg);
}

/* The answer to the look, which is the last result of two statements. */
static void
pg_look(struct pg *pg)
{
	while (pg->state == PG_LOOKING && !PQisBusy(pg->conn))
	{
		PGresult   *result = PQgetResult(pg->conn);
		ExecStatusType status = PQresultStatus(result);
		char		why[512];

		if (result == NULL && pg->looked == NULL)
			pg_fail(pg, "the server gave no answer");
		else if (result == NULL)
			pg_come_up(pg, pg->looked);
		else if (status == PGRES_TUPLES_OK && PQntuples(result) == 1 &&
				 pg->looked == NULL)
		{
			pg->looked = result;
			continue;
		}
		else if (status != PGRES_COMMAND_OK)
		{
			pgerr_describe(result, why, sizeof(why));
			pg_fail(pg, why);
		}
		PQclear(result);
	}
}

/* ---- connected ---- */

static void
pg_input(struct pg *pg)
{
	SSL		   *ssl;

	do
	{
		if (PQconsumeInput(pg->conn) != 1)
		{
			pg_fail(pg, PQerrorMessage(pg->conn));
			return;
		}
		/* What OpenSSL holds already does not make the socket readable. */
		ssl = PQsslStruct(pg->conn, "OpenSSL");
	} while (ssl && SSL_pending(ssl) > 0);

	if (pg->state == PG_LOOKING)
		pg_look(pg);
	else
		pg->ops->readable(pg->arg);
	if (pg->conn && pg->state != PG_CONNECTING)
		pg_flush(pg);
}

/* Send what libpq has buffered, now or when the socket takes it. */
void
pg_flush(struct pg *pg)
{
	int			rest;

	if (pg->state != PG_UP && pg->state != PG_LOOKING)
		return;
	rest = PQflush(pg->conn);
	if (rest < 0)
		pg_fail(pg, PQerrorMessage(pg->conn));
	else
		pg_watch(pg, rest > 0 ? EV_READ | EV_WRITE : EV_READ);
}
