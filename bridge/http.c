/*
 * http.c
 *		Plain HTTP: the router and the answers.
 *
 * One callback for every path, and our own table of them: libwebsockets' mounts
 * know no aliases and would upgrade anywhere.  Answers are written by us, header
 * by header, so that each has what every answer must have.  A body is shared
 * by all who are being sent it, and goes out in pieces, one for each WRITEABLE.
 */
#include "http.h"

#include <stdio.h>
#include <string.h>

#include "cable.h"
#include "conn.h"
#include "handshake.h"
#include "log.h"
#include "metrics.h"
#include "parts.h"
#include "ready.h"
#include "www.h"

#define HTTP_PIECE_BYTES	16384
#define HTTP_REPLY_MS		30000
#define HTTP_KEEPALIVE_MS	30000

struct http_answer
{
	int			status;
	const char *type;
	const char *etag;			/* NULL: none */
	struct msg *body;			/* NULL: empty; taken over */
	bool		is_html;
	bool		is_head;		/* the body is not sent, only its length */
	bool		closes;			/* the connection ends with it */
};

static const char *
reason_phrase(int status)
{
	switch (status)
	{
		case 200:
			return "OK";
		case 304:
			return "Not Modified";
		case 400:
			return "Bad Request";
		case 404:
			return "Not Found";
		case 405:
			return "Method Not Allowed";
		case 503:
			return "Service Unavailable";
		default:
			return "Error";
	}
}

static void
write_headers(struct buf *out, const struct http_answer *answer)
{
	buf_reset(out);
	buf_printf(out, "HTTP/1.1 %d %s\r\n", answer->status, reason_phrase(answer->status));
	if (answer->status != 304)
		buf_printf(out, "Content-Type: %s\r\nContent-Length: %zu\r\n", answer->type,
				   answer->body ? answer->body->len : 0);
	if (answer->etag)
		buf_printf(out, "ETag: %s\r\n", answer->etag);
	if (answer->status == 405)
		buf_add_text(out, "Allow: GET, HEAD\r\n");
	if (answer->is_html)
		buf_add_text(out, "Content-Security-Policy: default-src 'self'; "
					 "connect-src 'self' ws: wss:; object-src 'none'; "
					 "base-uri 'none'; form-action 'none'; frame-ancestors 'self'\r\n");
	buf_add_text(out, "Cache-Control: no-cache\r\nReferrer-Policy: no-referrer\r\n"
				 "X-Content-Type-Options: nosniff\r\n");
	if (answer->closes)
		buf_add_text(out, "Connection: close\r\n");
	buf_add_text(out, "\r\n");
}

static int
write_piece(struct lws *wsi, struct buf *piece)
{
	return lws_write(wsi, (unsigned char *) piece->data, piece->len, LWS_WRITE_HTTP) < 0 ?
		-1 : 0;
}

/* The answer is complete: the next request may come on this connection. */
static int
finish(struct conn *conn, struct lws *wsi)
{
	msg_drop(conn->body);
	conn->body = NULL;
	conn->stage = CONN_REQUEST;
	conn_set_deadline(conn, HTTP_KEEPALIVE_MS);
	return lws_http_transaction_completed(wsi) ? -1 : 0;
}

/* Send the next piece of the body; called from WRITEABLE. */
static int
send_more(struct conn *conn, struct lws *wsi)
{
	struct buf *out = conns_scratch(conn->conns);
	size_t		len;

	if (conn->body == NULL)
		return 0;
	if (lws_partial_buffered(wsi))
	{
		lws_callback_on_writable(wsi);
		return 0;
	}
	len = conn->body->len - conn->body_sent;
	if (len > HTTP_PIECE_BYTES)
		len = HTTP_PIECE_BYTES;
	buf_reset(out);
	buf_add(out, conn->body->bytes + conn->body_sent, len);
	conn->body_sent += len;
	if (write_piece(wsi, out) < 0)
		return -1;
	if (conn->body_sent == conn->body->len)
		return finish(conn, wsi);
	lws_callback_on_writable(wsi);
	return 0;
}

/*
 * Begin to answer; what is small goes out whole.  Returns what the callback is
 * to return.
 */
static int
reply(struct conn *conn, struct lws *wsi, const struct http_answer *answer)
{
	struct buf *out = conns_scratch(conn->conns);
	struct msg *body = answer->body;

	write_headers(out, answer);
	if (answer->is_head || body == NULL || body->len <= HTTP_PIECE_BYTES)
	{
		if (body && !answer->is_head)
			buf_add(out, body->bytes, body->len);
		msg_drop(body);
		if (write_piece(wsi, out) < 0 || answer->closes)
			return -1;
		return finish(conn, wsi);
	}
	conn->body = body;
	conn->body_sent = 0;
	conn->stage = CONN_REPLY;
	conn_set_deadline(conn, HTTP_REPLY_MS);
	if (write_piece(wsi, out) < 0)
		return -1;
	lws_callback_on_writable(wsi);
	return 0;
}

static int
reply_text(struct conn *conn, struct lws *wsi, int status, const char *text,
		   bool is_head, bool closes)
{
	struct http_answer answer = {
		.status = status,
		.type = "text/plain; charset=utf-8",
		.body = msg_create(text, strlen(text)),
		.is_head = is_head,
		.closes = closes
	};

	return reply(conn, wsi, &answer);
}

