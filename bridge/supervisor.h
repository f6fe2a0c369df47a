/*
 * supervisor.h
 *		Keeps so many workers running.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

struct supervisor_ops
{
	int			(*work) (void *arg);	/* be a worker, to its end: its exit
										 * status */
	void		(*gone) (void *arg, int worker, int64_t cpu_us);	/* it has ended */
	/* Take back what it held; false: that cannot be now, and is tried again. */
	bool		(*take_back) (void *arg, int worker);
	void		(*serving) (void *arg); /* all of them, for the first time */
	void		(*tick) (void *arg, int64_t now_ms);	/* about once a second */
	/* It changes as long as the worker is not stuck. */
	uint64_t	(*turns) (void *arg, int worker);
	int			stuck_s;		/* a worker that is, for so long, is killed */
	/* Does it hold what the others need? */
	bool		(*holds) (void *arg, int worker);
	int			holding_s;		/* a stuck one that does, for so long, is */
	void		(*reload) (void *arg);
	void		(*stop) (void *arg);
};

int			supervise(const struct supervisor_ops *ops, void *arg) must_check;
void		supervisor_tell_serving(void);

#endif							/* SUPERVISOR_H */
