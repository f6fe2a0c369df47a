/*
 * bridge.c
 *		The parts of one running bridge, and what they tell each other.
 *
 * The wiring and nothing else: what the listening connection hears goes to the
 * hub; when it is live and there is a connection to ask on, the questions may
 * flow; keys are read when that connection comes up, every minute, and when a
 * token names one that is not known.
 */
#include "bridge.h"

#include <stdlib.h>

#include "accept.h"
#include "ask.h"
#include "auth.h"
#include "cable.h"
#include "calls.h"
#include "conn.h"
#include "hub.h"
#include "intern.h"
#include "listen.h"
#include "log.h"
#include "loop.h"
#include "query.h"
#include "www.h"

#define BRIDGE_KEPT_MAX			10000
#define BRIDGE_KEYS_EVERY_MS	60000
#define BRIDGE_KEYS_SOONEST_MS	5000
#define BRIDGE_STOP_MS			3000

/* Questions need both connections. */
static void
update_live(struct bridge *bridge)
{
	ask_set_live(bridge->ask, listen_is_live(bridge->listen) &&
				 query_is_up(bridge->query));
}

/* ---- the listening connection ---- */

static void
on_live(void *arg, bool is_live)
{
	struct bridge *bridge = arg;

	if (!is_live)
		ask_set_live(bridge->ask, false);
	else
		update_live(bridge);
}

static void
on_event(void *arg, const struct event *event, bool is_trusted)
{
	struct bridge *bridge = arg;

	hub_take(bridge->hub, event, is_trusted);
}

static const struct listen_ops listen_ops = {.live = on_live, .event = on_event};

/* ---- keys ---- */

static void
on_keys(void *arg, bool ok)
{
	struct bridge *bridge = arg;

	bridge->is_reading_keys = false;
	if (!ok)
		return;
	if (!bridge->has_keys)
		log_info("bridge", "keys read count=%d", auth_keys_count(bridge->auth));
	bridge->has_keys = true;
	bridge->wants_keys = false;
	cables_keys_read(bridge);
}

static void
read_keys(struct bridge *bridge)
{
	if (bridge->is_reading_keys || bridge->config->auth == CONFIG_AUTH_NONE)
		return;
	if (calls_keys(bridge->query, bridge->auth, on_keys, bridge))
	{
		bridge->is_reading_keys = true;
		bridge->keys_asked_ms = loop_clock_ms();
	}
}

/* A token names a key that is not known: read them again, but not too often. */
void
bridge_want_keys(struct bridge *bridge)
{
	bridge->wants_keys = true;
}

/* ---- the asking connection ---- */

static void
on_query_up(void *arg)
{
	struct bridge *bridge = arg;

	read_keys(bridge);
	update_live(bridge);
}

static void
on_query_down(void *arg)
{
	struct bridge *bridge = arg;

	bridge->is_reading_keys = false;
	ask_set_live(bridge->ask, false);
}

static const struct query_ops query_ops = {.up = on_query_up, .down = on_query_down};

/* ---- life ---- */

/*
 * Make everything and begin to serve.  Failures at this point end the program.
 */
void
bridge_open(struct bridge *bridge, const struct config *config,
			const struct conninfo *conninfo)
{
	const char *error;

	*bridge = (struct bridge)
	{
		.config = config, .conninfo = conninfo, .now_ms = loop_clock_ms()
	};
	bridge->intern = intern_create();
	bridge->auth = auth_create(bridge->intern, config->audience);
	bridge->hub = hub_create(BRIDGE_KEPT_MAX);
	if (config->www[0])
	{
		bridge->www = www_open(config->www, &error);
		if (bridge->www == NULL)
			die(2, "main", "cannot serve www \"%s\": %s", config->www, error);
	}
	bridge->loop = loop_create(bridge);
	bridge->conns = conns_create(bridge);
	bridge->query = query_create(loop_ev(bridge->loop), conninfo, &query_ops, bridge);
	bridge->ask = ask_create(bridge->hub, &calls_ask_port, bridge->query);
	bridge->listen = listen_create(loop_ev(bridge->loop), conninfo, &listen_ops, bridge);
	bridge->accepts = accepts_open(loop_ev(bridge->loop), config, bridge->conns);
	listen_start(bridge->listen);
	query_start(bridge->query);
	accepts_announce(bridge->accepts);
}

void
bridge_close(struct bridge *bridge)
{
	if (bridge->accepts)
		accepts_close(bridge->accepts);
	query_free(bridge->query);
	listen_free(bridge->listen);
	loop_free(bridge->loop);
	conns_free(bridge->conns);
	ask_free(bridge->ask);
	hub_free(bridge->hub);
	auth_free(bridge->auth);
	intern_free(bridge->intern);
	if (bridge->www)
		www_close(bridge->www);
}

/* Is everything there that a watcher needs?  Else "why" says what is missing. */
bool
bridge_is_ready(const struct bridge *bridge, const char **why)
{
	*why = "stopping";
	if (bridge->is_stopping)
		return false;
	*why = listen_problem(bridge->listen);
	if (!listen_is_live(bridge->listen))
		return false;
	*why = query_problem(bridge->query);
	if (!query_is_up(bridge->query))
		return false;
	*why = "the keys have not been read yet; if that lasts, the log says why";
	return bridge->has_keys || bridge->config->auth == CONFIG_AUTH_NONE;
}

/* ---- the loop ---- */

/*
 * The end of a turn: everything that came in has been handled.  End what must
 * be ended, and ask what is to be asked in one go.
 */
void
bridge_turn(struct bridge *bridge)
{
	conns_reap(bridge->conns);
	ask_flush(bridge->ask);
	if (bridge->is_stopping && conns_count(bridge->conns) == 0)
		loop_end(bridge->loop);
}

void
bridge_tick(struct bridge *bridge, int64_t now_ms)
{
	int64_t		since_ms = now_ms - bridge->keys_asked_ms;

	bridge->now_ms = now_ms;
	conns_turn(bridge->conns, now_ms);
	listen_tick(bridge->listen, now_ms);
	query_tick(bridge->query, now_ms);
	ask_tick(bridge->ask, now_ms);
	if (since_ms >= BRIDGE_KEYS_EVERY_MS ||
		((bridge->wants_keys || !bridge->has_keys) && since_ms >= BRIDGE_KEYS_SOONEST_MS))
		read_keys(bridge);
	if (bridge->is_stopping && now_ms >= bridge->stop_due_ms)
		loop_end(bridge->loop);
}

/*
 * Stop: nobody new, everybody is told to come again, and when all have gone, or
 * after a while, the loop ends.  Asked a second time, it ends at once.
 */
void
bridge_stop(struct bridge *bridge)
{
	if (bridge->is_stopping)
	{
		loop_end(bridge->loop);
		return;
	}
	bridge->is_stopping = true;
	bridge->stop_due_ms = loop_clock_ms() + BRIDGE_STOP_MS;
	accepts_close(bridge->accepts);
	bridge->accepts = NULL;
	cables_restart(bridge);
}
