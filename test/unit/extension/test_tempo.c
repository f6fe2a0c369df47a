/*
 * test_tempo.c
 *		How fast something moves, and what the forecast makes of it.
 */
#include "forecast.h"
#include "unit.h"

#define SECOND	INT64_C(1000000)
#define START	(INT64_C(800000000) * SECOND)
#define at(second)	(START + (int64_t) (second) * SECOND)

/* A run at "rate" a second for "seconds". */
static SpTempo
steady(int rate, int seconds)
{
	SpTempo		tempo = {0};

	for (int i = 1; i <= seconds; i++)
		sp_tempo_add(&tempo, START, at(i), rate);
	return tempo;
}

static double
seconds_for(const SpTempo *tempo, int items, int64_t now_us)
{
	SpForecast	forecast;

	assert_true(sp_tempo_is_known(tempo));
	sp_forecast(tempo, items, now_us, &forecast);
	return forecast.seconds;
}

static bool
is_between(double low, double value, double high)
{
	if (value < low || value > high)
		print_error("%g is not between %g and %g\n", value, low, high);
	return value >= low && value <= high;
}

static void
bursts_and_pauses_are_both_in_it(void **state)
{
	SpTempo		tempo = {0};

	/* 20 s on, 20 s off: ten a second on average */
	for (int i = 1; i <= 400; i++)
	{
		if (i / 20 % 2 == 0)
			sp_tempo_add(&tempo, START, at(i), 20);
	}
	assert_true(is_between(160, seconds_for(&tempo, 2000, at(380)), 240));
}

/* A job that once hung for long is not expected to do so again. */
static void
one_long_pause_is_forgiven(void **state)
{
	SpTempo		tempo = steady(10, 200);

	for (int i = 401; i <= 500; i++)
		sp_tempo_add(&tempo, START, at(i), 10);
	assert_true(is_between(95, seconds_for(&tempo, 1000, at(500)), 125));
}

static void
a_speed_that_changes_is_followed(void **state)
{
	SpTempo		tempo = steady(20, 300);

	for (int i = 301; i <= 360; i++)
		sp_tempo_add(&tempo, START, at(i), 5);
	/* 0.7 x recent + 0.3 x overall says 58 */
	assert_true(is_between(160, seconds_for(&tempo, 1000, at(360)), 220));
}

/* Within seconds, however long the run has been. */
static void
the_rate_is_that_of_now(void **state)
{
	SpTempo		tempo = steady(20, 940);
	double		rate;

	for (int i = 941; i <= 960; i++)
		sp_tempo_add(&tempo, START, at(i), 2);
	rate = sp_forecast_speed(&tempo);
	assert_true(rate > 1.9 && rate < 9);
}

/* Slower and slower: the end is farther than the speed of now says. */
static void
a_straight_slow_down_goes_on(void **state)
{
	SpTempo		tempo = {0};

	for (int i = 1; i <= 400; i++)
		sp_tempo_add(&tempo, START, at(i), 100 - i / 5);
	/* 20 a second now; it takes 400 s at that, and more as it is */
	assert_true(seconds_for(&tempo, 8000, at(400)) > 440);
}

/* What the first report brings, from a start that is not known, took no time. */
static void
an_unknown_start_says_nothing_of_speed(void **state)
{
	SpTempo		tempo = {0};

	sp_tempo_add(&tempo, 0, at(0), 5000);
	for (int i = 1; i <= 30; i++)
		sp_tempo_add(&tempo, START, at(i), 10);
	assert_true(is_between(95, seconds_for(&tempo, 1000, at(30)), 105));
	assert_int_equal(tempo.reports, 31);
}

/* A commit that is told right after another was begun long before it. */
static void
reports_close_together_are_one(void **state)
{
	SpTempo		tempo = {0};

	for (int i = 1; i <= 60; i++)
	{
		sp_tempo_add(&tempo, START, at(2 * i), 10);
		sp_tempo_add(&tempo, START, at(2 * i) + 1000, 10);
	}
	assert_true(is_between(95, seconds_for(&tempo, 1000, at(120)), 105));
	assert_int_equal(tempo.reports, 60);
}

/* The time from the new one on counts, not the way back up to the old. */
static void
a_clock_set_back_begins_anew_there(void **state)
{
	SpTempo		tempo = steady(10, 1000);

	for (int i = 401; i <= 600; i++)
		sp_tempo_add(&tempo, START, at(i), 20);
	assert_true(is_between(45, seconds_for(&tempo, 1000, at(600)), 70));
}

/* What was counted too much did not make it faster. */
static void
what_is_corrected_was_no_speed(void **state)
{
	SpTempo		tempo = steady(10, 300);
	SpTempo		other = tempo;

	sp_tempo_add(&tempo, START, at(301), 3000);
	sp_tempo_add(&tempo, START, at(302), -3000);
	sp_tempo_add(&other, START, at(301), 3000);
	assert_true(sp_tempo_average(&tempo) < 10.1);
	assert_true(sp_tempo_average(&other) > 19);
}

/* A correction takes back items, not time: the speed does not go below nothing. */
static void
corrections_leave_a_speed(void **state)
{
	SpTempo		tempo = steady(10, 60);
	double		before = seconds_for(&tempo, 1000, at(60));

	sp_tempo_add(&tempo, START, at(61), 610);
	sp_tempo_add(&tempo, START, at(61), -600);
	for (int i = 62; i <= 180; i++)
		sp_tempo_add(&tempo, START, at(i), 10);
	assert_true(is_between(before * 7 / 10, seconds_for(&tempo, 1000, at(180)), before * 13 / 10));
	sp_tempo_add(&tempo, START, at(181), -1800);
	/* all of it was wrong: nothing is known */
	assert_false(sp_tempo_is_known(&tempo));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bursts_and_pauses_are_both_in_it),
		cmocka_unit_test(one_long_pause_is_forgiven),
		cmocka_unit_test(a_speed_that_changes_is_followed),
		cmocka_unit_test(the_rate_is_that_of_now),
		cmocka_unit_test(a_straight_slow_down_goes_on),
		cmocka_unit_test(an_unknown_start_says_nothing_of_speed),
		cmocka_unit_test(reports_close_together_are_one),
		cmocka_unit_test(a_clock_set_back_begins_anew_there),
		cmocka_unit_test(what_is_corrected_was_no_speed),
		cmocka_unit_test(corrections_leave_a_speed),
	};

	return run_units(tests);
}
