/*
 * survey.c
 *		What the database says about itself.
 *
 * Asked for when the connection is up, and every five seconds from then on:
 * how full the queue of notifications is, which of its rights the bridge does not
 * have, and, while somebody looks at the dashboard, what the extension's worker has
 * done.  The last it may read only where an administrator has said so:
 *
 *		SELECT sync.sync_progress_grant('bridge', 'monitor');
 *
 * What it may not is not tried, for each attempt would be an error in the
 * server's log.  All of this is to be looked at: nothing that is served depends on it.
 */
#include "survey.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "metrics.h"
#include "query.h"

#define SURVEY_EVERY_MS	5000
#define SURVEY_SOON_MS	1000	/* where somebody waits for what it says */

enum survey_column
{
	SURVEY_QUEUE_USAGE,
	SURVEY_MISSING,
	SURVEY_MAY_READ,
	SURVEY_SERVER,
	SURVEY_COLUMNS
};

struct survey
{
	struct query *query;
	int64_t		asked_ms;		/* 0: not yet */
	bool		is_asked;		/* an answer is awaited */
	bool		may_read;		/* what the extension's worker has done */
	double		queue_usage;	/* below 0: not known */
	char		server[96];
	char		missing[256];
	char	   *worker;			/* JSON, or NULL */
};

/* What the bridge cannot do without, or only in part. */
#define SURVEY_FUNCTIONS "sync_progress_attach,sync_progress_keys,sync_progress_subscribe,"\
	"sync_progress_snapshots,sync_progress_sessions,sync_progress_perform,sync_progress_callback"

/* A view's functions are called with the rights of who reads it. */
static const char *const survey_sql =
"SELECT pg_catalog.pg_notification_queue_usage(), "
"(SELECT pg_catalog.string_agg(f.proname, ', ' ORDER BY f.proname) FROM pg_catalog.pg_proc AS f "
"WHERE f.pronamespace = $1::pg_catalog.regnamespace "
"AND f.proname = ANY (pg_catalog.string_to_array('" SURVEY_FUNCTIONS "', ',')) "
"AND NOT pg_catalog.has_function_privilege(f.oid, 'EXECUTE')), "
"(SELECT pg_catalog.has_table_privilege(v.oid, 'SELECT') "
"AND NOT EXISTS (SELECT FROM pg_catalog.pg_rewrite AS r "
"JOIN pg_catalog.pg_depend AS d ON d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objid = r.oid "
"AND d.refclassid = 'pg_catalog.pg_proc'::pg_catalog.regclass "
"WHERE r.ev_class = v.oid AND NOT pg_catalog.has_function_privilege(d.refobjid, 'EXECUTE')) "
"FROM pg_catalog.pg_class AS v "
"WHERE v.relnamespace = $1::pg_catalog.regnamespace AND v.relname = 'pg_stat_sync_progress'), "
"pg_catalog.current_setting('server_version')";

struct survey *
survey_create(struct query *query)
{
	struct survey *survey = mem_zalloc(sizeof(*survey));

	survey->query = query;
	survey->queue_usage = -1;
	return survey;
}

/* No answer may come any more. */
void
survey_free(struct survey *survey)
{
	free(survey->worker);
	free(survey);
}

/* The connection is up: what was known may be of another server. */
void
survey_start(struct survey *survey)
{
	survey->asked_ms = 0;
	survey->missing[0] = '\0';
}

static void
forget_worker(struct survey *survey)
{
	free(survey->worker);
	survey->worker = NULL;
}

static void
on_worker(void *arg, const PGresult *rows, const char *error)
{
	struct survey *survey = arg;

	(void) error;
	survey->is_asked = false;
	forget_worker(survey);
	if (rows && PQntuples(rows) == 1 && !PQgetisnull(rows, 0, 0))
		survey->worker = mem_strdup(PQgetvalue(rows, 0, 0));
}

static void
ask_worker(struct survey *survey)
{
	struct buf	sql = {0};

	buf_printf(&sql, "SELECT pg_catalog.to_json(s) FROM %s.pg_stat_sync_progress AS s",
			   query_schema(survey->query));
	survey->is_asked = query_send(survey->query, sql.data, 0, NULL, on_worker, survey);
	buf_free(&sql);
}

static void
on_survey(void *arg, const PGresult *rows, const char *error)
{
	struct survey *survey = arg;

	(void) error;
	survey->is_asked = false;
	if (rows == NULL || PQntuples(rows) != 1 || PQnfields(rows) != SURVEY_COLUMNS)
	{
		survey->queue_usage = -1;
		return;
	}
	survey->queue_usage = atof(PQgetvalue(rows, 0, SURVEY_QUEUE_USAGE));
	snprintf(survey->missing, sizeof(survey->missing), "%s", PQgetvalue(rows, 0, SURVEY_MISSING));
	snprintf(survey->server, sizeof(survey->server), "%s", PQgetvalue(rows, 0, SURVEY_SERVER));
	survey->may_read = strcmp(PQgetvalue(rows, 0, SURVEY_MAY_READ), "t") == 0;
	if (survey->may_read && metric_get(METRIC_DASHBOARDS) > 0)
		ask_worker(survey);
	else
		forget_worker(survey);
}

/* How long after the last question comes the next? */
static int64_t
wait_ms(const struct survey *survey)
{
	bool		lacks_worker = survey->may_read && survey->worker == NULL;

	return survey->missing[0] != '\0' || (lacks_worker && metric_get(METRIC_DASHBOARDS) > 0) ?
		SURVEY_SOON_MS : SURVEY_EVERY_MS;
}

/* Called ten times a second. */
void
survey_tick(struct survey *survey, int64_t now_ms)
{
	const char *schema;

	if (!query_is_up(survey->query))
	{
		survey->queue_usage = -1;
		forget_worker(survey);
		return;
	}
	if (survey->is_asked || (survey->asked_ms != 0 && now_ms - survey->asked_ms < wait_ms(survey)))
		return;
	survey->asked_ms = now_ms;
	schema = query_schema(survey->query);
	survey->is_asked = query_send(survey->query, survey_sql, 1, &schema, on_survey, survey);
}

/* The functions that the bridge may not call, by commas; empty: there are none. */
const char *
survey_missing_rights(const struct survey *survey)
{
	return survey->missing;
}

/* Which part of the server's queue of notifications is full; below 0: not known. */
double
survey_queue_usage(const struct survey *survey)
{
	return survey->queue_usage;
}

/* Its version. */
const char *
survey_server(const struct survey *survey)
{
	return survey->server;
}

/* What the extension's worker has done, as JSON; NULL: not known. */
const char *
survey_worker(const struct survey *survey)
{
	return survey->worker;
}
