/*
 * payload.c
 *		The notification's text: the only place that knows the wire.
 *
 * doc/protocol.md describes it; test/fixtures/wire has examples that the tests
 * of all three parts read.
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
	if (sp_notify == SP_NOTIFY_DATA && text.len + strlen(",\"data\":}") + strlen(data) <= SP_MESSAGE_MAX_BYTES)
		appendStringInfo(&text, ",\"data\":%s", data);
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
