/*
 * metrics.c
 *		What is counted, and how it is shown.
 *
 * One table.  A row is a number with its name, its label if several rows share
 * a name, and its help; rows of one name stand together.  Gauges go up and down
 * by metric_add() where what they count begins and ends.
 *
 * Each worker has a slot of its own in shared memory and is the only one to
 * write there, so counting is a plain addition; what is shown is the sum.  When
 * a worker is gone so is what its gauges counted, and the supervisor clears
 * them; what its counters have counted has happened, and the next worker in
 * that place counts on.  Until metrics_open() there is one slot, not shared.
 *
 * What is timed is in histograms there.  A clock is read once for many: see
 * hub_time.c, and listen.c.
 *
 * The text is Prometheus' exposition format 0.0.4.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "shared.h"

#define PREFIX	"sync_progress_bridge_"

struct metric_row
{
	const char *name;			/* ends in _total: a counter; else a gauge */
	const char *label;			/* NULL: none */
	const char *help;
	bool		is_time;		/* of which the earliest counts, not the sum */
};

static const struct metric_row rows[METRICS] = {
	[METRIC_CONNECTIONS] = {"connections", NULL, "Connections now."},
	[METRIC_CABLES] = {"cable_clients", NULL, "WebSocket clients now."},
	[METRIC_STREAMS] = {"stream_clients", NULL, "Clients of event streams now."},
	[METRIC_SUBSCRIPTIONS] = {"subscriptions", NULL, "Subscriptions that watch a stream now."},
	[METRIC_ACCEPTED] = {"accepted_total", NULL, "Connections accepted."},
	[METRIC_FRAMES_IN] = {"frames_received_total", NULL, "WebSocket frames received."},
	[METRIC_BYTES_IN] = {"received_bytes_total", NULL, "Bytes of them, without their headers."},
	[METRIC_FRAMES_OUT] = {"frames_sent_total", NULL, "Frames and stream messages sent."},
	[METRIC_BYTES_OUT] = {"sent_bytes_total", NULL, "Bytes of them, without their headers."},
	[METRIC_STATES_OUT] = {"states_sent_total", NULL, "States sent to watchers."},
	[METRIC_CONFLATED] = {"conflated_total", NULL,
	"States that a slow watcher was spared, since a newer one came."},
	[METRIC_EVENTS_OUT] = {"events_sent_total", NULL, "Events of lists sent to watchers."},
	[METRIC_ACTIONS] = {"actions_total", NULL, "Actions passed on to the database."},
	[METRIC_NOTIFICATIONS] = {"notifications_total", NULL, "Notifications received."},
	[METRIC_NOTIFIED_BYTES] = {"notification_bytes_total", NULL, "Bytes of them."},
	[METRIC_SKEWED] = {"clock_skew_clamped_total", NULL,
		"Notifications that came before they were sent, for the clocks of database and bridge differ; "
	"counted as having taken no time."},
	[METRIC_QUERIES] = {"queries_total", NULL, "Queries sent to the database."},
	[METRIC_DB_CONNECTS] = {"database_connects_total", NULL,
	"Connections to the database that were established."},
	[METRIC_DB_UP_LISTEN] = {"database_connections", "connection=\"listen\"",
	"Connections to the database now."},
	[METRIC_DB_UP_QUERY] = {"database_connections", "connection=\"query\"", NULL},
	[METRIC_DB_UP_POOL] = {"database_connections", "connection=\"actions\"", NULL},
	[METRIC_DB_LOST_LISTEN] = {"database_reconnects_total", "connection=\"listen\"",
	"Connections to the database that were lost, and had to be made anew."},
	[METRIC_DB_LOST_QUERY] = {"database_reconnects_total", "connection=\"query\"", NULL},
	[METRIC_DB_LOST_POOL] = {"database_reconnects_total", "connection=\"actions\"", NULL},
	[METRIC_UNKNOWN_COMMANDS] = {"unknown_commands_total", NULL,
	"Frames that were not understood, and ignored."},
	[METRIC_ACCEPT_PAUSES] = {"accept_pauses_total", NULL,
	"Times that accepting waited, since accepts_per_second was reached."},
	[METRIC_REQUESTS_OK] = {"http_answers_total", "class=\"ok\"",
	"HTTP requests answered: ok below 400, refused below 500, failed from there on."},
	[METRIC_REQUESTS_REFUSED] = {"http_answers_total", "class=\"refused\"", NULL},
	[METRIC_REQUESTS_FAILED] = {"http_answers_total", "class=\"failed\"", NULL},
	[METRIC_ACTIONS_WAITING] = {"queue_depth", "queue=\"actions\"",
		"What waits now: actions, lists and reports for a connection to the database; "
		"writes for clients that have not taken what came before; subscriptions for their question to "
	"the database; queries for their answer; notifications that are kept while one is under way."},
	[METRIC_WRITES_WAITING] = {"queue_depth", "queue=\"writes\"", NULL},
	[METRIC_SUBS_WAITING] = {"queue_depth", "queue=\"subscriptions\"", NULL},
	[METRIC_QUERIES_WAITING] = {"queue_depth", "queue=\"queries\"", NULL},
	[METRIC_KEPT] = {"queue_depth", "queue=\"notifications\"", NULL},
	[METRIC_WORKERS] = {"workers", NULL, "Processes that serve clients."},
	[METRIC_WORKERS_READY] = {"workers_ready", NULL,
	"Those of them whose clients would see something: what /readyz says."},
	[METRIC_DASHBOARDS] = {"dashboard_clients", NULL, "Pages that show the dashboard now."},
	[METRIC_ALARM_LATENCY] = {"alarm_active", "alarm=\"latency\"",
	"1 for each worker that is above alarm_latency_ms, or above alarm_depth."},
	[METRIC_ALARM_DEPTH] = {"alarm_active", "alarm=\"depth\"", NULL},
	[METRIC_ALARMS_LATENCY] = {"alarms_total", "alarm=\"latency\"", "Times that such an alarm began."},
	[METRIC_ALARMS_DEPTH] = {"alarms_total", "alarm=\"depth\"", NULL},
	[METRIC_TLS_EXPIRES_AT] = {"tls_certificate_expiry_timestamp_seconds", NULL,
	"When the certificate that is served ends; 0: no TLS is.", true},
	[METRIC_REFUSED_FULL] = {"refused_total", "reason=\"max_connections\"",
	"What was refused, by reason."},
	[METRIC_REFUSED_PLACE] = {"refused_total", "reason=\"max_connections_per_address\"", NULL},
	[METRIC_REFUSED_RATE] = {"refused_total", "reason=\"refused_per_minute\"", NULL},
	[METRIC_REFUSED_SUBSCRIPTIONS] = {"refused_total", "reason=\"max_subscriptions\"", NULL},
	[METRIC_REFUSED_IDENTIFIER] = {"refused_total", "reason=\"identifier_size\"", NULL},
	[METRIC_REFUSED_FRAME_SIZE] = {"refused_total", "reason=\"frame_size\"", NULL},
	[METRIC_REFUSED_HEADER_SIZE] = {"refused_total", "reason=\"header_size\"", NULL},
	[METRIC_REFUSED_BODY_SIZE] = {"refused_total", "reason=\"body_size\"", NULL},
	[METRIC_REFUSED_ORIGIN] = {"refused_total", "reason=\"origin\"", NULL},
	[METRIC_REFUSED_TOKEN] = {"refused_total", "reason=\"token\"", NULL},
	[METRIC_REFUSED_SUBSCRIBE] = {"refused_total", "reason=\"subscribe\"", NULL},
	[METRIC_REFUSED_ACTIONS] = {"refused_total", "reason=\"action\"", NULL},
	[METRIC_TIMED_OUT_REQUEST] = {"timed_out_total", "stage=\"request\"",
	"Connections ended since a stage took too long."},
	[METRIC_TIMED_OUT_BODY] = {"timed_out_total", "stage=\"body\"", NULL},
	[METRIC_TIMED_OUT_REPLY] = {"timed_out_total", "stage=\"reply\"", NULL},
	[METRIC_TIMED_OUT_KEPT] = {"timed_out_total", "stage=\"keepalive\"", NULL},
	[METRIC_TIMED_OUT_CLOSE] = {"timed_out_total", "stage=\"close\"", NULL},
};

