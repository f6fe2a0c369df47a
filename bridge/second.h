/*
 * second.h
 *		What is looked at once a second.
 */
#ifndef SECOND_H
#define SECOND_H

#include <stdint.h>

#include "buf.h"

struct bridge;

void		second_tick(struct bridge *bridge, int64_t now_ms);
void		second_write(const struct bridge *bridge, struct buf *out);

#endif							/* SECOND_H */
