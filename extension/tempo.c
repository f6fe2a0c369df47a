/*
 * tempo.c
 *		How fast something moves, remembered in little space.
 *
 * Jobs work in bursts, wait for quotas, hang for a while, change their speed
 * at once or slowly.  So two things are kept apart: the speed while there is
 * work, and the share of time in which there is any ("duty").  Silence counts
 * for the duty up to four times what silences here usually last: a job that
 * once hung for long is not expected to do so again.
 *
 * Reports come when something was processed, and not more often than they are
 * told, so silence up to twice their usual distance is work in progress.  The
 * first report after a longer one comes early and holds little: it is taken to
 * be what the last speed makes of it.
 *
 * The speed is kept as a profile of the whole run: 16 slots of active time,
 * whose width doubles when they are full; forecast.c makes something of it.
 *
 * Pure: the clock comes in.
 */
#include "tempo.h"

#include <math.h>
#include <string.h>

#define SLOTS			SP_TEMPO_SLOTS
#define LEAST_S			0.9		/* reports closer than that are one */
#define FIRST_MOST_S	60.0	/* longer a first report says nothing of how
								 * they come */
#define DUTY_S			120.0	/* duty fades over so long, or a share of the
								 * run */
#define DUTY_SHARE		0.3
#define SILENCE_S		5.0		/* shorter is never silence */
#define SILENCE_CAP		4.0		/* of a usual silence counts as time */
#define NOISE_S			20.0

static double
clamp(double x, double low, double high)
{
	return x < low ? low : x > high ? high : x;
}

static double
seconds_between(int64_t from_us, int64_t to_us)
{
	double		seconds = ((double) to_us - (double) from_us) / 1e6;

	return seconds > 0 ? seconds : 0;
}

/* Silence up to this is work that will be reported. */
static double
allowance(const SpTempo *tempo)
{
	return fmax(SILENCE_S, 2 * tempo->interval);
}

static double
silence_cap(const SpTempo *tempo)
{
	return fmax(SILENCE_S, SILENCE_CAP * tempo->silence);
}

/* Items a second over the last 15 s; 0 when it is not known. */
double
sp_tempo_recent(const SpTempo *tempo)
{
	double		weight = SP_TEMPO_RECENT_S * (1 - exp(-tempo->active / SP_TEMPO_RECENT_S));

	return weight > 0 ? tempo->recent / weight : 0;
}

/* Spreads items over active time from now on. */
static void
fill_slots(SpTempo *tempo, double speed, double seconds)
{
	while (seconds > 1e-6)
	{
		double		width = ldexp(1, (int) tempo->level);
		int			slot = (int) ((tempo->active + 1e-6) / width);
		double		part;

		if (slot >= SLOTS)
		{
			for (int i = 0; i < SLOTS; i++)
				tempo->slots[i] = i < SLOTS / 2 ? tempo->slots[2 * i] + tempo->slots[2 * i + 1] : 0;
			tempo->level++;
			continue;
		}
		part = fmin(seconds, (slot + 1) * width - tempo->active);
		part = fmax(part, 1e-6);
		tempo->slots[slot] += (float) (speed * part);
		tempo->active += part;
		seconds -= part;
	}
}

/* Takes back what was counted too much, the newest first; no time passes. */
static void
take_back(SpTempo *tempo, double items)
{
	double		waiting = fmin(items, tempo->waiting);

	tempo->waiting -= (float) waiting;
	items -= waiting;
	for (int i = SLOTS - 1; i >= 0 && items > 0; i--)
	{
		double		taken = fmin(items, tempo->slots[i]);

		tempo->slots[i] -= (float) taken;
		items -= taken;
	}
}

/* How the length of silences and the distance of reports are learnt. */
static double
note_silence(SpTempo *tempo, double silent)
{
	double		step = 0.3 * fmax(tempo->silence, 1);
	double		counted = fmin(silent, silence_cap(tempo));

	if (tempo->silence == 0)
		tempo->silence = (float) counted;
	else
		tempo->silence = (float) fmax(0, tempo->silence + (silent > tempo->silence ? 0.8 : -0.2) * step);
	return counted;
}

