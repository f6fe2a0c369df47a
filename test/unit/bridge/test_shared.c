/*
 * test_shared.c
 *		What several processes count is one sum, whoever of them has died.
 */
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metrics.h"
#include "shared.h"
#include "unit.h"

#define WORKERS	4

/* A worker that counts, and is then killed. */
static void
work(int worker, int64_t amount)
{
	pid_t		pid = fork();
	int			status;

	assert_true(pid >= 0);
	if (pid == 0)
	{
		shared_become(worker);
		metrics_attach();
		metric_add(METRIC_CONNECTIONS, amount);
		metric_add(METRIC_ACCEPTED, amount);
		kill(getpid(), SIGKILL);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
}

static void
alone_it_is_the_first_of_one(void **state)
{
	assert_int_equal(shared_workers(), 1);
	assert_int_equal(shared_worker(), 0);
	metric_add(METRIC_CONNECTIONS, 3);
	assert_int_equal(metric_get(METRIC_CONNECTIONS), 3);
}

static void
any_process_sees_the_sum(void **state)
{
	shared_open(WORKERS);
	metrics_open();
	assert_int_equal(shared_worker(), SHARED_SUPERVISOR);
	assert_int_equal(metric_get(METRIC_CONNECTIONS), 0);
	for (int i = 0; i < WORKERS; i++)
		work(i, i + 1);
	assert_int_equal(metric_get(METRIC_CONNECTIONS), 10);
	assert_int_equal(metric_get(METRIC_ACCEPTED), 10);
}

static void
of_one_that_is_gone_only_the_counters_stay(void **state)
{
	struct buf text = {0};

	metrics_worker_gone(2);
	assert_int_equal(metric_get(METRIC_CONNECTIONS), 7);
	assert_int_equal(metric_get(METRIC_ACCEPTED), 10);
	work(2, 5);
	assert_int_equal(metric_get(METRIC_CONNECTIONS), 12);
	assert_int_equal(metric_get(METRIC_ACCEPTED), 15);

	metrics_write(&text);
	buf_printf(&text, "%c", 0);
	assert_non_null(strstr(text.data, "\nsync_progress_bridge_connections 12\n"));
	assert_non_null(strstr(text.data, "\nsync_progress_bridge_accepted_total 15\n"));
	buf_free(&text);
}

static void
what_is_allocated_is_zero_and_everybodys(void **state)
{
	int		   *number = shared_alloc(sizeof(*number));
	pid_t		pid;
	int			status;

	assert_int_equal(*number, 0);
	pid = fork();
	if (pid == 0)
	{
		*number = 7;
		_exit(0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(*number, 7);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(alone_it_is_the_first_of_one),
		cmocka_unit_test(any_process_sees_the_sum),
		cmocka_unit_test(of_one_that_is_gone_only_the_counters_stay),
		cmocka_unit_test(what_is_allocated_is_zero_and_everybodys),
	};

	return run_units(tests);
}
