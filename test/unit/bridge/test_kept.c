/*
 * test_kept.c
 *		What is notified while a query is under way is not lost, and has a bound.
 */
#include "kept.h"
#include "unit.h"

#define MAX 3

static struct kept *kept;
static struct msg *one;
static struct msg *two;

static int
begin(void **state)
{
	kept = kept_create(MAX);
	one = msg_create("{\"n\":1}", 7);
	two = msg_create("{\"n\":2}", 7);
	return 0;
}

static int
end(void **state)
{
	kept_free(kept);
	msg_drop(one);
	msg_drop(two);
	return 0;
}

static void
note(const char *stream, int64_t version, struct msg *payload)
{
	kept_note(kept, KEPT_STATE, stream, version, false, payload);
}

static void
nothing_is_kept_while_no_query_is_under_way(void **state)
{
	note("sync:1", 10, one);
	assert_int_equal(kept_count(kept), 0);
}

static void
the_newest_of_a_stream_is_kept_in_whatever_order_they_come(void **state)
{
	const struct kept_entry *entry;

	assert_int_not_equal(kept_begin(kept), 0);
	kept_note(kept, KEPT_STATE, "sync:1", 20, true, two);
	note("sync:1", 10, one);
	entry = kept_find(kept, "sync:1");
	assert_non_null(entry);
	assert_int_equal(entry->version, 20);
	assert_true(entry->final);
	assert_ptr_equal(entry->payload, two);
	note("sync:1", 30, one);
	assert_int_equal(entry->version, 30);
	assert_false(entry->final);
	assert_ptr_equal(entry->payload, one);
}

static void
a_version_whose_data_was_left_out_replaces_an_older_state(void **state)
{
	const struct kept_entry *entry;

	assert_int_not_equal(kept_begin(kept), 0);
	note("sync:1", 20, two);
	note("sync:1", 30, NULL);
	entry = kept_find(kept, "sync:1");
	assert_int_equal(entry->version, 30);
	assert_null(entry->payload);
}

static void
of_a_hint_only_is_kept_that_it_came(void **state)
{
	uint64_t	query = kept_begin(kept);
	const struct kept_entry *entry;

	kept_note(kept, KEPT_HINT, "sync:2", 99, false, NULL);
	entry = kept_find(kept, "sync:2");
	assert_non_null(entry);
	assert_int_equal(entry->version, 0);
	assert_true(entry->hint_seq > query);
	assert_int_equal(entry->revoked_seq, 0);
}

static void
a_revocation_is_kept_beside_the_state(void **state)
{
	uint64_t	query = kept_begin(kept);
	const struct kept_entry *entry;

	note("sync:1", 20, two);
	assert_int_equal(kept_find(kept, "sync:1")->revoked_seq, 0);
	kept_note(kept, KEPT_REVOKED, "sync:1", 0, false, NULL);
	entry = kept_find(kept, "sync:1");
	assert_true(entry->revoked_seq > query);
	assert_int_equal(entry->version, 20);
	assert_ptr_equal(entry->payload, two);
	assert_int_equal(entry->hint_seq, 0);
}

static void
a_later_query_knows_what_came_before_it(void **state)
{
	uint64_t	first = kept_begin(kept);
	uint64_t	second;

	kept_note(kept, KEPT_REVOKED, "sync:1", 0, false, NULL);
	second = kept_begin(kept);
	assert_true(kept_find(kept, "sync:1")->revoked_seq > first);
	assert_true(kept_find(kept, "sync:1")->revoked_seq < second);
}

static void
what_came_before_every_query_under_way_goes(void **state)
{
	uint64_t	first = kept_begin(kept);
	uint64_t	second;

	note("sync:1", 1, one);
	note("sync:2", 1, one);
	second = kept_begin(kept);
	kept_end(kept, first);
	assert_int_equal(kept_count(kept), 0);
	note("sync:3", 1, one);
	kept_end(kept, second);
	assert_null(kept_find(kept, "sync:3"));
}

