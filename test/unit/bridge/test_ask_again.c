/*
 * test_ask_again.c
 *		What is asked again: after an outage, after a failure, when something
 *		was left out; and the bounds of all that is asked.
 */
#include "database.h"

/* An outage of the notifications */

static void
nothing_is_asked_while_no_notifications_are_received(void **state)
{
	asks(&a);
	allow(0, "sync:1", 10, "ten");
	ask_set_live(ask, false);
	asks(&c);
	hub_want(hub, "sync:1", true);
	ask_tick(ask, 100000);
	assert_int_equal(sent_count, 1);
	hub_want(hub, "sync:1", false);
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
}

static void
an_answer_counts_for_nothing_when_notifications_were_lost_meanwhile(void **state)
{
	asks(&a);
	asks(&c);
	ask_set_live(ask, false);
	answer(0, 1, "sync:1", 10, "ten", NULL);
	assert_string_equal(a.log, "");
	ask_set_live(ask, true);
	answer(1, 1, "sync:2", 10, "ten", NULL);
	assert_string_equal(c.log, "");
	done(0, ASK_ANSWERED);
	done(1, ASK_ANSWERED);
	ask_flush(ask);
	assert_int_equal(sent_count, 3);
	assert_string_equal(sent[2].query, "{\"one\",\"two\"} {\"{}\",\"{\\\"sub\\\":\\\"c\\\"}\"} {1,2}");
}

/* Answer each of "id0" (unchanged), "id1" (refused) and "id2" (lost) as it stands in the query. */
static void
answer_after_outage(int index)
{
	const char *at = sent[index].query + 1;

	for (int ord = 1; ord <= 3; ord++)
	{
		if (strncmp(at, "\"id0\"", 5) == 0)
			answer(index, ord, "sync:1", 10, "ten", NULL);
		else if (strncmp(at, "\"id1\"", 5) == 0)
			answer(index, ord, NULL, 0, NULL, "not_found");
		else
			answer(index, ord, "sync:3", 10, "ten", NULL);
		at = strchr(at, ',') + 1;
	}
	done(index, ASK_ANSWERED);
}

static void
after_an_outage_every_subscription_is_asked_about_in_one_query(void **state)
{
	crowd_asks(2);
	answer(0, 1, "sync:1", 10, "ten", NULL);
	answer(0, 2, "sync:2", 10, "ten", NULL);
	done(0, ASK_ANSWERED);
	fake_init(&crowd[crowd_size++], "id2", "{}");
	asks(&crowd[2]);
	ask_set_live(ask, false);
	answer(1, 1, "sync:3", 10, "ten", NULL);
	assert_string_equal(crowd[2].log, "");
	done(1, ASK_ANSWERED);
	ask_flush(ask);
	assert_int_equal(sent_count, 2);

	ask_set_live(ask, true);
	ask_flush(ask);
	assert_int_equal(sent_count, 3);
	assert_int_equal(rows_of(sent[2].query), 3);
	assert_non_null(strstr(sent[2].query, "\"id0\""));
	assert_non_null(strstr(sent[2].query, "\"id1\""));
	assert_non_null(strstr(sent[2].query, "\"id2\""));
	answer_after_outage(2);
	/* What has not changed, was revoked, and was lost meanwhile */
	assert_string_equal(crowd[0].log, "C:id0 id0=ten ");
	assert_string_equal(crowd[1].log, "C:id1 id1=ten R:id1 ");
	assert_string_equal(crowd[2].log, "C:id2 id2=ten ");
}

static void
after_an_outage_nobody_is_told_anything_before_the_answer(void **state)
{
	asks(&a);
	allow(0, "sync:1", 10, "ten");
	ask_set_live(ask, false);
	ask_set_live(ask, true);
	notify(EVENT_PROGRESS, "sync:1", 20, "secret", true);
	ask_flush(ask);
	assert_string_equal(a.log, "C:one one=ten ");
	refuse(1, "not_found");
	assert_string_equal(a.log, "C:one one=ten R:one ");
}

static void
what_is_received_without_an_outage_asks_nothing(void **state)
{
	asks(&a);
	allow(0, "sync:1", 10, "ten");
	ask_set_live(ask, true);
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
}

/* Failures */

static void
a_question_that_cannot_be_sent_is_sent_in_the_next_turn(void **state)
{
	refuses = true;
	asks(&a);
	assert_int_equal(sent_count, 0);
	refuses = false;
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
}

