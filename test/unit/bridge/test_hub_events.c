/*
 * test_hub_events.c
 *		Events are each told once, in their order, or watchers are told to read
 *		anew.
 */
#include <stdio.h>

#include "metrics.h"
#include "ring.h"
#include "watchers.h"

/* All three watch "s", which has no state, as a list has none. */
static int
begin_list(void **state)
{
	begin(state);
	watch(&a, "s");
	watch(&b, "s");
	watch(&c, "s");
	a.log[0] = b.log[0] = c.log[0] = '\0';
	return 0;
}

/* What is to be told in its turn is told; the stream that is to be read. */
static const char *
turn(void)
{
	const char *wanted = "";

	return hub_next_wanted(hub, true, &wanted, count_visit, NULL) ? wanted : "";
}

static void
an_event_is_told_once_to_each(void **state)
{
	notify_event("s", "renamed", "1", true);
	assert_string_equal(a.log, "id1!renamed:1 ");
	assert_string_equal(b.log, "id1!renamed:1 ");
	assert_string_equal(c.log, "id2!renamed:1 ");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1!renamed:1 ");
}

static void
its_frame_is_built_once_for_each_group(void **state)
{
	notify_event("s", "renamed", "1", true);
	assert_int_equal(fake_events_built, 2);
}

static void
an_event_may_have_no_data(void **state)
{
	notify_event("s", "renamed", NULL, true);
	assert_string_equal(a.log, "id1!renamed ");
}

static void
who_watches_another_stream_is_not_told(void **state)
{
	watch(&b, "t");
	b.log[0] = '\0';
	notify_event("s", "renamed", "1", true);
	notify_event("unwatched", "renamed", "1", true);
	assert_string_equal(b.log, "");
}

static void
equal_events_are_each_told(void **state)
{
	notify_event("s", "renamed", "1", true);
	notify_event("s", "renamed", "1", true);
	assert_string_equal(a.log, "id1!renamed:1 id1!renamed:1 ");
}

static void
who_comes_later_gets_only_what_comes_later(void **state)
{
	struct client late;

	notify_event("s", "renamed", "1", true);
	fake_init(&late, "id1", "x");
	watch(&late, "s");
	notify_event("s", "renamed", "2", true);
	assert_string_equal(late.log, "C:id1 id1!renamed:2 ");
	hub_detach(hub, &late.sub);
	fake_done(&late);
}

static void
a_slow_client_gets_them_all_in_order(void **state)
{
	a.is_busy = true;
	notify_event("s", "created", "1", true);
	notify_event("s", "renamed", "2", true);
	notify_event("s", "deleted", "3", true);
	assert_string_equal(b.log, "id1!created:1 id1!renamed:2 id1!deleted:3 ");
	a.is_busy = false;
	notify_event("s", "created", "4", true);
	assert_string_equal(a.log, "");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1!created:1 id1!renamed:2 id1!deleted:3 id1!created:4 ");
	notify_event("s", "created", "5", true);
	assert_non_null(strstr(a.log, "id1!created:4 id1!created:5 "));
}

static void
who_falls_too_far_behind_reads_anew_and_goes_on(void **state)
{
	char		number[16];

	a.is_busy = true;
	for (int i = 0; i <= RING_EVENTS_MAX; i++)
	{
		snprintf(number, sizeof(number), "%d", i);
		b.log[0] = c.log[0] = '\0';
		notify_event("s", "renamed", number, true);
	}
	a.is_busy = false;
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1!sessions_reloaded ");
	notify_event("s", "renamed", "x", true);
	assert_string_equal(a.log, "id1!sessions_reloaded id1!renamed:x ");
}

static void
who_is_as_far_behind_as_may_be_gets_them_all(void **state)
{
	a.is_busy = true;
	for (int i = 0; i < RING_EVENTS_MAX; i++)
	{
		b.log[0] = c.log[0] = '\0';
		notify_event("s", "renamed", "1", true);
	}
	a.is_busy = false;
	fake_owed(&a, &a.sub);
	assert_null(strstr(a.log, "sessions_reloaded"));
	assert_int_equal(strlen(a.log), RING_EVENTS_MAX * strlen("id1!renamed:1 "));
}

static void
no_event_comes_before_the_confirmation(void **state)
{
	struct client late;

	fake_init(&late, "id1", "x");
	late.is_busy = true;
	watch(&late, "s");
	late.is_busy = false;
	notify_event("s", "renamed", "1", true);
	assert_string_equal(late.log, "");
	fake_owed(&late, &late.sub);
	assert_string_equal(late.log, "C:id1 id1!renamed:1 ");
	hub_detach(hub, &late.sub);
	fake_done(&late);
}

static void
who_may_have_lost_the_right_is_told_none_until_asked_about(void **state)
{
	notify(EVENT_REVOKED, "s", 0, NULL, true);
	notify_event("s", "renamed", "1", true);
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "");
	a.sub.is_doubted = false;
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1!renamed:1 ");
}

static void
what_anybody_sends_is_never_shown(void **state)
{
	notify_event("s", "renamed", "forged", false);
	assert_string_equal(a.log, "");
	assert_ptr_equal(turn(), NULL);
	assert_string_equal(a.log, "id1!sessions_reloaded ");
	assert_string_equal(c.log, "id2!sessions_reloaded ");
}