static void
what_an_older_query_needs_stays_when_a_younger_one_ends(void **state)
{
	uint64_t	first = kept_begin(kept);
	uint64_t	second;
	uint64_t	third;

	note("sync:1", 1, one);
	second = kept_begin(kept);
	note("sync:2", 1, one);
	third = kept_begin(kept);
	kept_end(kept, third);
	assert_non_null(kept_find(kept, "sync:1"));
	kept_end(kept, second);
	assert_non_null(kept_find(kept, "sync:1"));
	assert_non_null(kept_find(kept, "sync:2"));
	kept_end(kept, first);
	assert_int_equal(kept_count(kept), 0);
}

/* It is needed for what it was told last, not for what it was told first. */
static void
what_was_told_again_since_a_query_began_stays_for_it(void **state)
{
	uint64_t	first = kept_begin(kept);

	note("sync:1", 1, one);
	note("sync:2", 1, one);
	assert_int_not_equal(kept_begin(kept), 0);
	note("sync:1", 2, two);
	kept_end(kept, first);
	assert_non_null(kept_find(kept, "sync:1"));
	assert_null(kept_find(kept, "sync:2"));
	assert_int_equal(kept_count(kept), 1);
}

static void
up_to_the_bound_nothing_is_lost(void **state)
{
	uint64_t	query = kept_begin(kept);

	note("a", 1, one);
	note("b", 1, one);
	note("c", 1, one);
	assert_int_equal(kept_count(kept), MAX);
	assert_true(kept_is_complete(kept, query));
}

static void
beyond_the_bound_what_was_quiet_longest_goes_first(void **state)
{
	uint64_t	first = kept_begin(kept);
	uint64_t	second;

	note("a", 1, one);
	note("b", 1, one);
	note("c", 1, one);
	note("a", 2, two);
	second = kept_begin(kept);
	note("d", 1, one);
	assert_int_equal(kept_count(kept), MAX);
	assert_null(kept_find(kept, "b"));
	assert_non_null(kept_find(kept, "a"));
	assert_false(kept_is_complete(kept, first));
	assert_true(kept_is_complete(kept, second));
	note("e", 1, one);
	note("f", 1, one);
	note("g", 1, one);
	assert_int_equal(kept_count(kept), MAX);
	assert_false(kept_is_complete(kept, second));
}

static void
the_number_of_queries_under_way_has_a_bound_too(void **state)
{
	uint64_t	many[KEPT_QUERIES_MAX];

	for (int i = 0; i < KEPT_QUERIES_MAX; i++)
	{
		many[i] = kept_begin(kept);
		assert_int_not_equal(many[i], 0);
	}
	assert_int_equal(kept_begin(kept), 0);
	kept_end(kept, many[3]);
	assert_int_not_equal(kept_begin(kept), 0);
	assert_int_equal(kept_begin(kept), 0);
}

#define kept_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		kept_test(nothing_is_kept_while_no_query_is_under_way),
		kept_test(the_newest_of_a_stream_is_kept_in_whatever_order_they_come),
		kept_test(a_version_whose_data_was_left_out_replaces_an_older_state),
		kept_test(of_a_hint_only_is_kept_that_it_came),
		kept_test(a_revocation_is_kept_beside_the_state),
		kept_test(a_later_query_knows_what_came_before_it),
		kept_test(what_came_before_every_query_under_way_goes),
		kept_test(what_an_older_query_needs_stays_when_a_younger_one_ends),
		kept_test(what_was_told_again_since_a_query_began_stays_for_it),
		kept_test(up_to_the_bound_nothing_is_lost),
		kept_test(beyond_the_bound_what_was_quiet_longest_goes_first),
		kept_test(the_number_of_queries_under_way_has_a_bound_too),
	};

	return run_units(tests);
}
