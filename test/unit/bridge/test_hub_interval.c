/*
 * test_hub_interval.c
 *		Who wants less gets less, the newest, and the last at once.
 */
#include "watchers.h"

#define SELDOM "{\"min_interval_ms\":1000}"

/* "seldom" and "later" want one state a second; "a" wants each. */
static struct client seldom;
static struct client later;

static int
begin_seldom(void **state)
{
	begin(state);
	hub_tick(hub, 100000);
	fake_init(&seldom, SELDOM, "x");
	fake_init(&later, SELDOM, "y");
	return 0;
}

static int
end_seldom(void **state)
{
	hub_detach(hub, &seldom.sub);
	hub_detach(hub, &later.sub);
	fake_done(&seldom);
	fake_done(&later);
	return end(state);
}

/* Ticks go on up to this time. */
static void
pass_until(int64_t until_ms)
{
	static int64_t now_ms;

	if (now_ms > until_ms || now_ms < 100000)
		now_ms = 100000;
	for (; now_ms <= until_ms; now_ms += 100)
		hub_tick(hub, now_ms);
	now_ms = until_ms;
}

/* What "client" was sent since it was asked last, without identifiers. */
static const char *
told(struct client *client)
{
	static char text[sizeof(client->log)];
	const char *prefix = client->sub.identifier->bytes;
	size_t		len = 0;

	for (char *at = client->log; *at; at++)
	{
		if (strncmp(at, prefix, strlen(prefix)) == 0)
			at += strlen(prefix);
		text[		len++] = *at;
	}
	text[		len] = '\0';

	client->log[0] = '\0';
	return text;
}

static void
final(const char *stream, int64_t version, const char *payload)
{
	struct msg *msg = msg_create(payload, strlen(payload));

	hub_state(hub, stream, version, true, msg);
	msg_drop(msg);
}

static void
the_first_state_comes_at_once(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	assert_string_equal(told(&seldom), "C: =1 ");
}

static void
others_come_when_the_interval_is_over_and_only_the_newest(void **state)
{
	watch(&seldom, "s");
	watch(&a, "s");
	tell("s", 1, "1");
	told(&seldom);
	tell("s", 2, "2");
	tell("s", 3, "3");
	pass_until(101000);
	assert_string_equal(told(&seldom), "");
	pass_until(101100);
	assert_string_equal(told(&seldom), "=3 ");
	assert_string_equal(told(&a), "C: =1 =2 =3 ");
	pass_until(109000);
	assert_string_equal(told(&seldom), "");
}

static void
the_interval_is_never_shorter_than_was_wished(void **state)
{
	int64_t		told_ms = 100000;

	watch(&seldom, "s");
	tell("s", 1, "0");
	told(&seldom);
	for (int64_t now_ms = 100000; now_ms < 120000; now_ms += 10)
	{
		/* The hub's clock is that of the ticks, the states' one is not. */
		if (now_ms % 100 == 0)
			hub_tick(hub, now_ms);
		tell("s", now_ms, "x");
		if (told(&seldom)[0] == '\0')
			continue;
		assert_in_range(now_ms - told_ms, 1000, 1200);
		told_ms = now_ms;
	}
	assert_in_range(told_ms, 118000, 120000);
}

static void
what_comes_after_a_long_rest_comes_at_once(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	pass_until(105000);
	told(&seldom);
	tell("s", 2, "2");
	assert_string_equal(told(&seldom), "=2 ");
	tell("s", 3, "3");
	assert_string_equal(told(&seldom), "");
}

static void
a_final_state_comes_at_once_and_once(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	tell("s", 2, "2");
	told(&seldom);
	final("s", 3, "end");
	assert_string_equal(told(&seldom), "=end ");
	pass_until(109000);
	assert_string_equal(told(&seldom), "");
}

static void
what_follows_a_final_state_waits_again(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	final("s", 2, "end");
	told(&seldom);
	tell("s", 3, "next run");
	assert_string_equal(told(&seldom), "");
	pass_until(101100);
	assert_string_equal(told(&seldom), "=next run ");
}

