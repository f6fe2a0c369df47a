/*
 * pgerr.c
 *		What the database complains of, in words for a log.
 */
#include "pgerr.h"

#include <stdio.h>
#include <string.h>

/*
 * What an administrator can do about it, for the complaints that are common.
 */
const char *
pgerr_hint(const char *why)
{
	static const struct
	{
		const char *part;
		const char *hint;
	}			hints[] = {
		{"read-only", "this is a standby or a read-only database: name the primary, or all hosts, in --db"},
		{"hot standby", "this is a standby: name the primary, or all hosts, in --db"},
		{"Connection refused", "is PostgreSQL running there? see --db"},
		{"No such file", "is PostgreSQL running there? see --db"},
		{"Peer authentication failed", "name the system's user like the role, map it in pg_ident.conf (a systemd unit's user needs libnss-systemd), or connect by host with a password"},
		{"authentication failed", "check user and password in --db, PGPASSFILE or PGPASSWORD"},
		{"no password supplied", "give one in PGPASSFILE, PGPASSWORD or --db"},
		{"FATAL:  database \"", "name the database where the extension is, with dbname= in --db"},
		{"FATAL:  role \"", "create it with the README's grant for the bridge, or name another with user= in --db"},
		{"remaining connection slots", "raise max_connections in postgresql.conf"},
		{"too many clients", "raise max_connections in postgresql.conf"},
		{"no pg_hba.conf entry", "allow the bridge's role in pg_hba.conf"},
		{"permission denied", "grant the bridge's role EXECUTE on the functions, as the README's grant for the bridge does"},
		{"shared_preload_libraries", "add sync_progress to shared_preload_libraries and restart PostgreSQL"},
	};

	for (size_t i = 0; i < sizeof(hints) / sizeof(hints[0]); i++)
		if (strstr(why, hints[i].part))
			return hints[i].hint;
	return NULL;
}

/* Lines of libpq's messages become one. */
void
pgerr_one_line(char *said)
{
	size_t		len = strlen(said);

	while (len > 0 && said[len - 1] == '\n')
		said[--len] = '\0';
	for (; *said; said++)
		if (*said == '\n' || *said == '\t')
			*said = ' ';
}

/* SQLSTATE, message and hint of a failed result, in one line. */
void
pgerr_describe(const PGresult *result, char *out, size_t size)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

	snprintf(out, size, "%s%s%s sqlstate=%s", text ? text : PQresultErrorMessage(result),
			 hint ? "; " : "", hint ? hint : "", state ? state : "none");
	pgerr_one_line(out);
}
