/*
 * test_turns.c
 *		Nobody's calls wait for all of somebody else's.
 */
#include <stdlib.h>
#include <string.h>

#include "turns.h"
#include "unit.h"

#define MAX	16

struct call
{
	struct turn turn;
	char		caller;
	int			number;
};

static struct turns *turns;
static struct intern *names;
static struct call calls[MAX * 2];
static int	calls_count;

static int
begin(void **state)
{
	turns = turns_create(MAX);
	names = intern_create();
	memset(calls, 0, sizeof(calls));
	calls_count = 0;
	return 0;
}

static int
end(void **state)
{
	for (int i = 0; i < calls_count; i++)
		if (calls[i].turn.caller)
			turns_leave(turns, &calls[i].turn);
	assert_int_equal(turns_waiting(turns), 0);
	assert_null(turns_oldest(turns));
	turns_free(turns);
	intern_free(names);
	return 0;
}

/* NULL: it is not let in. */
static struct call *
ask(char caller, const char *key)
{
	struct call *call = &calls[calls_count++];
	struct istr *name = intern_get(names, &caller, 1);
	bool		waits;

	call->turn.owner = call;
	call->caller = caller;
	call->number = calls_count;
	waits = turns_wait(turns, &call->turn, name, key);
	intern_drop(name);
	return waits ? call : NULL;
}

static int
ask_often(char caller, const char *key, int count)
{
	int			let_in = 0;

	for (int i = 0; i < count; i++)
		let_in += ask(caller, key) != NULL;
	return let_in;
}

/* Who has got the free place; NULL: nobody. */
static struct call *
take(int free_places)
{
	struct turn *turn = turns_next(turns, free_places);

	if (turn == NULL)
		return NULL;
	turns_begin(turns, turn);
	return turn->owner;
}

static char
take_for(int free_places, struct call **out)
{
	*out = take(free_places);
	return *out ? (*out)->caller : '-';
}

static void
leave(struct call *call)
{
	turns_leave(turns, &call->turn);
}

static void
one_alone_leaves_a_place_free(void **state)
{
	struct call *first,
			   *second;

	ask_often('a', NULL, 4);
	assert_int_equal(take_for(3, &first), 'a');
	assert_int_equal(take_for(2, &second), 'a');
	assert_null(take(1));
	leave(first);
	assert_non_null(take(2));
	assert_null(take(1));
}

static void
a_single_place_is_used(void **state)
{
	struct call *call;

	ask_often('a', NULL, 2);
	assert_int_equal(take_for(1, &call), 'a');
	leave(call);
	assert_int_equal(take_for(1, &call), 'a');
	assert_int_equal(call->number, 2);
}

static void
who_occupies_none_is_first(void **state)
{
	struct call *call;

	ask_often('a', NULL, 4);
	assert_int_equal(take_for(3, &call), 'a');
	ask('b', NULL);
	assert_int_equal(take_for(2, &call), 'b');
	assert_null(take(1));
	ask('c', NULL);
	assert_int_equal(take_for(1, &call), 'c');
}

/* Two who ask for more than can be done are not everybody's wait either. */
static void
callers_take_turns(void **state)
{
	struct call *a,
			   *b,
			   *c;

	ask_often('a', NULL, 4);
	ask_often('b', NULL, 4);
	assert_int_equal(take_for(2, &a), 'a');
	assert_int_equal(take_for(1, &b), 'b');
	ask('c', NULL);
	leave(a);
	assert_int_equal(take_for(1, &c), 'c');
	leave(b);
	assert_int_equal(take_for(1, &a), 'a');
	leave(c);
	assert_int_equal(take_for(1, &b), 'b');
}

static void
of_one_caller_the_oldest_is_first(void **state)
{
	struct call *call;

	ask_often('a', NULL, 3);
	for (int i = 1; i <= 3; i++)
	{
		assert_int_equal(take_for(2, &call), 'a');
		assert_int_equal(call->number, i);
		leave(call);
	}
}

static void
a_lane_has_one_under_way(void **state)
{
	struct call *call;

	ask_often('a', "k", 2);
	ask('b', "k");
	ask('b', "l");
	assert_int_equal(take_for(4, &call), 'a');
	assert_int_equal(take(3)->number, 4);
	assert_null(take(2));
	leave(call);
	assert_int_equal(take_for(3, &call), 'a');
	leave(call);
	assert_int_equal(take_for(3, &call), 'b');
	assert_int_equal(call->number, 3);
}

/* A pause and a resume that follow each other, whoever they are of. */
static void
nobody_overtakes_in_a_lane(void **state)
{
	struct call *a,
			   *b;

	ask('a', "k");
	ask('a', "l");
	ask('b', "l");
	assert_int_equal(take_for(2, &a), 'a');
	assert_null(take(1));
	leave(a);
	assert_int_equal(take_for(2, &a), 'a');
	assert_null(take(1));
	leave(a);
	assert_int_equal(take_for(2, &b), 'b');
}

/* What is not to be done any more holds nobody up. */
static void
one_that_leaves_makes_way(void **state)
{
	struct call *gone = ask('a', "k");
	struct call *next = ask('b', "k");

	leave(gone);
	assert_ptr_equal(turns_oldest(turns), &next->turn);
	assert_ptr_equal(take(1), next);
	assert_int_equal(turns_waiting(turns), 0);
}

static void
there_is_always_room_for_others(void **state)
{
	assert_int_equal(ask_often('a', NULL, MAX / 2 + 2), MAX / 2);
	assert_int_equal(ask_often('b', NULL, MAX / 4 + 2), MAX / 4);
	assert_int_equal(ask_often('c', NULL, 1), 1);
	assert_int_equal(turns_waiting(turns), MAX / 2 + MAX / 4 + 1);
}

static void
many_fill_it(void **state)
{
	for (int i = 0; i < MAX; i++)
		assert_non_null(ask((char) ('a' + i), NULL));
	assert_null(ask('z', NULL));
	assert_non_null(take(1));
	assert_non_null(ask('z', NULL));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(one_alone_leaves_a_place_free, begin, end),
		cmocka_unit_test_setup_teardown(a_single_place_is_used, begin, end),
		cmocka_unit_test_setup_teardown(who_occupies_none_is_first, begin, end),
		cmocka_unit_test_setup_teardown(callers_take_turns, begin, end),
		cmocka_unit_test_setup_teardown(of_one_caller_the_oldest_is_first, begin, end),
		cmocka_unit_test_setup_teardown(a_lane_has_one_under_way, begin, end),
		cmocka_unit_test_setup_teardown(nobody_overtakes_in_a_lane, begin, end),
		cmocka_unit_test_setup_teardown(one_that_leaves_makes_way, begin, end),
		cmocka_unit_test_setup_teardown(there_is_always_room_for_others, begin, end),
		cmocka_unit_test_setup_teardown(many_fill_it, begin, end),
	};

	return run_units(tests);
}
