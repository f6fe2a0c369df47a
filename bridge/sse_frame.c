/*
 * sse_frame.c
 *		Server-sent events, byte for byte.
 *
 * A message is a block of lines that an empty line ends.  What an EventSource
 * hands to its page are the "data" lines of it; "id" is what it says in
 * Last-Event-ID when it comes back, and "retry" when it does.
 */
#include "sse_frame.h"

#include <inttypes.h>
#include <string.h>

/* An id may be ahead of our clock by as much as clocks may differ. */
#define SSE_CLOCK_SLACK_US	(INT64_C(60) * 1000 * 1000)

/*
 * Append a message.  "name" NULL: unnamed, which is what onmessage takes.  "id"
 * 0: none, so the client keeps the one before.
 *
 * A line's end in the data would end the message there.  JSON has one only
 * between its tokens, where the one that the reader puts in for the next "data"
 * line does as well.
 */
void
sse_frame_message(struct buf *out, const char *name, int64_t id, const char *data,
				  size_t len)
{
	if (name)
		buf_printf(out, "event: %s\n", name);
	if (id > 0)
		buf_printf(out, "id: %" PRId64 "\n", id);
	for (size_t at = 0; at <= len; at++)
	{
		size_t		begin = at;

		while (at < len && data[at] != '\n' && data[at] != '\r')
			at++;
		buf_add_text(out, "data: ");
		buf_add(out, data + begin, at - begin);
		buf_add_text(out, "\n");
	}
	buf_add_text(out, "\n");
}

/* Append an error, after which the stream is closed. */
void
sse_frame_error(struct buf *out, const char *name, const char *message, bool reconnect)
{
	struct buf	json = {0};

	buf_add_text(&json, "{\"type\":\"error\",\"message\":");
	buf_add_json_string(&json, message, strlen(message));
	buf_add_text(&json, reconnect ? "}" : ",\"reconnect\":false}");
	sse_frame_message(out, name, 0, json.data, json.len);
	buf_free(&json);
}

/* Append how long the client shall wait before it comes back. */
void
sse_frame_retry(struct buf *out, int retry_ms)
{
	buf_printf(out, "retry: %d\n\n", retry_ms);
}

/*
 * Append something that no page gets to see: it keeps proxies from taking the
 * stream for dead, and fills their buffers.
 */
void
sse_frame_comment(struct buf *out, size_t len)
{
	buf_add_text(out, ":");
	while (len-- > 0)
		buf_add_text(out, " ");
	buf_add_text(out, "\n\n");
}

/*
 * The version that a client says it has; 0: none.
 *
 * Whatever is not a version is nothing.  So is one from the future: versions
 * are microseconds since 1970 where they are not the one before plus one, and
 * whoever claims such would never be sent a state.
 */
int64_t
sse_last_id(const char *text, int64_t now_us)
{
	size_t		len = text ? strlen(text) : 0;
	int64_t		id = 0;

	if (len == 0 || len > 18 || strspn(text, "0123456789") != len)
		return 0;
	for (size_t i = 0; i < len; i++)
		id = id * 10 + (text[i] - '0');
	return id <= now_us + SSE_CLOCK_SLACK_US ? id : 0;
}
