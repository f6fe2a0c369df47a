/*
 * eta.h
 *		How fast a session moves, and how long it will take.
 *
 * Times are microseconds on one clock; rates are items a second.
 */
#ifndef SP_ETA_H
#define SP_ETA_H

#include <stdbool.h>
#include <stdint.h>

#define SP_ETA_BUCKET_US	INT64_C(30000000)	/* 30 s */
#define SP_ETA_BUCKETS		11	/* five minutes, and the current one */

/* Stored with the session: how much was processed in which half minute. */
typedef struct SpPace
{
	int64_t		bucket;			/* number of the newest: time / 30 s */
	int64_t		counts[SP_ETA_BUCKETS]; /* [0] is the newest */
	int64_t		moved_at;		/* when something was processed last; 0: never */
} SpPace;

extern void sp_eta_add(SpPace *pace, int64_t now_us, int64_t processed);
extern double sp_eta_recent_rate(const SpPace *pace, int64_t started_us, int64_t now_us);
extern int64_t sp_eta_time_remaining(const SpPace *pace, int64_t processed, int64_t total,
									 int64_t started_us, int64_t now_us);

#endif							/* SP_ETA_H */
