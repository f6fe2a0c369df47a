/*
 * resolve.c
 *		Names of hosts become addresses, without blocking.
 *
 * PQconnectStart() resolves names with getaddrinfo(), which can take many
 * seconds when a name server is down, and all clients would wait with it.  So
 * the list of hosts is resolved beforehand with getaddrinfo_a() and libpq is
 * given hostaddr beside host (the name still serves to check certificates).  A
 * host with several addresses becomes several entries.
 *
 * A name that hangs must not hide the hosts whose addresses are known: after a
 * while what has been found is passed on.  But a request cannot be taken back
 * while a thread of libc works on it, so such a one is kept until it ends, and
 * while there are as many of these as may be, names are not asked for at all.
 *
 * Requests are looked at from a timer; nothing has to be thread-safe then.
 * Addresses and paths of sockets are passed as they are.
 */
#include "resolve.h"

#include <arpa/inet.h>
#include <ev.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

#define RESOLVE_HOSTS_MAX		16
#define RESOLVE_ADDRESSES_MAX	8	/* of one host */
#define RESOLVE_LOOK_EVERY_S	0.02
#define RESOLVE_WITHIN_S		5.0
#define RESOLVE_KEPT_MAX		8

struct resolve_host
{
	char		name[256];
	char		port[16];
	bool		is_asked;
	struct gaicb request;
};

struct resolve
{
	struct ev_loop *loop;
	ev_timer	timer;
	resolve_done done;			/* NULL: nobody waits for it any more */
	void	   *arg;
	ev_tstamp	begun_at;
	struct resolve *next;		/* in resolve_kept */
	int			count;
	struct resolve_host hosts[RESOLVE_HOSTS_MAX];
	struct addrinfo hints;
};

/* Those that nobody waits for; libc may still write to them. */
static struct resolve *resolve_kept;

static bool
resolve_is_name(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return host[0] != '\0' && host[0] != '/' && host[0] != '@' &&
		inet_pton(AF_INET, host, address) != 1 &&
		inet_pton(AF_INET6, host, address) != 1;
}

static void
resolve_add(struct buf lists[3], const char *host, const char *address,
			const char *port, bool is_first)
{
	const char *parts[3] = {host, address, port};

	for (int i = 0; i < 3; i++)
	{
		if (!is_first)
			buf_add_text(&lists[i], ",");
		buf_add_text(&lists[i], parts[i]);
	}
}

/* Add every address of a host that was asked for; returns how many. */
static int
resolve_add_addresses(struct buf lists[3], struct resolve_host *host, int before)
{
	int			count = 0;

	for (struct addrinfo *info = host->request.ar_result;
		 info && count < RESOLVE_ADDRESSES_MAX; info = info->ai_next)
	{
		char		address[NI_MAXHOST];

		if (getnameinfo(info->ai_addr, info->ai_addrlen, address, sizeof(address),
						NULL, 0, NI_NUMERICHOST) != 0)
			continue;
		resolve_add(lists, host->name, address, host->port, before + count == 0);
		count++;
	}
	return count;
}

static int
resolve_status(struct resolve_host *host)
{
	return host->is_asked ? gai_error(&host->request) : 0;
}

static bool
resolve_is_done(struct resolve *resolve)
{
	for (int i = 0; i < resolve->count; i++)
		if (resolve_status(&resolve->hosts[i]) == EAI_INPROGRESS)
			return false;
	return true;
}

static void
resolve_free(struct resolve *resolve)
{
	for (int i = 0; i < resolve->count; i++)
		if (resolve->hosts[i].request.ar_result)
			freeaddrinfo(resolve->hosts[i].request.ar_result);
	ev_timer_stop(resolve->loop, &resolve->timer);
	free(resolve);
}

/* Free those that have ended; returns how many have not. */
static int
resolve_sweep(void)
{
	int			count = 0;

	for (struct resolve **at = &resolve_kept; *at;)
	{
		struct resolve *resolve = *at;

		if (resolve_is_done(resolve))
		{
			*at = resolve->next;
			resolve_free(resolve);
			continue;
		}
		count++;
		at = &resolve->next;
	}
	return count;
}

