/* Which pages may connect. */
#include "origin.h"

#include "tap.h"

int
main(void)
{
	char	   *urls[] = {"https://app.example.com", "http://localhost:3000"};
	char	   *any[] = {"*"};
	struct config_list listed = {urls, 2};
	struct config_list none = {NULL, 0};
	struct config_list all = {any, 1};

	ok(origin_is_allowed(&none, "http://h:8080", "h:8080", false), "the bridge's own page");
	ok(origin_is_allowed(&none, "https://h", "h", false), "over TLS of a proxy");
	ok(origin_is_allowed(&none, "http://H:8080", "h:8080", false), "in any case of letters");
	ok(!origin_is_allowed(&none, "http://h:8081", "h:8080", false), "not another port");
	ok(!origin_is_allowed(&none, "http://evil/h:8080", "h:8080", false), "not one that only ends like it");
	ok(!origin_is_allowed(&none, "null", "h:8080", false), "not an opaque origin");
	ok(!origin_is_allowed(&none, "http://", "", false), "not an empty host");
	ok(!origin_is_allowed(&none, "ftp://h:8080", "h:8080", false), "not another scheme");
	ok(origin_is_allowed(&listed, "https://app.example.com", "h", false), "one on the list");
	ok(!origin_is_allowed(&listed, "http://app.example.com", "h", false), "the list is exact");
	ok(!origin_is_allowed(&listed, "https://app.example.com.evil.org", "h", false), "to its end");
	ok(origin_is_allowed(&all, "https://anything", "h", false), "a star allows all");
	ok(origin_is_allowed(&none, "http://127.0.0.1:8080", "127.0.0.1:8080", true), "without tokens: loopback's page");
	ok(origin_is_allowed(&none, "http://localhost:8080", "localhost:8080", true), "by name");
	ok(!origin_is_allowed(&none, "http://evil.org:8080", "evil.org:8080", true), "not a name that was made to resolve to it");
	ok(!origin_is_allowed(&none, "http://localhost.evil.org:8080", "localhost.evil.org:8080", true), "nor one that begins like it");
	ok(origin_is_allowed(&listed, "http://localhost:3000", "evil.org", true), "the list counts there too");
	return tap_done();
}
