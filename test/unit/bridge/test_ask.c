/*
 * test_ask.c
 *		Subscribing is one step: whatever happens between a question and its
 *		answer, the last update arrives and no right is kept that was taken away.
 */
#include "database.h"

/* Asking, and being answered */

static void
the_subscribes_of_one_turn_are_one_query(void **state)
{
	ask_sub(ask, &a.sub);
	ask_sub(ask, &b.sub);
	ask_sub(ask, &c.sub);
	ask_sub(ask, &a.sub);
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
	assert_string_equal(sent[0].query, "{\"one\",\"two\"} {\"{}\",\"{\\\"sub\\\":\\\"c\\\"}\"} {1,2}");
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
}

static void
the_same_identifier_with_other_claims_is_another_row(void **state)
{
	struct client other;

	fake_init(&other, "one", "{\"sub\":\"o\"}");
	ask_sub(ask, &a.sub);
	ask_sub(ask, &other.sub);
	ask_flush(ask);
	assert_string_equal(sent[0].query, "{\"one\",\"one\"} {\"{}\",\"{\\\"sub\\\":\\\"o\\\"}\"} {1,2}");
	answer(0, 1, "sync:1", 10, "ten", NULL);
	answer(0, 2, NULL, 0, NULL, "not_found");
	done(0, ASK_ANSWERED);
	assert_string_equal(a.log, "C:one one=ten ");
	assert_string_equal(other.log, "R:one ");
	leave(&other);
}

static void
all_who_share_a_pair_are_confirmed_and_told_one_state(void **state)
{
	ask_sub(ask, &a.sub);
	asks(&b);
	allow(0, "sync:1", 10, "ten");
	assert_string_equal(a.log, "C:one one=ten ");
	assert_string_equal(b.log, "C:one one=ten ");
}

static void
who_is_refused_is_rejected(void **state)
{
	asks(&c);
	refuse(0, "not_found");
	assert_string_equal(c.log, "R:two ");
	notify(EVENT_PROGRESS, "sync:1", 20, "secret", true);
	assert_string_equal(c.log, "R:two ");
	ask_tick(ask, 100000);
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
}

static void
an_answer_without_a_stream_is_a_refusal(void **state)
{
	asks(&c);
	refuse(0, NULL);
	assert_string_equal(c.log, "R:two ");
}

static void
a_second_answer_changes_nothing(void **state)
{
	ask_sub(ask, &a.sub);
	asks(&c);
	answer(0, 1, "sync:1", 10, "ten", NULL);
	answer(0, 1, NULL, 0, NULL, "not_found");
	answer(0, 2, NULL, 0, NULL, "not_found");
	answer(0, 2, "sync:1", 10, "ten", NULL);
	done(0, ASK_ANSWERED);
	assert_string_equal(a.log, "C:one one=ten ");
	assert_string_equal(c.log, "R:two ");
}

static void
an_answer_to_what_was_not_asked_is_passed_over(void **state)
{
	asks(&a);
	answer(0, 2, "sync:1", 10, "ten", NULL);
	answer(0, 0, "sync:1", 10, "ten", NULL);
	answer(0, -1, "sync:1", 10, "ten", NULL);
	assert_string_equal(a.log, "");
	allow(0, "sync:1", 10, "ten");
	assert_string_equal(a.log, "C:one one=ten ");
}

static void
who_asks_for_an_update_gets_the_state_again_unconfirmed(void **state)
{
	asks(&a);
	allow(0, "sync:1", 10, "ten");
	a.sub.ask_resend = true;
	asks(&a);
	allow(1, "sync:1", 10, "ten");
	assert_string_equal(a.log, "C:one one=ten one=ten ");
	asks(&a);
	allow(2, "sync:1", 10, "ten");
	assert_string_equal(a.log, "C:one one=ten one=ten ");
}

static void
who_asks_while_it_is_asked_about_is_asked_about_again(void **state)
{
	asks(&a);
	asks(&a);
	assert_int_equal(sent_count, 1);
	allow(0, "sync:1", 10, "ten");
	ask_flush(ask);
	assert_int_equal(sent_count, 2);
	allow(1, "sync:1", 10, "ten");
	ask_flush(ask);
	assert_int_equal(sent_count, 2);
	assert_string_equal(a.log, "C:one one=ten ");
}

static void
who_left_while_it_was_asked_is_told_nothing(void **state)
{
	ask_sub(ask, &a.sub);
	asks(&b);
	ask_forget(&b.sub);
	allow(0, "sync:1", 11, "eleven");
	assert_string_equal(a.log, "C:one one=eleven ");
	assert_string_equal(b.log, "");
}

static void
who_watched_and_left_while_it_was_asked_again_is_told_nothing(void **state)
{
	ask_sub(ask, &a.sub);
	asks(&b);
	allow(0, "sync:1", 10, "ten");
	asks(&b);
	ask_forget(&b.sub);
	hub_detach(hub, &b.sub);
	allow(1, "sync:1", 11, "eleven");
	assert_string_equal(b.log, "C:one one=ten ");
}

