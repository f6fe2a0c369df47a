/*
 * request.c
 *		One HTTP request, from its headers to its answer.
 *
 * Made when the headers are complete, it copies what anybody may ask for, and
 * gives libwebsockets its header table back as soon as it has to wait: there
 * are few of those, and who waits for the database must not keep others from
 * coming in.
 *
 * A request belongs to its connection, as the connection's client: it is in the
 * timer wheel with a deadline, and it goes when its client goes.  Who works on
 * its answer elsewhere, with a query say, leaves a way to be told that
 * (request_wait).  A stream takes it over (request_take) and gives it back if
 * there is to be an ordinary answer after all.
 */
#include "request.h"

#include <jansson.h>
#include <libwebsockets.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "conn.h"
#include "origin.h"
#include "parts.h"
#include "reply.h"
#include "who.h"

#define REQUEST_PATH_MAX	1024
#define REQUEST_HEADER_MAX	4096
#define REQUEST_LENGTH_DIGITS	18

static void request_client_free(void *client);
static int64_t request_due_ms(const void *client);
static bool request_on_deadline(void *client);
static void request_on_time(void *client, int64_t now_ms);

static const struct conn_client_ops request_client_ops = {
	.free = request_client_free,
	.due_ms = request_due_ms,
	.on_deadline = request_on_deadline,
	.on_time = request_on_time
};

/* ---- what libwebsockets has parsed ---- */

static const enum route_method methods[] = {
	[LWSHUMETH_GET] = METHOD_GET,
	[LWSHUMETH_POST] = METHOD_POST,
	[LWSHUMETH_OPTIONS] = METHOD_OPTIONS,
	[LWSHUMETH_PUT] = METHOD_PUT,
	[LWSHUMETH_PATCH] = METHOD_PATCH,
	[LWSHUMETH_DELETE] = METHOD_DELETE,
	[LWSHUMETH_CONNECT] = METHOD_OTHER,
	[LWSHUMETH_HEAD] = METHOD_GET
};

static bool
copy_target(struct request *request, struct lws *wsi)
{
	char	   *uri;
	int			uri_len;
	int			method = lws_http_get_uri_and_method(wsi, &uri, &uri_len);

	if (method < 0 || method > LWSHUMETH_HEAD)
		return false;
	request->method = methods[method];
	request->is_head = method == LWSHUMETH_HEAD;
	if (uri_len <= 0 || uri_len > REQUEST_PATH_MAX ||
		memchr(uri, '\0', (size_t) uri_len) != NULL)
		return false;
	request->path = mem_strndup(uri, (size_t) uri_len);
	return true;
}

static void
copy_args(struct request *request, struct lws *wsi)
{
	char text[	REQUEST_HEADER_MAX];

	while (request->args_count < REQUEST_ARGS_MAX)
	{
		int			len = lws_hdr_copy_fragment(wsi, text, sizeof(text), WSI_TOKEN_HTTP_URI_ARGS,
												request->args_count);

		if (len < 0)
			return;
		request->args[request->args_count++] = mem_strndup(text, (size_t) len);
	}
}

/* A header's value, NULL if it is not there or longer than any sound one is. */
static char *
copy_header(struct lws *wsi, enum lws_token_indexes token, const char *custom)
{
	char text[	REQUEST_HEADER_MAX];
	int			len;

	if (custom)
	{
		if (lws_hdr_custom_length(wsi, custom, (int) strlen(custom)) < 0)
			return NULL;
		len = lws_hdr_custom_copy(wsi, text, sizeof(text), custom, (int) strlen(custom));
	}
	else
	{
		if (lws_hdr_total_length(wsi, token) == 0)
			return NULL;
		len = lws_hdr_copy(wsi, text, sizeof(text), token);
	}
	return len < 0 ? NULL : mem_strndup(text, (size_t) len);
}

