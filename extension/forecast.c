/*
 * forecast.c
 *		When so many more items will be done, from how fast a run has moved.
 *
 * Three views of the future are taken from the profile of the run: the newest
 * stretch over which the speed was constant; a straight line, where one fits
 * most of the run; the whole run.  Each is tried on the run's own past, what
 * it would have said then against what came, and counts by how well it did:
 * so a job that sped up once is believed, and one whose speed goes up and down
 * is not.  The choices were measured, see test/bench/eta.
 *
 * Pure: the clock comes in.
 */
#include "forecast.h"

#include <math.h>

#define SLOTS			SP_TEMPO_SLOTS
#define FIT				2.0		/* deviations that a constant stretch may have */
#define LINE_FIT		1.7
#define LINE_SLOTS		5		/* a line needs so many */
#define LINE_SHARE		0.7		/* of the run */
#define LINE_SURE		2.8		/* standard errors of its slope */
#define LINE_UP			0.5		/* a line goes on for so much of its length */
#define LINE_DOWN		2.0
#define MOST_FASTER		1.25
#define MOST_SLOWER		1.75
#define CHANGE_SURE		3.5		/* standard errors that make a fresh change */
#define TRIES			3.0		/* what each view's first mark weighs */

/* The profile as rates; the newest slot may be shorter than the others. */
typedef struct Profile
{
	int			count;
	double		width;
	double		items;
	double		rate[SLOTS];
	double		length[SLOTS];
	double		middle[SLOTS];
} Profile;

/* A speed now (items a second), by how much it grows each second, and the stretch that says so. */
typedef struct Line
{
	double		speed;
	double		slope;
	double		length;
} Line;

static double
clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

static void
read_profile(const SpTempo *tempo, Profile *profile)
{
	double		at = 0;

	profile->width = ldexp(1, (int) tempo->level);
	profile->count = 0;
	profile->items = 0;
	for (int i = 0; i < SLOTS && at < tempo->active - 1e-6; i++)
	{
		double		length = fmin(profile->width, tempo->active - at);

		profile->rate[i] = tempo->slots[i] / length;
		profile->length[i] = length;
		profile->middle[i] = at + length / 2;
		profile->items += tempo->slots[i];
		profile->count++;
		at += length;
	}
}

/*
 * Variance of the speed, relative, times seconds: what reports say, or what
 * neighbouring slots say if that is more.  The median, so that a step or two
 * do not count as noise.
 */
static double
profile_noise(const SpTempo *tempo, const Profile *profile)
{
	double		squares[SLOTS];
	int			count = 0;
	double		median;

	for (int i = 1; i < profile->count && profile->length[i] > profile->width * 0.99; i++)
	{
		double		mean = fmax((profile->rate[i] + profile->rate[i - 1]) / 2, 0.02 * profile->items / tempo->active);
		double		off = (profile->rate[i] - profile->rate[i - 1]) / mean;
		double		square = off * off / 2;
		int			place = count++;

		for (; place > 0 && squares[place - 1] > square; place--)
			squares[place] = squares[place - 1];
		squares[place] = square;
	}
	if (profile->count < 4 || count == 0)
		return tempo->noise;
	median = count % 2 ? squares[count / 2] : (squares[count / 2] + squares[count / 2 - 1]) / 2;
	/* 0.455: the median of a squared normal deviation */
	return fmax(tempo->noise, median / 0.455 * profile->width);
}

/*
 * Finds the longest stretch up to now with a constant speed, and the longest
 * that a straight line fits (length 0: none).
 */
