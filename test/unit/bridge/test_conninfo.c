/*
 * test_conninfo.c
 *		Where the database is, and with which host an attempt begins.
 */
#include <stdlib.h>
#include <string.h>

#include "conninfo.h"
#include "unit.h"

static struct conninfo info;

static int
begin(void **state)
{
	memset(&info, 0, sizeof(info));
	unsetenv("PGCONNECT_TIMEOUT");
	return 0;
}

static int
end(void **state)
{
	conninfo_free(&info);
	return 0;
}

static void
parse(const char *text)
{
	char		error[256];

	assert_true(conninfo_parse(&info, text, error, sizeof(error)));
}

static void
assert_info(const char *keyword, const char *value)
{
	if (value == NULL)
		assert_null(conninfo_get(&info, keyword));
	else
		assert_string_equal(conninfo_get(&info, keyword), value);
}

static void
writing_is_demanded_whatever_is_said(void **state)
{
	parse("host=a target_session_attrs=any");
	assert_info("target_session_attrs", "read-write");
}

static void
each_host_has_a_time(void **state)
{
	parse("host=a");
	assert_info("connect_timeout", "5");
	conninfo_free(&info);
	parse("host=a connect_timeout=0");
	assert_info("connect_timeout", "5");
	conninfo_free(&info);
	parse("host=a connect_timeout=12");
	assert_info("connect_timeout", "12");
}

static void
no_ticket_is_waited_for_unless_it_must_be(void **state)
{
	parse("host=a");
	assert_info("gssencmode", "disable");
	conninfo_free(&info);
	parse("host=a gssencmode=require");
	assert_info("gssencmode", "require");
}

static void
hosts_are_turned_with_their_addresses_and_ports(void **state)
{
	conninfo_set(&info, "host", "a,b,c");
	conninfo_set(&info, "hostaddr", "1.1.1.1,,3.3.3.3");
	conninfo_set(&info, "port", "1,2,3");
	conninfo_rotate(&info, 1);
	assert_info("host", "b,c,a");
	assert_info("hostaddr", ",3.3.3.3,1.1.1.1");
	assert_info("port", "2,3,1");
	conninfo_rotate(&info, 2);
	assert_info("host", "a,b,c");
	assert_info("hostaddr", "1.1.1.1,,3.3.3.3");
	conninfo_rotate(&info, 3000001);
	assert_info("host", "b,c,a");
}

static void
one_host_or_one_port_for_all_stays_as_it_is(void **state)
{
	conninfo_set(&info, "host", "a,b");
	conninfo_set(&info, "port", "5432");
	conninfo_rotate(&info, 1);
	assert_info("host", "b,a");
	assert_info("port", "5432");
	conninfo_set(&info, "host", "/run/postgresql");
	conninfo_rotate(&info, 7);
	assert_info("host", "/run/postgresql");
	assert_info("hostaddr", NULL);
}

/* Of what is wrong with it, as much as anybody may know. */
static void
assert_wrong(const char *text, const char *said)
{
	char		error[256];

	assert_false(conninfo_parse(&info, text, error, sizeof(error)));
	assert_memory_equal(error, said, strlen(said));
	assert_null(strstr(error, "secret"));
}

static void
what_is_wrong_is_said_without_the_password(void **state)
{
	assert_wrong("host=a password=my secret", "missing \"=\" after ...");
	assert_wrong("postgres://me:a%zzsecret@a/b", "invalid percent-encoded token: ...");
	assert_wrong("postgres://me:secret@[::1]x/b", "unexpected character \"x\" ");
	assert_wrong("postgres://me:secret@[::1/b", "");
	assert_wrong("postgres://a/b?password=secret=x", "extra key/value separator \"=\" ");
	assert_wrong("host=a password='secret", "unterminated quoted string in connection info string");
	assert_wrong("host=a pasword=secret", "invalid connection option \"pasword\"");
}

#define info_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		info_test(writing_is_demanded_whatever_is_said),
		info_test(each_host_has_a_time),
		info_test(no_ticket_is_waited_for_unless_it_must_be),
		info_test(hosts_are_turned_with_their_addresses_and_ports),
		info_test(one_host_or_one_port_for_all_stays_as_it_is),
		info_test(what_is_wrong_is_said_without_the_password),
	};

	return run_units(tests);
}
