/*
 * stats.h
 *		Samples, and what is reported of them.
 */
#ifndef STATS_H
#define STATS_H

#include <stddef.h>
#include <stdint.h>

struct samples
{
	float	   *ms;
	size_t		count;
	size_t		room;
};

/* Counted from "begin" on. */
struct stats
{
	uint64_t	frames;			/* of any sort */
	uint64_t	states;			/* of which with a number */
	uint64_t	bytes;
	uint64_t	skipped;		/* numbers that were passed over */
	uint64_t	backward;
	uint64_t	repeated;
	uint64_t	lost;			/* connections that ended */
	uint64_t	refused;		/* that never opened */
	struct samples latency;
	struct samples spread;		/* since the first client had the same state */
	struct samples handshake;
	double		began_s;
	double		server_cpu_s;
	double		own_cpu_s;
};

double		now_s(void);
void		stats_begin(struct stats *stats, int server_pid);
void		samples_add(struct samples *samples, double ms);
void		samples_print(const char *name, struct samples *samples);
void		stats_print(struct stats *stats, int server_pid);

#endif							/* STATS_H */