static void
note_speed(SpTempo *tempo, double speed, double seconds)
{
	double		before = sp_tempo_recent(tempo);
	double		fade = exp(-seconds / SP_TEMPO_RECENT_S);

	if (before > 0)
	{
		double		off = (speed - before) / before;
		double		weight = fmax(1 - exp(-seconds / NOISE_S), tempo->reports < 20 ? 1.0 / (tempo->reports + 1) : 0);

		/* one report that is far off is news, not noise */
		tempo->noise += (float) (weight * (fmin(off * off, 4) * seconds - tempo->noise));
	}
	tempo->recent = (float) (tempo->recent * fade + speed * SP_TEMPO_RECENT_S * (1 - fade));
}

/*
 * Notes that so many items were processed between the last report and now.
 * The first one was begun at "since_us"; when that is not known (0), it says
 * how many but not how fast.  A negative number corrects.
 */
void
sp_tempo_add(SpTempo *tempo, int64_t since_us, int64_t now_us, int64_t items)
{
	int64_t		from_us = tempo->told_at != 0 ? tempo->told_at : since_us;
	double		passed = from_us > 0 ? seconds_between(from_us, now_us) : 0;
	double		done,
				worked,
				silent = 0,
				fade;

	if (items <= 0)
	{
		take_back(tempo, -(double) items);
		return;
	}
	/* from nobody knows when: that says nothing of a speed */
	if (passed == 0 && tempo->told_at == 0)
	{
		tempo->told_at = now_us;
		tempo->reports++;
		return;
	}
	/* told right after another; it was begun long before that */
	if (passed < LEAST_S)
	{
		tempo->waiting += (float) items;
		if (now_us < tempo->told_at)
			tempo->told_at = now_us;	/* the clock was set back */
		return;
	}
	done = (double) items + tempo->waiting;
	tempo->waiting = 0;
	if (tempo->interval == 0)
		tempo->interval = (float) clamp(passed, 1, FIRST_MOST_S);
	worked = fmin(passed, allowance(tempo));
	if (passed > worked)
	{
		if (tempo->reports >= 3 && sp_tempo_recent(tempo) > 0)
			worked = clamp(done / sp_tempo_recent(tempo), 1, worked);
		silent = note_silence(tempo, passed - worked);
	}
	tempo->interval += (float) (fmax(0.1, 1.0 / (tempo->reports + 1)) *
								(fmin(passed, 2 * tempo->interval) - tempo->interval));
	note_speed(tempo, done / worked, worked);
	fill_slots(tempo, done / worked, worked);
	fade = exp(-(worked + silent) / fmax(DUTY_S, DUTY_SHARE * tempo->active));
	tempo->worked = (float) (tempo->worked * fade + worked);
	tempo->passed = (float) (tempo->passed * fade + worked + silent);
	tempo->told_at = now_us;
	tempo->reports++;
}

/* Is there enough to say anything? */
bool
sp_tempo_is_known(const SpTempo *tempo)
{
	return tempo->active >= 1 && sp_tempo_average(tempo) > 0;
}

/* Was it reported lately, as usual for it? */
bool
sp_tempo_is_moving(const SpTempo *tempo, int64_t now_us)
{
	return tempo->told_at != 0 && seconds_between(tempo->told_at, now_us) <= allowance(tempo);
}

/* Items a second while it works, over the whole run. */
double
sp_tempo_average(const SpTempo *tempo)
{
	double		items = 0;

	for (int i = 0; i < SLOTS; i++)
		items += tempo->slots[i];
	return tempo->active > 0 ? items / tempo->active : 0;
}

/* The share of time in which it works, the silence since the last report counted. */
double
sp_tempo_duty(const SpTempo *tempo, int64_t now_us)
{
	double		silent = fmax(0, seconds_between(tempo->told_at, now_us) - allowance(tempo));

	if (tempo->worked <= 0)
		return 1;
	return tempo->worked / (tempo->passed + fmin(silent, silence_cap(tempo)));
}

/*
 * An estimate as of the last report, now: while it works it shrinks with the
 * time, even if nobody reports.  It never reaches nothing by that alone.
 */
double
sp_tempo_count_down(const SpTempo *tempo, double seconds, int64_t now_us)
{
	double		since = fmin(seconds_between(tempo->told_at, now_us), allowance(tempo));

	return fmax(seconds - since, fmin(seconds, 1 + 0.2 * seconds));
}
