/*
 * ask.c
 *		What the database is asked about subscriptions and streams.
 *
 * Subscriptions that must be asked about wait in one list, and each turn of the
 * loop makes one query of them: at most 256 distinct pairs of claims and
 * identifier, however many subscriptions share a pair.  A few queries may
 * follow each other at once, so that who comes alone never waits; after these,
 * and while as many as may be are under way, the list grows until it fills a
 * query or some time has passed.  So a storm makes the batches larger and not
 * more numerous.
 *
 * A question is asked only while notifications are being received, and an
 * answer counts only if they have been received ever since: otherwise an
 * update could fall between (see kept.c for those that come while it is under
 * way).  When receiving begins again every subscription is asked about anew.
 * That also finds what was revoked meanwhile, which reading the states alone
 * would not.
 *
 * A stream whose run has just ended has a version but no state yet: its last
 * one follows as a notification, for which its watchers wait.  What has no state
 * ever (an owner's list) has version 0.
 *
 * A batch that fails is asked again in halves, so that one bad row or one slow
 * payload function delays nobody else for long; a single one that fails is
 * asked again later, as is one the database calls unavailable.
 *
 * A subscription is in one list at a time (waiting, delayed, or that of the
 * pair under way), and ask_forget() takes it out of any.
 */
#include "ask.h"

#include <stdlib.h>
#include <string.h>

#include "codes.h"
#include "metrics.h"
#include "pairs.h"

#define ASK_DELAY_FIRST_MS	1000
#define ASK_DELAY_MAX_MS	30000
#define ASK_HINTS_EVERY_MS	500
#define ASK_SMALL_MAX		4	/* batches that are not full, at once */
#define ASK_SMALL_EVERY_MS	100 /* and one more in each such time */

struct ask_batch
{
	struct ask *ask;
	uint64_t	live_since;		/* the ask's, when it was sent */
	uint64_t	begin_seq;		/* kept_begin(); 0 for snapshots */
	int			rows;
	struct ask_pair *pairs;		/* of a subscribe */
	char	  **streams;		/* of a re-read */
};

struct ask
{
	struct hub *hub;
	const struct ask_port *port;
	void	   *arg;
	bool		is_live;
	uint64_t	live_since;		/* counts how often it became live */
	int			under_way;
	int			rows_max;		/* halved by a failure, doubled by success */
	int64_t		now_ms;
	int64_t		hints_due_ms;
	int64_t		small_ms;		/* up to when small batches are paid for */
	struct ask_list waiting;
	struct ask_list delayed;
	struct pairs_text text;
};

/* No question about this subscription is to be answered any more. */
void
ask_forget(struct hub_sub *sub)
{
	pairs_forget(sub);
}

struct ask *
ask_create(struct hub *hub, const struct ask_port *port, void *arg)
{
	struct ask *ask = mem_zalloc(sizeof(*ask));

	ask->hub = hub;
	ask->port = port;
	ask->arg = arg;
	ask->rows_max = PAIRS_MAX;
	return ask;
}

/* No batch may be under way, and no subscription in a list. */
void
ask_free(struct ask *ask)
{
	pairs_text_free(&ask->text);
	free(ask);
}

/*
 * Ask about this subscription, again if it was asked before.  If a question is
 * under way its answer may be too old, so another follows it.
 */
void
ask_sub(struct ask *ask, struct hub_sub *sub)
{
	if (sub->ask_home == &ask->waiting)
		return;
	if (sub->ask_home && sub->ask_home != &ask->delayed)
	{
		sub->ask_again = true;
		return;
	}
	pairs_forget(sub);
	pairs_push(&ask->waiting, sub);
}

/* Its right may have ended: it is told nothing more until that is answered. */
static void
ask_visit(struct hub_sub *sub, void *arg)
{
	sub->is_doubted = true;
	ask_sub(arg, sub);
}

/* Notifications were not received for a while. */
static void
ask_visit_missed(struct hub_sub *sub, void *arg)
{
	hub_sub_missed(sub);
	ask_visit(sub, arg);
}

