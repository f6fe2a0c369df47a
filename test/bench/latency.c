/*
 * latency.c
 *		Time from the acknowledgement of a commit to a listener's notification.
 *
 *		latency CONNINFO SAMPLES
 *
 * Two connections in one loop.  One increments a quiet session, the other
 * listens.  A sample is the time from when the first has read that its commit
 * is done until the second has read the notification that carries the count.
 * The worker may be faster than the client: then the sample is negative, and
 * stays so.
 *
 * Sessions take turns, so that each rests for more than min_interval (1 s),
 * and an increment is worth every_count (100): the way is measured, not the
 * throttle.  Pauses are of random length, or samples would fall into step with
 * whatever runs at intervals.
 */
#include <jansson.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SESSIONS 40
#define PAUSE_MIN_US 30000
#define PAUSE_MAX_US 60000		/* each session rests 1.2 s at least */
#define LOST_US (10 * 1000 * 1000)
#define NO_TIME INT64_MIN

struct sample
{
	char		stream[64];
	int64_t		count;
	int64_t		committed_at_us;
	int64_t		told_at_us;
};

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void
die(PGconn *conn)
{
	fprintf(stderr, "latency: %s", PQerrorMessage(conn));
	exit(1);
}

static int64_t
query_bigint(PGconn *conn, const char *sql)
{
	PGresult   *result = PQexec(conn, sql);
	int64_t		value = 0;

	if (PQresultStatus(result) == PGRES_TUPLES_OK)
		value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	else if (PQresultStatus(result) != PGRES_COMMAND_OK)
		die(conn);
	PQclear(result);
	return value;
}

/* Does a notification carry the sample's count? */
static bool
is_told(const struct sample *sample, const char *extra)
{
	json_t	   *message = json_loads(extra, 0, NULL);
	const char *stream = json_string_value(json_object_get(message, "stream"));
	json_t	   *data = json_object_get(message, "data");
	json_int_t	count = json_integer_value(json_object_get(data, "processed_count"));
	bool		told = stream != NULL && strcmp(stream, sample->stream) == 0 && count >= sample->count;

	json_decref(message);
	return told;
}

/* Takes what has come on either connection; the committing one's answer first. */
static void
take_input(PGconn *writer, PGconn *listener, struct sample *sample)
{
	PGnotify   *notification;

	if (!PQconsumeInput(writer))
		die(writer);
	if (!PQconsumeInput(listener))
		die(listener);
	while (sample->committed_at_us == NO_TIME && !PQisBusy(writer))
	{
		PGresult   *result = PQgetResult(writer);

		if (result == NULL)
			sample->committed_at_us = now_us();
		else if (PQresultStatus(result) != PGRES_TUPLES_OK)
			die(writer);
		PQclear(result);
	}
	while ((notification = PQnotifies(listener)) != NULL)
	{
		int64_t		read_at_us = now_us();

		if (is_told(sample, notification->extra))
			sample->told_at_us = read_at_us;
		PQfreemem(notification);
	}
}

/* Waits for input until the deadline; false if it has passed. */
static bool
wait_for_input(PGconn *writer, PGconn *listener, int64_t deadline_us)
{
	struct pollfd fds[2] = {
		{.fd = PQsocket(writer), .events = POLLIN},
		{.fd = PQsocket(listener), .events = POLLIN}
	};
	int64_t		left_us = deadline_us - now_us();

	if (left_us <= 0)
		return false;
	poll(fds, 2, (int) (left_us / 1000 + 1));
	return true;
}

/* Returns the time in milliseconds, or -1000 if it was lost. */
static double
take_sample(PGconn *writer, PGconn *listener, int64_t session_id, int64_t count)
{
	struct sample sample = {.committed_at_us = NO_TIME, .told_at_us = NO_TIME, .count = count};
	int64_t		deadline_us = now_us() + LOST_US;
	char		sql[128];

	snprintf(sample.stream, sizeof(sample.stream), "sync:%lld", (long long) session_id);
	snprintf(sql, sizeof(sql), "SELECT sync.sync_progress_increment(%lld, 100)",
			 (long long) session_id);
	if (!PQsendQuery(writer, sql))
		die(writer);
	while (sample.committed_at_us == NO_TIME || sample.told_at_us == NO_TIME)
	{
		if (!wait_for_input(writer, listener, deadline_us))
			return -1000;
		take_input(writer, listener, &sample);
	}
	return (sample.told_at_us - sample.committed_at_us) / 1000.0;
}

/* Rests, but goes on reading, as a listener does. */
static void
rest(PGconn *writer, PGconn *listener, int64_t us)
{
	struct sample none = {.committed_at_us = 0};
	int64_t		deadline_us = now_us() + us;

	while (wait_for_input(writer, listener, deadline_us))
		take_input(writer, listener, &none);
}

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

int
main(int argc, char **argv)
{
	int64_t		session_ids[SESSIONS];
	int			nsamples = argc == 3 ? atoi(argv[2]) : 0;
	int			nlost = 0;
	double	   *samples_ms = calloc(nsamples + 1, sizeof(double));
	PGconn	   *writer;
	PGconn	   *listener;

	if (nsamples <= 0 || samples_ms == NULL)
	{
		fprintf(stderr, "usage: latency CONNINFO SAMPLES\n");
		return 2;
	}
	writer = PQconnectdb(argv[1]);
	listener = PQconnectdb(argv[1]);
	query_bigint(listener, "LISTEN sync_progress");
	query_bigint(listener, "SELECT worker_pid FROM sync.sync_progress_attach()");
	for (int i = 0; i < SESSIONS; i++)
		session_ids[i] = query_bigint(writer, "SELECT sync.sync_session_start('latency')");
	rest(writer, listener, 1500000);

	srandom(1);
	for (int i = 0; i < nsamples; i++)
	{
		double		ms = take_sample(writer, listener, session_ids[i % SESSIONS],
									 (int64_t) (i / SESSIONS + 1) * 100);

		if (ms <= -1000)
			nlost++;
		else
			samples_ms[i - nlost] = ms;
		rest(writer, listener, PAUSE_MIN_US + random() % (PAUSE_MAX_US - PAUSE_MIN_US));
	}
	nsamples -= nlost;
	qsort(samples_ms, nsamples, sizeof(double), compare_doubles);
	if (nsamples > 0)
		printf("%d samples, %d lost: median %.2f ms, p95 %.2f, p99 %.2f, max %.2f\n",
			   nsamples, nlost, samples_ms[nsamples / 2], samples_ms[nsamples * 95 / 100],
			   samples_ms[nsamples * 99 / 100], samples_ms[nsamples - 1]);
	PQfinish(writer);
	PQfinish(listener);
	return nlost > 0;
}