static void
who_comes_later_is_confirmed_and_gets_the_newest_at_once(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	tell("s", 2, "2");
	told(&seldom);
	watch(&later, "s");
	assert_string_equal(told(&later), "C: =2 ");
	assert_string_equal(told(&seldom), "");
	pass_until(101100);
	assert_string_equal(told(&seldom), "=2 ");
	assert_string_equal(told(&later), "");
}

static void
the_first_state_of_a_known_stream_begins_the_interval(void **state)
{
	watch(&a, "s");
	tell("s", 1, "1");
	watch(&seldom, "s");
	told(&seldom);
	tell("s", 2, "2");
	assert_string_equal(told(&seldom), "");
	pass_until(101100);
	assert_string_equal(told(&seldom), "=2 ");
}

static void
being_able_to_write_is_no_reason_to_be_told(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	tell("s", 2, "2");
	told(&seldom);
	fake_owed(&seldom, &seldom.sub);
	assert_string_equal(told(&seldom), "");
}

static void
who_asks_is_answered_at_once(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	tell("s", 2, "2");
	told(&seldom);
	seldom.sub.owes_state = true;
	fake_owed(&seldom, &seldom.sub);
	assert_string_equal(told(&seldom), "=2 ");
}

static void
who_is_slow_as_well_gets_the_newest_when_it_can(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	told(&seldom);
	seldom.is_busy = true;
	tell("s", 2, "2");
	pass_until(102000);
	seldom.is_busy = false;
	fake_owed(&seldom, &seldom.sub);
	assert_string_equal(told(&seldom), "=2 ");
}

static void
events_are_not_held_back(void **state)
{
	watch(&seldom, "s");
	tell("s", 1, "1");
	tell("s", 2, "2");
	told(&seldom);
	notify_event("s", "renamed", "x", true);
	assert_string_equal(told(&seldom), "!renamed:x ");
	pass_until(101100);
	assert_string_equal(told(&seldom), "=2 ");
}

static void
who_leaves_while_being_held_back_leaves_nothing(void **state)
{
	watch(&seldom, "s");
	watch(&a, "s");
	tell("s", 1, "1");
	tell("s", 2, "2");
	hub_detach(hub, &seldom.sub);
	told(&seldom);
	pass_until(103000);
	assert_string_equal(told(&seldom), "");
}

static void
groups_are_released_each_in_its_time(void **state)
{
	struct client half;

	fake_init(&half, "{\"min_interval_ms\":500}", "x");
	watch(&half, "s");
	watch(&seldom, "s");
	tell("s", 1, "1");
	tell("s", 2, "2");
	told(&half);
	told(&seldom);
	pass_until(100600);
	assert_string_equal(told(&half), "=2 ");
	tell("s", 3, "3");
	pass_until(101100);
	assert_string_equal(told(&seldom), "=3 ");
	assert_string_equal(told(&half), "");
	pass_until(101200);
	assert_string_equal(told(&half), "=3 ");
	hub_detach(hub, &half.sub);
	fake_done(&half);
}

#define seldom_test(test) cmocka_unit_test_setup_teardown(test, begin_seldom, end_seldom)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		seldom_test(the_first_state_comes_at_once),
		seldom_test(others_come_when_the_interval_is_over_and_only_the_newest),
		seldom_test(the_interval_is_never_shorter_than_was_wished),
		seldom_test(what_comes_after_a_long_rest_comes_at_once),
		seldom_test(a_final_state_comes_at_once_and_once),
		seldom_test(what_follows_a_final_state_waits_again),
		seldom_test(who_comes_later_is_confirmed_and_gets_the_newest_at_once),
		seldom_test(the_first_state_of_a_known_stream_begins_the_interval),
		seldom_test(being_able_to_write_is_no_reason_to_be_told),
		seldom_test(who_asks_is_answered_at_once),
		seldom_test(who_is_slow_as_well_gets_the_newest_when_it_can),
		seldom_test(events_are_not_held_back),
		seldom_test(who_leaves_while_being_held_back_leaves_nothing),
		seldom_test(groups_are_released_each_in_its_time),
	};

	return run_units(tests);
}
