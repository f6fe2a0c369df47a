/*
 * tempo.h
 *		How fast something moves, remembered in little space.
 *
 * Times are microseconds on one clock, durations seconds.
 */
#ifndef SP_TEMPO_H
#define SP_TEMPO_H

#include <stdbool.h>
#include <stdint.h>

#define SP_TEMPO_SLOTS		16
#define SP_TEMPO_RECENT_S	15.0	/* the speed of now is that of so long */

/*
 * What is remembered of a run, stored with it.  Small: it is rewritten with
 * every fold.
 */
typedef struct SpTempo
{
	double		active;			/* seconds that were worked, long silence left
								 * out */
	int64_t		told_at;		/* the newest report; 0: none yet */
	float		slots[SP_TEMPO_SLOTS];	/* items in each 2^level active
										 * seconds */
	float		recent;			/* items in the last 15 active seconds, fading */
	float		worked;			/* active time lately, fading */
	float		passed;			/* active time and (capped) silence lately */
	float		interval;		/* seconds from report to report, usually */
	float		silence;		/* seconds that four of five silences stay
								 * below */
	float		noise;			/* of the rate: relative variance x seconds */
	float		waiting;		/* items of reports too close to the last for
								 * a speed */
	uint32_t	reports;
	uint32_t	level;
} SpTempo;

extern void sp_tempo_add(SpTempo *tempo, int64_t since_us, int64_t now_us, int64_t items);
extern bool sp_tempo_is_known(const SpTempo *tempo);
extern bool sp_tempo_is_moving(const SpTempo *tempo, int64_t now_us);
extern double sp_tempo_recent(const SpTempo *tempo);
extern double sp_tempo_average(const SpTempo *tempo);
extern double sp_tempo_duty(const SpTempo *tempo, int64_t now_us);
extern double sp_tempo_count_down(const SpTempo *tempo, double seconds, int64_t now_us);

#endif							/* SP_TEMPO_H */
