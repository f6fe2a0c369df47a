/*
 * listen.c
 *		The connection that notifications come on.
 *
 * LISTEN first, then attach: the worker is told of a bridge only when that can
 * hear it.  From then on the connection is live, and only what a live
 * connection could have heard is ever confirmed to a watcher.
 *
 * A notification counts only if the worker sent it, which its process id
 * tells.  Any other is passed on as a hint, and the worker's id is asked for
 * again, once a second at most: a worker that was restarted has a new one.
 * For what can be asked for that is enough.  To disconnect somebody is said once
 * and nowhere else, so such a message waits for the answer, a few of them.
 *
 * Silence is not taken for peace.  The worker sends a heartbeat in a known
 * interval; a little after one is missed, attach() is called to see whether the
 * connection still answers, with a short deadline, so that one that is open but
 * dead is found within fifteen seconds; and after three intervals without any
 * word from a worker that is said to run, the connection is given up.
 */
#include "listen.h"

#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "beat.h"
#include "buf.h"
#include "clock.h"
#include "event.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "pg.h"
#include "pgerr.h"

#define LISTEN_ANSWER_MS		10000
#define LISTEN_PROBE_MS			3000
#define LISTEN_PROBE_AFTER_MS	10500
#define LISTEN_WORKER_FIRST_MS	200
#define LISTEN_WORKER_MAX_MS	2000
#define LISTEN_REASK_EVERY_MS	1000
#define LISTEN_BEATS_MISSED		3
#define LISTEN_HELD_MAX			64

enum listen_step
{
	STEP_NONE,					/* no query is under way */
	STEP_LISTEN,
	STEP_ATTACH
};

/* What is to be believed if its sender proves to be the worker. */
struct listen_held
{
	int			pid;
	struct event event;
};

static struct log_rate bad_rate;	/* of what others than the worker send */

struct listen
{
	struct pg  *pg;
	const struct listen_ops *ops;
	void	   *arg;
	enum listen_step step;
	bool		is_live;
	char	   *channel;		/* that is being listened on */
	int			worker_pid;		/* 0: none runs */
	int			beat_ms;
	int64_t		now_ms;
	int64_t		read_us;		/* when notifications were read, by clock_us() */
	int64_t		read_wall_us;	/* likewise, since 1970 */
	struct beat beat;
	int64_t		heard_ms;		/* from the worker */
	int64_t		answer_due_ms;	/* of the query under way */
	int64_t		asked_ms;		/* attach() was sent */
	int64_t		worker_wait_ms;
	bool		wants_listen;
	bool		wants_attach;
	struct listen_held held[LISTEN_HELD_MAX];
	int			held_count;
	int			held_asked;		/* so many came before attach() was sent */
};

static void listen_up(void *arg);
static void listen_down(void *arg);
static void listen_readable(void *arg);

static const struct pg_ops listen_pg_ops = {
	.up = listen_up, .down = listen_down, .readable = listen_readable,
	.ups = METRIC_DB_UP_LISTEN, .losses = METRIC_DB_LOST_LISTEN
};

/*
 * Of the first "count" that are held those that the worker has sent are
 * believed now, and the others forgotten.
 */
static void
listen_release(struct listen *listen, int count)
{
	for (int i = 0; i < count; i++)
	{
		struct listen_held *held = &listen->held[i];

		if (listen->worker_pid != 0 && held->pid == listen->worker_pid)
			listen->ops->event(listen->arg, &held->event, true);
		else if (log_rate_allows(&bad_rate, "listen"))
			log_warn("listen", "the worker did not send this, ignored type=disconnect pid=%d", held->pid);
		event_clear(&held->event);
	}
	listen->held_count -= count;
	memmove(listen->held, listen->held + count, (size_t) listen->held_count * sizeof(listen->held[0]));
	listen->held_asked = 0;
}

struct listen *
listen_create(struct ev_loop *loop, const struct conninfo *info,
			  const struct listen_ops *ops, void *arg)
{
	struct listen *listen = mem_zalloc(sizeof(*listen));

	listen->ops = ops;
	listen->arg = arg;
	listen->pg = pg_create(loop, "listen", info, &listen_pg_ops, listen);
	return listen;
}

void
listen_free(struct listen *listen)
{
	listen->worker_pid = 0;
	listen_release(listen, listen->held_count);
	pg_free(listen->pg);
	free(listen->channel);
	free(listen);
}

void
listen_start(struct listen *listen)
{
	pg_start(listen->pg);
}

bool
listen_is_live(const struct listen *listen)
{
	return listen->is_live;
}

const char *
listen_server(const struct listen *listen)
{
	return pg_server(listen->pg);
}

double
listen_up_since(const struct listen *listen)
{
	return pg_up_since(listen->pg);
}

/* Give the connection up, and make a fresh one. */
void
listen_restart(struct listen *listen, const char *why)
{
	pg_fail(listen->pg, why);
}

const struct beat *
listen_beat(const struct listen *listen)
{
	return &listen->beat;
}

