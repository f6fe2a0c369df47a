/*
 * test_address.c
 *		Addresses, networks, and the client behind a chain of proxies.
 */
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "address.h"
#include "unit.h"

static const char *
shown(const struct address *address)
{
	static char text[ADDRESS_TEXT_MAX];

	address_format(address, text, sizeof(text));
	return text;
}

static struct address
parsed(const char *text)
{
	struct address address;

	assert_true(address_parse(text, strlen(text), &address));
	return address;
}

static void
an_address_may_have_a_port_and_brackets(void **state)
{
	static const char *const pairs[][2] = {
		{"192.0.2.1", "192.0.2.1"}, {"192.0.2.1:8080", "192.0.2.1"},
		{"2001:db8::1", "2001:db8::1"}, {"[2001:db8::1]", "2001:db8::1"},
		{"[2001:db8::1]:8080", "2001:db8::1"}, {"::1", "::1"},
		{"::ffff:192.0.2.1", "192.0.2.1"}, {"2001:DB8:0:0::1", "2001:db8::1"},
	};

	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
	{
		struct address address = parsed(pairs[i][0]);

		assert_string_equal(shown(&address), pairs[i][1]);
	}
}

static void
what_is_no_address_is_refused(void **state)
{
	static const char *const bad[] = {
		"", " ", "unknown", "_hidden", "192.0.2", "192.0.2.256", "192.0.2.1.1", "0x7f.1",
		"127.1", "[2001:db8::1", "2001:db8::1]", "[2001:db8::1]x", "[]", "2001:db8::g",
		"fe80::1%eth0", "192.0.2.1 ", "localhost", "192.0.2.1;DROP",
		"1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111:1111",
	};
	struct address address;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (address_parse(bad[i], strlen(bad[i]), &address))
			fail_msg("\"%s\" was taken as %s", bad[i], shown(&address));
	assert_false(address_parse("1.2.3.4\0x", 9, &address));
}

static void
a_socket_has_an_address(void **state)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET,.sin_addr.s_addr = htonl(0xc0000201)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,.sin6_addr = IN6ADDR_LOOPBACK_INIT};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct address address;

	address_of_socket((struct sockaddr *) &v4, &address);
	assert_string_equal(shown(&address), "192.0.2.1");
	address_of_socket((struct sockaddr *) &v6, &address);
	assert_string_equal(shown(&address), "::1");
	address_of_socket((struct sockaddr *) &local, &address);
	assert_string_equal(shown(&address), "::");
}

static void
a_household_of_ipv6_counts_as_one(void **state)
{
	struct address a = parsed("2001:db8:1:2:3:4:5:6");

	a = address_network(&a);
	assert_string_equal(shown(&a), "2001:db8:1:2::");
	a = parsed("192.0.2.7");
	a = address_network(&a);
	assert_string_equal(shown(&a), "192.0.2.7");
}

static bool
holds(const char *network, const char *text)
{
	struct cidr cidr;
	struct cidrs cidrs = {&cidr, 1};
	struct address address = parsed(text);

	assert_true(cidr_parse(network, &cidr));
	return cidrs_hold(&cidrs, &address);
}

static void
a_network_holds_its_own(void **state)
{
	assert_true(holds("10.0.0.0/8", "10.255.0.1"));
	assert_false(holds("10.0.0.0/8", "11.0.0.1"));
	assert_true(holds("192.0.2.128/25", "192.0.2.200"));
	assert_false(holds("192.0.2.128/25", "192.0.2.127"));
	assert_true(holds("192.0.2.1", "192.0.2.1"));
	assert_false(holds("192.0.2.1", "192.0.2.2"));
	assert_true(holds("0.0.0.0/0", "203.0.113.9"));
	assert_false(holds("0.0.0.0/0", "2001:db8::1"));
	assert_true(holds("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(holds("2001:db8::/33", "2001:db8:8000::1"));
	assert_true(holds("::/0", "192.0.2.1"));
	assert_true(holds("::1", "::1"));
	assert_true(holds("::ffff:10.0.0.0/104", "10.9.9.9"));
	assert_true(holds("2001:db8::1/128", "2001:db8::1"));
}

static void
a_bad_network_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/8x", "10.0.0.0/ 8",
		"10.0.0.0/+8", "10.0.0/8", "2001:db8::/129", "proxy.example.com", "10.0.0.0/8/8",
		"[::1]", "10.0.0.1:80", "10.0.0.0/99999999999999999999",
	};
	struct cidr cidr;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (cidr_parse(bad[i], &cidr))
			fail_msg("\"%s\" was taken", bad[i]);
}

