/*
 * test_places.c
 *		Places are counted over all processes, whoever of them is killed.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "places.c"				/* for who dies with its lock */
#include "shared.h"
#include "unit.h"

#define WORKERS	4
#define MAX		100

static enum places_answer
enter(struct places *places, const char *name, int max, int max_here)
{
	return places_enter(places, name, strlen(name), max, max_here);
}

static void
leave(struct places *places, const char *name)
{
	places_leave(places, name, strlen(name));
}

static int
here(struct places *places, const char *name)
{
	return places_here(places, name, strlen(name));
}

/* The test itself is the first of them. */
static int
setup(void **state)
{
	shared_open(WORKERS);
	shared_become(0);
	*state = places_create(MAX);
	return 0;
}

static int
teardown(void **state)
{
	places_free(*state);
	return 0;
}

static void
as_many_as_may_be(void **state)
{
	struct places *places = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(enter(places, "a", MAX, 3), PLACES_ENTERED);
	assert_int_equal(enter(places, "a", MAX, 3), PLACES_CROWDED);
	assert_int_equal(enter(places, "b", MAX, 3), PLACES_ENTERED);
	assert_int_equal(enter(places, "a", 4, 0), PLACES_FULL);
	assert_int_equal(enter(places, "a", 5, 0), PLACES_ENTERED);
	assert_int_equal(here(places, "a"), 4);
	assert_int_equal(places_count(places), 5);
	leave(places, "a");
	leave(places, "b");
	assert_int_equal(here(places, "a"), 3);
	assert_int_equal(here(places, "b"), 0);
	assert_int_equal(places_count(places), 3);
}

static void
room_is_used_again(void **state)
{
	struct places *places = *state;
	char		name[16];

	for (int round = 0; round < 50; round++)
	{
		for (int i = 0; i < MAX; i++)
		{
			snprintf(name, sizeof(name), "%d", round * 7 + i);
			assert_int_equal(enter(places, name, 2 * MAX, 1), PLACES_ENTERED);
		}
		assert_int_equal(enter(places, "one more", 2 * MAX, 1), PLACES_FULL);
		for (int i = MAX; i-- > 0;)
		{
			snprintf(name, sizeof(name), "%d", round * 7 + i);
			leave(places, name);
		}
	}
	assert_int_equal(places_count(places), 0);
}

static void
moving_changes_no_sum(void **state)
{
	struct places *places = *state;

	assert_int_equal(enter(places, "a", MAX, 0), PLACES_ENTERED);
	assert_int_equal(enter(places, "b", MAX, 0), PLACES_ENTERED);
	assert_false(places_move(places, "a", "b", 1, 1));
	assert_int_equal(here(places, "a"), 1);
	assert_true(places_move(places, "a", "b", 1, 2));
	assert_int_equal(here(places, "a"), 0);
	assert_int_equal(here(places, "b"), 2);
	assert_int_equal(places_count(places), 2);
}

