/*
 * doctor_db.c
 *		The database, as the bridge needs it.
 *
 * Asks what the bridge would find out one by one, and only when it is needed:
 * whether it is the primary and no pooler, whether extension and bridge are of
 * one version, what the role may do, whether a worker is there.  What the
 * extension's own doctor finds is passed on as it is.
 *
 * Everything here waits for its answer: it is another program than the bridge,
 * though it comes in the same file.
 */
#include "doctor_db.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "codes.h"
#include "loop.h"
#include "pgerr.h"

#define DOCTOR_WORKER_WAIT_MS	5000
#define DOCTOR_QUEUE_WARN		0.1
#define DOCTOR_QUEUE_FAIL		0.5
#define DOCTOR_WHY_MAX			1024

/* What the bridge calls, and what only its doctor does. */
static const char *const for_service[] = {
	"sync_progress_attach", "sync_progress_keys", "sync_progress_subscribe", "sync_progress_snapshots",
	"sync_progress_sessions", "sync_progress_perform", "sync_progress_callback", NULL
};
static const char *const for_doctor[] = {"sync_progress_canary", "sync_progress_doctor", NULL};

/* Ask; "sql" has %s where the extension's schema goes, and $1 may be "value". */
PGresult *
doctor_db_ask(struct doctor_db *db, const char *sql, const char *value)
{
	struct buf text = {0};
	const char *at = strstr(sql, "%s");
	PGresult   *result;

	if (at)
		buf_printf(&text, "%.*s%s%s", (int) (at - sql), sql, db->look.schema, at + 2);
	else
		buf_add_text(&text, sql);
	result = PQexecParams(db->conn, text.data, value ? 1 : 0, NULL, value ? &value : NULL, NULL,
						  NULL, 0);
	buf_free(&text);
	return result;
}

static bool
has_rows(const PGresult *result)
{
	return PQresultStatus(result) == PGRES_TUPLES_OK && PQntuples(result) > 0;
}

/* Report a question that failed. */
static void
report_error(struct report *report, const char *check, const PGresult *result)
{
	char		why[DOCTOR_WHY_MAX];

	pgerr_describe(result, why, sizeof(why));
	report_line(report, FINDING_FAIL, check, pgerr_hint(why), "%s", why);
}

/*
 * Connect, and look at what is there.  False: nothing further can be asked.
 * doctor_db_close() is due in either case.
 */
bool
doctor_db_open(struct doctor_db *db, const struct conninfo *info, struct report *report)
{
	static const char *const check = "database";
	int64_t		begun = loop_clock_ms();
	char		why[DOCTOR_WHY_MAX];
	PGresult   *rows;
	bool		is_fit;

	db->conn = PQconnectdbParams((const char *const *) info->keywords,
								 (const char *const *) info->values, 0);
	if (PQstatus(db->conn) != CONNECTION_OK)
	{
		snprintf(why, sizeof(why), "%s", PQerrorMessage(db->conn));
		pgerr_one_line(why);
		report_line(report, FINDING_FAIL, check, pgerr_hint(why), "%s", why);
		return false;
	}
	rows = PQexec(db->conn, look_sql);
	is_fit = look_take(&db->look, db->conn, rows, why, sizeof(why));
	PQclear(rows);
	if (!is_fit)
	{
		report_line(report, FINDING_FAIL, check, pgerr_hint(why), "%s", why);
		return false;
	}
	report_line(report, FINDING_OK, check, NULL,
				"PostgreSQL %s at %s, database %s, role %s, the primary, no pooler; connected in %lld ms",
				PQparameterStatus(db->conn, "server_version"), PQhost(db->conn), PQdb(db->conn),
				PQuser(db->conn), (long long) (loop_clock_ms() - begun));
	return true;
}

void
doctor_db_close(struct doctor_db *db)
{
	look_clear(&db->look);
	PQfinish(db->conn);
}

