/*
 * eta.c
 *		How fast a session moves, and how long it will take.
 *
 * time_remaining is the classic formula: what remains, divided by 0.7 times
 * the rate over the last five minutes plus 0.3 times the rate overall.  Three
 * guards: no estimate before anything was processed, no division by a span
 * that is nothing, and a window without progress falls back to the overall
 * rate (0.7 times nothing would make a pause look 3.3 times as long).
 *
 * Pure: the clock comes in.
 */
#include "eta.h"

/* Moves the ring to the bucket of "now"; time that went back stays in the newest. */
static void
advance(SpPace *pace, int64_t now_us)
{
	int64_t		bucket = now_us / SP_ETA_BUCKET_US;
	int64_t		by = bucket - pace->bucket;

	if (by <= 0)
		return;
	for (int i = SP_ETA_BUCKETS - 1; i >= 0; i--)
		pace->counts[i] = i >= by ? pace->counts[i - by] : 0;
	pace->bucket = bucket;
}

/* Notes that so many more were processed by now (negative: corrected). */
void
sp_eta_add(SpPace *pace, int64_t now_us, int64_t processed)
{
	advance(pace, now_us);
	if (processed != 0)
		pace->moved_at = now_us;
	if (__builtin_add_overflow(pace->counts[0], processed, &pace->counts[0]))
		pace->counts[0] = processed;
}

/*
 * Items a second over the last five minutes, or since the start if that is
 * less; 0 when nothing moved.  The bucket that the window's far end falls into
 * counts by the share of it inside the window.
 */
double
sp_eta_recent_rate(const SpPace *pace, int64_t started_us, int64_t now_us)
{
	SpPace		now = *pace;
	double		sum = 0;
	double		into,
				span;

	advance(&now, now_us);
	into = (double) (now_us - now.bucket * SP_ETA_BUCKET_US) / SP_ETA_BUCKET_US;
	into = into < 0 ? 0 : into > 1 ? 1 : into;
	for (int i = 0; i < SP_ETA_BUCKETS - 1; i++)
		sum += (double) now.counts[i];
	sum += (double) now.counts[SP_ETA_BUCKETS - 1] * (1 - into);

	span = (double) (SP_ETA_BUCKETS - 1) * SP_ETA_BUCKET_US;
	if (started_us > 0 && now_us - started_us < span)
		span = (double) (now_us - started_us);
	/* a span of less than a second says nothing about a rate */
	span = span < 1e6 ? 1e6 : span;
	return sum <= 0 ? 0 : sum / (span / 1e6);
}

/* Seconds remaining, rounded; -1 when there is no estimate. */
int64_t
sp_eta_time_remaining(const SpPace *pace, int64_t processed, int64_t total,
					  int64_t started_us, int64_t now_us)
{
	double		elapsed = (double) (now_us - started_us) / 1e6;
	double		overall,
				recent,
				seconds;

	if (processed <= 0 || started_us <= 0)
		return -1;
	if (processed >= total)
		return 0;
	overall = (double) processed / (elapsed < 1 ? 1 : elapsed);
	recent = sp_eta_recent_rate(pace, started_us, now_us);
	if (recent <= 0)
		recent = overall;
	seconds = (double) (total - processed) / (0.7 * recent + 0.3 * overall);
	/* a century is as good as never, and fits */
	return seconds > 3.2e9 ? INT64_C(3200000000) : (int64_t) (seconds + 0.5);
}
