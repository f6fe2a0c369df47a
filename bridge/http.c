/*
 * http.c
 *		HTTP: the table of what is served, and the way of a request to it.
 *
 * One callback of libwebsockets for every path: its own mounts know no aliases
 * and would upgrade anywhere.  The way is: headers complete, route found, body
 * complete, known who asks, served.  Whatever is wrong on it ends in an answer.
 */
#include "http.h"

#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cable.h"
#include "conn.h"
#include "dashboard.h"
#include "gzip.h"
#include "handshake.h"
#include "http_calls.h"
#include "metrics.h"
#include "parts.h"
#include "process.h"
#include "ready.h"
#include "reply.h"
#include "request.h"
#include "route.h"
#include "second.h"
#include "snapshot.h"
#include "sse.h"
#include "tls.h"
#include "who.h"
#include "www.h"

/* ---- small ones ---- */

static int
serve_health(struct request *request)
{
	return reply_text(request, 200, "ok\n");
}

static int
serve_ready(struct request *request)
{
	const char *why;
	char		said[600];
	bool		is_ready = ready_check(request_bridge(request), &why);

	if (is_ready)
		why = ready_note(request_bridge(request));
	snprintf(said, sizeof(said), "%s%s%s\n", is_ready ? "ready" : "not ready", why[0] ? ": " : "", why);
	return reply_text(request, is_ready ? 200 : 503, said);
}

static int
serve_metrics(struct request *request)
{
	struct buf text = {0};
	struct reply reply = {.status = 200, .type = "text/plain; version=0.0.4; charset=utf-8"};

	second_write(request_bridge(request), &text);
	processes_write(&text);
	reply.body = msg_create(text.data, text.len);
	buf_free(&text);
	return reply_send(request, &reply);
}

static int
serve_file(struct request *request)
{
	struct www *www = request_bridge(request)->www;
	const char *known = request->headers[REQUEST_IF_NONE_MATCH];
	struct www_file file;
	struct reply reply = {.status = 200};

	if (www == NULL || !www_get(www, request->path, &file))
		return reply_text(request, 404, "Page not found\n");
	reply.type = file.type;
	reply.etag = file.etag;
	reply.is_html = file.is_html;
	reply.is_packed = gzip_is_accepted(request->headers[REQUEST_ACCEPT_ENCODING]) && file.packed;
	reply.may_pack = file.packed != NULL;
	if (known && reply_has_etag(known, file.etag))
		reply.status = 304;
	else
		reply.body = msg_hold(reply.is_packed ? file.packed : file.body);
	www_file_drop(&file);
	return reply_send(request, &reply);
}

/* ---- the table ---- */

static const struct route table[] = {
	{METHOD_GET, "/healthz", serve_health, GUARD_NONE, DOOR_BOTH},
	{METHOD_GET, "/readyz", serve_ready, GUARD_NONE, DOOR_ADMIN},
	{METHOD_GET, "/metrics", serve_metrics, GUARD_NONE, DOOR_ADMIN},
	{METHOD_GET, "/dashboard", dashboard_page, GUARD_NONE, DOOR_ADMIN},
	{METHOD_GET, "/dashboard/events", dashboard_events, GUARD_NONE, DOOR_ADMIN},
	{METHOD_GET, "/dashboard/:id", dashboard_page, GUARD_NONE, DOOR_ADMIN},
	{METHOD_GET, "/events/owner", sse_serve, GUARD_STREAM, DOOR_PUBLIC},
	{METHOD_GET, "/events/:channel/:id", sse_serve, GUARD_STREAM, DOOR_PUBLIC},
	{METHOD_GET, "/snapshots/:channel/:id", serve_snapshot, GUARD_CLAIMS, DOOR_PUBLIC},
	{METHOD_GET, "/sessions", serve_sessions, GUARD_CLAIMS, DOOR_PUBLIC},
	{METHOD_GET, "/sessions/:channel/:id", serve_sessions_of, GUARD_CLAIMS, DOOR_PUBLIC},
	{METHOD_POST, "/sessions/:channel/:id/:action", serve_action, GUARD_CLAIMS, DOOR_PUBLIC},
	{METHOD_POST, "/callbacks/progress", serve_report, GUARD_CALLBACK, DOOR_PUBLIC},
};

/* What no row of the table takes. */
static const struct route files = {METHOD_GET, "/", serve_file, GUARD_NONE, DOOR_PUBLIC};

/* What is served, with the configuration's own paths; NULL: "error" says why. */
struct routes *
http_routes_create(const struct config *config, char *error, size_t error_size)
{
	struct routes *routes = routes_create(table, sizeof(table) / sizeof(table[0]));

	for (int i = 0; i < config->route.count; i++)
		if (!routes_add_alias(routes, config->route.items[i], error, error_size))
		{
			routes_free(routes);
			return NULL;
		}
	return routes;
}

/* What is wrong with the paths of the configuration, or NULL. */
const char *
http_check(const struct config *config)
{
	static char problem[512];
	struct routes *routes = http_routes_create(config, problem, sizeof(problem));

	if (routes == NULL)
		return problem;
	routes_free(routes);
	return NULL;
}