static void
find_stretches(const SpTempo *tempo, const Profile *profile, Line *constant, Line *line)
{
	double		noise = profile_noise(tempo, profile);
	double		w = 0,
				wx = 0,
				wxx = 0,
				wt = 0,
				wtt = 0,
				wtx = 0;
	bool		still = true;

	*constant = (Line)
	{
		profile->items / tempo->active, 0, 0
	};
	*line = (Line)
	{
		0, 0, 0
	};
	for (int i = profile->count - 1; i >= 0; i--)
	{
		double		x = profile->rate[i];
		double		t = profile->middle[i];
		double		weight = profile->length[i];
		int			count = profile->count - i;
		double		mean,
					variance,
					squares,
					misfit;

		w += weight;
		wx += weight * x;
		wxx += weight * x * x;
		wt += weight * t;
		wtt += weight * t * t;
		wtx += weight * t * x;
		mean = wx / w;
		variance = fmax(noise, 1e-9) * fmax(mean * mean, 1e-12);
		squares = fmax(wxx - wx * mean, 0);
		misfit = count > 1 ? squares / variance / (count - 1) : 0;
		if (still && misfit <= 1 + FIT * sqrt(2.0 / fmax(count - 1, 1)))
		{
			constant->speed = mean;
			constant->length = w;
		}
		else if (count >= 3)
			still = false;
		if (count >= LINE_SLOTS)
		{
			double		width = w * wtt - wt * wt;
			double		slope = (w * wtx - wt * wx) / width;
			double		now = (wx - slope * wt) / w + slope * tempo->active;

			misfit = (squares - slope * slope * width / w) / variance / (count - 2);
			if (misfit <= 1 + LINE_FIT * sqrt(2.0 / (count - 2)) &&
				fabs(slope) >= LINE_SURE * sqrt(variance * w / width) && now > 0)
				*line = (Line)
			{
				now, slope, w
			};
		}
	}
	if (line->length < LINE_SHARE * tempo->active)
		line->length = 0;
}

/* Moves a line to the speed of the last seconds, where that is surely another. */
static void
follow_change(const SpTempo *tempo, Line *line)
{
	double		faded = exp(-tempo->active / SP_TEMPO_RECENT_S);
	double		age = SP_TEMPO_RECENT_S - tempo->active * faded / (1 - faded + 1e-12);
	double		speed = sp_tempo_recent(tempo) + line->slope * age;
	double		error = sqrt(tempo->noise / (2 * SP_TEMPO_RECENT_S) + 1e-4);
	double		sure,
				weight;

	if (line->length < 2 * SP_TEMPO_RECENT_S || speed <= 0 || line->speed <= 0)
		return;
	sure = pow(fabs(log(speed / line->speed)) / error / CHANGE_SURE, 4);
	weight = isfinite(sure) ? sure / (1 + sure) : 1;
	/* a line that is left is no line any more */
	if (weight > 0.5)
		line->slope *= 1 - weight;
	line->speed *= pow(speed / line->speed, weight);
}

/* Active seconds that so many items take along a line, which goes on for a while only. */
static double
along(const Line *line, double items)
{
	double		speed = fmax(line->speed, 1e-9);
	double		slope = line->slope;
	double		until = (slope > 0 ? LINE_UP : LINE_DOWN) * line->length;
	double		on_it;

	if (slope == 0)
		return items / speed;
	until = fmin(until, slope > 0 ? speed * (MOST_FASTER - 1) / slope : speed * (1 / MOST_SLOWER - 1) / slope);
	on_it = speed * until + slope * until * until / 2;
	if (on_it >= items)
		return 2 * items / (sqrt(fmax(speed * speed + 2 * slope * items, 0)) + speed);
	return until + (items - on_it) / (speed + slope * until);
}

/*
 * Tries the three views on the past: for each slot, what they would have said
 * there about all that came after it.  Returns their weights.
 */
