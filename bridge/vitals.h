/*
 * vitals.h
 *		What each worker process says of itself.
 */
#ifndef VITALS_H
#define VITALS_H

#include <stdbool.h>
#include <stdint.h>

#include "buf.h"
#include "top.h"

struct vitals
{
	int			pid;			/* 0: there is none */
	int64_t		started_s;		/* since 1970 */
	int64_t		turned_s;		/* when it said this */
	double		cpu_s;			/* of processor time used */
	int64_t		resident_bytes;
	struct top	by_watchers;
	struct top	by_messages;
};

void		vitals_open(void);
void		vitals_attach(void);
void		vitals_worker_gone(int worker);
void		vitals_say(const struct top *by_watchers, const struct top *by_messages);
uint64_t	vitals_turns(int worker);
bool		vitals_of(int worker, struct vitals *copy);
void		vitals_write(struct buf *out);

#endif							/* VITALS_H */
