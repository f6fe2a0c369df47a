/*
 * test_limit.c
 *		So many a minute, for so many keys.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "limit.c"				/* for who dies with its lock */
#include "shared.h"
#include "unit.h"

#define START_MS	1000000
#define MINUTE_MS	60000

static struct digest
key(const char *name)
{
	return digest_of('s', name, strlen(name));
}

/* How many of "attempts" at this time are counted before the limit is reached? */
static int
fill(struct limit *limit, const char *name, int attempts, int64_t now_ms)
{
	struct digest who = key(name);
	int			allowed = 0;

	for (int i = 0; i < attempts; i++)
	{
		if (limit_wait_ms(limit, &who, now_ms) > 0)
			continue;
		allowed++;
		limit_count(limit, &who, now_ms);
	}
	return allowed;
}

static int64_t
wait_ms(struct limit *limit, const char *name, int64_t now_ms)
{
	struct digest who = key(name);

	return limit_wait_ms(limit, &who, now_ms);
}

static void
ten_at_once_and_then_one_every_six_seconds(void **state)
{
	struct limit *limit = limit_create(10, 100);

	assert_int_equal(fill(limit, "a", 50, START_MS), 10);
	assert_int_equal(wait_ms(limit, "a", START_MS), 6000);
	assert_int_equal(wait_ms(limit, "a", START_MS + 5999), 1);
	assert_int_equal(fill(limit, "a", 50, START_MS + 6000), 1);
	assert_int_equal(fill(limit, "a", 50, START_MS + 18000), 2);
	limit_free(limit);
}

static void
who_keeps_on_trying_is_served_again_all_the_same(void **state)
{
	struct limit *limit = limit_create(10, 100);
	int			allowed = 0;

	for (int64_t at = 0; at < 10 * MINUTE_MS; at += 100)
		allowed += fill(limit, "a", 1, START_MS + at);
	assert_in_range(allowed, 109, 110);
	limit_free(limit);
}

static void
what_was_under_way_is_owed(void **state)
{
	struct limit *limit = limit_create(10, 100);
	struct digest who = key("a");

	for (int i = 0; i < 30; i++)
		limit_count(limit, &who, START_MS);
	assert_int_equal(limit_wait_ms(limit, &who, START_MS), 2 * MINUTE_MS + 6000);
	assert_int_equal(fill(limit, "a", 20, START_MS + 3 * MINUTE_MS), 10);
	for (int i = 0; i < 100000; i++)
		limit_count(limit, &who, START_MS);
	assert_int_equal(limit_wait_ms(limit, &who, START_MS), 9 * MINUTE_MS + 6000);
	limit_free(limit);
}

static void
after_a_minute_all_is_forgiven(void **state)
{
	struct limit *limit = limit_create(3, 100);

	assert_int_equal(fill(limit, "a", 9, START_MS), 3);
	assert_int_equal(fill(limit, "a", 9, START_MS + MINUTE_MS), 3);
	assert_int_equal(fill(limit, "a", 9, START_MS + 1000 * MINUTE_MS), 3);
	limit_free(limit);
}

static void
each_has_a_bucket_of_their_own(void **state)
{
	struct limit *limit = limit_create(10, 100);
	struct digest subject = digest_of('s', "x", 1);
	struct digest place = digest_of('a', "x", 1);

	assert_int_equal(fill(limit, "a", 10, START_MS), 10);
	assert_int_equal(fill(limit, "b", 10, START_MS), 10);
	for (int i = 0; i < 10; i++)
		limit_count(limit, &subject, START_MS);
	assert_true(limit_wait_ms(limit, &subject, START_MS) > 0);
	assert_int_equal(limit_wait_ms(limit, &place, START_MS), 0);
	limit_free(limit);
}

static void
zero_is_no_limit(void **state)
{
	struct limit *limit = limit_create(0, 100);

	assert_int_equal(fill(limit, "a", 1000, START_MS), 1000);
	limit_free(limit);
}

static void
beyond_its_bound_the_longest_unused_goes(void **state)
{
	struct limit *limit = limit_create(1, 100);
	char		name[16];

	for (int i = 0; i < 100; i++)
	{
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(fill(limit, name, 2, START_MS + i), 1);
	}
	for (int i = 0; i < 100; i++)
	{
		snprintf(name, sizeof(name), "%d", i);
		assert_true(wait_ms(limit, name, START_MS + 100) > 0);
	}
	fill(limit, "new", 1, START_MS + 100);
	assert_int_equal(wait_ms(limit, "0", START_MS + 100), 0);
	assert_true(wait_ms(limit, "1", START_MS + 100) > 0);
	assert_true(wait_ms(limit, "new", START_MS + 100) > 0);
	limit_free(limit);
}

