/*
 * test_balance.c
 *		Connections are left to who has fewer, and never for long.
 */
#include "balance.h"
#include "unit.h"

#define NOW_MS	1000000

static const struct balance_view few = {
	.is_ready = true, .connections = 10, .others_ready = true, .least = 10
};
static const struct balance_view many = {
	.is_ready = true, .connections = 100, .others_ready = true, .least = 10
};
static const struct balance_view unready = {
	.is_ready = false, .connections = 0, .others_ready = true, .least = 500
};

static void
who_has_no_more_than_others_takes_it(void **state)
{
	struct balance balance = {0};
	struct balance_view view = few;

	assert_false(balance_leaves(&balance, &view, NOW_MS));
	view.connections = view.least + 4;
	assert_false(balance_leaves(&balance, &view, NOW_MS));
	view.connections++;
	assert_true(balance_leaves(&balance, &view, NOW_MS));
}

static void
with_many_the_difference_may_be_larger(void **state)
{
	struct balance balance = {0};
	struct balance_view view = {
		.is_ready = true, .connections = 1035, .others_ready = true, .least = 1000
	};

	assert_false(balance_leaves(&balance, &view, NOW_MS));
	view.connections++;
	assert_true(balance_leaves(&balance, &view, NOW_MS));
}

/* How long is it left to them, looking again after each pause? */
static int
left_ms(struct balance *balance, const struct balance_view *view, int64_t now_ms)
{
	int			left = 0;

	while (left < 100000 && balance_leaves(balance, view, now_ms + left))
		left += BALANCE_PAUSE_MS;
	return left;
}

static void
what_nobody_takes_is_taken_after_all(void **state)
{
	struct balance balance = {0};
	struct balance_view view = many;

	assert_int_equal(left_ms(&balance, &view, NOW_MS), 20);

	/* And whatever comes then, for a while. */
	assert_false(balance_leaves(&balance, &view, NOW_MS + 21));
	assert_false(balance_leaves(&balance, &view, NOW_MS + 119));
	assert_int_equal(left_ms(&balance, &view, NOW_MS + 120), 20);

	/* Or until they take one. */
	assert_false(balance_leaves(&balance, &view, NOW_MS + 141));
	view.others_accepted++;
	assert_true(balance_leaves(&balance, &view, NOW_MS + 142));
}

static void
as_long_as_they_take_them_they_may(void **state)
{
	struct balance balance = {0};
	struct balance_view view = many;

	for (int64_t now_ms = NOW_MS; now_ms < NOW_MS + 1000; now_ms += BALANCE_PAUSE_MS)
	{
		view.others_accepted += 3;
		assert_true(balance_leaves(&balance, &view, now_ms));
	}
}

static void
what_comes_later_is_another_one(void **state)
{
	struct balance balance = {0};

	assert_true(balance_leaves(&balance, &many, NOW_MS));
	assert_true(balance_leaves(&balance, &many, NOW_MS + 100));
	assert_true(balance_leaves(&balance, &many, NOW_MS + 200));
}

static void
who_cannot_serve_leaves_it_for_a_second(void **state)
{
	struct balance balance = {0};

	assert_int_equal(left_ms(&balance, &unready, NOW_MS), 1000);
}

static void
when_nobody_can_everybody_takes(void **state)
{
	struct balance balance = {0};
	struct balance_view view = unready;

	view.others_ready = false;
	assert_false(balance_leaves(&balance, &view, NOW_MS));
	view = many;
	view.others_ready = false;
	assert_false(balance_leaves(&balance, &view, NOW_MS));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_has_no_more_than_others_takes_it),
		cmocka_unit_test(with_many_the_difference_may_be_larger),
		cmocka_unit_test(what_nobody_takes_is_taken_after_all),
		cmocka_unit_test(as_long_as_they_take_them_they_may),
		cmocka_unit_test(what_comes_later_is_another_one),
		cmocka_unit_test(who_cannot_serve_leaves_it_for_a_second),
		cmocka_unit_test(when_nobody_can_everybody_takes),
	};

	return run_units(tests);
}