/* ---- the router ---- */

static int
serve_ready(struct conn *conn, struct lws *wsi, bool is_head)
{
	const char *why;
	char		said[600];

	if (ready_check(conns_bridge(conn->conns), &why))
		return reply_text(conn, wsi, 200, "ready\n", is_head, false);
	snprintf(said, sizeof(said), "not ready: %s\n", why);
	return reply_text(conn, wsi, 503, said, is_head, false);
}

static int
serve_metrics(struct conn *conn, struct lws *wsi, bool is_head)
{
	struct buf text = {0};
	struct http_answer answer = {
		.status = 200,
		.type = "text/plain; version=0.0.4; charset=utf-8",
		.is_head = is_head
	};

	metrics_write(&text);
	answer.body = msg_create(text.data, text.len);
	buf_free(&text);
	return reply(conn, wsi, &answer);
}

static int
serve_file(struct conn *conn, struct lws *wsi, const char *path, bool is_head)
{
	struct www *www = conns_bridge(conn->conns)->www;
	struct www_file file;
	struct http_answer answer = {.status = 200, .is_head = is_head};
	char		known[128];

	if (www == NULL || !www_get(www, path, &file))
		return reply_text(conn, wsi, 404, "Page not found\n", is_head, false);
	if (lws_hdr_copy(wsi, known, sizeof(known), WSI_TOKEN_HTTP_IF_NONE_MATCH) > 0 &&
		strcmp(known, file.etag) == 0)
	{
		msg_drop(file.body);
		file.body = NULL;
		answer.status = 304;
	}
	answer.type = file.type;
	answer.etag = file.etag;
	answer.body = file.body;
	answer.is_html = file.is_html;
	return reply(conn, wsi, &answer);
}

static int
serve(struct conn *conn, struct lws *wsi)
{
	char	   *uri;
	int			uri_len;
	int			method = lws_http_get_uri_and_method(wsi, &uri, &uri_len);
	bool		is_head = method == LWSHUMETH_HEAD;
	char		path[1024];

	conn_set_deadline(conn, HTTP_REPLY_MS);
	if (method != LWSHUMETH_GET && !is_head)
		return reply_text(conn, wsi, 405, "Only GET and HEAD\n", false, true);
	if (uri_len <= 0 || (size_t) uri_len >= sizeof(path) ||
		memchr(uri, '\0', (size_t) uri_len) != NULL)
		return reply_text(conn, wsi, 404, "Page not found\n", is_head, false);
	memcpy(path, uri, (size_t) uri_len);
	path[uri_len] = '\0';

	if (strcmp(path, "/healthz") == 0)
		return reply_text(conn, wsi, 200, "ok\n", is_head, false);
	if (strcmp(path, "/readyz") == 0)
		return serve_ready(conn, wsi, is_head);
	if (strcmp(path, "/metrics") == 0)
		return serve_metrics(conn, wsi, is_head);
	return serve_file(conn, wsi, path, is_head);
}

/*
 * May this request become a WebSocket?  0: yes; more: it has been answered; less:
 * hang up.
 */
static int
check_upgrade(struct conn *conn, struct lws *wsi)
{
	const struct handshake_refusal *refusal;
	char		upgrade[32] = "";

	/*
	 * For an upgrade to something unknown libwebsockets answers 403, gives
	 * the headers back, and asks here all the same: "in" may dangle by then.
	 */
	if (lws_hdr_total_length(wsi, WSI_TOKEN_UPGRADE) == 0)
		return -1;
	if (lws_hdr_copy(wsi, upgrade, sizeof(upgrade), WSI_TOKEN_UPGRADE) < 0)
		return -1;
	if (strcasecmp(upgrade, "websocket") != 0)
	{
		/*
		 * HTTP clients that try HTTP/2 ask for h2c, some without being told
		 * to.
		 */
		reply_text(conn, wsi, 400, "Ask over HTTP/1.1, without Upgrade\n", false, true);
		return -1;
	}
	refusal = handshake_check(conn, wsi);
	if (refusal == NULL)
		return 0;
	reply_text(conn, wsi, refusal->status, refusal->text, false, true);
	return -1;
}

int
http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
			  void *in, size_t len)
{
	struct conn *conn;

	switch (reason)
	{
		case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
			conn = conn_of(wsi);
			return conn ? check_upgrade(conn, wsi) : -1;

		case LWS_CALLBACK_ESTABLISHED:
		case LWS_CALLBACK_RECEIVE:
		case LWS_CALLBACK_SERVER_WRITEABLE:
		case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		case LWS_CALLBACK_CLOSED:
			/* A WebSocket for which no subprotocol was offered stays here. */
			return cable_callback(wsi, reason, user, in, len);

		case LWS_CALLBACK_HTTP:
			conn = conn_of(wsi);
			return conn ? serve(conn, wsi) : -1;

		case LWS_CALLBACK_HTTP_WRITEABLE:
			conn = conn_of(wsi);
			return conn ? send_more(conn, wsi) : -1;

		case LWS_CALLBACK_WSI_DESTROY:
			conn = conn_of(wsi);
			if (conn)
				conn_destroyed(conn);
			return 0;

		default:
			return 0;
	}
}
