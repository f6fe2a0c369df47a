/*
 * sse_write.c
 *		What a client of a stream is sent, and when.
 *
 * Nothing is queued for a client.  What it is owed are flags (the head of the
 * answer, that the database is away, a warning, a heartbeat) and what the hub
 * says of its subscription; sse_pump() writes the next of them while the
 * connection takes it.  While the database is away there is nothing to say but
 * comments, which keep proxies from cutting the line.
 *
 * The answer has neither a length nor chunks: it ends when the connection does.
 * That passes through proxies which speak HTTP/1.0 to their upstream, as nginx
 * does by default.
 */
#include "sse_private.h"

#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "conn.h"
#include "reply.h"
#include "request.h"
#include "sse_frame.h"
#include "who.h"

#define SSE_CLOSE_MS		5000
#define SSE_PADDING_BYTES	2048

/* When an EventSource comes back after it has lost us. */
#define SSE_RETRY_FROM_MS	1000
#define SSE_RETRY_TO_MS		3000

int
sse_jitter_ms(int from_ms, int to_ms)
{
	return from_ms + (int) (drand48() * (to_ms - from_ms));
}

/* ---- what the hub has to say ---- */

/*
 * May the hub write a state?  Not after the client was told that the stream is
 * stale: until it was asked for again, nobody knows whether this client may see
 * it, and whether it is the newest.
 */
static bool
sse_is_idle(void *client)
{
	struct sse *sse = client;

	return sse->is_open && !sse->owes_head && !sse->is_stale && sse->close == SSE_STAYS &&
		conn_is_idle(sse->conn);
}

static void
sse_send(void *client, struct buf *frame)
{
	struct sse *sse = client;

	sse->owes_fresh = false;
	conn_send(sse->conn, frame);
}

/*
 * The database has answered about this subscription, or something came for it.
 *
 * Whoever was told that the stream is stale must hear that it no longer is,
 * even if nothing has changed meanwhile: then a heartbeat says so.
 */
static void
sse_owed(void *client, struct hub_sub *sub)
{
	struct sse *sse = client;

	if (sub->is_doubted && !sub->owes_reject)
		return;
	if (sub->owes_reject && !sse->is_open)
	{
		sse_refuse(sse);
		return;
	}
	if (!sse->is_open)
		sse_open(sse);
	if (sub->owes_confirm && sub->sent_version < sse->last_id)
		sub->sent_version = sse->last_id;
	if (sse->is_stale)
	{
		sse->is_stale = false;
		sse->owes_fresh = !sse->owes_stale && !sub->owes_confirm;
		sse->owes_stale = false;
	}
	sse_pump(sse);
}

static void
sse_refused(void *client, const struct hub_sub *sub)
{
	struct sse *sse = client;

	who_was_refused(sse->conn, &sse->claims, sub->identifier->bytes, sub->identifier->len);
}

static void
add_state(struct buf *out, const char *name, const struct hub_news *news)
{
	sse_frame_message(out, name, news->version, news->payload->bytes, news->payload->len);
}

static void
sse_state(struct buf *out, const struct istr *identifier, const struct hub_news *news)
{
	(void) identifier;
	add_state(out, NULL, news);
}

static void
sse_named_state(struct buf *out, const struct istr *identifier, const struct hub_news *news)
{
	(void) identifier;
	add_state(out, CODE_EVENT_PROGRESS, news);
}

static void
add_event(struct buf *out, const char *name, const struct hub_event *event)
{
	struct buf	json = {0};

	buf_printf(&json, "{\"type\":\"%s\"", event->type);
	if (event->data)
	{
		buf_add_text(&json, ",\"data\":");
		buf_add(&json, event->data->bytes, event->data->len);
	}
	buf_add_text(&json, "}");
	sse_frame_message(out, name, 0, json.data, json.len);
	buf_free(&json);
}

static void
sse_event(struct buf *out, const struct istr *identifier, const struct hub_event *event)
{
	(void) identifier;
	add_event(out, NULL, event);
}

static void
sse_named_event(struct buf *out, const struct istr *identifier, const struct hub_event *event)
{
	(void) identifier;
	add_event(out, event->type, event);
}

/* A message that has a type and nothing else. */
static void
add_plain(struct buf *out, const struct sse *sse, const char *type)
{
	struct buf	json = {0};

	buf_printf(&json, "{\"type\":\"%s\"}", type);
	sse_frame_message(out, sse->is_named ? type : NULL, 0, json.data, json.len);
	buf_free(&json);
}

static void
sse_confirm(struct buf *out, const struct hub_sub *sub)
{
	const struct sse *sse = (const struct sse *) sub;

	if (sub->greeting)
		sse_frame_message(out, sse->is_named ? CODE_STREAM_CONNECTED : NULL, 0,
						  sub->greeting->bytes, sub->greeting->len);
	else
		add_plain(out, sse, CODE_STREAM_CONNECTED);
}

static void
add_refusal(struct buf *out, const char *name)
{
	sse_frame_error(out, name, CODE_STREAM_REFUSED, true);
}

static void
sse_reject(struct buf *out, const struct istr *identifier)
{
	(void) identifier;
	add_refusal(out, NULL);
}

static void
sse_named_reject(struct buf *out, const struct istr *identifier)
{
	(void) identifier;
	add_refusal(out, CODE_STREAM_ERROR);
}