const char *
listen_problem(const struct listen *listen)
{
	const char *problem = pg_problem(listen->pg);

	return problem[0] ? problem : "the database has not answered yet";
}

static void
listen_send(struct listen *listen, enum listen_step step, const char *sql,
			int64_t within_ms)
{
	if (PQsendQuery(pg_conn(listen->pg), sql) != 1)
	{
		pg_fail(listen->pg, PQerrorMessage(pg_conn(listen->pg)));
		return;
	}
	listen->step = step;
	listen->answer_due_ms = listen->now_ms + within_ms;
	pg_flush(listen->pg);
}

static void
listen_send_listen(struct listen *listen)
{
	struct buf	sql = {0};
	char	   *quoted = PQescapeIdentifier(pg_conn(listen->pg), listen->channel,
											strlen(listen->channel));

	if (quoted == NULL)
	{
		pg_fail(listen->pg, PQerrorMessage(pg_conn(listen->pg)));
		return;
	}
	listen->wants_listen = false;
	buf_printf(&sql, "LISTEN %s", quoted);
	PQfreemem(quoted);
	listen_send(listen, STEP_LISTEN, sql.data, LISTEN_ANSWER_MS);
	buf_free(&sql);
}

static void
listen_send_attach(struct listen *listen, int64_t within_ms)
{
	struct buf	sql = {0};

	buf_printf(&sql, "SELECT worker_pid, channel, heartbeat_interval_ms "
			   "FROM %s.sync_progress_attach()", pg_schema(listen->pg));
	listen->wants_attach = false;
	listen->held_asked = listen->held_count;
	listen->asked_ms = listen->now_ms;
	listen_send(listen, STEP_ATTACH, sql.data, within_ms);
	buf_free(&sql);
}

static void
listen_up(void *arg)
{
	struct listen *listen = arg;

	listen->now_ms = loop_clock_ms();
	free(listen->channel);
	listen->channel = mem_strdup(pg_channel(listen->pg));
	listen_send_listen(listen);
}

static void
listen_set_live(struct listen *listen, bool is_live)
{
	if (listen->is_live == is_live)
		return;
	listen->is_live = is_live;
	listen->ops->live(listen->arg, is_live);
}

static void
listen_down(void *arg)
{
	struct listen *listen = arg;

	listen->step = STEP_NONE;
	listen->worker_pid = 0;
	listen_release(listen, listen->held_count);
	listen->wants_listen = listen->wants_attach = false;
	listen_set_live(listen, false);
}

/* ---- answers ---- */

static void
listen_attached(struct listen *listen, const PGresult *result)
{
	int			pid;
	const char *channel;

	if (PQntuples(result) != 1 || PQnfields(result) != 3 || PQgetlength(result, 0, 1) == 0)
	{
		pg_fail(listen->pg, "sync_progress_attach() gave no row: the extension and the "
				"bridge are of different versions");
		return;
	}
	pid = atoi(PQgetvalue(result, 0, 0));
	channel = PQgetvalue(result, 0, 1);
	listen->beat_ms = atoi(PQgetvalue(result, 0, 2));
	if (strcmp(channel, listen->channel) != 0)
	{
		/* The channel's name was changed: what it carried since is unknown. */
		free(listen->channel);
		listen->channel = mem_strdup(channel);
		listen->wants_listen = true;
		listen_set_live(listen, false);
		return;
	}

	if (pid != 0 && pid != listen->worker_pid)
	{
		/*
		 * its predecessor may have died with something untold, a revocation,
		 * say
		 */
		listen_set_live(listen, false);
		log_info("listen", "attached channel=%s worker_pid=%d heartbeat_ms=%d",
				 channel, pid, listen->beat_ms);
		listen->heard_ms = listen->now_ms;
		listen->worker_wait_ms = LISTEN_WORKER_FIRST_MS;
	}
	else if (pid == 0 && (listen->worker_pid != 0 || !listen->is_live))
	{
		log_warn("listen", "the extension's worker does not run yet, asking again");
		listen->worker_wait_ms = LISTEN_WORKER_FIRST_MS;
	}
	listen->worker_pid = pid;
	beat_attached(&listen->beat, pid, listen->beat_ms);
	listen_set_live(listen, true);
	if (pid != 0)
		listen_release(listen, listen->held_asked);
}

static void
listen_result(struct listen *listen, const PGresult *result)
{
	enum listen_step step = listen->step;
	ExecStatusType status = PQresultStatus(result);
	char		why[512];

	if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
	{
		pgerr_describe(result, why, sizeof(why));
		pg_fail(listen->pg, why);
		return;
	}
	listen->step = STEP_NONE;
	if (step == STEP_LISTEN)
		listen->wants_attach = true;
	else if (step == STEP_ATTACH)
		listen_attached(listen, result);
}

/*
 * How long has it been under way?  The worker says when it was sent, by the
 * clock of its machine; where ours is behind, less than no time has passed.
 */
