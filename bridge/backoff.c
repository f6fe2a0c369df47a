/*
 * backoff.c
 *		How long to wait before the next attempt.
 *
 * Doubles up to a cap, then takes between half and all of it: several bridges
 * that lost the same database do not come back in step, and none comes back
 * at once.  Pure: the caller supplies the randomness.
 */
#include "backoff.h"

/*
 * Seconds until the next attempt; "random" is uniform in [0, 1).
 */
double
backoff_next(struct backoff *backoff, double random)
{
	double		wait_s = backoff->first_s;

	for (unsigned i = 0; i < backoff->attempts && wait_s < backoff->max_s; i++)
		wait_s *= 2;
	if (wait_s > backoff->max_s)
		wait_s = backoff->max_s;
	backoff->attempts++;
	return wait_s * (0.5 + random / 2);
}

void
backoff_reset(struct backoff *backoff)
{
	backoff->attempts = 0;
}
