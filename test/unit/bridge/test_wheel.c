/* No timer fires early, each fires once, and at most a tick late. */
#include "wheel.h"

#include <stdlib.h>

#include "tap.h"

#define TIMERS 2000

struct probe
{
	struct wheel_timer timer;	/* first */
	int64_t		due_ms;
	int64_t		fired_ms;
	int			fired;
	struct probe *clears;		/* when it fires */
	int64_t		again_ms;		/* set anew when it fires */
};

static struct wheel *wheel;
static int64_t now_ms;
static struct probe probes[TIMERS];

static void
fire(struct wheel_timer *timer, void *arg)
{
	struct probe *probe = (struct probe *) timer;

	(void) arg;
	probe->fired++;
	probe->fired_ms = now_ms;
	if (probe->clears)
		wheel_clear(&probe->clears->timer);
	if (probe->again_ms)
	{
		wheel_set(wheel, &probe->timer, now_ms + probe->again_ms);
		probe->again_ms = 0;
	}
}

static void
advance(int64_t to_ms, int64_t step_ms)
{
	while (now_ms < to_ms)
	{
		now_ms += step_ms;
		wheel_turn(wheel, now_ms);
	}
}

int
main(void)
{
	bool		once = true;
	bool		early = false;
	bool		late = false;

	now_ms = 123456;
	wheel = wheel_create(now_ms, fire, NULL);
	srand(1);
	for (int i = 0; i < TIMERS; i++)
	{
		/* Up to three turns of the wheel, the past included. */
		probes[i].due_ms = now_ms - 500 + rand() % (WHEEL_SLOTS * WHEEL_TICK_MS * 3);
		wheel_set(wheel, &probes[i].timer, probes[i].due_ms);
	}
	advance(now_ms + WHEEL_SLOTS * WHEEL_TICK_MS * 4, 37);
	for (int i = 0; i < TIMERS; i++)
	{
		once = once && probes[i].fired == 1;
		early = early || probes[i].fired_ms < probes[i].due_ms;
		late = late || probes[i].fired_ms > (probes[i].due_ms > 123456 ? probes[i].due_ms : 123456) +
			2 * WHEEL_TICK_MS + 37;
	}
	ok(once, "every timer fires once");
	ok(!early, "none fires early");
	ok(!late, "none fires late by more than a tick and a step");

	memset(probes, 0, sizeof(probes));
	wheel_set(wheel, &probes[0].timer, now_ms + 300);
	wheel_set(wheel, &probes[0].timer, now_ms + 5000);
	wheel_set(wheel, &probes[1].timer, now_ms + 300);
	wheel_clear(&probes[1].timer);
	wheel_clear(&probes[1].timer);
	advance(now_ms + 1000, 100);
	is_int(probes[0].fired, 0, "a timer that was moved does not fire at its old time");
	is_int(probes[1].fired, 0, "nor does one that was cleared, even twice");
	ok(wheel_is_set(&probes[0].timer) && !wheel_is_set(&probes[1].timer), "is_set tells them apart");
	advance(now_ms + 5000, 100);
	is_int(probes[0].fired, 1, "it fires at its new time");

	/* Two of the same slot, of which the first clears the second. */
	wheel_set(wheel, &probes[2].timer, now_ms + 200);
	wheel_set(wheel, &probes[3].timer, now_ms + 200);
	probes[2].clears = &probes[3];
	probes[2].again_ms = 1;
	advance(now_ms + 1000, 100);
	is_int(probes[3].fired, 0, "a timer may clear one that is due in the same slot");
	is_int(probes[2].fired, 2, "and set itself anew");

	wheel_set(wheel, &probes[4].timer, now_ms + 1000);
	wheel_set(wheel, &probes[5].timer, now_ms + 100000000);
	now_ms += 3600 * 1000;
	wheel_turn(wheel, now_ms);
	is_int(probes[4].fired, 1, "after a long sleep what was due fires");
	is_int(probes[5].fired, 0, "and what was not does not");
	wheel_clear(&probes[5].timer);
	wheel_free(wheel);
	return tap_done();
}