static void
a_flood_of_names_leaves_it_whole(void **state)
{
	struct limit *limit = limit_create(2, 64);
	char		name[16];

	for (int i = 0; i < 100000; i++)
	{
		snprintf(name, sizeof(name), "%d", i % 300);
		fill(limit, name, 3, START_MS + i);
		assert_true(wait_ms(limit, name, START_MS + i) > 0);
	}
	limit_free(limit);
}

/* Several processes at the same time, and what all of them were allowed. */
static void
it_is_one_limit_for_all_processes(void **state)
{
	struct limit *limit = limit_create(100, 100);
	int		   *allowed = shared_alloc(sizeof(*allowed));
	struct digest who = key("a");

	for (int i = 0; i < 4; i++)
	{
		if (fork() > 0)
			continue;
		for (int j = 0; j < 100; j++)
			if (limit_take_ms(limit, &who, START_MS) == 0)
				__atomic_fetch_add(allowed, 1, __ATOMIC_RELAXED);
		limit_free(limit);
		_exit(0);
	}
	while (wait(NULL) > 0)
		;
	assert_int_equal(*allowed, 100);
	limit_free(limit);
}

/* All links are lost, and the lock with them. */
static void
who_dies_with_the_lock_is_repaired(void **state)
{
	struct limit *limit = limit_create(1, 4);
	char		name[16];

	for (int i = 0; i < 4; i++)
	{
		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(fill(limit, name, 2, START_MS), 1);
	}
	if (fork() == 0)
	{
		take(limit);
		memset(limit->heads, 0xff, sizeof(*limit->heads) * limit->max);
		limit->table->newest = limit->table->oldest = 77;
		for (uint32_t at = 0; at <= limit->max; at++)
			limit->entries[at].next = limit->entries[at].newer = limit->entries[at].older = 88;
		_exit(0);
	}
	wait(NULL);
	for (int i = 0; i < 4; i++)
	{
		snprintf(name, sizeof(name), "%d", i);
		assert_true(wait_ms(limit, name, START_MS) > 0);
	}
	for (int i = 0; i < 100; i++)
	{
		snprintf(name, sizeof(name), "new %d", i);
		assert_int_equal(fill(limit, name, 2, START_MS), 1);
	}
	limit_free(limit);
}

/*
 * Processes are killed in the midst of it, some of them with the lock, and what
 * was counted is not forgotten.
 */
static void
who_is_killed_leaves_it_whole(void **state)
{
	struct limit *limit = limit_create(1, 64);
	int		   *rounds = shared_alloc(sizeof(*rounds));
	char		name[16];

	assert_int_equal(fill(limit, "kept", 2, START_MS), 1);
	for (int i = 0; i < 200; i++)
	{
		pid_t		pid = fork();
		int			status;

		if (pid == 0)
			for (int j = 0;; j = (j + 1) % 60)
			{
				snprintf(name, sizeof(name), "%d", j);
				fill(limit, name, 3, START_MS + j);
				__atomic_fetch_add(rounds, 1, __ATOMIC_RELAXED);
			}
		for (int before = __atomic_load_n(rounds, __ATOMIC_RELAXED);
			 __atomic_load_n(rounds, __ATOMIC_RELAXED) < before + 5 + i;)
			usleep(10);
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
		assert_true(wait_ms(limit, "kept", START_MS) > 0);
		for (int j = 0; j < 3; j++)
		{
			snprintf(name, sizeof(name), "%d", j);
			fill(limit, name, 2, START_MS + j);
			assert_true(wait_ms(limit, name, START_MS + j) > 0);
		}
	}
	limit_free(limit);
}

static void
the_limit_may_change_and_debts_stay(void **state)
{
	struct limit *limit = limit_create(10, 100);

	assert_int_equal(fill(limit, "a", 50, START_MS), 10);
	limit_set(limit, 60);
	assert_int_equal(wait_ms(limit, "a", START_MS), 1000);
	assert_int_equal(fill(limit, "b", 100, START_MS), 60);
	limit_set(limit, 0);
	assert_int_equal(wait_ms(limit, "a", START_MS), 0);
	limit_set(limit, 10);
	assert_int_equal(wait_ms(limit, "a", START_MS), 6000);
	limit_free(limit);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ten_at_once_and_then_one_every_six_seconds),
		cmocka_unit_test(who_keeps_on_trying_is_served_again_all_the_same),
		cmocka_unit_test(what_was_under_way_is_owed),
		cmocka_unit_test(the_limit_may_change_and_debts_stay),
		cmocka_unit_test(after_a_minute_all_is_forgiven),
		cmocka_unit_test(each_has_a_bucket_of_their_own),
		cmocka_unit_test(zero_is_no_limit),
		cmocka_unit_test(beyond_its_bound_the_longest_unused_goes),
		cmocka_unit_test(a_flood_of_names_leaves_it_whole),
		cmocka_unit_test(it_is_one_limit_for_all_processes),
		cmocka_unit_test(who_dies_with_the_lock_is_repaired),
		cmocka_unit_test(who_is_killed_leaves_it_whole),
	};

	return run_units(tests);
}
