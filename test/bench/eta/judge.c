/*
 * judge.c
 *		How good the extension's estimates are over traces of progress.
 *
 * Linked with the estimator itself.  Reads traces, a line each,
 *
 *		family seconds parts end... done...
 *
 * (how much is done at the end of each part, and after each second), feeds
 * them as reports and compares the estimate of every second between 5 and 95 %
 * of the run with the truth.  Prints for each way of reporting and family, as
 * numbers that can be added up:
 *
 *		feed estimator family estimates error within steps jitter held width missing
 *
 * Reports come each second, each 5 s, or as the worker's throttle has them by
 * default: when 100 more are done and a second has passed, or after 5 s; and
 * only when something was done.  A trace without parts of its own is cut into
 * four for the estimator "quarters", to see that parts do no harm.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "eta.h"

#define MOST_SECONDS	10000
#define MOST_PARTS		32
#define MOST_FAMILIES	64
#define START_US		INT64_C(800000000000000)
#define at_us(second)	(START_US + (int64_t) (second) * 1000000)

typedef struct Trace
{
	char		family[32];
	int			seconds;
	int			nparts;
	int64_t		ends[MOST_PARTS];
	int64_t		done[MOST_SECONDS];
} Trace;

enum
{
	WHOLE, CLASSIC, PARTS, QUARTERS, ESTIMATORS
};

typedef struct Score
{
	long		estimates;
	double		error;
	long		within;
	long		steps;
	double		jitter;
	long		held;
	double		width;
	long		missing;
} Score;

typedef struct Estimate
{
	bool		made;
	double		seconds;
	double		low;
	double		high;
} Estimate;

static const char *const estimator_names[] = {"whole", "classic", "parts", "quarters"};
static const char *const feed_names[] = {"1s", "5s", "throttle"};
static char families[MOST_FAMILIES][32];
static int	nfamilies;
static Score scores[3][ESTIMATORS][MOST_FAMILIES];

static int
family_of(const char *name)
{
	int			i = 0;

	while (i < nfamilies && strcmp(families[i], name) != 0)
		i++;
	if (i == MOST_FAMILIES)
	{
		fprintf(stderr, "too many families\n");
		exit(1);
	}
	if (i == nfamilies)
		strcpy(families[nfamilies++], name);
	return i;
}

/* One trace from the input; counts are whole items. */
static bool
read_trace(Trace *trace)
{
	if (scanf("%31s %d %d", trace->family, &trace->seconds, &trace->nparts) != 3)
		return false;
	if (trace->seconds < 1 || trace->seconds > MOST_SECONDS || trace->nparts < 0 || trace->nparts > MOST_PARTS)
	{
		fprintf(stderr, "trace of %s: out of bounds\n", trace->family);
		exit(1);
	}
	for (int i = 0; i < trace->nparts + trace->seconds; i++)
	{
		double		value;

		if (scanf("%lf", &value) != 1)
		{
			fprintf(stderr, "trace of %s: too short\n", trace->family);
			exit(1);
		}
		if (i < trace->nparts)
			trace->ends[i] = (int64_t) value;
		else
			trace->done[i - trace->nparts] = (int64_t) value;
	}
	return true;
}

static bool
reports(int feed, int second, int64_t more, int told_at)
{
	if (more <= 0)
		return false;
	if (feed == 0)
		return true;
	if (feed == 1)
		return second % 5 == 0;
	return told_at == 0 || more >= 100 || second - told_at >= 5;
}

static void
note(Score *score, const Estimate *now, Estimate *before, double truth)
{
	if (now->made)
	{
		double		error = fabs(now->seconds - truth) / truth;

		score->estimates++;
		score->error += fmin(error, 10);
		score->within += error <= 0.25;
		score->held += now->low <= truth && truth <= now->high;
		score->width += log(fmax(now->high, 1) / fmax(now->low, 1));
		if (before->made)
		{
			score->steps++;
			score->jitter += fabs(now->seconds - before->seconds + 1) / truth;
		}
	}
	else
		score->missing++;
	*before = *now;
}

