/*
 * test_command.c
 *		Frames of Action Cable, in and out.
 */
#include <string.h>

#include "command.h"
#include "unit.h"

static struct command command;

static bool
parse(const char *text)
{
	return command_parse(text, strlen(text), &command);
}

static bool
is_refused(const char *text)
{
	if (!parse(text))
		return true;
	command_clear(&command);
	return false;
}

/* What a client says */

static void
subscribe_has_an_identifier(void **state)
{
	assert_true(parse("{\"command\":\"subscribe\",\"identifier\":\"{\\\"channel\\\":\\\"C\\\"}\"}"));
	assert_int_equal(command.kind, COMMAND_SUBSCRIBE);
	assert_string_equal(command.identifier, "{\"channel\":\"C\"}");
	assert_int_equal(command.identifier_len, strlen("{\"channel\":\"C\"}"));
	command_clear(&command);
}

static void
unsubscribe_has_an_identifier(void **state)
{
	assert_true(parse("{\"command\":\"unsubscribe\",\"identifier\":\"x\"}"));
	assert_int_equal(command.kind, COMMAND_UNSUBSCRIBE);
	assert_string_equal(command.identifier, "x");
	command_clear(&command);
	assert_true(is_refused("{\"command\":\"unsubscribe\"}"));
}

static void
message_has_an_action_from_json_in_a_string(void **state)
{
	assert_true(parse("{\"command\":\"message\",\"identifier\":\"x\",\"data\":\"{\\\"action\\\":\\\"request_update\\\"}\"}"));
	assert_int_equal(command.kind, COMMAND_MESSAGE);
	assert_string_equal(command.action, "request_update");
	assert_string_equal(command.identifier, "x");
	command_clear(&command);
}

static void
data_may_be_an_object(void **state)
{
	assert_true(parse("{\"command\":\"message\",\"identifier\":\"x\",\"data\":{\"action\":\"refresh\",\"token\":\"t\"}}"));
	assert_string_equal(command.action, "refresh");
	assert_string_equal(command.token, "t");
	command_clear(&command);
}

static void
broken_data_is_no_action(void **state)
{
	assert_true(parse("{\"command\":\"message\",\"identifier\":\"x\",\"data\":\"{broken\"}"));
	assert_int_equal(command.kind, COMMAND_MESSAGE);
	assert_null(command.action);
	command_clear(&command);
}

static void
refresh_has_a_token(void **state)
{
	assert_true(parse("{\"command\":\"refresh\",\"token\":\"t\"}"));
	assert_int_equal(command.kind, COMMAND_REFRESH);
	assert_string_equal(command.token, "t");
	command_clear(&command);
}

static void
a_command_that_is_not_known_is_told_apart(void **state)
{
	assert_true(parse("{\"command\":\"history\"}"));
	assert_int_equal(command.kind, COMMAND_UNKNOWN);
	command_clear(&command);
}

static void
what_is_no_json_object_is_refused(void **state)
{
	assert_true(is_refused(""));
	assert_true(is_refused("x"));
	assert_true(is_refused("[1]"));
}

static void
a_command_that_is_no_string_is_refused(void **state)
{
	assert_true(is_refused("{\"command\":1}"));
}

static void
an_identifier_must_be_a_text(void **state)
{
	assert_true(is_refused("{\"command\":\"subscribe\"}"));
	assert_true(is_refused("{\"command\":\"subscribe\",\"identifier\":\"\"}"));
	assert_true(is_refused("{\"command\":\"subscribe\",\"identifier\":{\"channel\":\"C\"}}"));
	assert_true(is_refused("{\"command\":\"subscribe\",\"identifier\":\"a\\u0000b\"}"));
}

static void
a_key_twice_is_refused(void **state)
{
	assert_true(is_refused("{\"command\":\"subscribe\",\"command\":\"unsubscribe\",\"identifier\":\"x\"}"));
}

/* What it is told */

static struct buf out;
static struct intern *intern;
static struct istr *key;
static const char *const identifier = "{\"channel\":\"C\",\"id\":\"\xc3\xa9\\u00e9 / \\\"\"}";

