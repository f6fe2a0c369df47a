/*
 * history.h
 *		What was counted and timed in the last minutes.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "buf.h"
#include "metrics.h"

#define HISTORY_SECONDS	60		/* that rates and quantiles can be of */

struct history;

struct history_quantiles
{
	uint64_t	count;
	double		p50_ms;			/* below 0: nothing was timed */
	double		p95_ms;
	double		p99_ms;
};

struct history *history_create(void) must_check;
void		history_free(struct history *history);
void		history_turn(struct history *history);
int64_t		history_grown(const struct history *history, enum metric metric, int seconds);
struct history_quantiles history_quantiles(const struct history *history, enum timing timing,
										   int seconds);
void		history_write_last(const struct history *history, struct buf *out);
void		history_write_all(const struct history *history, struct buf *out);

#endif							/* HISTORY_H */
