/*
 * cable_wire.h
 *		libwebsockets as the bridge sees it, and clients that check what they get.
 *
 * These functions take the place of the library's in a target.
 */
#ifndef CABLE_WIRE_H
#define CABLE_WIRE_H

#include <jansson.h>
#include <libwebsockets.h>

#include "buf.h"
#include "cable.h"
#include "command.h"
#include "fuzz.h"
#include "http.h"

#define WATCHED_MAX		64		/* identifiers of one client */

/* What a client knows of one identifier. */
struct watched
{
	char		identifier[COMMAND_IDENTIFIER_MAX + 1];
	bool		is_confirmed;
	int64_t		stream;			/* whose state was the last */
	int64_t		version;		/* and which */
};

/* A connection, as libwebsockets and the client see it. */
struct lws
{
	struct conn *conn;
	bool		is_there;
	bool		is_pending;
	bool		is_slow;		/* a part of each frame will stay behind */
	bool		wants_write;
	bool		is_first;
	bool		is_final;
	bool		is_binary;
	bool		is_welcome;
	bool		is_told_to_go;
	struct watched watched[WATCHED_MAX];
	int			watched_count;
	struct buf	rx;				/* what it says in pieces */
};

/* Whom the next connection that is adopted belongs to. */
static struct lws *adopting;

/* ---- libwebsockets ---- */

struct lws *
lws_adopt_descriptor_vhost_via_info(const lws_adopt_desc_t *info)
{
	adopting->conn = info->opaque;
	adopting->is_there = true;
	return adopting;
}

void *
lws_get_opaque_user_data(const struct lws *wsi)
{
	return wsi->conn;
}

int
lws_callback_on_writable(struct lws *wsi)
{
	must_hold(wsi->is_there);
	wsi->wants_write = true;
	return 1;
}

int
lws_partial_buffered(struct lws *wsi)
{
	must_hold(wsi->is_there);
	return wsi->is_pending;
}

int
lws_is_first_fragment(struct lws *wsi)
{
	return wsi->is_first;
}

int
lws_is_final_fragment(struct lws *wsi)
{
	return wsi->is_final;
}

int
lws_frame_is_binary(struct lws *wsi)
{
	return wsi->is_binary;
}

size_t
lws_remaining_packet_payload(struct lws *wsi)
{
	(void) wsi;
	return 0;
}

lws_sockfd_type
lws_get_socket_fd(struct lws *wsi)
{
	must_hold(wsi->is_there);
	return -1;
}

void
lws_close_reason(struct lws *wsi, enum lws_close_status status, unsigned char *buf, size_t len)
{
	(void) status;
	(void) buf;
	(void) len;
	must_hold(wsi->is_there);
}

static void
destroy(struct lws *wsi)
{
	http_callback(wsi, LWS_CALLBACK_WSI_DESTROY, NULL, NULL, 0);
	buf_free(&wsi->rx);
	memset(wsi, 0, sizeof(*wsi));
}

static void
hang_up(struct lws *wsi)
{
	cable_callback(wsi, LWS_CALLBACK_CLOSED, NULL, NULL, 0);
	destroy(wsi);
}

void
lws_set_timeout(struct lws *wsi, enum pending_timeout reason, int secs)
{
	(void) reason;
	must_hold(wsi->is_there && secs == LWS_TO_KILL_SYNC);
	hang_up(wsi);
}

/* ---- what clients are sent ---- */

static struct watched *
watched_of(struct lws *wsi, const char *identifier)
{
	struct watched *watched;

	for (int i = 0; i < wsi->watched_count; i++)
		if (strcmp(wsi->watched[i].identifier, identifier) == 0)
			return &wsi->watched[i];
	if (wsi->watched_count == WATCHED_MAX || strlen(identifier) > COMMAND_IDENTIFIER_MAX)
		return NULL;
	watched = &wsi->watched[wsi->watched_count++];
	memset(watched, 0, sizeof(*watched));
	strcpy(watched->identifier, identifier);
	return watched;
}

static void
check_news(struct lws *wsi, const char *identifier, const char *type, const json_t *message)
{
	struct watched *watched = watched_of(wsi, identifier);
	int64_t		told;
	int64_t		stream;

	if (type && strcmp(type, "reject_subscription") == 0)
	{
		if (watched)
			watched->is_confirmed = false;
		return;
	}
	if (watched == NULL)
		return;					/* more than are kept account of here */
	if (type)
	{
		must_hold(strcmp(type, "confirm_subscription") == 0);
		must_hold(!watched->is_confirmed);
		watched->is_confirmed = true;
		watched->version = 0;
		return;
	}
	if (json_object_get(message, "stream") == NULL)
	{
		must_hold(watched->is_confirmed);	/* an event of a list */
		return;
	}
	told = json_integer_value(json_object_get(message, "version"));
	stream = json_integer_value(json_object_get(message, "stream"));
	must_hold(watched->is_confirmed && told > 0);
	must_hold(stream != watched->stream || told >= watched->version);
	watched->stream = stream;
	watched->version = told;
}

/*
 * A frame is one JSON object; nothing but a farewell comes before the welcome,
 * and nothing after a farewell; a state comes after its confirmation, and is
 * never older than the one before.
 */
static void
check_frame(struct lws *wsi, const char *text, size_t len)
{
	json_t	   *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *type = json_string_value(json_object_get(root, "type"));
	const char *identifier = json_string_value(json_object_get(root, "identifier"));

	must_hold(json_is_object(root) && !wsi->is_told_to_go);
	if (identifier && identifier[0])
	{
		must_hold(wsi->is_welcome);
		check_news(wsi, identifier, type, json_object_get(root, "message"));
	}
	else if (strcmp(type, "disconnect") == 0)
		wsi->is_told_to_go = true;
	else
	{
		must_hold((strcmp(type, "welcome") == 0) != wsi->is_welcome);
		wsi->is_welcome = true;
	}
	json_decref(root);
}

int
lws_write(struct lws *wsi, unsigned char *buf, size_t len, enum lws_write_protocol protocol)
{
	must_hold(wsi->is_there && !wsi->is_pending && protocol == LWS_WRITE_TEXT);
	check_frame(wsi, (char *) buf, len);
	/* libwebsockets writes its header there */
	memset(buf - LWS_PRE, 0x55, LWS_PRE);
	wsi->is_pending = wsi->is_slow;
	return (int) len;
}

#endif							/* CABLE_WIRE_H */