/* Notifications are being received from now on, or no longer. */
void
ask_set_live(struct ask *ask, bool is_live)
{
	if (is_live && !ask->is_live)
	{
		ask->live_since++;
		hub_each(ask->hub, ask_visit_missed, ask);
	}
	ask->is_live = is_live;
}

bool
ask_is_live(const struct ask *ask)
{
	return ask->is_live;
}

static void
ask_later(struct ask *ask, struct hub_sub *sub)
{
	int64_t		delay_ms = ASK_DELAY_FIRST_MS;

	for (int i = 0; i < sub->ask_attempts && delay_ms < ASK_DELAY_MAX_MS; i++)
		delay_ms *= 2;
	if (delay_ms > ASK_DELAY_MAX_MS)
		delay_ms = ASK_DELAY_MAX_MS;
	if (sub->ask_attempts < UINT8_MAX)
		sub->ask_attempts++;
	sub->ask_due_ms = ask->now_ms + delay_ms;
	pairs_push(&ask->delayed, sub);
}

/* ---- questions ---- */

static struct ask_batch *
ask_batch_create(struct ask *ask)
{
	struct ask_batch *batch = mem_zalloc(sizeof(*batch));

	batch->ask = ask;
	batch->live_since = ask->live_since;
	ask->under_way++;
	return batch;
}

static void
ask_batch_free(struct ask_batch *batch)
{
	batch->ask->under_way--;
	if (batch->pairs)
		pairs_free(batch->pairs, batch->rows);
	for (int i = 0; batch->streams && i < batch->rows; i++)
		free(batch->streams[i]);
	free(batch->streams);
	free(batch);
}

static bool
ask_send_subscribe(struct ask *ask)
{
	struct ask_batch *batch = ask_batch_create(ask);

	batch->pairs = mem_zalloc(sizeof(*batch->pairs) * (size_t) ask->rows_max);
	batch->begin_seq = kept_begin(hub_kept(ask->hub));
	batch->rows = pairs_take(batch->pairs, ask->rows_max, &ask->waiting);
	pairs_write(batch->pairs, batch->rows, &ask->text);
	if (ask->port->subscribe(ask->arg, ask->text.identifiers.data, ask->text.claims.data,
							 ask->text.who.data, batch))
		return true;
	ask_done(batch, ASK_LOST);
	return false;
}

static void
ask_send_snapshots(struct ask *ask, bool is_hint)
{
	struct ask_batch *batch = NULL;
	const char *stream;

	for (int taken = 0; taken < PAIRS_MAX; taken++)
	{
		if (!hub_next_wanted(ask->hub, is_hint, &stream, ask_visit, ask))
			break;
		if (stream == NULL)
			continue;
		if (batch == NULL)
		{
			batch = ask_batch_create(ask);
			batch->streams = mem_zalloc(sizeof(*batch->streams) * PAIRS_MAX);
			buf_reset(&ask->text.identifiers);
			buf_add_text(&ask->text.identifiers, "{");
		}
		batch->streams[batch->rows++] = mem_strdup(stream);
		buf_add_array_item(&ask->text.identifiers, stream, strlen(stream));
	}
	if (batch == NULL)
		return;
	buf_add_text(&ask->text.identifiers, "}");
	if (!ask->port->snapshots(ask->arg, ask->text.identifiers.data, batch))
		ask_done(batch, ASK_LOST);
}

/*
 * How long a batch that is not full has to wait; 0: it may be sent, and has
 * taken its place.
 */
static int64_t
ask_wait_small_ms(struct ask *ask)
{
	int64_t		first_ms = ask->now_ms - ASK_SMALL_MAX * ASK_SMALL_EVERY_MS;

	if (ask->small_ms < first_ms)
		ask->small_ms = first_ms;
	if (ask->small_ms + ASK_SMALL_EVERY_MS > ask->now_ms)
		return ask->small_ms + ASK_SMALL_EVERY_MS - ask->now_ms;
	ask->small_ms += ASK_SMALL_EVERY_MS;
	return 0;
}

