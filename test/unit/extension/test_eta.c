/*
 * test_eta.c
 *		The classic estimate of the time remaining, and its guards.
 */
#include "eta.h"
#include "unit.h"

#define SECOND	INT64_C(1000000)
#define START	(INT64_C(800000000) * SECOND)

/* A run at "rate" a second for "seconds". */
static SpPace
steady(int rate, int seconds)
{
	SpPace		pace = {0};

	for (int i = 1; i <= seconds; i++)
		sp_eta_add(&pace, START + i * SECOND, rate);
	return pace;
}

/* [001-12] */
static void
no_estimate_before_anything_is_processed(void **state)
{
	SpPace		pace = {0};

	assert_int_equal(sp_eta_time_remaining(&pace, 0, 100, START, START + 10 * SECOND), -1);
	assert_int_equal(sp_eta_time_remaining(&pace, 10, 100, 0, START), -1);
}

static void
a_steady_run_is_estimated_right(void **state)
{
	SpPace		pace = steady(10, 60);

	assert_in_range(sp_eta_time_remaining(&pace, 600, 1200, START, START + 60 * SECOND), 59, 61);
	assert_in_range((int) sp_eta_recent_rate(&pace, START, START + 60 * SECOND), 9, 10);
}

/* 0.7 x recent + 0.3 x overall: 600 s at 10 a second, then 300 s at 20 */
static void
recent_rate_weighs_seven_tenths(void **state)
{
	SpPace		pace = steady(10, 600);
	int64_t		remaining;

	for (int i = 601; i <= 900; i++)
		sp_eta_add(&pace, START + i * SECOND, 20);
	remaining = sp_eta_time_remaining(&pace, 12000, 24000, START, START + 900 * SECOND);
	/* 12000 / (0.7 * 20 + 0.3 * 13.33) = 667 */
	assert_in_range(remaining, 650, 690);
}

/* [001-13]: an empty window would make the estimate 3.3 times as long */
static void
a_window_without_progress_falls_back_to_overall(void **state)
{
	SpPace		pace = steady(10, 100);
	int64_t		now = START + 1000 * SECOND;

	assert_true(sp_eta_recent_rate(&pace, START, now) == 0);
	/* 1000 done in 1000 s: 1000 more take 1000 s */
	assert_in_range(sp_eta_time_remaining(&pace, 1000, 2000, START, now), 990, 1010);
}

static void
old_progress_leaves_the_window(void **state)
{
	SpPace		pace = {0};

	sp_eta_add(&pace, START, 1000);
	assert_true(sp_eta_recent_rate(&pace, START, START + 299 * SECOND) > 0);
	assert_true(sp_eta_recent_rate(&pace, START, START + 400 * SECOND) == 0);
}

static void
the_first_instant_divides_by_no_zero(void **state)
{
	SpPace		pace = {0};

	sp_eta_add(&pace, START, 5);
	assert_in_range(sp_eta_time_remaining(&pace, 5, 10, START, START), 1, 2);
}

static void
what_moves_nothing_does_not_count_as_movement(void **state)
{
	SpPace		pace = steady(10, 10);

	assert_int_equal(pace.moved_at, START + 10 * SECOND);
	sp_eta_add(&pace, START + 20 * SECOND, 0);
	assert_int_equal(pace.moved_at, START + 10 * SECOND);
}

static void
done_is_zero(void **state)
{
	SpPace		pace = steady(10, 10);

	assert_int_equal(sp_eta_time_remaining(&pace, 100, 100, START, START + 10 * SECOND), 0);
	assert_int_equal(sp_eta_time_remaining(&pace, 110, 100, START, START + 10 * SECOND), 0);
}

static void
a_clock_that_goes_back_does_no_harm(void **state)
{
	SpPace		pace = steady(10, 100);

	sp_eta_add(&pace, START - 1000 * SECOND, 10);
	assert_true(sp_eta_recent_rate(&pace, START, START - 1000 * SECOND) > 0);
	assert_true(sp_eta_time_remaining(&pace, 10, 20, START, START - 1000 * SECOND) >= 0);
}

static void
huge_numbers_stay_in_range(void **state)
{
	SpPace		pace = {0};

	sp_eta_add(&pace, START, INT64_MAX);
	sp_eta_add(&pace, START, INT64_MAX);
	assert_true(sp_eta_time_remaining(&pace, 1, INT64_MAX, START - 1000 * SECOND, START) >= 0);
	sp_eta_add(&pace, START + SECOND, INT64_MIN);
	assert_true(sp_eta_time_remaining(&pace, 1, INT64_MAX, START, START + SECOND) <= INT64_C(3200000000));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_estimate_before_anything_is_processed),
		cmocka_unit_test(a_steady_run_is_estimated_right),
		cmocka_unit_test(recent_rate_weighs_seven_tenths),
		cmocka_unit_test(a_window_without_progress_falls_back_to_overall),
		cmocka_unit_test(old_progress_leaves_the_window),
		cmocka_unit_test(the_first_instant_divides_by_no_zero),
		cmocka_unit_test(what_moves_nothing_does_not_count_as_movement),
		cmocka_unit_test(done_is_zero),
		cmocka_unit_test(a_clock_that_goes_back_does_no_harm),
		cmocka_unit_test(huge_numbers_stay_in_range),
	};

	return run_units(tests);
}
