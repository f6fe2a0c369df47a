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
 * libpq goes on to the next host by itself when one refuses, but waits for ever
 * for one that does not answer, as a machine that lost its power.  So each host
 * has a time of its own, and the attempt after a failed one begins with the
 * next host: else one that is silent would hide those behind it.
 */
#include "pg.h"

#include <ev.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "backoff.h"
#include "codes.h"
#include "log.h"
#include "look.h"
#include "metrics.h"
#include "pgerr.h"
#include "resolve.h"

#define PG_READS_MAX		64	/* of libpq, before others get their turn */
#define PG_RETRY_FIRST_S		0.2
#define PG_RETRY_MAX_S			2.0
#define PG_STABLE_AFTER_S		10.0
#define PG_COMPLAIN_EVERY_S		60.0

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
	struct resolve *resolve;	/* while names are being resolved */
	unsigned	first_host;		/* the next attempt begins with */
	char		host[320];		/* that is being connected to */
	PGconn	   *conn;
	ev_io		io;
	ev_timer	timer;			/* next attempt, or connecting took too long */
	struct backoff backoff;
	ev_tstamp	up_at;
	PGresult   *looked;
	struct look look;
	char		problem[768];	/* the last complaint; empty while up */
	char		logged[2][768];
	ev_tstamp	logged_at;
};

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
	return pg->look.schema;
}

const char *
pg_channel(const struct pg *pg)
{
	return pg->look.channel;
}

/* While it is up: another text means another server. */
const char *
pg_server(const struct pg *pg)
{
	return pg->look.server;
}

/* When it came up, by the loop's clock. */
double
pg_up_since(const struct pg *pg)
{
	return pg->up_at;
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
	char		why[400];

	(void) loop;
	(void) revents;
	if (pg->state == PG_WAITING)
		pg_start(pg);
	else
	{
		snprintf(why, sizeof(why), "no answer in time from host %s", pg->host);
		pg_fail(pg, why);
	}
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
	look_clear(&pg->look);
	if (pg->resolve)
		resolve_forget(pg->resolve);
	pg->resolve = NULL;
}

void
pg_free(struct pg *pg)
{
	pg_close(pg);
	free(pg);
}

/*
 * Say what is wrong.  Where several hosts fail in turns, so do two complaints:
 * neither of the last two is repeated within a minute.
 */
static void
pg_complain(struct pg *pg, const char *why)
{
	const char *hint = pgerr_hint(why);
	char		said[500];

	snprintf(said, sizeof(said), "%s", why);
	pgerr_one_line(said);
	snprintf(pg->problem, sizeof(pg->problem), "%s%s%s%s", said,
			 hint ? " (hint: " : "", hint ? hint : "", hint ? ")" : "");
	if ((strcmp(pg->problem, pg->logged[0]) == 0 || strcmp(pg->problem, pg->logged[1]) == 0) &&
		ev_now(pg->loop) - pg->logged_at < PG_COMPLAIN_EVERY_S)
		return;
	memcpy(pg->logged[1], pg->logged[0], sizeof(pg->logged[1]));
	memcpy(pg->logged[0], pg->problem, sizeof(pg->logged[0]));
	pg->logged_at = ev_now(pg->loop);
	log_error(pg->name, "no database, still trying: %s", pg->problem);
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
	if (!was_up)
		pg->first_host++;
	pg->state = PG_WAITING;
	pg_close(pg);
	pg_arm_timer(pg, backoff_next(&pg->backoff, drand48()));
	if (was_up)
	{
		metric_add(pg->ops->ups, -1);
		metric_count(pg->ops->losses);
		pg->ops->down(pg->arg);
	}
}

/* What the server says unasked, its last words included. */
static void
pg_on_notice(void *arg, const PGresult *notice)
{
	static struct log_rate rate;
	struct pg  *pg = arg;
	char		said[512];

	if (!log_rate_allows(&rate, pg->name))
		return;
	pgerr_describe(notice, said, sizeof(said));
	log_info(pg->name, "the server says: %s", said);
}

/* ---- connecting ---- */

/* Each host has so long, from when it is its turn. */
static void
pg_time_host(struct pg *pg)
{
	char		host[sizeof(pg->host)];

	snprintf(host, sizeof(host), "%s %s port %s", PQhost(pg->conn) ? PQhost(pg->conn) : "",
			 PQhostaddr(pg->conn) ? PQhostaddr(pg->conn) : "", PQport(pg->conn));
	if (strcmp(host, pg->host) == 0)
		return;
	memcpy(pg->host, host, sizeof(pg->host));
	pg_arm_timer(pg, atof(conninfo_get(pg->info, "connect_timeout")));
}