static void
what_anybody_sends_again_and_again_is_one_reload_in_its_turn(void **state)
{
	for (int i = 0; i < 100; i++)
		notify_event("s", "renamed", "forged", false);
	assert_ptr_equal(turn(), NULL);
	assert_string_equal(turn(), "");
	assert_string_equal(a.log, "id1!sessions_reloaded ");
}

static void
a_forged_event_asks_the_database_nothing(void **state)
{
	const char *wanted = "";

	notify_event("s", "renamed", "forged", false);
	assert_false(hub_next_wanted(hub, false, &wanted, count_visit, NULL));
	assert_ptr_equal(turn(), NULL);
	assert_int_equal(visited, 0);
}

static void
a_stream_is_read_and_reloaded_in_one_turn(void **state)
{
	notify_event("s", "renamed", "forged", false);
	notify(EVENT_PROGRESS, "s", 99, "forged", false);
	assert_string_equal(turn(), "s");
	assert_string_equal(a.log, "id1!sessions_reloaded ");
	assert_string_equal(turn(), "");
}

static void
who_may_have_missed_some_reads_anew_once(void **state)
{
	hub_sub_missed(&a.sub);
	notify_event("s", "renamed", "1", true);
	assert_string_equal(a.log, "");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1!sessions_reloaded ");
	notify_event("s", "renamed", "2", true);
	assert_string_equal(a.log, "id1!sessions_reloaded id1!renamed:2 ");
	assert_string_equal(b.log, "id1!renamed:1 id1!renamed:2 ");
}

static void
who_watches_a_state_without_events_has_missed_none(void **state)
{
	tell("s", 1, "one");
	a.log[0] = '\0';
	hub_sub_missed(&a.sub);
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "");
}

static void
who_watches_nothing_yet_has_missed_nothing(void **state)
{
	hub_detach(hub, &a.sub);
	hub_sub_missed(&a.sub);
	watch(&a, "s");
	assert_string_equal(a.log, "C:id1 ");
}

static void
a_stream_may_have_both_a_state_and_events(void **state)
{
	tell("s", 1, "one");
	notify_event("s", "renamed", "1", true);
	assert_string_equal(a.log, "id1=one id1!renamed:1 ");
	a.is_busy = true;
	notify_event("s", "renamed", "2", true);
	tell("s", 2, "two");
	a.is_busy = false;
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=one id1!renamed:1 id1=two id1!renamed:2 ");
}

static void
a_protocol_may_want_none(void **state)
{
	struct hub_transport quiet = fake_transport;

	quiet.event = NULL;
	hub_detach(hub, &b.sub);
	b.sub.transport = &quiet;
	watch(&b, "s");
	hub_sub_missed(&b.sub);
	notify_event("s", "renamed", "1", true);
	fake_owed(&b, &b.sub);
	assert_string_equal(b.log, "C:id1 ");
	assert_string_equal(a.log, "id1!renamed:1 ");
	hub_detach(hub, &b.sub);
}

static void
they_are_counted(void **state)
{
	int64_t		before = metric_get(METRIC_EVENTS_OUT);

	notify_event("s", "renamed", "1", true);
	assert_int_equal(metric_get(METRIC_EVENTS_OUT), before + 3);
}

static void
states_that_a_slow_client_is_spared_are_counted(void **state)
{
	int64_t		before = metric_get(METRIC_CONFLATED);

	tell("s", 1, "one");
	a.is_busy = true;
	tell("s", 2, "two");
	assert_int_equal(metric_get(METRIC_CONFLATED), before);
	tell("s", 3, "three");
	tell("s", 4, "four");
	assert_int_equal(metric_get(METRIC_CONFLATED), before + 2);
	a.is_busy = false;
	fake_owed(&a, &a.sub);
	tell("s", 5, "five");
	assert_int_equal(metric_get(METRIC_CONFLATED), before + 2);
	assert_string_equal(a.log, "id1=one id1=four id1=five ");
}

#define list_test(test) cmocka_unit_test_setup_teardown(test, begin_list, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		list_test(an_event_is_told_once_to_each),
		list_test(its_frame_is_built_once_for_each_group),
		list_test(an_event_may_have_no_data),
		list_test(who_watches_another_stream_is_not_told),
		list_test(equal_events_are_each_told),
		list_test(who_comes_later_gets_only_what_comes_later),
		list_test(a_slow_client_gets_them_all_in_order),
		list_test(who_falls_too_far_behind_reads_anew_and_goes_on),
		list_test(who_is_as_far_behind_as_may_be_gets_them_all),
		list_test(no_event_comes_before_the_confirmation),
		list_test(who_may_have_lost_the_right_is_told_none_until_asked_about),
		list_test(what_anybody_sends_is_never_shown),
		list_test(what_anybody_sends_again_and_again_is_one_reload_in_its_turn),
		list_test(a_forged_event_asks_the_database_nothing),
		list_test(a_stream_is_read_and_reloaded_in_one_turn),
		list_test(who_may_have_missed_some_reads_anew_once),
		list_test(who_watches_a_state_without_events_has_missed_none),
		list_test(who_watches_nothing_yet_has_missed_nothing),
		list_test(a_stream_may_have_both_a_state_and_events),
		list_test(a_protocol_may_want_none),
		list_test(they_are_counted),
		list_test(states_that_a_slow_client_is_spared_are_counted),
	};

	return run_units(tests);
}
