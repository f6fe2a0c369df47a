/*
 * beat.h
 *		Does the extension's worker beat?
 */
#ifndef BEAT_H
#define BEAT_H

#include <stdbool.h>
#include <stdint.h>

/* Zeroed to begin with. */
struct beat
{
	int			pid;			/* of the worker; 0: none runs */
	int			interval_ms;	/* of its heartbeats */
	int64_t		heard_at_s;		/* since 1970; 0: never */
	int64_t		silent_ms;		/* without a word, while it could be heard */
	int			known_pid;		/* the last that ran */
	int64_t		ticked_ms;		/* 0: it could not be heard then */
};

void		beat_attached(struct beat *beat, int pid, int interval_ms);
void		beat_heard(struct beat *beat, int64_t wall_s);
void		beat_tick(struct beat *beat, bool is_live, int64_t now_ms);
bool		beat_is_missed(const struct beat *beat);

#endif							/* BEAT_H */