/* ---- the way of a request ---- */

static void
write_methods(struct buf *out, const char *header, unsigned methods)
{
	buf_printf(out, "%s: OPTIONS", header);
	for (int i = 0; i < ROUTE_METHODS; i++)
		if (methods & (1u << i))
			buf_printf(out, ", %s%s", route_method_name(i), i == METHOD_GET ? ", HEAD" : "");
	buf_add_text(out, "\r\n");
}

/*
 * Which methods are there?  A browser asks so before a page of another origin may
 * send more than a plain form could.
 */
static int
answer_methods(struct request *request, unsigned methods)
{
	struct buf	more = {0};
	struct reply reply = {.status = request->method == METHOD_OPTIONS ? 204 : 405};
	int			result;

	write_methods(&more, "Allow", methods);
	if (reply.status == 405)
		reply.body = msg_create("Method not allowed\n", 19);
	else if (request->is_own_page)
	{
		write_methods(&more, "Access-Control-Allow-Methods", methods);
		buf_add_text(&more, "Access-Control-Allow-Headers: Authorization, Content-Type, "
					 "X-Callback-Token, If-None-Match, Last-Event-ID, X-CSRF-Token\r\n"
					 "Access-Control-Max-Age: 600\r\n");
	}
	reply.more = more.data;
	result = reply_send(request, &reply);
	buf_free(&more);
	return result;
}

/* What is for administrators is not served where everybody comes in, if it need not. */
static bool
is_right_door(const struct request *request, const struct route *route)
{
	if (request->conn->is_admin)
		return route->door != DOOR_PUBLIC;
	return route->door != DOOR_ADMIN ||
		request_bridge(request)->config->admin_listen.count == 0;
}

/* Those of these methods of the path that are served where the request came in. */
static unsigned
methods_at_door(const struct request *request, unsigned methods)
{
	for (int i = 0; i < ROUTE_METHODS; i++)
	{
		struct route_match match;

		if (!(methods & (1u << i)))
			continue;
		routes_match(request_bridge(request)->routes, i, request->path, &match);
		if (match.route == NULL || !is_right_door(request, match.route))
			methods &= ~(1u << i);
		for (int param = 0; param < ROUTE_PARAMS; param++)
			free(match.params[param]);
	}
	return methods;
}

/* Find the route.  False: it has been answered, with "result". */
static bool
find_route(struct request *request, int *result)
{
	struct bridge *bridge = request_bridge(request);
	struct route_match match;
	struct www_file file;

	routes_match(bridge->routes, request->method, request->path, &match);
	memcpy(request->params, match.params, sizeof(request->params));
	if (match.route == NULL && match.methods == 0 && request->method == METHOD_GET)
		match.route = &files;
	if (match.route ? !is_right_door(request, match.route) : request->conn->is_admin)
		match.methods = 0;
	else if (match.route)
	{
		request->route = match.route;
		return true;
	}
	match.methods = methods_at_door(request, match.methods);
	if (match.methods == 0 && request->method != METHOD_GET && bridge->www &&
		!request->conn->is_admin &&
		www_get(bridge->www, request->path, &file))
	{
		www_file_drop(&file);
		match.methods = 1u << METHOD_GET;
	}
	*result = match.methods ? answer_methods(request, match.methods) :
		reply_text(request, 404, "Page not found\n");
	return false;
}

/* Whatever is wrong with a body can be said before it comes. */
static int
refuse_body(struct request *request, const char *why)
{
	bool		is_chunked = strstr(why, "chunks") != NULL;

	return reply_error(request, is_chunked ? 411 : 400, why, NULL);
}

/*
 * Must a request with a body be refused, for it was sent before the answer to
 * the one before?  Of what it has put away libwebsockets 4.1.6 would take the
 * headers for the body, and then turn in one loop for ever.  It can only be hung
 * up on: once its body is looked for, there is no way out of that loop.
 */
static bool
is_pipelined_body(struct conn *conn, const struct request *request)
{
	return request->body_kind != BODY_NONE && conn->is_pipelined &&
		conn_held_input(conn) != CONN_HOLDS_NOTHING;
}

/* The headers are there. */
static int
begin(struct conn *conn)
{
	const char *why;
	struct request *request;
	size_t		body_max;
	int			result;

	if (!who_asks(conn, conn->wsi))
	{
		reply_refuse(conn, conn->wsi, 429, 5, "Too many connections from this address\n");
		return -1;
	}
	request = request_create(conn, conn->wsi, &why);
	conn->stage = CONN_BODY;
	conn_set_deadline(conn, conns_bridge(conn->conns)->config->handshake_timeout_ms);
	if (request == NULL)
	{
		reply_refuse(conn, conn->wsi, 404, 0, "Page not found\n");
		return -1;
	}
	if (is_pipelined_body(conn, request))
	{
		reply_refuse(conn, conn->wsi, 503, 1, "Send a body when the request before is "
					 "answered, or on another connection\n");
		return -1;
	}
	if (request->body_kind == BODY_NONE ||
		(request->body_kind == BODY_ENDLESS && why == NULL))
		conn->stage = CONN_REQUEST; /* nothing to be waited for */
	if (why)
		return refuse_body(request, why);
	if (!find_route(request, &result))
		return result;
	body_max = request->method == METHOD_GET ? 0 :
		(size_t) request_bridge(request)->config->body_bytes;
	if (request->body_length > body_max)
	{
		if (body_max == 0)
			return reply_error(request, 400, "a GET has no body", NULL);
		metric_count(METRIC_REFUSED_BODY_SIZE);
		return reply_error(request, 413, "the body is too large",
						   "body_bytes says how large it may be.");
	}
	return request->body_kind == BODY_COMES ? 0 : identify(request);
}

