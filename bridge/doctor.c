/*
 * doctor.c
 *		Is everything as it must be?  --doctor.
 *
 * From the settings to the socket: what the settings say, the database, and
 * then a canary, a run of nobody's, whose status is changed a few times while a
 * watcher that is like any other waits for it at the bridge that runs by these
 * settings.  So the whole path is tried and timed, and what is slow or broken
 * has a name.
 */
#include "doctor.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "codes.h"
#include "doctor_db.h"
#include "doctor_report.h"
#include "doctor_watch.h"
#include "loop.h"
#include "pgerr.h"
#include "tls.h"

#define CANARY_BEATS		5
#define CANARY_BEAT_GAP_MS	250 /* a status is told at most five times a
								 * second */
#define CANARY_WAIT_MS		5000
#define CANARY_SLOW_MS		200

struct canary
{
	struct doctor_db *db;
	struct watch *watch;
	char		session[32];
	char		stream[64];
	bool		is_notified;	/* of the present beat */
	double		notified_ms[CANARY_BEATS];	/* from the statement */
	double		socket_ms[CANARY_BEATS];
};

static double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double) now.tv_sec * 1000 + (double) now.tv_nsec / 1e6;
}

/* Where a client on this machine finds the bridge.  False: the port is any. */
static bool
where_it_listens(const struct config *config, char *host, size_t size, int *port)
{
	const char *text = config->listen.items[0];
	const char *colon = strrchr(text, ':');
	size_t		len = (size_t) (colon - text);

	*port = atoi(colon + 1);
	if (len > 1 && text[0] == '[')
		snprintf(host, size, "%.*s", (int) len - 2, text +1);
	else
		snprintf(host, size, "%.*s", (int) len, text);
	if (host[0] == '\0' || strcmp(host, "*") == 0 || strcmp(host, "0.0.0.0") == 0)
		snprintf(host, size, "127.0.0.1");
	else if (strcmp(host, "::") == 0)
		snprintf(host, size, "::1");
	return *port != 0;
}

/* A turn of both: what the database notifies, what the bridge sends. */
static void
canary_turn(struct canary *canary)
{
	struct pollfd wait = {.fd = PQsocket(canary->db->conn), .events = POLLIN};
	PGnotify   *notify;

	poll(&wait, 1, 1);
	PQconsumeInput(canary->db->conn);
	while ((notify = PQnotifies(canary->db->conn)) != NULL)
	{
		if (notify->be_pid == canary->db->worker_pid && strstr(notify->extra, canary->stream))
			canary->is_notified = true;
		PQfreemem(notify);
	}
	watch_turn(canary->watch);
}

/* Turn until the watcher has seen a status that differs.  False: too late. */
static bool
canary_await(struct canary *canary, const char *status, double begun, double *notified)
{
	while (now_ms() - begun < CANARY_WAIT_MS && watch_problem(canary->watch)[0] == '\0')
	{
		canary_turn(canary);
		if (canary->is_notified && notified && *notified < 0)
			*notified = now_ms() - begun;
		if (watch_status(canary->watch)[0] && strcmp(watch_status(canary->watch), status) != 0)
			return true;
	}
	return false;
}

/* One beat.  False, and reported, if it did not arrive. */
static bool
canary_beat(struct canary *canary, int beat, struct report *report)
{
	char		before[32];
	double		begun = now_ms();
	double		notified = -1;
	PGresult   *result;
	char		why[512];

	snprintf(before, sizeof(before), "%s", watch_status(canary->watch));
	canary->is_notified = false;
	result = doctor_db_ask(canary->db, "SELECT * FROM %s.sync_progress_canary('beat', $1::bigint)", canary->session);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
	{
		pgerr_describe(result, why, sizeof(why));
		report_line(report, FINDING_FAIL, "canary", pgerr_hint(why), "%s", why);
		PQclear(result);
		return false;
	}
	PQclear(result);
	if (!canary_await(canary, before, begun, &notified))
	{
		if (watch_problem(canary->watch)[0])
			report_line(report, FINDING_FAIL, "canary", "see the bridge's log", "the bridge ended it: %s",
						watch_problem(canary->watch));
		else
			report_line(report, FINDING_FAIL, "canary", notified < 0 ?
						"see pg_stat_sync_progress: last_error, blocked_by" : "see the bridge's log and /readyz",
						"a change was committed, and %s within %d ms", notified < 0 ?
						"the worker did not notify it" : "notified, and did not come out of the bridge",
						CANARY_WAIT_MS);
		return false;
	}
	canary->socket_ms[beat] = now_ms() - begun;
	canary->notified_ms[beat] = notified < 0 ? canary->socket_ms[beat] : notified;
	for (begun = now_ms(); now_ms() - begun < CANARY_BEAT_GAP_MS;)
		canary_turn(canary);
	return true;
}

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return x < y ? -1 : x > y;
}

