/*
 * alarm.c
 *		When to say that something is too high, and when that it is over.
 *
 * It begins when the value is above its limit: the value is already one of a
 * window, so there is nothing to wait for.  It ends when the value has been at
 * four fifths of the limit or less for ten seconds, so what swings around the
 * limit is one alarm and not many.
 *
 * One word is said when it begins and one when it ends, and after the end nothing
 * for a minute: what comes and goes more often than that is said once, with how
 * often it was.  An alarm that is still on by then is said after all.
 *
 * Pure: no clock, and nobody is told from here.
 */
#include "alarm.h"

#define ALARM_CALM_MS	10000
#define ALARM_QUIET_MS	60000

static bool
may_speak(const struct alarm *alarm, int64_t now_ms)
{
	return alarm->said_ms == 0 || now_ms - alarm->said_ms >= ALARM_QUIET_MS;
}

/* Is the value low enough, and for long enough? */
static bool
is_over(struct alarm *alarm, int64_t value, int64_t limit, int64_t now_ms)
{
	if (value * 5 > limit * 4)
	{
		alarm->calm_ms = 0;
		return false;
	}
	if (alarm->calm_ms == 0)
		alarm->calm_ms = now_ms;
	return now_ms - alarm->calm_ms >= ALARM_CALM_MS;
}

/*
 * The value is this now.  A limit of 0 is none.  What has happened since the last
 * word stands in "unsaid" and "worst" until the next turn.
 */
enum alarm_word
alarm_turn(struct alarm *alarm, int64_t value, int64_t limit, int64_t now_ms)
{
	if (!alarm->is_on)
	{
		if (limit == 0 || value <= limit)
			return ALARM_SILENT;
		alarm->is_on = true;
		alarm->begun_ms = now_ms;
		alarm->calm_ms = 0;
		alarm->worst = value;
		alarm->times++;
		alarm->unsaid++;
	}
	if (value > alarm->worst)
		alarm->worst = value;

	if (limit == 0 || is_over(alarm, value, limit, now_ms))
	{
		alarm->is_on = false;
		if (!alarm->is_said)
			return ALARM_SILENT;
		alarm->is_said = false;
		alarm->said_ms = now_ms;
		alarm->unsaid = 0;
		return ALARM_ENDS;
	}
	if (alarm->is_said || !may_speak(alarm, now_ms))
		return ALARM_SILENT;
	alarm->is_said = true;
	return ALARM_BEGINS;
}
