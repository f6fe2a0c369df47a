/*
 * accept.c
 *		Who comes in by the sockets that are listened on.
 *
 * Our own acceptor, since libwebsockets' gives no say in what is accepted: at
 * most so many a wakeup, so that a storm of connections does not hold up those
 * that are served, and a plain refusal when there are too many.  Beyond so many a
 * second nobody is refused: they wait in the kernel's queue.
 *
 * Each worker has the same sockets.  What comes in by those for administrators
 * whoever is first takes; of the others balance.c says whether to leave it.
 */
#include "accept.h"

#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "admission.h"
#include "balance.h"
#include "boot.h"
#include "conn.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "pace.h"
#include "shared.h"
#include "sockets.h"
#include "tls.h"

#define ACCEPT_A_WAKEUP		16
#define ACCEPT_PAUSE_S		0.2
#define ACCEPT_BREATH_S		0.01	/* how often a pace that is kept is looked
									 * at */

struct acceptor
{
	struct accepts *accepts;
	bool		is_admin;
	bool		is_passed;		/* its queue is a service manager's, too */
	int			fd;
	ev_io		io;
	ev_timer	pause;
	struct balance balance;
};

struct accepts
{
	struct ev_loop *loop;
	struct conns *conns;
	struct admission *admission;
	bool		is_tls;
	struct pace *pace;
	int			per_second;		/* 0: no limit */
	int			count;
	struct acceptor items[SOCKETS_MAX];
};

/* ---- accepting ---- */

static void
pause_for(struct acceptor *acceptor, double seconds)
{
	struct ev_loop *loop = acceptor->accepts->loop;

	ev_io_stop(loop, &acceptor->io);
	ev_timer_set(&acceptor->pause, seconds, 0.0);
	ev_timer_start(loop, &acceptor->pause);
}

static void
on_pause_over(struct ev_loop *loop, ev_timer *timer, int revents)
{
	struct acceptor *acceptor = timer->data;

	(void) revents;
	ev_io_start(loop, &acceptor->io);
}

/*
 * Answer a connection that is one too many.  The socket's buffer is empty, so
 * this cannot block.  A request that came along is read first: closing with
 * bytes unread would reset the connection and could take the answer with it.
 * Who speaks TLS would not understand it, and is only hung up on.
 */
