/*
 * bridge.c
 *		One running bridge: its parts made, wired, and turned.
 *
 * The wiring and nothing else: what the listening connection hears goes to the
 * hub; when it is live and there is a connection to ask on, the questions may
 * flow.
 */
#include "bridge.h"

#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "accept.h"
#include "ask.h"
#include "auth.h"
#include "boot.h"
#include "cable.h"
#include "calls.h"
#include "clients.h"
#include "codes.h"
#include "conn.h"
#include "dashboard.h"
#include "drain.h"
#include "history.h"
#include "http.h"
#include "hub.h"
#include "intern.h"
#include "keys.h"
#include "listen.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "parts.h"
#include "pool.h"
#include "query.h"
#include "ready.h"
#include "reload.h"
#include "request.h"
#include "route.h"
#include "second.h"
#include "service.h"
#include "sse.h"
#include "survey.h"
#include "tls.h"
#include "watchdog.h"
#include "www.h"

#define BRIDGE_KEPT_MAX			10000
#define BRIDGE_STOP_MS			3000	/* for the last of them, and for
										 * requests */
#define BRIDGE_STATUS_MS		1000

struct running
{
	struct bridge parts;		/* the first member */
	int64_t		stop_due_ms;
	int64_t		status_due_ms;
	bool		was_live;		/* at the end of the last turn */
	struct boot *boot;
};

/* The first one takes plain HTTP, and every refusal of an upgrade. */
static const struct lws_protocols protocols[] = {
	{.name = "http", .callback = http_callback,
	.rx_buffer_size = LOOP_RX_BYTES, .tx_packet_size = LOOP_TX_BYTES},
	{.name = CODE_CABLE_PROTOCOL, .callback = cable_callback,
	.rx_buffer_size = LOOP_RX_BYTES, .tx_packet_size = LOOP_TX_BYTES},
	{.name = CODE_CABLE_UNSUPPORTED, .callback = cable_unsupported_callback,
	.rx_buffer_size = LOOP_RX_BYTES, .tx_packet_size = LOOP_TX_BYTES},
	{.name = NULL}
};

/* Workers have tokens even where nobody else has to show one. */
static bool
needs_keys(const struct bridge *bridge)
{
	return bridge->config->auth != CONFIG_AUTH_NONE || keys_are_used(bridge->keys);
}

/*
 * Questions need both connections, to one server.  After a failover one of them
 * may still be to a former primary that is cut off but answers: whichever is
 * older is made anew.
 */
static void
update_live(struct bridge *bridge)
{
	bool		is_live = listen_is_live(bridge->listen) && query_is_up(bridge->query);

	if (is_live && strcmp(listen_server(bridge->listen), query_server(bridge->query)) != 0)
	{
		is_live = false;
		if (query_up_since(bridge->query) < listen_up_since(bridge->listen))
			query_restart(bridge->query, "the other connection is to another server");
		else
			listen_restart(bridge->listen, "the other connection is to another server");
	}
	ask_set_live(bridge->ask, is_live);
}

/* ---- what the parts tell ---- */

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

	if (event->type != EVENT_DISCONNECT)
		hub_take(bridge->hub, event, is_trusted);
	else if (is_trusted)
	{
		/* What came before is still theirs. */
		hub_flush(bridge->hub);
		clients_disconnect(bridge, event_owner(event), event->reconnect);
	}
}

static const struct listen_ops listen_ops = {.live = on_live, .event = on_event};

static void
on_query_up(void *arg)
{
	struct bridge *bridge = arg;

	if (needs_keys(bridge))
		keys_set_up(bridge->keys, true);
	survey_start(bridge->survey);
	update_live(bridge);
}

static void
on_query_down(void *arg)
{
	struct bridge *bridge = arg;

	keys_set_up(bridge->keys, false);
	ask_set_live(bridge->ask, false);
}

static const struct query_ops query_ops = {.up = on_query_up, .down = on_query_down};

static void
on_keys_read(void *arg)
{
	cables_keys_read(arg);
	identify_keys_read(arg);
}

/* ---- the loop ---- */

/* What "systemctl status" shows. */
static void
tell_status(struct bridge *bridge)
{
	const char *why;

	if (bridge->is_stopping)
		service_tell("stopping: %d connections left", conns_count_clients(bridge->conns));
	else if (ready_check(bridge, &why))
		service_tell("serving %d connections", conns_count_clients(bridge->conns));
	else
		service_tell("serving %d connections, not ready: %s",
					 conns_count_clients(bridge->conns), why);
}

/*
 * The end of a turn: everything that came in has been taken.  Tell what is new,
 * end what must be ended, and ask what is to be asked in one go.
 */
static void
on_turn(void *arg)
{
	struct bridge *bridge = arg;
	struct running *running = arg;

	hub_flush(bridge->hub);

	/* A worker that was merely replaced is no loss of the database. */
	if (running->was_live && !ask_is_live(bridge->ask))
		sses_lose_database(bridge);
	running->was_live = ask_is_live(bridge->ask);
	conns_reap(bridge->conns);
	pool_turn(bridge->pool);
	ask_set_now(bridge->ask, loop_clock_ms());
	loop_turn_within(bridge->loop, ask_flush(bridge->ask));
	if (bridge->is_stopping && conns_count_clients(bridge->conns) == 0)
		loop_end(bridge->loop);
}

