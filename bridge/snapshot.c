/*
 * snapshot.c
 *		The state of a stream, once: GET /snapshots/<channel>/<id>.
 *
 * A subscription that ends with its first state.  So a snapshot is asked for in
 * the same batch as everybody's subscribes, has the same rights, and is never
 * older than what a watcher of the stream was sent.  Who polls sends the version it
 * has as If-None-Match, and is told 304 while there is nothing newer.
 */
#include "snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "conn.h"
#include "hub.h"
#include "listen.h"
#include "parts.h"
#include "query.h"
#include "reply.h"
#include "request.h"
#include "who.h"

#define SNAPSHOT_WAIT_MS	8000

struct snapshot
{
	struct hub_sub sub;			/* the first member */
	struct request *request;
};

static bool
is_idle(void *client)
{
	(void) client;
	return false;				/* it is written only when it is asked for */
}

static void
send_nothing(void *client, struct buf *frame)
{
	(void) client;
	(void) frame;
}

static void
write_state(struct buf *out, const struct istr *identifier, const struct hub_news *news)
{
	(void) identifier;
	buf_reset(out);
	buf_add(out, news->payload->bytes, news->payload->len);
}

static void
write_confirm(struct buf *out, const struct hub_sub *sub)
{
	(void) out;
	(void) sub;
}

static void
write_reject(struct buf *out, const struct istr *identifier)
{
	(void) out;
	(void) identifier;
}

/*
 * The question about it has been answered.  The request is gone afterwards, and
 * the subscription with it.
 */
static void
on_owed(void *client, struct hub_sub *sub)
{
	struct request *request = client;
	struct buf	body = {0};
	enum hub_next next;
	char		etag[32];
	const char *known = request->headers[REQUEST_IF_NONE_MATCH];
	struct reply reply = {.status = 200, .type = "application/json", .etag = etag};

	if (sub->is_doubted)
		return;					/* it is being asked about again */
	next = hub_sub_next(sub, &body);
	if (next == HUB_FRAME)
		next = hub_sub_next(sub, &body);	/* the first was the confirmation */
	if (next == HUB_FRAME)
	{
		snprintf(etag, sizeof(etag), "\"%" PRId64 "\"", sub->sent_version);
		if (known && reply_has_etag(known, etag))
			reply.status = 304;
		else
			reply.body = msg_create(body.data, body.len);
		(void) reply_send(request, &reply);
	}
	else if (next == HUB_LAST_FRAME || sub->is_confirmed)
		(void) reply_not_found(request);
	buf_free(&body);
}

static void
on_refused(void *client, const struct hub_sub *sub)
{
	struct request *request = client;

	who_was_refused(request->conn, &request->claims, sub->identifier->bytes,
					sub->identifier->len);
}

static const struct hub_transport transport = {
	.is_idle = is_idle,
	.send = send_nothing,
	.owed = on_owed,
	.refused = on_refused,
	.state = write_state,
	.confirm = write_confirm,
	.reject = write_reject
};

static void
snapshot_free(void *work)
{
	struct snapshot *snapshot = work;
	struct bridge *bridge = request_bridge(snapshot->request);

	ask_forget(&snapshot->sub);
	hub_detach(bridge->hub, &snapshot->sub);
	intern_drop(snapshot->sub.identifier);
	intern_drop(snapshot->sub.claims);
	free(snapshot);
}

int
serve_snapshot(struct request *request)
{
	struct bridge *bridge = request_bridge(request);
	struct buf	identifier = {0};
	struct snapshot *snapshot;

	if (!request_identifier(request, &identifier))
	{
		buf_free(&identifier);
		return reply_not_found(request);
	}
	if (!listen_is_live(bridge->listen) || !query_is_up(bridge->query))
	{
		buf_free(&identifier);
		return reply_busy(request, 503, 2, "the database is away", "Try again in a moment.");
	}
	snapshot = mem_zalloc(sizeof(*snapshot));
	snapshot->request = request;
	snapshot->sub.transport = &transport;
	snapshot->sub.client = request;
	snapshot->sub.identifier = intern_get(bridge->intern, identifier.data, identifier.len);
	snapshot->sub.claims = intern_hold(request->claims.payload);
	buf_free(&identifier);
	request_wait(request, SNAPSHOT_WAIT_MS, snapshot, snapshot_free);
	ask_sub(bridge->ask, &snapshot->sub);
	return 0;
}