static void
check_versions(struct doctor_db *db, struct report *report)
{
	static const char *const check = "versions";
	PGresult   *rows = doctor_db_ask(db, "SELECT extversion FROM pg_catalog.pg_extension WHERE extname = '"
									 CODE_EXTENSION "'", NULL);

	if (!has_rows(rows))
		report_error(report, check, rows);
	else if (strcmp(PQgetvalue(rows, 0, 0), CODE_VERSION) != 0)
		report_line(report, FINDING_WARN, check,
					"install both of one version, restart PostgreSQL, then: ALTER EXTENSION sync_progress UPDATE",
					"the extension in this database is %s, the bridge " CODE_VERSION, PQgetvalue(rows, 0, 0));
	else
		report_line(report, FINDING_OK, check, NULL, "extension and bridge are " CODE_VERSION);
	PQclear(rows);
}

/* One function: may it be called?  Appends what is missing to two lists. */
static void
check_right(struct doctor_db *db, const char *name, struct buf *missing, struct buf *revoked)
{
	PGresult   *rows = doctor_db_ask(db, "SELECT pg_catalog.has_function_privilege(p.oid, 'EXECUTE') "
									 "AND pg_catalog.has_schema_privilege(p.pronamespace, 'USAGE') "
									 "FROM pg_catalog.pg_proc AS p WHERE p.proname = $1 AND p.pronamespace = "
									 "(SELECT extnamespace FROM pg_catalog.pg_extension WHERE extname = '"
									 CODE_EXTENSION "')", name);
	struct buf *list = !has_rows(rows) ? missing : strcmp(PQgetvalue(rows, 0, 0), "t") != 0 ? revoked : NULL;

	if (list)
		buf_printf(list, "%s%s", list->len > 0 ? ", " : "", name);
	PQclear(rows);
}

/* All of these: what is not there, and what may not be called, is so bad. */
static void
check_rights(struct doctor_db *db, const char *const *names, enum finding bad, const char *check,
			 struct report *report)
{
	struct buf	missing = {0};
	struct buf	revoked = {0};
	struct buf	grant = {0};
	char	   *role = PQescapeIdentifier(db->conn, PQuser(db->conn), strlen(PQuser(db->conn)));

	for (; *names; names++)
		check_right(db, *names, &missing, &revoked);
	buf_printf(&grant, "SET search_path = %s; GRANT USAGE ON SCHEMA %s TO %s; GRANT EXECUTE ON FUNCTION %s TO %s;",
			   db->look.schema, db->look.schema, role ? role : "", revoked.len > 0 ? revoked.data : "",
			   role ? role : "");
	PQfreemem(role);
	if (missing.len > 0)
		report_line(report, bad, check, "ALTER EXTENSION sync_progress UPDATE",
					"the extension has no %s", missing.data);
	if (revoked.len > 0)
		report_line(report, bad, check, grant.data, "role %s may not call %s", PQuser(db->conn), revoked.data);
	if (missing.len == 0 && revoked.len == 0)
		report_line(report, FINDING_OK, check, NULL, "role %s may call all that is needed", PQuser(db->conn));
	buf_free(&missing);
	buf_free(&revoked);
	buf_free(&grant);
}

static void
check_queue(struct doctor_db *db, struct report *report)
{
	static const char *const check = "notification queue";
	PGresult   *rows = doctor_db_ask(db, "SELECT pg_catalog.pg_notification_queue_usage()", NULL);
	double		usage = has_rows(rows) ? atof(PQgetvalue(rows, 0, 0)) : 0;

	if (!has_rows(rows))
		report_error(report, check, rows);
	else
		report_line(report, usage >= DOCTOR_QUEUE_FAIL ? FINDING_FAIL : usage >= DOCTOR_QUEUE_WARN ? FINDING_WARN : FINDING_OK,
					check, "some session has executed LISTEN and then stays in a transaction: end it (pg_stat_activity, the oldest xact_start)",
					"%.1f %% full", 100 * usage);
	PQclear(rows);
}

