/*
 * handshake.c
 *		What is checked before a connection becomes a WebSocket.
 *
 * The path, the protocol offered, the page it comes from, and where the token
 * is.  What the token is worth is decided by cable.c, which answers inside the
 * WebSocket.
 *
 * libwebsockets would upgrade on any path, and drops the connection without a
 * word when it knows no offered protocol, so both are looked at first.  Who
 * offers none at all is taken, as Rails does it: simple clients leave it out,
 * and there is only one protocol to be spoken.
 * Browsers send cookies for whatever page asks: with a cookie alone the
 * origin must be there and be named, which "*" does not do.
 */
#include "handshake.h"

#include <libwebsockets.h>
#include <string.h>
#include <strings.h>

#include "bearer.h"
#include "cable.h"
#include "codes.h"
#include "conn.h"
#include "log.h"
#include "metrics.h"
#include "origin.h"
#include "parts.h"
#include "who.h"

#define HANDSHAKE_OFFER_MAX		127 /* libwebsockets' buffer */
#define HANDSHAKE_ORIGIN_MAX	512

static const struct handshake_refusal not_found = {404, "Page not found\n", 0};
static const struct handshake_refusal no_protocol = {
	400, "Offer the WebSocket subprotocol " CODE_CABLE_PROTOCOL "\n", 0
};
static const struct handshake_refusal token_too_long = {
	400, "The token is too long\n", 0
};
static const struct handshake_refusal too_crowded = {
	429, "Too many connections from this address\n", 5
};
static struct handshake_refusal too_often = {
	429, "Too many tokens that are not good came from this address\n", 0
};

/* Copy a header; false if it is there and does not fit. */
static bool
copy_header(struct lws *wsi, enum lws_token_indexes token, char *out, size_t size)
{
	out[0] = '\0';
	if (lws_hdr_total_length(wsi, token) == 0)
		return true;
	return lws_hdr_copy(wsi, out, (int) size, token) >= 0;
}

/* Is one of our protocols among those offered, separated by commas? */
static bool
offers_protocol(const char *offer)
{
	while (*offer)
	{
		size_t		skip = strspn(offer, ", \t");
		size_t		len;

		offer += skip;
		len = strcspn(offer, ", \t");
		if ((len == strlen(CODE_CABLE_PROTOCOL) &&
			 strncmp(offer, CODE_CABLE_PROTOCOL, len) == 0) ||
			(len == strlen(CODE_CABLE_UNSUPPORTED) &&
			 strncmp(offer, CODE_CABLE_UNSUPPORTED, len) == 0))
			return true;
		offer += len;
	}
	return false;
}

static bool
page_is_allowed(const struct conn *conn, struct lws *wsi, bool is_cookie)
{
	const struct config *config = conns_bridge(conn->conns)->config;
	char		origin[HANDSHAKE_ORIGIN_MAX];
	char		host[HANDSHAKE_ORIGIN_MAX];

	if (!copy_header(wsi, WSI_TOKEN_ORIGIN, origin, sizeof(origin)) ||
		!copy_header(wsi, WSI_TOKEN_HOST, host, sizeof(host)))
		return false;
	if (origin[0] == '\0')
		return !is_cookie;
	who_is_asked(conn, wsi, host, sizeof(host));
	return origin_is_allowed(&config->allowed_origin, origin, host,
							 config->auth == CONFIG_AUTH_NONE, is_cookie);
}

/*
 * Check a request to upgrade.
 */
const struct handshake_refusal *
handshake_check(struct conn *conn, struct lws *wsi)
{
	static struct log_rate rate;
	const struct config *config = conns_bridge(conn->conns)->config;
	char		offer[HANDSHAKE_OFFER_MAX + 1];
	struct bearer bearer;
	const struct handshake_refusal *refusal = NULL;
	char	   *uri;
	int			uri_len;

	if (!who_asks(conn, wsi))
		return &too_crowded;
	if (lws_http_get_uri_and_method(wsi, &uri, &uri_len) != LWSHUMETH_GET ||
		(size_t) uri_len != strlen(CODE_CABLE_PATH) ||
		strncmp(uri, CODE_CABLE_PATH, (size_t) uri_len) != 0)
		return &not_found;
	if (!copy_header(wsi, WSI_TOKEN_PROTOCOL, offer, sizeof(offer)) ||
		(offer[0] != '\0' && !offers_protocol(offer)))
		return &no_protocol;
	if (!bearer_find(wsi, config->cookie, &bearer))
		refusal = &token_too_long;
	else if (!page_is_allowed(conn, wsi, bearer.is_cookie))
	{
		metric_count(METRIC_REFUSED_ORIGIN);
		if (log_rate_allows(&rate, "handshake"))
			log_info("handshake", "refused, the page's origin is not allowed");
		refusal = &not_found;
	}
	else
	{
		too_often.retry_after_s = cable_create(conn, bearer.token ? bearer.token : "");
		if (too_often.retry_after_s > 0)
		{
			metric_count(METRIC_REFUSED_RATE);
			refusal = &too_often;
		}
	}
	bearer_clear(&bearer);
	return refusal;
}