/* Each tries for more than its share; together they get what there is. */
static void
it_is_one_limit_for_all_processes(void **state)
{
	struct places *places = *state;
	int		   *entered = shared_alloc(sizeof(*entered));

	for (int i = 0; i < WORKERS; i++)
	{
		if (fork() > 0)
			continue;
		shared_become(i);
		for (int j = 0; j < 1000; j++)
			if (enter(places, "a", MAX, 50) == PLACES_ENTERED)
				__atomic_fetch_add(entered, 1, __ATOMIC_RELAXED);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	assert_int_equal(*entered, 50);
	assert_int_equal(here(places, "a"), 50);
	assert_int_equal(places_count(places), 50);
	for (int i = 0; i < WORKERS; i++)
		assert_true(places_worker_gone(places, i));
	assert_int_equal(here(places, "a"), 0);
	assert_int_equal(places_count(places), 0);
}

/* All links are lost, and the lock with them. */
static void
who_dies_with_the_lock_is_repaired(void **state)
{
	struct places *places = *state;

	assert_int_equal(enter(places, "a", MAX, 0), PLACES_ENTERED);
	assert_int_equal(enter(places, "b", MAX, 0), PLACES_ENTERED);
	leave(places, "b");
	if (fork() == 0)
	{
		shared_become(1);
		assert_int_equal(enter(places, "a", MAX, 0), PLACES_ENTERED);
		take(places);
		memset(places->heads, 0xff, sizeof(*places->heads) * places->max);
		places->table->free = 77;
		for (uint32_t at = 0; at <= places->max; at++)
			places->entries[at].next = 88;
		_exit(0);
	}
	wait(NULL);
	assert_int_equal(here(places, "a"), 2);
	assert_true(places_worker_gone(places, 1));
	assert_int_equal(here(places, "a"), 1);
	for (int i = 0; i < MAX - 1; i++)
	{
		char		name[16];

		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(enter(places, name, MAX, 0), PLACES_ENTERED);
	}
	assert_int_equal(enter(places, "one more", MAX + 1, 0), PLACES_FULL);
}

/* The supervisor must not wait, with all others, for a worker that stands still. */
static void
who_keeps_the_lock_does_not_hold_up_the_supervisor(void **state)
{
	struct places *places = *state;
	pid_t		pid;

	assert_int_equal(enter(places, "a", MAX, 0), PLACES_ENTERED);
	pid = fork();
	if (pid == 0)
	{
		shared_become(1);
		take(places);
		raise(SIGSTOP);
		_exit(1);
	}
	assert_int_equal(waitpid(pid, NULL, WUNTRACED), pid);
	alarm(10);
	assert_false(places_worker_gone(places, 0));
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_true(places_worker_gone(places, 0));
	alarm(0);
	assert_int_equal(places_count(places), 0);
}

/* Come and go for ever, as worker "worker". */
static void
churn(struct places *places, int worker, int *rounds)
{
	char		name[16];

	shared_become(worker);
	for (unsigned i = 0;; i++)
	{
		snprintf(name, sizeof(name), "%u", i % 40);
		if (enter(places, name, MAX, 0) != PLACES_ENTERED)
			_exit(1);
		if (i % 3 == 0 && !places_move(places, name, "zz", strlen(name) == 2 ? 2 : 1, 0))
			_exit(1);
		if (i % 3 == 0)
			places_leave(places, "zz", strlen(name) == 2 ? 2 : 1);
		else
			leave(places, name);
		__atomic_fetch_add(rounds, 1, __ATOMIC_RELAXED);
	}
}

/*
 * Killed at any point, some of them with the lock in their hands; what others
 * hold is what they held, and what was killed holds nothing.
 */
static void
who_is_killed_leaves_it_whole(void **state)
{
	struct places *places = *state;
	int		   *rounds = shared_alloc(sizeof(*rounds));

	for (int i = 0; i < 30; i++)
		assert_int_equal(enter(places, i % 2 ? "1" : "odd", MAX, 0), PLACES_ENTERED);
	for (int i = 0; i < 300; i++)
	{
		pid_t		pid = fork();
		int			before = __atomic_load_n(rounds, __ATOMIC_RELAXED);

		if (pid == 0)
			churn(places, 1 + i % (WORKERS - 1), rounds);
		while (__atomic_load_n(rounds, __ATOMIC_RELAXED) < before + i)
			usleep(10);
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_true(places_worker_gone(places, 1 + i % (WORKERS - 1)));
		assert_int_equal(here(places, "1"), 15);
		assert_int_equal(here(places, "odd"), 15);
		assert_int_equal(here(places, "2"), 0);
		assert_int_equal(places_count(places), 30);
	}

	/* Nothing has been lost of the room either. */
	for (int i = 0; i < MAX - 2; i++)
	{
		char		name[16];

		snprintf(name, sizeof(name), "new %d", i);
		assert_int_equal(enter(places, name, 10 * MAX, 0), PLACES_ENTERED);
	}
	assert_int_equal(enter(places, "one more", 10 * MAX, 0), PLACES_FULL);
}

#define with_places(test)	cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		with_places(as_many_as_may_be),
		with_places(room_is_used_again),
		with_places(moving_changes_no_sum),
		with_places(it_is_one_limit_for_all_processes),
		with_places(who_dies_with_the_lock_is_repaired),
		with_places(who_keeps_the_lock_does_not_hold_up_the_supervisor),
		with_places(who_is_killed_leaves_it_whole),
	};

	return run_units(tests);
}
