/*
 * test_sse_frame.c
 *		Server-sent events, byte for byte.
 */
#include <string.h>

#include "sse_frame.h"
#include "unit.h"

#define NOW_US	INT64_C(1763776000000000)

static struct buf out;

static int
begin(void **state)
{
	buf_reset(&out);
	return 0;
}

static int
end(void **state)
{
	buf_free(&out);
	return 0;
}

static void
message(const char *name, int64_t id, const char *data)
{
	sse_frame_message(&out, name, id, data, strlen(data));
}

static void
message_is_one_data_line(void **state)
{
	message(NULL, 0, "{\"type\":\"heartbeat\"}");
	assert_string_equal(out.data, "data: {\"type\":\"heartbeat\"}\n\n");
}

static void
message_may_have_a_name_and_an_id(void **state)
{
	message("progress", NOW_US, "{}");
	assert_string_equal(out.data, "event: progress\nid: 1763776000000000\ndata: {}\n\n");
}

static void
messages_follow_one_another(void **state)
{
	message(NULL, 1, "{\"a\":1}");
	message(NULL, 2, "{\"a\":2}");
	assert_string_equal(out.data, "id: 1\ndata: {\"a\":1}\n\nid: 2\ndata: {\"a\":2}\n\n");
}

static void
line_ends_in_data_end_no_message(void **state)
{
	message(NULL, 0, "{\n\"a\":\r1,\r\n\n\"b\":2}\n");
	assert_string_equal(out.data, "data: {\ndata: \"a\":\ndata: 1,\ndata: \ndata: \n"
						"data: \"b\":2}\ndata: \n\n");
}

static void
empty_data_is_a_message(void **state)
{
	message(NULL, 0, "");
	assert_string_equal(out.data, "data: \n\n");
}

static void
data_may_hold_a_zero_byte(void **state)
{
	sse_frame_message(&out, NULL, 0, "a\0b", 3);
	assert_int_equal(out.len, strlen("data: ") + 3 + 2);
	assert_memory_equal(out.data + 6, "a\0b\n\n", 5);
}

static void
error_is_json(void **state)
{
	sse_frame_error(&out, NULL, "no \"such\" thing", true);
	assert_string_equal(out.data,
						"data: {\"type\":\"error\",\"message\":\"no \\\"such\\\" thing\"}\n\n");
}

static void
error_may_ask_to_stay_away(void **state)
{
	sse_frame_error(&out, "error", "go", false);
	assert_string_equal(out.data, "event: error\n"
						"data: {\"type\":\"error\",\"message\":\"go\",\"reconnect\":false}\n\n");
}

static void
retry_and_comment_are_no_messages(void **state)
{
	sse_frame_retry(&out, 1500);
	sse_frame_comment(&out, 3);
	sse_frame_comment(&out, 0);
	assert_string_equal(out.data, "retry: 1500\n\n:   \n\n:\n\n");
}

static void
last_id_is_a_version(void **state)
{
	assert_int_equal(sse_last_id("1", NOW_US), 1);
	assert_int_equal(sse_last_id("1763776000000000", NOW_US), NOW_US);
	assert_int_equal(sse_last_id("1763776001000000", NOW_US), NOW_US + 1000000);
}

static void
last_id_is_ignored_when_it_is_none(void **state)
{
	static const char *const texts[] = {
		"", "0", "-1", "+1", " 1", "1 ", "1.0", "0x10", "1e9", "abc", "12a",
		"1763776000000000\n", "\xff", "99999999999999999999", "9223372036854775807",
		"9223372036854775808", "999999999999999999", "1763776061000000"
	};

	assert_int_equal(sse_last_id(NULL, NOW_US), 0);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(sse_last_id(texts[i], NOW_US), 0);
}

#define frame_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		frame_test(message_is_one_data_line),
		frame_test(message_may_have_a_name_and_an_id),
		frame_test(messages_follow_one_another),
		frame_test(line_ends_in_data_end_no_message),
		frame_test(empty_data_is_a_message),
		frame_test(data_may_hold_a_zero_byte),
		frame_test(error_is_json),
		frame_test(error_may_ask_to_stay_away),
		frame_test(retry_and_comment_are_no_messages),
		frame_test(last_id_is_a_version),
		frame_test(last_id_is_ignored_when_it_is_none),
	};

	return run_units(tests);
}
