/*
 * cable_write.c
 *		What a client of the cable is sent, and when.
 *
 * Nothing is queued for a client.  What it is owed are flags (welcome, ping,
 * the warning before its token expires) and, for each subscription, what the
 * hub says is owed; cable_pump() writes the next of them while the connection
 * takes it.
 */
#include "cable_private.h"

#include <libwebsockets.h>
#include <time.h>

#include "command.h"
#include "conn.h"

bool
cable_is_idle(void *client)
{
	struct cable *cable = client;

	return cable->is_open && cable->close == CLOSE_NO && conn_is_idle(cable->conn);
}

static void
cable_ahead(void *client, int steps)
{
	struct cable *cable = client;

	conn_ahead(cable->conn, steps);
}

static void
cable_send(void *client, struct buf *frame)
{
	struct cable *cable = client;

	conn_send(cable->conn, frame);
}

static void
cable_state(struct buf *out, const struct istr *identifier, const struct hub_news *news)
{
	frame_message(out, identifier, news->payload);
}

static void
cable_event(struct buf *out, const struct istr *identifier, const struct hub_event *event)
{
	frame_event(out, identifier, event->type, event->data);
}

static void
cable_confirm(struct buf *out, const struct hub_sub *sub)
{
	frame_confirm(out, sub->identifier);
}

/* Write what is owed to one subscription, as far as the connection takes it. */
static void
cable_pump_sub(struct cable *cable, struct cable_sub *item)
{
	struct buf *out = conns_scratch(cable->conn->conns);

	while (cable_is_idle(cable))
	{
		enum hub_next next = hub_sub_next(&item->sub, out);

		if (next == HUB_NOTHING)
			return;
		conn_send(cable->conn, out);
		if (next == HUB_LAST_FRAME)
		{
			cable_sub_drop(cable, item);
			return;
		}
	}
}

static void
cable_owed(void *client, struct hub_sub *sub)
{
	cable_pump_sub(client, (struct cable_sub *) sub);
	cable_pump_calls(client);
}

/* Write everything that is owed, as far as the connection takes it. */
void
cable_pump(struct cable *cable)
{
	struct buf *out = conns_scratch(cable->conn->conns);

	while (cable_is_idle(cable))
	{
		if (cable->owes_welcome)
		{
			cable->owes_welcome = false;
			frame_welcome(out);
		}
		else if (cable->owes_warning)
		{
			cable->owes_warning = false;
			frame_token_expiring(out);
		}
		else if (cable->owes_ping)
		{
			cable->owes_ping = false;
			frame_ping(out, time(NULL));
		}
		else
			break;
		conn_send(cable->conn, out);
	}

	/*
	 * The end of a subscription goes before the start of the next of its
	 * name.
	 */
	for (struct cable_sub *item = cable->subs, *next; item; item = next)
	{
		next = item->next;
		if (item->sub.owes_reject)
			cable_pump_sub(cable, item);
	}
	for (struct cable_sub *item = cable->subs, *next; item; item = next)
	{
		next = item->next;
		cable_pump_sub(cable, item);
	}
	cable_pump_calls(cable);
}

/*
 * Tell the client to go, as soon as it can be told.
 */
void
cable_want_close(struct cable *cable, const char *reason, bool reconnect)
{
	if (cable->close != CLOSE_NO)
		return;
	cable->close = CLOSE_WANTED;
	cable->close_reason = reason;
	cable->close_reconnect = reconnect;
	if (cable->conn->stage == CONN_CABLE)
	{
		conn_set_deadline(cable->conn, CABLE_CLOSE_MS);
		conn_want_write(cable->conn);
	}
}

/*
 * Take leave, in two writes: the disconnect frame, then the close frame by
 * returning -1.  Only from WRITEABLE, which libwebsockets calls again after the
 * second: so each step is marked before it is taken.
 */
int
cable_take_leave(struct cable *cable)
{
	struct buf *out = conns_scratch(cable->conn->conns);

	if (cable->close == CLOSE_WANTED)
	{
		cable->close = CLOSE_TOLD;
		frame_disconnect(out, cable->close_reason, cable->close_reconnect);
		conn_send(cable->conn, out);
		if (cable->conn->is_pending || cable->conn->is_doomed)
			return 0;
	}
	if (cable->close == CLOSE_TOLD)
	{
		cable->close = CLOSE_DONE;
		lws_close_reason(cable->conn->wsi, LWS_CLOSE_STATUS_NORMAL, NULL, 0);
		return -1;
	}
	return 0;
}

const struct hub_transport cable_transport = {
	.is_idle = cable_is_idle,
	.send = cable_send,
	.ahead = cable_ahead,
	.owed = cable_owed,
	.refused = cable_refused,
	.state = cable_state,
	.event = cable_event,
	.confirm = cable_confirm,
	.reject = frame_reject
};
