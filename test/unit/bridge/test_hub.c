/*
 * test_hub.c
 *		Everybody gets the newest state, once, and never an older one.
 */
#include <string.h>

#include "watchers.h"

static void
nothing_is_known_of_a_stream_before_it_is_watched(void **state)
{
	tell("s", 5, "early");
	watch(&a, "s");
	assert_string_equal(a.log, "C:id1 ");
}

static void
a_state_is_told(void **state)
{
	watch(&a, "s");
	tell("s", 10, "ten");
	assert_string_equal(a.log, "C:id1 id1=ten ");
}

static void
who_comes_later_is_confirmed_and_gets_the_latest_state(void **state)
{
	watch(&a, "s");
	tell("s", 10, "ten");
	watch(&b, "s");
	assert_string_equal(b.log, "C:id1 id1=ten ");
	assert_string_equal(a.log, "C:id1 id1=ten ");
}

static void
the_same_stream_is_told_under_every_identifier(void **state)
{
	watch(&a, "s");
	watch(&c, "s");
	tell("s", 10, "ten");
	tell("s", 11, "eleven");
	assert_string_equal(a.log, "C:id1 id1=ten id1=eleven ");
	assert_string_equal(c.log, "C:id2 id2=ten id2=eleven ");
}

static void
a_frame_is_built_once_for_each_group(void **state)
{
	tell("s", 11, "eleven");
	assert_int_equal(fake_states_built, 2);
}

static void
loud_state(struct buf *out, const struct istr *identifier, const struct hub_news *news)
{
	buf_printf(out, "%s=%s!", identifier->bytes, news->payload->bytes);
}

static void
another_protocol_has_frames_of_its_own(void **state)
{
	struct hub_transport loud = fake_transport;

	loud.state = loud_state;
	hub_detach(hub, &b.sub);
	b.sub.transport = &loud;
	watch(&b, "s");
	tell("s", 11, "eleven");
	assert_string_equal(a.log, "id1=eleven ");
	assert_string_equal(b.log, "C:id1 id1=ten! id1=eleven! ");
	hub_detach(hub, &b.sub);
}

static void
who_watches_another_stream_is_told_nothing_of_this_one(void **state)
{
	watch(&a, "s");
	watch(&b, "t");
	tell("s", 10, "ten");
	assert_string_equal(b.log, "C:id1 ");
}

static void
what_is_not_newer_is_not_told(void **state)
{
	tell("s", 11, "eleven");
	tell("s", 11, "other");
	tell("s", 10, "ten");
	assert_string_equal(a.log, "id1=eleven ");
	a.sub.owes_state = true;
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=eleven id1=eleven ");
}

static void
a_slow_client_holds_up_nobody(void **state)
{
	a.is_busy = true;
	tell("s", 12, "twelve");
	tell("s", 13, "thirteen");
	assert_string_equal(b.log, "id1=twelve id1=thirteen ");
	assert_string_equal(a.log, "");
}

static void
a_slow_client_gets_the_newest_state_only_and_once(void **state)
{
	a.is_busy = true;
	tell("s", 12, "twelve");
	tell("s", 13, "thirteen");
	a.is_busy = false;
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=thirteen ");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=thirteen ");
}

static void
who_asks_for_the_state_gets_it_again_once(void **state)
{
	a.sub.owes_state = true;
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=ten ");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=ten ");
}

static void
who_asked_for_the_state_and_is_told_a_newer_one_has_it(void **state)
{
	a.sub.owes_state = true;
	tell("s", 11, "eleven");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=eleven ");
}

static void
who_is_not_confirmed_is_told_nothing(void **state)
{
	hub_attach(hub, &a.sub, "s");
	tell("s", 10, "ten");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "");
}

static void
no_state_comes_before_its_confirmation(void **state)
{
	a.is_busy = true;
	watch(&a, "s");
	a.is_busy = false;
	tell("s", 10, "ten");
	assert_string_equal(a.log, "");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "C:id1 id1=ten ");
}

static void
who_has_left_is_told_nothing(void **state)
{
	hub_detach(hub, &a.sub);
	notify(EVENT_PROGRESS, "s", 14, "fourteen", true);
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "");
	assert_string_equal(b.log, "id1=fourteen ");
}

static void
whoever_leaves_a_group_the_others_stay(void **state)
{
	for (int i = 0; i < 3; i++)
	{
		struct client more[3];

		/* The latest comes first in its group. */
		for (int j = 0; j < 3; j++)
		{
			fake_init(&more[j], "id", "x");
			watch(&more[j], "t");
		}
		hub_detach(hub, &more[i].sub);
		hub_detach(hub, &more[i].sub);
		tell("t", 1, "one");
		for (int j = 0; j < 3; j++)
			assert_string_equal(more[j].log, j == i ? "C:id " : "C:id id=one ");
		for (int j = 0; j < 3; j++)
		{
			hub_detach(hub, &more[j].sub);
			fake_done(&more[j]);
		}
	}
}

static void
whichever_group_leaves_a_stream_the_others_stay(void **state)
{
	static const char *const identifiers[] = {"one", "two", "three"};
	struct client more[3];

	for (int i = 0; i < 3; i++)
	{
		for (int j = 0; j < 3; j++)
		{
			fake_init(&more[j], identifiers[j], "x");
			watch(&more[j], "t");
			more[j].log[0] = '\0';
		}
		hub_detach(hub, &more[i].sub);
		tell("t", 1, "1");
		for (int j = 0; j < 3; j++)
		{
			assert_int_equal(strlen(more[j].log), j == i ? 0 : strlen(identifiers[j]) + 3);
			hub_detach(hub, &more[j].sub);
			fake_done(&more[j]);
		}
	}
}

