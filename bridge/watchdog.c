/*
 * watchdog.c
 *		Says when this worker is slow, or has much that waits.
 *
 * Looked at once a second, over the last ten: the 95th percentile of what
 * messages took from their emission to the sockets, and the least that waited in
 * each queue, for what is there only for a moment is no queue.  Each worker
 * looks at itself, since each has a loop of its own to be slow in.
 *
 * The line that says so names the cause: the stage that took longest, or the queue.
 * Clients that take nothing are their own networks' matter as long as they are
 * few: they count when they are a tenth of all connections.
 *
 * When to speak is alarm.c's.
 */
#include "watchdog.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "alarm.h"
#include "config.h"
#include "log.h"
#include "metrics.h"
#include "shared.h"

#define WATCHDOG_SECONDS	10
#define WATCHDOG_LEAST		5	/* fewer messages say nothing */
#define WATCHDOG_STUCK_PART	10	/* of the connections */

enum queue
{
	QUEUE_WRITES,
	QUEUE_ACTIONS,
	QUEUE_SUBSCRIPTIONS,
	QUEUE_QUERIES,
	QUEUES
};

static const struct
{
	const char *name;
	enum metric metric;
}			queues[QUEUES] = {
	[QUEUE_WRITES] = {"writes", METRIC_WRITES_WAITING},
	[QUEUE_ACTIONS] = {"actions", METRIC_ACTIONS_WAITING},
	[QUEUE_SUBSCRIPTIONS] = {"subscriptions", METRIC_SUBS_WAITING},
	[QUEUE_QUERIES] = {"queries", METRIC_QUERIES_WAITING},
};

static const struct
{
	const char *name;
	enum timing timing;
}			stages[] = {
	{"notify", TIMING_NOTIFY}, {"hub", TIMING_HUB}, {"write", TIMING_WRITE},
};

#define STAGES	((int) (sizeof(stages) / sizeof(stages[0])))

struct moment
{
	struct histogram timings[TIMINGS];
	int64_t		depths[QUEUES];
};

struct watchdog
{
	struct moment moments[WATCHDOG_SECONDS];	/* a ring */
	int			next;
	int			count;
	struct alarm latency;
	struct alarm depth;
};

struct watchdog *
watchdog_create(void)
{
	return mem_zalloc(sizeof(struct watchdog));
}

void
watchdog_free(struct watchdog *watchdog)
{
	free(watchdog);
}

/* What this took in the last ten seconds, of every hundred 95; -1: too few. */
static int64_t
p95_ms(const struct watchdog *watchdog, enum timing timing, uint64_t least)
{
	const struct moment *oldest = &watchdog->moments[watchdog->next];
	struct histogram now;

	timing_get_own(timing, &now);
	if (watchdog->count == WATCHDOG_SECONDS)
		histogram_since(&now, &oldest->timings[timing]);
	else
		histogram_since(&now, &watchdog->moments[0].timings[timing]);
	if (histogram_count(&now) < least)
		return -1;
	return histogram_quantile_us(&now, 0.95) / 1000;
}

/* The least that waited there in the last ten seconds. */
static int64_t
depth_of(const struct watchdog *watchdog, enum queue queue)
{
	int64_t		least = INT64_MAX;

	if (watchdog->count < WATCHDOG_SECONDS)
		return 0;
	for (int i = 0; i < WATCHDOG_SECONDS; i++)
		if (watchdog->moments[i].depths[queue] < least)
			least = watchdog->moments[i].depths[queue];
	return least;
}

static void
remember(struct watchdog *watchdog)
{
	struct moment *moment = &watchdog->moments[watchdog->next];
	int			worker = shared_worker();
	int64_t		connections = metric_get_of(worker, METRIC_CONNECTIONS);

	for (int i = 0; i < TIMINGS; i++)
		timing_get_own((enum timing) i, &moment->timings[i]);
	for (int i = 0; i < QUEUES; i++)
		moment->depths[i] = metric_get_of(worker, queues[i].metric);
	if (moment->depths[QUEUE_WRITES] * WATCHDOG_STUCK_PART < connections)
		moment->depths[QUEUE_WRITES] = 0;
	watchdog->next = (watchdog->next + 1) % WATCHDOG_SECONDS;
	if (watchdog->count < WATCHDOG_SECONDS)
		watchdog->count++;
}