struct timing_row
{
	const char *name;
	const char *label;			/* NULL: none */
	const char *help;
};

static const struct timing_row timing_rows[TIMINGS] = {
	[TIMING_NOTIFY] = {"stage_seconds", "stage=\"notify\"",
		"Stages on the way of a message: notify, from its emission by the extension's worker to its "
		"receipt here, by the clocks of both; hub, until everything was read that came with it; write, "
	"until it was written to a watcher's socket, the others before it included."},
	[TIMING_HUB] = {"stage_seconds", "stage=\"hub\"", NULL},
	[TIMING_WRITE] = {"stage_seconds", "stage=\"write\"", NULL},
	[TIMING_DELIVERY] = {"delivery_seconds", NULL,
	"From the emission of a message by the extension's worker to the write to each watcher's socket."},
	[TIMING_LATE] = {"late_delivery_seconds", NULL,
		"Likewise, of states for watchers that had not taken what came before, when it was due: "
	"these are not in delivery_seconds."},
	[TIMING_LOOP] = {"event_loop_lag_seconds", NULL,
	"How late the event loop came to a timer that is due ten times a second."},
};

struct metric_slot
{
	int64_t		values[METRICS];
	struct histogram timings[TIMINGS];
} shared_line_aligned;

static struct metric_slot unshared;
static struct metric_slot *slots = &unshared;
static struct metric_slot *own = &unshared;
static int	slots_count = 1;

