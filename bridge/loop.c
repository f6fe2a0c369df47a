/*
 * loop.c
 *		The one event loop, with libwebsockets in it.
 *
 * The loop is ours; libwebsockets, libpq and the acceptors hang their watchers
 * into it, and there is no second thread.  What libwebsockets 4.1.6 needs:
 *
 * - Its timers do not work on libev by themselves, so the 100 ms tick that turns
 *   our wheel also calls lws_cancel_service(), which makes it look.
 * - tx_packet_size bounds what one write hands to the kernel; at its default of
 *   rx_buffer_size each larger frame would be split and copied.
 * - With fd_limit_per_thread it would find the connection of each event by
 *   walking a list of all: it is left alone, and its tables are sized by the
 *   limit of open files.
 * - HTTP/2 would be negotiated by default, and on its streams a direct write
 *   means nothing: http/1.1 only.
 * - It ends connections by times of its own, for half a request, half a body and
 *   one that is kept.  The wheel does that, by settings that may change: they are
 *   put behind all of them.
 * - Its validity pings would keep a sorted list that is walked for each
 *   connection: off, the wheel sends the pings.
 */
#include "loop.h"

#include <ev.h>
#include <libwebsockets.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "config.h"
#include "log.h"
#include "metrics.h"
#include "shared.h"
#include "tls.h"
#include "wheel.h"

#define LOOP_NEVER_S	86400	/* behind the longest time that can be set */
#define LOOP_TOLD_AGAIN_MS	500

struct loop
{
	const struct loop_ops *ops;
	void	   *arg;
	struct ev_loop *ev;
	struct lws_context *context;
	ev_timer	tick;
	int64_t		tick_due_us;	/* by clock_us(); 0: not known yet */
	ev_prepare	turn;
	ev_timer	soon;			/* for what could not wait longer */
	int			told;			/* to stop, by this signal; 0: by none */
	int64_t		told_ms;
	ev_signal	on_term;
	ev_signal	on_int;
	ev_signal	on_hup;
};

static const lws_retry_bo_t no_validity = {0};

int64_t
loop_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
loop_clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000000000 + now.tv_nsec;
}

struct ev_loop *
loop_ev(struct loop *loop)
{
	return loop->ev;
}

struct lws_vhost *
loop_vhost(struct loop *loop)
{
	return lws_get_vhost_by_name(loop->context, "default");
}

/* What libwebsockets complains of, strangers can provoke. */
static void
loop_lws_log(int level, const char *line)
{
	static struct log_rate rate;
	enum log_level as = level & LLL_ERR ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
	size_t		len = strlen(line);

	while (len > 0 && line[len - 1] == '\n')
		len--;

	/* It hangs up then, and says so nowhere else. */
	if (strstr(line, "Ran out of header data space") || strstr(line, "more hdr frags"))
		metric_count(METRIC_REFUSED_HEADER_SIZE);
	if (log_is_on(as) && log_rate_allows(&rate, "lws"))
		log_line(as, "lws", "%.*s", (int) len, line);
}

/*
 * How late is this tick?  A late one is followed by the next at its own time, as
 * libev has it, or at once if that has passed too.
 */
static void
loop_time_lag(struct loop *loop)
{
	int64_t		now_us = clock_us();

	if (loop->tick_due_us != 0)
		timing_add(TIMING_LOOP, now_us - loop->tick_due_us, 1);
	loop->tick_due_us = (loop->tick_due_us ? loop->tick_due_us : now_us) + WHEEL_TICK_MS * 1000;
	if (loop->tick_due_us < now_us)
		loop->tick_due_us = now_us;
}

static void
loop_on_tick(struct ev_loop *ev, ev_timer *timer, int revents)
{
	struct loop *loop = timer->data;

	(void) ev;
	(void) revents;
	loop_time_lag(loop);
	loop->ops->tick(loop->arg, loop_clock_ms());
	lws_cancel_service(loop->context);
}

static void
loop_on_turn(struct ev_loop *ev, ev_prepare *prepare, int revents)
{
	struct loop *loop = prepare->data;

	(void) ev;
	(void) revents;
	loop->ops->turn(loop->arg);
}

static void
loop_on_soon(struct ev_loop *ev, ev_timer *timer, int revents)
{
	(void) ev;
	(void) timer;
	(void) revents;
}

/*
 * A worker may be told to stop by the supervisor and, at the same time, by
 * whoever has told that: it is one wish, and not the second that means "at once".
 */
static bool
is_told_again(struct loop *loop, int signal)
{
	int64_t		now_ms = loop_clock_ms();
	bool		is_again = signal == loop->told && now_ms - loop->told_ms < LOOP_TOLD_AGAIN_MS;

	loop->told = signal;
	loop->told_ms = now_ms;
	return is_again;
}

