/*
 * test_eta.c
 *		The estimates of the time remaining, their guards and their scores.
 */
#include "eta.h"
#include "unit.h"

#include <string.h>

#define SECOND	INT64_C(1000000)
#define START	(INT64_C(800000000) * SECOND)

/* A run at "rate" a second for "seconds". */
static SpPace
steady(int rate, int seconds)
{
	SpPace		pace = {0};

	for (int i = 1; i <= seconds; i++)
		sp_eta_add(&pace, START, START + i * SECOND, rate);
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

/* [001-13]: amounts are summed, not times */
static void
a_steady_run_is_estimated_right(void **state)
{
	SpPace		pace = steady(10, 60);

	assert_in_range(sp_eta_time_remaining(&pace, 600, 1200, START, START + 60 * SECOND), 59, 61);
	assert_in_range((int) sp_eta_recent_rate(&pace, START, START + 60 * SECOND), 9, 10);
}

/* [001-12] 0.7 x recent + 0.3 x overall: 600 s at 10 a second, then 300 s at 20 */
static void
recent_rate_weighs_seven_tenths(void **state)
{
	SpPace		pace = steady(10, 600);
	int64_t		remaining;

	for (int i = 601; i <= 900; i++)
		sp_eta_add(&pace, START, START + i * SECOND, 20);
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

	sp_eta_add(&pace, START, START, 1000);
	assert_true(sp_eta_recent_rate(&pace, START, START + 299 * SECOND) > 0);
	assert_true(sp_eta_recent_rate(&pace, START, START + 400 * SECOND) == 0);
}

/* [001-13]: a span of nothing */
static void
the_first_instant_divides_by_no_zero(void **state)
{
	SpPace		pace = {0};

	sp_eta_add(&pace, START, START, 5);
	assert_in_range(sp_eta_time_remaining(&pace, 5, 10, START, START), 1, 2);
}

static void
what_moves_nothing_does_not_count_as_movement(void **state)
{
	SpPace		pace = steady(10, 10);

	assert_int_equal(pace.moved_at, START + 10 * SECOND);
	sp_eta_add(&pace, START, START + 20 * SECOND, 0);
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

	sp_eta_add(&pace, START, START - 1000 * SECOND, 10);
	assert_true(sp_eta_recent_rate(&pace, START, START - 1000 * SECOND) > 0);
	assert_true(sp_eta_time_remaining(&pace, 10, 20, START, START - 1000 * SECOND) >= 0);
}

static void
huge_numbers_stay_in_range(void **state)
{
	SpPace		pace = {0};

	sp_eta_add(&pace, START, START, INT64_MAX);
	sp_eta_add(&pace, START, START, INT64_MAX);
	assert_true(sp_eta_time_remaining(&pace, 1, INT64_MAX, START - 1000 * SECOND, START) >= 0);
	sp_eta_add(&pace, START, START + SECOND, INT64_MIN);
	assert_true(sp_eta_time_remaining(&pace, 1, INT64_MAX, START, START + SECOND) <= INT64_C(3200000000));
}

#define at(second)	(START + (int64_t) (second) * SECOND)

static SpEta
estimate(const SpPace *pace, int64_t processed, int64_t total, int64_t now_us)
{
	SpEtaWork	work = {processed, total, START, 30 * SECOND, false, NULL, 0};
	SpEta		eta;

	sp_eta_estimate(pace, &work, now_us, &eta);
	return eta;
}

/* [001-12] */
static void
no_estimate_before_three_seconds_and_two_reports(void **state)
{
	SpPace		pace = {0};

	assert_int_equal(estimate(&pace, 0, 100, at(1)).state, SP_ETA_ESTIMATING);
	sp_eta_add(&pace, START, at(1), 10);
	assert_int_equal(estimate(&pace, 10, 100, at(1)).state, SP_ETA_ESTIMATING);
	assert_int_equal(estimate(&pace, 10, 100, at(6)).state, SP_ETA_ESTIMATING);
	sp_eta_add(&pace, START, at(2), 10);
	assert_int_equal(estimate(&pace, 20, 100, at(2)).state, SP_ETA_ESTIMATING);
	assert_int_equal(estimate(&pace, 20, 100, at(3)).state, SP_ETA_STEADY);
}

static void
nothing_to_estimate_is_none(void **state)
{
	SpPace		pace = steady(10, 10);
	SpEtaWork	work = {100, 1000, 0, 0, false, NULL, 0};
	SpEta		eta;

	assert_int_equal(estimate(&pace, 100, -1, at(10)).state, SP_ETA_NONE);
	assert_true(estimate(&pace, 100, -1, at(10)).rate > 9.9);
	sp_eta_estimate(&pace, &work, at(10), &eta);
	assert_int_equal(eta.state, SP_ETA_NONE);
}

/* [001-06] */
static void
a_constant_speed_is_met(void **state)
{
	SpPace		pace = steady(10, 60);
	SpEta		eta = estimate(&pace, 600, 1600, at(60));

	assert_int_equal(eta.state, SP_ETA_STEADY);
	assert_in_range(eta.seconds, 98, 102);
	assert_in_range(eta.low, 50, 98);
	assert_in_range(eta.high, 102, 160);
	assert_true(eta.rate > 9.9 && eta.rate < 10.1);
}

/* The range narrows as the end comes near. */
static void
the_range_narrows(void **state)
{
	SpPace		early = steady(10, 60);
	SpPace		late = steady(10, 600);
	SpEta		first = estimate(&early, 600, 6600, at(60));
	SpEta		last = estimate(&late, 6000, 6600, at(600));

	assert_true((double) first.high / (double) first.low > 1.2 * (double) last.high / (double) last.low);
}

static void
it_counts_down_between_reports_but_not_for_ever(void **state)
{
	SpPace		pace = steady(10, 60);

	assert_in_range(estimate(&pace, 600, 1600, at(64)).seconds, 94, 98);
	/* silence that nobody has explained yet: it waits */
	assert_in_range(estimate(&pace, 600, 1600, at(80)).seconds, 94, 115);
	/* and it does not run out by itself */
	assert_in_range(estimate(&pace, 600, 620, at(64)).seconds, 1, 2);
}

/* Items that the pace does not know of yet take the place of the time since. */
static void
what_is_ahead_of_the_pace_does_not_count_twice(void **state)
{
	SpPace		pace = steady(10, 60);
	SpEtaWork	work = {640, 1600, START, 0, true, NULL, 0};
	SpEta		eta;

	sp_eta_estimate(&pace, &work, at(64), &eta);
	assert_in_range(eta.seconds, 94, 98);
	work.ahead = false;
	sp_eta_estimate(&pace, &work, at(64), &eta);
	assert_in_range(eta.seconds, 90, 94);
}

static void
what_stalls_has_no_estimate_until_it_moves(void **state)
{
	SpPace		pace = steady(10, 60);

	assert_int_equal(estimate(&pace, 600, 1600, at(89)).state, SP_ETA_STEADY);
	assert_int_equal(estimate(&pace, 600, 1600, at(90)).state, SP_ETA_STALLED);
	assert_true(estimate(&pace, 600, 1600, at(90)).rate == 0);
	sp_eta_add(&pace, START, at(100), 10);
	assert_int_equal(estimate(&pace, 610, 1600, at(100)).state, SP_ETA_STEADY);
	memset(&pace, 0, sizeof(pace));
	assert_int_equal(estimate(&pace, 0, 100, at(29)).state, SP_ETA_ESTIMATING);
	assert_int_equal(estimate(&pace, 0, 100, at(30)).state, SP_ETA_STALLED);
}

static void
a_total_that_grows_makes_it_longer(void **state)
{
	SpPace		pace = steady(10, 60);
	int64_t		before = estimate(&pace, 600, 1600, at(60)).seconds;

	assert_in_range(estimate(&pace, 600, 2600, at(60)).seconds, 2 * before - 2, 2 * before + 2);
}

static void
at_its_total_nothing_remains(void **state)
{
	SpPace		pace = steady(10, 10);
	SpEta		eta = estimate(&pace, 100, 100, at(10));

	assert_int_equal(eta.state, SP_ETA_STEADY);
	assert_int_equal(eta.seconds + eta.low + eta.high, 0);
	assert_int_equal(estimate(&pace, 110, 100, at(10)).seconds, 0);
}

static void
clocks_and_counts_out_of_range_do_no_harm(void **state)
{
	SpPace		pace = steady(10, 100);

	sp_eta_add(&pace, START, at(-1000), 10);
	assert_int_equal(estimate(&pace, 1010, 2000, at(-1000)).state, SP_ETA_ESTIMATING);
	sp_eta_add(&pace, START, at(101), 10);
	assert_in_range(estimate(&pace, 1020, 2020, at(101)).seconds, 1, 1000);
	for (int i = 0; i < 100; i++)
	{
		sp_eta_add(&pace, START, at(200 + i * 100000), i % 3 == 2 ? INT64_MIN : INT64_MAX);
		assert_in_range(estimate(&pace, 1, INT64_MAX, at(200 + i * 100000)).seconds, 0, INT64_C(3200000000));
		assert_true(estimate(&pace, 1, INT64_MAX, at(200 + i * 100000)).low >= 0);
	}
	sp_eta_add(&pace, START, INT64_MAX, 1);
	assert_in_range(estimate(&pace, 1, INT64_MAX, INT64_MAX).seconds, 0, INT64_C(3200000000));
}

static void
stored_it_is_small(void **state)
{
	assert_true(sizeof(SpPace) <= 240);
	assert_true(sizeof(SpTempo) <= 128);
}

/* A part of so many items that begins at a second and does so many a second for a while. */
static SpEtaPart
part(int total, int from, int rate, int seconds)
{
	SpEtaPart	part = {.left = total, .open = true};

	for (int i = 1; i <= seconds; i++)
	{
		sp_tempo_add(&part.tempo, at(from), at(from + i), rate);
		part.left -= rate;
	}
	return part;
}

static int64_t
estimate_parts(const SpPace *pace, const SpEtaPart *parts, int nparts, int64_t processed, int64_t total, int64_t now_us)
{
	SpEtaWork	work = {processed, total, START, 0, false, parts, nparts};
	SpEta		eta;

	sp_eta_estimate(pace, &work, now_us, &eta);
	assert_int_equal(eta.state, SP_ETA_STEADY);
	assert_in_range(eta.seconds, eta.low, eta.high);
	return eta.seconds;
}

/* [001-06]: parts of different speeds, one after the other */
static void
each_part_counts_at_its_own_speed(void **state)
{
	SpEtaPart	parts[4] = {part(1000, 0, 40, 25), part(100, 25, 4, 25), part(1000, 50, 40, 25), part(100, 75, 4, 15)};
	SpPace		pace = {0};

	for (int i = 1; i <= 90; i++)
		sp_eta_add(&pace, START, at(i), (i - 1) / 25 % 2 == 0 ? 40 : 4);
	/* 40 are left of the last: 10 s at its speed, 2 s at the session's */
	assert_in_range(estimate_parts(&pace, parts, 4, 2160, 2200, at(90)), 6, 12);
}

static void
equal_parts_say_what_the_whole_says(void **state)
{
	SpEtaPart	parts[4] = {part(500, 0, 10, 50), part(500, 50, 10, 50), part(500, 100, 10, 20), part(500, 0, 10, 0)};
	SpPace		pace = steady(10, 120);

	assert_in_range(estimate_parts(&pace, parts, 4, 1200, 2000, at(120)), 78, 82);
	parts[3].left = 0;
	assert_in_range(estimate_parts(&pace, parts, 4, 1200, 1500, at(120)), 28, 32);
}

static void
parts_side_by_side_share_the_time(void **state)
{
	SpEtaPart	parts[3] = {part(1000, 0, 10, 50), part(1000, 0, 10, 50), part(1000, 0, 10, 50)};
	SpPace		pace = steady(30, 50);

	assert_in_range(estimate_parts(&pace, parts, 3, 1500, 3000, at(50)), 47, 53);
	/* the longest decides */
	parts[2].left = 2000;
	assert_in_range(estimate_parts(&pace, parts, 3, 1500, 4500, at(50)), 190, 210);
}

/* What a part that has failed had left is nobody's work. */
static void
a_closed_part_is_left_out(void **state)
{
	SpEtaPart	parts[2] = {part(1000, 0, 10, 50), part(1000, 50, 10, 50)};
	SpPace		pace = steady(10, 100);

	parts[0].open = false;
	assert_in_range(estimate_parts(&pace, parts, 2, 1000, 2000, at(100)), 47, 53);
	parts[1].open = false;
	assert_int_equal(estimate_parts(&pace, parts, 2, 1000, 2000, at(100)), 100);
}

/* What was counted without an account has been done all the same. */
static void
parts_that_say_too_much_are_cut(void **state)
{
	SpEtaPart	parts[2] = {part(1000, 0, 10, 50), part(1000, 50, 10, 25)};
	SpPace		pace = {0};

	for (int i = 1; i <= 75; i++)
		sp_eta_add(&pace, START, at(i), 20);
	/* 500 + 750 are left of them, 500 of the session: 25 s */
	assert_in_range(estimate_parts(&pace, parts, 2, 1500, 2000, at(75)), 22, 30);
}

/* A slow-down in the midst of a part is not the part's: the next will be as slow. */
static void
a_change_within_a_part_is_the_session_s(void **state)
{
	SpEtaPart	parts[3] = {part(2000, 0, 20, 100), part(2000, 100, 20, 50), part(2000, 0, 20, 0)};
	SpPace		pace = steady(20, 150);

	for (int i = 151; i <= 250; i++)
	{
		sp_eta_add(&pace, START, at(i), 5);
		sp_tempo_add(&parts[1].tempo, START, at(i), 5);
		parts[1].left -= 5;
	}

	/*
	 * 500 and 2000 left at 5 a second; at what the run had on average it were
	 * 243
	 */
	assert_true(estimate_parts(&pace, parts, 3, 3500, 6000, at(250)) > 380);
}

static void
a_part_has_an_estimate_of_its_own(void **state)
{
	SpEtaPart	moving = part(1000, 0, 10, 50);

	assert_in_range(sp_eta_part_seconds(&moving, 30 * SECOND, at(50)), 48, 52);
	assert_int_equal(sp_eta_part_seconds(&moving, 30 * SECOND, at(80)), -1);
	moving = part(1000, 0, 10, 1);
	assert_int_equal(sp_eta_part_seconds(&moving, 30 * SECOND, at(1)), -1);
	moving = part(1000, 0, 10, 50);
	moving.open = false;
	assert_int_equal(sp_eta_part_seconds(&moving, 30 * SECOND, at(50)), -1);
	moving.left = 0;
	assert_int_equal(sp_eta_part_seconds(&moving, 30 * SECOND, at(50)), 0);
}

/* -- scores [001-16] ------------------------------------------------------ */

static void
an_estimate_is_kept_at_each_mark_once(void **state)
{
	SpPace		pace = {0};

	assert_int_equal(sp_eta_mark_due(&pace, 0, 9, 100), -1);
	assert_int_equal(sp_eta_mark_due(&pace, 9, 10, 100), 0);
	sp_eta_mark(&pace, 0, 90, START, at(10));
	assert_int_equal(sp_eta_mark_due(&pace, 9, 10, 100), -1);
	assert_int_equal(sp_eta_mark_due(&pace, 20, 60, 100), 2);
	assert_int_equal(sp_eta_mark_due(&pace, 60, 61, 100), -1);
	assert_int_equal(sp_eta_mark_due(&pace, 61, 89, 100), 3);
	assert_int_equal(sp_eta_mark_due(&pace, 89, 90, 100), 4);
	assert_int_equal(sp_eta_mark_due(&pace, 20, 100, 100), -1);
	assert_int_equal(sp_eta_mark_due(&pace, 20, 30, -1), -1);
	assert_int_equal(sp_eta_mark_due(&pace, 0, 0, 0), -1);
}

static void
scores_are_what_the_truth_makes_of_them(void **state)
{
	SpPace		pace = {0};
	SpEtaScore	score;

	sp_eta_mark(&pace, 0, 90, START, at(10));	/* true */
	sp_eta_mark(&pace, 2, 100, START, at(50));	/* twice as long as the truth */
	sp_eta_mark(&pace, 4, 9, START, at(90));	/* 10 % too short */
	score = sp_eta_score(&pace, START, at(100));
	assert_int_equal(score.marks, 3);
	assert_int_equal(score.within_25, 2);
	assert_true(score.error > 1.09 && score.error < 1.11);
	assert_true(score.bias > 0.58 && score.bias < 0.60);
	/* once */
	score = sp_eta_score(&pace, START, at(100));
	assert_int_equal(score.marks, 0);
	assert_int_equal(sp_eta_mark_due(&pace, 9, 10, 100), -1);
}

static void
nothing_kept_is_no_score(void **state)
{
	SpPace		pace = {0};

	assert_int_equal(sp_eta_score(&pace, START, at(100)).marks, 0);
	/* nor is anything kept for a second one */
	assert_int_equal(sp_eta_mark_due(&pace, 9, 10, 100), -1);
	memset(&pace, 0, sizeof(pace));
	sp_eta_mark(&pace, 4, 9, START, at(99));
	/* ended before the estimate was made, or with it */
	assert_int_equal(sp_eta_score(&pace, START, at(99)).marks, 0);
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
		cmocka_unit_test(no_estimate_before_three_seconds_and_two_reports),
		cmocka_unit_test(nothing_to_estimate_is_none),
		cmocka_unit_test(a_constant_speed_is_met),
		cmocka_unit_test(the_range_narrows),
		cmocka_unit_test(it_counts_down_between_reports_but_not_for_ever),
		cmocka_unit_test(what_is_ahead_of_the_pace_does_not_count_twice),
		cmocka_unit_test(what_stalls_has_no_estimate_until_it_moves),
		cmocka_unit_test(a_total_that_grows_makes_it_longer),
		cmocka_unit_test(at_its_total_nothing_remains),
		cmocka_unit_test(clocks_and_counts_out_of_range_do_no_harm),
		cmocka_unit_test(stored_it_is_small),
		cmocka_unit_test(each_part_counts_at_its_own_speed),
		cmocka_unit_test(equal_parts_say_what_the_whole_says),
		cmocka_unit_test(parts_side_by_side_share_the_time),
		cmocka_unit_test(a_closed_part_is_left_out),
		cmocka_unit_test(a_part_has_an_estimate_of_its_own),
		cmocka_unit_test(an_estimate_is_kept_at_each_mark_once),
		cmocka_unit_test(scores_are_what_the_truth_makes_of_them),
		cmocka_unit_test(nothing_kept_is_no_score),
		cmocka_unit_test(parts_that_say_too_much_are_cut),
		cmocka_unit_test(a_change_within_a_part_is_the_session_s),
	};

	return run_units(tests);
}
