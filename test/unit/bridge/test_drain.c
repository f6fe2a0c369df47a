/*
 * test_drain.c
 *		Moments are spread evenly, in an order that is left to chance.
 */
#include <stdlib.h>

#include "drain.h"
#include "unit.h"

#define COUNT	300
#define SPAN_MS	10000

static double
highest(void)
{
	return 0.999999;
}

static double
lowest(void)
{
	return 0.0;
}

static int
compare(const void *a, const void *b)
{
	int64_t		left = *(const int64_t *) a;
	int64_t		right = *(const int64_t *) b;

	return (left > right) - (left < right);
}

/* One in each of as many parts of the span as there are. */
static void
they_are_spread_evenly(void **state)
{
	double		(*chances[]) (void) = {drand48, highest, lowest};

	for (int i = 0; i < 3; i++)
	{
		int64_t    *after_ms = drain_spread(COUNT, SPAN_MS, chances[i]);

		qsort(after_ms, COUNT, sizeof(*after_ms), compare);
		for (int at = 0; at < COUNT; at++)
			assert_in_range(after_ms[at], (uintmax_t) at * SPAN_MS / COUNT,
							((uintmax_t) at + 1) * SPAN_MS / COUNT);
		free(after_ms);
	}
}

static void
their_order_is_left_to_chance(void **state)
{
	int64_t    *after_ms;
	int			later = 0;

	srand48(1);
	after_ms = drain_spread(COUNT, SPAN_MS, drand48);
	for (int i = 1; i < COUNT; i++)
		later += after_ms[i] > after_ms[i - 1];
	assert_in_range(later, COUNT / 3, COUNT * 2 / 3);
	free(after_ms);
}

static void
without_a_span_all_are_now(void **state)
{
	int64_t    *after_ms = drain_spread(COUNT, 0, drand48);

	for (int i = 0; i < COUNT; i++)
		assert_int_equal(after_ms[i], 0);
	free(after_ms);
}

static void
nobody_is_no_trouble(void **state)
{
	free(drain_spread(0, SPAN_MS, drand48));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_are_spread_evenly),
		cmocka_unit_test(their_order_is_left_to_chance),
		cmocka_unit_test(without_a_span_all_are_now),
		cmocka_unit_test(nobody_is_no_trouble),
	};

	return run_units(tests);
}
