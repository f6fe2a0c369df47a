/*
 * version.c
 *		The library's version, and which versions of the SQL it serves.
 *
 * Library and SQL are updated one after the other: the library by a restart of
 * the server, the SQL by ALTER EXTENSION in each database.  In between, and for
 * as long as nobody says ALTER EXTENSION, a library meets older SQL, which it
 * serves.  Newer SQL it cannot know: after a package was put back, say, or when
 * the server was not restarted.  To serve that by guess might lose counts.
 *
 * No PostgreSQL in here.
 */
#include "version.h"

/* The next number of a version, past its dot; -1: there is none, or it is no number. */
static long
take_number(const char **version)
{
	const char *at = *version;
	long		number = 0;

	if (*at < '0' || *at > '9')
		return -1;
	while (*at >= '0' && *at <= '9' && number < 1000000)
		number = number * 10 + (*at++ - '0');
	if (*at == '.')
		at++;
	else if (*at != '\0')
		return -1;
	*version = at;
	return number;
}

/* Whether the library serves SQL of that version: its own, and all before it. */
bool
sp_version_serves(const char *library, const char *sql)
{
	int			order = 0;

	for (int i = 0; i < 3; i++)
	{
		long		ours = take_number(&library);
		long		theirs = take_number(&sql);

		if (ours < 0 || theirs < 0)
			return false;
		if (order == 0)
			order = theirs < ours ? -1 : theirs > ours;
	}
	return order <= 0 && *sql == '\0';
}
