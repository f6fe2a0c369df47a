/*
 * test_backoff.c
 *		Attempts grow rarer, up to a cap, and are spread.
 */
#include "backoff.h"
#include "unit.h"

/* As good as 1, which random numbers do not reach. */
#define HIGHEST 0.999999

static void
the_first_wait_is_at_least_half_of_the_first_interval(void **state)
{
	struct backoff backoff = {.first_s = 0.2, .max_s = 5.0};

	assert_true(backoff_next(&backoff, 0.0) == 0.1);
}

static void
waits_double(void **state)
{
	struct backoff backoff = {.first_s = 0.2, .max_s = 5.0};
	double		last = backoff_next(&backoff, HIGHEST);

	for (int i = 0; i < 4; i++)
	{
		double		wait = backoff_next(&backoff, HIGHEST);

		assert_true(wait > last * 1.9 && wait < last * 2.1);
		last = wait;
	}
}

static void
waits_are_capped(void **state)
{
	struct backoff backoff = {.first_s = 0.2, .max_s = 5.0};
	double		last = 0.0;

	for (int i = 0; i < 105; i++)
		last = backoff_next(&backoff, HIGHEST);
	assert_true(last > 4.9 && last <= 5.0);
	assert_true(backoff_next(&backoff, 0.0) == 2.5);
}

static void
a_reset_begins_anew(void **state)
{
	struct backoff backoff = {.first_s = 0.2, .max_s = 5.0};

	for (int i = 0; i < 100; i++)
		backoff_next(&backoff, HIGHEST);
	backoff_reset(&backoff);
	assert_true(backoff_next(&backoff, 1.0) == 0.2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_wait_is_at_least_half_of_the_first_interval),
		cmocka_unit_test(waits_double),
		cmocka_unit_test(waits_are_capped),
		cmocka_unit_test(a_reset_begins_anew),
	};

	return run_units(tests);
}
