/*
 * watch.c
 *		Watch one session until it has ended, and print its last state.
 *
 *		watch PORT SESSION_ID < TOKEN
 *
 * The token comes on stdin, because a command line can be read by everybody.
 * Prints "watching" once the first state has come, then, when the session has
 * ended, its payload as one line of JSON.  Exits with 1 if the connection is
 * lost before, or if a state is older than one that came earlier.
 */
#include "cable.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct watch
{
	struct cable *cable;
	json_int_t	version;
	bool		saw_end;
};

static void
on_confirmed(void *arg, int64_t session_id)
{
	(void) arg;
	(void) session_id;
}

static void
on_rejected(void *arg, int64_t session_id)
{
	struct watch *watch = arg;

	fprintf(stderr, "watch: may not watch session %" PRId64 "\n", session_id);
	cable_stop(watch->cable);
}

static void
on_message(void *arg, int64_t session_id, json_t *payload)
{
	struct watch *watch = arg;
	const char *status = json_string_value(json_object_get(payload, "status"));
	json_int_t	version = json_integer_value(json_object_get(payload, "version"));

	if (watch->version == 0)
	{
		puts("watching");
		fflush(stdout);
	}
	if (version < watch->version)
	{
		fprintf(stderr, "watch: session %" PRId64 " went back from version %"
				JSON_INTEGER_FORMAT " to %" JSON_INTEGER_FORMAT "\n",
				session_id, watch->version, version);
		cable_stop(watch->cable);
		return;
	}
	watch->version = version;
	if (status != NULL && (strcmp(status, "completed") == 0 ||
						   strcmp(status, "failed") == 0 ||
						   strcmp(status, "cancelled") == 0))
	{
		json_dumpf(payload, stdout, JSON_COMPACT);
		putchar('\n');
		watch->saw_end = true;
		cable_stop(watch->cable);
	}
}

static void
on_closed(void *arg, const char *why)
{
	(void) arg;
	fprintf(stderr, "watch: %s\n", why);
}

static const struct cable_events events = {
	.confirmed = on_confirmed,
	.rejected = on_rejected,
	.message = on_message,
	.closed = on_closed,
};

int
main(int argc, char **argv)
{
	struct watch watch = {0};
	char		token[4096];
	int64_t		session_id;

	if (argc != 3 || fgets(token, sizeof(token), stdin) == NULL)
	{
		fprintf(stderr, "usage: watch PORT SESSION_ID < TOKEN\n");
		return 2;
	}
	token[strcspn(token, "\n")] = '\0';
	session_id = strtoll(argv[2], NULL, 10);
	watch.cable = cable_create(atoi(argv[1]), token, &session_id, 1, &events, &watch);
	if (watch.cable == NULL)
	{
		fprintf(stderr, "watch: cannot connect to port %s\n", argv[1]);
		return 1;
	}
	cable_run(watch.cable);
	cable_free(watch.cable);
	return watch.saw_end ? 0 : 1;
}
