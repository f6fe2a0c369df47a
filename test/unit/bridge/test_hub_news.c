/*
 * test_hub_news.c
 *		What is told of several notifications that were read together.
 */
#include "watchers.h"

#include "metrics.h"

static void
nothing_is_told_before_everything_was_read(void **state)
{
	notify_early(EVENT_PROGRESS, "s", 14, "fourteen", true);
	assert_string_equal(b.log, "");
	hub_flush(hub);
	assert_string_equal(b.log, "id1=fourteen ");
	hub_flush(hub);
	assert_string_equal(b.log, "id1=fourteen ");
}

static void
only_the_newest_state_is_told_and_the_others_are_counted(void **state)
{
	int64_t		before = metric_get(METRIC_CONFLATED);

	notify_early(EVENT_PROGRESS, "s", 14, "fourteen", true);
	notify_early(EVENT_PROGRESS, "s", 16, "sixteen", true);
	notify_early(EVENT_PROGRESS, "s", 15, "fifteen", true);
	hub_flush(hub);
	assert_string_equal(b.log, "id1=sixteen ");
	assert_string_equal(c.log, "id2=sixteen ");
	assert_int_equal(metric_get(METRIC_CONFLATED), before + 3);
}

static void
each_stream_tells_its_newest_in_the_order_of_the_first_news(void **state)
{
	watch(&c, "t");
	hub_attach(hub, &a.sub, "s");
	notify_early(EVENT_PROGRESS, "t", 20, "t20", true);
	notify_early(EVENT_PROGRESS, "s", 20, "s20", true);
	notify_early(EVENT_PROGRESS, "t", 21, "t21", true);
	hub_flush(hub);
	assert_string_equal(a.log, "id1=s20 ");
	assert_string_equal(c.log, "C:id2 id2=t21 ");
}

static void
an_answer_that_is_newer_is_told_at_once_and_is_all(void **state)
{
	notify_early(EVENT_PROGRESS, "s", 14, "fourteen", true);
	tell("s", 15, "fifteen");
	assert_string_equal(b.log, "id1=fifteen ");
	hub_flush(hub);
	assert_string_equal(b.log, "id1=fifteen ");
}

static void
who_comes_in_between_is_told_once(void **state)
{
	struct client late;

	fake_init(&late, "id1", "x");
	notify_early(EVENT_PROGRESS, "s", 14, "fourteen", true);
	watch(&late, "s");
	hub_flush(hub);
	assert_string_equal(late.log, "C:id1 id1=fourteen ");
	hub_detach(hub, &late.sub);
	fake_done(&late);
}

static void
what_came_before_a_revocation_is_told_and_what_comes_after_is_not(void **state)
{
	notify_early(EVENT_PROGRESS, "s", 14, "fourteen", true);
	notify_early(EVENT_REVOKED, "s", 0, NULL, true);
	notify_early(EVENT_PROGRESS, "s", 15, "secret", true);
	hub_flush(hub);
	assert_string_equal(b.log, "id1=fourteen ");
}

static void
news_of_a_stream_that_nobody_watches_any_more_are_forgotten(void **state)
{
	notify_early(EVENT_PROGRESS, "s", 14, "fourteen", true);
	hub_detach(hub, &a.sub);
	hub_detach(hub, &b.sub);
	hub_detach(hub, &c.sub);
	hub_flush(hub);
	assert_string_equal(b.log, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		watched_test(nothing_is_told_before_everything_was_read),
		watched_test(only_the_newest_state_is_told_and_the_others_are_counted),
		watched_test(each_stream_tells_its_newest_in_the_order_of_the_first_news),
		watched_test(an_answer_that_is_newer_is_told_at_once_and_is_all),
		watched_test(who_comes_in_between_is_told_once),
		watched_test(what_came_before_a_revocation_is_told_and_what_comes_after_is_not),
		watched_test(news_of_a_stream_that_nobody_watches_any_more_are_forgotten),
	};

	return run_units(tests);
}
