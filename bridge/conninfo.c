/*
 * conninfo.c
 *		Where the database is, from all the places where libpq looks.
 *
 * The connection string, the PG* variables and service files are read once, at
 * boot, into one list of keywords and values.  It has to be known before
 * connecting which hosts there are, because libpq would resolve their names
 * itself and block the loop meanwhile (see resolve.c).
 */
#include "conninfo.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNINFO_TIMEOUT_S	"5" /* for each host */

const char *
conninfo_get(const struct conninfo *info, const char *keyword)
{
	for (int i = 0; i < info->count; i++)
		if (strcmp(info->keywords[i], keyword) == 0)
			return info->values[i];
	return NULL;
}

/* Set, replace, or with NULL remove a keyword. */
void
conninfo_set(struct conninfo *info, const char *keyword, const char *value)
{
	int			at = 0;

	while (at < info->count && strcmp(info->keywords[at], keyword) != 0)
		at++;
	if (at < info->count)
	{
		free(info->values[at]);
		if (value)
		{
			info->values[at] = mem_strdup(value);
			return;
		}
		free(info->keywords[at]);
		info->count--;
		info->keywords[at] = info->keywords[info->count];
		info->values[at] = info->values[info->count];
		info->keywords[info->count] = info->values[info->count] = NULL;
	}
	else if (value && info->count < CONNINFO_MAX)
	{
		info->keywords[info->count] = mem_strdup(keyword);
		info->values[info->count++] = mem_strdup(value);
	}
}

static void
conninfo_set_all(struct conninfo *info, const PQconninfoOption *options)
{
	for (; options->keyword; options++)
		if (options->val && options->val[0])
			conninfo_set(info, options->keyword, options->val);
}

void
conninfo_copy(struct conninfo *to, const struct conninfo *from)
{
	memset(to, 0, sizeof(*to));
	for (int i = 0; i < from->count; i++)
		conninfo_set(to, from->keywords[i], from->values[i]);
}

static void
conninfo_rotate_one(struct conninfo *info, const char *keyword, unsigned by)
{
	const char *list = conninfo_get(info, keyword);
	const char *middle = list;
	unsigned	count = 1;
	char	   *turned;
	size_t		size;

	if (list == NULL)
		return;
	for (const char *at = list; *at; at++)
		count += *at == ',';
	by %= count;
	if (by == 0)
		return;
	while (by > 0)
		by -= *middle++ == ',';
	size = strlen(list) + 1;
	turned = mem_alloc(size);
	snprintf(turned, size, "%s,%.*s", middle, (int) (middle - list) - 1, list);
	conninfo_set(info, keyword, turned);
	free(turned);
}

/*
 * Begin the lists of hosts with another one, so many places on.  One port for
 * all hosts stays as it is.
 */
void
conninfo_rotate(struct conninfo *info, unsigned by)
{
	conninfo_rotate_one(info, "host", by);
	conninfo_rotate_one(info, "hostaddr", by);
	conninfo_rotate_one(info, "port", by);
}

static void
conninfo_preset(struct conninfo *info, const char *keyword, const char *value)
{
	if (conninfo_get(info, keyword) == NULL)
		conninfo_set(info, keyword, value);
}

/*
 * libpq quotes what it could not read: the name of an option, but also a piece of
 * a password with a blank in it, or a whole URI.  That does not belong into a log.
 */
static void
say_without_values(const char *why, char *error, size_t error_size)
{
	const char *quote = strchr(why, '"');

	/* A sign that is missing, as in "=", is no value. */
	while (quote && quote[1] != '\0' && quote[2] == '"')
		quote = strchr(quote + 3, '"');
	if (quote && strncmp(why, "invalid connection option", 25) != 0)
		snprintf(error, error_size, "%.*s...", (int) (quote - why), why);
	else
		snprintf(error, error_size, "%s", why);
	error[strcspn(error, "\n")] = '\0';
}

/*
 * Parse "text" and add what it leaves open.  At boot only: service files are
 * read here.
 *
 * Writing needs the primary, so that is demanded of every host.  Keepalives
 * find a dead machine within the time in which a watcher should notice nothing.
 * Kerberos is used for encryption only where it is required: where it is merely
 * preferred, as by default, libpq would block while it asks for a ticket.
 */
bool
conninfo_parse(struct conninfo *info, const char *text, char *error,
			   size_t error_size)
{
	char	   *why = NULL;
	PQconninfoOption *given = PQconninfoParse(text, &why);
	PQconninfoOption *presets;

	memset(info, 0, sizeof(*info));
	if (given == NULL)
	{
		say_without_values(why ? why : "out of memory", error, error_size);
		PQfreemem(why);
		return false;
	}

	/* A service is looked up by PQconndefaults(), which knows only this. */
	for (PQconninfoOption *option = given; option->keyword; option++)
		if (strcmp(option->keyword, "service") == 0 && option->val)
			setenv("PGSERVICE", option->val, 1);
	presets = PQconndefaults();
	if (presets == NULL)
	{
		snprintf(error, error_size, "no such service in the service files: \"%s\"",
				 getenv("PGSERVICE") ? getenv("PGSERVICE") : "");
		PQconninfoFree(given);
		return false;
	}
	conninfo_set_all(info, presets);
	conninfo_set_all(info, given);
	PQconninfoFree(presets);
	PQconninfoFree(given);

	conninfo_set(info, "service", NULL);
	conninfo_set(info, "client_encoding", "UTF8");
	conninfo_set(info, "target_session_attrs", "read-write");
	conninfo_preset(info, "application_name", "sync-progress-bridge");
	conninfo_preset(info, "keepalives_idle", "5");
	conninfo_preset(info, "keepalives_interval", "3");
	conninfo_preset(info, "keepalives_count", "3");
	conninfo_preset(info, "tcp_user_timeout", "10000");
	if (conninfo_get(info, "gssencmode") && strcmp(conninfo_get(info, "gssencmode"), "prefer") == 0)
		conninfo_set(info, "gssencmode", "disable");
	if (conninfo_get(info, "connect_timeout") == NULL ||
		atoi(conninfo_get(info, "connect_timeout")) < 1)
		conninfo_set(info, "connect_timeout", CONNINFO_TIMEOUT_S);
	return true;
}

void
conninfo_free(struct conninfo *info)
{
	for (int i = 0; i < info->count; i++)
	{
		free(info->keywords[i]);
		free(info->values[i]);
	}
	memset(info, 0, sizeof(*info));
}
