/*
 * test_throttle.c
 *		When a session is due: the leading edge, the trailing edge, and what is urgent.
 */
#include "throttle.h"
#include "unit.h"

#define SECOND	INT64_C(1000000)
#define NOW		(1000 * SECOND)

static const SpThrottle throttle = {.every_count = 100, .every_interval_us = 5 * SECOND, .min_interval_us = SECOND};

static void
nothing_to_tell_is_never_due(void **state)
{
	SpPulse		pulse = {.told_at = NOW};

	assert_int_equal(sp_throttle_due_at(&pulse, &throttle), -1);
}

static void
first_change_is_due_at_once(void **state)
{
	SpPulse		pulse = {.dirty = true, .pending = 1};

	assert_int_equal(sp_throttle_due_at(&pulse, &throttle), 0);
}

/* [000-02] */
static void
a_few_more_wait_for_every_interval(void **state)
{
	SpPulse		pulse = {.dirty = true, .pending = 99, .told_at = NOW};

	assert_int_equal(sp_throttle_due_at(&pulse, &throttle), NOW + 5 * SECOND);
}

/* [000-02] [001-02] [001-07] */
static void
every_count_waits_for_min_interval_only(void **state)
{
	SpPulse		pulse = {.dirty = true, .pending = 100, .told_at = NOW};

	assert_int_equal(sp_throttle_due_at(&pulse, &throttle), NOW + SECOND);
}

static void
after_quiet_is_at_once_again(void **state)
{
	SpPulse		pulse = {.dirty = true, .pending = 1, .told_at = NOW - 60 * SECOND};

	assert_true(sp_throttle_due_at(&pulse, &throttle) <= NOW);
}

/* [001-09] */
static void
a_change_of_status_does_not_wait(void **state)
{
	SpPulse		pulse = {.dirty = true, .urgent = true, .told_at = NOW};

	assert_true(sp_throttle_due_at(&pulse, &throttle) <= NOW);
}

static void
changes_of_status_come_five_a_second(void **state)
{
	SpPulse		pulse = {.dirty = true, .urgent = true, .told_at = NOW, .urgent_at = NOW};

	assert_int_equal(sp_throttle_due_at(&pulse, &throttle), NOW + SECOND / 5);
}

/* Its changes of status are all that was ever told of it. */
static void
nor_do_they_come_faster_before_any_progress(void **state)
{
	SpPulse		pulse = {.dirty = true, .urgent = true, .urgent_at = NOW};

	assert_int_equal(sp_throttle_due_at(&pulse, &throttle), NOW + SECOND / 5);
}

static void
what_is_urgent_never_delays_what_is_due(void **state)
{
	SpThrottle	quick = {.every_count = 1, .every_interval_us = 20000, .min_interval_us = 10000};
	SpPulse		pulse = {.dirty = true, .urgent = true, .pending = 1, .told_at = NOW, .urgent_at = NOW};

	assert_int_equal(sp_throttle_due_at(&pulse, &quick), NOW + 10000);
}

static void
a_retry_waits_even_when_urgent(void **state)
{
	SpPulse		pulse = {.dirty = true, .urgent = true, .retry_at = NOW + 7};

	assert_int_equal(sp_throttle_due_at(&pulse, &throttle), NOW + 7);
}

/* [001-07] [001-09] A thousand a second for ten seconds: one at once, then one a second, and the rest. */
static void
a_busy_session_is_told_once_a_second(void **state)
{
	SpPulse		pulse = {0};
	int			told = 0;
	int64_t		told_count = 0;

	for (int64_t ms = 0; ms < 16000; ms++)
	{
		int64_t		now = NOW + ms * 1000;
		SpPulse		told_now = {.told_at = now};
		int64_t		due;

		if (ms < 10000)
		{
			pulse.dirty = true;
			pulse.pending++;
		}
		due = sp_throttle_due_at(&pulse, &throttle);
		if (due < 0 || due > now)
			continue;
		told++;
		told_count += pulse.pending;
		pulse = told_now;
	}
	assert_in_range(told, 10, 12);
	assert_int_equal(told_count, 10000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_to_tell_is_never_due),
		cmocka_unit_test(first_change_is_due_at_once),
		cmocka_unit_test(a_few_more_wait_for_every_interval),
		cmocka_unit_test(every_count_waits_for_min_interval_only),
		cmocka_unit_test(after_quiet_is_at_once_again),
		cmocka_unit_test(a_change_of_status_does_not_wait),
		cmocka_unit_test(changes_of_status_come_five_a_second),
		cmocka_unit_test(nor_do_they_come_faster_before_any_progress),
		cmocka_unit_test(what_is_urgent_never_delays_what_is_due),
		cmocka_unit_test(a_retry_waits_even_when_urgent),
		cmocka_unit_test(a_busy_session_is_told_once_a_second),
	};

	return run_units(tests);
}
