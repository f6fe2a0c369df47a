/*
 * eta.c
 *		How long a session will take.
 *
 * time_remaining is the classic formula: what remains, divided by 0.7 times
 * the rate over the last five minutes plus 0.3 times the rate overall.  Three
 * guards: no estimate before anything was processed, no division by a span
 * that is nothing, and a window without progress falls back to the overall
 * rate (0.7 times nothing would make a pause look 3.3 times as long).
 *
 * The better estimate takes what forecast.c says of the session as a whole.
 * Where a session's parts have totals of their own, it adds up what is left of
 * each: started ones at their own speed, the others at the session's.  Parts
 * that move at the same time share the sum.
 * Does the speed depend on the part at all?  The sum over the parts counts by
 * how much of the changes of speed happened from one part to the next.
 *
 * The range is wide where the views of the future differ and while little of
 * the way is behind.
 *
 * Pure: the clock comes in.
 */
#include "eta.h"

#include <math.h>
#include <stddef.h>

#include "forecast.h"

#define MOST_SECONDS	3.2e9	/* a century is as good as never, and fits */
#define LEAST_SECONDS	3.0		/* before that there is no estimate */
#define LEAST_REPORTS	2

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
sp_eta_add(SpPace *pace, int64_t started_us, int64_t now_us, int64_t processed)
{
	advance(pace, now_us);
	if (processed != 0)
		pace->moved_at = now_us;
	pace->counts[0] += (float) processed;
	sp_tempo_add(&pace->tempo, started_us, now_us, processed);
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
	return (int64_t) (fmin(seconds, MOST_SECONDS) + 0.5);
}

/* Items a second of a part, over all time while it moves; 0 when that is not known. */
static double
part_speed(const SpEtaPart *part, double duty)
{
	if (!sp_tempo_is_known(&part->tempo))
		return 0;
	return sp_forecast_speed(&part->tempo) * duty;
}

/* How many open parts move at the same time; at least one. */
static int
parts_moving(const SpEtaWork *work, int64_t now_us)
{
	int			moving = 0;

	for (int i = 0; i < work->nparts; i++)
		moving += work->parts[i].open && work->parts[i].left > 0 && sp_tempo_is_moving(&work->parts[i].tempo, now_us);
	return moving > 1 ? moving : 1;
}

/*
 * Does the speed depend on the part?  The share of its changes that happened
 * from one part to the next, not within one; 0 to 1.
 */
static double
parts_matter(const SpEtaWork *work)
{
	double		between = 0.01;
	double		within = 0.06;

	for (int i = 0; i < work->nparts; i++)
	{
		const SpTempo *part = &work->parts[i].tempo;
		const SpTempo *previous = NULL;
		double		first,
					last,
					variance,
					ended,
					ignored,
					noise;

		if (!sp_tempo_is_known(part))
			continue;
		for (int n = 0; n < work->nparts; n++)
		{
			const SpTempo *other = &work->parts[n].tempo;

			if (sp_tempo_is_known(other) && other->told_at < part->told_at &&
				(previous == NULL || other->told_at > previous->told_at))
				previous = other;
		}
		sp_forecast_ends(part, &first, &last, &variance);
		within += fmax(0, pow(log(last / first), 2) - 2 * variance);
		if (previous == NULL)
			continue;
		sp_forecast_ends(previous, &ignored, &ended, &noise);
		between += fmax(0, pow(log(first / ended), 2) - variance - noise);
	}
	return between / (between + within);
}

/*
 * Seconds for what is left, part by part; "whole" is what the session alone
 * says.  *unstarted gets the share of it that nothing is known of.
 */
static double
parts_seconds(const SpPace *pace, const SpEtaWork *work, double whole, int64_t now_us, double *unstarted)
{
	const SpTempo *tempo = &pace->tempo;
	double		left = (double) (work->total - work->processed);
	double		duty = sp_tempo_duty(tempo, now_us);
	int			moving = parts_moving(work, tempo->told_at);
	double		pool = sp_tempo_average(tempo) * duty;
	double		weight = moving > 1 ? 1 : parts_matter(work);
	double		named = 0,
				closed = 0,
				seconds = 0,
				longest = 0,
				rest;

	for (int i = 0; i < work->nparts; i++)
	{
		named += (double) work->parts[i].left;
		closed += work->parts[i].open ? 0 : (double) work->parts[i].left;
	}
	if (named - closed <= 0)
		return whole;
	rest = fmax(0, left - named);
	for (int i = 0; i < work->nparts; i++)
	{
		const SpEtaPart *part = &work->parts[i];
		double		own = part_speed(part, duty);
		double		known;

		if (!part->open || part->left <= 0)
			continue;
		if (own <= 0)
		{
			rest += (double) part->left;
			continue;
		}
		/* the first seconds of a part say little */
		known = part->tempo.active / (part->tempo.active + 5);
		own = pow(own, known) * pow(left / fmax(whole, 1e-9) / moving, 1 - known);
		seconds += (double) part->left / own / moving;
		if (sp_tempo_is_moving(&part->tempo, tempo->told_at))
			longest = fmax(longest, (double) part->left / own);
	}
	seconds += rest / pool;
	*unstarted = weight * (rest / pool / seconds);
	/* what was counted without a part has been named as well */
	if (named > left)
		seconds *= fmax(0, left - closed) / (named - closed);
	seconds = fmax(seconds, moving > 1 ? longest : 0);
	whole *= fmax(0, left - fmin(closed, left)) / fmax(left, 1);
	return exp(weight * log(fmax(seconds, 1e-9)) + (1 - weight) * log(fmax(whole, 1e-9)));
}