static void
copy_headers(struct request *request, struct lws *wsi)
{
	static const struct
	{
		enum lws_token_indexes token;
		const char *custom;
	}			headers[REQUEST_HEADERS] = {
		[REQUEST_ORIGIN] = {WSI_TOKEN_ORIGIN, NULL},
		[REQUEST_HOST] = {WSI_TOKEN_HOST, NULL},
		[REQUEST_IF_NONE_MATCH] = {WSI_TOKEN_HTTP_IF_NONE_MATCH, NULL},
		[REQUEST_ACCEPT_ENCODING] = {WSI_TOKEN_HTTP_ACCEPT_ENCODING, NULL},
		[REQUEST_CONTENT_TYPE] = {WSI_TOKEN_HTTP_CONTENT_TYPE, NULL},
		[REQUEST_LAST_EVENT_ID] = {WSI_TOKEN_COUNT, "last-event-id:"}
	};

	for (int i = 0; i < REQUEST_HEADERS; i++)
		request->headers[i] = copy_header(wsi, headers[i].token, headers[i].custom);
}

static void
take_forwarded_host(struct request *request, struct lws *wsi)
{
	char		host[256] = "";

	who_is_asked(request->conn, wsi, host, sizeof(host));
	if (host[0] == '\0')
		return;
	free(request->headers[REQUEST_HOST]);
	request->headers[REQUEST_HOST] = mem_strdup(host);
}

/*
 * How long is the body?  libwebsockets knows no chunks, reads the first number
 * of several as the length, and takes a POST without any for endless.  So what
 * is not one plain number is refused here, and no two readers of a request can
 * disagree on where it ends.  Nor may they on what a header is called: with a
 * blank before the colon it is nothing to libwebsockets, and may be something
 * to a proxy.
 */
static const char *
measure_body(struct request *request, struct lws *wsi)
{
	char text[	REQUEST_LENGTH_DIGITS + 1];
	static const char *const disguised[] = {
		"content-length :", "content-length\t:", "transfer-encoding :", "transfer-encoding\t:"
	};
	bool		is_told = lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_CONTENT_LENGTH) > 0;

	for (size_t i = 0; i < sizeof(disguised) / sizeof(disguised[0]); i++)
		if (lws_hdr_custom_length(wsi, disguised[i], (int) strlen(disguised[i])) >= 0)
		{
			request->body_kind = BODY_ENDLESS;
			return "a header's name and its colon belong together";
		}
	request->body_kind = request->method == METHOD_POST || request->method == METHOD_PUT ||
		request->method == METHOD_PATCH ? BODY_ENDLESS : BODY_NONE;
	if (lws_hdr_total_length(wsi, WSI_TOKEN_HTTP_TRANSFER_ENCODING) > 0)
	{
		request->body_kind = BODY_ENDLESS;
		return is_told ? "Content-Length and Transfer-Encoding exclude each other" :
			"send the body with Content-Length, not in chunks";
	}
	if (!is_told)
		return NULL;
	request->body_kind = BODY_ENDLESS;
	if (lws_hdr_copy(wsi, text, sizeof(text), WSI_TOKEN_HTTP_CONTENT_LENGTH) <= 0 ||
		strspn(text, "0123456789") != strlen(text))
		return "Content-Length must be one number";
	request->body_length = strtoul(text, NULL, 10);
	request->body_kind = request->body_length > 0 ? BODY_COMES : BODY_NONE;
	return NULL;
}

static void
judge_origin(struct request *request)
{
	const struct config *config = request_bridge(request)->config;
	const char *origin = request->headers[REQUEST_ORIGIN];
	const char *host = request->headers[REQUEST_HOST];

	if (origin == NULL)
		return;
	request->is_named_page = origin_is_allowed(&config->allowed_origin, origin,
											   host ? host : "",
											   config->auth == CONFIG_AUTH_NONE, true);
	request->is_own_page = request->is_named_page || (!request->bearer.is_cookie &&
													  origin_is_allowed(&config->allowed_origin, origin, host ? host : "",
																		config->auth == CONFIG_AUTH_NONE, false));
}

/* ---- life ---- */

/*
 * Make it from what was received.  NULL: it has no target to speak of.  "why" is
 * what is wrong with it otherwise, or NULL.
 */
struct request *
request_create(struct conn *conn, struct lws *wsi, const char **why)
{
	struct request *request = mem_zalloc(sizeof(*request));

	request->conn = conn;
	if (!copy_target(request, wsi))
	{
		free(request);
		return NULL;
	}
	conn_set_client(conn, &request_client_ops, request);
	copy_args(request, wsi);
	copy_headers(request, wsi);
	take_forwarded_host(request, wsi);
	*why = measure_body(request, wsi);
	if (!bearer_find(wsi, request_bridge(request)->config->cookie, &request->bearer) &&
		*why == NULL)
		*why = "the token is too long";
	judge_origin(request);
	return request;
}

