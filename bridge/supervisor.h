/*
 * supervisor.h
 *		Keeps so many workers running.
 */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

#include <stdint.h>

#include "mem.h"

struct supervisor_ops
{
	int			(*work) (void *arg);	/* be a worker, to its end: its exit
										 * status */
	void		(*gone) (void *arg, int worker, int64_t cpu_us);	/* take back what it
																	 * held */
	void		(*serving) (void *arg); /* all of them, for the first time */
	void		(*tick) (void *arg, int64_t now_ms);	/* about once a second */
	/* It changes as long as the worker is not stuck. */
	uint64_t	(*turns) (void *arg, int worker);
	int			stuck_s;		/* a worker that is, for so long, is killed */
	void		(*reload) (void *arg);
	void		(*stop) (void *arg);
};

int			supervise(const struct supervisor_ops *ops, void *arg) must_check;
void		supervisor_tell_serving(void);

#endif							/* SUPERVISOR_H */