/*
 * The body is there.  libwebsockets says so again when more comes while the
 * answer is awaited, which nothing sound sends.
 */
static int
end_body(struct conn *conn)
{
	struct request *request = request_of(conn);

	if (request && conn->stage == CONN_BODY)
	{
		conn->stage = CONN_REQUEST;
		return identify(request);
	}
	if (conn->stage == CONN_REPLY)
	{
		conn->is_body_owed = false;
		return 0;
	}
	return conn->stage == CONN_WAIT || conn->stage == CONN_LINGER ? -1 : 0;
}

/*
 * libwebsockets 4.3.5 forgets how long a body is if more came along with its
 * end: it hands out that, too, which it does not take back, and never says that
 * the body is there.  So its end is looked for here, and the connection ends with
 * the answer, for what came behind it is lost.
 */
static int
take_body(struct conn *conn, const char *bytes, size_t len)
{
	struct request *request = request_of(conn);
	size_t		left;

	/* Of what has been answered already the rest is thrown away. */
	if (request == NULL || conn->stage != CONN_BODY || len == 0)
		return 0;
	left = request->body_length - request->body.len;
	buf_add(&request->body, bytes, len < left ? len : left);
	if (len <= left)
		return 0;
	conn->is_input_lost = true;
	return end_body(conn);
}

static int
write_on(struct conn *conn)
{
	switch (conn->stage)
	{
		case CONN_REPLY:
			return reply_more(conn);
		case CONN_STREAM:
			return conn->ops ? conn->ops->writeable(conn) : 0;
		case CONN_WAIT:
			/* Who has nothing to write: see conn_watch_input(). */
			return request_of(conn) && request_of(conn)->resume ?
				request_of(conn)->resume(request_of(conn)) : -1;
		default:
			return 0;
	}
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
		reply_refuse(conn, wsi, 400, 0, "Ask over HTTP/1.1, without Upgrade\n");
		return -1;
	}
	if (conn->is_admin)
	{
		reply_refuse(conn, wsi, 404, 0, "Page not found\n");
		return -1;
	}
	refusal = handshake_check(conn, wsi);
	if (refusal == NULL)
		return 0;
	reply_refuse(conn, wsi, refusal->status, refusal->retry_after_s, refusal->text);
	return -1;
}

/* What happens to a connection that is there. */
static int
happen(struct conn *conn, enum lws_callback_reasons reason, void *in, size_t len)
{
	switch (reason)
	{
		case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
			return check_upgrade(conn, conn->wsi);
		case LWS_CALLBACK_HTTP:
			return begin(conn);
		case LWS_CALLBACK_HTTP_BODY:
			return take_body(conn, in, len);
		case LWS_CALLBACK_HTTP_BODY_COMPLETION:
			return end_body(conn);
		case LWS_CALLBACK_HTTP_WRITEABLE:
			return write_on(conn);
		default:
			return 0;
	}
}

int
http_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user,
			  void *in, size_t len)
{
	struct conn *conn = conn_of(wsi);

	switch (reason)
	{
		case LWS_CALLBACK_ESTABLISHED:
		case LWS_CALLBACK_RECEIVE:
		case LWS_CALLBACK_SERVER_WRITEABLE:
		case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
		case LWS_CALLBACK_CLOSED:
			/* A WebSocket for which no subprotocol was offered stays here. */
			return cable_callback(wsi, reason, user, in, len);

		case LWS_CALLBACK_HTTP_CONFIRM_UPGRADE:
		case LWS_CALLBACK_HTTP:
		case LWS_CALLBACK_HTTP_BODY:
		case LWS_CALLBACK_HTTP_BODY_COMPLETION:
		case LWS_CALLBACK_HTTP_WRITEABLE:
			if (conn == NULL || conn->is_doomed)
				return -1;
			conn->wsi = wsi;
			return happen(conn, reason, in, len);

		case LWS_CALLBACK_CLOSED_HTTP:
			if (conn)
				conn_unwatch_input(conn);
			return 0;

		case LWS_CALLBACK_WSI_DESTROY:
			if (conn)
				conn_destroyed(conn);
			return 0;

		case LWS_CALLBACK_OPENSSL_LOAD_EXTRA_SERVER_VERIFY_CERTS:
			tls_serve(lws_context_user(lws_get_context(wsi)), user);
			return 0;

		default:
			return 0;
	}
}