static void
a_batch_that_failed_is_asked_again_in_halves(void **state)
{
	crowd_asks(5);
	done(0, ASK_FAILED);
	ask_flush(ask);
	assert_int_equal(sent_count, 3);
	assert_string_equal(sent[1].query, "{\"id0\",\"id1\",\"id2\"} {\"{}\"} {1,1,1}");
	assert_string_equal(sent[2].query, "{\"id3\",\"id4\"} {\"{}\"} {1,1}");
	done(2, ASK_FAILED);
	ask_flush(ask);
	assert_int_equal(sent_count, 5);
	answer(4, 1, "sync:4", 1, "x", NULL);
	assert_string_equal(crowd[4].log, "C:id4 id4=x ");
}

static void
batches_grow_again_once_they_are_answered(void **state)
{
	crowd_asks(8);
	done(0, ASK_FAILED);
	ask_flush(ask);
	assert_int_equal(sent_count, 3);
	done(1, ASK_FAILED);
	done(2, ASK_LOST);
	ask_flush(ask);
	assert_int_equal(rows_of(sent[3].query), 2);
	assert_int_equal(sent_count, 3 + ASK_BATCHES_MAX);
	done(3, ASK_ANSWERED);
	for (int i = 4; i < 3 + ASK_BATCHES_MAX; i++)
		done(i, ASK_LOST);
	ask_flush(ask);
	assert_int_equal(rows_of(sent[3 + ASK_BATCHES_MAX].query), 4);
}

static void
rows_without_an_answer_wait_and_the_failed_half_is_asked(void **state)
{
	crowd_asks(5);
	done(0, ASK_FAILED);
	ask_flush(ask);
	done(2, ASK_FAILED);
	done(1, ASK_ANSWERED);
	ask_flush(ask);
	assert_int_equal(sent_count, 4);
	assert_string_equal(sent[3].query, "{\"id3\",\"id4\"} {\"{}\"} {1,1}");
}

static void
a_single_one_that_failed_waits(void **state)
{
	asks(&a);
	done(0, ASK_FAILED);
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
	ask_tick(ask, 2000);
	ask_flush(ask);
	assert_int_equal(sent_count, 2);
}

static void
what_was_lost_is_asked_again_at_once(void **state)
{
	asks(&a);
	done(0, ASK_LOST);
	ask_flush(ask);
	assert_int_equal(sent_count, 2);
}

static void
one_that_is_unavailable_is_neither_refused_nor_asked_again_at_once(void **state)
{
	crowd_asks(2);
	answer(0, 1, "sync:3", 1, "x", NULL);
	answer(0, 2, NULL, 0, NULL, "unavailable");
	done(0, ASK_ANSWERED);
	assert_string_equal(crowd[0].log, "C:id0 id0=x ");
	assert_string_equal(crowd[1].log, "");
	ask_tick(ask, 1500);
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
	ask_tick(ask, 2001);
	ask_flush(ask);
	assert_int_equal(sent_count, 2);
	assert_string_equal(sent[1].query, "{\"id1\"} {\"{}\"} {1}");
}

static void
who_is_unavailable_and_asks_again_does_not_wait(void **state)
{
	asks(&a);
	refuse(0, "unavailable");
	asks(&a);
	assert_int_equal(sent_count, 2);
}

static void
who_is_unavailable_and_leaves_is_not_asked_about(void **state)
{
	asks(&a);
	refuse(0, "unavailable");
	ask_forget(&a.sub);
	ask_tick(ask, 100000);
	ask_flush(ask);
	assert_int_equal(sent_count, 1);
}

/* How long it takes until something is asked, from "now_ms" on, which moves there. */
static int64_t
wait_of(int64_t *now_ms)
{
	int			before = sent_count;
	int64_t		from_ms = *now_ms;

	while (sent_count == before)
	{
		assert_in_range(*now_ms - from_ms, 0, 100000);
		*now_ms += 100;
		ask_tick(ask, *now_ms);
		ask_flush(ask);
	}
	return *now_ms - from_ms;
}

static void
waits_of_what_stays_unavailable_double_up_to_half_a_minute(void **state)
{
	static const int waits_ms[] = {1000, 2000, 4000, 8000, 16000, 30000, 30000};
	int64_t		now_ms = 1000;

	asks(&a);
	for (int i = 0; i < 7; i++)
	{
		refuse(i, "unavailable");
		assert_int_equal(wait_of(&now_ms), waits_ms[i]);
	}
	allow(7, "sync:1", 1, "x");
	asks(&a);
	refuse(8, "unavailable");
	assert_int_equal(wait_of(&now_ms), 1000);
}

