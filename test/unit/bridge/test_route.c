/*
 * test_route.c
 *		Which path is served by what.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>

#include "route.h"

static int
serve(struct request *request)
{
	return 0;
}

static const struct route table[] = {
	{METHOD_GET, "/healthz", serve, GUARD_NONE, DOOR_BOTH},
	{METHOD_GET, "/events/owner", serve, GUARD_CLAIMS, DOOR_PUBLIC},
	{METHOD_GET, "/events/:channel/:id", serve, GUARD_CLAIMS, DOOR_PUBLIC},
	{METHOD_GET, "/sessions/:channel/:id", serve, GUARD_CLAIMS, DOOR_PUBLIC},
	{METHOD_POST, "/sessions/:channel/:id/:action", serve, GUARD_CLAIMS, DOOR_PUBLIC},
};

#define LINES(...)	((const char *const[]) {__VA_ARGS__, NULL})
#define NO_LINES	((const char *const[]) {NULL})

static struct routes *
routes_with(const char *const *lines)
{
	struct routes *routes = routes_create(table, sizeof(table) / sizeof(table[0]));
	char		error[512];

	for (; *lines; lines++)
		if (!routes_add_alias(routes, *lines, error, sizeof(error)))
			fail_msg("%s", error);
	return routes;
}

static void
match_clear(struct route_match *match)
{
	for (int i = 0; i < ROUTE_PARAMS; i++)
		free(match->params[i]);
}

/* The pattern that serves this, "" if none does; its parameters by commas. */
static void
assert_match(struct routes *routes, enum route_method method, const char *path,
			 const char *pattern, const char *params)
{
	struct route_match match;
	char		got[256] = "";

	routes_match(routes, method, path, &match);
	assert_string_equal(match.route ? match.route->pattern : "", pattern);
	for (int i = 0; i < ROUTE_PARAMS; i++)
		if (match.params[i])
		{
			strcat(got, got[0] ? "," : "");
			strcat(got, match.params[i]);
		}
	assert_string_equal(got, params);
	match_clear(&match);
}

static void
test_table(void **state)
{
	struct routes *routes = routes_with(NO_LINES);

	assert_match(routes, METHOD_GET, "/healthz", "/healthz", "");
	assert_match(routes, METHOD_GET, "/events/owner", "/events/owner", "");
	assert_match(routes, METHOD_GET, "/events/A/7", "/events/:channel/:id", "A,7");
	assert_match(routes, METHOD_GET, "/events/A/:id", "/events/:channel/:id", "A,:id");
	assert_match(routes, METHOD_POST, "/sessions/A/7/pause", "/sessions/:channel/:id/:action",
				 "A,7,pause");
	for (const char *const *path = LINES("", "healthz", "/", "/healthz/", "//healthz", "/events", "/events/A",
										 "/events/A/", "/events//7", "/events/A/7/", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n");
		 *path; path++)
		assert_match(routes, METHOD_GET, *path, "", "");
	routes_free(routes);
}

static void
test_methods_that_there_are(void **state)
{
	struct routes *routes = routes_with(LINES("POST /x/:id -> /sessions/A/:id/cancel", "GET /x/:id -> /events/A/:id"));
	struct route_match match;

	routes_match(routes, METHOD_DELETE, "/x/7", &match);
	assert_null(match.route);
	assert_int_equal(match.methods, 1u << METHOD_GET | 1u << METHOD_POST);
	routes_match(routes, METHOD_GET, "/sessions/A/7/pause", &match);
	assert_null(match.route);
	assert_int_equal(match.methods, 1u << METHOD_POST);
	routes_match(routes, METHOD_GET, "/nowhere", &match);
	assert_int_equal(match.methods, 0);
	routes_free(routes);
}

static void
test_aliases(void **state)
{
	struct routes *routes = routes_with(LINES("GET /connections/:id/jobs -> /sessions/ConnectionSyncChannel/:id",
											  "get\t/swap/:a/:b   ->  /events/:b/:a",
											  "POST /m/:mesh/cancel -> /sessions/Mesh/:mesh/cancel",
											  "GET / -> /healthz", "GET /events/owner -> /healthz"));

	assert_match(routes, METHOD_GET, "/connections/7/jobs", "/sessions/:channel/:id",
				 "ConnectionSyncChannel,7");
	assert_match(routes, METHOD_GET, "/swap/1/2", "/events/:channel/:id", "2,1");
	assert_match(routes, METHOD_POST, "/m/x y/cancel", "/sessions/:channel/:id/:action",
				 "Mesh,x y,cancel");
	assert_match(routes, METHOD_GET, "/", "/healthz", "");

	/* One's own path goes before the bridge's. */
	assert_match(routes, METHOD_GET, "/events/owner", "/healthz", "");
	assert_match(routes, METHOD_GET, "/connections//jobs", "", "");
	assert_match(routes, METHOD_GET, "/m/7/cancel", "", "");
	routes_free(routes);
}

static void
test_bad_aliases(void **state)
{
	static const char *const lines[] = {
		"", " ", "GET", "GET /x", "GET /x ->", "GET /x => /healthz", "GET /x -> /healthz more",
		"FETCH /x -> /healthz", "OTHER /x -> /healthz", "GET x -> /healthz", "GET /x -> healthz",
		"GET /x -> /nowhere", "GET /x -> /events/A", "POST /x -> /healthz",
		"GET /x -> /events/A/:id", "GET /x/:id/:id -> /events/A/:id", "GET /x/: -> /healthz",
		"GET /x?y -> /healthz", "GET /a/../b -> /healthz", "GET /%41 -> /healthz",
		"GET /a/b/c/d/e/f/g/h/i/j/k/l/m -> /healthz", "GET /taken/:b -> /healthz"
	};
	struct routes *routes = routes_with(LINES("GET /taken/:a -> /events/A/:a"));
	char		error[512];

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
	{
		error[0] = '\0';
		if (routes_add_alias(routes, lines[i], error, sizeof(error)))
			fail_msg("taken: %s", lines[i]);
		assert_non_null(strstr(error, lines[i]));
	}
	assert_match(routes, METHOD_GET, "/taken/7", "/events/:channel/:id", "A,7");
	assert_match(routes, METHOD_GET, "/x", "", "");
	routes_free(routes);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_methods_that_there_are),
		cmocka_unit_test(test_aliases),
		cmocka_unit_test(test_bad_aliases),
	};

	return run_units(tests);
}
