/*
 * dashboard.c
 *		The operators' page, and what feeds it.
 *
 * The page is static; what it shows comes as server-sent events, one each second,
 * built once for all who look.  Who has not taken the one before is passed over.
 * Their number is bounded, since each costs a connection of those that clients
 * need, and nobody needs many.
 *
 * An answer begins with the next tick and not at once: until then it is found out
 * whether more came together with the request (input.c), which ends it.
 *
 * Who may look is decided by the door (route.h): who comes in by admin_listen, or
 * everybody where there is none, as with /metrics.
 */
#include "dashboard.h"

#include <libwebsockets.h>
#include <stdlib.h>

#include "conn.h"
#include "dashboard_json.h"
#include "gzip.h"
#include "history.h"
#include "metrics.h"
#include "page.h"
#include "parts.h"
#include "reply.h"
#include "request.h"
#include "sse_frame.h"

#define DASHBOARDS_MAX		16	/* of each worker */
#define DASHBOARD_RETRY_MS	2000
#define DASHBOARD_FULL_S	10

#define DASHBOARD_POLICY \
	"Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; " \
	"connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; " \
	"frame-ancestors 'none'\r\n"

struct watcher
{
	struct dashboards *dashboards;
	struct conn *conn;
	struct msg *head;			/* until it is written */
	struct watcher *prev;
	struct watcher *next;
};

struct dashboards
{
	struct bridge *bridge;
	struct watcher *first;
	int			count;
	struct buf	json;
	struct buf	frame;
};

struct dashboards *
dashboards_create(struct bridge *bridge)
{
	struct dashboards *dashboards = mem_zalloc(sizeof(*dashboards));

	dashboards->bridge = bridge;
	return dashboards;
}

/* All connections must be gone. */
void
dashboards_free(struct dashboards *dashboards)
{
	buf_free(&dashboards->json);
	buf_free(&dashboards->frame);
	free(dashboards);
}

/* ---- the page ---- */

int
dashboard_page(struct request *request)
{
	const struct page_file *file = page_get(request->path);
	const char *known = request->headers[REQUEST_IF_NONE_MATCH];
	struct reply reply = {.status = 200, .more = DASHBOARD_POLICY};

	if (file == NULL)
		return reply_text(request, 404, "Page not found\n");
	reply.type = file->type;
	reply.etag = file->etag;
	reply.may_pack = file->packed != NULL;
	reply.is_packed = file->packed && gzip_is_accepted(request->headers[REQUEST_ACCEPT_ENCODING]);
	if (known && reply_has_etag(known, file->etag))
		reply.status = 304;
	else
		reply.body = msg_hold(reply.is_packed ? file->packed : file->body);
	return reply_send(request, &reply);
}

/* ---- a watcher ---- */

static void
watcher_free(void *client)
{
	struct watcher *watcher = client;
	struct dashboards *dashboards = watcher->dashboards;

	if (watcher->prev)
		watcher->prev->next = watcher->next;
	else
		dashboards->first = watcher->next;
	if (watcher->next)
		watcher->next->prev = watcher->prev;
	dashboards->count--;
	metric_add(METRIC_DASHBOARDS, -1);
	msg_drop(watcher->head);
	free(watcher);
}

static int64_t
watcher_due_ms(const void *client)
{
	(void) client;
	return 0;
}

static bool
watcher_on_deadline(void *client)
{
	(void) client;
	return false;
}

static void
watcher_on_time(void *client, int64_t now_ms)
{
	(void) client;
	(void) now_ms;
}

/* The bridge stops: the page comes back by itself. */
static void
watcher_restart(void *client)
{
	conn_doom(((struct watcher *) client)->conn);
}

/* If nothing was being written, more came with the request than that. */
static int
watcher_writeable(struct conn *conn)
{
	bool		was_pending = conn->is_pending;

	conn_set_pending(conn, lws_partial_buffered(conn->wsi));
	return was_pending || conn->is_doomed ? 0 : -1;
}

