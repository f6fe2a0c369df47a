/*
 * test_pace.c
 *		So many a second, whoever takes them.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "pace.h"
#include "shared.h"
#include "unit.h"

#define START_NS	((int64_t) 1000000000)
#define MS_NS		1000000

/* How many can be had at this time? */
static int
drain(struct pace *pace, int per_second, int64_t now_ns)
{
	int			taken = 0;

	while (taken < 100000 && pace_take(pace, per_second, now_ns) == 0)
		taken++;
	return taken;
}

static void
a_tenth_of_a_second_at_once_and_then_at_its_pace(void **state)
{
	struct pace *pace = pace_create();

	assert_int_equal(drain(pace, 4000, START_NS), 400);
	assert_int_equal(pace_take(pace, 4000, START_NS), 250000);
	assert_int_equal(drain(pace, 4000, START_NS + 10 * MS_NS), 40);
	assert_int_equal(drain(pace, 4000, START_NS + 10000 * (int64_t) MS_NS), 400);
}

static void
a_slow_one_lets_one_through_at_a_time(void **state)
{
	struct pace *pace = pace_create();

	assert_int_equal(drain(pace, 1, START_NS), 1);
	assert_int_equal(pace_take(pace, 1, START_NS + 400 * MS_NS), 600 * MS_NS);
	assert_int_equal(drain(pace, 1, START_NS + 1000 * MS_NS), 1);
}

static void
what_was_not_needed_is_there_again(void **state)
{
	struct pace *pace = pace_create();

	assert_int_equal(drain(pace, 100, START_NS), 10);
	pace_return(pace, 100);
	assert_int_equal(drain(pace, 100, START_NS), 1);

	/* And it is never more than fits. */
	pace_return(pace, 100);
	assert_int_equal(drain(pace, 100, START_NS + 1000 * MS_NS), 10);
}

static void
it_is_one_pace_for_all_processes(void **state)
{
	struct pace *pace = pace_create();
	int		   *taken = shared_alloc(sizeof(*taken));

	for (int i = 0; i < 4; i++)
	{
		if (fork() > 0)
			continue;
		for (int j = 0; j < 50; j++)
			__atomic_fetch_add(taken, drain(pace, 1000, START_NS + j * MS_NS),
							   __ATOMIC_RELAXED);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	assert_int_equal(*taken, 149);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_tenth_of_a_second_at_once_and_then_at_its_pace),
		cmocka_unit_test(a_slow_one_lets_one_through_at_a_time),
		cmocka_unit_test(what_was_not_needed_is_there_again),
		cmocka_unit_test(it_is_one_pace_for_all_processes),
	};

	return run_units(tests);
}