static int
begin(void **state)
{
	intern = intern_create();
	key = intern_get(intern, identifier, strlen(identifier));
	return 0;
}

static int
end(void **state)
{
	intern_drop(key);
	intern_free(intern);
	buf_free(&out);
	return 0;
}

/* A client parses the frame, and finds this member. */
static void
assert_member(const char *name, const char *want)
{
	json_t	   *back = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);

	assert_non_null(back);
	assert_string_equal(json_string_value(json_object_get(back, name)), want);
	json_decref(back);
}

static void
a_welcome(void **state)
{
	frame_welcome(&out);
	assert_string_equal(out.data, "{\"type\":\"welcome\"}");
}

static void
a_ping_has_the_time(void **state)
{
	frame_ping(&out, 1712345678);
	assert_string_equal(out.data, "{\"type\":\"ping\",\"message\":1712345678}");
}

static void
a_disconnect_says_why_and_whether_to_come_again(void **state)
{
	frame_disconnect(&out, "token_expired", true);
	assert_string_equal(out.data, "{\"type\":\"disconnect\",\"reason\":\"token_expired\",\"reconnect\":true}");
	frame_disconnect(&out, "unauthorized", false);
	assert_string_equal(out.data, "{\"type\":\"disconnect\",\"reason\":\"unauthorized\",\"reconnect\":false}");
}

static void
a_token_that_is_about_to_expire_is_announced(void **state)
{
	frame_token_expiring(&out);
	assert_string_equal(out.data, "{\"identifier\":\"\",\"type\":\"token_expiring\"}");
}

static void
a_confirmation_gives_the_identifier_back_byte_for_byte(void **state)
{
	frame_confirm(&out, key);
	assert_member("identifier", identifier);
	assert_member("type", "confirm_subscription");
}

static void
a_rejection_gives_the_identifier_back_byte_for_byte(void **state)
{
	frame_reject(&out, key);
	assert_non_null(strstr(out.data, ",\"type\":\"reject_subscription\"}"));
	assert_member("identifier", identifier);
	assert_member("type", "reject_subscription");
}

static void
a_text_that_nobody_holds_is_rejected_in_the_same_words(void **state)
{
	char	   *want;

	frame_reject(&out, key);
	want = strdup(out.data);
	frame_reject_text(&out, identifier, strlen(identifier));
	assert_string_equal(out.data, want);
	free(want);
}

static void
a_payload_goes_out_as_it_is_under_its_identifier(void **state)
{
	struct msg *payload = msg_create("{\"a\": 1}", 8);

	frame_message(&out, key, payload);
	assert_non_null(strstr(out.data, ",\"message\":{\"a\": 1}}"));
	assert_member("identifier", identifier);
	msg_drop(payload);
}

#define frame_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(subscribe_has_an_identifier),
		cmocka_unit_test(unsubscribe_has_an_identifier),
		cmocka_unit_test(message_has_an_action_from_json_in_a_string),
		cmocka_unit_test(data_may_be_an_object),
		cmocka_unit_test(broken_data_is_no_action),
		cmocka_unit_test(refresh_has_a_token),
		cmocka_unit_test(a_command_that_is_not_known_is_told_apart),
		cmocka_unit_test(what_is_no_json_object_is_refused),
		cmocka_unit_test(a_command_that_is_no_string_is_refused),
		cmocka_unit_test(an_identifier_must_be_a_text),
		cmocka_unit_test(a_key_twice_is_refused),
		frame_test(a_welcome),
		frame_test(a_ping_has_the_time),
		frame_test(a_disconnect_says_why_and_whether_to_come_again),
		frame_test(a_token_that_is_about_to_expire_is_announced),
		frame_test(a_confirmation_gives_the_identifier_back_byte_for_byte),
		frame_test(a_rejection_gives_the_identifier_back_byte_for_byte),
		frame_test(a_text_that_nobody_holds_is_rejected_in_the_same_words),
		frame_test(a_payload_goes_out_as_it_is_under_its_identifier),
	};

	return run_units(tests);
}