static void
refuse(const struct acceptor *acceptor, int fd, const char *status)
{
	bool		is_tls = acceptor->accepts->is_tls && !acceptor->is_admin;
	char		answer[160];
	char		request[4096];
	int			len = snprintf(answer, sizeof(answer), "HTTP/1.1 %s\r\nRetry-After: 5\r\n"
							   "Connection: close\r\nContent-Length: 0\r\n\r\n", status);

	for (int i = 0; i < 4 && !is_tls; i++)
		if (recv(fd, request, sizeof(request), MSG_DONTWAIT) <= 0)
			break;
	if (!is_tls &&
		send(fd, answer, (size_t) len, MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void
refuse_as_full(struct acceptor *acceptor, int fd)
{
	static struct log_rate rate;

	metric_count(METRIC_REFUSED_FULL);
	if (log_rate_allows(&rate, "accept"))
		log_warn("accept", "connection refused, max_connections is reached");
	refuse(acceptor, fd, "503 Service Unavailable");
}

static void
refuse_as_crowded(struct acceptor *acceptor, int fd, const struct address *address)
{
	static struct log_rate rate;
	char		shown[ADDRESS_TEXT_MAX];

	metric_count(METRIC_REFUSED_PLACE);
	if (log_rate_allows(&rate, "accept"))
	{
		address_format(address, shown, sizeof(shown));
		log_warn("accept", "connection refused, max_connections_per_address is reached; "
				 "if this is a proxy of yours, name it as trusted_proxy address=%s", shown);
	}
	refuse(acceptor, fd, "429 Too Many Requests");
}

/*
 * Somebody has come.
 */
static void
admit(struct acceptor *acceptor, int fd, const struct sockaddr *peer)
{
	struct accepts *accepts = acceptor->accepts;
	struct address address;
	struct istr *place;

	address_of_socket(peer, &address);
	switch (admission_enter(accepts->admission, &address, acceptor->is_admin, &place))
	{
		case ADMISSION_OK:
			conns_adopt(accepts->conns, fd, place,
						admission_is_proxy(accepts->admission, &address), acceptor->is_admin);
			break;
		case ADMISSION_FULL:
			refuse_as_full(acceptor, fd);
			break;
		case ADMISSION_CROWDED:
			refuse_as_crowded(acceptor, fd, &address);
			break;
	}
}

/*
 * May another one be accepted now?  If not, the acceptor pauses until then.
 */
static bool
keeps_pace(struct acceptor *acceptor)
{
	struct accepts *accepts = acceptor->accepts;
	int64_t		wait_ns;
	double		wait;

	if (accepts->per_second == 0)
		return true;
	wait_ns = pace_take(accepts->pace, accepts->per_second, loop_clock_ns());
	if (wait_ns == 0)
		return true;
	wait = (double) wait_ns / 1e9;
	metric_count(METRIC_ACCEPT_PAUSES);
	pause_for(acceptor, wait > ACCEPT_BREATH_S ? wait : ACCEPT_BREATH_S);
	return false;
}

/* Is this one for another worker?  Then the acceptor pauses for a moment. */
static bool
leaves_it(struct acceptor *acceptor)
{
	struct balance_view view = {
		.is_ready = metric_get_of(shared_worker(), METRIC_WORKERS_READY) > 0,
		.connections = metric_get_of(shared_worker(), METRIC_CONNECTIONS)
	};

	if (acceptor->is_admin)
		return false;
	for (int i = 0; i < shared_workers(); i++)
	{
		int64_t		connections = metric_get_of(i, METRIC_CONNECTIONS);

		if (i == shared_worker() || metric_get_of(i, METRIC_WORKERS_READY) == 0)
			continue;
		view.others_accepted += metric_get_of(i, METRIC_ACCEPTED);
		if (!view.others_ready || connections < view.least)
			view.least = connections;
		view.others_ready = true;
	}
	if (!balance_leaves(&acceptor->balance, &view, loop_clock_ms()))
		return false;
	pause_for(acceptor, BALANCE_PAUSE_MS / 1000.0);
	return true;
}

static void
on_acceptable(struct ev_loop *loop, ev_io *io, int revents)
{
	static struct log_rate rate;
	struct acceptor *acceptor = io->data;

	(void) loop;
	(void) revents;
	for (int i = 0; i < ACCEPT_A_WAKEUP && !leaves_it(acceptor) && keeps_pace(acceptor); i++)
	{
		struct sockaddr_storage peer = {0};
		socklen_t	len = sizeof(peer);
		int			fd = accept4(io->fd, (struct sockaddr *) &peer, &len,
								 SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd >= 0)
		{
			admit(acceptor, fd, (struct sockaddr *) &peer);
			continue;
		}
		if (acceptor->accepts->per_second > 0)
			pace_return(acceptor->accepts->pace, acceptor->accepts->per_second);
		if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED)
			return;

		/* Out of descriptors or memory: trying at once would spin. */
		if (log_rate_allows(&rate, "accept"))
			log_warn("accept", "cannot accept: %s", strerror(errno));
		pause_for(acceptor, ACCEPT_PAUSE_S);
		return;
	}
}

static void
open_acceptor(struct accepts *accepts, const struct socket *socket)
{
	struct acceptor *acceptor = &accepts->items[accepts->count++];

	acceptor->accepts = accepts;
	acceptor->is_admin = socket->is_admin;
	acceptor->is_passed = socket->is_passed;
	acceptor->fd = socket->fd;
	ev_io_init(&acceptor->io, on_acceptable, acceptor->fd, EV_READ);
	acceptor->io.data = acceptor;
	ev_io_start(accepts->loop, &acceptor->io);
	ev_timer_init(&acceptor->pause, on_pause_over, 0.0, 0.0);
	acceptor->pause.data = acceptor;
}

/* Take over the settings. */
void
accepts_set(struct accepts *accepts, const struct config *config)
{
	accepts->per_second = config->accepts_per_second;
}

/* Begin to accept; the sockets are theirs from here on, the list is not. */
struct accepts *
accepts_open(struct ev_loop *loop, const struct boot *boot, struct conns *conns)
{
	struct accepts *accepts = mem_zalloc(sizeof(*accepts));

	accepts->loop = loop;
	accepts->conns = conns;
	accepts->admission = boot->admission;
	accepts->pace = boot->pace;
	accepts->is_tls = tls_is_on(&boot->config);
	accepts_set(accepts, &boot->config);
	for (int i = 0; i < boot->sockets.count; i++)
		open_acceptor(accepts, &boot->sockets.items[i]);
	return accepts;
}

static void
close_acceptor(struct acceptor *acceptor)
{
	if (acceptor->fd < 0)
		return;
	ev_io_stop(acceptor->accepts->loop, &acceptor->io);
	ev_timer_stop(acceptor->accepts->loop, &acceptor->pause);
	close(acceptor->fd);
	acceptor->fd = -1;
}

/*
 * Nobody new.  Whoever waits in the queue has a connection already, and would
 * lose it without a word: so they are let in first, whatever the pace, unless
 * the queue is somebody else's as well, who serves them.  Administrators can go
 * on looking.
 */
void
accepts_stop(struct accepts *accepts)
{
	for (int i = 0; i < accepts->count; i++)
	{
		struct acceptor *acceptor = &accepts->items[i];
		struct sockaddr_storage peer = {0};
		socklen_t	len = sizeof(peer);
		int			fd;

		if (acceptor->is_admin)
			continue;
		for (int n = 0; n < SOCKETS_BACKLOG && !acceptor->is_passed; n++)
		{
			fd = accept4(acceptor->fd, (struct sockaddr *) &peer, &len,
						 SOCK_NONBLOCK | SOCK_CLOEXEC);
			if (fd < 0)
				break;
			admit(acceptor, fd, (struct sockaddr *) &peer);
			len = sizeof(peer);
		}
		close_acceptor(acceptor);
	}
}

void
accepts_close(struct accepts *accepts)
{
	for (int i = 0; i < accepts->count; i++)
		close_acceptor(&accepts->items[i]);
	free(accepts);
}
