/*
 * latency.c
 *		Measure the time from commit to client while the demo runs.
 *
 *		latency PORT CONNINFO SAMPLES SPACING_MS
 *
 * Quiet sessions of our own are incremented in turn, and watched through the
 * bridge like any other.  A sample is the time from when the commit of an
 * increment has been acknowledged to the client until the frame that carries
 * it has been read.  Each session rests for longer than min_interval before
 * its next turn and an increment is worth every_count items, so what is
 * measured is the way, not the throttle.
 *
 * A sample whose frame has not come within LOST_US is printed as lost.
 * SIGTERM ends it early.  Prints "samples=N lost=N p50_ms=X p99_ms=X".
 */
#include "cable.h"

#include <libpq-fe.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_SESSIONS 60
#define REST_MS 1500
#define STEP 100				/* sync_kinds.every_count */
#define LOST_US (10 * 1000 * 1000)

struct latency
{
	struct cable *cable;
	PGconn	   *conn;
	int64_t		session_ids[MAX_SESSIONS];
	int64_t		counts[MAX_SESSIONS];
	int			nsessions;
	int			nconfirmed;
	int			spacing_us;
	int			current;		/* session incremented last */
	bool		waiting;		/* for its frame */
	int64_t		committed_at_us;
	double	   *samples_ms;
	int			nsamples;
	int			max_samples;
	int			nlost;
	bool		failed;
};

static volatile sig_atomic_t interrupted = 0;

static void
on_sigterm(int signo)
{
	(void) signo;
	interrupted = 1;
}

static int64_t
now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/*
 * Runs a command with one bigint parameter and returns the bigint it gives.
 */
static int64_t
query_bigint(struct latency *l, const char *sql, int64_t param)
{
	char		param_text[32];
	const char *values[1] = {param_text};
	PGresult   *result;
	int64_t		value = -1;

	snprintf(param_text, sizeof(param_text), "%lld", (long long) param);
	result = PQexecParams(l->conn, sql, 1, NULL, values, NULL, NULL, 0);
	if (PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) == 1)
		value = strtoll(PQgetvalue(result, 0, 0), NULL, 10);
	else
	{
		fprintf(stderr, "latency: %s", PQerrorMessage(l->conn));
		l->failed = true;
	}
	PQclear(result);
	return value;
}

/*
 * libpq may block here for the moment of a commit.  A frame that comes
 * meanwhile waits in the socket, and is read right after.
 */
static void
increment_next(struct latency *l)
{
	l->current = (l->current + 1) % l->nsessions;
	query_bigint(l, "SELECT 1 FROM sync.sync_progress_increment($1, 100)",
				 l->session_ids[l->current]);
	l->committed_at_us = now_us();
	l->counts[l->current] += STEP;
	l->waiting = true;
	if (l->failed)
		cable_stop(l->cable);
	cable_set_timer(l->cable, LOST_US);
}

static void
on_timer(void *arg)
{
	struct latency *l = arg;

	if (l->waiting)
	{
		l->waiting = false;
		l->nlost++;
	}
	if (interrupted || l->nsamples + l->nlost >= l->max_samples)
		cable_stop(l->cable);
	else
		increment_next(l);
}

static void
on_message(void *arg, int64_t session_id, json_t *payload)
{
	struct latency *l = arg;
	int64_t		count = json_integer_value(json_object_get(payload, "processed_count"));

	if (!l->waiting || session_id != l->session_ids[l->current] ||
		count < l->counts[l->current])
		return;
	l->samples_ms[l->nsamples++] = (now_us() - l->committed_at_us) / 1000.0;
	l->waiting = false;
	cable_set_timer(l->cable, l->spacing_us);
}

static void
on_confirmed(void *arg, int64_t session_id)
{
	struct latency *l = arg;

	(void) session_id;
	if (++l->nconfirmed == l->nsessions)
		cable_set_timer(l->cable, REST_MS * 1000);
}

static void
on_rejected(void *arg, int64_t session_id)
{
	struct latency *l = arg;

	fprintf(stderr, "latency: may not watch session %lld\n", (long long) session_id);
	l->failed = true;
	cable_stop(l->cable);
}

static void
on_closed(void *arg, const char *why)
{
	struct latency *l = arg;

	fprintf(stderr, "latency: %s\n", why);
	l->failed = true;
}

static const struct cable_events events = {
	.confirmed = on_confirmed,
	.rejected = on_rejected,
	.message = on_message,
	.closed = on_closed,
	.timer = on_timer,
};

static int
compare_doubles(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

/* The smallest sample that the given share of all samples does not exceed. */
static double
percentile(const struct latency *l, double share)
{
	int			rank = (int) (share * l->nsamples + 0.999999);

	return l->nsamples == 0 ? 0 : l->samples_ms[rank > 0 ? rank - 1 : 0];
}

/*
 * As many sessions as it takes for each to rest between its turns.
 */
static bool
start_sessions(struct latency *l)
{
	l->nsessions = REST_MS * 1000 / l->spacing_us + 2;
	if (l->nsessions > MAX_SESSIONS)
		l->nsessions = MAX_SESSIONS;
	l->spacing_us = l->spacing_us > REST_MS * 1000 / l->nsessions ?
		l->spacing_us : REST_MS * 1000 / l->nsessions;
	for (int i = 0; i < l->nsessions && !l->failed; i++)
		l->session_ids[i] = query_bigint(l, "SELECT sync.sync_session_start('latency',"
										 " title => 'quiet session ' || $1::bigint)", i);
	return !l->failed;
}

static void
end_sessions(struct latency *l)
{
	for (int i = 0; i < l->nsessions && PQstatus(l->conn) == CONNECTION_OK; i++)
		query_bigint(l, "SELECT 1 FROM sync.sync_session_complete($1)", l->session_ids[i]);
}

int
main(int argc, char **argv)
{
	struct latency l = {.current = -1};
	PGresult   *result;
	char	   *token;

	if (argc != 5)
	{
		fprintf(stderr, "usage: latency PORT CONNINFO SAMPLES SPACING_MS\n");
		return 2;
	}
	l.max_samples = atoi(argv[3]);
	l.spacing_us = atoi(argv[4]) * 1000;
	l.samples_ms = calloc(l.max_samples > 0 ? l.max_samples : 1, sizeof(double));
	l.conn = PQconnectdb(argv[2]);
	if (l.samples_ms == NULL || l.spacing_us <= 0 || !start_sessions(&l))
		return 1;
	signal(SIGTERM, on_sigterm);

	result = PQexec(l.conn, "SELECT sync.sync_progress_token('latency')");
	token = PQntuples(result) == 1 ? PQgetvalue(result, 0, 0) : "";
	l.cable = cable_create(atoi(argv[1]), token, l.session_ids, l.nsessions, &events, &l);
	PQclear(result);
	if (l.cable == NULL)
	{
		fprintf(stderr, "latency: cannot connect to port %s\n", argv[1]);
		return 1;
	}
	cable_run(l.cable);
	cable_free(l.cable);
	end_sessions(&l);
	PQfinish(l.conn);

	qsort(l.samples_ms, l.nsamples, sizeof(double), compare_doubles);
	printf("samples=%d lost=%d p50_ms=%.2f p99_ms=%.2f\n", l.nsamples, l.nlost,
		   percentile(&l, 0.50), percentile(&l, 0.99));
	return l.failed ? 1 : 0;
}
