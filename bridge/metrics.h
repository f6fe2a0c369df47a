/*
 * metrics.h
 *		What is counted, and how it is shown.
 */
#ifndef METRICS_H
#define METRICS_H

#include <stdint.h>

#include "buf.h"

/* One a row of the table in metrics.c; names and meanings are there. */
enum metric
{
	METRIC_CONNECTIONS,
	METRIC_CABLES,
	METRIC_STREAMS,
	METRIC_SUBSCRIPTIONS,
	METRIC_ACCEPTED,
	METRIC_FRAMES_IN,
	METRIC_FRAMES_OUT,
	METRIC_BYTES_OUT,
	METRIC_STATES_OUT,
	METRIC_CONFLATED,
	METRIC_EVENTS_OUT,
	METRIC_NOTIFICATIONS,
	METRIC_QUERIES,
	METRIC_DB_CONNECTS,
	METRIC_UNKNOWN_COMMANDS,
	METRIC_ACCEPT_PAUSES,
	METRIC_REFUSED_FULL,
	METRIC_REFUSED_PLACE,
	METRIC_REFUSED_RATE,
	METRIC_REFUSED_SUBSCRIPTIONS,
	METRIC_REFUSED_IDENTIFIER,
	METRIC_REFUSED_FRAME_SIZE,
	METRIC_REFUSED_BODY_SIZE,
	METRIC_REFUSED_ORIGIN,
	METRIC_REFUSED_TOKEN,
	METRIC_REFUSED_SUBSCRIBE,
	METRIC_TIMED_OUT,
	METRICS
};

void		metric_add(enum metric metric, int64_t amount);
int64_t		metric_get(enum metric metric);
void		metrics_write(struct buf *out);

#define metric_count(metric)	metric_add(metric, 1)

#endif							/* METRICS_H */
