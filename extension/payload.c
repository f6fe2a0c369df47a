/*
 * payload.c
 *		The notification's text: the only place that knows the wire.
 *
 * doc/protocol.md describes it.
 */
#include "postgres.h"

#include "guc.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "payload.h"
#include "shared.h"
#include "utils/json.h"

#define TITLE_MAX		480		/* characters, in a list event */

static void
append_emitted_at(StringInfo text, TimestampTz now)
{
	int64		us = sp_unix_us(now);

	appendStringInfo(text, "\"emitted_at\":" INT64_FORMAT ".%06d",
					 us / USECS_PER_SEC, (int) (us % USECS_PER_SEC));
}

/* What every message of a stream begins with. */
static void
append_head(StringInfo text, const char *stream, int64 version, const char *type, bool final)
{
	appendStringInfoString(text, "{\"stream\":");
	escape_json(text, stream);
	appendStringInfo(text, ",\"version\":" INT64_FORMAT ",\"type\":\"%s\",\"final\":%s",
					 version, type, final ? "true" : "false");
}

static void
append_owner(StringInfo text, const char *owner, TimestampTz now)
{
	appendStringInfoString(text, ",\"owner\":");
	escape_json(text, owner);
	appendStringInfoChar(text, ',');
	append_emitted_at(text, now);
}

/* Left out when the message would be too long, or when the setting says so. */
static void
append_data(StringInfo text, const char *data)
{
	if (sp_notify == SP_NOTIFY_DATA &&
		text->len + strlen(",\"data\":}") + strlen(data) <= SP_MESSAGE_MAX_BYTES)
		appendStringInfo(text, ",\"data\":%s", data);
}

/*
 * The same JSON without the white space between its parts, a tenth of it.
 *
 * The text is valid: it comes from a json column.  White space inside strings
 * is not between parts, and only a backslash can hide a string's end.
 */
char *
sp_payload_compact(const char *json)
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
		else if (!in_string && (*from == ' ' || *from == '\t' || *from == '\n' || *from == '\r'))
			continue;
		*to++ = *from;
	}
	*to = '\0';
	return result;
}

/*
 * A session's state.  "data" is the payload, compact JSON; it is left out when the
 * message would be too long, or when the setting says so: the bridge then
 * reads it from the table.
 */
char *
sp_payload_progress(const char *stream, int64 version, bool final, const char *owner,
					const char *data, TimestampTz now)
{
	StringInfoData text;

	initStringInfo(&text);
	append_head(&text, stream, version, "progress", final);
	append_owner(&text, owner, now);
	append_data(&text, data);
	appendStringInfoChar(&text, '}');
	return text.data;
}

/*
 * What lists show of a session, JSON: compact, and with each text escaped.  A
 * long title is left out, for a message has a limit.
 */
char *
sp_payload_facts(const SpFacts *facts)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "{\"session_id\":" INT64_FORMAT ",\"job_id\":\"%s\",\"kind\":", facts->session, facts->job_id);
	escape_json(&text, facts->kind);
	appendStringInfoString(&text, ",\"source_id\":");
	escape_json(&text, facts->source_id);
	if (facts->title == NULL)
		appendStringInfoString(&text, ",\"title\":null");
	else if (pg_mbstrlen(facts->title) <= TITLE_MAX)
	{
		appendStringInfoString(&text, ",\"title\":");
		escape_json(&text, facts->title);
	}
	appendStringInfo(&text, ",\"pinned\":%s,\"status\":\"%s\",\"lock_version\":%d,\"version\":" INT64_FORMAT "}",
					 facts->pinned ? "true" : "false", facts->status, facts->lock_version, facts->version);
	return text.data;
}

/* An event on an owner's list.  "data" is compact JSON. */
char *
sp_payload_event(const char *owner, int64 version, const char *type, const char *data, TimestampTz now)
{
	StringInfoData text;

	initStringInfo(&text);
	append_head(&text, psprintf("owner:%s", owner), version, type, false);
	append_owner(&text, owner, now);
	append_data(&text, data);
	appendStringInfoChar(&text, '}');
	return text.data;
}

/*
 * Whoever watches with a token of this owner is to be disconnected.  "data",
 * how, says nothing about anybody's sessions: it is never left out.
 */
char *
sp_payload_disconnect(const char *owner, int64 version, const char *data, TimestampTz now)
{
	StringInfoData text;

	initStringInfo(&text);
	append_head(&text, psprintf("owner:%s", owner), version, "disconnect", false);
	append_owner(&text, owner, now);
	appendStringInfo(&text, ",\"data\":%s}", data);
	return text.data;
}

/* Watchers of the stream must be asked for their right to it again. */
char *
sp_payload_revoked(const char *stream, TimestampTz now)
{
	StringInfoData text;

	initStringInfo(&text);
	append_head(&text, stream, sp_unix_us(now), "revoked", true);
	appendStringInfoChar(&text, ',');
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
