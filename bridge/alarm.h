/*
 * alarm.h
 *		When to say that something is too high, and when that it is over.
 */
#ifndef ALARM_H
#define ALARM_H

#include <stdbool.h>
#include <stdint.h>

enum alarm_word
{
	ALARM_SILENT,
	ALARM_BEGINS,				/* to be said now */
	ALARM_ENDS
};

/* Zeroed: off. */
struct alarm
{
	bool		is_on;
	bool		is_said;		/* that it is on */
	int64_t		begun_ms;
	int64_t		calm_ms;		/* since when it is below again; 0: it is not */
	int64_t		said_ms;		/* the last word; 0: none yet */
	int64_t		worst;			/* since it began */
	unsigned	unsaid;			/* times that it was on since the last word */
	unsigned	times;			/* that it began */
};

enum alarm_word alarm_turn(struct alarm *alarm, int64_t value, int64_t limit, int64_t now_ms);

#endif							/* ALARM_H */
