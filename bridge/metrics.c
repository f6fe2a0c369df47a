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
 * The text is Prometheus' exposition format 0.0.4.
 */
#include "metrics.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "shared.h"

#define PREFIX	"sync_progress_bridge_"

struct metric_row
{
	const char *name;			/* ends in _total: a counter; else a gauge */
	const char *label;			/* NULL: none */
	const char *help;
};

static const struct metric_row rows[METRICS] = {
	[METRIC_CONNECTIONS] = {"connections", NULL, "Connections now."},
	[METRIC_CABLES] = {"cable_clients", NULL, "WebSocket clients now."},
	[METRIC_STREAMS] = {"stream_clients", NULL, "Clients of event streams now."},
	[METRIC_SUBSCRIPTIONS] = {"subscriptions", NULL, "Subscriptions that watch a stream now."},
	[METRIC_ACCEPTED] = {"accepted_total", NULL, "Connections accepted."},
	[METRIC_FRAMES_IN] = {"frames_received_total", NULL, "WebSocket frames received."},
	[METRIC_FRAMES_OUT] = {"frames_sent_total", NULL, "Frames and stream messages sent."},
	[METRIC_BYTES_OUT] = {"sent_bytes_total", NULL, "Bytes of them, without their headers."},
	[METRIC_STATES_OUT] = {"states_sent_total", NULL, "States sent to watchers."},
	[METRIC_CONFLATED] = {"conflated_total", NULL,
	"States that a slow watcher was spared, since a newer one came."},
	[METRIC_EVENTS_OUT] = {"events_sent_total", NULL, "Events of lists sent to watchers."},
	[METRIC_ACTIONS] = {"actions_total", NULL, "Actions passed on to the database."},
	[METRIC_NOTIFICATIONS] = {"notifications_total", NULL, "Notifications received."},
	[METRIC_QUERIES] = {"queries_total", NULL, "Queries sent to the database."},
	[METRIC_DB_CONNECTS] = {"database_connects_total", NULL,
	"Connections to the database that were established."},
	[METRIC_UNKNOWN_COMMANDS] = {"unknown_commands_total", NULL,
	"Frames that were not understood, and ignored."},
	[METRIC_ACCEPT_PAUSES] = {"accept_pauses_total", NULL,
	"Times that accepting waited, since accepts_per_second was reached."},
	[METRIC_REQUESTS_OK] = {"http_answers_total", "class=\"ok\"",
	"HTTP requests answered: ok below 400, refused below 500, failed from there on."},
	[METRIC_REQUESTS_REFUSED] = {"http_answers_total", "class=\"refused\"", NULL},
	[METRIC_REQUESTS_FAILED] = {"http_answers_total", "class=\"failed\"", NULL},
	[METRIC_ACTIONS_WAITING] = {"actions_waiting", NULL,
	"Actions, lists and workers' reports that wait for a connection to the database now."},
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

struct metric_slot
{
	int64_t		values[METRICS];
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

/* Of all workers. */
int64_t
metric_get(enum metric metric)
{
	int64_t		sum = 0;

	for (int i = 0; i < slots_count; i++)
		sum += __atomic_load_n(&slots[i].values[metric], __ATOMIC_RELAXED);
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

/* Append all of them to "out". */
void
metrics_write(struct buf *out)
{
	for (int i = 0; i < METRICS; i++)
	{
		const struct metric_row *row = &rows[i];

		if (i == 0 || strcmp(row->name, rows[i - 1].name) != 0)
			buf_printf(out, "# HELP %s%s %s\n# TYPE %s%s %s\n", PREFIX, row->name, row->help,
					   PREFIX, row->name, is_counter(row->name) ? "counter" : "gauge");
		buf_printf(out, "%s%s", PREFIX, row->name);
		if (row->label)
			buf_printf(out, "{%s}", row->label);
		buf_printf(out, " %" PRId64 "\n", metric_get((enum metric) i));
	}
}
