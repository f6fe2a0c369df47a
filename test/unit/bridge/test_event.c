/*
 * test_event.c
 *		A notification is understood whole or not at all.
 */
#include <stdio.h>
#include <string.h>

#include "event.h"
#include "unit.h"

static struct event event;

static bool
parse(const char *raw)
{
	return event_parse(raw, strlen(raw), &event);
}

static bool
is_refused(const char *raw)
{
	struct event none = {0};

	if (parse(raw))
		return false;
	/* There is nothing to clear then. */
	assert_memory_equal(&event, &none, sizeof(event));
	return true;
}

/* A progress message with these members behind the type. */
static const char *
progress(const char *members)
{
	static char raw[2048];

	snprintf(raw, sizeof(raw), "{\"type\":\"progress\"%s}", members);
	return raw;
}

static int
end(void **state)
{
	event_clear(&event);
	return 0;
}

static void
a_progress_message_is_understood(void **state)
{
	assert_true(parse("{\"stream\":\"sync:42\",\"version\":1763776000123456,\"type\":\"progress\","
					  "\"final\":true,\"owner\":\"alice\",\"emitted_at\":1763776000.123456,\"data\":{}}"));
	assert_int_equal(event.type, EVENT_PROGRESS);
	assert_string_equal(event.stream, "sync:42");
	assert_int_equal(event.version, 1763776000123456);
	assert_true(event.final);
	assert_string_equal(event.payload->bytes, "{}");
}

static void
data_is_taken_byte_for_byte(void **state)
{
	assert_true(parse("{\"stream\":\"sync:42\",\"version\":1763776000123456,\"type\":\"progress\","
					  "\"final\":true,\"owner\":\"al\\\"data\\\":ice\",\"emitted_at\":1763776000.123456,"
					  "\"data\":{\"rate\":4.6,\"big\":9007199254740993,\"t\":\"a \\u00e9 }\",\"data\":1}}"));
	assert_string_equal(event.payload->bytes,
						"{\"rate\":4.6,\"big\":9007199254740993,\"t\":\"a \\u00e9 }\",\"data\":1}");
}

static void
spaces_in_data_are_kept(void **state)
{
	assert_true(parse(progress(",\"stream\":\"s\",\"version\":1,\"data\":{\"a\" : [1, 2]} ")));
	assert_string_equal(event.payload->bytes, "{\"a\" : [1, 2]}");
}

static void
data_may_come_first(void **state)
{
	assert_true(parse("{\"data\":{\"a\":1},\"stream\":\"s\",\"version\":1,\"type\":\"progress\"}"));
	assert_string_equal(event.payload->bytes, "{\"a\":1}");
}

/* Its own data is printed instead. */
static void
a_nested_member_of_the_same_name_is_not_taken_for_the_data(void **state)
{
	assert_true(parse("{\"x\":{\"data\":{\"a\":1}},\"stream\":\"s\",\"version\":1,\"type\":\"progress\",\"data\":{\"b\": 2}}"));
	assert_string_equal(event.payload->bytes, "{\"b\":2}");
}

static void
a_name_that_ends_like_it_is_not_taken_for_the_data(void **state)
{
	assert_true(parse(progress(",\"stream\":\"s\",\"version\":1,\"x\\\"data\":{\"b\": 2},\"data\":{\"b\":  2}")));
	assert_string_equal(event.payload->bytes, "{\"b\":2}");
}

static void
an_escaped_name_is_the_same_name(void **state)
{
	assert_true(parse("{\"stream\":\"s\",\"version\":1,\"type\":\"progress\",\"d\\u0061ta\":{\"b\":2}}"));
	assert_string_equal(event.payload->bytes, "{\"b\":2}");
}

static void
what_is_printed_keeps_its_order(void **state)
{
	assert_true(parse(progress(",\"stream\":\"s\",\"version\":1,\"d\\u0061ta\":{\"z\":1,\"m\":2,\"a\":3}")));
	assert_string_equal(event.payload->bytes, "{\"z\":1,\"m\":2,\"a\":3}");
}

static void
data_may_be_left_out(void **state)
{
	assert_true(parse("{\"stream\":\"sync:1\",\"version\":5,\"type\":\"progress\",\"final\":false}"));
	assert_null(event.payload);
	assert_false(event.final);
}

static void
a_state_is_not_final_unless_it_says_so(void **state)
{
	assert_true(parse(progress(",\"stream\":\"s\",\"version\":1")));
	assert_false(event.final);
}

