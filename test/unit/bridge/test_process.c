/*
 * test_process.c
 *		What the processes use is known at a small price.
 */
#include <stdio.h>
#include <unistd.h>

#include "process.c"			/* as on a kernel that does not count files */
#include "unit.h"

/* How many there are does not matter to who has to be served meanwhile. */
static void
many_files_are_not_listed(void **state)
{
	int64_t		few;
	int			fds[3];

	shared_open(1);
	metrics_open();
	processes_open();
	process_attach();
	few = list_files(0, "/proc/self/fd");
	assert_true(few >= 3);
	for (int i = 0; i < 3; i++)
		assert_true((fds[i] = dup(STDERR_FILENO)) >= 0);
	metric_add(METRIC_CONNECTIONS, 2);
	assert_int_equal(list_files(0, "/proc/self/fd"), few + 3);

	/* Two of them were connections; the others are counted no more. */
	metric_add(METRIC_CONNECTIONS, 99998);
	assert_int_equal(list_files(0, "/nonexistent"), 100000 + few + 1);
	metric_add(METRIC_CONNECTIONS, -99998);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	assert_int_equal(list_files(0, "/proc/self/fd"), few);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_files_are_not_listed),
	};

	return run_units(tests);
}
