/*
 * test_supervisor.c
 *		Workers are kept running, whatever becomes of them.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lock.h"
#include "log.h"
#include "loop.h"
#include "shared.h"
#include "supervisor.h"
#include "unit.h"

#define WORKERS	3

/* In shared memory: what the processes of a case say of themselves. */
struct stage
{
	int			starts[WORKERS];
	int			gone[WORKERS];
	int			serving;
	int			stops;
	int			reloads;
	int			hangups;		/* that workers heard */
	pid_t		pids[WORKERS];
	uint64_t	turns[WORKERS];
	struct lock lock;			/* of what all need */
	int			(*act) (struct stage *stage, int nth);
};

static struct stage *the_stage;
static volatile sig_atomic_t is_told;

static void
on_hangup(int signal)
{
	__atomic_fetch_add(&the_stage->hangups, 1, __ATOMIC_SEQ_CST);
}

static void
on_stop(int signal)
{
	is_told = 1;
}

/* Serve until a signal ends it. */
static int
serve(struct stage *stage)
{
	supervisor_tell_serving();
	while (!is_told)
	{
		stage->turns[shared_worker()]++;
		usleep(1000);
	}
	return 0;
}

static int
work(void *arg)
{
	struct stage *stage = arg;
	int			me = shared_worker();

	the_stage = stage;
	locks_attach();
	signal(SIGHUP, on_hangup);
	signal(SIGTERM, on_stop);
	__atomic_store_n(&stage->pids[me], getpid(), __ATOMIC_SEQ_CST);
	return stage->act(stage, __atomic_add_fetch(&stage->starts[me], 1, __ATOMIC_SEQ_CST));
}

static void
gone(void *arg, int worker, int64_t cpu_us)
{
	struct stage *stage = arg;

	assert_true(cpu_us >= 0);
	stage->gone[worker]++;
}

static bool
take_back(void *arg, int worker)
{
	struct stage *stage = arg;

	if (lock_take_within(&stage->lock, 20) == LOCK_BUSY)
		return false;
	lock_drop(&stage->lock);
	return true;
}

static bool
holds(void *arg, int worker)
{
	return lock_is_held_by(worker);
}

static void
serving(void *arg)
{
	((struct stage *) arg)->serving++;
}

static void
tick(void *arg, int64_t now_ms)
{
}

static void
reload(void *arg)
{
	((struct stage *) arg)->reloads++;
}

static void
stop_asked(void *arg)
{
	((struct stage *) arg)->stops++;
}

static uint64_t
turns(void *arg, int worker)
{
	return __atomic_load_n(&((struct stage *) arg)->turns[worker], __ATOMIC_RELAXED);
}

static struct supervisor_ops ops = {
	.turns = turns, .stuck_s = 2, .holds = holds, .holding_s = 1,
	.work = work, .gone = gone, .take_back = take_back, .serving = serving, .tick = tick, .reload = reload, .stop = stop_asked
};

static struct stage *
make(int (*act) (struct stage *stage, int nth))
{
	struct stage *stage;

	log_set_level(LOG_LEVEL_ERROR);
	shared_open(WORKERS);
	locks_open();
	stage = shared_alloc(sizeof(*stage));
	lock_init(&stage->lock);
	stage->act = act;
	return stage;
}

/* A supervisor in a process of its own. */
static pid_t
run(struct stage *stage)
{
	pid_t		pid = fork();

	if (pid == 0)
	{
		/* Nothing is left of a case that fails. */
		prctl(PR_SET_PDEATHSIG, SIGTERM);
		_exit(supervise(&ops, stage));
	}
	return pid;
}

static int
status_of(pid_t pid)
{
	int			status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define wait_for(condition) \
	do { \
		for (int left_ms_ = 20000; !(condition) && left_ms_ > 0; left_ms_--) \
			usleep(1000); \
		assert_true(condition); \
	} while (0)

/* Gone, or dead and not yet buried by whoever took it over. */
static bool
has_ended(pid_t pid)
{
	char		path[64];
	char text[	512];
	FILE	   *file;
	bool		is_there;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int) pid);
	file = fopen(path, "re");
	if (file == NULL)
		return true;
	is_there = fgets(text, sizeof(text), file) != NULL;
	fclose(file);
	return !is_there || strstr(text, ") Z ") != NULL;
}

/* ---- what workers do ---- */

static int
act_well(struct stage *stage, int nth)
{
	return serve(stage);
}

static int
act_second_cannot_start(struct stage *stage, int nth)
{
	return shared_worker() == 1 ? 2 : serve(stage);
}

static int
act_first_cannot_start_again(struct stage *stage, int nth)
{
	return shared_worker() == 0 && nth > 1 && nth < 4 ? 2 : serve(stage);
}

static int
act_third_crashes(struct stage *stage, int nth)
{
	if (shared_worker() == 2 && nth < 5)
		kill(getpid(), SIGKILL);
	return serve(stage);
}

/* The first is stuck the first time, whatever it is told. */
static int
act_first_is_stuck(struct stage *stage, int nth)
{
	if (shared_worker() != 0 || nth > 1)
		return serve(stage);
	supervisor_tell_serving();
	for (;;)
		pause();
}

/* The first stands still with a lock that the others want again and again. */
static int
act_first_holds_on(struct stage *stage, int nth)
{
	if (shared_worker() == 0 && nth == 1)
	{
		supervisor_tell_serving();
		while (lock_take(&stage->lock))
			pause();
	}
	supervisor_tell_serving();
	while (!is_told)
	{
		assert_int_not_equal(lock_take_within(&stage->lock, 60000), LOCK_BUSY);
		lock_drop(&stage->lock);
		stage->turns[shared_worker()]++;
		usleep(1000);
	}
	return 0;
}

