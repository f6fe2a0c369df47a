/*
 * test_interval.c
 *		How seldom a client wants to be told, as its identifier says.
 */
#include <string.h>

#include "interval.h"
#include "unit.h"

static int
wanted(const char *identifier)
{
	return interval_wanted_ms(identifier, strlen(identifier));
}

static void
it_is_a_member_of_the_identifier(void **state)
{
	assert_int_equal(wanted("{\"channel\":\"C\",\"session_id\":42,\"min_interval_ms\":1500}"), 1500);
	assert_int_equal(wanted("{\"min_interval_ms\" : 1 }"), 1);
}

static void
without_it_everything_is_told(void **state)
{
	assert_int_equal(wanted("{\"channel\":\"C\",\"session_id\":42}"), 0);
	assert_int_equal(wanted("{\"x\":{\"min_interval_ms\":5}}"), 0);
	assert_int_equal(wanted("{\"channel\":\"min_interval_ms\"}"), 0);
}

static void
what_is_out_of_range_is_the_nearest_there_is(void **state)
{
	assert_int_equal(wanted("{\"min_interval_ms\":60000}"), 60000);
	assert_int_equal(wanted("{\"min_interval_ms\":60001}"), 60000);
	assert_int_equal(wanted("{\"min_interval_ms\":9223372036854775807}"), 60000);
	assert_int_equal(wanted("{\"min_interval_ms\":-1}"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":-9223372036854775808}"), 0);
}

static void
what_is_no_integer_asks_for_nothing(void **state)
{
	assert_int_equal(wanted("{\"min_interval_ms\":\"1000\"}"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":1000.5}"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":1e3}"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":true}"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":null}"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":[1000]}"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":92233720368547758070}"), 0);
}

static void
an_identifier_may_be_anything(void **state)
{
	assert_int_equal(wanted(""), 0);
	assert_int_equal(wanted("min_interval_ms"), 0);
	assert_int_equal(wanted("[1000]"), 0);
	assert_int_equal(wanted("1000"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":1000"), 0);
	assert_int_equal(wanted("{\"min_interval_ms\":1000,\"min_interval_ms\":1000}"), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_member_of_the_identifier),
		cmocka_unit_test(without_it_everything_is_told),
		cmocka_unit_test(what_is_out_of_range_is_the_nearest_there_is),
		cmocka_unit_test(what_is_no_integer_asks_for_nothing),
		cmocka_unit_test(an_identifier_may_be_anything),
	};

	return run_units(tests);
}
