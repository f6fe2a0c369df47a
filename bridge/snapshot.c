/*
 * snapshot.c
 *		The state of a stream, once: GET /snapshots/<channel>/<id>.
 *
 * A subscription that ends with its first state.  So a snapshot is asked for in
 * the same batch as everybody's subscribes, has the same rights, and is never
 * older than what a watcher of the stream was sent.  Who polls sends the version it
 * has as If-None-Match, and is told 304 while there is nothing newer.
 *
 * The last state of a run that has just ended may not be there yet.  It is waited
 * for: who polls stops at the one that says that the run has ended.
 */
#include "snapshot.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "conn.h"
#include "gzip.h"
#include "hub.h"
#include "listen.h"
#include "parts.h"
#include "query.h"
#include "reply.h"
#include "request.h"
#include "who.h"

#define SNAPSHOT_WAIT_MS	8000
#define SNAPSHOT_END_MS		2000	/* for the state of a run that has ended */

struct snapshot
{
	struct hub_sub sub;			/* the first member */
	struct request *request;
	bool		is_awaiting;	/* a notification */
	struct buf	state;			/* that has come */
};

static int
send_state(struct request *request, const struct buf *state)
{
	const struct snapshot *snapshot = request->work;
	const char *known = request->headers[REQUEST_IF_NONE_MATCH];
	char		etag[32];
	struct reply reply = {.status = 200, .type = "application/json", .etag = etag};

	snprintf(etag, sizeof(etag), "\"%" PRId64 "\"", snapshot->sub.sent_version);
	if (known && reply_has_etag(known, etag))
	{
		/* With what the state would have been sent with. */
		reply.status = 304;
		reply.may_pack = state->len >= GZIP_LEAST_BYTES;
		reply.is_packed = reply.may_pack &&
			gzip_is_accepted(request->headers[REQUEST_ACCEPT_ENCODING]);
	}
	else
		reply.body = msg_create(state->data, state->len);
	return reply_send(request, &reply);
}

/* ---- what is notified ---- */

/* It is written when it is asked for, and to who awaits a notification. */
static bool
is_idle(void *client)
{
	const struct snapshot *snapshot = ((struct request *) client)->work;

	return snapshot->is_awaiting;
}

static int
answer_awaited(struct request *request)
{
	struct snapshot *snapshot = request->work;

	return send_state(request, &snapshot->state);
}

/* The answer frees the subscription, for which this is not the moment. */
static void
keep_state(void *client, struct buf *frame)
{
	struct request *request = client;
	struct snapshot *snapshot = request->work;

	snapshot->is_awaiting = false;
	buf_add(&snapshot->state, frame->data, frame->len);
	request_resume(request, answer_awaited);
}

/* ---- what is asked for ---- */

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
	struct snapshot *snapshot = request->work;
	struct buf	body = {0};
	enum hub_next next;

	if (sub->is_doubted)
		return;					/* it is being asked about again */
	next = hub_sub_next(sub, &body);
	if (next == HUB_FRAME && sub->sent_version == 0)
		next = hub_sub_next(sub, &body);	/* the first was the confirmation */
	if (next == HUB_FRAME)
		(void) send_state(request, &body);
	else if (next == HUB_LAST_FRAME)
		(void) reply_not_found(request);
	else if (request->resume)
		;						/* it is about to be answered */
	else if (hub_sub_awaits(sub))
	{
		if (!snapshot->is_awaiting)
			conn_set_deadline(request->conn, SNAPSHOT_END_MS);
		snapshot->is_awaiting = true;
		request->late = "the run has ended, and its last state is not there yet";
	}
	else if (sub->is_confirmed)
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
	.send = keep_state,
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
	buf_free(&snapshot->state);
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