static void
pg_connect(struct pg *pg, struct conninfo *info)
{
	conninfo_rotate(info, pg->first_host);
	pg->conn = PQconnectStartParams((const char *const *) info->keywords,
									(const char *const *) info->values, 0);
	pg->state = PG_CONNECTING;
	pg->host[0] = '\0';
	if (pg->conn == NULL)
		pg_fail(pg, "out of memory");
	else if (PQstatus(pg->conn) == CONNECTION_BAD)
		pg_fail(pg, PQerrorMessage(pg->conn));
	else
	{
		PQsetNoticeReceiver(pg->conn, pg_on_notice, pg);
		pg_time_host(pg);
		pg_watch(pg, EV_WRITE);
	}
}

static void
pg_resolved(void *arg, const char *error, const char *hosts,
			const char *hostaddrs, const char *ports)
{
	struct pg  *pg = arg;
	struct conninfo info;

	pg->resolve = NULL;
	if (error)
	{
		pg_fail(pg, error);
		return;
	}
	conninfo_copy(&info, pg->info);
	conninfo_set(&info, "host", hosts[0] ? hosts : NULL);
	conninfo_set(&info, "hostaddr", hostaddrs[0] ? hostaddrs : NULL);
	conninfo_set(&info, "port", ports);
	pg_connect(pg, &info);
	conninfo_free(&info);
}

/* Begin an attempt now. */
void
pg_start(struct pg *pg)
{
	const char *host = conninfo_get(pg->info, "host");
	const char *port = conninfo_get(pg->info, "port");
	struct conninfo info;

	if (conninfo_get(pg->info, "hostaddr") == NULL && host)
	{
		pg->state = PG_RESOLVING;
		pg->resolve = resolve_start(pg->loop, host, port ? port : "", pg_resolved, pg);
		return;
	}
	conninfo_copy(&info, pg->info);
	pg_connect(pg, &info);
	conninfo_free(&info);
}

static void
pg_connect_poll(struct pg *pg)
{
	PostgresPollingStatusType status = PQconnectPoll(pg->conn);

	pg_time_host(pg);
	switch (status)
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
				PQsendQuery(pg->conn, look_sql) != 1)
				pg_fail(pg, PQerrorMessage(pg->conn));
			else
				pg_flush(pg);
			break;
		default:
			pg_fail(pg, PQerrorMessage(pg->conn));
			break;
	}
}

/* If what is at the other end is as it should be: up. */
static void
pg_come_up(struct pg *pg)
{
	char		why[512];

	if (!look_take(&pg->look, pg->conn, pg->looked, why, sizeof(why)))
	{
		pg_fail(pg, why);
		return;
	}
	ev_timer_stop(pg->loop, &pg->timer);
	pg->state = PG_UP;
	pg->up_at = ev_now(pg->loop);
	pg->problem[0] = pg->logged[0][0] = pg->logged[1][0] = '\0';
	log_info(pg->name, "connected host=%s port=%s database=%s pid=%d",
			 PQhost(pg->conn) ? PQhost(pg->conn) : "", PQport(pg->conn),
			 PQdb(pg->conn), PQbackendPID(pg->conn));
	metric_count(METRIC_DB_CONNECTS);
	metric_count(pg->ops->ups);
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

		if (result == NULL)
			pg_come_up(pg);
		else if (status == PGRES_TUPLES_OK && pg->looked == NULL)
		{
			pg->looked = result;
			continue;
		}
		else if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
		{
			pgerr_describe(result, why, sizeof(why));
			pg_fail(pg, why);
		}
		PQclear(result);
	}
}

/* ---- connected ---- */

/*
 * Is there more to be read at once?  libpq leaves what its buffer does not hold;
 * and what OpenSSL holds already does not make the socket readable.
 */
static bool
pg_has_input(struct pg *pg)
{
	SSL		   *ssl = PQsslStruct(pg->conn, "OpenSSL");
	int			bytes = 0;

	return (ssl && SSL_pending(ssl) > 0) ||
		(ioctl(PQsocket(pg->conn), FIONREAD, &bytes) == 0 && bytes > 0);
}

/* Take what has come, all of it but for a bound: of states only the newest is told. */
static void
pg_input(struct pg *pg)
{
	int			reads = 0;

	do
	{
		if (PQconsumeInput(pg->conn) != 1)
		{
			pg_fail(pg, PQerrorMessage(pg->conn));
			return;
		}
	} while (pg_has_input(pg) && ++reads < PG_READS_MAX);

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
