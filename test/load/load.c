/*
 * load.c
 *		Holds many connections to a relay, and measures what comes.
 *
 * One process, one thread, one epoll.  It speaks to any relay: the URL, the
 * subprotocol, the frame that subscribes and the two keys that it looks for in
 * a state are options.  A script tells it on stdin what to do, and reads one
 * JSON object a line from stdout; --help lists the commands.
 *
 * Clients that were cut off come back at a random time of their own, and at
 * most so many handshakes are under way at a time.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "client.h"
#include "options.h"
#include "stats.h"

#define EVENTS_MAX	512
#define TURN_MS		10

static bool is_over;

static void
raise_open_files(int connections)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_max < (rlim_t) connections + 32)
	{
		fprintf(stderr, "load: %d connections need as many open files, and %lu are allowed: "
				"raise the hard limit (ulimit -Hn)\n", connections, (unsigned long) limit.rlim_max);
		exit(1);
	}
}

static void
create_clients(struct load *load)
{
	const struct options *options = &load->options;

	load->clients = calloc((size_t) options->connections, sizeof(struct client));
	load->firsts = calloc((size_t) options->ids, sizeof(struct first));
	load->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (load->clients == NULL || load->firsts == NULL || load->epoll < 0)
	{
		fprintf(stderr, "load: cannot begin: %s\n", strerror(errno));
		exit(1);
	}
	load->waiting = options->connections;
	load->newest = load->awaited = -1;
	for (int i = 0; i < options->connections; i++)
		load->clients[i] = (struct client)
	{
		.fd = -1, .index = i, .seq = -1, .is_slow = i < options->slow,
			.id = options->first_id + i % options->ids,
			.token = options->ntokens ? options->tokens[i % options->ntokens] : NULL
	};
}

/* Connect those that are due, as many as may be under way. */
static void
connect_due(struct load *load)
{
	double		time_s = now_s();

	for (int i = 0; i < load->options.connections && load->waiting > 0; i++)
	{
		if (load->under_way >= load->options.at_once)
			return;
		if (load->clients[i].stage == CLIENT_WAITS && load->clients[i].due_s <= time_s)
			client_connect(load, &load->clients[i]);
	}
}

/* ---- commands ---- */

static void
print_woken(const struct load *load)
{
	int			behind = 0;
	uint64_t	bytes_max = 0;
	long long	skipped = 0;
	int			states_max = 0;

	for (int i = 0; i < load->options.slow; i++)
	{
		const struct client *client = &load->clients[i];

		skipped += client->skipped;
		behind += client->is_woken || client->is_stopped;
		if (client->old_bytes > bytes_max)
			bytes_max = client->old_bytes;
		if (client->old_states > states_max)
			states_max = client->old_states;
	}
	printf(",\"slow\":{\"clients\":%d,\"behind\":%d,\"old_bytes_max\":%llu,\"old_states_max\":%d,"
		   "\"skipped\":%lld}", load->options.slow, behind, (unsigned long long) bytes_max, states_max,
		   skipped);
}

static void
report(struct load *load)
{
	int64_t		oldest = load->newest;

	for (int i = 0; i < load->options.connections; i++)
		if (load->clients[i].seq < oldest)
			oldest = load->clients[i].seq;
	printf("{\"event\":\"report\",\"at\":%.6f,\"connections\":%d,\"ready\":%d", now_s(),
		   load->options.connections, load->ready);
	printf(",\"newest\":%lld,\"oldest\":%lld", (long long) load->newest, (long long) oldest);
	stats_print(&load->stats, load->options.pid);
	if (load->options.slow)
		print_woken(load);
	puts("}");
}

static void
each_slow(struct load *load, void (*act) (struct load *load, struct client *client))
{
	for (int i = 0; i < load->options.slow; i++)
		act(load, &load->clients[i]);
}

static void
await(struct load *load, int64_t seq)
{
	load->awaited = seq;
	load->have_awaited = 0;
	for (int i = 0; i < load->options.connections; i++)
	{
		struct client *client = &load->clients[i];

		client->has_awaited = client->has_state && client->seq >= seq;
		load->have_awaited += client->has_awaited;
	}
}