static void
say_latency(struct watchdog *watchdog, int64_t p95, int64_t limit_ms)
{
	int			slowest = 0;
	int64_t		took_ms[STAGES];

	for (int i = 0; i < STAGES; i++)
	{
		took_ms[i] = p95_ms(watchdog, stages[i].timing, 1);
		if (took_ms[i] > took_ms[slowest])
			slowest = i;
	}
	log_warn("watchdog", "messages are slow p95_ms=%" PRId64 " limit_ms=%" PRId64 " stage=%s "
			 "notify_ms=%" PRId64 " hub_ms=%" PRId64 " write_ms=%" PRId64 " loop_lag_ms=%" PRId64 " times=%u",
			 p95, limit_ms, stages[slowest].name, took_ms[0], took_ms[1], took_ms[2],
			 p95_ms(watchdog, TIMING_LOOP, 1), watchdog->latency.unsaid);
}

static void
watch_latency(struct watchdog *watchdog, int64_t limit_ms, int64_t now_ms)
{
	struct alarm *alarm = &watchdog->latency;
	int64_t		p95 = p95_ms(watchdog, TIMING_DELIVERY, WATCHDOG_LEAST);
	unsigned	times = alarm->times;

	switch (alarm_turn(alarm, p95, limit_ms, now_ms))
	{
		case ALARM_BEGINS:
			say_latency(watchdog, p95, limit_ms);
			break;
		case ALARM_ENDS:
			log_info("watchdog", "messages are quick again p95_ms=%" PRId64 " worst_ms=%" PRId64
					 " seconds=%" PRId64, p95 < 0 ? 0 : p95, alarm->worst, (now_ms - alarm->begun_ms) / 1000);
			break;
		case ALARM_SILENT:
			break;
	}
	metric_set(METRIC_ALARM_LATENCY, alarm->is_on);
	metric_add(METRIC_ALARMS_LATENCY, alarm->times - times);
}

static void
watch_depth(struct watchdog *watchdog, int64_t limit, int64_t now_ms)
{
	struct alarm *alarm = &watchdog->depth;
	unsigned	times = alarm->times;
	enum queue	deepest = QUEUE_WRITES;
	int64_t		depth;

	for (int i = 0; i < QUEUES; i++)
		if (depth_of(watchdog, (enum queue) i) > depth_of(watchdog, deepest))
			deepest = (enum queue) i;
	depth = depth_of(watchdog, deepest);
	switch (alarm_turn(alarm, depth, limit, now_ms))
	{
		case ALARM_BEGINS:
			log_warn("watchdog", "much waits queue=%s depth=%" PRId64 " limit=%" PRId64 " times=%u",
					 queues[deepest].name, depth, limit, alarm->unsaid);
			break;
		case ALARM_ENDS:
			log_info("watchdog", "little waits again depth=%" PRId64 " worst=%" PRId64 " seconds=%" PRId64,
					 depth, alarm->worst, (now_ms - alarm->begun_ms) / 1000);
			break;
		case ALARM_SILENT:
			break;
	}
	metric_set(METRIC_ALARM_DEPTH, alarm->is_on);
	metric_add(METRIC_ALARMS_DEPTH, alarm->times - times);
}

/* Once a second. */
void
watchdog_turn(struct watchdog *watchdog, const struct config *config, int64_t now_ms)
{
	if (watchdog->count > 0)
	{
		watch_latency(watchdog, config->alarm_latency_ms, now_ms);
		watch_depth(watchdog, config->alarm_depth, now_ms);
	}
	remember(watchdog);
}
