/*
 * dashboard_json.c
 *		What the dashboard shows, as JSON.
 *
 * Counts are of all workers together.  What is said of the database is what this
 * worker knows of it: each has connections of its own.
 */
#include "dashboard_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "beat.h"
#include "clock.h"
#include "codes.h"
#include "config.h"
#include "history.h"
#include "listen.h"
#include "metrics.h"
#include "parts.h"
#include "query.h"
#include "ready.h"
#include "shared.h"
#include "survey.h"
#include "top.h"
#include "vitals.h"

static void
add_string(struct buf *out, const char *name, const char *value)
{
	buf_printf(out, ",\"%s\":", name);
	buf_add_json_string(out, value, strlen(value));
}

static void
add_count(struct buf *out, const char *name, int64_t value)
{
	buf_printf(out, ",\"%s\":%" PRId64, name, value);
}

static void
add_bool(struct buf *out, const char *name, bool value)
{
	buf_printf(out, ",\"%s\":%s", name, value ? "true" : "false");
}

/* A comma that comes before is one too many where an object or a list begins. */
static void
begin(struct buf *out, const char *name, const char *bracket)
{
	buf_printf(out, ",\"%s\":%s", name, bracket);
}

static void
end(struct buf *out, const char *bracket)
{
	if (out->data[out->len - 1] == ',')
		out->len--;
	buf_add_text(out, bracket);
}

/* ---- the sections ---- */

static void
add_now(struct buf *out, const struct bridge *bridge)
{
	const char *why;
	bool		is_ready = ready_check(bridge, &why);

	buf_printf(out, "{\"time\":%" PRId64 ",\"version\":\"" CODE_VERSION "\"", clock_wall_us() / 1000);
	add_bool(out, "ready", is_ready);
	add_string(out, "why", is_ready ? ready_note(bridge) : why);
	buf_printf(out, ",\"limits\":{\"latency_ms\":%d,\"depth\":%d,\"connections\":%d}",
			   bridge->config->alarm_latency_ms, bridge->config->alarm_depth,
			   bridge->config->max_connections);
	buf_printf(out, ",\"alarms\":{\"latency\":%" PRId64 ",\"depth\":%" PRId64 ",\"times\":%" PRId64 "}",
			   metric_get(METRIC_ALARM_LATENCY), metric_get(METRIC_ALARM_DEPTH),
			   metric_get(METRIC_ALARMS_LATENCY) + metric_get(METRIC_ALARMS_DEPTH));
	buf_add_text(out, ",\"point\":");
	history_write_last(bridge->history, out);
}

static void
add_counts(struct buf *out)
{
	static const struct
	{
		const char *name;
		enum metric metric;
	}			counts[] = {
		{"connections", METRIC_CONNECTIONS}, {"cables", METRIC_CABLES},
		{"streams", METRIC_STREAMS}, {"subscriptions", METRIC_SUBSCRIPTIONS},
		{"dashboards", METRIC_DASHBOARDS}, {"accepted", METRIC_ACCEPTED},
		{"notifications", METRIC_NOTIFICATIONS}, {"states", METRIC_STATES_OUT},
		{"events", METRIC_EVENTS_OUT}, {"bytes", METRIC_BYTES_OUT},
		{"conflated", METRIC_CONFLATED}, {"actions", METRIC_ACTIONS},
		{"queries", METRIC_QUERIES}, {"skewed", METRIC_SKEWED},
		{"requests_failed", METRIC_REQUESTS_FAILED},
	};

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++)
		add_count(out, counts[i].name, metric_get(counts[i].metric));
}

static void
add_ms(struct buf *out, const char *name, double ms)
{
	if (ms < 0)
		buf_printf(out, ",\"%s\":null", name);
	else
		buf_printf(out, ",\"%s\":%.3g", name, ms);
}

static void
add_stages(struct buf *out, const struct history *history)
{
	static const struct
	{
		const char *name;
		enum timing timing;
	}			stages[] = {
		{"notify", TIMING_NOTIFY}, {"hub", TIMING_HUB}, {"write", TIMING_WRITE},
		{"delivery", TIMING_DELIVERY}, {"late", TIMING_LATE}, {"loop", TIMING_LOOP},
	};

	begin(out, "stages", "[");
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++)
	{
		struct history_quantiles took = history_quantiles(history, stages[i].timing, HISTORY_SECONDS);

		buf_printf(out, "{\"name\":\"%s\"", stages[i].name);
		add_count(out, "count", (int64_t) took.count);
		add_ms(out, "p50", took.p50_ms);
		add_ms(out, "p95", took.p95_ms);
		add_ms(out, "p99", took.p99_ms);
		buf_add_text(out, "},");
	}
	end(out, "]");
}

/* The value of the only label that these have: what is between its quotes. */
static void
add_label(struct buf *out, enum metric metric)
{
	const char *value = strchr(metric_label(metric), '"') + 1;

	buf_add_json_string(out, value, strlen(value) - 1);
}

/* All of one name, which stand together in the table. */
static void
add_family(struct buf *out, const struct history *history, const char *name, enum metric first,
		   enum metric last)
{
	begin(out, name, "[");
	for (int i = first; i <= (int) last; i++)
	{
		buf_add_text(out, "{\"name\":");
		add_label(out, (enum metric) i);
		add_count(out, "total", metric_get((enum metric) i));
		add_count(out, "minute", history_grown(history, (enum metric) i, HISTORY_SECONDS));
		buf_add_text(out, "},");
	}
	end(out, "]");
}

/* Can anybody look, where not everybody may see everything? */
static bool
is_for_all(const struct config *config)
{
	return config->admin_listen.count == 0 && config->auth != CONFIG_AUTH_NONE;
}