static void
try_views(const SpTempo *tempo, const Profile *profile, double weights[3])
{
	static const double first[3] = {0.1, 0.1, 0.36};	/* newest, line, whole */
	double		error[3];
	double		least = 0.02 * profile->items / tempo->active;
	double		tried = TRIES;
	double		n = 0,
				sx = 0,
				st = 0,
				stt = 0,
				stx = 0,
				items = 0,
				until = 0;

	for (int e = 0; e < 3; e++)
		error[e] = first[e] * TRIES;
	for (int i = 0; i < profile->count - 1; i++)
	{
		const double *x = profile->rate;
		double		said[3],
					came,
					slope,
					weight;

		items += x[i] * profile->length[i];
		until += profile->length[i];
		n++;
		sx += x[i];
		st += profile->middle[i];
		stt += profile->middle[i] * profile->middle[i];
		stx += profile->middle[i] * x[i];
		if (i < 2)
			continue;
		came = fmax((profile->items - items) / (tempo->active - until), least);
		weight = fmin(1, (tempo->active - until) / profile->width);
		slope = (n * stx - st * sx) / (n * stt - st * st);
		said[0] = (x[i] + x[i - 1]) / 2;
		said[1] = i < 3 ? said[0] : clamp((sx - slope * st) / n + slope * (tempo->active + until) / 2,
										  said[0] / MOST_SLOWER, said[0] * MOST_FASTER);
		said[2] = items / until;
		for (int e = 0; e < 3; e++)
			error[e] += weight * fabs(log(fmax(said[e], least) / came));
		tried += weight;
	}
	for (int e = 0; e < 3; e++)
		weights[e] = pow(fmax(error[e] / tried, 1e-3), -8);
}

/* Items a second while it works, as of now. */
double
sp_forecast_speed(const SpTempo *tempo)
{
	Profile		profile;
	Line		constant,
				line;

	read_profile(tempo, &profile);
	find_stretches(tempo, &profile, &constant, &line);
	follow_change(tempo, &constant);
	return constant.speed;
}

/* When so many more items will be done; sp_tempo_is_known(). */
void
sp_forecast(const SpTempo *tempo, double items, int64_t now_us, SpForecast *forecast)
{
	Profile		profile;
	Line		constant,
				line;
	double		weights[3],
				views[3],
				sum = 0,
				mean = 0;

	read_profile(tempo, &profile);
	find_stretches(tempo, &profile, &constant, &line);
	follow_change(tempo, &constant);
	if (line.length > 0)
		follow_change(tempo, &line);
	try_views(tempo, &profile, weights);
	if (line.length == 0)
		weights[1] = 0;
	views[0] = along(&constant, items);
	views[1] = line.length > 0 ? along(&line, items) : views[0];
	views[2] = items / fmax(profile.items / tempo->active, 1e-9);
	for (int e = 0; e < 3; e++)
	{
		sum += weights[e];
		mean += weights[e] * log(fmax(views[e], 1e-9));
	}
	mean /= sum;
	forecast->spread = 0;
	for (int e = 0; e < 3; e++)
		forecast->spread = fmax(forecast->spread, fabs(log(fmax(views[e], 1e-9)) - mean));
	forecast->seconds = sp_tempo_count_down(tempo, exp(mean) / sp_tempo_duty(tempo, now_us), now_us);
}

/*
 * The speeds at the beginning and at the end, over a quarter of the time each,
 * and the variance of their logarithms that is noise.
 */
void
sp_forecast_ends(const SpTempo *tempo, double *first, double *last, double *variance)
{
	Profile		profile;
	double		quarter = tempo->active / 4;
	double		least = 0.02 * sp_tempo_average(tempo);
	double		items[2] = {0, 0};
	double		length[2] = {0, 0};

	read_profile(tempo, &profile);
	for (int i = 0; i < profile.count && length[0] < quarter; i++)
	{
		items[0] += tempo->slots[i];
		length[0] += profile.length[i];
	}
	for (int i = profile.count - 1; i >= 0 && length[1] < quarter; i--)
	{
		items[1] += tempo->slots[i];
		length[1] += profile.length[i];
	}
	*first = fmax(items[0] / length[0], least);
	*last = fmax(items[1] / length[1], least);
	*variance = (profile_noise(tempo, &profile) + 0.02) / fmin(length[0], length[1]);
}
