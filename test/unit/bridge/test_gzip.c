/*
 * test_gzip.c
 *		Answers made smaller, for who can read them so.
 */
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "gzip.h"
#include "reply.h"

static void
test_accepted(void **state)
{
	static const char *const yes[] = {
		"gzip", "GZIP", "x-gzip", "deflate, gzip", "gzip;q=1", "gzip; q=0.5", "gzip;q=0.001",
		"br;q=0, gzip", "*", "identity, *;q=0.1", " gzip ,br", "gzip;Q=1", "gzip;x=0"
	};
	static const char *const no[] = {
		"", "br", "gzipped", "gz", "gzip;q=0", "gzip;q=0.0", "gzip; q=0.000 ", "gzip;Q=0", "gzip;q=0, *",
		"*;q=0", "deflate;gzip", ",", ";", ", ,"
	};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!gzip_is_accepted(yes[i]))
			fail_msg("not accepted: %s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (gzip_is_accepted(no[i]))
			fail_msg("accepted: %s", no[i]);
	assert_false(gzip_is_accepted(NULL));
}

static void
test_packed(void **state)
{
	static char large[100000];
	static char back[sizeof(large)];

	/* Several times, since the compressor is used again. */
	for (int i = 0; i < 3; i++)
	{
		z_stream	stream = {0};
		struct msg *packed;

		memset(large, 'a' + i, sizeof(large));
		packed = gzip_pack(large, sizeof(large));
		assert_non_null(packed);
		assert_true(packed->len < 1000);
		assert_int_equal(inflateInit2(&stream, 15 + 16), Z_OK);
		stream.next_in = (unsigned char *) packed->bytes;
		stream.avail_in = (unsigned) packed->len;
		stream.next_out = (unsigned char *) back;
		stream.avail_out = sizeof(back);
		assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
		assert_memory_equal(large, back, sizeof(large));
		inflateEnd(&stream);
		msg_drop(packed);
	}
}

static void
test_not_worth_it(void **state)
{
	char		noise[4096];
	unsigned	seed = 7;

	assert_null(gzip_pack("small", 5));
	for (size_t i = 0; i < sizeof(noise); i++)
		noise[i] = (char) rand_r(&seed);
	assert_null(gzip_pack(noise, sizeof(noise)));
	assert_true(gzip_fits("text/css; charset=utf-8"));
	assert_true(gzip_fits("application/json"));
	assert_false(gzip_fits("image/png"));
}

static void
test_etags(void **state)
{
	static const char *const yes[] = {
		"\"7\"", "W/\"7\"", "\"1\", \"7\"", "\"1\",W/\"7\" ", "*", " * "
	};
	static const char *const no[] = {"", "7", "\"77\"", "\"7", "W/", "W/\"8\"", ",,", "\"*\"", "**"};

	for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++)
		if (!reply_has_etag(yes[i], "\"7\""))
			fail_msg("not found: %s", yes[i]);
	for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++)
		if (reply_has_etag(no[i], "\"7\""))
			fail_msg("found: %s", no[i]);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_packed),
		cmocka_unit_test(test_not_worth_it),
		cmocka_unit_test(test_etags),
	};

	return run_units(tests);
}
