/*
 * sessions.c
 *		Many active sessions, each incremented once a second: how late is each
 *		told, and what does the worker use for it?
 *
 *		sessions CONNINFO KIND WRITERS WARMUP SECONDS
 *
 * All sessions of KIND are incremented in turn, evenly spread over each second,
 * each increment a transaction of its own on one of WRITERS connections.  One
 * more connection listens.  The kind's every_interval is to be 1 s and its
 * every_count out of reach; nothing is to be counted of these sessions before.
 *
 * When a state comes, its count says which increment was the first that the
 * state before it lacked.  It was due when that one was committed, but not
 * earlier than 1 s after the state before it was emitted.  What has passed
 * since then is how late it is here.  Nothing in that comes from the extension's
 * own statistics; those are printed beside it.
 *
 * The worker's CPU time is what the scheduler counts (/proc/PID/schedstat: on
 * the CPU, waiting for one).  At the end every last count must have come.
 * Prints one line of JSON.
 */
#define _GNU_SOURCE				/* ppoll() */
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define INTERVAL_US 1000000
#define TICK_US 1000
#define LAST_US (10 * 1000 * 1000)
#define MAX_WRITERS 64
#define REMEMBERED 32			/* commits of a session that are not told yet */

struct session
{
	int64_t		committed_at_us[REMEMBERED];	/* of increment n at n %
												 * REMEMBERED */
	int64_t		committed;
	int64_t		told;
	int64_t		emitted_at_us;
};

struct writer
{
	PGconn	   *conn;
	struct session *session;	/* whose increment is under way, or NULL */
};

static struct session *sessions;
static int64_t first_id;
static int64_t nsessions;
static struct writer writers[MAX_WRITERS];
static int	nwriters;
static PGconn *listener;
static char prefix[128];

static bool measuring = false;
static double *late_ms;
static int64_t nlate = 0;
static int64_t max_late;
static int64_t behind_us = 0;	/* this program, at the worst */

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
die(const char *what, PGconn *conn)
{
	fprintf(stderr, "sessions: %s: %s", what, conn == NULL ? "failed\n" : PQerrorMessage(conn));
	exit(1);
}

/* The first row of a query, of which the second column may be asked for. */
static int64_t
query(PGconn *conn, const char *sql, int64_t *second)
{
	PGresult   *result = PQexec(conn, sql);
	int64_t		value = 0;

	if (PQresultStatus(result) != PGRES_TUPLES_OK && PQresultStatus(result) != PGRES_COMMAND_OK)
		die(sql, conn);
	if (PQntuples(result) > 0)
	{
		value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
		if (second != NULL)
			*second = strtoll(PQgetvalue(result, 0, 1), NULL, 10);
	}
	PQclear(result);
	return value;
}

static PGconn *
open_connection(const char *conninfo)
{
	PGconn	   *conn = PQconnectdb(conninfo);

	if (PQstatus(conn) != CONNECTION_OK)
		die("connect", conn);
	return conn;
}

static void
send_increment(struct writer *writer, int64_t n)
{
	char		id[32];
	const char *values[1] = {id};

	writer->session = &sessions[n % nsessions];
	snprintf(id, sizeof(id), "%lld", (long long) (first_id + n % nsessions));
	if (!PQsendQueryPrepared(writer->conn, "increment", 1, values, NULL, NULL, 0))
		die("send", writer->conn);
}

static void
take_answer(struct writer *writer)
{
	PGresult   *result;

	if (!PQconsumeInput(writer->conn))
		die("read", writer->conn);
	while (writer->session != NULL && !PQisBusy(writer->conn))
	{
		result = PQgetResult(writer->conn);
		if (result == NULL)
		{
			struct session *session = writer->session;

			session->committed_at_us[++session->committed % REMEMBERED] = now_us();
			writer->session = NULL;
		}
		else if (PQresultStatus(result) != PGRES_TUPLES_OK)
			die("increment", writer->conn);
		PQclear(result);
	}
}

/* The number after "key":, which the extension writes without white space. */
static const char *
after(const char *message, const char *key)
{
	const char *found = strstr(message, key);

	return found == NULL ? NULL : found + strlen(key);
}

static void
note_lateness(const struct session *session, int64_t count, int64_t now)
{
	int64_t		due = session->emitted_at_us + INTERVAL_US;
	int64_t		first = session->told + 1;

	/* the worker may be quicker than the answer to who has counted */
	if (first <= session->committed && session->committed - first < REMEMBERED &&
		session->committed_at_us[first % REMEMBERED] > due)
		due = session->committed_at_us[first % REMEMBERED];
	if (count > session->told && nlate < max_late)
		late_ms[nlate++] = (double) (now - due) / 1000;
}

static void
take_notifications(void)
{
	PGnotify   *notification;

	if (!PQconsumeInput(listener))
		die("read", listener);
	while ((notification = PQnotifies(listener)) != NULL)
	{
		int64_t		now = now_us();
		const char *id = after(notification->extra, prefix);
		const char *emitted = after(notification->extra, "\"emitted_at\":");
		const char *count = after(notification->extra, "\"processed_count\":");
		struct session *session;

		if (id != NULL && emitted != NULL && count != NULL)
		{
			session = &sessions[strtoll(id, NULL, 10) - first_id];
			if (measuring && session->emitted_at_us != 0)
				note_lateness(session, strtoll(count, NULL, 10), now);
			session->told = strtoll(count, NULL, 10);
			session->emitted_at_us = (int64_t) (strtod(emitted, NULL) * 1e6);
		}
		PQfreemem(notification);
	}
}