/* What the session and its parts are told. */
static void
report(const Trace *trace, SpPace *pace, SpEtaPart *parts, int64_t from, int64_t to, int second)
{
	int64_t		before_us = pace->tempo.told_at != 0 ? pace->tempo.told_at : START_US;
	int64_t		begin = 0;

	for (int i = 0; i < trace->nparts; i++)
	{
		int64_t		low = from > begin ? from : begin;
		int64_t		high = to < trace->ends[i] ? to : trace->ends[i];

		if (high > low)
		{
			sp_tempo_add(&parts[i].tempo, before_us, at_us(second), high - low);
			parts[i].left -= high - low;
			parts[i].open = parts[i].left > 0;
		}
		begin = trace->ends[i];
	}
	sp_eta_add(pace, START_US, at_us(second), to - from);
}

static Estimate
estimate(int estimator, const Trace *trace, const SpPace *pace, const SpEtaPart *parts, int64_t done, int second)
{
	int64_t		total = trace->done[trace->seconds - 1];
	SpEtaWork	work = {done, total, START_US, 0, false, parts, estimator >= PARTS ? trace->nparts : 0};
	SpEta		eta;
	Estimate	result;

	sp_eta_estimate(pace, &work, at_us(second), &eta);
	result = (Estimate)
	{
		eta.state == SP_ETA_STEADY, (double) eta.seconds, (double) eta.low, (double) eta.high
	};
	if (estimator == CLASSIC)
		result.seconds = (double) sp_eta_time_remaining(pace, done, total, START_US, at_us(second));
	return result;
}

static void
judge(const Trace *trace, int feed, int estimator)
{
	Score	   *score = &scores[feed][estimator][family_of(trace->family)];
	SpPace		pace;
	SpEtaPart	parts[MOST_PARTS];
	Estimate	before = {false, 0, 0, 0};
	int64_t		told = 0;
	int			told_at = 0;

	memset(&pace, 0, sizeof(pace));
	memset(parts, 0, sizeof(parts));
	for (int i = 0; i < trace->nparts; i++)
	{
		parts[i].left = trace->ends[i] - (i > 0 ? trace->ends[i - 1] : 0);
		parts[i].open = true;
	}
	for (int second = 1; second < trace->seconds; second++)
	{
		int64_t		done = trace->done[second - 1];

		if (reports(feed, second, done - told, told_at))
		{
			report(trace, &pace, parts, told, done, second);
			told = done;
			told_at = second;
		}
		if (second >= 0.05 * trace->seconds && second <= 0.95 * trace->seconds)
		{
			Estimate	now = estimate(estimator, trace, &pace, parts, told, second);

			note(score, &now, &before, trace->seconds - second);
		}
	}
}

int
main(void)
{
	static Trace trace;

	while (read_trace(&trace))
	{
		bool		has_parts = trace.nparts > 0;

		for (int i = 0; i < 4 && !has_parts; i++)
			trace.ends[trace.nparts++] = trace.done[trace.seconds - 1] * (i + 1) / 4;
		for (int feed = 0; feed < 3; feed++)
		{
			judge(&trace, feed, WHOLE);
			judge(&trace, feed, CLASSIC);
			judge(&trace, feed, has_parts ? PARTS : QUARTERS);
		}
	}
	for (int feed = 0; feed < 3; feed++)
		for (int estimator = 0; estimator < ESTIMATORS; estimator++)
			for (int i = 0; i < nfamilies; i++)
			{
				const Score *score = &scores[feed][estimator][i];

				if (score->estimates + score->missing > 0)
					printf("%s %s %s %ld %.6g %ld %ld %.6g %ld %.6g %ld\n", feed_names[feed],
						   estimator_names[estimator], families[i], score->estimates, score->error,
						   score->within, score->steps, score->jitter, score->held, score->width, score->missing);
			}
	return 0;
}
