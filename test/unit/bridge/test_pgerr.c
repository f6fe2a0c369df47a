/*
 * test_pgerr.c
 *		What the database complains of, and what to do about it.
 */
#include <string.h>

#include "pgerr.h"
#include "unit.h"

static void
common_complaints_have_a_hint(void **state)
{
	static const char *const said[][2] = {
		{"FATAL:  Peer authentication failed for user \"bridge\"", "pg_ident.conf"},
		{"FATAL:  password authentication failed for user \"bridge\"", "password"},
		{"fe_sendauth: no password supplied", "PGPASSFILE"},
		{"FATAL:  database \"nodb\" does not exist", "dbname="},
		{"FATAL:  role \"nobody\" does not exist", "user="},
		{"FATAL:  no pg_hba.conf entry for host \"::1\"", "pg_hba.conf"},
		{"FATAL:  sorry, too many clients already", "max_connections"},
		{"connection to server at \"db\" failed: Connection refused", "is PostgreSQL running"},
		{"ERROR:  permission denied for schema sync", "README"},
		{"session is read-only", "primary"},
	};

	for (size_t i = 0; i < sizeof(said) / sizeof(said[0]); i++)
	{
		const char *hint = pgerr_hint(said[i][0]);

		assert_non_null(hint);
		assert_non_null(strstr(hint, said[i][1]));
	}
}

static void
others_have_none(void **state)
{
	assert_null(pgerr_hint(""));
	assert_null(pgerr_hint("server closed the connection unexpectedly"));
	assert_null(pgerr_hint("ERROR:  function sync.nothing() does not exist"));
}

static void
lines_become_one(void **state)
{
	char		said[] = "FATAL:  no\n\tand no\n\n";

	pgerr_one_line(said);
	assert_string_equal(said, "FATAL:  no  and no");
	said[0] = '\0';
	pgerr_one_line(said);
	assert_string_equal(said, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(common_complaints_have_a_hint),
		cmocka_unit_test(others_have_none),
		cmocka_unit_test(lines_become_one),
	};

	return run_units(tests);
}