static void
check_keys(struct doctor_db *db, struct report *report)
{
	static const char *const check = "keys";
	PGresult   *rows = doctor_db_ask(db, "SELECT kid FROM %s.sync_progress_keys()", NULL);

	if (PQresultStatus(rows) != PGRES_TUPLES_OK)
		report_error(report, check, rows);
	else if (PQntuples(rows) == 0)
		report_line(report, FINDING_WARN, check, "SELECT sync_progress_rotate_key() makes one",
					"there is no key: every token is refused");
	else
		report_line(report, FINDING_OK, check, NULL, "tokens of %d %s are taken", PQntuples(rows),
					PQntuples(rows) == 1 ? "key" : "keys");
	PQclear(rows);
}

/* LISTEN and attach, as the bridge does, and wait until a worker is there. */
static void
check_worker(struct doctor_db *db, struct report *report)
{
	static const char *const check = "worker";
	int64_t		due = loop_clock_ms() + DOCTOR_WORKER_WAIT_MS;
	char	   *channel = PQescapeIdentifier(db->conn, db->look.channel, strlen(db->look.channel));
	struct buf	listen = {0};
	PGresult   *rows;

	buf_printf(&listen, "LISTEN %s", channel);
	PQfreemem(channel);
	PQclear(PQexec(db->conn, listen.data));
	buf_free(&listen);
	for (;;)
	{
		rows = doctor_db_ask(db, "SELECT worker_pid, heartbeat_interval_ms FROM %s.sync_progress_attach()", NULL);
		db->worker_pid = has_rows(rows) ? atoi(PQgetvalue(rows, 0, 0)) : 0;
		if (!has_rows(rows) || db->worker_pid != 0 || loop_clock_ms() >= due)
			break;
		PQclear(rows);
		poll(NULL, 0, 50);
	}
	if (!has_rows(rows))
		report_error(report, check, rows);
	else if (db->worker_pid == 0)
		report_line(report, FINDING_FAIL, check, "see the server's log; is max_worker_processes large enough?",
					"it does not start");
	else
		report_line(report, FINDING_OK, check, NULL, "process %d, a heartbeat each %s ms", db->worker_pid,
					PQgetvalue(rows, 0, 1));
	PQclear(rows);
}

/* Of a row of the extension's doctor: true, false, or NULL for what could be better. */
static enum finding
get_finding(const PGresult *rows, int row)
{
	if (PQgetisnull(rows, row, 1))
		return FINDING_WARN;
	return strcmp(PQgetvalue(rows, row, 1), "t") == 0 ? FINDING_OK : FINDING_FAIL;
}

/* What the extension's own doctor says. */
static void
pass_on_doctor(struct doctor_db *db, struct report *report)
{
	PGresult   *rows = doctor_db_ask(db, "SELECT check_name, ok, detail, what_to_do FROM %s.sync_progress_doctor()", NULL);

	if (PQresultStatus(rows) != PGRES_TUPLES_OK)
	{
		char		why[DOCTOR_WHY_MAX];

		pgerr_describe(rows, why, sizeof(why));
		report_line(report, FINDING_NOT_TRIED, "the extension's doctor", NULL, "not asked: %s", why);
	}
	else
		for (int i = 0; i < PQntuples(rows); i++)
			report_line(report, get_finding(rows, i), PQgetvalue(rows, i, 0), PQgetvalue(rows, i, 3), "%s",
						PQgetvalue(rows, i, 2));
	PQclear(rows);
}

/* All that can be asked on an open connection. */
void
doctor_db_check(struct doctor_db *db, bool needs_keys, struct report *report)
{
	check_versions(db, report);
	check_rights(db, for_service, FINDING_FAIL, "rights", report);
	check_rights(db, for_doctor, FINDING_WARN, "rights of the doctor", report);
	check_queue(db, report);
	if (needs_keys)
		check_keys(db, report);
	check_worker(db, report);
	pass_on_doctor(db, report);
}
