/*
 * second.c
 *		What is looked at once a second.
 *
 * How much waits in the queues, what the process uses: nobody counts these where they change, since whoever wants to know
 * is content with how they were a moment ago.  Then the watchdog looks at it, the
 * history puts it down, and the dashboards are told.
 *
 * It also shows /metrics what is not a count.
 */
#include "second.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <libwebsockets.h>
#include <string.h>

#include "ask.h"
#include "beat.h"
#include "codes.h"
#include "dashboard.h"
#include "history.h"
#include "hub.h"
#include "kept.h"
#include "listen.h"
#include "metrics.h"
#include "parts.h"
#include "query.h"
#include "survey.h"
#include "vitals.h"
#include "watchdog.h"

#define SECOND_MS	1000

static void
sample(struct bridge *bridge)
{
	metric_set(METRIC_SUBS_WAITING, ask_waiting(bridge->ask));
	metric_set(METRIC_QUERIES_WAITING, query_waiting(bridge->query));
	metric_set(METRIC_KEPT, (int64_t) kept_count(hub_kept(bridge->hub)));
}

/* Streams are walked through only if somebody looks, at any worker. */
static void
say_vitals(struct bridge *bridge, int64_t now_ms)
{
	static struct top by_watchers;
	static struct top by_messages;

	by_watchers.count = by_messages.count = 0;
	if (metric_get(METRIC_DASHBOARDS) > 0)
		hub_top(bridge->hub, now_ms, &by_watchers, &by_messages);
	vitals_say(&by_watchers, &by_messages);
}

/* Called ten times a second. */
void
second_tick(struct bridge *bridge, int64_t now_ms)
{
	static int64_t due_ms;

	survey_tick(bridge->survey, now_ms);
	dashboards_tick(bridge->dashboards);
	if (now_ms < due_ms)
		return;

	/* A beat that was missed is left out; the next comes at its own time. */
	due_ms += SECOND_MS;
	if (due_ms <= now_ms)
		due_ms = now_ms + SECOND_MS;
	sample(bridge);
	say_vitals(bridge, now_ms);
	watchdog_turn(bridge->watchdog, bridge->config, now_ms);
	history_turn(bridge->history);
	dashboards_second(bridge->dashboards);
}

static void
write_gauge(struct buf *out, const char *name, const char *help)
{
	buf_printf(out, "# HELP sync_progress_bridge_%s %s\n# TYPE sync_progress_bridge_%s gauge\n"
			   "sync_progress_bridge_%s", name, help, name, name);
}

/* Append everything that /metrics shows. */
void
second_write(const struct bridge *bridge, struct buf *out)
{
	double		usage = survey_queue_usage(bridge->survey);
	int64_t		heard_s = listen_beat(bridge->listen)->heard_at_s;

	metrics_write(out);
	vitals_write(out);
	write_gauge(out, "max_connections", "Connections that are allowed at a time.");
	buf_printf(out, " %d\n", bridge->config->max_connections);
	write_gauge(out, "extension_worker_heartbeat_timestamp_seconds",
				"When the extension's worker was heard last, in seconds since 1970; 0: not yet.");
	buf_printf(out, " %" PRId64 "\n", heard_s);
	if (usage >= 0)
	{
		write_gauge(out, "notify_queue_ratio",
					"Which part of the server's queue of notifications is full, all databases together.");
		buf_printf(out, " %.6g\n", usage);
	}
	write_gauge(out, "build_info", "Always 1; the labels say what runs.");
	buf_printf(out, "{version=\"" CODE_VERSION "\",libwebsockets=\"%.*s\",libpq=\"%d.%d\"} 1\n",
			   (int) strcspn(lws_get_library_version(), "-"), lws_get_library_version(),
			   PQlibVersion() / 10000, PQlibVersion() % 10000);
}
