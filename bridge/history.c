/*
 * history.c
 *		What was counted and timed in the last minutes.
 *
 * Counters only say how much there ever was.  Once a second all of them, of all
 * workers together, are put down here, so that a rate, or a quantile, of the last
 * so many seconds is a difference of two.  What a chart needs is kept for five
 * minutes, as it was worked out then: whoever opens the dashboard sees what has
 * been, not an empty page.
 *
 * Every worker keeps its own, for any of them may be asked.
 */
#include "history.h"

#include <stdlib.h>
#include <string.h>

#define HISTORY_MOMENTS	(HISTORY_SECONDS + 1)
#define HISTORY_POINTS	300
#define HISTORY_CHART_S	5		/* what the quantiles of a chart are of */

struct moment
{
	int64_t		values[METRICS];
	struct histogram timings[TIMINGS];
};

/* A second of the charts, in the order in which it is written. */
enum point_value
{
	POINT_IN,
	POINT_OUT,
	POINT_BYTES,
	POINT_CONFLATED,
	POINT_CONNECTIONS,
	POINT_P50,
	POINT_P95,
	POINT_P99,
	POINT_VALUES
};

struct point
{
	float		values[POINT_VALUES];	/* below 0: none */
};

struct history
{
	struct moment moments[HISTORY_MOMENTS]; /* a ring */
	int			next;
	int			count;
	struct point points[HISTORY_POINTS];	/* likewise */
	int			points_next;
	int			points_count;
};

struct history *
history_create(void)
{
	return mem_zalloc(sizeof(struct history));
}

void
history_free(struct history *history)
{
	free(history);
}

/* As it was so many seconds ago, or as long ago as is known. */
static const struct moment *
moment_of(const struct history *history, int seconds_ago)
{
	int			ago = seconds_ago < history->count ? seconds_ago : history->count - 1;

	return &history->moments[(history->next - 1 - ago + 2 * HISTORY_MOMENTS) % HISTORY_MOMENTS];
}

/* By how much has this grown in so many seconds, 60 at the most? */
int64_t
history_grown(const struct history *history, enum metric metric, int seconds)
{
	if (history->count == 0)
		return 0;
	return moment_of(history, 0)->values[metric] - moment_of(history, seconds)->values[metric];
}

static double
in_ms(const struct histogram *histogram, double quantile)
{
	int64_t		us = histogram_quantile_us(histogram, quantile);

	return us < 0 ? -1 : (double) us / 1000;
}

/* What this took, in so many seconds. */
struct history_quantiles
history_quantiles(const struct history *history, enum timing timing, int seconds)
{
	struct histogram taken = {{0}, 0};

	if (history->count > 0)
	{
		taken = moment_of(history, 0)->timings[timing];
		histogram_since(&taken, &moment_of(history, seconds)->timings[timing]);
	}
	return (struct history_quantiles)
	{
		.count = histogram_count(&taken),
			.p50_ms = in_ms(&taken, 0.5),.p95_ms = in_ms(&taken, 0.95),.p99_ms = in_ms(&taken, 0.99)
	};
}

static void
draw_point(struct history *history)
{
	struct point *point = &history->points[history->points_next];
	struct history_quantiles took = history_quantiles(history, TIMING_DELIVERY, HISTORY_CHART_S);
	double		values[POINT_VALUES] = {
		[POINT_IN] = (double) history_grown(history, METRIC_NOTIFICATIONS, 1),
		[POINT_OUT] = (double) (history_grown(history, METRIC_STATES_OUT, 1) +
								history_grown(history, METRIC_EVENTS_OUT, 1)),
		[POINT_BYTES] = (double) history_grown(history, METRIC_BYTES_OUT, 1),
		[POINT_CONFLATED] = (double) history_grown(history, METRIC_CONFLATED, 1),
		[POINT_CONNECTIONS] = (double) moment_of(history, 0)->values[METRIC_CONNECTIONS],
		[POINT_P50] = took.p50_ms,
		[POINT_P95] = took.p95_ms,
		[POINT_P99] = took.p99_ms,
	};

	for (int i = 0; i < POINT_VALUES; i++)
		point->values[i] = (float) values[i];
	history->points_next = (history->points_next + 1) % HISTORY_POINTS;
	if (history->points_count < HISTORY_POINTS)
		history->points_count++;
}

/* Once a second. */
void
history_turn(struct history *history)
{
	struct moment *moment = &history->moments[history->next];

	for (int i = 0; i < METRICS; i++)
		moment->values[i] = metric_get((enum metric) i);
	for (int i = 0; i < TIMINGS; i++)
		timing_get((enum timing) i, &moment->timings[i]);
	history->next = (history->next + 1) % HISTORY_MOMENTS;
	if (history->count < HISTORY_MOMENTS)
		history->count++;
	if (history->count > 1)
		draw_point(history);
}

/* ---- as JSON ---- */

static void
write_point(const struct point *point, struct buf *out)
{
	for (int i = 0; i < POINT_VALUES; i++)
	{
		buf_add_text(out, i == 0 ? "[" : ",");
		if (point->values[i] < 0)
			buf_add_text(out, "null");
		else
			buf_printf(out, "%.6g", (double) point->values[i]);
	}
	buf_add_text(out, "]");
}

/* The last second's point: notifications, messages out, bytes, conflated, connections, p50, p95, p99. */
void
history_write_last(const struct history *history, struct buf *out)
{
	int			last = (history->points_next - 1 + HISTORY_POINTS) % HISTORY_POINTS;

	if (history->points_count == 0)
		buf_add_text(out, "null");
	else
		write_point(&history->points[last], out);
}

/* All of them, the oldest first. */
void
history_write_all(const struct history *history, struct buf *out)
{
	buf_add_text(out, "[");
	for (int i = history->points_count; i > 0; i--)
	{
		write_point(&history->points[(history->points_next - i + HISTORY_POINTS) % HISTORY_POINTS], out);
		if (i > 1)
			buf_add_text(out, ",");
	}
	buf_add_text(out, "]");
}
