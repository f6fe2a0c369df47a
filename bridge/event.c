/*
 * event.c
 *		The untrusted text of a notification becomes a checked struct.
 *
 * Every role that can connect to the database can NOTIFY.  So the text is
 * parsed strictly (duplicate keys refused, types checked, names bounded), and
 * nothing of a notification that fails here is used.  Whether the sender is to
 * be believed is not decided here.
 *
 * Types that are not known here are events of some list.  Their name goes into
 * what watchers are sent, so it is a plain word.
 *
 * "data" goes on to watchers as the very bytes that came: printing it again
 * would turn 4.6 into 4.5999999999999996.  No JSON is scanned by hand for it.
 * The members before "data" are scalars, and inside a string a quote would
 * be escaped, so the first "data": that no backslash precedes is the member;
 * the library then parses from there and tells where the value ended, and only
 * if that value equals the member's are the bytes taken.
 */
#include "event.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "codes.h"

#define EVENT_DATA_KEY	"\"data\":"
#define EVENT_EMITTED_MAX_S	1e11

static enum event_type
event_type_of(const char *name)
{
	if (strcmp(name, CODE_EVENT_PROGRESS) == 0)
		return EVENT_PROGRESS;
	if (strcmp(name, CODE_EVENT_REVOKED) == 0)
		return EVENT_REVOKED;
	if (strcmp(name, CODE_EVENT_HEARTBEAT) == 0)
		return EVENT_HEARTBEAT;
	if (strcmp(name, CODE_EVENT_DISCONNECT) == 0)
		return EVENT_DISCONNECT;
	return EVENT_LIST;
}

/* A plain word: lower case letters and underscores, not too long. */
static bool
event_set_name(struct event *event, const char *name)
{
	size_t		len = strlen(name);

	if (len == 0 || len > EVENT_NAME_MAX ||
		strspn(name, "abcdefghijklmnopqrstuvwxyz_") != len)
		return false;
	memcpy(event->name, name, len + 1);
	return true;
}

/*
 * The bytes of member "data" in "raw", or a compact print of "data" where they
 * cannot be told for sure.
 */
static struct msg *
event_payload(const char *raw, size_t len, json_t *data)
{
	const char *key = strstr(raw, EVENT_DATA_KEY);
	struct msg *payload = NULL;
	char	   *printed;

	if (key && key > raw && key[-1] != '\\')
	{
		const char *value = key + strlen(EVENT_DATA_KEY);
		json_error_t error;
		json_t	   *again = json_loadb(value, len - (size_t) (value - raw),
									   JSON_DISABLE_EOF_CHECK | JSON_REJECT_DUPLICATES,
									   &error);

		if (again && json_equal(again, data))
			payload = msg_create(value, (size_t) error.position);
		json_decref(again);
	}
	if (payload)
		return payload;

	printed = json_dumps(data, JSON_COMPACT | JSON_PRESERVE_ORDER);
	if (printed == NULL)
		return NULL;
	payload = msg_create(printed, strlen(printed));
	free(printed);
	return payload;
}

/* Who is to be disconnected, and whether for good. */
static bool
event_parse_disconnect(const char *stream, json_t *data, struct event *event)
{
	json_t	   *reconnect = json_object_get(data, "reconnect");

	event->reconnect = reconnect == NULL || json_is_true(reconnect);
	return strncmp(stream, CODE_OWNER_STREAM, strlen(CODE_OWNER_STREAM)) == 0 &&
		stream[strlen(CODE_OWNER_STREAM)] != '\0' &&
		(data == NULL || json_is_object(data)) &&
		(reconnect == NULL || json_is_boolean(reconnect));
}

/* When it was sent; what is no time of this age is not believed. */
static int64_t
event_emitted_us(json_t *root)
{
	double		emitted_s = json_number_value(json_object_get(root, "emitted_at"));

	return emitted_s > 0 && emitted_s < EVENT_EMITTED_MAX_S ? (int64_t) (emitted_s * 1e6) : 0;
}

/* Stream, version, final and data; the type is known already. */
static bool
event_parse_members(json_t *root, const char *raw, size_t len,
					struct event *event)
{
	json_t	   *stream = json_object_get(root, "stream");
	json_t	   *version = json_object_get(root, "version");
	json_t	   *final = json_object_get(root, "final");
	json_t	   *data = json_object_get(root, "data");
	size_t		stream_len = json_string_length(stream);

	if (event->type == EVENT_HEARTBEAT)
		return true;
	if (!json_is_string(stream) || stream_len == 0 || stream_len > EVENT_STREAM_MAX)
		return false;
	if (version && !json_is_integer(version))
		return false;
	if (final && !json_is_boolean(final))
		return false;
	if (event->type == EVENT_PROGRESS && (version == NULL || json_integer_value(version) <= 0))
		return false;

	if (event->type == EVENT_DISCONNECT &&
		!event_parse_disconnect(json_string_value(stream), data, event))
		return false;

	event->version = json_integer_value(version);
	event->final = json_is_true(final);
	if ((event->type == EVENT_PROGRESS || event->type == EVENT_LIST) && data)
	{
		if (!json_is_object(data))
			return false;
		event->payload = event_payload(raw, len, data);
		if (event->payload == NULL)
			return false;
	}
	event->stream = mem_strndup(json_string_value(stream), stream_len);
	return true;
}

/*
 * Parse "raw", which ends with a NUL at "len".  On true the caller clears the
 * event; on false there is nothing to clear.
 */
bool
event_parse(const char *raw, size_t len, struct event *event)
{
	json_t	   *root = json_loadb(raw, len, JSON_REJECT_DUPLICATES, NULL);
	json_t	   *type = json_object_get(root, "type");
	bool		ok = false;

	memset(event, 0, sizeof(*event));
	if (json_is_string(type))
	{
		event->type = event_type_of(json_string_value(type));
		event->emitted_us = event_emitted_us(root);
		ok = event_set_name(event, json_string_value(type)) &&
			event_parse_members(root, raw, len, event);
	}
	if (!ok)
		event_clear(event);
	json_decref(root);
	return ok;
}

/* The owner whom an EVENT_DISCONNECT is about. */
const char *
event_owner(const struct event *event)
{
	return event->stream + strlen(CODE_OWNER_STREAM);
}

void
event_clear(struct event *event)
{
	free(event->stream);
	msg_drop(event->payload);
	memset(event, 0, sizeof(*event));
}
