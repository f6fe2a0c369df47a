/*
 * listen.c
 *		Listen on channels and count what comes, until SIGTERM.
 *
 *		listen CONNINFO CHANNEL...
 *
 * One such listener is attached while rates are measured: a NOTIFY that nobody
 * listens to is cheaper.  Like a bridge it calls sync_progress_attach(), so
 * that heartbeats go out as well.  Prints "listening", and at the end how many
 * notifications came on each channel.
 */
#include <libpq-fe.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static volatile sig_atomic_t interrupted = 0;

static void
on_sigterm(int signo)
{
	(void) signo;
	interrupted = 1;
}

static void
run(PGconn *conn, const char *sql)
{
	PGresult   *result = PQexec(conn, sql);

	if (PQresultStatus(result) != PGRES_COMMAND_OK &&
		PQresultStatus(result) != PGRES_TUPLES_OK)
	{
		fprintf(stderr, "listen: %s", PQerrorMessage(conn));
		exit(1);
	}
	PQclear(result);
}

static void
count_notifications(PGconn *conn, char **channels, long *counts, int nchannels)
{
	PGnotify   *notification;

	while ((notification = PQnotifies(conn)) != NULL)
	{
		for (int i = 0; i < nchannels; i++)
		{
			if (strcmp(notification->relname, channels[i]) == 0)
				counts[i]++;
		}
		PQfreemem(notification);
	}
}

int
main(int argc, char **argv)
{
	int			nchannels = argc - 2;
	long	   *counts = calloc(argc, sizeof(long));
	char	  **channels = argv + 2;
	struct sigaction action = {.sa_handler = on_sigterm};
	PGconn	   *conn;

	if (argc < 3 || counts == NULL)
	{
		fprintf(stderr, "usage: listen CONNINFO CHANNEL...\n");
		return 2;
	}
	/* without SA_RESTART, so that poll() returns */
	sigaction(SIGTERM, &action, NULL);
	conn = PQconnectdb(argv[1]);
	for (int i = 0; i < nchannels; i++)
	{
		char	   *quoted = PQescapeIdentifier(conn, channels[i], strlen(channels[i]));
		char		sql[256];

		snprintf(sql, sizeof(sql), "LISTEN %s", quoted ? quoted : "");
		run(conn, sql);
		PQfreemem(quoted);
	}
	run(conn, "SELECT sync.sync_progress_attach()");
	puts("listening");
	fflush(stdout);

	while (!interrupted)
	{
		struct pollfd fd = {.fd = PQsocket(conn), .events = POLLIN};

		if (poll(&fd, 1, 1000) > 0 && !PQconsumeInput(conn))
		{
			fprintf(stderr, "listen: %s", PQerrorMessage(conn));
			return 1;
		}
		count_notifications(conn, channels, counts, nchannels);
	}
	for (int i = 0; i < nchannels; i++)
		printf("%s %ld\n", channels[i], counts[i]);
	PQfinish(conn);
	return 0;
}