static int
act_badly_at_the_end(struct stage *stage, int nth)
{
	serve(stage);
	return shared_worker() == 0 ? 3 : 0;
}

/* ---- cases ---- */

static void
all_serve_until_told_to_stop(void **state)
{
	struct stage *stage = make(act_well);
	pid_t		pid = run(stage);

	wait_for(stage->serving == 1);
	kill(pid, SIGHUP);
	wait_for(__atomic_load_n(&stage->hangups, __ATOMIC_SEQ_CST) == WORKERS);
	assert_int_equal(stage->reloads, 1);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
	assert_int_equal(stage->stops, 1);
	for (int i = 0; i < WORKERS; i++)
	{
		assert_int_equal(stage->starts[i], 1);
		assert_int_equal(stage->gone[i], 1);
	}
}

static void
one_that_is_killed_is_replaced(void **state)
{
	struct stage *stage = make(act_well);
	pid_t		pid = run(stage);

	wait_for(stage->serving == 1);
	for (int i = 1; i <= 3; i++)
	{
		kill(stage->pids[1], SIGKILL);
		wait_for(stage->starts[1] == i + 1);
		assert_int_equal(stage->gone[1], i);
	}
	assert_int_equal(stage->serving, 1);
	assert_int_equal(stage->starts[0], 1);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
}

static void
one_that_cannot_start_ends_all(void **state)
{
	struct stage *stage = make(act_second_cannot_start);

	assert_int_equal(status_of(run(stage)), 2);
	assert_int_equal(stage->serving, 0);
	assert_int_equal(stage->starts[1], 1);
	for (int i = 0; i < WORKERS; i++)
		assert_int_equal(stage->starts[i], stage->gone[i]);
}

static void
later_the_others_go_on_without_it(void **state)
{
	struct stage *stage = make(act_first_cannot_start_again);
	pid_t		pid = run(stage);

	wait_for(stage->serving == 1);
	kill(stage->pids[0], SIGKILL);
	wait_for(stage->starts[0] == 4);
	assert_int_equal(stage->starts[1], 1);
	assert_int_equal(stage->stops, 0);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
}

static void
one_that_crashes_on_and_on_does_not_spin(void **state)
{
	struct stage *stage = make(act_third_crashes);
	int64_t		began_ms = loop_clock_ms();
	pid_t		pid = run(stage);

	/* At least 50, 100, 200, 400 ms. */
	wait_for(stage->serving == 1);
	assert_true(loop_clock_ms() - began_ms >= 740);
	assert_int_equal(stage->starts[2], 5);
	assert_int_equal(stage->starts[0], 1);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
}

static void
one_that_is_stuck_is_killed_and_replaced(void **state)
{
	struct stage *stage = make(act_first_is_stuck);
	pid_t		pid = run(stage);

	wait_for(stage->serving == 1);
	wait_for(stage->starts[0] == 2);
	assert_int_equal(stage->starts[1] + stage->starts[2], 2);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
}

static void
one_that_is_stuck_at_the_end_does_not_hold_it(void **state)
{
	struct stage *stage = make(act_first_is_stuck);
	pid_t		pid = run(stage);

	wait_for(stage->serving == 1);
	kill(pid, SIGTERM);
	wait_for(stage->stops == 1);
	kill(pid, SIGHUP);			/* does not matter any more */
	assert_int_equal(status_of(pid), 1);
	assert_int_equal(stage->starts[0], 1);
	assert_int_equal(stage->reloads, 0);
}

/*
 * Only the one that holds it goes, long before the others who wait for it would
 * seem stuck; and the supervisor does not wait with them, not even to take back
 * what a further one held that has died meanwhile.
 */
static void
one_that_holds_others_up_is_killed_alone(void **state)
{
	struct stage *stage = make(act_first_holds_on);
	pid_t		pid;

	ops.stuck_s = 3600;
	pid = run(stage);
	ops.stuck_s = 2;
	wait_for(stage->serving == 1);
	wait_for(lock_is_held_by(0));
	kill(stage->pids[1], SIGKILL);
	wait_for(stage->gone[1] == 1);
	wait_for(stage->starts[0] == 2 && stage->starts[1] == 2);
	assert_int_equal(stage->starts[2], 1);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 0);
}

static void
its_status_tells_of_a_bad_end(void **state)
{
	struct stage *stage = make(act_badly_at_the_end);
	pid_t		pid = run(stage);

	wait_for(stage->serving == 1);
	kill(pid, SIGTERM);
	assert_int_equal(status_of(pid), 1);
}

static void
when_it_is_killed_the_workers_are_told_to_stop(void **state)
{
	struct stage *stage = make(act_well);
	pid_t		pid = run(stage);

	wait_for(stage->serving == 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	for (int i = 0; i < WORKERS; i++)
		wait_for(has_ended(stage->pids[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_serve_until_told_to_stop),
		cmocka_unit_test(one_that_is_killed_is_replaced),
		cmocka_unit_test(one_that_cannot_start_ends_all),
		cmocka_unit_test(later_the_others_go_on_without_it),
		cmocka_unit_test(one_that_crashes_on_and_on_does_not_spin),
		cmocka_unit_test(one_that_is_stuck_is_killed_and_replaced),
		cmocka_unit_test(one_that_is_stuck_at_the_end_does_not_hold_it),
		cmocka_unit_test(one_that_holds_others_up_is_killed_alone),
		cmocka_unit_test(its_status_tells_of_a_bad_end),
		cmocka_unit_test(when_it_is_killed_the_workers_are_told_to_stop),
	};

	return run_units(tests);
}