static void
who_left_before_it_was_asked_is_not_asked_about(void **state)
{
	ask_sub(ask, &a.sub);
	ask_sub(ask, &c.sub);
	ask_forget(&a.sub);
	ask_flush(ask);
	assert_string_equal(sent[0].query, "{\"two\"} {\"{\\\"sub\\\":\\\"c\\\"}\"} {1}");
}

/* What is notified between a question and its answer */

static void
an_update_meanwhile_is_not_lost(void **state)
{
	asks(&a);
	notify(EVENT_PROGRESS, "sync:1", 20, "last", true);
	allow(0, "sync:1", 10, "ten");
	assert_string_equal(a.log, "C:one one=last ");
	notify(EVENT_PROGRESS, "sync:1", 15, "older", true);
	assert_string_equal(a.log, "C:one one=last ");
}

static void
an_older_update_meanwhile_does_not_win_over_the_answer(void **state)
{
	asks(&a);
	notify(EVENT_PROGRESS, "sync:1", 5, "old", true);
	allow(0, "sync:1", 10, "ten");
	assert_string_equal(a.log, "C:one one=ten ");
}

static void
an_update_meanwhile_whose_data_was_left_out_is_read_afterwards(void **state)
{
	asks(&a);
	notify(EVENT_PROGRESS, "sync:3", 20, NULL, true);
	allow(0, "sync:3", 10, "ten");
	ask_flush(ask);
	assert_string_equal(sent[1].query, "snapshots {\"sync:3\"}");
	answer(1, 0, "sync:3", 20, "twenty", NULL);
	done(1, ASK_ANSWERED);
	assert_string_equal(a.log, "C:one one=ten one=twenty ");
}

static void
an_update_left_out_meanwhile_is_not_read_if_the_answer_has_it(void **state)
{
	asks(&a);
	notify(EVENT_PROGRESS, "sync:3", 20, NULL, true);
	allow(0, "sync:3", 20, "twenty");
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
}

static void
an_update_meanwhile_of_anybody_else_is_not_used_but_read(void **state)
{
	asks(&a);
	notify(EVENT_PROGRESS, "sync:4", 99, "forged", false);
	allow(0, "sync:4", 10, "ten");
	assert_string_equal(a.log, "C:one one=ten ");
	ask_tick(ask, 2000);
	assert_string_equal(sent[1].query, "snapshots {\"sync:4\"}");
}

static void
a_right_that_was_revoked_meanwhile_is_asked_for_again(void **state)
{
	asks(&a);
	notify(EVENT_REVOKED, "sync:5", 0, NULL, true);
	allow(0, "sync:5", 10, "ten");
	ask_flush(ask);
	assert_int_equal(sent_count, 2);
	notify(EVENT_PROGRESS, "sync:5", 11, "secret", true);
	refuse(1, "not_found");
	assert_string_equal(a.log, "R:one ");
}

static void
a_right_that_was_revoked_before_the_question_is_not_asked_for_again(void **state)
{
	asks(&a);
	notify(EVENT_REVOKED, "sync:5", 0, NULL, true);
	asks(&c);
	allow(1, "sync:5", 10, "ten");
	assert_string_equal(c.log, "C:two two=ten ");
	allow(0, "sync:5", 10, "ten");
	assert_string_equal(a.log, "");
}

static void
when_more_happened_than_can_be_kept_it_is_asked_again(void **state)
{
	char		name[32];

	asks(&a);
	notify(EVENT_PROGRESS, "sync:1", 20, "last", true);
	for (int i = 0; i < 10; i++)
	{
		snprintf(name, sizeof(name), "other:%d", i);
		notify(EVENT_PROGRESS, name, 1, "x", true);
	}
	allow(0, "sync:1", 10, "ten");
	ask_flush(ask);
	assert_int_equal(sent_count, 2);
	allow(1, "sync:1", 20, "last");
	assert_string_equal(a.log, "C:one one=last ");
}

/* A run that has just ended: it has a version, and its state follows */

static void
a_state_that_is_not_there_yet_follows(void **state)
{
	ask_sub(ask, &a.sub);
	asks(&c);
	answer(0, 1, "sync:1", 10, NULL, NULL);
	answer(0, 2, "owner:c", 0, NULL, NULL);
	done(0, ASK_ANSWERED);
	assert_string_equal(a.log, "C:one ");
	assert_true(hub_sub_awaits(&a.sub));
	assert_false(hub_sub_awaits(&c.sub));
	notify(EVENT_PROGRESS, "sync:1", 10, "short", true);
	notify(EVENT_PROGRESS, "sync:1", 11, "last", true);
	assert_false(hub_sub_awaits(&a.sub));
	assert_string_equal(a.log, "C:one one=short one=last ");
}

static void
a_state_that_is_not_in_the_answer_but_came_meanwhile_is_told(void **state)
{
	asks(&a);
	notify(EVENT_PROGRESS, "sync:1", 11, "last", true);
	allow(0, "sync:1", 10, NULL);
	assert_string_equal(a.log, "C:one one=last ");
}

