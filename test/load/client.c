/*
 * client.c
 *		One connection of the load client.
 *
 * Connect, ask, subscribe, count.  A message is looked at where it was received,
 * in a buffer that all share; only what is incomplete is kept for its client.
 *
 * A state's latency is a sample if the client had one before: the first after
 * connecting is an answer, and may have been made long ago.
 */
#include "client.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "wire.h"

#define TEXT_MAX	8192
#define READ_MAX	262144

static char buffer[READ_MAX];

static void
__attribute__((noreturn))
die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* The template with %d as the client's id and %t as its token. */
static const char *
fill_in(const struct client *client, const char *template, char *out, size_t size)
{
	size_t		len = 0;
	char		id[32];

	snprintf(id, sizeof(id), "%ld", client->id);
	for (const char *at = template; *at; at++)
	{
		const char *value = NULL;
		size_t		value_len = 1;

		if (at[0] == '%' && at[1] == 'd')
			value = id;
		else if (at[0] == '%' && at[1] == 't')
			value = client->token ? client->token : "";
		if (value)
			value_len = strlen(value);
		if (len + value_len >= size)
		{
			fputs("load: a request or frame is too long\n", stderr);
			exit(2);
		}
		memcpy(out + len, value ? value : at, value_len);
		len += value_len;
		if (value)
			at++;
	}
	out[len] = '\0';
	return out;
}

/* ---- the end of a connection ---- */

/*
 * Close it at once: a reset leaves no port behind in TIME_WAIT, of which there
 * are too few for storms.
 */
static void
hang_up(struct load *load, struct client *client)
{
	struct linger linger = {.l_onoff = 1};

	if (client->fd >= 0)
	{
		setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
		close(client->fd);
	}
	client->fd = -1;
	free(client->rest);
	client->rest = NULL;
	client->rest_len = 0;
	if (client->stage == CLIENT_CONNECTS || client->stage == CLIENT_ASKED)
		load->under_way--;
	if (client->is_ready)
		load->ready--;
	if (client->has_awaited)
		load->have_awaited--;
	client->is_ready = client->has_state = client->has_awaited = false;
	client->is_stopped = client->is_woken = false;
	if (load->options.again_s < 0)
	{
		client->stage = CLIENT_OVER;
		load->over++;
		return;
	}
	client->stage = CLIENT_WAITS;
	client->due_s = now_s() + drand48() * load->options.again_s;
	load->waiting++;
}

static void
lost(struct load *load, struct client *client)
{
	if (client->stage == CLIENT_OPEN)
		load->stats.lost++;
	else
		load->stats.refused++;
	hang_up(load, client);
}

void
client_cut(struct load *load, struct client *client)
{
	if (client->stage != CLIENT_WAITS && client->stage != CLIENT_OVER)
		hang_up(load, client);
}

/* ---- the beginning ---- */

static void
watch(struct load *load, struct client *client, int operation, unsigned events)
{
	struct epoll_event event = {.events = events,.data.ptr = client};

	if (epoll_ctl(load->epoll, operation, client->fd, &event) != 0)
		die("epoll_ctl");
}