static void
request_drop(struct request *request)
{
	if (request->work_free)
		request->work_free(request->work);
	free(request->path);
	for (int i = 0; i < ROUTE_PARAMS; i++)
		free(request->params[i]);
	for (int i = 0; i < request->args_count; i++)
		free(request->args[i]);
	for (int i = 0; i < REQUEST_HEADERS; i++)
		free(request->headers[i]);
	bearer_clear(&request->bearer);
	auth_claims_drop(&request->claims);
	buf_free(&request->body);
	free(request);
}

/* It has been answered, or whoever took it over has no more use for it. */
void
request_free(struct request *request)
{
	if (request->conn->ops == &request_client_ops && request->conn->client == request)
		conn_set_client(request->conn, NULL, NULL);
	request_drop(request);
}

static void
request_client_free(void *client)
{
	request_drop(client);
}

/* The connection is somebody else's from now on, who frees the request. */
void
request_take(struct request *request)
{
	conn_set_client(request->conn, NULL, NULL);
}

/* It is to be answered as any other after all. */
void
request_give_back(struct request *request)
{
	conn_set_client(request->conn, &request_client_ops, request);
}

struct request *
request_of(const struct conn *conn)
{
	return conn->ops == &request_client_ops ? conn->client : NULL;
}

/* ---- waiting ---- */

/*
 * Somebody answers this later, within so many milliseconds, and is made to
 * forget it by work_free(work), when the client goes or the time is over.
 */
void
request_wait(struct request *request, int64_t at_most_ms, void *work,
			 void (*work_free) (void *work))
{
	struct conn *conn = request->conn;

	request->work = work;
	request->work_free = work_free;
	conn->stage = CONN_WAIT;
	lws_set_timeout(conn->wsi, NO_PENDING_TIMEOUT, 0);
	lws_http_headers_detach(conn->wsi);
	conn_watch_input(conn);
	conn_set_deadline(conn, at_most_ms);
}

/*
 * What it waits for is there.  resume() answers it as soon as libwebsockets says
 * that it may be written to, for where nothing may be freed now.  It returns
 * what that is to return.
 */
void
request_resume(struct request *request, int (*resume) (struct request *request))
{
	request->resume = resume;
	conn_want_write(request->conn);
}

static int64_t
request_due_ms(const void *client)
{
	(void) client;
	return 0;
}

/* Nobody has answered in time: the database is away, or overloaded. */
static bool
request_on_deadline(void *client)
{
	struct request *request = client;

	if (request->conn->stage != CONN_WAIT)
		return false;
	if (request->route->guard == GUARD_STREAM)
		return request->route->serve(request) == 0;
	reply_busy(request, 503, 2, request->late ? request->late :
			   "the database did not answer in time", "Try again in a moment.");
	return true;
}

static void
request_on_time(void *client, int64_t now_ms)
{
	(void) client;
	(void) now_ms;
}

/* ---- looking ---- */

struct bridge *
request_bridge(const struct request *request)
{
	return conns_bridge(request->conn->conns);
}

/* The first ?name= of the request, NULL: there is none. */
const char *
request_arg(const struct request *request, const char *name)
{
	size_t		len = strlen(name);

	for (int i = 0; i < request->args_count; i++)
		if (strncmp(request->args[i], name, len) == 0 && request->args[i][len] == '=')
			return request->args[i] + len + 1;
	return NULL;
}

/* UTF-8, as JSON and the database demand it? */
bool
request_is_text(const char *value)
{
	json_t	   *text = json_string(value);

	json_decref(text);
	return text !=NULL;
}

/*
 * The identifier that the path stands for, as a client of the cable would write
 * it.  False: it is no text, or too long for one.
 */
bool
request_identifier(const struct request *request, struct buf *out)
{
	const char *channel = request->params[ROUTE_CHANNEL];
	const char *id = request->params[ROUTE_ID];

	if (!request_is_text(channel) || !request_is_text(id))
		return false;
	buf_add_text(out, "{\"channel\":");
	buf_add_json_string(out, channel, strlen(channel));
	buf_add_text(out, ",\"id\":");
	buf_add_json_string(out, id, strlen(id));
	buf_add_text(out, "}");
	return out->len <= COMMAND_IDENTIFIER_MAX;
}
