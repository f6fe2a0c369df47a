/*
 * histogram.h
 *		How long things took, counted in buckets.
 */
#ifndef HISTOGRAM_H
#define HISTOGRAM_H

#include <stdint.h>

#include "buf.h"

#define HISTOGRAM_BOUNDS	31

struct histogram
{
	uint64_t	counts[HISTOGRAM_BOUNDS + 1];	/* the last: above all bounds */
	uint64_t	sum_us;
};

void		histogram_add(struct histogram *histogram, int64_t us, uint64_t times);
void		histogram_merge(struct histogram *into, const struct histogram *from);
void		histogram_since(struct histogram *now, const struct histogram *before);
uint64_t	histogram_count(const struct histogram *histogram);
int64_t		histogram_quantile_us(const struct histogram *histogram, double quantile);
void		histogram_write(const struct histogram *histogram, struct buf *out,
							const char *name, const char *label);

#endif							/* HISTOGRAM_H */