static void
listen_time(const struct listen *listen, struct event *event)
{
	event->received_us = listen->read_us;
	if (event->emitted_us == 0)
		return;
	event->under_way_us = listen->read_wall_us - event->emitted_us;
	if (event->under_way_us < 0)
	{
		event->under_way_us = 0;
		metric_count(METRIC_SKEWED);
	}
	timing_add(TIMING_NOTIFY, event->under_way_us, 1);
}

static void
listen_notified(struct listen *listen, const PGnotify *notify)
{
	struct event event;
	bool		is_trusted = listen->worker_pid != 0 && notify->be_pid == listen->worker_pid;

	if (strcmp(notify->relname, listen->channel) != 0)
		return;
	metric_count(METRIC_NOTIFICATIONS);
	metric_add(METRIC_NOTIFIED_BYTES, (int64_t) strlen(notify->extra));
	if (is_trusted)
	{
		listen->heard_ms = listen->now_ms;
		beat_heard(&listen->beat, listen->read_wall_us / 1000000);
	}
	else
		listen->wants_attach = true;
	if (!event_parse(notify->extra, strlen(notify->extra), &event))
	{
		if (log_rate_allows(&bad_rate, "listen"))
			log_warn("listen", "notification not understood pid=%d bytes=%zu",
					 notify->be_pid, strlen(notify->extra));
		return;
	}
	if (is_trusted)
		listen_time(listen, &event);
	if (!is_trusted && event.type == EVENT_DISCONNECT && listen->held_count < LISTEN_HELD_MAX)
	{
		listen->held[listen->held_count++] = (struct listen_held)
		{
			notify->be_pid, event
		};
		return;
	}
	listen->ops->event(listen->arg, &event, is_trusted);
	event_clear(&event);
}

static void
listen_readable(void *arg)
{
	struct listen *listen = arg;
	PGconn	   *conn = pg_conn(listen->pg);
	PGnotify   *notify;

	listen->now_ms = loop_clock_ms();
	listen->read_us = clock_us();
	listen->read_wall_us = clock_wall_us();
	while (pg_is_up(listen->pg) && listen->step != STEP_NONE && !PQisBusy(conn))
	{
		PGresult   *result = PQgetResult(conn);

		if (result == NULL)
			break;
		listen_result(listen, result);
		PQclear(result);
	}
	while (pg_is_up(listen->pg) && (notify = PQnotifies(conn)) != NULL)
	{
		listen_notified(listen, notify);
		PQfreemem(notify);
	}
	if (pg_is_up(listen->pg) && !listen->is_live)
		listen_tick(listen, listen->now_ms);
}

/* ---- time ---- */

/*
 * Is the worker heard of, and if not, does the connection answer at all?
 */
static void
listen_watch(struct listen *listen)
{
	int64_t		silent_ms = listen->now_ms - listen->heard_ms;
	int64_t		probe_ms;

	if (listen->worker_pid == 0)
	{
		if (listen->now_ms - listen->asked_ms < listen->worker_wait_ms)
			return;
		if (listen->worker_wait_ms < LISTEN_WORKER_MAX_MS)
			listen->worker_wait_ms *= 2;
		listen_send_attach(listen, LISTEN_ANSWER_MS);
		return;
	}
	if (listen->wants_attach && listen->now_ms - listen->asked_ms >= LISTEN_REASK_EVERY_MS)
	{
		listen_send_attach(listen, LISTEN_ANSWER_MS);
		return;
	}
	if (listen->beat_ms > 0 && silent_ms > (int64_t) listen->beat_ms * LISTEN_BEATS_MISSED)
	{
		pg_fail(listen->pg, "no heartbeat from the extension's worker, which is said to run");
		return;
	}
	probe_ms = listen->beat_ms + listen->beat_ms / 5;
	if (probe_ms > LISTEN_PROBE_AFTER_MS || listen->beat_ms <= 0)
		probe_ms = LISTEN_PROBE_AFTER_MS;
	if (silent_ms > probe_ms && listen->now_ms - listen->asked_ms > probe_ms)
		listen_send_attach(listen, LISTEN_PROBE_MS);
}

/*
 * Watch over the connection; called ten times a second.
 */
void
listen_tick(struct listen *listen, int64_t now_ms)
{
	listen->now_ms = now_ms;
	beat_tick(&listen->beat, listen->is_live, now_ms);
	if (!pg_is_up(listen->pg))
		return;
	if (listen->step != STEP_NONE)
	{
		if (now_ms >= listen->answer_due_ms)
			pg_fail(listen->pg, "the database does not answer on an open connection");
		return;
	}
	/* The end of the last query's results has not been read yet. */
	if (PQtransactionStatus(pg_conn(listen->pg)) == PQTRANS_ACTIVE)
	{
		PGresult   *rest;

		if (PQisBusy(pg_conn(listen->pg)))
			return;
		rest = PQgetResult(pg_conn(listen->pg));
		PQclear(rest);
		if (rest)
			return;
	}
	if (listen->wants_listen)
		listen_send_listen(listen);
	else if (listen->is_live)
		listen_watch(listen);
	else if (listen->wants_attach)
		listen_send_attach(listen, LISTEN_ANSWER_MS);
}
