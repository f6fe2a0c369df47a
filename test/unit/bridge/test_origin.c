/*
 * test_origin.c
 *		Which pages may connect.
 */
#include <stdbool.h>

#include "origin.h"
#include "unit.h"

static char *urls[] = {"https://app.example.com", "http://localhost:3000"};
static char *any[] = {"*"};
static const struct config_list listed = {urls, 2};
static const struct config_list none = {NULL, 0};
static const struct config_list all = {any, 1};

static void
the_bridges_own_page_may_connect(void **state)
{
	assert_true(origin_is_allowed(&none, "http://h:8080", "h:8080", false));
}

static void
its_own_page_may_connect_over_the_tls_of_a_proxy(void **state)
{
	assert_true(origin_is_allowed(&none, "https://h", "h", false));
}

static void
the_case_of_letters_does_not_matter(void **state)
{
	assert_true(origin_is_allowed(&none, "http://H:8080", "h:8080", false));
}

static void
another_port_or_host_is_another_page(void **state)
{
	assert_false(origin_is_allowed(&none, "http://h:8081", "h:8080", false));
	assert_false(origin_is_allowed(&none, "http://evil/h:8080", "h:8080", false));
	assert_false(origin_is_allowed(&none, "http://h:8080.evil.org", "h:8080", false));
}

static void
what_names_no_page_of_the_web_is_refused(void **state)
{
	assert_false(origin_is_allowed(&none, "null", "h:8080", false));
	assert_false(origin_is_allowed(&none, "", "h:8080", false));
	assert_false(origin_is_allowed(&none, "http://", "", false));
	assert_false(origin_is_allowed(&none, "ftp://h:8080", "h:8080", false));
}

static void
a_page_on_the_list_may_connect(void **state)
{
	assert_true(origin_is_allowed(&listed, "https://app.example.com", "h", false));
	assert_true(origin_is_allowed(&listed, "http://localhost:3000", "h", false));
}

static void
the_list_is_exact(void **state)
{
	assert_false(origin_is_allowed(&listed, "http://app.example.com", "h", false));
	assert_false(origin_is_allowed(&listed, "https://app.example.com.evil.org", "h", false));
}

static void
a_star_allows_all(void **state)
{
	assert_true(origin_is_allowed(&all, "https://anything", "h", false));
}

static void
without_tokens_a_page_of_loopback_may_connect(void **state)
{
	assert_true(origin_is_allowed(&none, "http://127.0.0.1:8080", "127.0.0.1:8080", true));
	assert_true(origin_is_allowed(&none, "http://localhost:8080", "localhost:8080", true));
	assert_true(origin_is_allowed(&none, "http://[::1]:8080", "[::1]:8080", true));
}

static void
without_tokens_a_name_that_was_made_to_resolve_to_loopback_is_refused(void **state)
{
	assert_false(origin_is_allowed(&none, "http://evil.org:8080", "evil.org:8080", true));
	assert_false(origin_is_allowed(&none, "http://localhost.evil.org:8080", "localhost.evil.org:8080", true));
}

static void
without_tokens_the_list_counts_too(void **state)
{
	assert_true(origin_is_allowed(&listed, "http://localhost:3000", "evil.org", true));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_bridges_own_page_may_connect),
		cmocka_unit_test(its_own_page_may_connect_over_the_tls_of_a_proxy),
		cmocka_unit_test(the_case_of_letters_does_not_matter),
		cmocka_unit_test(another_port_or_host_is_another_page),
		cmocka_unit_test(what_names_no_page_of_the_web_is_refused),
		cmocka_unit_test(a_page_on_the_list_may_connect),
		cmocka_unit_test(the_list_is_exact),
		cmocka_unit_test(a_star_allows_all),
		cmocka_unit_test(without_tokens_a_page_of_loopback_may_connect),
		cmocka_unit_test(without_tokens_a_name_that_was_made_to_resolve_to_loopback_is_refused),
		cmocka_unit_test(without_tokens_the_list_counts_too),
	};

	return run_units(tests);
}
