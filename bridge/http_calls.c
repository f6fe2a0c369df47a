/*
 * http_calls.c
 *		Requests that the database's functions answer: lists of runs, actions,
 *		workers' reports.
 *
 * Each is checked as far as that can be done here, handed to the pool, and
 * answered from what comes back.  Between the two it waits as any request does,
 * so its client may go meanwhile: then the call is forgotten, which undoes
 * nothing.
 */
#include "http_calls.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "calls_act.h"
#include "conn.h"
#include "hub.h"
#include "parts.h"
#include "pool.h"
#include "reply.h"
#include "request.h"
#include "who.h"

/* Longer than a call can wait and be answered; a net below the pool's own. */
#define HTTP_CALLS_WAIT_MS	25000

struct work
{
	struct request *request;
	struct pool_call *call;		/* NULL: it has ended */
	int			(*answer) (struct request *request, const struct call_answer *answer);
};

/* ---- asking ---- */

static void
work_free(void *arg)
{
	struct work *work = arg;

	if (work->call)
		pool_forget(work->call);
	free(work);
}

static void
on_done(void *arg, const struct call_answer *answer)
{
	struct work *work = arg;

	work->call = NULL;
	(void) work->answer(work->request, answer);
}

static struct work *
work_create(struct request *request,
			int (*answer) (struct request *request, const struct call_answer *answer))
{
	struct work *work = mem_zalloc(sizeof(*work));

	work->request = request;
	work->answer = answer;
	return work;
}

/* The call, or NULL if there is no way to the database now, decides. */
static int
wait_for(struct work *work, struct pool_call *call)
{
	struct request *request = work->request;
	struct pool *pool = request_bridge(request)->pool;

	work->call = call;
	if (call)
	{
		request_wait(request, HTTP_CALLS_WAIT_MS, work, work_free);
		return 0;
	}
	work_free(work);
	if (pool_is_up(pool))
		return reply_busy(request, 503, 1, "too much is waiting to be done",
						  "Try again in a moment.");
	return reply_busy(request, 503, 2, "the database is away", "Try again in a moment.");
}

/* ---- what is sent ---- */

static bool
is_json_type(const char *type)
{
	static const char json[] = "application/json";

	if (type == NULL || strncasecmp(type, json, sizeof(json) - 1) != 0)
		return false;
	type += sizeof(json) - 1;
	return *type == '\0' || *type == ';' || *type == ' ';
}

/*
 * Is the body what it should be, a JSON object?  Where "optional", none is as
 * good.  Else the request has been answered, with "result".
 */
static bool
check_body(struct request *request, bool optional, int *result)
{
	json_t	   *root;
	bool		is_object;

	if (request->body.len == 0 && optional)
		return true;
	if (request->body.len > 0 && !is_json_type(request->headers[REQUEST_CONTENT_TYPE]))
	{
		*result = reply_error(request, 415, "the body must be JSON",
							  "Send Content-Type: application/json.");
		return false;
	}
	root = request->body.len > 0 ?
		json_loadb(request->body.data, request->body.len, 0, NULL) : NULL;
	is_object = json_is_object(root);
	json_decref(root);
	if (!is_object)
		*result = reply_error(request, 422, "the body is not a JSON object",
							  "Send one, such as {\"message\":\"halfway\"}, in UTF-8.");
	return is_object;
}

/* ---- what comes back ---- */

static int
reply_refusal(struct request *request, const struct call_answer *answer)
{
	struct buf	json = {0};
	int			result;

	if (answer->status == 403 || answer->status == 404)
		who_was_refused(request->conn, &request->claims, request->path,
						strlen(request->path));
	if (answer->status == 503)
		return reply_busy(request, 503, 1, answer->error, answer->hint);
	if (answer->current == NULL)
		return reply_error(request, answer->status, answer->error, answer->hint);
	buf_add_text(&json, "{\"error\":");
	buf_add_json_string(&json, answer->error, strlen(answer->error));
	if (answer->hint)
	{
		buf_add_text(&json, ",\"hint\":");
		buf_add_json_string(&json, answer->hint, strlen(answer->hint));
	}
	buf_add_text(&json, ",\"current\":");
	buf_add_text(&json, answer->current);
	buf_add_text(&json, "}\n");
	result = reply_json(request, answer->status, &json);
	buf_free(&json);
	return result;
}

/* ---- for whom ---- */

static struct call_by
by_whom(const struct request *request)
{
	struct call_by by = {
		.caller = who_calls(request->conn, &request->claims),
		.claims = request->claims.payload->bytes
	};

	return by;
}

/* ---- lists ---- */

static int
answer_sessions(struct request *request, const struct call_answer *answer)
{
	struct buf	json = {0};
	int			result;

	if (answer->error)
		return reply_refusal(request, answer);
	buf_add(&json, answer->result, answer->result_len);
	result = reply_json(request, 200, &json);
	buf_free(&json);
	return result;
}

