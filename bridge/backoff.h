/*
 * backoff.h
 *		How long to wait before the next attempt.
 */
#ifndef BACKOFF_H
#define BACKOFF_H

struct backoff
{
	double		first_s;
	double		max_s;
	unsigned	attempts;
};

double		backoff_next(struct backoff *backoff, double random);
void		backoff_reset(struct backoff *backoff);

#endif							/* BACKOFF_H */