/* ---- writing ---- */

/*
 * Write the head of the answer; the request is not needed any more.
 *
 * Proxies are asked not to collect the stream (X-Accel-Buffering), nor to
 * compress it (no-transform), since both hold messages back.  For those that
 * fill a buffer first all the same, and for old browsers, a client can ask for
 * padding; it is not the default, because nearly nobody needs it.
 */
static void
add_head(struct sse *sse, struct buf *out)
{
	sse->owes_head = false;
	reply_begin(out, sse->request, 200, "text/event-stream");
	buf_printf(out, "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"
			   "Connection: %s\r\n\r\n", sse->is_head ? "close" : "keep-alive");
	request_free(sse->request);
	sse->request = NULL;
	if (sse->is_head)
		return;
	if (sse->is_padded)
		sse_frame_comment(out, SSE_PADDING_BYTES);
	sse_frame_retry(out, sse_jitter_ms(SSE_RETRY_FROM_MS, SSE_RETRY_TO_MS));
}

/* There is no more to say: the end comes as soon as what was said is out. */
static void
sse_end(struct sse *sse)
{
	sse->close = SSE_TOLD;
	conn_set_deadline(sse->conn, SSE_CLOSE_MS);
	conn_want_write(sse->conn);
}

/* Write the next that is owed to "out".  False: there is nothing. */
static bool
sse_next(struct sse *sse, struct buf *out)
{
	buf_reset(out);
	if (sse->owes_head)
	{
		add_head(sse, out);
		if (sse->is_head)
			sse_end(sse);
		return true;
	}
	if (sse->owes_stale)
	{
		sse->owes_stale = false;
		add_plain(out, sse, CODE_STREAM_STALE);
		return true;
	}
	if (sse->is_stale)
	{
		if (!sse->owes_heartbeat)
			return false;
		sse->owes_heartbeat = false;
		sse_frame_comment(out, 0);
		return true;
	}
	if (sse->owes_warning)
	{
		sse->owes_warning = false;
		add_plain(out, sse, CODE_TOKEN_EXPIRING);
		return true;
	}

	switch (hub_sub_next(&sse->sub, out))
	{
		case HUB_FRAME:
			sse->owes_fresh = false;
			return true;
		case HUB_LAST_FRAME:
			sse_end(sse);
			return true;
		case HUB_NOTHING:
			break;
	}
	if (!sse->owes_heartbeat && !sse->owes_fresh)
		return false;
	sse->owes_heartbeat = sse->owes_fresh = false;
	add_plain(out, sse, CODE_EVENT_HEARTBEAT);
	return true;
}

/* Write everything that is owed, as far as the connection takes it. */
void
sse_pump(struct sse *sse)
{
	struct buf *out = conns_scratch(sse->conn->conns);

	while (sse->is_open && sse->close == SSE_STAYS && conn_is_idle(sse->conn) &&
		   sse_next(sse, out))
		conn_send(sse->conn, out);
}

/* ---- leaving ---- */

/*
 * End the stream after its last words: an error's message, or NULL for none,
 * and when to come back.  Whoever has not been answered yet is answered first,
 * since an EventSource comes back from a stream, but from no other answer.
 */
void
sse_leave(struct sse *sse, const char *last_words, bool may_return, int return_ms)
{
	if (sse->close != SSE_STAYS)
		return;
	if (!sse->is_open)
		sse_open(sse);
	sse->close = SSE_LEAVES;
	sse->last_words = last_words;
	sse->may_return = may_return;
	sse->return_ms = return_ms;
	conn_set_deadline(sse->conn, SSE_CLOSE_MS);
	conn_want_write(sse->conn);
}

/* Only from WRITEABLE, since it ends with what that is to return. */
int
sse_take_leave(struct sse *sse)
{
	struct buf *out = conns_scratch(sse->conn->conns);

	if (sse->close == SSE_LEAVES)
	{
		sse->close = SSE_TOLD;
		buf_reset(out);
		if (sse->owes_head)
			add_head(sse, out);
		if (sse->last_words && !sse->is_head)
			sse_frame_error(out, sse->is_named ? CODE_STREAM_ERROR : NULL, sse->last_words,
							sse->may_return);
		if (!sse->is_head)
			sse_frame_retry(out, sse->return_ms);
		if (out->len > 0)
			conn_send(sse->conn, out);
		if (sse->conn->is_pending || sse->conn->is_doomed)
			return 0;
	}
	if (sse->close == SSE_TOLD)
	{
		sse->close = SSE_GONE;
		return -1;
	}
	return 0;
}

const struct hub_transport sse_transport = {
	.is_idle = sse_is_idle,
	.send = sse_send,
	.owed = sse_owed,
	.refused = sse_refused,
	.state = sse_state,
	.event = sse_event,
	.confirm = sse_confirm,
	.reject = sse_reject,
	.is_greeted = true
};

const struct hub_transport sse_named_transport = {
	.is_idle = sse_is_idle,
	.send = sse_send,
	.owed = sse_owed,
	.refused = sse_refused,
	.state = sse_named_state,
	.event = sse_named_event,
	.confirm = sse_confirm,
	.reject = sse_named_reject,
	.is_greeted = true
};
