/*
 * test_wheel.c
 *		No timer fires early, each fires once, and at most a tick late.
 */
#include <stdlib.h>
#include <string.h>

#include "unit.h"
#include "wheel.h"

#define START_MS	123456
#define TIMERS		2000

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

static int
begin(void **state)
{
	now_ms = START_MS;
	wheel = wheel_create(now_ms, fire, NULL);
	memset(probes, 0, sizeof(probes));
	return 0;
}

static int
end(void **state)
{
	wheel_free(wheel);
	return 0;
}

static void
set(int index, int64_t due_ms)
{
	probes[index].due_ms = due_ms;
	wheel_set(wheel, &probes[index].timer, due_ms);
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

/* Up to three turns of the wheel, the past included. */
static void
set_all(void)
{
	srand(1);
	for (int i = 0; i < TIMERS; i++)
		set(i, now_ms - 500 + rand() % (WHEEL_SLOTS * WHEEL_TICK_MS * 3));
}

static void
every_timer_fires_once(void **state)
{
	set_all();
	advance(now_ms + WHEEL_SLOTS * WHEEL_TICK_MS * 4, 37);
	for (int i = 0; i < TIMERS; i++)
		assert_int_equal(probes[i].fired, 1);
}

static void
none_fires_early(void **state)
{
	set_all();
	advance(now_ms + WHEEL_SLOTS * WHEEL_TICK_MS * 4, 37);
	for (int i = 0; i < TIMERS; i++)
		assert_true(probes[i].fired && probes[i].fired_ms >= probes[i].due_ms);
}

static void
none_fires_late_by_more_than_a_tick_and_a_step(void **state)
{
	set_all();
	advance(now_ms + WHEEL_SLOTS * WHEEL_TICK_MS * 4, 37);
	for (int i = 0; i < TIMERS; i++)
	{
		/* What was due in the past fires in the first tick. */
		int64_t		due_ms = probes[i].due_ms > START_MS ? probes[i].due_ms : START_MS;

		assert_true(probes[i].fired && probes[i].fired_ms <= due_ms + WHEEL_TICK_MS + 37);
	}
}

static void
a_timer_that_was_moved_fires_at_its_new_time_only(void **state)
{
	set(0, now_ms + 300);
	set(0, now_ms + 5000);
	assert_true(wheel_is_set(&probes[0].timer));
	advance(now_ms + 1000, 100);
	assert_int_equal(probes[0].fired, 0);
	assert_true(wheel_is_set(&probes[0].timer));
	advance(now_ms + 5000, 100);
	assert_int_equal(probes[0].fired, 1);
	assert_int_equal(probes[0].fired_ms, START_MS + 5000);
	assert_false(wheel_is_set(&probes[0].timer));
}

static void
a_timer_that_was_cleared_does_not_fire(void **state)
{
	set(1, now_ms + 300);
	wheel_clear(&probes[1].timer);
	wheel_clear(&probes[1].timer);
	assert_false(wheel_is_set(&probes[1].timer));
	advance(now_ms + 1000, 100);
	assert_int_equal(probes[1].fired, 0);
}

static void
clearing_one_of_a_slot_leaves_the_others(void **state)
{
	for (int i = 0; i < 4; i++)
		set(i, now_ms + 300);
	wheel_clear(&probes[1].timer);
	wheel_clear(&probes[3].timer);
	advance(now_ms + 1000, 100);
	assert_int_equal(probes[0].fired, 1);
	assert_int_equal(probes[1].fired, 0);
	assert_int_equal(probes[2].fired, 1);
	assert_int_equal(probes[3].fired, 0);
}

/* Two of the same slot, of which the first clears the second. */
static void
a_timer_may_clear_one_that_is_due_in_the_same_slot(void **state)
{
	set(2, now_ms + 200);
	set(3, now_ms + 200);
	probes[2].clears = &probes[3];
	advance(now_ms + 1000, 100);
	assert_int_equal(probes[2].fired, 1);
	assert_int_equal(probes[3].fired, 0);
}

static void
a_timer_may_set_itself_anew(void **state)
{
	set(2, now_ms + 200);
	probes[2].again_ms = 1;
	advance(now_ms + 1000, 100);
	assert_int_equal(probes[2].fired, 2);
	assert_int_equal(probes[2].fired_ms, START_MS + 300);
}

static void
after_a_long_sleep_what_was_due_fires_and_nothing_else(void **state)
{
	set(4, now_ms + 1000);
	set(5, now_ms + 100000000);
	now_ms += 3600 * 1000;
	wheel_turn(wheel, now_ms);
	assert_int_equal(probes[4].fired, 1);
	assert_int_equal(probes[5].fired, 0);
}

static void
after_a_long_sleep_every_slot_is_served(void **state)
{
	for (int i = 0; i < WHEEL_SLOTS; i++)
		set(i, now_ms + (i + 1) * WHEEL_TICK_MS);
	now_ms += 10 * WHEEL_SLOTS * WHEEL_TICK_MS;
	wheel_turn(wheel, now_ms);
	for (int i = 0; i < WHEEL_SLOTS; i++)
		assert_int_equal(probes[i].fired, 1);
}

static void
a_clock_that_goes_back_does_no_harm(void **state)
{
	advance(now_ms + 1000, 100);
	set(0, now_ms + 300);
	now_ms = START_MS - 5000;
	wheel_turn(wheel, now_ms);
	now_ms = START_MS + 500;
	wheel_turn(wheel, now_ms);
	assert_int_equal(probes[0].fired, 0);
	advance(START_MS + 1300, 100);
	assert_int_equal(probes[0].fired, 1);
}

#define wheel_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		wheel_test(every_timer_fires_once),
		wheel_test(none_fires_early),
		wheel_test(none_fires_late_by_more_than_a_tick_and_a_step),
		wheel_test(a_timer_that_was_moved_fires_at_its_new_time_only),
		wheel_test(a_timer_that_was_cleared_does_not_fire),
		wheel_test(clearing_one_of_a_slot_leaves_the_others),
		wheel_test(a_timer_may_clear_one_that_is_due_in_the_same_slot),
		wheel_test(a_timer_may_set_itself_anew),
		wheel_test(after_a_long_sleep_what_was_due_fires_and_nothing_else),
		wheel_test(after_a_long_sleep_every_slot_is_served),
		wheel_test(a_clock_that_goes_back_does_no_harm),
	};

	return run_units(tests);
}