/* Nobody waits for it any more: free it, now or when libc has let go of it. */
void
resolve_forget(struct resolve *resolve)
{
	resolve->done = NULL;
	ev_timer_stop(resolve->loop, &resolve->timer);
	for (int i = 0; i < resolve->count; i++)
		if (resolve->hosts[i].is_asked)
			(void) gai_cancel(&resolve->hosts[i].request);
	resolve->next = resolve_kept;
	resolve_kept = resolve;
	(void) resolve_sweep();
}

static const char *
resolve_why(int status)
{
	return status == EAI_INPROGRESS ? "no answer from the name service in time" :
		gai_strerror(status);
}

/* Pass on what has been found. */
static void
resolve_finish(struct resolve *resolve)
{
	struct buf	lists[3] = {{0}};
	char		error[512] = "";
	int			count = 0;
	resolve_done done = resolve->done;
	void	   *arg = resolve->arg;

	for (int i = 0; i < 3; i++)
		buf_reset(&lists[i]);
	for (int i = 0; i < resolve->count; i++)
	{
		struct resolve_host *host = &resolve->hosts[i];
		int			status = resolve_status(host);
		int			found = 1;

		if (!resolve_is_name(host->name))
			resolve_add(lists, host->name, strchr("/@", host->name[0]) ? "" : host->name,
						host->port, count == 0);
		else if (!host->is_asked)
			found = 0;
		else
			found = status == 0 ? resolve_add_addresses(lists, host, count) : 0;
		if (found == 0)
			snprintf(error, sizeof(error), "cannot resolve host name \"%s\": %s", host->name,
					 resolve_why(host->is_asked ? status : EAI_INPROGRESS));
		count += found;
	}
	resolve_forget(resolve);
	done(arg, count > 0 ? NULL : error, lists[0].data, lists[1].data, lists[2].data);
	for (int i = 0; i < 3; i++)
		buf_free(&lists[i]);
}

static void
resolve_look(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct resolve *resolve = timer->data;

	(void) revents;
	if (resolve_is_done(resolve) || ev_now(loop) - resolve->begun_at >= RESOLVE_WITHIN_S)
		resolve_finish(resolve);
}

/* Copy item "index" of a comma-separated list; the last one stands for more. */
static bool
resolve_item(const char *list, int index, char *out, size_t size)
{
	for (;; list++)
	{
		size_t		len = strcspn(list, ",");

		if (index-- == 0 || (list[len] == '\0' && index >= 0))
		{
			snprintf(out, size, "%.*s", (int) len, list);
			return index < 0;
		}
		list += len;
	}
}

/*
 * Resolve a list of hosts with their ports, one for each or one for all.
 * "done" is called once, from the loop and never from here, unless
 * resolve_forget() comes first; after either it is gone.
 */
struct resolve *
resolve_start(struct ev_loop *loop, const char *hosts, const char *ports,
			  resolve_done done, void *arg)
{
	struct resolve *resolve = mem_zalloc(sizeof(*resolve));
	struct gaicb *requests[RESOLVE_HOSTS_MAX];
	int			asked = 0;
	bool		may_ask = resolve_sweep() < RESOLVE_KEPT_MAX;

	resolve->loop = loop;
	resolve->done = done;
	resolve->arg = arg;
	resolve->begun_at = ev_now(loop);
	resolve->hints.ai_socktype = SOCK_STREAM;
	for (int i = 0; i < RESOLVE_HOSTS_MAX; i++)
	{
		struct resolve_host *host = &resolve->hosts[i];

		if (!resolve_item(hosts, i, host->name, sizeof(host->name)))
			break;
		resolve_item(ports, i, host->port, sizeof(host->port));
		resolve->count++;
		if (!may_ask || !resolve_is_name(host->name))
			continue;
		host->is_asked = true;
		host->request.ar_name = host->name;
		host->request.ar_request = &resolve->hints;
		requests[asked++] = &host->request;
	}

	/* If it fails, each request is found finished and without an address. */
	if (asked > 0)
		(void) getaddrinfo_a(GAI_NOWAIT, requests, asked, NULL);
	ev_timer_init(&resolve->timer, resolve_look, asked ? RESOLVE_LOOK_EVERY_S : 0.0,
				  RESOLVE_LOOK_EVERY_S);
	resolve->timer.data = resolve;
	ev_timer_start(loop, &resolve->timer);
	return resolve;
}