/* Streams whose state is to be read */

static void
states_that_were_left_out_are_read_in_one_query(void **state)
{
	ask_sub(ask, &a.sub);
	asks(&c);
	answer(0, 1, "sync:1", 1, "x", NULL);
	answer(0, 2, "sync:2", 1, "x", NULL);
	done(0, ASK_ANSWERED);
	notify(EVENT_PROGRESS, "sync:1", 2, NULL, true);
	notify(EVENT_PROGRESS, "sync:2", 2, NULL, true);
	ask_flush(ask);
	assert_int_equal(sent_count, 2);
	assert_string_equal(sent[1].query, "snapshots {\"sync:1\",\"sync:2\"}");
	answer(1, 0, "sync:2", 2, "y", NULL);
	done(1, ASK_ANSWERED);
	assert_string_equal(c.log, "C:two two=x two=y ");
}

static void
a_reading_that_failed_is_repeated(void **state)
{
	int64_t		now_ms = 1000;

	asks(&a);
	allow(0, "sync:1", 1, "x");
	hub_want(hub, "sync:1", false);
	refuses = true;
	ask_flush(ask);
	refuses = false;
	for (int i = 1; i < 3; i++)
	{
		now_ms += 1000;
		ask_tick(ask, now_ms);
		assert_int_equal(sent_count, i + 1);
		assert_string_equal(sent[i].query, "snapshots {\"sync:1\"}");
		done(i, i == 1 ? ASK_FAILED : ASK_LOST);
	}
	ask_tick(ask, now_ms + 1000);
	assert_int_equal(sent_count, 4);
	done(3, ASK_ANSWERED);
	ask_tick(ask, now_ms + 2000);
	assert_int_equal(sent_count, 4);
}

static void
what_anybody_notifies_is_read_twice_a_second_at_most(void **state)
{
	int64_t		first_ms = 0;
	int64_t		last_ms = 0;

	asks(&a);
	allow(0, "sync:1", 1, "x");
	for (int64_t now_ms = 2000; sent_count < 6; now_ms += 10)
	{
		int			before = sent_count;

		assert_in_range(now_ms, 2000, 10000);
		notify(EVENT_PROGRESS, "sync:1", now_ms, "forged", false);
		ask_flush(ask);
		ask_tick(ask, now_ms);
		if (sent_count > before)
			done(before, ASK_ANSWERED);
		if (sent_count == 2 && before == 1)
			first_ms = now_ms;
		last_ms = now_ms;
	}
	assert_int_equal(last_ms - first_ms, 4 * 500);
}

/* Bounds */

static void
so_many_queries_are_under_way_and_no_more(void **state)
{
	crowd_asks(CROWD);
	assert_int_equal(sent_count, ASK_BATCHES_MAX);
	for (int i = 0; i < ASK_BATCHES_MAX; i++)
		assert_int_equal(rows_of(sent[i].query), PAIRS_MAX);
	for (int i = 0; i < ASK_BATCHES_MAX; i++)
		done(i, ASK_LOST);
	ask_flush(ask);
	assert_int_equal(sent_count, 2 * ASK_BATCHES_MAX);
}

static void
readings_count_among_the_queries_under_way(void **state)
{
	asks(&a);
	allow(0, "sync:1", 1, "x");
	crowd_asks(CROWD);
	assert_int_equal(sent_count, 1 + ASK_BATCHES_MAX);
	hub_want(hub, "sync:1", false);
	ask_flush(ask);
	hub_want(hub, "sync:1", true);
	ask_tick(ask, 2000);
	assert_int_equal(sent_count, 1 + ASK_BATCHES_MAX);
	done(1, ASK_LOST);
	ask_flush(ask);
	assert_string_equal(sent[1 + ASK_BATCHES_MAX].query, "snapshots {\"sync:1\"}");
}

static void
so_many_streams_are_read_at_a_time_and_no_more(void **state)
{
	char		name[32];

	crowd_asks(PAIRS_MAX + 1);
	for (int i = 0; i <= PAIRS_MAX; i++)
	{
		snprintf(name, sizeof(name), "sync:%d", i);
		answer(i / PAIRS_MAX, i % PAIRS_MAX + 1, name, 1, "x", NULL);
		hub_want(hub, name, false);
	}
	done(0, ASK_ANSWERED);
	done(1, ASK_ANSWERED);
	ask_flush(ask);
	assert_int_equal(sent_count, 3);
	assert_int_equal(rows_of(sent[2].query), PAIRS_MAX);
	ask_flush(ask);
	assert_int_equal(sent_count, 4);
	assert_int_equal(rows_of(sent[3].query), 1);
}

