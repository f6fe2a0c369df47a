/*
 * identify.c
 *		Who asks, and whether it may be answered.
 *
 * A token whose key is not known may be signed with one that is newer than what
 * was read: the request waits until the keys have been read again.  A refusal
 * would be for good where the client is a browser's EventSource.
 *
 * Browsers send cookies, and reach a bridge that asks for no token, for whatever
 * page tells them to.  A page elsewhere is let through only if its origin is
 * allowed, and where something is to be changed with a cookie alone there
 * must be an origin: without one, nobody can say what page it was.  Reading is
 * let through without: browsers leave it out when a page reads from where it came
 * from, and what another page's script tag fetched it cannot read.
 */
#include "request.h"

#include <string.h>
#include <time.h>

#include "config.h"
#include "conn.h"
#include "keys.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "origin.h"
#include "parts.h"
#include "reply.h"
#include "who.h"

#define IDENTIFY_WAIT_MS		8000
#define IDENTIFY_ADMIN_CLAIMS	"{\"scope\":[\"admin\"]}"
#define IDENTIFY_CALLBACK		"callback"

static struct log_rate identify_rate;

static bool
is_callback(const struct request *request)
{
	return request->route->guard == GUARD_CALLBACK;
}

static int
refuse_page(struct request *request, const char *hint)
{
	metric_count(METRIC_REFUSED_ORIGIN);
	if (log_rate_allows(&identify_rate, "http"))
		log_info("http", "refused, the page's origin is not allowed");
	return reply_error(request, 403, "this page may not do that", hint);
}

static int
refuse_as_too_often(struct request *request, int wait_s)
{
	metric_count(METRIC_REFUSED_RATE);
	return reply_busy(request, 429, wait_s, "refused too often", "Wait as Retry-After says; "
					  "refused_per_minute says how often one may be.");
}

/*
 * It is known who asks: let it be served, unless they were refused too often.
 */
static int
serve(struct request *request)
{
	int			wait_s = who_waits_s(request->conn, &request->claims);

	return wait_s > 0 ? refuse_as_too_often(request, wait_s) :
		request->route->serve(request);
}

/*
 * No good token.  "is_ours": it was one, until it expired, and is no guess.
 */
static int
refuse_token(struct request *request, const char *why, bool is_ours)
{
	int			wait_s = is_ours ? 0 : who_is_refused_s(request->conn, NULL);

	if (wait_s > 0)
		return refuse_as_too_often(request, wait_s);
	metric_count(METRIC_REFUSED_TOKEN);
	if (log_rate_allows(&identify_rate, "http"))
		log_info("http", "refused: %s", why);
	if (is_callback(request))
		return reply_error(request, 401, "Invalid callback token", NULL);
	return reply_error(request, 401, why, "Send a token of sync_progress_token() as "
					   "Authorization: Bearer, ?token= or a cookie.");
}

/* With nobody to be asked for, the page must come from this machine. */
static int
identify_open(struct request *request)
{
	const char *host = request->headers[REQUEST_HOST];

	if (request->headers[REQUEST_ORIGIN] ? !request->is_own_page :
		host && !origin_is_loopback(host))
		return refuse_page(request, "With auth = none only pages of this machine may, "
						   "asked for as localhost or 127.0.0.1.");
	if (request->claims.payload == NULL)
		request->claims.payload = intern_get(request_bridge(request)->intern,
											 IDENTIFY_ADMIN_CLAIMS,
											 strlen(IDENTIFY_ADMIN_CLAIMS));
	return serve(request);
}

static int
wait_for_keys(struct request *request)
{
	struct keys *keys = request_bridge(request)->keys;

	if (request->held_ms == 0)
		request->held_ms = loop_clock_ms();
	keys_want(keys);
	request_wait(request, IDENTIFY_WAIT_MS, NULL, NULL);
	return 0;
}

/*
 * Let the request be served, now or when it is known who asks; or refuse it.
 */
int
identify(struct request *request)
{
	struct bridge *bridge = request_bridge(request);
	const char *token = request->bearer.token ? request->bearer.token : "";
	const char *why;

	if (request->route->guard == GUARD_NONE)
		return request->route->serve(request);
	if (bridge->config->auth == CONFIG_AUTH_NONE && !is_callback(request))
		return identify_open(request);
	if (request->bearer.is_cookie && !request->is_own_page &&
		(request->headers[REQUEST_ORIGIN] || request->method != METHOD_GET))
		return refuse_page(request, "With a cookie alone it must come from a page that "
						   "allowed_origin names. Or send the token as Authorization: Bearer.");
	switch (auth_check_for(bridge->auth, is_callback(request) ? IDENTIFY_CALLBACK : NULL,
						   token, strlen(token), time(NULL), &request->claims, &why))
	{
		case AUTH_OK:
			bearer_clear(&request->bearer);
			return serve(request);
		case AUTH_UNKNOWN_KEY:
			if (request->held_ms == 0 || request->held_ms >= keys_asked_ms(bridge->keys))
				return wait_for_keys(request);
			return refuse_token(request, why, false);
		case AUTH_EXPIRED:
			auth_claims_drop(&request->claims);
			return refuse_token(request, why, true);
		default:
			return refuse_token(request, why, false);
	}
}

static void
on_keys_read(struct conn *conn, void *arg)
{
	struct request *request = request_of(conn);

	(void) arg;
	if (request && conn->stage == CONN_WAIT && request->held_ms != 0 && request->work == NULL &&
		request->claims.payload == NULL && identify(request) < 0)
		conn_doom(conn);
}

/* The keys have been read: decide about those who waited for that. */
void
identify_keys_read(struct bridge *bridge)
{
	conns_each(bridge->conns, on_keys_read, NULL);
}
