/*
 * test_hub_take.c
 *		What a notification makes the hub tell, and what it makes it ask for.
 */
#include "watchers.h"

/* The stream that is to be read next; "": none. */
static const char *
next_wanted(bool is_hint)
{
	const char *wanted = "";

	return hub_next_wanted(hub, is_hint, &wanted, count_visit, NULL) ? wanted : "";
}

static const char *
at_once(void)
{
	return next_wanted(false);
}

static const char *
in_its_turn(void)
{
	return next_wanted(true);
}

static void
a_notification_of_the_worker_is_told(void **state)
{
	notify(EVENT_PROGRESS, "s", 14, "fourteen", true);
	assert_string_equal(b.log, "id1=fourteen ");
	assert_string_equal(at_once(), "");
	assert_string_equal(in_its_turn(), "");
}

static void
a_notification_that_is_no_state_is_not_told(void **state)
{
	notify(EVENT_HEARTBEAT, NULL, 0, NULL, true);
	notify(EVENT_DISCONNECT, "s", 14, "fourteen", true);
	assert_string_equal(b.log, "");
	assert_string_equal(at_once(), "");
	assert_string_equal(in_its_turn(), "");
}

static void
a_notification_of_anybody_else_is_not_told(void **state)
{
	notify(EVENT_PROGRESS, "s", 99, "forged", false);
	assert_string_equal(b.log, "");
}

static void
a_stream_that_anybody_notified_is_read_once_in_its_turn(void **state)
{
	notify(EVENT_PROGRESS, "s", 99, "forged", false);
	assert_string_equal(at_once(), "");
	assert_string_equal(in_its_turn(), "s");
	assert_string_equal(in_its_turn(), "");
}

static void
a_forged_version_holds_up_no_true_one(void **state)
{
	notify(EVENT_PROGRESS, "s", 99, "forged", false);
	notify(EVENT_PROGRESS, "s", 15, "fifteen", true);
	assert_string_equal(b.log, "id1=fifteen ");
}

static void
nobody_reads_what_nobody_watches(void **state)
{
	notify(EVENT_PROGRESS, "unwatched", 1, "x", false);
	notify(EVENT_PROGRESS, "unwatched", 1, NULL, true);
	hub_want(hub, "unwatched", false);
	assert_string_equal(in_its_turn(), "");
	assert_string_equal(at_once(), "");
}

static void
nobody_reads_what_nobody_watches_any_more(void **state)
{
	watch(&a, "t");
	hub_want(hub, "s", false);
	hub_want(hub, "t", false);
	hub_detach(hub, &b.sub);
	hub_detach(hub, &c.sub);
	assert_string_equal(at_once(), "t");
	hub_want(hub, "t", true);
	hub_detach(hub, &a.sub);
	assert_string_equal(in_its_turn(), "");
}

static void
a_state_whose_data_was_left_out_is_read_at_once(void **state)
{
	notify(EVENT_PROGRESS, "s", 16, NULL, true);
	notify(EVENT_PROGRESS, "s", 17, NULL, false);
	assert_string_equal(at_once(), "s");
	assert_int_equal(visited, 0);
	assert_string_equal(at_once(), "");
	assert_string_equal(in_its_turn(), "");
	tell("s", 16, "sixteen");
	assert_string_equal(b.log, "id1=sixteen ");
}

static void
a_state_that_is_known_already_is_not_read(void **state)
{
	notify(EVENT_PROGRESS, "s", 15, "fifteen", true);
	notify(EVENT_PROGRESS, "s", 15, NULL, true);
	assert_string_equal(at_once(), "");
}

static void
what_waits_for_its_turn_can_become_urgent(void **state)
{
	hub_want(hub, "s", true);
	hub_want(hub, "s", false);
	assert_string_equal(in_its_turn(), "");
	assert_string_equal(at_once(), "s");
}

static void
streams_are_read_in_the_order_in_which_they_were_wanted(void **state)
{
	watch(&a, "1");
	watch(&b, "2");
	watch(&c, "3");
	hub_want(hub, "2", true);
	hub_want(hub, "1", true);
	hub_want(hub, "3", true);
	hub_want(hub, "2", true);
	hub_want(hub, "1", false);
	assert_string_equal(in_its_turn(), "2");
	assert_string_equal(in_its_turn(), "3");
	assert_string_equal(in_its_turn(), "");
	assert_string_equal(at_once(), "1");
}

static void
a_revocation_asks_at_once_about_every_subscription_of_the_stream(void **state)
{
	struct client other;

	fake_init(&other, "id3", "x");
	watch(&other, "other");
	notify(EVENT_REVOKED, "s", 0, NULL, true);
	assert_string_equal(at_once(), "s");
	assert_int_equal(visited, 3);
	assert_false(other.sub.is_doubted);
	hub_detach(hub, &other.sub);
	fake_done(&other);
}

static void
a_revocation_asks_once(void **state)
{
	notify(EVENT_REVOKED, "s", 0, NULL, true);
	assert_string_equal(at_once(), "s");
	notify(EVENT_PROGRESS, "s", 11, NULL, true);
	assert_string_equal(at_once(), "s");
	assert_int_equal(visited, 3);
}

static void
who_may_have_lost_the_right_is_told_nothing_until_asked_about(void **state)
{
	notify(EVENT_REVOKED, "s", 0, NULL, true);
	notify(EVENT_PROGRESS, "s", 20, "secret", true);
	fake_owed(&b, &b.sub);
	assert_string_equal(b.log, "");
	b.sub.is_doubted = c.sub.is_doubted = false;
	fake_owed(&b, &b.sub);
	assert_string_equal(b.log, "id1=secret ");
	assert_string_equal(a.log, "");
}

static void
a_revocation_that_anybody_sent_silences_nobody(void **state)
{
	notify(EVENT_REVOKED, "s", 0, NULL, false);
	assert_false(b.sub.is_doubted);
	tell("s", 11, "eleven");
	assert_string_equal(b.log, "id1=eleven ");
}

static void
a_revocation_that_anybody_sent_asks_in_its_turn(void **state)
{
	notify(EVENT_REVOKED, "s", 0, NULL, false);
	assert_string_equal(at_once(), "");
	assert_string_equal(in_its_turn(), "s");
	assert_int_equal(visited, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		watched_test(a_notification_of_the_worker_is_told),
		watched_test(a_notification_that_is_no_state_is_not_told),
		watched_test(a_notification_of_anybody_else_is_not_told),
		watched_test(a_stream_that_anybody_notified_is_read_once_in_its_turn),
		watched_test(a_forged_version_holds_up_no_true_one),
		watched_test(nobody_reads_what_nobody_watches),
		watched_test(nobody_reads_what_nobody_watches_any_more),
		watched_test(a_state_whose_data_was_left_out_is_read_at_once),
		watched_test(a_state_that_is_known_already_is_not_read),
		watched_test(what_waits_for_its_turn_can_become_urgent),
		hub_test(streams_are_read_in_the_order_in_which_they_were_wanted),
		watched_test(a_revocation_asks_at_once_about_every_subscription_of_the_stream),
		watched_test(a_revocation_asks_once),
		watched_test(who_may_have_lost_the_right_is_told_nothing_until_asked_about),
		watched_test(a_revocation_that_anybody_sent_silences_nobody),
		watched_test(a_revocation_that_anybody_sent_asks_in_its_turn),
	};

	return run_units(tests);
}