/*
 * Send what is waiting, as far as it may be.  Called once in every turn of the
 * loop, after everything that came in was read.  Returns in how many ms it is to
 * be called again if nothing else happens; 0: it need not.
 */
int64_t
ask_flush(struct ask *ask)
{
	if (!ask->is_live)
		return 0;
	if (ask->under_way < ASK_BATCHES_MAX)
		ask_send_snapshots(ask, false);
	while (ask->waiting.first && ask->under_way < ASK_BATCHES_MAX)
	{
		int64_t		wait_ms = ask->waiting.count < ask->rows_max ? ask_wait_small_ms(ask) : 0;

		if (wait_ms > 0)
			return wait_ms;
		if (!ask_send_subscribe(ask))
			break;
	}
	return 0;
}

/* How many subscriptions wait for their question to be asked? */
int
ask_waiting(const struct ask *ask)
{
	return ask->waiting.count + ask->delayed.count;
}

/* A turn of the loop begins to end. */
void
ask_set_now(struct ask *ask, int64_t now_ms)
{
	ask->now_ms = now_ms;
}

/* What waits for a time rather than for a turn. */
void
ask_tick(struct ask *ask, int64_t now_ms)
{
	ask->now_ms = now_ms;
	for (struct hub_sub *sub = ask->delayed.first, *next; sub; sub = next)
	{
		next = sub->ask_next;
		if (sub->ask_due_ms <= now_ms)
		{
			pairs_forget(sub);
			pairs_push(&ask->waiting, sub);
		}
	}
	if (ask->is_live && now_ms >= ask->hints_due_ms && ask->under_way < ASK_BATCHES_MAX)
	{
		ask->hints_due_ms = now_ms + ASK_HINTS_EVERY_MS;
		ask_send_snapshots(ask, true);
	}
}

/* ---- answers ---- */

/*
 * The database allows this subscription to watch "stream".  Returns true if it
 * must be asked again, because its rights changed since the query began.
 */
static bool
ask_allow(struct ask_batch *batch, struct hub_sub *sub, const struct ask_row *row)
{
	struct hub *hub = batch->ask->hub;
	const struct kept_entry *kept = kept_find(hub_kept(hub), row->stream);
	bool		is_complete = kept_is_complete(hub_kept(hub), batch->begin_seq);
	bool		is_new = hub_attach(hub, sub, row->stream);

	/*
	 * Which events came since the query began is not known, but that some
	 * did.
	 */
	if (is_new && ((kept && kept->event_seq > batch->begin_seq) ||
				   (!is_complete && row->payload == NULL && row->version == 0)))
		sub->owes_reload = true;
	sub->ask_attempts = 0;
	if (sub->ask_resend)
	{
		sub->ask_resend = false;
		sub->owes_state = true;
	}
	if (!sub->is_confirmed)
	{
		if (sub->transport->is_greeted && row->greeting)
			sub->greeting = msg_create(row->greeting, strlen(row->greeting));
		sub->is_confirmed = true;
		sub->owes_confirm = true;
	}
	if (kept && kept->hint_seq > batch->begin_seq)
		hub_want(hub, row->stream, true);
	if (kept && kept->version > row->version && kept->payload == NULL)
		hub_want(hub, row->stream, false);
	return !is_complete ||
		(kept && kept->revoked_seq > batch->begin_seq);
}

/* The newer of the answer's state and the one notified meanwhile. */
static void
ask_apply_state(struct ask_batch *batch, const struct ask_row *row)
{
	struct hub *hub = batch->ask->hub;
	const struct kept_entry *kept = kept_find(hub_kept(hub), row->stream);

	if (kept && kept->payload && kept->version > row->version)
		hub_state(hub, row->stream, kept->version, kept->final, kept->payload);
	else if (row->payload)
	{
		struct msg *payload = msg_create(row->payload, row->payload_len);

		hub_state(hub, row->stream, row->version, row->final, payload);
		msg_drop(payload);
	}
	else if (row->version > 0)
		hub_await(hub, row->stream);
}