static void
a_heartbeat_has_no_stream(void **state)
{
	assert_true(parse("{\"type\":\"heartbeat\",\"emitted_at\":1.5}"));
	assert_int_equal(event.type, EVENT_HEARTBEAT);
	assert_null(event.stream);
}

static void
a_revocation_needs_no_version(void **state)
{
	assert_true(parse("{\"type\":\"revoked\",\"stream\":\"sync:1\"}"));
	assert_int_equal(event.type, EVENT_REVOKED);
	assert_string_equal(event.stream, "sync:1");
	assert_null(event.payload);
}

static void
any_other_word_is_an_event_with_its_data(void **state)
{
	assert_true(parse("{\"type\":\"session_renamed\",\"stream\":\"owner:a\",\"data\":{\"a\": 4.6}}"));
	assert_int_equal(event.type, EVENT_LIST);
	assert_string_equal(event.name, "session_renamed");
	assert_string_equal(event.stream, "owner:a");
	assert_string_equal(event.payload->bytes, "{\"a\": 4.6}");
}

static void
an_event_may_have_no_data(void **state)
{
	assert_true(parse("{\"type\":\"session_renamed\",\"stream\":\"owner:a\"}"));
	assert_null(event.payload);
}

static void
the_name_of_an_event_is_a_plain_word(void **state)
{
	char		long_name[EVENT_NAME_MAX + 2];
	char		raw[256];

	memset(long_name, 'a', sizeof(long_name) - 1);
	long_name[EVENT_NAME_MAX + 1] = '\0';
	snprintf(raw, sizeof(raw), "{\"type\":\"%s\",\"stream\":\"s\"}", long_name);
	assert_true(is_refused(raw));
	snprintf(raw, sizeof(raw), "{\"type\":\"%s\",\"stream\":\"s\"}", long_name + 1);
	assert_true(parse(raw));
	event_clear(&event);
	assert_true(is_refused("{\"type\":\"\",\"stream\":\"s\"}"));
	assert_true(is_refused("{\"type\":\"no such type\",\"stream\":\"s\"}"));
	assert_true(is_refused("{\"type\":\"a\\\"b\",\"stream\":\"s\"}"));
	assert_true(is_refused("{\"type\":\"a\\nb\",\"stream\":\"s\"}"));
	assert_true(is_refused("{\"type\":\"a\\u0000b\",\"stream\":\"s\"}"));
	assert_true(is_refused("{\"type\":\"Renamed\",\"stream\":\"s\"}"));
	assert_true(is_refused("{\"type\":\"renamed\",\"stream\":\"s\",\"data\":[]}"));
	assert_true(is_refused("{\"type\":\"renamed\"}"));
}

static void
a_disconnection_names_an_owner(void **state)
{
	assert_true(parse("{\"stream\":\"owner:a:b\",\"version\":5,\"type\":\"disconnect\",\"final\":false,"
					  "\"owner\":\"a:b\",\"emitted_at\":1.5,\"data\":{\"reconnect\":false}}"));
	assert_int_equal(event.type, EVENT_DISCONNECT);
	assert_string_equal(event_owner(&event), "a:b");
	assert_false(event.reconnect);
	assert_null(event.payload);
	event_clear(&event);
	assert_true(parse("{\"stream\":\"owner:a\",\"type\":\"disconnect\",\"data\":{\"reconnect\":true}}"));
	assert_true(event.reconnect);
}

static void
who_is_disconnected_may_come_again_unless_it_is_said(void **state)
{
	assert_true(parse("{\"stream\":\"owner:a\",\"type\":\"disconnect\"}"));
	assert_true(event.reconnect);
	event_clear(&event);
	assert_true(parse("{\"stream\":\"owner:a\",\"type\":\"disconnect\",\"data\":{}}"));
	assert_true(event.reconnect);
}

static void
a_disconnection_of_nobody_is_refused(void **state)
{
	assert_true(is_refused("{\"type\":\"disconnect\"}"));
	assert_true(is_refused("{\"type\":\"disconnect\",\"stream\":\"sync:1\"}"));
	assert_true(is_refused("{\"type\":\"disconnect\",\"stream\":\"owner:\"}"));
	assert_true(is_refused("{\"type\":\"disconnect\",\"stream\":\"owner\"}"));
	assert_true(is_refused("{\"type\":\"disconnect\",\"stream\":\"owner:a\",\"data\":[]}"));
	assert_true(is_refused("{\"type\":\"disconnect\",\"stream\":\"owner:a\",\"data\":{\"reconnect\":1}}"));
}