/*
 * What a stream is called says whose it is: for all it is said only of what kind
 * it is.
 */
static void
add_stream(struct buf *out, const struct config *config, const char *name)
{
	struct buf	shown = {0};

	if (is_for_all(config))
		buf_printf(&shown, "%.*s:\xe2\x80\xa6", (int) strcspn(name, ":"), name);
	else
		buf_add_text(&shown, name);
	buf_add_json_string(out, shown.data, shown.len);
	buf_free(&shown);
}

static void
add_top(struct buf *out, const struct config *config, const char *name, const struct top *top)
{
	begin(out, name, "[");
	for (int i = 0; i < top->count; i++)
	{
		const struct top_item *item = &top->items[i];

		buf_add_text(out, "[");
		add_stream(out, config, item->name);
		buf_printf(out, ",%.0f,%.3g],", item->watchers, item->rate);
	}
	end(out, "]");
}

/* The workers, and what they have as their greatest streams. */
static void
add_workers(struct buf *out, const struct config *config)
{
	struct top	by_watchers = {0};
	struct top	by_messages = {0};

	begin(out, "workers", "[");
	for (int i = 0; i < shared_workers(); i++)
	{
		struct vitals vitals;

		if (!vitals_of(i, &vitals))
			continue;
		buf_printf(out, "{\"worker\":%d,\"pid\":%d,\"started\":%" PRId64 ",\"turned\":%" PRId64
				   ",\"cpu\":%.2f,\"resident\":%" PRId64, i + 1, vitals.pid, vitals.started_s,
				   vitals.turned_s, vitals.cpu_s, vitals.resident_bytes);
		add_count(out, "connections", metric_get_of(i, METRIC_CONNECTIONS));
		add_count(out, "subscriptions", metric_get_of(i, METRIC_SUBSCRIPTIONS));
		add_count(out, "states", metric_get_of(i, METRIC_STATES_OUT));
		add_bool(out, "ready", metric_get_of(i, METRIC_WORKERS_READY) > 0);
		buf_add_text(out, "},");
		top_merge(&by_watchers, TOP_BY_WATCHERS, &vitals.by_watchers);
		top_merge(&by_messages, TOP_BY_RATE, &vitals.by_messages);
	}
	end(out, "]");
	add_top(out, config, "top_watchers", &by_watchers);
	add_top(out, config, "top_messages", &by_messages);
}

static void
add_database(struct buf *out, const struct bridge *bridge)
{
	double		usage = survey_queue_usage(bridge->survey);
	bool		is_listening = listen_is_live(bridge->listen);
	bool		is_asking = query_is_up(bridge->query);

	buf_printf(out, ",\"database\":{\"listen\":%s", is_listening ? "true" : "false");
	add_bool(out, "query", is_asking);
	add_count(out, "actions", metric_get_of(shared_worker(), METRIC_DB_UP_POOL));
	add_count(out, "actions_wanted", bridge->config->action_connections);
	add_count(out, "reconnects", metric_get(METRIC_DB_LOST_LISTEN) +
			  metric_get(METRIC_DB_LOST_QUERY) + metric_get(METRIC_DB_LOST_POOL));
	add_string(out, "server", survey_server(bridge->survey));
	add_string(out, "problem", !is_listening ? listen_problem(bridge->listen) :
			   !is_asking ? query_problem(bridge->query) : "");
	add_string(out, "missing", survey_missing_rights(bridge->survey));
	if (usage >= 0)
		buf_printf(out, ",\"queue_usage\":%.6g", usage);
	buf_add_text(out, "}");
}

/*
 * What the extension's worker says of itself.  An error of a function that
 * somebody has written may have anything in it, so it is not for all.
 */
static void
add_stat(struct buf *out, const struct config *config, const char *stat)
{
	json_t	   *all = stat && is_for_all(config) ? json_loads(stat, 0, NULL) : NULL;
	char	   *shown = NULL;

	if (json_is_string(json_object_get(all, "last_error")))
		json_object_set_new(all, "last_error", json_string("is shown where admin_listen is set"));
	if (all)
		shown = json_dumps(all, JSON_COMPACT);
	buf_printf(out, ",\"stat\":%s", shown ? shown : stat && !is_for_all(config) ? stat : "null");
	free(shown);
	json_decref(all);
}

static void
add_extension(struct buf *out, const struct bridge *bridge)
{
	const struct beat *beat = listen_beat(bridge->listen);

	buf_printf(out, ",\"extension\":{\"pid\":%d", listen_is_live(bridge->listen) ? beat->pid : 0);
	add_count(out, "heard", beat->heard_at_s);
	add_count(out, "silent_ms", beat->silent_ms);
	add_count(out, "interval_ms", beat->interval_ms);
	add_bool(out, "missed", beat_is_missed(beat));
	add_stat(out, bridge->config, survey_worker(bridge->survey));
	buf_add_text(out, "}");
}

/* Append all of it. */
void
dashboard_json(const struct bridge *bridge, struct buf *out)
{
	add_now(out, bridge);
	add_counts(out);
	add_stages(out, bridge->history);
	add_family(out, bridge->history, "queues", METRIC_ACTIONS_WAITING, METRIC_KEPT);
	add_family(out, bridge->history, "refused", METRIC_REFUSED_FULL, METRIC_REFUSED_ACTIONS);
	add_family(out, bridge->history, "timed_out", METRIC_TIMED_OUT_REQUEST, METRIC_TIMED_OUT_CLOSE);
	add_workers(out, bridge->config);
	add_database(out, bridge);
	add_extension(out, bridge);
	buf_add_text(out, "}");
}
