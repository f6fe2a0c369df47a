/*
 * throttle.c
 *		When is a session due to be folded and told?
 *
 * The first change after quiet at once; then when min_interval has passed and
 * every_count more were processed, or when every_interval has passed and
 * anything changed.  The trailing edge is part of the rule, so the last value
 * is always told.  A change of status does not wait for progress's turn.
 *
 * Pure: the clock comes in with the pulse.
 */
#include "throttle.h"

/*
 * Returns when the session is due, -1 when there is nothing to do.  A time in
 * the past is due now.
 */
int64_t
sp_throttle_due_at(const SpPulse *pulse, const SpThrottle *throttle)
{
	int64_t		due = INT64_MAX;

	if (!pulse->dirty)
		return -1;
	if (pulse->urgent)
		due = pulse->urgent_at == 0 ? 0 : pulse->urgent_at + SP_URGENT_INTERVAL_US;
	if (pulse->told_at == 0 && !pulse->urgent)
		due = 0;
	else if (pulse->told_at != 0)
	{
		int64_t		wait_us = pulse->pending >= throttle->every_count
		? throttle->min_interval_us : throttle->every_interval_us;

		if (pulse->told_at + wait_us < due)
			due = pulse->told_at + wait_us;
	}
	return pulse->retry_at > due ? pulse->retry_at : due;
}