static void
ask_answer_pair(struct ask_batch *batch, struct ask_pair *pair,
				const struct ask_row *row)
{
	struct ask *ask = batch->ask;
	struct ask_list allowed = {NULL, NULL, 0};

	while (pair->subs.first)
	{
		struct hub_sub *sub = pair->subs.first;
		bool		again = sub->ask_again;

		pairs_forget(sub);
		if (row->refused && strcmp(row->refused, CODE_REFUSED_UNAVAILABLE) == 0)
			ask_later(ask, sub);
		else if (row->refused || row->stream == NULL)
		{
			metric_count(METRIC_REFUSED_SUBSCRIBE);
			if (!sub->is_confirmed && sub->transport->refused)
				sub->transport->refused(sub->client, sub);
			hub_detach(ask->hub, sub);
			sub->owes_reject = true;
			sub->transport->owed(sub->client, sub);
		}
		else
		{
			again |= ask_allow(batch, sub, row);
			sub->ask_again = sub->is_doubted = again;
			pairs_push(&allowed, sub);
		}
	}
	if (allowed.first == NULL)
		return;

	/*
	 * The state goes to those who watch already; those who were just allowed
	 * get it after their confirmation.
	 */
	ask_apply_state(batch, row);
	while (allowed.first)
	{
		struct hub_sub *sub = allowed.first;

		pairs_forget(sub);
		if (sub->ask_again)
			pairs_push(&ask->waiting, sub);
		sub->transport->owed(sub->client, sub);
	}
}

/*
 * One row of the answer.  An answer to a question from before receiving was
 * interrupted is passed over: its batch counts as lost.
 */
void
ask_answer(struct ask_batch *batch, const struct ask_row *row)
{
	if (!batch->ask->is_live || batch->live_since != batch->ask->live_since)
		return;
	if (batch->pairs)
	{
		struct ask_pair *pair;

		if (row->ord < 1 || row->ord > batch->rows)
			return;
		pair = &batch->pairs[row->ord - 1];
		if (pair->is_answered)
			return;
		pair->is_answered = true;
		ask_answer_pair(batch, pair, row);
	}
	else if (row->stream)
		ask_apply_state(batch, row);
}

static void
ask_done_pairs(struct ask_batch *batch, enum ask_result result)
{
	struct ask *ask = batch->ask;
	bool		is_single = batch->rows == 1;

	for (int i = 0; i < batch->rows; i++)
	{
		struct ask_pair *pair = &batch->pairs[i];

		while (pair->subs.first)
		{
			struct hub_sub *sub = pair->subs.first;

			pairs_forget(sub);
			if (result == ASK_ANSWERED || (result == ASK_FAILED && is_single))
				ask_later(ask, sub);
			else
				pairs_push(&ask->waiting, sub);
		}
	}
	if (result == ASK_FAILED)
		ask->rows_max = batch->rows > 1 ? (batch->rows + 1) / 2 : 1;
	else if (result == ASK_ANSWERED && ask->rows_max < PAIRS_MAX)
		ask->rows_max = ask->rows_max * 2 < PAIRS_MAX ? ask->rows_max * 2 : PAIRS_MAX;
}

/*
 * The answer is complete, or there will be none.  Whatever was not answered is
 * asked again.  Frees the batch.
 */
void
ask_done(struct ask_batch *batch, enum ask_result result)
{
	struct ask *ask = batch->ask;

	if (batch->live_since != ask->live_since || !ask->is_live)
		result = ASK_LOST;
	if (batch->pairs)
	{
		ask_done_pairs(batch, result);
		if (batch->begin_seq)
			kept_end(hub_kept(ask->hub), batch->begin_seq);
	}
	else if (result != ASK_ANSWERED)
	{
		for (int i = 0; i < batch->rows; i++)
			hub_want(ask->hub, batch->streams[i], true);
	}
	ask_batch_free(batch);
}
