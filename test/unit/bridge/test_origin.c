/*
 * test_origin.c
 *		Which pages may connect.
 */
#include <stdbool.h>
#include <string.h>

#include "origin.h"
#include "unit.h"

static char *urls[] = {"https://app.example.com", "http://localhost:3000"};
static char *any[] = {"*"};
static char *below[] = {"https://*.example.com", "http://*.local:3000"};
static const struct config_list listed = {urls, 2};
static const struct config_list none = {NULL, 0};
static const struct config_list all = {any, 1};
static const struct config_list subdomains = {below, 2};

static void
the_bridges_own_page_may_connect(void **state)
{
	assert_true(origin_is_allowed(&none, "http://h:8080", "h:8080", false, false));
}

static void
its_own_page_may_connect_over_the_tls_of_a_proxy(void **state)
{
	assert_true(origin_is_allowed(&none, "https://h", "h", false, false));
}

static void
the_case_of_letters_does_not_matter(void **state)
{
	assert_true(origin_is_allowed(&none, "http://H:8080", "h:8080", false, false));
}

static void
another_port_or_host_is_another_page(void **state)
{
	assert_false(origin_is_allowed(&none, "http://h:8081", "h:8080", false, false));
	assert_false(origin_is_allowed(&none, "http://evil/h:8080", "h:8080", false, false));
	assert_false(origin_is_allowed(&none, "http://h:8080.evil.org", "h:8080", false, false));
}

static void
what_names_no_page_of_the_web_is_refused(void **state)
{
	assert_false(origin_is_allowed(&none, "null", "h:8080", false, false));
	assert_false(origin_is_allowed(&none, "", "h:8080", false, false));
	assert_false(origin_is_allowed(&none, "http://", "", false, false));
	assert_false(origin_is_allowed(&none, "ftp://h:8080", "h:8080", false, false));
}

static void
a_page_on_the_list_may_connect(void **state)
{
	assert_true(origin_is_allowed(&listed, "https://app.example.com", "h", false, false));
	assert_true(origin_is_allowed(&listed, "http://localhost:3000", "h", false, false));
}

static void
the_list_is_exact(void **state)
{
	assert_false(origin_is_allowed(&listed, "http://app.example.com", "h", false, false));
	assert_false(origin_is_allowed(&listed, "https://app.example.com.evil.org", "h", false, false));
}

static void
a_star_allows_all(void **state)
{
	assert_true(origin_is_allowed(&all, "https://anything", "h", false, false));
}

static void
a_star_does_not_count_for_cookies(void **state)
{
	assert_false(origin_is_allowed(&all, "https://anything", "h", false, true));
	assert_true(origin_is_allowed(&all, "https://h", "h", false, true));
	assert_true(origin_is_allowed(&listed, "https://app.example.com", "h", false, true));
}

static void
all_names_below_one(void **state)
{
	assert_true(origin_is_allowed(&subdomains, "https://app.example.com", "h", false, false));
	assert_true(origin_is_allowed(&subdomains, "https://a.b-c.EXAMPLE.com", "h", false, true));
	assert_true(origin_is_allowed(&subdomains, "http://dev.local:3000", "h", false, false));
}

static void
and_no_others(void **state)
{
	static const char *const others[] = {
		"https://example.com", "https://.example.com", "http://app.example.com",
		"https://app.example.com:8443", "https://app.example.com.evil.org",
		"https://evilexample.com", "https://evil.org/.example.com",
		"https://evil.org?.example.com", "https://evil.org:1.example.com",
		"https://user@app.example.com", "http://dev.local", "null", ""
	};

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(origin_is_allowed(&subdomains, others[i], "h", false, false));
}

static const char *
problem_of(char *entry)
{
	struct config_list list = {&entry, 1};

	return origins_check(&list);
}

static void
what_is_an_origin_is_taken(void **state)
{
	assert_null(problem_of("*"));
	assert_null(problem_of("https://app.example.com"));
	assert_null(problem_of("http://[::1]:3000"));
	assert_null(problem_of("http://app.example.com:443"));
	assert_null(problem_of("https://*.example.com:8443"));
}

static void
what_no_browser_would_ever_send_is_refused(void **state)
{
	static char *const bad[] = {
		"app.example.com", "https://", "https://*.", "ftp://app.example.com",
		"https://app.example.com/", "https://app.example.com/cable", "https://*",
		"https://a*.example.com", "https://*.*.example.com", "https://u@app.example.com",
		"null", " ", "https://app.example.com:443", "http://app.example.com:80"
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_non_null(problem_of(bad[i]));
	assert_non_null(strstr(problem_of("https://app.example.com/"), "without a slash"));
}

static void
without_tokens_a_page_of_loopback_may_connect(void **state)
{
	assert_true(origin_is_allowed(&none, "http://127.0.0.1:8080", "127.0.0.1:8080", true, false));
	assert_true(origin_is_allowed(&none, "http://localhost:8080", "localhost:8080", true, false));
	assert_true(origin_is_allowed(&none, "http://[::1]:8080", "[::1]:8080", true, false));
}

static void
without_tokens_a_name_that_was_made_to_resolve_to_loopback_is_refused(void **state)
{
	assert_false(origin_is_allowed(&none, "http://evil.org:8080", "evil.org:8080", true, false));
	assert_false(origin_is_allowed(&none, "http://localhost.evil.org:8080", "localhost.evil.org:8080", true, false));
}

static void
without_tokens_the_list_counts_too(void **state)
{
	assert_true(origin_is_allowed(&listed, "http://localhost:3000", "evil.org", true, false));
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
		cmocka_unit_test(a_star_does_not_count_for_cookies),
		cmocka_unit_test(all_names_below_one),
		cmocka_unit_test(and_no_others),
		cmocka_unit_test(what_is_an_origin_is_taken),
		cmocka_unit_test(what_no_browser_would_ever_send_is_refused),
		cmocka_unit_test(without_tokens_a_page_of_loopback_may_connect),
		cmocka_unit_test(without_tokens_a_name_that_was_made_to_resolve_to_loopback_is_refused),
		cmocka_unit_test(without_tokens_the_list_counts_too),
	};

	return run_units(tests);
}