static void
obey(struct load *load, const char *command)
{
	long long	seq;

	if (strcmp(command, "begin") == 0)
		stats_begin(&load->stats, load->options.pid);
	else if (strcmp(command, "report") == 0)
		report(load);
	else if (strcmp(command, "stop") == 0)
		each_slow(load, client_stop);
	else if (strcmp(command, "wake") == 0)
	{
		load->woken_at = load->newest;
		each_slow(load, client_wake);
	}
	else if (strcmp(command, "cut") == 0)
	{
		for (int i = 0; i < load->options.connections; i++)
			client_cut(load, &load->clients[i]);
	}
	else if (sscanf(command, "await %lld", &seq) == 1)
		await(load, seq);
	else if (strcmp(command, "quit") == 0)
		is_over = true;
	else
		printf("{\"event\":\"unknown\"}\n");
}

/* Lines from stdin; its end means "quit". */
static void
read_commands(struct load *load)
{
	static char line[256];
	static size_t len;
	ssize_t		got = read(STDIN_FILENO, line + len, sizeof(line) - 1 - len);
	char	   *end;

	if (got <= 0)
	{
		is_over = is_over || got == 0 || errno != EINTR;
		return;
	}
	len += (size_t) got;
	line[len] = '\0';
	while ((end = strchr(line, '\n')) != NULL)
	{
		*end = '\0';
		obey(load, line);
		len -= (size_t) (end + 1 - line);
		memmove(line, end + 1, len + 1);
	}
	if (len == sizeof(line) - 1)
		len = 0;
}

/* ---- the loop ---- */

/* Say what has come about: all are ready, or all have what was awaited. */
static void
tell(struct load *load, bool *is_ready)
{
	if (!*is_ready && load->ready + load->over == load->options.connections)
	{
		*is_ready = true;
		printf("{\"event\":\"ready\",\"at\":%.6f,\"seconds\":%.3f,\"ready\":%d,\"over\":%d}\n",
			   now_s(), now_s() - load->stats.began_s, load->ready, load->over);
	}
	else if (load->ready + load->over < load->options.connections)
		*is_ready = false;
	if (load->awaited >= 0 && load->have_awaited + load->over == load->options.connections)
	{
		printf("{\"event\":\"all\",\"at\":%.6f,\"seq\":%lld,\"over\":%d}\n", now_s(),
			   (long long) load->awaited, load->over);
		load->awaited = -1;
	}
}

/* A run without commands: measures once all are ready. */
static void
run_by_itself(struct load *load, bool is_ready)
{
	static double end_s;

	if (is_ready && load->ready == 0)
	{
		fprintf(stderr, "load: none of %d connections was taken, or stayed until it was ready\n",
				load->options.connections);
		exit(1);
	}
	if (end_s == 0 && is_ready)
	{
		stats_begin(&load->stats, load->options.pid);
		end_s = now_s() + load->options.seconds;
	}
	else if (end_s != 0 && now_s() >= end_s)
	{
		report(load);
		is_over = true;
	}
}

static void
turn(struct load *load)
{
	struct epoll_event events[EVENTS_MAX];
	int			count = epoll_wait(load->epoll, events, EVENTS_MAX, TURN_MS);

	for (int i = 0; i < count; i++)
	{
		if (events[i].data.ptr == NULL)
			read_commands(load);
		else
			client_on_event(load, events[i].data.ptr, events[i].events);
	}
}

int
main(int argc, char **argv)
{
	struct load load = {.awaited = -1};
	struct epoll_event commands = {.events = EPOLLIN};
	bool		is_ready = false;

	options_read(&load.options, argc, argv);
	setvbuf(stdout, NULL, _IOLBF, 0);
	srand48(getpid());
	raise_open_files(load.options.connections);
	create_clients(&load);
	if (load.options.seconds == 0 &&
		epoll_ctl(load.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &commands) != 0)
	{
		fputs("load: stdin must be a pipe or a terminal; or give --seconds\n", stderr);
		return 2;
	}
	stats_begin(&load.stats, load.options.pid);
	while (!is_over)
	{
		if (load.waiting > 0 && load.under_way < load.options.at_once)
			connect_due(&load);
		turn(&load);
		tell(&load, &is_ready);
		if (load.options.seconds > 0)
			run_by_itself(&load, is_ready);
	}
	return 0;
}
