/*
 * drain.h
 *		Sending all clients away, spread over a while.
 */
#ifndef DRAIN_H
#define DRAIN_H

#include <stdint.h>

#include "mem.h"

struct bridge;

int			drain_begin(struct bridge *bridge, int64_t span_ms);
int64_t    *drain_spread(int count, int64_t span_ms, double (*chance) (void)) must_check;

#endif							/* DRAIN_H */
