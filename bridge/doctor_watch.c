/*
 * doctor_watch.c
 *		A watcher like those that the bridge serves.
 *
 * One WebSocket that speaks Action Cable: it is welcomed, subscribes to one
 * session, and remembers the status that it was sent last.  libwebsockets'
 * client on libwebsockets' own loop, which is turned by the caller: a doctor
 * may wait, the bridge itself never does.
 *
 * The bridge is called by an address of this machine, so its certificate, which
 * names another, is not checked against it.
 */
#include "doctor_watch.h"

#include <jansson.h>
#include <libwebsockets.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "codes.h"

#define WATCH_STATUS_MAX	32
#define WATCH_FRAME_MAX		65536	/* a state has at most 8,000 bytes */

struct watch
{
	struct lws_context *context;
	struct lws *wsi;
	long long	session;
	char	   *path;
	bool		is_welcomed;
	bool		wants_subscribe;
	char		status[WATCH_STATUS_MAX];	/* empty: none yet */
	char		problem[256];
	struct buf	frame;
};

static void
watch_fail(struct watch *watch, const char *why, size_t len)
{
	if (watch->problem[0] == '\0')
		snprintf(watch->problem, sizeof(watch->problem), "%.*s", (int) len, why);
}

/* A frame that is whole: a welcome, a refusal, a state.  Pings say nothing. */
static void
watch_take(struct watch *watch)
{
	json_t	   *frame = json_loadb(watch->frame.data, watch->frame.len, 0, NULL);
	const char *type = json_string_value(json_object_get(frame, "type"));
	const char *status = json_string_value(json_object_get(json_object_get(frame, "message"), "status"));

	if (status)
		snprintf(watch->status, sizeof(watch->status), "%s", status);
	else if (type && strcmp(type, "welcome") == 0)
	{
		watch->is_welcomed = watch->wants_subscribe = true;
		lws_callback_on_writable(watch->wsi);
	}
	else if (type && (strcmp(type, "disconnect") == 0 || strcmp(type, "reject_subscription") == 0))
		watch_fail(watch, watch->frame.data, watch->frame.len);
	json_decref(frame);
	buf_reset(&watch->frame);
}

static int
watch_subscribe(struct watch *watch)
{
	char text[	LWS_PRE + 256];
	int			len;

	watch->wants_subscribe = false;
	len = snprintf(text +LWS_PRE, sizeof(text) - LWS_PRE,
				   "{\"command\":\"subscribe\",\"identifier\":\"{\\\"channel\\\":\\\"SyncStatusChannel\\\","
				   "\\\"session_id\\\":\\\"%lld\\\"}\"}", watch->session);
	return lws_write(watch->wsi, (unsigned char *) text +LWS_PRE, (size_t) len, LWS_WRITE_TEXT) < len ? -1 : 0;
}

static int
watch_callback(struct lws *wsi, enum lws_callback_reasons reason, void *user, void *in, size_t len)
{
	struct watch *watch = lws_context_user(lws_get_context(wsi));

	(void) user;
	switch (reason)
	{
		case LWS_CALLBACK_CLIENT_RECEIVE:
			if (watch->frame.len + len > WATCH_FRAME_MAX)
			{
				watch_fail(watch, "it sends frames that no bridge sends", 36);
				return -1;
			}
			buf_add(&watch->frame, in, len);
			if (lws_is_final_fragment(wsi) && lws_remaining_packet_payload(wsi) == 0)
				watch_take(watch);
			return 0;
		case LWS_CALLBACK_CLIENT_WRITEABLE:
			return watch->wants_subscribe ? watch_subscribe(watch) : 0;
		case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
			watch_fail(watch, in ? in : "it cannot be connected to", in ? len : 25);
			watch->wsi = NULL;
			return 0;
		case LWS_CALLBACK_CLIENT_CLOSED:
			watch_fail(watch, "it closed the connection", 24);
			watch->wsi = NULL;
			return 0;
		default:
			return 0;
	}
}

static const struct lws_protocols watch_protocols[] = {
	{.name = CODE_CABLE_PROTOCOL, .callback = watch_callback, .rx_buffer_size = 4096},
	{.name = NULL}
};

/*
 * Begin to watch a session.  "token" may be NULL, where none is asked for.  What
 * does not work is a problem of the watcher's.
 */
struct watch *
watch_open(const char *host, int port, bool is_tls, const char *token, long long session)
{
	struct watch *watch = mem_zalloc(sizeof(*watch));
	struct lws_context_creation_info info = {
		.port = CONTEXT_PORT_NO_LISTEN, .protocols = watch_protocols, .user = watch,
		.options = is_tls ? LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT : 0
	};
	struct lws_client_connect_info to = {
		.address = host, .host = host, .port = port, .protocol = CODE_CABLE_PROTOCOL,
		.ssl_connection = is_tls ? LCCSCF_USE_SSL | LCCSCF_ALLOW_SELFSIGNED | LCCSCF_ALLOW_INSECURE |
		LCCSCF_ALLOW_EXPIRED | LCCSCF_SKIP_SERVER_CERT_HOSTNAME_CHECK : 0
	};
	size_t		size = sizeof(CODE_CABLE_PATH) + sizeof("?token=") + (token ? strlen(token) : 0);

	watch->session = session;
	watch->path = mem_alloc(size);
	snprintf(watch->path, size, "%s%s%s", CODE_CABLE_PATH, token ? "?token=" : "", token ? token : "");
	lws_set_log_level(0, NULL);
	watch->context = lws_create_context(&info);
	if (watch->context)
	{
		to.context = watch->context;
		to.path = watch->path;
		watch->wsi = lws_client_connect_via_info(&to);
	}
	if (watch->wsi == NULL)
		watch_fail(watch, "it cannot be connected to", 25);
	return watch;
}

void
watch_close(struct watch *watch)
{
	if (watch->context)
		lws_context_destroy(watch->context);
	buf_free(&watch->frame);
	free(watch->path);
	free(watch);
}

/* Take what has come, without waiting. */
void
watch_turn(struct watch *watch)
{
	if (watch->wsi)
		(void) lws_service(watch->context, -1);
}

/* Empty while there is none. */
const char *
watch_problem(const struct watch *watch)
{
	return watch->problem;
}

bool
watch_is_welcomed(const struct watch *watch)
{
	return watch->is_welcomed;
}

/* Empty before the first state. */
const char *
watch_status(const struct watch *watch)
{
	return watch->status;
}