static const struct conn_client_ops watcher_ops = {
	.free = watcher_free,
	.due_ms = watcher_due_ms,
	.on_deadline = watcher_on_deadline,
	.on_time = watcher_on_time,
	.writeable = watcher_writeable,
	.restart = watcher_restart
};

static struct msg *
write_head(struct request *request)
{
	struct buf	head = {0};
	struct msg *msg;

	reply_begin(&head, request, 200, "text/event-stream");
	buf_add_text(&head, "Cache-Control: no-cache, no-transform\r\nX-Accel-Buffering: no\r\n"
				 "Connection: keep-alive\r\n\r\n");
	sse_frame_retry(&head, DASHBOARD_RETRY_MS);
	msg = msg_create(head.data, head.len);
	buf_free(&head);
	return msg;
}

/* Serve the events.  The connection is the watcher's from here on. */
int
dashboard_events(struct request *request)
{
	struct dashboards *dashboards = request_bridge(request)->dashboards;
	struct conn *conn = request->conn;
	struct watcher *watcher;

	if (request->is_head)
		return reply_text(request, 200, "");
	if (dashboards->bridge->is_stopping && !conn->is_admin)
		return reply_busy(request, 503, DASHBOARD_FULL_S, "the bridge is stopping", "It comes back by itself.");
	if (dashboards->count >= DASHBOARDS_MAX)
		return reply_busy(request, 503, DASHBOARD_FULL_S, "the dashboard is being watched by many",
						  "Close it somewhere else; it comes back by itself.");
	watcher = mem_zalloc(sizeof(*watcher));
	watcher->dashboards = dashboards;
	watcher->conn = conn;
	watcher->head = write_head(request);
	watcher->next = dashboards->first;
	if (dashboards->first)
		dashboards->first->prev = watcher;
	dashboards->first = watcher;
	dashboards->count++;
	metric_count(METRIC_DASHBOARDS);

	request_take(request);
	request_free(request);
	conn_set_client(conn, &watcher_ops, watcher);
	conn->stage = CONN_STREAM;
	lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
	lws_http_headers_detach(conn->wsi);
	conn_watch_input(conn);
	conn_set_deadline(conn, 0);
	return 0;
}

/* ---- what they are told ---- */

static void
build(struct dashboards *dashboards)
{
	buf_reset(&dashboards->json);
	dashboard_json(dashboards->bridge, &dashboards->json);
}

static void
begin_watcher(struct watcher *watcher)
{
	struct dashboards *dashboards = watcher->dashboards;
	struct buf *out = conns_scratch(watcher->conn->conns);
	struct buf	history = {0};

	history_write_all(dashboards->bridge->history, &history);
	buf_reset(out);
	buf_add(out, watcher->head->bytes, watcher->head->len);
	sse_frame_message(out, "history", 0, history.data, history.len);
	sse_frame_message(out, "now", 0, dashboards->json.data, dashboards->json.len);
	buf_free(&history);
	msg_drop(watcher->head);
	watcher->head = NULL;
	conn_write(watcher->conn, out);
}

/* Ten times a second: whoever has come gets what there is. */
void
dashboards_tick(struct dashboards *dashboards)
{
	bool		is_built = false;

	for (struct watcher *watcher = dashboards->first; watcher; watcher = watcher->next)
	{
		if (watcher->head == NULL || !conn_is_idle(watcher->conn))
			continue;
		if (!is_built)
			build(dashboards);
		is_built = true;
		begin_watcher(watcher);
	}
}

/* Once a second: tell all. */
void
dashboards_second(struct dashboards *dashboards)
{
	if (dashboards->count == 0)
		return;
	build(dashboards);
	buf_reset(&dashboards->frame);
	sse_frame_message(&dashboards->frame, "now", 0, dashboards->json.data, dashboards->json.len);
	for (struct watcher *watcher = dashboards->first; watcher; watcher = watcher->next)
		if (watcher->head == NULL && conn_is_idle(watcher->conn))
			conn_write(watcher->conn, &dashboards->frame);
}
