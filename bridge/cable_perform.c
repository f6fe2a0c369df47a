/*
 * cable_perform.c
 *		Actions that a client of the cable asks for.
 *
 * Which actions there are, and who may do them, is the database's to say: every
 * one is passed on with the claims of whoever asks.  Action Cable knows no answer
 * to a perform.  What was done shows in the state: whoever asked gets it at once,
 * the others when the worker tells it, in its place among revocations, for some of
 * them may not be allowed to see the run that a retry has begun.  What was refused
 * is said as a message of type "error", to whoever asked and to nobody else.
 *
 * A few may be under way for a connection.  Those that were refused stay among
 * them until that could be written, so nothing is queued without a bound.
 */
#include "cable_private.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "calls_act.h"
#include "command.h"
#include "conn.h"
#include "intern.h"
#include "log.h"
#include "metrics.h"
#include "msg.h"
#include "parts.h"
#include "pool.h"
#include "who.h"

#define CABLE_CALLS_MAX		8
#define CABLE_ACTION_MAX	64

struct cable_call
{
	struct cable *cable;
	struct pool_call *sent;		/* NULL: it has been answered */
	struct istr *identifier;
	char	   *action;
	struct buf	error;			/* the message, to be written */
	struct cable_call *next;
};

static void
cable_call_free(struct cable_call *call)
{
	struct cable_call **at = &call->cable->calls;

	while (*at != call)
		at = &(*at)->next;
	*at = call->next;
	call->cable->calls_count--;
	if (call->sent)
		pool_forget(call->sent);
	intern_drop(call->identifier);
	free(call->action);
	buf_free(&call->error);
	free(call);
}

/* Nobody is left to be told what comes of them. */
void
cable_calls_forget(struct cable *cable)
{
	while (cable->calls)
		cable_call_free(cable->calls);
}

static struct cable_call *
cable_call_create(struct cable *cable, struct istr *identifier, const char *action)
{
	struct cable_call *call = mem_zalloc(sizeof(*call));
	struct cable_call **at = &cable->calls;

	call->cable = cable;
	call->identifier = intern_hold(identifier);
	call->action = mem_strdup(action);
	while (*at)
		at = &(*at)->next;
	*at = call;
	cable->calls_count++;
	return call;
}

static bool
is_json(const char *text)
{
	json_t	   *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

	json_decref(json);
	return json != NULL;
}

/* Write down why it was refused, until the client can take it. */
static void
cable_call_refuse(struct cable_call *call, const struct call_answer *answer)
{
	struct buf *out = &call->error;

	buf_printf(out, "{\"type\":\"error\",\"action\":");
	buf_add_json_string(out, call->action, strlen(call->action));
	buf_printf(out, ",\"status\":%d,\"error\":", answer->status);
	buf_add_json_string(out, answer->error, strlen(answer->error));
	if (answer->hint)
	{
		buf_add_text(out, ",\"hint\":");
		buf_add_json_string(out, answer->hint, strlen(answer->hint));
	}
	if (answer->current && is_json(answer->current))
	{
		buf_add_text(out, ",\"current\":");
		buf_add_text(out, answer->current);
	}
	buf_add_text(out, "}");
	if (answer->status != 429)
		metric_count(METRIC_REFUSED_ACTIONS);
	cable_pump_calls(call->cable);
}

/* It was done: this is how it is now, as far as whoever asked may see it. */
static void
cable_call_show(struct cable_call *call, const struct call_answer *answer)
{
	struct cable_sub *item = cable_find(call->cable, call->identifier->bytes,
										call->identifier->len);
	struct hub_news news = {.version = answer->version, .final = answer->final};
	struct msg *payload;

	if (item == NULL || answer->payload == NULL)
		return;
	payload = msg_create(answer->payload, answer->payload_len);
	news.payload = payload;
	hub_sub_offer(&item->sub, answer->stream, &news);
	msg_drop(payload);
}

static void
cable_call_done(void *arg, const struct call_answer *answer)
{
	struct cable_call *call = arg;

	call->sent = NULL;
	if (answer->error == NULL)
	{
		cable_call_show(call, answer);
		cable_call_free(call);
		return;
	}
	if (answer->status == 403 || answer->status == 404)
		who_was_refused(call->cable->conn, &call->cable->claims, call->identifier->bytes,
						call->identifier->len);
	cable_call_refuse(call, answer);
}

/*
 * Write the next refusal that can be told to "out".  False: there is none.  Nobody
 * is told anything of a subscription before it is confirmed, nor when it is over.
 */
static bool
cable_calls_next(struct cable *cable, struct buf *out)
{
	for (struct cable_call *call = cable->calls, *next; call; call = next)
	{
		struct cable_sub *item = cable_find(cable, call->identifier->bytes,
											call->identifier->len);

		next = call->next;
		if (call->error.len == 0 ||
			(item && (!item->sub.is_confirmed || item->sub.owes_confirm)))
			continue;
		if (item)
			frame_message_text(out, call->identifier, call->error.data, call->error.len);
		cable_call_free(call);
		if (item)
			return true;
	}
	return false;
}

/* Write the refusals that are owed, as far as the connection takes them. */
void
cable_pump_calls(struct cable *cable)
{
	struct buf *out = conns_scratch(cable->conn->conns);

	while (cable->calls && cable_is_idle(cable) && cable_calls_next(cable, out))
		conn_send(cable->conn, out);
}

/*
 * Do what a client asks for.  "is_over" says that it was refused too often.
 */
void
cable_act(struct cable *cable, struct istr *identifier, const struct command *command,
		  bool is_over)
{
	const char *action = command->action;
	struct call_answer refusal = {.status = 429};
	struct cable_call *call;
	struct call_by by;
	char	   *text;

	/*
	 * One more than may be under way is told so; the next, if that still
	 * waits, not.
	 */
	if (cable->calls_count > CABLE_CALLS_MAX)
	{
		metric_count(METRIC_REFUSED_ACTIONS);
		return;
	}
	if (strlen(action) > CABLE_ACTION_MAX)
	{
		refusal.status = 422;
		refusal.error = "the action's name is too long";
		action = "";
	}
	call = cable_call_create(cable, identifier, action);
	if (cable->calls_count > CABLE_CALLS_MAX)
	{
		metric_count(METRIC_REFUSED_ACTIONS);
		refusal.error = "too many actions are under way on this connection";
		refusal.hint = "Try again when they are done.";
	}
	else if (is_over)
	{
		refusal.error = "too much was refused lately";
		refusal.hint = "Try again in a minute.";
	}
	if (refusal.error)
	{
		cable_call_refuse(call, &refusal);
		return;
	}

	by.caller = who_calls(cable->conn, &cable->claims);
	by.claims = cable->claims.payload->bytes;
	text = json_dumps(command->data, JSON_COMPACT);

	if (text)
		call->sent = calls_perform(cable->bridge->pool, &by, identifier->bytes, action, text,
								   cable_call_done, call);
	free(text);
	if (call->sent)
		return;
	refusal.status = 503;
	refusal.error = "the database cannot be asked now";
	refusal.hint = "Try again in a moment.";
	cable_call_refuse(call, &refusal);
}
