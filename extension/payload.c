/*
 * payload.c
 *		The notification's text: the only place that knows the wire.
 *
 * doc/protocol.md describes it.
 */
#include "postgres.h"

#include "guc.h"
#include "lib/stringinfo.h"
#include "payload.h"
#include "shared.h"
#include "utils/json.h"

static void
append_emitted_at(StringInfo text, TimestampTz now)
{
	int64		us = sp_unix_us(now);

	appendStringInfo(text, "\"emitted_at\":" INT64_FORMAT ".%06d",
					 us / USECS_PER_SEC, (int) (us % USECS_PER_SEC));
}

/*
 * The same JSON without the white space between its parts, a tenth of it.
 *
 * The text is valid: it comes from a json column.  White space inside strings
 * is not between parts, and only a backslash can hide a string's end.
 */
static char *
compact(const char *json)
{
	char	   *result = palloc(strlen(json) + 1);
	char	   *to = result;
	bool		in_string = false;

	for (const char *from = json; *from != '\0'; from++)
	{
		if (in_string && *from == '\\')
			*to++ = *from++;
		else if (*from == '"')
			in_string = !in_string;
		else if (!in_string && strchr(" \t\n\r", *from) != NULL)
			continue;
		*to++ = *from;
	}
	*to = '\0';
	return result;
}

/*
 * A session's state.  "data" is the payload, JSON; it is left out when the
 * message would be too long, or when the setting says so: the bridge then
 * reads it from the table.
 */
char *
sp_payload_progress(const char *stream, int64 version, bool final, const char *owner,
					const char *data, TimestampTz now)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"stream\":");
	escape_json(&text, stream);
	appendStringInfo(&text, ",\"version\":" INT64_FORMAT ",\"type\":\"progress\",\"final\":%s,\"owner\":",
					 version, final ? "true" : "false");
	escape_json(&text, owner);
	appendStringInfoChar(&text, ',');
	append_emitted_at(&text, now);
	if (sp_notify == SP_NOTIFY_DATA)
	{
		char	   *shorter = compact(data);

		if (text.len + strlen(",\"data\":}") + strlen(shorter) <= SP_MESSAGE_MAX_BYTES)
			appendStringInfo(&text, ",\"data\":%s", shorter);
	}
	appendStringInfoChar(&text, '}');
	return text.data;
}

/* Watchers of the stream must be asked for their right to it again. */
char *
sp_payload_revoked(const char *stream, TimestampTz now)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"stream\":");
	escape_json(&text, stream);
	appendStringInfo(&text, ",\"version\":" INT64_FORMAT ",\"type\":\"revoked\",\"final\":true,", sp_unix_us(now));
	append_emitted_at(&text, now);
	appendStringInfoChar(&text, '}');
	return text.data;
}

/* Proves the path from the worker to whoever listens. */
char *
sp_payload_heartbeat(TimestampTz now)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "{\"type\":\"heartbeat\",");
	append_emitted_at(&text, now);
	appendStringInfoChar(&text, '}');
	return text.data;
}
