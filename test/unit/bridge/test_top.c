/*
 * test_top.c
 *		The few greatest of many.
 */
#include "top.h"

#include <stdio.h>
#include <string.h>

#include "unit.h"

static struct top top;

static int
empty(void **state)
{
	memset(&top, 0, sizeof(top));
	return 0;
}

static void
offer(const char *name, double watchers, double rate)
{
	top_offer(&top, TOP_BY_WATCHERS, name, watchers, rate);
}

static void
the_greatest_stay_in_their_order(void **state)
{
	for (int i = 1; i <= 100; i++)
	{
		char		name[8];
		int			value = i * 37 % 101;

		snprintf(name, sizeof(name), "s%d", value);
		offer(name, value, 0);
	}
	assert_int_equal(top.count, TOP_ITEMS);
	for (int i = 0; i < TOP_ITEMS; i++)
	{
		char		name[8];

		snprintf(name, sizeof(name), "s%d", 100 - i);
		assert_string_equal(top.items[i].name, name);
	}
}

static void
what_is_nothing_is_not_kept(void **state)
{
	offer("a", 0, 5);
	assert_int_equal(top.count, 0);
	top_offer(&top, TOP_BY_RATE, "a", 0, 5);
	assert_int_equal(top.count, 1);
}

static void
a_long_name_is_cut(void **state)
{
	char		name[1024];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	offer(name, 1, 0);
	assert_int_equal(strlen(top.items[0].name), TOP_NAME_BYTES - 1);
	name[TOP_NAME_BYTES - 1] = '\0';
	offer(name, 2, 0);
	assert_string_equal(top.items[0].name, name);
}

/* Half a character is no UTF-8, and then the whole message is none. */
static void
it_is_cut_between_characters(void **state)
{
	static const char *const characters[] = {"ü", "€", "🐘"};

	for (int i = 0; i < 3; i++)
		for (int before = 0; before < 4; before++)
		{
			size_t		size = strlen(characters[i]);
			char		name[256] = "";

			memset(name, 'x', (size_t) before);
			while (strlen(name) < 200)
				strcat(name, characters[i]);
			empty(state);
			offer(name, 1, 0);
			assert_int_equal((strlen(top.items[0].name) - (size_t) before) % size, 0);
			assert_true(strlen(top.items[0].name) > TOP_NAME_BYTES - 1 - size);
			assert_memory_equal(top.items[0].name, name, strlen(top.items[0].name));
		}
}

static void
of_several_workers_the_same_stream_is_added_up(void **state)
{
	struct top	other = {0};

	offer("a", 5, 1);
	offer("b", 4, 2);
	top_offer(&other, TOP_BY_WATCHERS, "b", 3, 4);
	top_offer(&other, TOP_BY_WATCHERS, "c", 6, 0);
	top_merge(&top, TOP_BY_WATCHERS, &other);
	assert_int_equal(top.count, 3);
	assert_string_equal(top.items[0].name, "b");
	assert_true(top.items[0].watchers == 7 && top.items[0].rate == 6);
	assert_string_equal(top.items[1].name, "c");
	assert_string_equal(top.items[2].name, "a");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_greatest_stay_in_their_order, empty),
		cmocka_unit_test_setup(what_is_nothing_is_not_kept, empty),
		cmocka_unit_test_setup(a_long_name_is_cut, empty),
		cmocka_unit_test_setup(it_is_cut_between_characters, empty),
		cmocka_unit_test_setup(of_several_workers_the_same_stream_is_added_up, empty),
	};

	return run_units(tests);
}
