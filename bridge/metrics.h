/*
 * metrics.h
 *		What is counted, and how it is shown.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdint.h>

#include "buf.h"
#include "histogram.h"

/* One a row of the table in metrics.c; names and meanings are there. */
enum metric
{
	METRIC_CONNECTIONS,
	METRIC_CABLES,
	METRIC_STREAMS,
	METRIC_SUBSCRIPTIONS,
	METRIC_ACCEPTED,
	METRIC_FRAMES_IN,
	METRIC_BYTES_IN,
	METRIC_FRAMES_OUT,
	METRIC_BYTES_OUT,
	METRIC_STATES_OUT,
	METRIC_CONFLATED,
	METRIC_EVENTS_OUT,
	METRIC_ACTIONS,
	METRIC_NOTIFICATIONS,
	METRIC_NOTIFIED_BYTES,
	METRIC_SKEWED,
	METRIC_QUERIES,
	METRIC_DB_CONNECTS,
	METRIC_DB_UP_LISTEN,
	METRIC_DB_UP_QUERY,
	METRIC_DB_UP_POOL,
	METRIC_DB_LOST_LISTEN,
	METRIC_DB_LOST_QUERY,
	METRIC_DB_LOST_POOL,
	METRIC_UNKNOWN_COMMANDS,
	METRIC_ACCEPT_PAUSES,
	METRIC_REQUESTS_OK,
	METRIC_REQUESTS_REFUSED,
	METRIC_REQUESTS_FAILED,
	METRIC_ACTIONS_WAITING,
	METRIC_WRITES_WAITING,
	METRIC_SUBS_WAITING,
	METRIC_QUERIES_WAITING,
	METRIC_KEPT,
	METRIC_WORKERS,
	METRIC_WORKERS_READY,
	METRIC_DASHBOARDS,
	METRIC_ALARM_LATENCY,
	METRIC_ALARM_DEPTH,
	METRIC_ALARMS_LATENCY,
	METRIC_ALARMS_DEPTH,
	METRIC_TLS_EXPIRES_AT,
	METRIC_REFUSED_FULL,
	METRIC_REFUSED_PLACE,
	METRIC_REFUSED_RATE,
	METRIC_REFUSED_SUBSCRIPTIONS,
	METRIC_REFUSED_IDENTIFIER,
	METRIC_REFUSED_FRAME_SIZE,
	METRIC_REFUSED_BODY_SIZE,
	METRIC_REFUSED_HEADER_SIZE,
	METRIC_REFUSED_ORIGIN,
	METRIC_REFUSED_TOKEN,
	METRIC_REFUSED_SUBSCRIBE,
	METRIC_REFUSED_ACTIONS,
	METRIC_TIMED_OUT_REQUEST,
	METRIC_TIMED_OUT_BODY,
	METRIC_TIMED_OUT_REPLY,
	METRIC_TIMED_OUT_KEPT,
	METRIC_TIMED_OUT_CLOSE,
	METRICS
};

/* Likewise, what is timed. */
enum timing
{
	TIMING_NOTIFY,
	TIMING_HUB,
	TIMING_WRITE,
	TIMING_DELIVERY,
	TIMING_LATE,
	TIMING_LOOP,
	TIMINGS
};

void		metrics_open(void);
void		metrics_attach(void);
void		metrics_worker_gone(int worker);
void		metric_add(enum metric metric, int64_t amount);
void		metric_set(enum metric metric, int64_t value);
int64_t		metric_get(enum metric metric);
int64_t		metric_get_of(int worker, enum metric metric);
const char *metric_label(enum metric metric);
void		timing_add(enum timing timing, int64_t us, uint64_t times);
void		timing_get(enum timing timing, struct histogram *sum);
void		timing_get_own(enum timing timing, struct histogram *copy);
void		metrics_write(struct buf *out);

#define metric_count(metric)	metric_add(metric, 1)

#endif							/* METRICS_H */
