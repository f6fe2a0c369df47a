/*
 * look.c
 *		A look at what is at the other end of a connection.
 *
 * It finds what would otherwise fail in silence: a standby cannot LISTEN, and
 * through a pooler notifications get lost.  A pooler gives itself away by
 * another process id than the server's own; one that gives each transaction
 * another server does so here or, at the latest, by the next connection's.
 *
 * What answers may be anything that happens to speak the protocol, so nothing
 * is taken for granted of the answer.
 */
#include "look.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"

enum look_column
{
	LOOK_IN_RECOVERY,
	LOOK_PID,
	LOOK_CHANNEL,
	LOOK_SCHEMA,
	LOOK_DATABASE,
	LOOK_SERVER,
	LOOK_COLUMNS
};

const char *const look_sql =
"SET statement_timeout = '2s'; "
"SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.pg_backend_pid(), "
"pg_catalog.current_setting('sync_progress.channel', true), "
"(SELECT n.nspname FROM pg_catalog.pg_extension e "
"JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace "
"WHERE e.extname = '" CODE_EXTENSION "'), "
"pg_catalog.current_database(), "
"extract(epoch FROM pg_catalog.pg_postmaster_start_time())";

/*
 * Take what the look has found.  False: this is not what the bridge can work
 * with, and "why" says so.
 */
bool
look_take(struct look *look, PGconn *conn, const PGresult *rows, char *why,
		  size_t why_size)
{
	char	   *quoted;

	if (rows == NULL || PQntuples(rows) != 1 || PQnfields(rows) != LOOK_COLUMNS)
	{
		snprintf(why, why_size, "what answers there is not PostgreSQL: see --db");
		return false;
	}
	if (strcmp(PQgetvalue(rows, 0, LOOK_IN_RECOVERY), "t") == 0)
	{
		snprintf(why, why_size, "the server is a standby, in hot standby mode, which cannot LISTEN");
		return false;
	}
	if (atoi(PQgetvalue(rows, 0, LOOK_PID)) != PQbackendPID(conn))
	{
		snprintf(why, why_size, "there is a connection pooler in between, which loses notifications: "
				 "let --db name the PostgreSQL server itself");
		return false;
	}
	if (PQgetisnull(rows, 0, LOOK_SCHEMA))
	{
		snprintf(why, why_size, "the extension is not installed in this database: "
				 "run CREATE EXTENSION %s in database \"%s\"", CODE_EXTENSION,
				 PQgetvalue(rows, 0, LOOK_DATABASE));
		return false;
	}
	quoted = PQescapeIdentifier(conn, PQgetvalue(rows, 0, LOOK_SCHEMA),
								(size_t) PQgetlength(rows, 0, LOOK_SCHEMA));
	if (quoted == NULL)
	{
		snprintf(why, why_size, "%s", PQerrorMessage(conn));
		return false;
	}
	look_clear(look);
	look->schema = mem_strdup(quoted);
	PQfreemem(quoted);
	look->channel = mem_strdup(PQgetlength(rows, 0, LOOK_CHANNEL) > 0 ?
							   PQgetvalue(rows, 0, LOOK_CHANNEL) : CODE_CHANNEL);
	look->server = mem_strdup(PQgetvalue(rows, 0, LOOK_SERVER));
	return true;
}

void
look_clear(struct look *look)
{
	free(look->schema);
	free(look->channel);
	free(look->server);
	*look = (struct look)
	{
		NULL, NULL, NULL
	};
}