void
client_connect(struct load *load, struct client *client)
{
	const struct options *options = &load->options;
	int			on = 1;

	load->waiting--;
	load->under_way++;
	client->stage = CLIENT_CONNECTS;
	client->started_s = now_s();
	client->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (client->fd < 0)
		die("socket (see ulimit -n)");
	setsockopt(client->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (client->is_slow && options->rcvbuf)
		setsockopt(client->fd, SOL_SOCKET, SO_RCVBUF, &options->rcvbuf, sizeof(options->rcvbuf));
	if (options->sources)
	{
		struct sockaddr_in source = {.sin_family = AF_INET};

		source.sin_addr.s_addr = htonl(INADDR_LOOPBACK + (unsigned) (client->index % options->sources));
		setsockopt(client->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
		if (bind(client->fd, (struct sockaddr *) &source, sizeof(source)) != 0)
			die("bind");
	}
	watch(load, client, EPOLL_CTL_ADD, EPOLLOUT);
	if (connect(client->fd, (const struct sockaddr *) &options->address,
				sizeof(options->address)) != 0 && errno != EINPROGRESS)
		lost(load, client);
}

static bool
put(struct load *load, struct client *client, const char *bytes, size_t len)
{
	if (send(client->fd, bytes, len, MSG_NOSIGNAL) == (ssize_t) len)
		return true;
	lost(load, client);
	return false;
}

static bool
put_frame(struct load *load, struct client *client, int opcode, const char *text, size_t len)
{
	char		frame[TEXT_MAX + 16];

	return put(load, client, frame, wire_put_frame(frame, opcode, text, len));
}

static void
ask(struct load *load, struct client *client)
{
	const struct options *options = &load->options;
	char		template[TEXT_MAX];
	char		request[TEXT_MAX];
	size_t		len;

	len = (size_t) snprintf(template, sizeof(template), "GET %s HTTP/1.1\r\nHost: %s\r\n",
							options->path, options->host);
	if (options->is_ws)
		len += (size_t) snprintf(template + len, sizeof(template) - len,
								 "Upgrade: websocket\r\nConnection: Upgrade\r\n"
								 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: bG9hZCBjbGllbnQgaGVyZQ==\r\n");
	else
		len += (size_t) snprintf(template + len, sizeof(template) - len,
								 "Accept: text/event-stream\r\n");
	if (options->protocol)
		len += (size_t) snprintf(template + len, sizeof(template) - len,
								 "Sec-WebSocket-Protocol: %s\r\n", options->protocol);
	for (int i = 0; i < options->nheaders && len < sizeof(template); i++)
		len += (size_t) snprintf(template + len, sizeof(template) - len, "%s\r\n", options->headers[i]);
	if (len + 2 >= sizeof(template))
	{
		fputs("load: the request is too long\n", stderr);
		exit(2);
	}
	strcpy(template + len, "\r\n");
	fill_in(client, template, request, sizeof(request));
	client->stage = CLIENT_ASKED;
	watch(load, client, EPOLL_CTL_MOD, EPOLLIN);
	put(load, client, request, strlen(request));
}

/* ---- what comes ---- */

static void
set_ready(struct load *load, struct client *client)
{
	if (client->is_ready)
		return;
	client->is_ready = true;
	load->ready++;
	samples_add(&load->stats.handshake, (now_s() - client->started_s) * 1000);
}

/* A client that was stopped reads on: is this what it missed, or the newest? */
static void
catch_up(struct load *load, struct client *client, int64_t seq, size_t bytes)
{
	if (seq >= load->woken_at)
		client->is_woken = false;
	else
	{
		client->old_bytes += bytes;
		client->old_states++;
	}
}

/*
 * A state's way to the first client is the relay's reading of it, all but a
 * fraction of a millisecond; how much later the others have it is the fan-out.
 */
static void
sample_spread(struct load *load, const struct client *client, int64_t seq, double read_s)
{
	struct first *first = &load->firsts[client->id - load->options.first_id];

	if (seq > first->seq)
		*first = (struct first)
	{
		.seq = seq, .read_s = read_s
	};
	if (seq == first->seq)
		samples_add(&load->stats.spread, (read_s - first->read_s) * 1000);
}

static void
take_state(struct load *load, struct client *client, const struct wire_message *message,
		   int64_t seq, double read_s)
{
	struct stats *stats = &load->stats;
	double		sent_s;

	stats->states++;
	if (seq < client->seq)
		stats->backward++;
	else if (seq == client->seq && client->has_state)
		stats->repeated++;
	if (client->is_slow && client->has_state && seq > client->seq + 1)
		client->skipped += seq - client->seq - 1;
	if (client->is_woken)
		catch_up(load, client, seq, message->len);
	else if (client->has_state && !client->is_slow)
	{
		sample_spread(load, client, seq, read_s);
		if (seq > client->seq + 1)
			stats->skipped += (uint64_t) (seq - client->seq - 1);
		if (wire_find_decimal(message, load->options.sent_key, &sent_s))
			samples_add(&stats->latency, (read_s - sent_s) * 1000);
	}
	client->has_state = true;
	client->seq = seq;
	if (seq > load->newest)
		load->newest = seq;
	if (load->awaited >= 0 && !client->has_awaited && seq >= load->awaited)
	{
		client->has_awaited = true;
		load->have_awaited++;
	}
	if (load->options.ready == NULL)
		set_ready(load, client);
}

static void
take_message(struct load *load, struct client *client, const struct wire_message *message,
			 double read_s)
{
	const char *ready = load->options.ready;
	int64_t		seq;

	switch (message->kind)
	{
		case WIRE_TEXT:
			load->stats.frames++;
			if (!client->is_ready && ready && memmem(message->text, message->len, ready, strlen(ready)))
				set_ready(load, client);
			if (wire_find_integer(message, load->options.seq_key, &seq))
				take_state(load, client, message, seq, read_s);
			break;
		case WIRE_PING:
			put_frame(load, client, 10, message->text, message->len < 126 ? message->len : 125);
			break;
		case WIRE_CLOSE:
			lost(load, client);
			break;
		default:
			break;
	}
}

/* The answer to the request, if it is complete; returns its length. */
static size_t
take_answer(struct load *load, struct client *client, const char *data, size_t len)
{
	const struct options *options = &load->options;
	const char *end = memmem(data, len, "\r\n\r\n", 4);
	char text[	TEXT_MAX];

	if (end == NULL)
		return 0;
	if (memcmp(data, options->is_ws ? "HTTP/1.1 101" : "HTTP/1.1 200", 12) != 0)
	{
		lost(load, client);
		return 0;
	}
	client->stage = CLIENT_OPEN;
	load->under_way--;
	if (options->ready && options->ready[0] == '\0')
		set_ready(load, client);
	if (options->subscribe)
	{
		fill_in(client, options->subscribe, text, sizeof(text));
		put_frame(load, client, 1, text, strlen(text));
	}
	return (size_t) (end + 4 - data);
}

static size_t
take_some(struct load *load, struct client *client, const char *data, size_t len, double read_s)
{
	struct wire_message message;
	size_t		used;

	if (client->stage == CLIENT_ASKED)
		return take_answer(load, client, data, len);
	used = load->options.is_ws ? wire_next_frame(data, len, &message) :
		wire_next_event(data, len, &message);
	if (used)
		take_message(load, client, &message, read_s);
	return used;
}

static void
keep_rest(struct client *client, const char *data, size_t len)
{
	free(client->rest);
	client->rest = NULL;
	client->rest_len = len;
	if (len == 0)
		return;
	client->rest = malloc(len);
	if (client->rest == NULL)
		die("malloc");
	memcpy(client->rest, data, len);
}

static void
take_input(struct load *load, struct client *client)
{
	size_t		at = 0;
	size_t		len = client->rest_len;
	double		read_s;
	ssize_t		got;

	if (len)
		memcpy(buffer, client->rest, len);
	got = recv(client->fd, buffer + len, sizeof(buffer) - len, 0);
	if (got <= 0)
	{
		if (got == 0 || (errno != EAGAIN && errno != EINTR))
			lost(load, client);
		return;
	}
	read_s = now_s();
	load->stats.bytes += (uint64_t) got;
	len += (size_t) got;
	while (client->fd >= 0 && at < len)
	{
		size_t		used = take_some(load, client, buffer + at, len - at, read_s);

		if (used == 0)
			break;
		at += used;
	}
	if (client->fd < 0)
		return;
	if (len - at == sizeof(buffer))
	{
		fputs("load: a message is too long\n", stderr);
		lost(load, client);
	}
	else if (client->rest_len || at < len)
		keep_rest(client, buffer + at, len - at);
}

void
client_on_event(struct load *load, struct client *client, unsigned events)
{
	if (client->stage == CLIENT_CONNECTS)
	{
		if (events & (EPOLLERR | EPOLLHUP))
			lost(load, client);
		else
			ask(load, client);
	}
	else if (client->fd >= 0)
		take_input(load, client);
}

/* ---- stopping ---- */

/* It reads no more, as a browser does whose machine was suspended. */
void
client_stop(struct load *load, struct client *client)
{
	if (client->stage != CLIENT_OPEN || client->is_stopped)
		return;
	client->is_stopped = true;
	client->skipped = 0;
	watch(load, client, EPOLL_CTL_DEL, 0);
}

void
client_wake(struct load *load, struct client *client)
{
	if (!client->is_stopped)
		return;
	client->is_stopped = false;
	client->is_woken = true;
	client->old_bytes = 0;
	client->old_states = 0;
	watch(load, client, EPOLL_CTL_ADD, EPOLLIN);
}