static void
loop_on_signal(struct ev_loop *ev, ev_signal *signal, int revents)
{
	struct loop *loop = signal->data;

	(void) ev;
	(void) revents;
	if (shared_workers() > 1 && is_told_again(loop, signal->signum))
		return;
	log_info("loop", "asked to stop signal=%d", signal->signum);
	loop->ops->stop(loop->arg, signal->signum == SIGINT);
}

static void
loop_on_hangup(struct ev_loop *ev, ev_signal *signal, int revents)
{
	struct loop *loop = signal->data;

	(void) ev;
	(void) revents;
	loop->ops->reload(loop->arg);
}

static void
loop_create_context(struct loop *loop, const struct lws_protocols *protocols,
					const struct config *config, struct tls *tls)
{
	struct lws_context_creation_info info;
	void	   *foreign_loops[1] = {loop->ev};

	memset(&info, 0, sizeof(info));
	info.port = CONTEXT_PORT_NO_LISTEN_SERVER;
	info.protocols = protocols;
	info.extensions = NULL;
	info.foreign_loops = foreign_loops;
	info.options = LWS_SERVER_OPTION_LIBEV | LWS_SERVER_OPTION_SKIP_SERVER_CANONICAL_NAME |
		LWS_SERVER_OPTION_VALIDATE_UTF8;
	info.alpn = "http/1.1";
	info.gid = (gid_t) -1;
	info.uid = (uid_t) -1;
	info.retry_and_idle_policy = &no_validity;
	info.max_http_header_data2 = LOOP_HEADER_BYTES;
	info.max_http_header_pool2 = (unsigned) config->header_pool;
	info.timeout_secs = info.timeout_secs_ah_idle = info.keepalive_timeout = LOOP_NEVER_S;
	info.user = tls;			/* for http_callback() */
	tls_set_up(config, &info);

	lws_set_log_level(LLL_ERR | LLL_WARN, loop_lws_log);
	loop->context = lws_create_context(&info);
	if (loop->context == NULL)
		die(1, "loop", "libwebsockets does not start; is its libev plugin installed "
			"(Debian: libwebsockets-evlib-ev)?");
}

/* Also lets it through, if it was held up until now. */
static void
loop_watch_signal(struct loop *loop, ev_signal *watcher, int number,
				  void (*happened) (struct ev_loop *, ev_signal *, int))
{
	sigset_t	set;

	ev_signal_init(watcher, happened, number);
	watcher->data = loop;
	ev_signal_start(loop->ev, watcher);
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/*
 * Create the loop, at boot.  The limit of open files must have been raised,
 * since libwebsockets sizes its tables by it.
 */
struct loop *
loop_create(const struct loop_ops *ops, void *arg, const struct lws_protocols *protocols,
			const struct config *config, struct tls *tls)
{
	struct loop *loop = mem_zalloc(sizeof(*loop));

	loop->ops = ops;
	loop->arg = arg;
	loop->ev = ev_default_loop(EVFLAG_AUTO);
	if (loop->ev == NULL)
		die(1, "loop", "libev does not start");
	loop_create_context(loop, protocols, config, tls);

	ev_timer_init(&loop->tick, loop_on_tick, WHEEL_TICK_MS / 1000.0, WHEEL_TICK_MS / 1000.0);
	loop->tick.data = loop;
	ev_timer_start(loop->ev, &loop->tick);
	ev_prepare_init(&loop->turn, loop_on_turn);
	loop->turn.data = loop;
	ev_prepare_start(loop->ev, &loop->turn);
	ev_timer_init(&loop->soon, loop_on_soon, 0.0, 0.0);
	loop_watch_signal(loop, &loop->on_term, SIGTERM, loop_on_signal);
	loop_watch_signal(loop, &loop->on_int, SIGINT, loop_on_signal);
	loop_watch_signal(loop, &loop->on_hup, SIGHUP, loop_on_hangup);
	return loop;
}

/* Something waits for another turn, in so many ms at the latest; 0: nothing. */
void
loop_turn_within(struct loop *loop, int64_t wait_ms)
{
	ev_timer_stop(loop->ev, &loop->soon);
	if (wait_ms <= 0)
		return;
	ev_timer_set(&loop->soon, (double) wait_ms / 1000.0, 0.0);
	ev_timer_start(loop->ev, &loop->soon);
}

void
loop_run(struct loop *loop)
{
	ev_run(loop->ev, 0);
}

void
loop_end(struct loop *loop)
{
	ev_break(loop->ev, EVBREAK_ALL);
}

/* Closes every connection that is left. */
void
loop_free(struct loop *loop)
{
	ev_timer_stop(loop->ev, &loop->tick);
	ev_prepare_stop(loop->ev, &loop->turn);
	ev_timer_stop(loop->ev, &loop->soon);
	ev_signal_stop(loop->ev, &loop->on_term);
	ev_signal_stop(loop->ev, &loop->on_int);
	ev_signal_stop(loop->ev, &loop->on_hup);
	lws_context_destroy(loop->context);
	ev_run(loop->ev, EVRUN_NOWAIT);
	ev_loop_destroy(loop->ev);
	free(loop);
}
