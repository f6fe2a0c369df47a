/*
 * test_hub_time.c
 *		What is timed on the way from a notification to the watchers.
 */
#include "watchers.h"

#include "clock.h"
#include "metrics.h"

#define SELDOM "{\"min_interval_ms\":1000}"

static uint64_t before[TIMINGS];

static uint64_t
count(enum timing timing)
{
	struct histogram sum;

	timing_get(timing, &sum);
	return histogram_count(&sum) - before[timing];
}

static int64_t
quantile_us(enum timing timing)
{
	struct histogram sum;

	timing_get(timing, &sum);
	return histogram_quantile_us(&sum, 0.99);
}

static int
begin_timed(void **state)
{
	begin_watched(state);
	for (int i = 0; i < TIMINGS; i++)
	{
		before[i] = 0;
		before[i] = count((enum timing) i);
	}
	return 0;
}

/* Sent so long ago, and read so long ago. */
static struct event
event_of(enum event_type type, int64_t version, int64_t sent_us, int64_t read_us)
{
	static char stream[] = "s";

	return (struct event)
	{
		.type = type, .name = "session_created", .stream = stream, .version = version,
			.emitted_us = 1, .received_us = clock_us() - read_us, .under_way_us = sent_us - read_us
	};
}

static void
notify_timed(struct event event)
{
	event.payload = msg_create("x", 1);
	hub_take(hub, &event, true);
	msg_drop(event.payload);
}

static void
a_state_is_timed_for_each_who_is_told(void **state)
{
	notify_timed(event_of(EVENT_PROGRESS, 11, 900000, 400000));
	hub_flush(hub);
	assert_int_equal(count(TIMING_HUB), 1);
	assert_int_equal(count(TIMING_WRITE), 3);
	assert_int_equal(count(TIMING_DELIVERY), 3);
	assert_int_equal(count(TIMING_LATE), 0);
	assert_in_range(quantile_us(TIMING_HUB), 300000, 500000);
	assert_in_range(quantile_us(TIMING_DELIVERY), 700000, 1000000);
	assert_true(quantile_us(TIMING_WRITE) < 300000);
}

static void
many_writes_are_each_counted_once(void **state)
{
	static struct client many[200];

	for (int i = 0; i < 200; i++)
	{
		fake_init(&many[i], "id1", "x");
		watch(&many[i], "s");
	}
	notify_timed(event_of(EVENT_PROGRESS, 11, 1000, 1000));
	hub_flush(hub);
	assert_int_equal(count(TIMING_WRITE), 203);
	assert_int_equal(count(TIMING_DELIVERY), 203);
	for (int i = 0; i < 200; i++)
	{
		hub_detach(hub, &many[i].sub);
		fake_done(&many[i]);
	}
}

static void
who_had_no_room_is_timed_apart(void **state)
{
	b.is_busy = true;
	notify_timed(event_of(EVENT_PROGRESS, 11, 1000, 1000));
	hub_flush(hub);
	assert_int_equal(count(TIMING_DELIVERY), 2);
	b.is_busy = false;
	fake_owed(&b, &b.sub);
	assert_int_equal(count(TIMING_LATE), 1);
	assert_int_equal(count(TIMING_DELIVERY), 2);
}

static void
a_new_watcher_and_one_who_wants_less_are_not_timed(void **state)
{
	struct client late;
	struct client seldom;

	notify_timed(event_of(EVENT_PROGRESS, 11, 1000, 1000));
	hub_flush(hub);
	fake_init(&late, "id1", "x");
	fake_init(&seldom, SELDOM, "x");
	hub_tick(hub, 100000);
	watch(&late, "s");
	watch(&seldom, "s");
	notify_timed(event_of(EVENT_PROGRESS, 12, 1000, 1000));
	hub_flush(hub);
	hub_tick(hub, 200000);
	assert_int_equal(count(TIMING_LATE), 0);
	assert_int_equal(count(TIMING_DELIVERY), 3 + 4);
	assert_non_null(strstr(seldom.log, "=x "));
	hub_detach(hub, &late.sub);
	hub_detach(hub, &seldom.sub);
	fake_done(&late);
	fake_done(&seldom);
}

static void
what_had_to_be_read_counts_from_its_notification(void **state)
{
	struct event hint = event_of(EVENT_PROGRESS, 11, 600000, 600000);

	hub_take(hub, &hint, true);
	tell("s", 11, "eleven");
	assert_int_equal(count(TIMING_DELIVERY), 3);
	assert_in_range(quantile_us(TIMING_HUB), 500000, 700000);
	tell("s", 12, "twelve");
	assert_int_equal(count(TIMING_DELIVERY), 3);
}

static void
what_nobody_dated_is_timed_from_its_receipt_only(void **state)
{
	struct event event = event_of(EVENT_PROGRESS, 11, 1000, 1000);

	event.emitted_us = 0;
	notify_timed(event);
	hub_flush(hub);
	assert_int_equal(count(TIMING_HUB), 1);
	assert_int_equal(count(TIMING_WRITE), 3);
	assert_int_equal(count(TIMING_DELIVERY), 0);
}

static void
events_are_timed_too(void **state)
{
	notify_timed(event_of(EVENT_LIST, 0, 1000, 1000));
	assert_int_equal(count(TIMING_DELIVERY), 3);
}

#define timed_test(test) cmocka_unit_test_setup_teardown(test, begin_timed, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		timed_test(a_state_is_timed_for_each_who_is_told),
		timed_test(many_writes_are_each_counted_once),
		timed_test(who_had_no_room_is_timed_apart),
		timed_test(a_new_watcher_and_one_who_wants_less_are_not_timed),
		timed_test(what_had_to_be_read_counts_from_its_notification),
		timed_test(what_nobody_dated_is_timed_from_its_receipt_only),
		timed_test(events_are_timed_too),
	};

	return run_units(tests);
}
