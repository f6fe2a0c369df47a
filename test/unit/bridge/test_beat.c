/*
 * test_beat.c
 *		Does the extension's worker beat?
 */
#include "beat.h"

#include <string.h>

#include "unit.h"

static struct beat beat;
static int64_t now_ms;

static int
begin(void **state)
{
	memset(&beat, 0, sizeof(beat));
	now_ms = 5000;
	beat_attached(&beat, 42, 10000);
	beat_tick(&beat, true, now_ms);
	return 0;
}

/* So many seconds pass, in which it can be heard or not, and says nothing. */
static void
pass(int seconds, bool is_live)
{
	for (int i = 0; i < seconds * 10; i++)
		beat_tick(&beat, is_live, now_ms += 100);
}

static void
one_heartbeat_may_be_missed_and_not_a_second(void **state)
{
	pass(25, true);
	assert_false(beat_is_missed(&beat));
	pass(1, true);
	assert_true(beat_is_missed(&beat));
	beat_heard(&beat, 1700000000);
	assert_false(beat_is_missed(&beat));
	assert_int_equal(beat.heard_at_s, 1700000000);
}

static void
a_very_short_one_is_no_reason_to_be_hasty(void **state)
{
	beat_attached(&beat, 42, 100);
	pass(2, true);
	assert_false(beat_is_missed(&beat));
	pass(1, true);
	assert_true(beat_is_missed(&beat));
}

static void
a_longer_interval_is_waited_for(void **state)
{
	beat_attached(&beat, 42, 60000);
	pass(150, true);
	assert_false(beat_is_missed(&beat));
	pass(1, true);
	assert_true(beat_is_missed(&beat));
}

static void
while_it_cannot_be_heard_its_silence_does_not_count(void **state)
{
	pass(20, true);
	pass(300, false);
	beat_attached(&beat, 42, 10000);
	pass(4, true);
	assert_false(beat_is_missed(&beat));
}

static void
a_new_connection_is_no_sign_of_life(void **state)
{
	pass(30, true);
	pass(1, false);
	beat_attached(&beat, 42, 10000);
	pass(1, true);
	assert_true(beat_is_missed(&beat));
}

static void
another_worker_begins_anew(void **state)
{
	pass(30, true);
	beat_attached(&beat, 43, 10000);
	assert_false(beat_is_missed(&beat));
}

static void
one_that_does_not_start_is_missed(void **state)
{
	beat_attached(&beat, 0, 10000);
	pass(26, true);
	assert_true(beat_is_missed(&beat));
	beat_attached(&beat, 0, 10000);
	assert_true(beat_is_missed(&beat));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_heartbeat_may_be_missed_and_not_a_second, begin),
		cmocka_unit_test_setup(a_longer_interval_is_waited_for, begin),
		cmocka_unit_test_setup(a_very_short_one_is_no_reason_to_be_hasty, begin),
		cmocka_unit_test_setup(while_it_cannot_be_heard_its_silence_does_not_count, begin),
		cmocka_unit_test_setup(a_new_connection_is_no_sign_of_life, begin),
		cmocka_unit_test_setup(another_worker_begins_anew, begin),
		cmocka_unit_test_setup(one_that_does_not_start_is_missed, begin),
	};

	return run_units(tests);
}