/* A storm: one comes after the other for "ms" ms; returns how many questions that makes. */
static int
storm(int clients, int ms)
{
	char		name[32];
	int			before = sent_count;

	for (int now_ms = 0; now_ms < ms || ask_flush(ask) > 0; now_ms++)
	{
		assert_in_range(now_ms, 0, 2 * ms + 1000);
		ask_set_now(ask, 100000 + now_ms);
		while (crowd_size < clients && crowd_size < clients * (now_ms + 1) / ms)
		{
			snprintf(name, sizeof(name), "id%d", crowd_size);
			fake_init(&crowd[crowd_size], name, "{}");
			ask_sub(ask, &crowd[crowd_size++].sub);
		}
		(void) ask_flush(ask);
		for (int i = before; i < sent_count; i++)
			if (sent[i].batch)
				done_all(i);
	}
	return sent_count - before;
}

static void
a_storm_makes_few_questions(void **state)
{
	int			questions = storm(CROWD, 240);

	/* four at once, one in 100 ms, and those that fill up */
	assert_in_range(questions, CROWD / PAIRS_MAX, 4 + 240 / 100 + CROWD / PAIRS_MAX);
	for (int i = 0; i < CROWD; i++)
		assert_int_equal(crowd[i].log[0], 'C');
}

static void
who_comes_now_and_then_never_waits(void **state)
{
	char		name[32];

	for (int i = 0; i < 40; i++)
	{
		snprintf(name, sizeof(name), "id%d", i);
		fake_init(&crowd[crowd_size++], name, "{}");
		ask_set_now(ask, 100000 + i * 100);
		asks(&crowd[i]);
		assert_int_equal(sent_count, i + 1);
		done_all(i);
	}
}

static void
a_few_at_once_do_not_wait_and_the_next_is_told_how_long(void **state)
{
	crowd_asks(4);
	for (int i = 1; i < 4; i++)
	{
		ask_forget(&crowd[i].sub);
		asks(&crowd[i]);
		assert_int_equal(sent_count, i + 1);
	}
	done(0, ASK_ANSWERED);
	asks(&a);
	assert_int_equal(sent_count, 4);
	assert_int_equal(ask_flush(ask), 100);
	ask_set_now(ask, 1099);
	assert_int_equal(ask_flush(ask), 1);
	assert_int_equal(sent_count, 4);
	ask_set_now(ask, 1100);
	assert_int_equal(ask_flush(ask), 0);
	assert_int_equal(sent_count, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ask_test(nothing_is_asked_while_no_notifications_are_received),
		ask_test(an_answer_counts_for_nothing_when_notifications_were_lost_meanwhile),
		ask_test(after_an_outage_every_subscription_is_asked_about_in_one_query),
		ask_test(after_an_outage_nobody_is_told_anything_before_the_answer),
		ask_test(what_is_received_without_an_outage_asks_nothing),
		ask_test(a_question_that_cannot_be_sent_is_sent_in_the_next_turn),
		ask_test(a_batch_that_failed_is_asked_again_in_halves),
		ask_test(batches_grow_again_once_they_are_answered),
		ask_test(rows_without_an_answer_wait_and_the_failed_half_is_asked),
		ask_test(a_single_one_that_failed_waits),
		ask_test(what_was_lost_is_asked_again_at_once),
		ask_test(one_that_is_unavailable_is_neither_refused_nor_asked_again_at_once),
		ask_test(who_is_unavailable_and_asks_again_does_not_wait),
		ask_test(who_is_unavailable_and_leaves_is_not_asked_about),
		ask_test(waits_of_what_stays_unavailable_double_up_to_half_a_minute),
		ask_test(states_that_were_left_out_are_read_in_one_query),
		ask_test(a_reading_that_failed_is_repeated),
		ask_test(what_anybody_notifies_is_read_twice_a_second_at_most),
		ask_test(so_many_queries_are_under_way_and_no_more),
		ask_test(readings_count_among_the_queries_under_way),
		ask_test(so_many_streams_are_read_at_a_time_and_no_more),
		ask_test(a_storm_makes_few_questions),
		ask_test(who_comes_now_and_then_never_waits),
		ask_test(a_few_at_once_do_not_wait_and_the_next_is_told_how_long),
	};

	return run_units(tests);
}