static void
a_revocation_has_no_data(void **state)
{
	assert_true(parse("{\"type\":\"revoked\",\"stream\":\"sync:1\",\"data\":{\"a\":1}}"));
	assert_null(event.payload);
}

static void
what_is_no_json_object_is_refused(void **state)
{
	assert_true(is_refused(""));
	assert_true(is_refused("garbage"));
	assert_true(is_refused("[]"));
}

static void
something_behind_the_object_is_refused(void **state)
{
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":1} x"));
}

static void
a_key_twice_is_refused(void **state)
{
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"a\",\"stream\":\"b\",\"version\":1}"));
	assert_true(is_refused(progress(",\"stream\":\"s\",\"version\":1,\"data\":{\"a\":1,\"a\":2}")));
}

static void
bytes_that_are_no_text_are_refused(void **state)
{
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"\xff\",\"version\":1}"));
	assert_true(is_refused(progress(",\"stream\":\"a\\u0000b\",\"version\":1")));
}

static void
a_type_is_demanded(void **state)
{
	assert_true(is_refused("{}"));
	assert_true(is_refused("{\"stream\":\"s\",\"version\":1}"));
	assert_true(is_refused("{\"type\":5,\"stream\":\"s\",\"version\":1}"));
}

static void
a_stream_is_demanded(void **state)
{
	assert_true(is_refused("{\"type\":\"progress\",\"version\":1}"));
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"\",\"version\":1}"));
	assert_true(is_refused(progress(",\"stream\":7,\"version\":1")));
	assert_true(is_refused("{\"type\":\"revoked\"}"));
}

static void
the_name_of_a_stream_has_a_bound(void **state)
{
	char		name[EVENT_STREAM_MAX + 2];
	char		members[1200];

	memset(name, 'n', sizeof(name));
	name[EVENT_STREAM_MAX + 1] = '\0';
	snprintf(members, sizeof(members), ",\"stream\":\"%s\",\"version\":1", name);
	assert_true(is_refused(progress(members)));
	name[EVENT_STREAM_MAX] = '\0';
	snprintf(members, sizeof(members), ",\"stream\":\"%s\",\"version\":1", name);
	assert_true(parse(progress(members)));
	assert_string_equal(event.stream, name);
}

static void
a_state_must_have_a_positive_whole_version(void **state)
{
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\"}"));
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":\"1\"}"));
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":1.5}"));
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":-1}"));
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":0}"));
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":9223372036854775808}"));
}

static void
data_must_be_an_object(void **state)
{
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":1,\"data\":[]}"));
	assert_true(is_refused(progress(",\"stream\":\"s\",\"version\":1,\"data\":null")));
}

static void
final_must_be_a_boolean(void **state)
{
	assert_true(is_refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":1,\"final\":1}"));
}

#define event_test(test) cmocka_unit_test_teardown(test, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		event_test(a_progress_message_is_understood),
		event_test(data_is_taken_byte_for_byte),
		event_test(spaces_in_data_are_kept),
		event_test(data_may_come_first),
		event_test(a_nested_member_of_the_same_name_is_not_taken_for_the_data),
		event_test(a_name_that_ends_like_it_is_not_taken_for_the_data),
		event_test(an_escaped_name_is_the_same_name),
		event_test(what_is_printed_keeps_its_order),
		event_test(data_may_be_left_out),
		event_test(a_state_is_not_final_unless_it_says_so),
		event_test(a_heartbeat_has_no_stream),
		event_test(a_revocation_needs_no_version),
		event_test(any_other_word_is_an_event_with_its_data),
		event_test(an_event_may_have_no_data),
		event_test(the_name_of_an_event_is_a_plain_word),
		event_test(a_disconnection_names_an_owner),
		event_test(who_is_disconnected_may_come_again_unless_it_is_said),
		event_test(a_disconnection_of_nobody_is_refused),
		event_test(a_revocation_has_no_data),
		event_test(what_is_no_json_object_is_refused),
		event_test(something_behind_the_object_is_refused),
		event_test(a_key_twice_is_refused),
		event_test(bytes_that_are_no_text_are_refused),
		event_test(a_type_is_demanded),
		event_test(a_stream_is_demanded),
		event_test(the_name_of_a_stream_has_a_bound),
		event_test(a_state_must_have_a_positive_whole_version),
		event_test(data_must_be_an_object),
		event_test(final_must_be_a_boolean),
	};

	return run_units(tests);
}
