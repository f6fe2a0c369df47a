/*
 * test_hub.c
 *		Everybody gets the newest state, once, and never an older one.
 */
#include <string.h>

#include "fake.h"
#include "unit.h"

static struct hub *hub;
static struct intern *intern;

/* "a" and "b" say "id1", "c" says "id2". */
static struct client a;
static struct client b;
static struct client c;

static int	visited;

static int
begin(void **state)
{
	intern = intern_create();
	hub = hub_create(100);
	fake_init(&a, intern, "id1", "x");
	fake_init(&b, intern, "id1", "y");
	fake_init(&c, intern, "id2", "x");
	fake_states_built = 0;
	visited = 0;
	return 0;
}

static int
end(void **state)
{
	hub_detach(hub, &a.sub);
	hub_detach(hub, &b.sub);
	hub_detach(hub, &c.sub);
	fake_done(&a);
	fake_done(&b);
	fake_done(&c);
	hub_free(hub);
	intern_free(intern);
	return 0;
}

static void
tell(const char *stream, int64_t version, const char *payload)
{
	struct msg *msg = msg_create(payload, strlen(payload));

	hub_state(hub, stream, version, false, msg);
	msg_drop(msg);
}

static void
notify(enum event_type type, const char *stream, int64_t version, const char *payload,
	   bool is_trusted)
{
	struct event event = {
		.type = type,
		.stream = (char *) (uintptr_t) stream,
		.version = version,
		.payload = payload ? msg_create(payload, strlen(payload)) : NULL
	};

	hub_take(hub, &event, is_trusted);
	msg_drop(event.payload);
}

static void
watch(struct client *client, const char *stream)
{
	hub_attach(hub, &client->sub, stream);
	client->sub.is_confirmed = client->sub.owes_confirm = true;
	fake_owed(client, &client->sub);
}

/* All three watch "s", and what they were told so far is not of interest. */
static int
begin_watched(void **state)
{
	begin(state);
	watch(&a, "s");
	watch(&b, "s");
	watch(&c, "s");
	tell("s", 10, "ten");
	a.log[0] = b.log[0] = c.log[0] = '\0';
	fake_states_built = 0;
	return 0;
}

static void
count_visit(struct hub_sub *sub, void *arg)
{
	visited++;
}

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
loud_state(struct buf *out, const struct istr *identifier, const struct msg *payload)
{
	buf_printf(out, "%s=%s!", identifier->bytes, payload->bytes);
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
			fake_init(&more[j], intern, "id", "x");
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
			fake_init(&more[j], intern, identifiers[j], "x");
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
	notify(EVENT_OTHER, "s", 14, "fourteen", true);
	notify(EVENT_HEARTBEAT, NULL, 0, NULL, true);
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

	fake_init(&other, intern, "id3", "x");
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

#define hub_test(test) cmocka_unit_test_setup_teardown(test, begin, end)
#define watched_test(test) cmocka_unit_test_setup_teardown(test, begin_watched, end)

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
		watched_test(all_subscriptions_can_be_visited),
		watched_test(a_subscription_can_move_to_another_stream),
		watched_test(versions_of_another_stream_are_its_own),
		watched_test(who_is_allowed_the_same_stream_again_keeps_its_place),
		watched_test(a_rejection_is_the_last_frame),
	};

	return run_units(tests);
}
