/* Frames of Action Cable, in and out. */
#include "command.h"

#include "tap.h"

static bool
parse(const char *text, struct command *command)
{
	return command_parse(text, strlen(text), command);
}

static bool
refused(const char *text)
{
	struct command command;

	if (!parse(text, &command))
		return true;
	command_clear(&command);
	return false;
}

int
main(void)
{
	struct command command;
	struct buf	out = {0};
	struct intern *intern = intern_create();
	const char *identifier = "{\"channel\":\"C\",\"id\":\"\xc3\xa9\\u00e9 / \\\"\"}";
	struct istr *key = intern_get(intern, identifier, strlen(identifier));
	struct msg *payload = msg_create("{\"a\": 1}", 8);
	json_t	   *back;

	ok(parse("{\"command\":\"subscribe\",\"identifier\":\"{\\\"channel\\\":\\\"C\\\"}\"}", &command) &&
	   command.kind == COMMAND_SUBSCRIBE, "subscribe");
	is(command.identifier, "{\"channel\":\"C\"}", "its identifier");
	command_clear(&command);
	ok(parse("{\"command\":\"message\",\"identifier\":\"x\",\"data\":\"{\\\"action\\\":\\\"request_update\\\"}\"}", &command) &&
	   command.kind == COMMAND_MESSAGE, "message");
	is(command.action, "request_update", "its action, from JSON in a string");
	command_clear(&command);
	ok(parse("{\"command\":\"message\",\"identifier\":\"x\",\"data\":{\"action\":\"refresh\",\"token\":\"t\"}}", &command), "data may be an object");
	is(command.token, "t", "with a token");
	command_clear(&command);
	ok(parse("{\"command\":\"message\",\"identifier\":\"x\",\"data\":\"{broken\"}", &command) && command.action == NULL, "broken data is no action");
	command_clear(&command);
	ok(parse("{\"command\":\"refresh\",\"token\":\"t\"}", &command) && command.kind == COMMAND_REFRESH, "refresh");
	is(command.token, "t", "its token");
	command_clear(&command);
	ok(parse("{\"command\":\"history\"}", &command) && command.kind == COMMAND_UNKNOWN, "what is not known is told apart");
	command_clear(&command);
	ok(refused(""), "refused: nothing");
	ok(refused("x"), "refused: no JSON");
	ok(refused("[1]"), "refused: no object");
	ok(refused("{\"command\":1}"), "refused: a command that is no string");
	ok(refused("{\"command\":\"subscribe\"}"), "refused: no identifier");
	ok(refused("{\"command\":\"subscribe\",\"identifier\":\"\"}"), "refused: an empty identifier");
	ok(refused("{\"command\":\"subscribe\",\"identifier\":{\"channel\":\"C\"}}"), "refused: an identifier that is no string");
	ok(refused("{\"command\":\"subscribe\",\"identifier\":\"a\\u0000b\"}"), "refused: a NUL in it");
	ok(refused("{\"command\":\"subscribe\",\"command\":\"unsubscribe\",\"identifier\":\"x\"}"), "refused: a key twice");

	frame_welcome(&out);
	is(out.data, "{\"type\":\"welcome\"}", "welcome");
	frame_ping(&out, 1712345678);
	is(out.data, "{\"type\":\"ping\",\"message\":1712345678}", "ping");
	frame_disconnect(&out, "token_expired", true);
	is(out.data, "{\"type\":\"disconnect\",\"reason\":\"token_expired\",\"reconnect\":true}", "disconnect");
	frame_disconnect(&out, "unauthorized", false);
	is(out.data, "{\"type\":\"disconnect\",\"reason\":\"unauthorized\",\"reconnect\":false}", "disconnect for good");
	frame_token_expiring(&out);
	is(out.data, "{\"type\":\"token_expiring\"}", "token_expiring");
	frame_confirm(&out, key);
	back = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
	is(json_string_value(json_object_get(back, "identifier")), identifier, "an identifier comes back byte for byte");
	is(json_string_value(json_object_get(back, "type")), "confirm_subscription", "confirm");
	json_decref(back);
	frame_reject(&out, key);
	ok(strstr(out.data, ",\"type\":\"reject_subscription\"}") != NULL, "reject");
	frame_message(&out, key, payload);
	ok(strstr(out.data, ",\"message\":{\"a\": 1}}") != NULL, "a payload goes out as it is");
	back = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
	is(json_string_value(json_object_get(back, "identifier")), identifier, "under its identifier");
	json_decref(back);

	msg_drop(payload);
	intern_drop(key);
	intern_free(intern);
	buf_free(&out);
	return tap_done();
}