static int64_t
whole_seconds(double seconds)
{
	return (int64_t) (fmin(fmax(seconds, 0), MOST_SECONDS) + 0.5);
}

static bool
is_stalled(const SpPace *pace, const SpEtaWork *work, int64_t now_us)
{
	int64_t		since = pace->moved_at != 0 ? pace->moved_at : work->started_us;

	return work->stall_after_us > 0 && since != 0 && now_us - since >= work->stall_after_us;
}

/* How far the truth may be, as a logarithm, below and above. */
static void
set_range(SpEta *eta, double seconds, double spread, double behind, double unstarted)
{
	double		width = 0.12 + 0.25 * (1 - behind) + 0.3 * spread + 0.3 * unstarted;

	eta->low = whole_seconds(floor(seconds * exp(-width)));
	eta->high = whole_seconds(ceil(seconds * exp(1.2 * width)));
}

/* The estimate for a session that is being processed. */
void
sp_eta_estimate(const SpPace *pace, const SpEtaWork *work, int64_t now_us, SpEta *eta)
{
	const SpTempo *tempo = &pace->tempo;
	double		elapsed = (double) (now_us - work->started_us) / 1e6;
	double		left = (double) work->total - (double) work->processed;
	double		unstarted = 0;
	double		seconds;
	SpForecast	forecast;

	*eta = (SpEta)
	{
		SP_ETA_NONE, 0, 0, 0, 0
	};
	if (work->started_us == 0)
		return;
	if (is_stalled(pace, work, now_us))
	{
		eta->state = SP_ETA_STALLED;
		return;
	}
	eta->rate = sp_tempo_is_known(tempo) ? sp_forecast_speed(tempo) * sp_tempo_duty(tempo, now_us)
		: sp_eta_recent_rate(pace, work->started_us, now_us);
	if (work->total < 0)
		return;
	eta->state = SP_ETA_STEADY;
	if (work->processed >= work->total && work->processed > 0)
		return;
	eta->state = SP_ETA_ESTIMATING;
	if (elapsed < LEAST_SECONDS || tempo->reports < LEAST_REPORTS || !sp_tempo_is_known(tempo))
		return;
	eta->state = SP_ETA_STEADY;

	/*
	 * what is left already lacks what was done since: no time is taken off
	 * for it
	 */
	if (work->ahead)
		now_us = tempo->told_at;
	sp_forecast(tempo, left, now_us, &forecast);
	seconds = forecast.seconds;
	if (work->nparts > 1)
	{
		sp_forecast(tempo, left, tempo->told_at, &forecast);
		seconds = parts_seconds(pace, work, forecast.seconds, now_us, &unstarted);
		seconds = sp_tempo_count_down(tempo, seconds, now_us);
	}
	eta->seconds = whole_seconds(seconds);
	set_range(eta, seconds, forecast.spread, elapsed / (elapsed + seconds), unstarted);
}

/* Seconds until a part is done, by its own speed; -1 when there is no estimate. */
int64_t
sp_eta_part_seconds(const SpEtaPart *part, int64_t stall_after_us, int64_t now_us)
{
	SpForecast	forecast;

	if (part->left <= 0)
		return 0;
	if (!part->open || part->tempo.active < LEAST_SECONDS || part->tempo.reports < LEAST_REPORTS ||
		!sp_tempo_is_known(&part->tempo))
		return -1;
	if (stall_after_us > 0 && now_us - part->tempo.told_at >= stall_after_us)
		return -1;
	sp_forecast(&part->tempo, (double) part->left, now_us, &forecast);
	return whole_seconds(forecast.seconds);
}

/*
 * Which estimate is to be kept, now that the count went from "before" to
 * "processed"?  The last mark that was passed, if it has none; else -1.
 */
int
sp_eta_mark_due(const SpPace *pace, int64_t before, int64_t processed, int64_t total)
{
	static const double shares[SP_ETA_MARKS] = {0.10, 0.25, 0.50, 0.75, 0.90};

	if (total <= 0 || processed >= total || pace->scored)
		return -1;
	for (int i = SP_ETA_MARKS - 1; i >= 0; i--)
	{
		double		mark = shares[i] * (double) total;

		if ((double) processed >= mark)
			return (double) before < mark && pace->marks[i].end == 0 ? i : -1;
	}
	return -1;
}

/* Keeps an estimate of so many seconds, made now. */
void
sp_eta_mark(SpPace *pace, int mark, int64_t seconds, int64_t started_us, int64_t now_us)
{
	pace->marks[mark].made = (float) ((double) (now_us - started_us) / 1e6);
	pace->marks[mark].end = pace->marks[mark].made + (float) seconds;
}

/*
 * What the estimates that were kept were worth, now that the end is known;
 * once.  The last second does not count: nobody sees an error there.
 */
SpEtaScore
sp_eta_score(SpPace *pace, int64_t started_us, int64_t ended_us)
{
	double		end = (double) (ended_us - started_us) / 1e6;
	SpEtaScore	score = {0, 0, 0, 0};

	if (pace->scored)
		return score;
	pace->scored = 1;
	for (int i = 0; i < SP_ETA_MARKS; i++)
	{
		const SpEtaMark *mark = &pace->marks[i];
		double		truth = end - mark->made;
		double		said = fmax(mark->end - mark->made, 1);

		if (mark->end == 0 || truth < 1)
			continue;
		score.marks++;
		score.error += fmin(fabs(said - truth) / truth, 10);
		score.within_25 += fabs(said - truth) <= 0.25 * truth;
		score.bias += log(said / truth);
	}
	return score;
}
