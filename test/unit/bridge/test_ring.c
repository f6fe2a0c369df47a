/*
 * test_ring.c
 *		The last events are there, in their order, and no more than fit.
 */
#include <stdlib.h>
#include <string.h>

#include "ring.h"
#include "unit.h"

static struct ring *ring;

static int
begin(void **state)
{
	ring = ring_create();
	return 0;
}

static int
end(void **state)
{
	ring_free(ring);
	return 0;
}

static uint64_t
push(size_t bytes)
{
	struct msg *data;
	char	   *text = mem_zalloc(bytes + 1);
	uint64_t	number;

	memset(text, 'x', bytes);
	data = msg_create(text, bytes);
	number = ring_push(ring, "t", data);
	msg_drop(data);
	free(text);
	return number;
}

static int
how_many_are_there(void)
{
	int			count = 0;

	for (uint64_t number = 0; number <= ring_newest(ring) + 1; number++)
		count += ring_get(ring, number) != NULL;
	return count;
}

static void
without_a_ring_there_was_no_event(void **state)
{
	assert_int_equal(ring_newest(NULL), 0);
	assert_null(ring_get(NULL, 0));
	assert_null(ring_get(NULL, 1));
	ring_free(NULL);
}

static void
an_empty_one_has_none(void **state)
{
	assert_int_equal(ring_newest(ring), 0);
	assert_int_equal(how_many_are_there(), 0);
}

static void
events_are_numbered_from_one(void **state)
{
	assert_int_equal(push(1), 1);
	assert_int_equal(push(2), 2);
	assert_int_equal(ring_newest(ring), 2);
	assert_int_equal(ring_get(ring, 1)->data->len, 1);
	assert_int_equal(ring_get(ring, 2)->data->len, 2);
	assert_string_equal(ring_get(ring, 2)->type->bytes, "t");
	assert_null(ring_get(ring, 3));
	assert_null(ring_get(ring, 0));
}

static void
an_event_without_data(void **state)
{
	assert_int_equal(ring_push(ring, "none", NULL), 1);
	assert_null(ring_get(ring, 1)->data);
}

static void
the_oldest_goes_when_there_are_too_many(void **state)
{
	for (int i = 1; i <= RING_EVENTS_MAX; i++)
		push((size_t) i);
	assert_int_equal(how_many_are_there(), RING_EVENTS_MAX);
	assert_int_equal(push(1000), RING_EVENTS_MAX + 1);
	assert_null(ring_get(ring, 1));
	assert_int_equal(ring_get(ring, 2)->data->len, 2);
	assert_int_equal(ring_get(ring, RING_EVENTS_MAX + 1)->data->len, 1000);
	assert_int_equal(how_many_are_there(), RING_EVENTS_MAX);
}

static void
the_oldest_go_when_they_are_too_large(void **state)
{
	push(20000);
	push(20000);
	push(20000);
	assert_int_equal(how_many_are_there(), 3);
	push(30000);
	assert_null(ring_get(ring, 2));
	assert_non_null(ring_get(ring, 3));
	assert_int_equal(how_many_are_there(), 2);
}

static void
one_that_is_larger_than_all_may_be_is_there_alone(void **state)
{
	push(10);
	push(RING_BYTES_MAX + 1);
	assert_int_equal(how_many_are_there(), 1);
	push(10);
	assert_int_equal(how_many_are_there(), 1);
	assert_int_equal(ring_get(ring, 3)->data->len, 10);
}

static void
it_goes_round_and_round(void **state)
{
	for (uint64_t i = 1; i <= 1000; i++)
	{
		assert_int_equal(push(i % 50), i);
		assert_int_equal(ring_get(ring, i)->data->len, i % 50);
	}
	assert_int_equal(how_many_are_there(), RING_EVENTS_MAX);
}

#define ring_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		ring_test(without_a_ring_there_was_no_event),
		ring_test(an_empty_one_has_none),
		ring_test(events_are_numbered_from_one),
		ring_test(an_event_without_data),
		ring_test(the_oldest_goes_when_there_are_too_many),
		ring_test(the_oldest_go_when_they_are_too_large),
		ring_test(one_that_is_larger_than_all_may_be_is_there_alone),
		ring_test(it_goes_round_and_round),
	};

	return run_units(tests);
}
