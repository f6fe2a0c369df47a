/*
 * reply.c
 *		Answers to HTTP requests.
 *
 * Headers are written by us, one by one, so that each answer has what every
 * answer must have.  A body is shared by all who are being sent it, and goes
 * out in pieces, one for each WRITEABLE.
 *
 * Every answer waits for WRITEABLE: libwebsockets 4.1.6 begins the next request
 * of a connection only safely from there, and only there can be told whether it
 * came too early (check_pipeline()).
 *
 * Who is answered before having sent the whole body is not hung up on at once:
 * the kernel would answer the rest of it with a reset, which can take the
 * answer away from its reader.  What still comes is thrown away for a while.
 */
#include "reply.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "config.h"
#include "conn.h"
#include "gzip.h"
#include "metrics.h"
#include "parts.h"
#include "request.h"

#define REPLY_PIECE_BYTES	16384
#define REPLY_SLOWEST_BYTES	64	/* a millisecond, that a large body may take */
#define REPLY_PACK_MAX		(512 * 1024)
#define REPLY_LINGER_MS		2000

static const char *
reason_phrase(int status)
{
	static const struct
	{
		int			status;
		const char *phrase;
	}			phrases[] = {
		{200, "OK"}, {202, "Accepted"}, {204, "No Content"}, {304, "Not Modified"},
		{400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"},
		{404, "Not Found"}, {405, "Method Not Allowed"}, {409, "Conflict"},
		{411, "Length Required"}, {413, "Content Too Large"}, {414, "URI Too Long"},
		{415, "Unsupported Media Type"}, {422, "Unprocessable Content"},
		{429, "Too Many Requests"}, {500, "Internal Server Error"},
		{501, "Not Implemented"}, {503, "Service Unavailable"}
	};

	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (phrases[i].status == status)
			return phrases[i].phrase;
	return "Error";
}

/* ---- headers ---- */

static void
begin(struct buf *out, int status)
{
	buf_reset(out);
	buf_printf(out, "HTTP/1.1 %d %s\r\nReferrer-Policy: no-referrer\r\n"
			   "X-Content-Type-Options: nosniff\r\n", status, reason_phrase(status));
}

/*
 * To pages of other origins a browser gives an answer only if it says that they
 * may have it.  Who is not allowed is told nothing.  Where one origin may and
 * another may not, no cache may give the answer of one to the other.
 */
static void
write_origin(struct buf *out, const struct request *request)
{
	if (!request->is_own_page)
		return;
	buf_printf(out, "Access-Control-Allow-Origin: %s\r\n"
			   "Access-Control-Expose-Headers: ETag, Retry-After\r\n",
			   request->headers[REQUEST_ORIGIN]);
	if (request->is_named_page)
		buf_add_text(out, "Access-Control-Allow-Credentials: true\r\n");
}

void
reply_begin(struct buf *out, const struct request *request, int status, const char *type)
{
	begin(out, status);
	buf_printf(out, "Content-Type: %s\r\nVary: Origin\r\n", type);
	write_origin(out, request);
}

static void
write_head(struct buf *out, const struct request *request, const struct reply *reply)
{
	begin(out, reply->status);
	if (reply->status != 304 && reply->status != 204)
		buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", reply->type,
				   reply->body ? reply->body->len : 0);
	buf_printf(out, "Vary: Origin%s\r\n", reply->may_pack ? ", Accept-Encoding" : "");
	if (reply->is_packed && reply->status != 304)
		buf_add_text(out, "Content-Encoding: gzip\r\n");
	write_origin(out, request);

	/* The same content in other bytes: that is what a weak ETag is for. */
	if (reply->etag)
		buf_printf(out, "ETag: %s%s\r\n", reply->is_packed ? "W/" : "", reply->etag);
	if (reply->status == 401)
		buf_add_text(out, "WWW-Authenticate: Bearer\r\n");
	if (reply->retry_after_s)
		buf_printf(out, "Retry-After: %d\r\n", reply->retry_after_s);
	if (reply->is_html)
		buf_add_text(out, "Content-Security-Policy: default-src 'self'; "
					 "connect-src 'self' ws: wss:; object-src 'none'; "
					 "base-uri 'none'; form-action 'none'; frame-ancestors 'self'\r\n");
	if (reply->more)
		buf_add_text(out, reply->more);
	buf_add_text(out, "Cache-Control: no-cache\r\n");
	if (reply->closes)
		buf_add_text(out, "Connection: close\r\n");
	buf_add_text(out, "\r\n");
}

