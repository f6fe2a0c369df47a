/* A notification is understood whole or not at all. */
#include "event.h"

#include "tap.h"

static bool
refused(const char *raw)
{
	struct event event;

	if (!event_parse(raw, strlen(raw), &event))
		return true;
	event_clear(&event);
	return false;
}

static bool
parse(const char *raw, struct event *event)
{
	return event_parse(raw, strlen(raw), event);
}

int
main(void)
{
	struct event event;
	char		name[1200];
	char		raw[1400];

	ok(parse("{\"stream\":\"sync:42\",\"version\":1763776000123456,\"type\":\"progress\","
			 "\"final\":true,\"owner\":\"al\\\"data\\\":ice\",\"emitted_at\":1763776000.123456,"
			 "\"data\":{\"rate\":4.6,\"big\":9007199254740993,\"t\":\"a \\u00e9 }\",\"data\":1}}", &event),
	   "a progress message is understood");
	is_int(event.type, EVENT_PROGRESS, "its type");
	is(event.stream, "sync:42", "its stream");
	is_int(event.version, 1763776000123456, "its version");
	ok(event.final, "that it is final");
	is(event.payload->bytes,
	   "{\"rate\":4.6,\"big\":9007199254740993,\"t\":\"a \\u00e9 }\",\"data\":1}",
	   "and its data, byte for byte");
	event_clear(&event);

	ok(parse("{\"data\":{\"a\":1},\"stream\":\"s\",\"version\":1,\"type\":\"progress\"}", &event),
	   "data may come first");
	is(event.payload->bytes, "{\"a\":1}", "and is found there");
	event_clear(&event);

	ok(parse("{\"x\":{\"data\":{\"a\":1}},\"stream\":\"s\",\"version\":1,\"type\":\"progress\",\"data\":{\"b\": 2}}", &event),
	   "a nested member of the same name");
	is(event.payload->bytes, "{\"b\":2}", "is not taken for the data, which is printed instead");
	event_clear(&event);

	ok(parse("{\"stream\":\"s\",\"version\":1,\"type\":\"progress\",\"d\\u0061ta\":{\"b\":2}}", &event),
	   "an escaped name is the same name");
	is(event.payload->bytes, "{\"b\":2}", "and is printed");
	event_clear(&event);

	ok(parse("{\"stream\":\"sync:1\",\"version\":5,\"type\":\"progress\",\"final\":false}", &event) &&
	   event.payload == NULL, "data may be left out");
	event_clear(&event);
	ok(parse("{\"type\":\"heartbeat\",\"emitted_at\":1.5}", &event) &&
	   event.type == EVENT_HEARTBEAT && event.stream == NULL, "a heartbeat has no stream");
	event_clear(&event);
	ok(parse("{\"type\":\"revoked\",\"stream\":\"sync:1\"}", &event) &&
	   event.type == EVENT_REVOKED && event.payload == NULL, "a revocation needs no version");
	event_clear(&event);
	ok(parse("{\"type\":\"session_renamed\",\"stream\":\"owner:a\",\"data\":{}}", &event) &&
	   event.type == EVENT_OTHER, "other types are told apart");
	event_clear(&event);

	ok(refused(""), "refused: nothing");
	ok(refused("garbage"), "refused: no JSON");
	ok(refused("[]"), "refused: no object");
	ok(refused("{}"), "refused: no type");
	ok(refused("{\"type\":5,\"stream\":\"s\",\"version\":1}"), "refused: a type that is no string");
	ok(refused("{\"type\":\"progress\",\"version\":1}"), "refused: no stream");
	ok(refused("{\"type\":\"progress\",\"stream\":\"\",\"version\":1}"), "refused: an empty stream");
	ok(refused("{\"type\":\"progress\",\"stream\":\"s\"}"), "refused: a state without version");
	ok(refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":\"1\"}"), "refused: a version that is a string");
	ok(refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":1.5}"), "refused: a broken version");
	ok(refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":-1}"), "refused: a negative version");
	ok(refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":1,\"data\":[]}"), "refused: data that is no object");
	ok(refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":1,\"final\":1}"), "refused: final that is no boolean");
	ok(refused("{\"type\":\"progress\",\"stream\":\"a\",\"stream\":\"b\",\"version\":1}"), "refused: a key twice");
	ok(refused("{\"type\":\"progress\",\"stream\":\"s\",\"version\":1} x"), "refused: something behind");
	ok(refused("{\"type\":\"progress\",\"stream\":\"\xff\",\"version\":1}"), "refused: bytes that are no UTF-8");
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	snprintf(raw, sizeof(raw), "{\"type\":\"progress\",\"stream\":\"%s\",\"version\":1}", name);
	ok(refused(raw), "refused: a name beyond bounds");
	return tap_done();
}