static void
when_the_last_has_left_nothing_is_known_any_more(void **state)
{
	hub_detach(hub, &a.sub);
	hub_detach(hub, &b.sub);
	hub_detach(hub, &c.sub);
	watch(&a, "s");
	assert_string_equal(a.log, "C:id1 ");
}

static void
all_subscriptions_can_be_visited(void **state)
{
	watch(&c, "other");
	hub_each(hub, count_visit, NULL);
	assert_int_equal(visited, 3);
	hub_detach(hub, &a.sub);
	hub_each(hub, count_visit, NULL);
	assert_int_equal(visited, 5);
}

static void
a_subscription_can_move_to_another_stream(void **state)
{
	hub_attach(hub, &b.sub, "other");
	tell("s", 18, "eighteen");
	assert_string_equal(b.log, "");
	assert_string_equal(a.log, "id1=eighteen ");
}

static void
versions_of_another_stream_are_its_own(void **state)
{
	hub_attach(hub, &b.sub, "other");
	tell("other", 1, "first");
	assert_string_equal(b.log, "id1=first ");
}

static void
who_is_allowed_the_same_stream_again_keeps_its_place(void **state)
{
	hub_attach(hub, &b.sub, "s");
	fake_owed(&b, &b.sub);
	assert_string_equal(b.log, "");
}

static void
a_rejection_is_the_last_frame(void **state)
{
	b.sub.owes_reject = true;
	hub_detach(hub, &b.sub);
	fake_owed(&b, &b.sub);
	assert_string_equal(b.log, "R:id1 ");
	assert_true(b.is_over);
	fake_owed(&b, &b.sub);
	assert_string_equal(b.log, "R:id1 ");
}

static void
offer(struct client *client, const char *stream, int64_t version, const char *payload)
{
	struct msg *msg = msg_create(payload, strlen(payload));
	struct hub_news news = {.version = version, .payload = msg};

	hub_sub_offer(&client->sub, stream, &news);
	msg_drop(msg);
}

static void
a_state_for_one_subscription_is_told_to_that_one_alone(void **state)
{
	offer(&a, "s", 11, "eleven");
	assert_string_equal(a.log, "id1=eleven ");
	assert_string_equal(b.log, "");
	tell("s", 11, "eleven");
	tell("s", 12, "twelve");
	assert_string_equal(a.log, "id1=eleven id1=twelve ");
	assert_string_equal(b.log, "id1=eleven id1=twelve ");
}

static void
a_state_for_one_subscription_is_newer_and_of_its_stream_or_not_told(void **state)
{
	offer(&a, "s", 10, "ten");
	offer(&a, "other", 99, "other");
	assert_string_equal(a.log, "");
}

static void
who_was_shown_a_newer_state_and_asks_is_not_sent_the_older_one(void **state)
{
	offer(&a, "s", 12, "twelve");
	a.sub.owes_state = true;
	tell("s", 11, "eleven");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=twelve ");
	tell("s", 12, "twelve");
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "id1=twelve id1=twelve ");
}

static void
a_state_for_one_subscription_that_cannot_be_told_now_is_left_out(void **state)
{
	a.is_busy = true;
	offer(&a, "s", 11, "eleven");
	a.is_busy = false;
	fake_owed(&a, &a.sub);
	assert_string_equal(a.log, "");
	a.sub.is_doubted = true;
	offer(&a, "s", 11, "eleven");
	hub_detach(hub, &b.sub);
	offer(&b, "s", 11, "eleven");
	assert_string_equal(a.log, "");
	assert_string_equal(b.log, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		hub_test(nothing_is_known_of_a_stream_before_it_is_watched),
		hub_test(a_state_is_told),
		hub_test(who_comes_later_is_confirmed_and_gets_the_latest_state),
		hub_test(the_same_stream_is_told_under_every_identifier),
		watched_test(a_frame_is_built_once_for_each_group),
		watched_test(another_protocol_has_frames_of_its_own),
		hub_test(who_watches_another_stream_is_told_nothing_of_this_one),
		watched_test(what_is_not_newer_is_not_told),
		watched_test(a_slow_client_holds_up_nobody),
		watched_test(a_slow_client_gets_the_newest_state_only_and_once),
		watched_test(who_asks_for_the_state_gets_it_again_once),
		watched_test(who_asked_for_the_state_and_is_told_a_newer_one_has_it),
		hub_test(who_is_not_confirmed_is_told_nothing),
		hub_test(no_state_comes_before_its_confirmation),
		watched_test(who_has_left_is_told_nothing),
		hub_test(whoever_leaves_a_group_the_others_stay),
		hub_test(whichever_group_leaves_a_stream_the_others_stay),
		watched_test(when_the_last_has_left_nothing_is_known_any_more),
		watched_test(all_subscriptions_can_be_visited),
		watched_test(a_subscription_can_move_to_another_stream),
		watched_test(versions_of_another_stream_are_its_own),
		watched_test(who_is_allowed_the_same_stream_again_keeps_its_place),
		watched_test(a_rejection_is_the_last_frame),
		watched_test(a_state_for_one_subscription_is_told_to_that_one_alone),
		watched_test(a_state_for_one_subscription_is_newer_and_of_its_stream_or_not_told),
		watched_test(who_was_shown_a_newer_state_and_asks_is_not_sent_the_older_one),
		watched_test(a_state_for_one_subscription_that_cannot_be_told_now_is_left_out),
	};

	return run_units(tests);
}