/* ---- sending ---- */

/* The answer is complete: the next request may come on this connection. */
static int
finish(struct conn *conn)
{
	msg_drop(conn->head);
	msg_drop(conn->body);
	conn->head = conn->body = NULL;
	conn_unwatch_input(conn);
	conn->closes |= conns_bridge(conn->conns)->is_stopping;
	if (conn->closes && !conn->is_body_owed)
		return -1;
	if (conn->closes)
	{
		conn->stage = CONN_LINGER;
		conn_set_deadline(conn, REPLY_LINGER_MS);
		shutdown(lws_get_socket_fd(conn->wsi), SHUT_WR);
		return conn->is_body_read ? 0 : conn_throw_away_input(conn);
	}
	conn->stage = CONN_REQUEST;
	conn->is_kept = true;
	conn_set_deadline(conn, conns_bridge(conn->conns)->config->keepalive_timeout_ms);
	return lws_http_transaction_completed(conn->wsi) ? -1 : 0;
}

/*
 * Was the next request read already?  Then it may have no body, see http.c.
 * Over TLS nobody knows that for sure while a large body is on its way to
 * anybody's connection, so the next one is asked to come on another.  "head" is
 * what is sent first.
 */
static void
check_pipeline(struct conn *conn, struct buf *head)
{
	enum conn_held held = conn_held_input(conn);

	conn->is_pipelined = held != CONN_HOLDS_NOTHING;
	if (held != CONN_MAY_HOLD_INPUT || !lws_is_ssl(conn->wsi) || conn->closes)
		return;
	conn->closes = true;
	head->len -= 2;				/* the empty line */
	buf_add_text(head, "Connection: close\r\n\r\n");
}

/*
 * Send what is to be sent next; only inside a callback for this connection.
 */
int
reply_more(struct conn *conn)
{
	struct buf *out = conns_scratch(conn->conns);
	size_t		len = conn->body ? conn->body->len - conn->body_sent : 0;

	if (lws_partial_buffered(conn->wsi))
	{
		lws_callback_on_writable(conn->wsi);
		return 0;
	}
	if (conn->head == NULL && len == 0)
		return finish(conn);

	buf_reset(out);
	if (conn->head)
	{
		buf_add(out, conn->head->bytes, conn->head->len);
		check_pipeline(conn, out);
	}
	msg_drop(conn->head);
	conn->head = NULL;
	if (len > REPLY_PIECE_BYTES)
		len = REPLY_PIECE_BYTES;
	if (len > 0)
		buf_add(out, conn->body->bytes + conn->body_sent, len);
	conn->body_sent += len;
	if (lws_write(conn->wsi, (unsigned char *) out->data, out->len, LWS_WRITE_HTTP) < 0)
		return -1;
	if (!lws_partial_buffered(conn->wsi) &&
		(conn->body == NULL || conn->body_sent == conn->body->len))
		return finish(conn);

	/* It takes its time: see to it that its end is noticed meanwhile. */
	conn_await_room(conn);
	return 0;
}

/* Compress the body, if that is worth it and its reader can read it. */
static void
pack(const struct request *request, struct reply *reply)
{
	struct msg *packed;

	if (reply->may_pack || reply->body == NULL || reply->body->len < GZIP_LEAST_BYTES ||
		reply->body->len > REPLY_PACK_MAX || !gzip_fits(reply->type))
		return;
	reply->may_pack = true;
	if (!gzip_is_accepted(request->headers[REQUEST_ACCEPT_ENCODING]))
		return;
	packed = gzip_pack(reply->body->bytes, reply->body->len);
	if (packed == NULL)
		return;
	msg_drop(reply->body);
	reply->body = packed;
	reply->is_packed = true;
}