/* Before the workers are forked. */
void
metrics_open(void)
{
	slots_count = shared_workers();
	slots = shared_alloc(sizeof(*slots) * (size_t) slots_count);
	own = slots;
}

/* From now on this process counts as the worker that it has become. */
void
metrics_attach(void)
{
	own = &slots[shared_worker()];
}

void
metric_add(enum metric metric, int64_t amount)
{
	int64_t    *value = &own->values[metric];

	__atomic_store_n(value, *value + amount, __ATOMIC_RELAXED);
}

/* For what is looked at from time to time instead of being counted. */
void
metric_set(enum metric metric, int64_t value)
{
	__atomic_store_n(&own->values[metric], value, __ATOMIC_RELAXED);
}

int64_t
metric_get_of(int worker, enum metric metric)
{
	return __atomic_load_n(&slots[worker].values[metric], __ATOMIC_RELAXED);
}

/* How it differs from others of its name: reason="token"; NULL: it has none. */
const char *
metric_label(enum metric metric)
{
	return rows[metric].label;
}

/* It took so long, and so many times. */
void
timing_add(enum timing timing, int64_t us, uint64_t times)
{
	histogram_add(&own->timings[timing], us, times);
}

/* Of all workers. */
void
timing_get(enum timing timing, struct histogram *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (int i = 0; i < slots_count; i++)
		histogram_merge(sum, &slots[i].timings[timing]);
}

/* Of this worker. */
void
timing_get_own(enum timing timing, struct histogram *copy)
{
	*copy = own->timings[timing];
}

/* Of all workers. */
int64_t
metric_get(enum metric metric)
{
	int64_t		sum = 0;

	for (int i = 0; i < slots_count; i++)
	{
		int64_t		value = __atomic_load_n(&slots[i].values[metric], __ATOMIC_RELAXED);

		if (!rows[metric].is_time)
			sum += value;
		else if (value != 0 && (sum == 0 || value < sum))
			sum = value;
	}
	return sum;
}

static bool
is_counter(const char *name)
{
	size_t		len = strlen(name);

	return len > 6 && strcmp(name + len - 6, "_total") == 0;
}

/* A worker has ended, and nobody else is in its place yet. */
void
metrics_worker_gone(int worker)
{
	for (int i = 0; i < METRICS; i++)
		if (!is_counter(rows[i].name))
			__atomic_store_n(&slots[worker].values[i], 0, __ATOMIC_RELAXED);
}

static void
write_head(struct buf *out, const char *name, const char *type, const char *help)
{
	buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", PREFIX, name, help, PREFIX, name, type);
}

static void
write_timings(struct buf *out)
{
	for (int i = 0; i < TIMINGS; i++)
	{
		const struct timing_row *row = &timing_rows[i];
		struct histogram sum;
		char		name[64];

		if (row->help)
			write_head(out, row->name, "histogram", row->help);
		timing_get((enum timing) i, &sum);
		snprintf(name, sizeof(name), "%s%s", PREFIX, row->name);
		histogram_write(&sum, out, name, row->label);
	}
}

/* Append all of them to "out". */
void
metrics_write(struct buf *out)
{
	for (int i = 0; i < METRICS; i++)
	{
		const struct metric_row *row = &rows[i];

		if (i == 0 || strcmp(row->name, rows[i - 1].name) != 0)
			write_head(out, row->name, is_counter(row->name) ? "counter" : "gauge", row->help);
		buf_printf(out, "%s%s", PREFIX, row->name);
		if (row->label)
			buf_printf(out, "{%s}", row->label);
		buf_printf(out, " %" PRId64 "\n", metric_get((enum metric) i));
	}
	write_timings(out);
}
