/*
 * test_version.c
 *		Which versions of the SQL a library serves.
 */
#include "version.h"
#include "unit.h"

static void
its_own(void **state)
{
	assert_true(sp_version_serves("1.1.0", "1.1.0"));
	assert_true(sp_version_serves(SP_VERSION, SP_VERSION));
}

static void
older_ones(void **state)
{
	assert_true(sp_version_serves("1.1.0", "1.0.0"));
	assert_true(sp_version_serves("1.10.0", "1.9.99"));
	assert_true(sp_version_serves("2.0.0", "1.11.12"));
	assert_true(sp_version_serves("1.1.1", "1.1.0"));
}

static void
no_newer_ones(void **state)
{
	assert_false(sp_version_serves("1.1.0", "1.1.1"));
	assert_false(sp_version_serves("1.9.0", "1.10.0"));
	assert_false(sp_version_serves("1.9.9", "2.0.0"));
	assert_false(sp_version_serves("1.1.0", "99999999999999999999.0.0"));
}

static void
nothing_that_is_no_version(void **state)
{
	static const char *const not[] = {"", "1", "1.0", "1.0.", "1..0", "unpackaged", "1.0.0-dev", "1.0.0.0", "-1.0.0", "1.0.x", " 1.0.0"};

	for (int i = 0; i < (int) (sizeof(not) / sizeof(not[0])); i++)
		assert_false(sp_version_serves("1.1.0", not[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(its_own),
		cmocka_unit_test(older_ones),
		cmocka_unit_test(no_newer_ones),
		cmocka_unit_test(nothing_that_is_no_version),
	};

	return run_units(tests);
}
