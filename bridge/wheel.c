/*
 * wheel.c
 *		One timer wheel for every deadline of every connection.
 *
 * libwebsockets keeps its timers in sorted lists that are searched from the
 * head, which is quadratic for ten thousand equal periods, and on libev some
 * of them never fire.  Here setting and clearing a timer is O(1): a timer is in
 * the slot of its tick modulo the number of slots; one that is due in a later
 * turn is passed over when its slot comes by.
 *
 * A timer is embedded in what it belongs to, and whoever frees that clears it
 * first.  The wheel is pure: the caller says what time it is.
 */
#include "wheel.h"

#include <stddef.h>
#include <stdlib.h>

struct wheel
{
	struct wheel_timer slots[WHEEL_SLOTS];	/* heads of circular lists */
	uint64_t	tick;			/* the last one that was fired */
	int64_t		start_ms;
	wheel_fire	fire;
	void	   *arg;
};

struct wheel *
wheel_create(int64_t now_ms, wheel_fire fire, void *arg)
{
	struct wheel *wheel = mem_zalloc(sizeof(*wheel));

	for (int i = 0; i < WHEEL_SLOTS; i++)
		wheel->slots[i].prev = wheel->slots[i].next = &wheel->slots[i];
	wheel->start_ms = now_ms;
	wheel->fire = fire;
	wheel->arg = arg;
	return wheel;
}

void
wheel_free(struct wheel *wheel)
{
	free(wheel);
}

bool
wheel_is_set(const struct wheel_timer *timer)
{
	return timer->prev != NULL;
}

void
wheel_clear(struct wheel_timer *timer)
{
	if (timer->prev == NULL)
		return;
	timer->prev->next = timer->next;
	timer->next->prev = timer->prev;
	timer->prev = timer->next = NULL;
}

static void
wheel_insert(struct wheel *wheel, struct wheel_timer *timer)
{
	struct wheel_timer *head = &wheel->slots[timer->due_tick % WHEEL_SLOTS];

	timer->prev = head->prev;
	timer->next = head;
	head->prev->next = timer;
	head->prev = timer;
}

/*
 * Make the timer fire once "due_ms" has been reached: never before, and at most
 * one tick after.  One that is set already is moved.
 */
void
wheel_set(struct wheel *wheel, struct wheel_timer *timer, int64_t due_ms)
{
	int64_t		rel_ms = due_ms - wheel->start_ms;
	uint64_t	due = rel_ms <= 0 ? 0 :
	(uint64_t) ((rel_ms + WHEEL_TICK_MS - 1) / WHEEL_TICK_MS);

	wheel_clear(timer);

	/* The current slot has been served: what is due now goes in the next. */
	timer->due_tick = due > wheel->tick ? due : wheel->tick + 1;
	wheel_insert(wheel, timer);
}

/*
 * Fire everything that is due in one slot.
 *
 * Due timers are first moved to a list of their own, since what they call may
 * set and clear any timer: a timer set anew goes to another slot and a cleared
 * one leaves the list by itself.
 */
static void
wheel_serve_slot(struct wheel *wheel, struct wheel_timer *head)
{
	struct wheel_timer due = {.prev = &due, .next = &due};

	for (struct wheel_timer *timer = head->next, *next; timer != head; timer = next)
	{
		next = timer->next;
		if (timer->due_tick > wheel->tick)
			continue;
		wheel_clear(timer);
		timer->prev = due.prev;
		timer->next = &due;
		due.prev->next = timer;
		due.prev = timer;
	}
	while (due.next != &due)
	{
		struct wheel_timer *timer = due.next;

		wheel_clear(timer);
		wheel->fire(timer, wheel->arg);
	}
}

/*
 * Turn the wheel up to "now_ms".  After a long sleep of the machine every slot
 * is served once, not once for every tick that was missed.
 */
void
wheel_turn(struct wheel *wheel, int64_t now_ms)
{
	uint64_t	now_tick;
	uint64_t	missed;

	if (now_ms < wheel->start_ms)
		return;
	now_tick = (uint64_t) ((now_ms - wheel->start_ms) / WHEEL_TICK_MS);
	if (now_tick <= wheel->tick)
		return;

	missed = now_tick - wheel->tick;
	if (missed > WHEEL_SLOTS)
	{
		wheel->tick = now_tick - WHEEL_SLOTS;
		missed = WHEEL_SLOTS;
	}
	while (missed-- > 0)
	{
		wheel->tick++;
		wheel_serve_slot(wheel, &wheel->slots[wheel->tick % WHEEL_SLOTS]);
	}
}