/* Reads what comes within a tick. */
static void
take_input(void)
{
	struct pollfd fds[MAX_WRITERS + 1];
	struct timespec tick = {.tv_nsec = TICK_US * 1000};

	for (int i = 0; i < nwriters; i++)
		fds[i] = (struct pollfd)
	{
		.fd = PQsocket(writers[i].conn), .events = POLLIN
	};
	fds[nwriters] = (struct pollfd)
	{
		.fd = PQsocket(listener), .events = POLLIN
	};
	if (ppoll(fds, nwriters + 1, &tick, NULL) <= 0)
		return;
	for (int i = 0; i < nwriters; i++)
	{
		if (fds[i].revents != 0)
			take_answer(&writers[i]);
	}
	if (fds[nwriters].revents != 0)
		take_notifications();
}

/* Increments from the n'th on, for so long; returns which one is next. */
static int64_t
run(int64_t n, int64_t us)
{
	int64_t		start = now_us();
	int64_t		first = n;

	for (int64_t now = start; now < start + us; now = now_us())
	{
		int64_t		due = first + (now - start) * nsessions / INTERVAL_US;

		for (int i = 0; i < nwriters && n < due; i++)
		{
			if (writers[i].session == NULL)
				send_increment(&writers[i], n++);
		}
		if ((due - n) * INTERVAL_US / nsessions > behind_us && measuring)
			behind_us = (due - n) * INTERVAL_US / nsessions;
		take_input();
	}
	return n;
}

/* Waits until every count has been told; returns how many were not. */
static int64_t
wait_for_last(void)
{
	int64_t		deadline = now_us() + LAST_US;
	int64_t		missing;

	do
	{
		take_input();
		missing = 0;
		for (int i = 0; i < nwriters; i++)
			missing += writers[i].session != NULL;
		for (int64_t i = 0; i < nsessions; i++)
			missing += sessions[i].told < sessions[i].committed;
	} while (missing > 0 && now_us() < deadline);
	return missing;
}

/* Seconds that a process was on a CPU, and waited for one. */
static void
read_schedstat(int64_t pid, double *on, double *waiting)
{
	char		path[64];
	long long	on_ns,
				waiting_ns;
	FILE	   *file;

	snprintf(path, sizeof(path), "/proc/%lld/schedstat", (long long) pid);
	file = fopen(path, "r");
	if (file == NULL || fscanf(file, "%lld %lld", &on_ns, &waiting_ns) != 2)
		die(path, NULL);
	fclose(file);
	*on = (double) on_ns / 1e9;
	*waiting = (double) waiting_ns / 1e9;
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static double
quantile(int64_t per_mille)
{
	return nlate == 0 ? 0 : late_ms[(nlate - 1) * per_mille / 1000];
}

static void
prepare(char **argv)
{
	char		sql[256];
	int64_t		last_id = 0;

	listener = open_connection(argv[1]);
	query(listener, "LISTEN sync_progress", NULL);
	snprintf(prefix, sizeof(prefix), "\"stream\":\"%s:", argv[2]);
	snprintf(sql, sizeof(sql), "SELECT min(id), max(id) FROM sync.sync_sessions WHERE kind = '%s'", argv[2]);
	first_id = query(listener, sql, &last_id);
	nsessions = last_id - first_id + 1;
	nwriters = atoi(argv[3]);
	max_late = 2 * nsessions * (atoi(argv[5]) + 1);
	sessions = calloc((size_t) nsessions, sizeof(struct session));
	late_ms = calloc((size_t) max_late, sizeof(double));
	if (first_id <= 0 || nwriters < 1 || nwriters > MAX_WRITERS || sessions == NULL || late_ms == NULL)
		die("no sessions of that kind, or no sensible number of writers", NULL);
	for (int i = 0; i < nwriters; i++)
	{
		writers[i].conn = open_connection(argv[1]);
		PQclear(PQprepare(writers[i].conn, "increment", "SELECT sync.sync_progress_increment($1)", 0, NULL));
	}
}

int
main(int argc, char **argv)
{
	double		on[2],
				waiting[2],
				seconds;
	int64_t		worker,
				n,
				first,
				missing,
				start;

	if (argc != 6)
	{
		fprintf(stderr, "usage: sessions CONNINFO KIND WRITERS WARMUP SECONDS\n");
		return 2;
	}
	prepare(argv);
	n = run(0, (int64_t) (atof(argv[4]) * 1e6));

	worker = query(listener, "SELECT worker_pid FROM sync.sync_progress_attach()", NULL);
	query(listener, "SELECT sync.pg_stat_sync_progress_reset()", NULL);
	read_schedstat(worker, &on[0], &waiting[0]);
	first = n;
	start = now_us();
	measuring = true;
	n = run(n, (int64_t) (atof(argv[5]) * 1e6));
	measuring = false;
	seconds = (double) (now_us() - start) / 1e6;
	read_schedstat(worker, &on[1], &waiting[1]);
	missing = wait_for_last();

	qsort(late_ms, (size_t) nlate, sizeof(double), compare_doubles);
	printf("{\"sessions\": %lld, \"increments_per_s\": %.0f, \"behind_ms\": %.0f, \"tellings_per_s\": %.0f, "
		   "\"p50_ms\": %.1f, \"p95_ms\": %.1f, \"p99_ms\": %.1f, \"max_ms\": %.1f, "
		   "\"cpu_percent\": %.1f, \"cpu_waiting_percent\": %.1f, \"missing\": %lld}\n",
		   (long long) nsessions, (double) (n - first) / seconds, (double) behind_us / 1000, (double) nlate / seconds,
		   quantile(500), quantile(950), quantile(990), quantile(1000),
		   100 * (on[1] - on[0]) / seconds, 100 * (waiting[1] - waiting[0]) / seconds, (long long) missing);
	return missing > 0;
}