static void
on_tick(void *arg, int64_t now_ms)
{
	struct bridge *bridge = arg;
	struct running *running = arg;
	const char *why;

	conns_turn(bridge->conns, now_ms);
	listen_tick(bridge->listen, now_ms);
	query_tick(bridge->query, now_ms);
	hub_tick(bridge->hub, now_ms);
	ask_tick(bridge->ask, now_ms);
	pool_tick(bridge->pool, now_ms);
	if (listen_is_live(bridge->listen))
		pool_keep_to(bridge->pool, listen_server(bridge->listen));
	if (needs_keys(bridge))
		keys_tick(bridge->keys, now_ms);
	second_tick(bridge, now_ms);
	service_tick(now_ms);
	log_tick(now_ms);
	metric_set(METRIC_WORKERS_READY, ready_check(bridge, &why));
	if (now_ms >= running->status_due_ms)
	{
		running->status_due_ms = now_ms + BRIDGE_STATUS_MS;
		tell_status(bridge);
	}
	if (bridge->is_stopping && now_ms >= running->stop_due_ms)
		loop_end(bridge->loop);
}

/*
 * Stop: nobody new, everybody is told to come again in the course of so many
 * seconds, and when all have gone, or a while after, the loop ends.  Asked a
 * second time, it ends at once.
 */
static void
on_stop(void *arg, bool is_hasty)
{
	struct bridge *bridge = arg;
	struct running *running = arg;
	int64_t		span_ms = is_hasty ? 0 : bridge->config->drain_seconds * INT64_C(1000);
	int			clients;

	if (bridge->is_stopping)
	{
		log_info("bridge", "stopping at once clients=%d", conns_count_clients(bridge->conns));
		loop_end(bridge->loop);
		return;
	}
	bridge->is_stopping = true;
	running->stop_due_ms = loop_clock_ms() + span_ms + BRIDGE_STOP_MS;
	service_stopping(span_ms + BRIDGE_STOP_MS);
	accepts_stop(bridge->accepts);
	clients = drain_begin(bridge, span_ms);
	log_info("bridge", "stopping clients=%d seconds=%d", clients, (int) (span_ms / 1000));
	tell_status(bridge);
}

/* Read the settings again; while the bridge stops they do not matter any more. */
static void
on_reload(void *arg)
{
	struct bridge *bridge = arg;
	struct running *running = arg;

	if (!bridge->is_stopping)
		reload(bridge, running->boot);
}

static const struct loop_ops loop_ops = {
	.turn = on_turn, .tick = on_tick, .stop = on_stop, .reload = on_reload
};

/* ---- life ---- */

/*
 * Make everything and begin to serve.  Failures at this point end the program.
 */
struct bridge *
bridge_open(struct boot *boot)
{
	const struct config *config = &boot->config;
	const struct conninfo *conninfo = &boot->conninfo;
	struct running *running = mem_zalloc(sizeof(*running));
	struct bridge *bridge = &running->parts;
	struct ev_loop *ev;
	char		problem[512];

	running->boot = boot;
	bridge->config = config;
	bridge->intern = intern_create();
	bridge->auth = auth_create(bridge->intern, config->audience);
	bridge->hub = hub_create(BRIDGE_KEPT_MAX);
	bridge->admission = boot->admission;
	bridge->www = boot->www;
	boot->www = NULL;
	bridge->tls = boot->tls;
	boot->tls = NULL;
	bridge->routes = http_routes_create(config, problem, sizeof(problem));
	if (bridge->routes == NULL)
		die(2, "main", "%s", problem);
	if (bridge->tls)
		tls_announce(bridge->tls);
	bridge->loop = loop_create(&loop_ops, bridge, protocols, config, bridge->tls);
	ev = loop_ev(bridge->loop);
	bridge->conns = conns_create(bridge);
	bridge->query = query_create(ev, conninfo, &query_ops, bridge);
	bridge->survey = survey_create(bridge->query);
	bridge->watchdog = watchdog_create();
	bridge->history = history_create();
	bridge->dashboards = dashboards_create(bridge);
	bridge->pool = pool_create(ev, conninfo, config->action_connections);
	bridge->keys = keys_create(bridge->auth, bridge->query, on_keys_read, bridge);
	bridge->ask = ask_create(bridge->hub, &calls_ask_port, bridge->query);
	bridge->listen = listen_create(ev, conninfo, &listen_ops, bridge);
	bridge->accepts = accepts_open(ev, boot, bridge->conns);
	listen_start(bridge->listen);
	query_start(bridge->query);
	pool_start(bridge->pool);
	metric_set(METRIC_WORKERS, 1);
	return bridge;
}

/* Serve until told to stop. */
void
bridge_run(struct bridge *bridge)
{
	loop_run(bridge->loop);
}

void
bridge_close(struct bridge *bridge)
{
	accepts_close(bridge->accepts);
	pool_free(bridge->pool);
	query_free(bridge->query);
	listen_free(bridge->listen);
	loop_free(bridge->loop);
	conns_free(bridge->conns);
	ask_free(bridge->ask);
	keys_free(bridge->keys);
	survey_free(bridge->survey);
	watchdog_free(bridge->watchdog);
	history_free(bridge->history);
	dashboards_free(bridge->dashboards);
	hub_free(bridge->hub);
	auth_free(bridge->auth);
	intern_free(bridge->intern);
	routes_free(bridge->routes);
	tls_free(bridge->tls);
	if (bridge->www)
		www_close(bridge->www);
	free(bridge);
}