int
reply_send(struct request *request, const struct reply *reply)
{
	struct conn *conn = request->conn;
	struct reply whole = *reply;
	struct buf	head = {0};

	/* What libwebsockets takes for a body has no end that it would know. */
	conn->is_body_owed = conn->stage == CONN_BODY || conn->is_input_lost;
	conn->is_body_read = request->body_length > 0 || request->method == METHOD_POST ||
		request->method == METHOD_PUT || request->method == METHOD_PATCH;
	if (whole.type == NULL)
		whole.type = "text/plain; charset=utf-8";
	pack(request, &whole);
	whole.closes |= request_bridge(request)->is_stopping;
	whole.closes |= conn->is_body_owed || request->body_kind == BODY_ENDLESS;
	metric_count(whole.status < 400 ? METRIC_REQUESTS_OK :
				 whole.status < 500 ? METRIC_REQUESTS_REFUSED : METRIC_REQUESTS_FAILED);
	write_head(&head, request, &whole);
	conn->head = msg_create(head.data, head.len);
	buf_free(&head);
	conn->body = whole.body;
	if (request->is_head)
	{
		msg_drop(conn->body);
		conn->body = NULL;
	}
	conn->body_sent = 0;
	conn->closes = whole.closes;
	conn->stage = CONN_REPLY;
	request_free(request);
	conn_set_deadline(conn, conns_bridge(conn->conns)->config->reply_timeout_ms +
					  (conn->body ? (int64_t) conn->body->len / REPLY_SLOWEST_BYTES : 0));
	conn_await_turn(conn);
	return 0;
}

/* ---- forms of answers ---- */

int
reply_text(struct request *request, int status, const char *text)
{
	struct reply reply = {.status = status, .body = msg_create(text, strlen(text))};

	return reply_send(request, &reply);
}

int
reply_json(struct request *request, int status, const struct buf *json)
{
	struct reply reply = {
		.status = status,
		.type = "application/json",
		.body = msg_create(json->data, json->len)
	};

	return reply_send(request, &reply);
}

/* An error for programs, with what to do about it for people ("hint", or NULL). */
int
reply_busy(struct request *request, int status, int retry_after_s, const char *error,
		   const char *hint)
{
	struct buf	json = {0};
	struct reply reply = {
		.status = status,
		.type = "application/json",
		.retry_after_s = retry_after_s
	};

	buf_add_text(&json, "{\"error\":");
	buf_add_json_string(&json, error, strlen(error));
	if (hint)
	{
		buf_add_text(&json, ",\"hint\":");
		buf_add_json_string(&json, hint, strlen(hint));
	}
	buf_add_text(&json, "}\n");
	reply.body = msg_create(json.data, json.len);
	buf_free(&json);
	return reply_send(request, &reply);
}

int
reply_error(struct request *request, int status, const char *error, const char *hint)
{
	return reply_busy(request, status, 0, error, hint);
}

/* Unknown and forbidden are not told apart. */
int
reply_not_found(struct request *request)
{
	return reply_error(request, 404, "not found",
					   "There is no such session, or the token does not allow to see it.");
}

/* Weak and strong ones are compared alike, as RFC 9110 has it for this header. */
bool
reply_has_etag(const char *known, const char *etag)
{
	size_t		len = strlen(etag);

	while (*known)
	{
		size_t		item_len;

		known += strspn(known, ", \t");
		if (strncmp(known, "W/", 2) == 0)
			known += 2;
		item_len = strcspn(known, ", \t");
		if ((item_len == len && strncmp(known, etag, len) == 0) ||
			(item_len == 1 && *known == '*'))
			return true;
		known += item_len;
	}
	return false;
}

void
reply_refuse(struct conn *conn, struct lws *wsi, int status, int retry_after_s,
			 const char *text)
{
	struct buf *out = conns_scratch(conn->conns);

	metric_count(METRIC_REQUESTS_REFUSED);
	begin(out, status);
	if (retry_after_s)
		buf_printf(out, "Retry-After: %d\r\n", retry_after_s);
	buf_printf(out, "Content-Type: text/plain; charset=utf-8\r\nContent-Length: %zu\r\n"
			   "Cache-Control: no-cache\r\nConnection: close\r\n\r\n%s", strlen(text), text);
	if (lws_write(wsi, (unsigned char *) out->data, out->len, LWS_WRITE_HTTP) < 0)
		conn_doom(conn);
}
