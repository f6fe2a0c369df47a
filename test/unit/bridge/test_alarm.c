/*
 * test_alarm.c
 *		When to say that something is too high, and when that it is over.
 */
#include "alarm.h"

#include <string.h>

#include "unit.h"

#define LIMIT 200

static struct alarm alarm;
static int64_t now_ms;

static int
begin(void **state)
{
	memset(&alarm, 0, sizeof(alarm));
	now_ms = 1000000;
	return 0;
}

/* A second with this value. */
static enum alarm_word
second(int64_t value)
{
	now_ms += 1000;
	return alarm_turn(&alarm, value, LIMIT, now_ms);
}

/* So many, in which nothing is said. */
static void
silent_seconds(int count, int64_t value)
{
	for (int i = 0; i < count; i++)
		assert_int_equal(second(value), ALARM_SILENT);
}

static void
what_is_not_above_is_no_alarm(void **state)
{
	silent_seconds(100, LIMIT);
	assert_false(alarm.is_on);
	assert_int_equal(alarm.times, 0);
}

static void
it_begins_and_ends_with_one_word_each(void **state)
{
	assert_int_equal(second(LIMIT + 1), ALARM_BEGINS);
	assert_true(alarm.is_on);
	silent_seconds(30, 900);
	silent_seconds(10, 10);
	assert_true(alarm.is_on);
	assert_int_equal(second(10), ALARM_ENDS);
	assert_int_equal(alarm.worst, 900);
	assert_false(alarm.is_on);
	silent_seconds(100, 10);
}

static void
what_swings_around_the_limit_is_one_alarm(void **state)
{
	assert_int_equal(second(210), ALARM_BEGINS);
	for (int i = 0; i < 50; i++)
		silent_seconds(1, i % 2 ? 210 : 190);
	for (int i = 0; i < 10; i++)
	{
		silent_seconds(9, 100);
		silent_seconds(1, 170);
	}
	assert_int_equal(alarm.times, 1);
	assert_true(alarm.is_on);
}

/* On for a second, then off again. */
static void
blink(void)
{
	silent_seconds(1, 300);
	silent_seconds(11, 0);
	assert_false(alarm.is_on);
}

static void
after_the_end_nothing_is_said_for_a_minute(void **state)
{
	assert_int_equal(second(300), ALARM_BEGINS);
	silent_seconds(10, 0);
	assert_int_equal(second(0), ALARM_ENDS);
	blink();
	blink();
	blink();
	assert_int_equal(alarm.times, 4);
	silent_seconds(60, 0);
	assert_int_equal(second(300), ALARM_BEGINS);
	assert_int_equal(alarm.unsaid, 4);
}

static void
one_that_lasts_is_said_after_all(void **state)
{
	assert_int_equal(second(300), ALARM_BEGINS);
	silent_seconds(10, 0);
	assert_int_equal(second(0), ALARM_ENDS);
	silent_seconds(59, 300);
	assert_int_equal(second(300), ALARM_BEGINS);
	assert_int_equal(alarm.unsaid, 1);
	silent_seconds(10, 0);
	assert_int_equal(second(0), ALARM_ENDS);
}

static void
without_a_limit_there_is_none_and_one_that_is_on_ends(void **state)
{
	assert_int_equal(alarm_turn(&alarm, 1000, 0, now_ms), ALARM_SILENT);
	assert_int_equal(second(300), ALARM_BEGINS);
	assert_int_equal(alarm_turn(&alarm, 300, 0, now_ms), ALARM_ENDS);
	assert_false(alarm.is_on);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(what_is_not_above_is_no_alarm, begin),
		cmocka_unit_test_setup(it_begins_and_ends_with_one_word_each, begin),
		cmocka_unit_test_setup(what_swings_around_the_limit_is_one_alarm, begin),
		cmocka_unit_test_setup(after_the_end_nothing_is_said_for_a_minute, begin),
		cmocka_unit_test_setup(one_that_lasts_is_said_after_all, begin),
		cmocka_unit_test_setup(without_a_limit_there_is_none_and_one_that_is_on_ends, begin),
	};

	return run_units(tests);
}