static void
a_state_older_than_the_end_is_not_told_for_it(void **state)
{
	asks(&a);
	notify(EVENT_PROGRESS, "sync:1", 9, "before", true);
	allow(0, "sync:1", 10, NULL);
	assert_string_equal(a.log, "C:one ");
	notify(EVENT_PROGRESS, "sync:1", 11, "last", true);
	assert_string_equal(a.log, "C:one one=last ");
}

static void
a_state_that_follows_without_data_is_read(void **state)
{
	asks(&a);
	notify(EVENT_PROGRESS, "sync:1", 11, NULL, true);
	allow(0, "sync:1", 10, NULL);
	ask_flush(ask);
	assert_string_equal(sent[1].query, "snapshots {\"sync:1\"}");
	answer(1, 0, "sync:1", 11, "last", NULL);
	done(1, ASK_ANSWERED);
	assert_string_equal(a.log, "C:one one=last ");
}

static void
who_awaits_a_state_has_no_list_to_read_anew(void **state)
{
	char		name[32];

	asks(&a);
	for (int i = 0; i < 10; i++)
	{
		snprintf(name, sizeof(name), "other:%d", i);
		notify(EVENT_PROGRESS, name, 1, "x", true);
	}
	allow(0, "sync:1", 10, NULL);
	ask_flush(ask);
	allow(1, "sync:1", 10, NULL);
	assert_string_equal(a.log, "C:one ");
	ask_set_live(ask, false);
	ask_set_live(ask, true);
	ask_flush(ask);
	allow(2, "sync:1", 11, "last");
	assert_string_equal(a.log, "C:one one=last ");
}

/* A right that is revoked later */

static void
a_revoked_right_is_asked_for_in_the_next_turn(void **state)
{
	ask_sub(ask, &a.sub);
	asks(&b);
	allow(0, "sync:1", 10, "ten");
	notify(EVENT_REVOKED, "sync:1", 0, NULL, true);
	ask_flush(ask);
	notify(EVENT_PROGRESS, "sync:1", 11, "secret", true);
	assert_int_equal(sent_count, 3);
	assert_string_equal(sent[1].query, "snapshots {\"sync:1\"}");
	assert_string_equal(sent[2].query, "{\"one\"} {\"{}\"} {1}");
	done(1, ASK_ANSWERED);
	assert_string_equal(a.log, "C:one one=ten ");
	refuse(2, "not_found");
	assert_string_equal(a.log, "C:one one=ten R:one ");
}

static void
who_still_has_the_right_gets_what_came_meanwhile(void **state)
{
	asks(&a);
	allow(0, "sync:1", 10, "ten");
	notify(EVENT_REVOKED, "sync:1", 0, NULL, true);
	ask_flush(ask);
	notify(EVENT_PROGRESS, "sync:1", 11, "eleven", true);
	allow(2, "sync:1", 10, "ten");
	assert_string_equal(a.log, "C:one one=ten one=eleven ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ask_test(the_subscribes_of_one_turn_are_one_query),
		ask_test(the_same_identifier_with_other_claims_is_another_row),
		ask_test(all_who_share_a_pair_are_confirmed_and_told_one_state),
		ask_test(who_is_refused_is_rejected),
		ask_test(an_answer_without_a_stream_is_a_refusal),
		ask_test(a_second_answer_changes_nothing),
		ask_test(an_answer_to_what_was_not_asked_is_passed_over),
		ask_test(who_asks_for_an_update_gets_the_state_again_unconfirmed),
		ask_test(who_asks_while_it_is_asked_about_is_asked_about_again),
		ask_test(who_left_while_it_was_asked_is_told_nothing),
		ask_test(who_watched_and_left_while_it_was_asked_again_is_told_nothing),
		ask_test(who_left_before_it_was_asked_is_not_asked_about),
		ask_test(an_update_meanwhile_is_not_lost),
		ask_test(an_older_update_meanwhile_does_not_win_over_the_answer),
		ask_test(an_update_meanwhile_whose_data_was_left_out_is_read_afterwards),
		ask_test(an_update_left_out_meanwhile_is_not_read_if_the_answer_has_it),
		ask_test(an_update_meanwhile_of_anybody_else_is_not_used_but_read),
		ask_test(a_right_that_was_revoked_meanwhile_is_asked_for_again),
		ask_test(a_right_that_was_revoked_before_the_question_is_not_asked_for_again),
		ask_test(when_more_happened_than_can_be_kept_it_is_asked_again),
		ask_test(a_state_that_is_not_there_yet_follows),
		ask_test(a_state_that_is_not_in_the_answer_but_came_meanwhile_is_told),
		ask_test(a_state_older_than_the_end_is_not_told_for_it),
		ask_test(a_state_that_follows_without_data_is_read),
		ask_test(who_awaits_a_state_has_no_list_to_read_anew),
		ask_test(a_revoked_right_is_asked_for_in_the_next_turn),
		ask_test(who_still_has_the_right_gets_what_came_meanwhile),
	};

	return run_units(tests);
}
