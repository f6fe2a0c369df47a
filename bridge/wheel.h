/*
 * wheel.h
 *		One timer wheel for every deadline of every connection.
 */
#ifndef WHEEL_H
#define WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

#define WHEEL_TICK_MS	100
#define WHEEL_SLOTS		256

struct wheel_timer
{
	struct wheel_timer *prev;	/* NULL while not in the wheel */
	struct wheel_timer *next;
	uint64_t	due_tick;
};

typedef void (*wheel_fire) (struct wheel_timer *timer, void *arg);

struct wheel;

struct wheel *wheel_create(int64_t now_ms, wheel_fire fire, void *arg) must_check;
void		wheel_free(struct wheel *wheel);
void		wheel_set(struct wheel *wheel, struct wheel_timer *timer,
					  int64_t due_ms);
void		wheel_clear(struct wheel_timer *timer);
bool		wheel_is_set(const struct wheel_timer *timer);
void		wheel_turn(struct wheel *wheel, int64_t now_ms);

#endif							/* WHEEL_H */