/* A number that the database can read as an integer of that many digits. */
static bool
is_number(const char *text, size_t digits_max)
{
	size_t		len = strlen(text);

	return len > 0 && len <= digits_max && strspn(text, "0123456789") == len;
}

static int
ask_sessions(struct request *request, const char *channel, const char *id)
{
	struct pool *pool = request_bridge(request)->pool;
	const char *after = request_arg(request, "after");
	const char *limit = request_arg(request, "limit");
	struct call_by by = by_whom(request);
	struct buf	stream = {0};
	struct work *work;
	struct pool_call *call;

	if (after && !is_number(after, 18))
		return reply_error(request, 422, "after is not a number",
						   "It is what the page before gave as \"next\".");
	if (limit && !is_number(limit, 9))
		return reply_error(request, 422, "limit is not a number", "It is 1 to 200.");
	if ((channel == NULL) != (id == NULL))
		return reply_error(request, 422, "channel and id belong together",
						   "For instance ?channel=ConnectionSyncChannel&id=7.");
	if (channel)
	{
		if (!request_is_text(channel) || !request_is_text(id))
			return reply_error(request, 422, "channel and id are not UTF-8",
							   "Percent-encode them as UTF-8.");
		buf_printf(&stream, "%s:%s", channel, id);
	}
	work = work_create(request, answer_sessions);
	call = calls_sessions(pool, &by, after, limit, stream.data, on_done, work);
	buf_free(&stream);
	return wait_for(work, call);
}

/* The runs of whoever asks. */
int
serve_sessions(struct request *request)
{
	return ask_sessions(request, request_arg(request, "channel"), request_arg(request, "id"));
}

/* The runs of one source. */
int
serve_sessions_of(struct request *request)
{
	return ask_sessions(request, request->params[ROUTE_CHANNEL], request->params[ROUTE_ID]);
}

/* ---- actions ---- */

/* Watchers need not wait for the worker to tell what was done here. */
static void
tell_watchers(struct bridge *bridge, const struct call_answer *answer)
{
	struct msg *payload = msg_create(answer->payload, answer->payload_len);

	hub_state(bridge->hub, answer->stream, answer->version, answer->final, payload);
	msg_drop(payload);
}

static int
answer_action(struct request *request, const struct call_answer *answer)
{
	struct buf	json = {0};
	int			result;

	if (answer->error)
		return reply_refusal(request, answer);
	buf_add_text(&json, "{\"result\":");
	buf_add(&json, answer->result, answer->result_len);
	buf_add_text(&json, ",\"state\":");
	if (answer->payload)
	{
		tell_watchers(request_bridge(request), answer);
		buf_add(&json, answer->payload, answer->payload_len);
	}
	else
		buf_add_text(&json, "null");
	buf_add_text(&json, "}");
	result = reply_json(request, 200, &json);
	buf_free(&json);
	return result;
}

int
serve_action(struct request *request)
{
	struct pool *pool = request_bridge(request)->pool;
	struct call_by by = by_whom(request);
	struct buf	identifier = {0};
	struct work *work;
	struct pool_call *call;
	int			result;

	if (!check_body(request, true, &result))
		return result;
	if (!request_is_text(request->params[ROUTE_ACTION]) ||
		!request_identifier(request, &identifier))
	{
		buf_free(&identifier);
		return reply_not_found(request);
	}
	work = work_create(request, answer_action);
	call = calls_perform(pool, &by, identifier.data, request->params[ROUTE_ACTION],
						 request->body.len > 0 ? request->body.data : NULL, on_done, work);
	buf_free(&identifier);
	return wait_for(work, call);
}

/* ---- workers' reports ---- */

/*
 * That a token is for another job is no different from a forged one, to whoever
 * sent it.
 */
static int
answer_report(struct request *request, const struct call_answer *answer)
{
	struct buf	json = {0};
	int			result;

	if (answer->status == 403)
		return reply_error(request, 401, "Invalid callback token", answer->hint);
	if (answer->error)
		return reply_refusal(request, answer);
	buf_add(&json, answer->result, answer->result_len);
	result = reply_json(request, 202, &json);
	buf_free(&json);
	return result;
}

/* Each job is a caller, wherever its workers are: without a good token none gets here. */
int
serve_report(struct request *request)
{
	const struct istr *claims = request->claims.payload;
	struct call_by by = {.caller = claims, .claims = claims->bytes};
	struct work *work;
	int			result;

	if (!check_body(request, false, &result))
		return result;
	work = work_create(request, answer_report);
	return wait_for(work, calls_report(request_bridge(request)->pool, &by,
									   request->body.data, on_done, work));
}