/* The first state, then the beats. */
static void
canary_fly(struct canary *canary, const char *where, struct report *report)
{
	double		median;

	if (!canary_await(canary, "", now_ms(), NULL))
	{
		const char *problem = watch_problem(canary->watch);

		if (!watch_is_welcomed(canary->watch))
			report_line(report, FINDING_FAIL, "canary", "start it, or see its log; --listen names another",
						"no bridge answers at %s: %s", where, problem[0] ? problem : "nothing came that one would say");
		else
			report_line(report, FINDING_FAIL, "canary", "see its log and /readyz", "the bridge at %s %s%s", where,
						problem[0] ? "refused the canary's watcher: " : "sent no state", problem);
		return;
	}
	for (int i = 0; i < CANARY_BEATS; i++)
		if (!canary_beat(canary, i, report))
			return;
	qsort(canary->notified_ms, CANARY_BEATS, sizeof(double), compare);
	qsort(canary->socket_ms, CANARY_BEATS, sizeof(double), compare);
	median = canary->socket_ms[CANARY_BEATS / 2];
	report_line(report, median > CANARY_SLOW_MS ? FINDING_WARN : FINDING_OK, "canary",
				"compare it with notified: what is slow is before that, or behind",
				"at %s; from the statement until notified %.1f ms, until out of the bridge %.1f ms (median of %d; at most %.1f)",
				where, canary->notified_ms[CANARY_BEATS / 2], median, CANARY_BEATS, canary->socket_ms[CANARY_BEATS - 1]);
}

/* Make the canary, watch it, and take it away again. */
static void
check_canary(const struct config *config, struct doctor_db *db, struct report *report)
{
	struct canary canary = {.db = db};
	char		host[256];
	char		where[300];
	char		why[512];
	int			port;
	PGresult   *made;

	if (!where_it_listens(config, host, sizeof(host), &port))
	{
		report_line(report, FINDING_NOT_TRIED, "canary", "--listen names the port of the bridge that runs",
					"not sent: listen has no port");
		return;
	}
	snprintf(where, sizeof(where), strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
	made = doctor_db_ask(db, "SELECT session, token FROM %s.sync_progress_canary('begin')", NULL);
	if (PQresultStatus(made) != PGRES_TUPLES_OK)
	{
		pgerr_describe(made, why, sizeof(why));
		report_line(report, FINDING_NOT_TRIED, "canary", pgerr_hint(why), "not sent: %s", why);
		PQclear(made);
		return;
	}
	snprintf(canary.session, sizeof(canary.session), "%s", PQgetvalue(made, 0, 0));
	snprintf(canary.stream, sizeof(canary.stream), "\"sync:%s\"", canary.session);
	canary.watch = watch_open(host, port, tls_is_on(config),
							  config->auth == CONFIG_AUTH_NONE ? NULL : PQgetvalue(made, 0, 1), atoll(canary.session));
	canary_fly(&canary, where, report);
	watch_close(canary.watch);
	PQclear(made);
	PQclear(doctor_db_ask(db, "SELECT * FROM %s.sync_progress_canary('end', $1::bigint)", canary.session));
}

/*
 * Check everything, and print it.  The settings have been checked before.
 * Returns the exit status: 0, or 1 if something has failed.
 */
int
doctor_run(const struct config *config, const struct conninfo *conninfo)
{
	struct report report = {0};
	struct doctor_db db = {0};

	report_line(&report, FINDING_OK, "settings", NULL, "%s %s, listens on %s%s, auth %s, TLS %s", CODE_PROGRAM,
				CODE_VERSION, config->listen.items[0], config->listen.count > 1 ? " and more" : "",
				config->auth == CONFIG_AUTH_NONE ? "none" : "jwt", tls_is_on(config) ? "on" : "off");
	if (doctor_db_open(&db, conninfo, &report))
	{
		doctor_db_check(&db, config->auth != CONFIG_AUTH_NONE, &report);
		check_canary(config, &db, &report);
	}
	doctor_db_close(&db);
	report_end(&report);
	return report.failed > 0;
}
