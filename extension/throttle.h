/*
 * throttle.h
 *		When is a session due to be folded and told?
 *
 * Times are microseconds on one clock (TimestampTz in the server).
 */
#ifndef SP_THROTTLE_H
#define SP_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

#define SP_URGENT_INTERVAL_US	INT64_C(200000) /* five a second */

/* How often a kind of session is told. */
typedef struct SpThrottle
{
	int64_t		every_count;
	int64_t		every_interval_us;
	int64_t		min_interval_us;
} SpThrottle;

/* Where a session stands. */
typedef struct SpPulse
{
	bool		dirty;			/* something is not folded or told yet */
	bool		urgent;			/* status or error message changed */
	int64_t		pending;		/* processed since it was last told */
	int64_t		told_at;		/* progress was last told; 0: never */
	int64_t		urgent_at;		/* a change of status was last told; 0: never */
	int64_t		retry_at;		/* locked or failing: not before; 0: at will */
} SpPulse;

extern int64_t sp_throttle_due_at(const SpPulse *pulse, const SpThrottle *throttle);

#endif							/* SP_THROTTLE_H */