static const char *
client_of(const char *peer_text, const char *forwarded)
{
	static struct cidr items[2];
	struct cidrs proxies = {items, 2};
	struct address peer = parsed(peer_text);
	struct address client;

	assert_true(cidr_parse("10.0.0.0/8", &items[0]));
	assert_true(cidr_parse("2001:db8:f::/48", &items[1]));
	client = address_forwarded(&proxies, &peer, forwarded);
	return shown(&client);
}

static void
the_client_is_the_rightmost_that_is_no_proxy(void **state)
{
	assert_string_equal(client_of("10.0.0.1", "203.0.113.9"), "203.0.113.9");
	assert_string_equal(client_of("10.0.0.1", "203.0.113.9, 10.0.0.2"), "203.0.113.9");
	assert_string_equal(client_of("10.0.0.1", "198.51.100.1, 203.0.113.9,10.1.2.3 , 10.0.0.2"),
						"203.0.113.9");
	assert_string_equal(client_of("10.0.0.1", "2001:db8::7, [2001:db8:f::1]:443"), "2001:db8::7");
	assert_string_equal(client_of("2001:db8:f::1", "203.0.113.9:4711"), "203.0.113.9");
}

static void
what_a_client_wrote_itself_is_not_believed(void **state)
{
	assert_string_equal(client_of("10.0.0.1", "127.0.0.1, 203.0.113.9"), "203.0.113.9");
	assert_string_equal(client_of("203.0.113.9", "127.0.0.1"), "203.0.113.9");
	assert_string_equal(client_of("203.0.113.9", ""), "203.0.113.9");
}

static void
what_cannot_be_read_ends_the_walk(void **state)
{
	assert_string_equal(client_of("10.0.0.1", ""), "10.0.0.1");
	assert_string_equal(client_of("10.0.0.1", "unknown"), "10.0.0.1");
	assert_string_equal(client_of("10.0.0.1", "203.0.113.9, unknown, 10.0.0.2"), "10.0.0.2");
	assert_string_equal(client_of("10.0.0.1", "203.0.113.9,,"), "10.0.0.1");
	assert_string_equal(client_of("10.0.0.1", ",203.0.113.9"), "203.0.113.9");
	assert_string_equal(client_of("10.0.0.1", ",,,,"), "10.0.0.1");
	assert_string_equal(client_of("10.0.0.1", "  \t "), "10.0.0.1");
}

static void
a_proxy_that_asks_for_itself_is_the_client(void **state)
{
	assert_string_equal(client_of("10.0.0.1", "10.0.0.3, 10.0.0.2"), "10.0.0.3");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_address_may_have_a_port_and_brackets),
		cmocka_unit_test(what_is_no_address_is_refused),
		cmocka_unit_test(a_socket_has_an_address),
		cmocka_unit_test(a_household_of_ipv6_counts_as_one),
		cmocka_unit_test(a_network_holds_its_own),
		cmocka_unit_test(a_bad_network_is_refused),
		cmocka_unit_test(the_client_is_the_rightmost_that_is_no_proxy),
		cmocka_unit_test(what_a_client_wrote_itself_is_not_believed),
		cmocka_unit_test(what_cannot_be_read_ends_the_walk),
		cmocka_unit_test(a_proxy_that_asks_for_itself_is_the_client),
	};

	return run_units(tests);
}
