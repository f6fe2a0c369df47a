/*
 * test_ask_events.c
 *		Events that come while a subscription is being asked about, or while no
 *		notifications are received, are not missed without a word.
 */
#include "database.h"

/* The answer for a stream that has no state. */
static void
allow_list(int index)
{
	answer(index, 1, "owner:a", 0, NULL, NULL);
	done(index, ASK_ANSWERED);
}

static void
a_list_is_confirmed_and_has_no_state(void **state)
{
	asks(&a);
	allow_list(0);
	notify_event("owner:a", "renamed", "1", true);
	assert_string_equal(a.log, "C:one one!renamed:1 ");
}

static void
an_event_between_the_question_and_its_answer_is_not_missed(void **state)
{
	asks(&a);
	notify_event("owner:a", "renamed", "1", true);
	notify_event("owner:b", "renamed", "2", true);
	allow_list(0);
	assert_string_equal(a.log, "C:one one!sessions_reloaded ");
}

static void
an_event_before_the_question_is_not_told(void **state)
{
	notify_event("owner:a", "renamed", "1", true);
	asks(&a);
	allow_list(0);
	assert_string_equal(a.log, "C:one ");
}

static void
an_event_before_the_question_that_another_question_kept_is_not_told(void **state)
{
	asks(&a);
	notify_event("owner:a", "renamed", "1", true);
	asks(&c);
	allow_list(1);
	assert_string_equal(c.log, "C:two ");
}

static void
who_watches_already_gets_the_event_itself(void **state)
{
	asks(&a);
	allow_list(0);
	asks(&a);
	notify_event("owner:a", "renamed", "1", true);
	allow_list(1);
	assert_string_equal(a.log, "C:one one!renamed:1 ");
}

static void
a_forged_event_in_between_may_have_hidden_a_true_one(void **state)
{
	asks(&a);
	notify_event("owner:a", "renamed", "1", false);
	allow_list(0);
	assert_string_equal(a.log, "C:one one!sessions_reloaded ");
}

static void
when_more_came_than_could_be_kept_a_list_is_read_anew(void **state)
{
	char		stream[32];

	asks(&a);
	for (int i = 0; i <= KEPT_MAX; i++)
	{
		snprintf(stream, sizeof(stream), "s%d", i);
		notify(EVENT_PROGRESS, stream, 1, "x", true);
	}
	allow_list(0);
	ask_flush(ask);
	allow_list(1);
	assert_string_equal(a.log, "C:one one!sessions_reloaded ");
}

static void
after_an_outage_lists_are_read_anew_by_who_may_still_see_them(void **state)
{
	asks(&a);
	allow_list(0);
	asks(&c);
	allow_list(1);
	ask_set_live(ask, false);
	ask_set_live(ask, true);
	assert_string_equal(a.log, "C:one ");
	notify_event("owner:a", "renamed", "1", true);
	ask_flush(ask);
	answer(2, 1, "owner:a", 0, NULL, NULL);
	answer(2, 2, NULL, 0, NULL, "not_found");
	done(2, ASK_ANSWERED);
	if (a.is_over)
	{
		assert_string_equal(a.log, "C:one R:one ");
		assert_string_equal(c.log, "C:two two!sessions_reloaded ");
	}
	else
	{
		assert_string_equal(a.log, "C:one one!sessions_reloaded ");
		assert_string_equal(c.log, "C:two R:two ");
	}
}

static void
after_an_outage_who_watches_a_state_gets_no_event(void **state)
{
	asks(&a);
	allow(0, "sync:1", 10, "ten");
	ask_set_live(ask, false);
	ask_set_live(ask, true);
	ask_flush(ask);
	allow(1, "sync:1", 10, "ten");
	assert_string_equal(a.log, "C:one one=ten ");
}

static void
what_anybody_notifies_reloads_a_list_twice_a_second_at_most(void **state)
{
	asks(&a);
	allow_list(0);
	ask_tick(ask, 2000);
	for (int64_t now_ms = 2000; now_ms < 3000; now_ms += 10)
	{
		notify_event("owner:a", "renamed", "forged", false);
		ask_tick(ask, now_ms);
	}
	assert_int_equal(sent_count, 1);
	assert_string_equal(a.log, "C:one one!sessions_reloaded ");
	ask_tick(ask, 3000);
	assert_string_equal(a.log, "C:one one!sessions_reloaded one!sessions_reloaded ");
}

static void
in_one_turn_only_so_many_lists_are_reloaded(void **state)
{
	char		stream[32];
	int			reloaded = 0;

	crowd_asks(PAIRS_MAX + 1);
	for (int i = 0; i < crowd_size; i++)
	{
		snprintf(stream, sizeof(stream), "owner:%d", i);
		hub_attach(hub, &crowd[i].sub, stream);
		crowd[i].sub.is_confirmed = true;
		notify_event(stream, "renamed", "forged", false);
	}
	ask_tick(ask, 2000);
	for (int i = 0; i < crowd_size; i++)
		reloaded += crowd[i].log[0] != '\0';
	assert_int_equal(reloaded, PAIRS_MAX);
	ask_tick(ask, 2500);
	for (int i = 0; i < crowd_size; i++)
		assert_string_not_equal(crowd[i].log, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ask_test(a_list_is_confirmed_and_has_no_state),
		ask_test(an_event_between_the_question_and_its_answer_is_not_missed),
		ask_test(an_event_before_the_question_is_not_told),
		ask_test(an_event_before_the_question_that_another_question_kept_is_not_told),
		ask_test(who_watches_already_gets_the_event_itself),
		ask_test(a_forged_event_in_between_may_have_hidden_a_true_one),
		ask_test(when_more_came_than_could_be_kept_a_list_is_read_anew),
		ask_test(after_an_outage_lists_are_read_anew_by_who_may_still_see_them),
		ask_test(after_an_outage_who_watches_a_state_gets_no_event),
		ask_test(what_anybody_notifies_reloads_a_list_twice_a_second_at_most),
		ask_test(in_one_turn_only_so_many_lists_are_reloaded),
	};

	return run_units(tests);
}
