/*
 * Subscribing is one step: whatever happens between a question and its answer,
 * the last update arrives and no right is kept that was taken away.
 */
#include "ask.h"

#include <stdlib.h>

#include "tap.h"
#include "fake.h"

#define SENT_MAX 32

/* The database: what it was asked, and no answer until the test gives one. */
static struct sent
{
	struct ask_batch *batch;
	char		query[65536];
}			sent[SENT_MAX];
static int	sent_count;
static bool refuses;

static bool
port_subscribe(void *arg, const char *identifiers, const char *claims, const char *who,
			   struct ask_batch *batch)
{
	(void) arg;
	if (refuses)
		return false;
	snprintf(sent[sent_count].query, sizeof(sent[0].query), "%s %s %s", identifiers, claims, who);
	sent[sent_count++].batch = batch;
	return true;
}

static bool
port_snapshots(void *arg, const char *streams, struct ask_batch *batch)
{
	(void) arg;
	if (refuses)
		return false;
	snprintf(sent[sent_count].query, sizeof(sent[0].query), "snapshots %s", streams);
	sent[sent_count++].batch = batch;
	return true;
}

static const struct ask_port port = {.subscribe = port_subscribe,.snapshots = port_snapshots};

static struct hub *hub;
static struct ask *ask;
static struct intern *intern;

static void
answer(int index, int ord, const char *stream, int64_t version, const char *payload,
	   const char *refused)
{
	struct ask_row row = {
		.ord = ord,.stream = stream,.version = version,.payload = payload,
		.payload_len = payload ? strlen(payload) : 0,.refused = refused
	};

	ask_answer(sent[index].batch, &row);
}

static void
notify(enum event_type type, const char *stream, int64_t version, const char *payload,
	   bool is_trusted)
{
	struct event event = {
		.type = type,.stream = (char *) (uintptr_t) stream,.version = version,
		.payload = payload ? msg_create(payload, strlen(payload)) : NULL
	};

	hub_take(hub, &event, is_trusted);
	msg_drop(event.payload);
}

static void
begin(int kept_max)
{
	intern = intern_create();
	hub = hub_create((size_t) kept_max);
	ask = ask_create(hub, &port, NULL);
	ask_tick(ask, 1000);
	ask_set_live(ask, true);
	sent_count = 0;
	refuses = false;
}

static void
leave(struct client *client)
{
	ask_forget(&client->sub);
	hub_detach(hub, &client->sub);
	fake_done(client);
}

static void
end(void)
{
	ask_free(ask);
	hub_free(hub);
	intern_free(intern);
}

static void
test_plain(void)
{
	struct client a,
				b,
				c;

	begin(100);
	fake_init(&a, intern, "one", "{}");
	fake_init(&b, intern, "one", "{}");
	fake_init(&c, intern, "two", "{\"sub\":\"c\"}");
	ask_sub(ask, &a.sub);
	ask_sub(ask, &b.sub);
	ask_sub(ask, &c.sub);
	ask_sub(ask, &a.sub);
	ask_flush(ask);
	is_int(sent_count, 1, "the subscribes of one turn are one query");
	is(sent[0].query, "{\"one\",\"two\"} {\"{}\",\"{\\\"sub\\\":\\\"c\\\"}\"} {1,2}",
	   "with a row for each distinct pair of identifier and claims");
	answer(0, 1, "sync:1", 10, "ten", NULL);
	answer(0, 2, NULL, 0, NULL, "not_found");
	answer(0, 2, "sync:1", 10, "ten", NULL);
	answer(0, 3, "sync:1", 10, "ten", NULL);
	answer(0, 0, "sync:1", 10, "ten", NULL);
	ask_done(sent[0].batch, ASK_ANSWERED);
	is(a.log, "C:one one=ten ", "confirmed, then one state");
	is(b.log, "C:one one=ten ", "for all who share the pair");
	is(c.log, "R:two ", "refused, and no second answer changes that");

	a.sub.ask_resend = true;
	ask_sub(ask, &a.sub);
	ask_flush(ask);
	answer(1, 1, "sync:1", 10, "ten", NULL);
	ask_done(sent[1].batch, ASK_ANSWERED);
	is(a.log, "C:one one=ten one=ten ", "who asks for an update gets the state again, unconfirmed");

	ask_sub(ask, &b.sub);
	ask_flush(ask);
	leave(&b);
	answer(2, 1, "sync:1", 11, "eleven", NULL);
	ask_done(sent[2].batch, ASK_ANSWERED);
	is(b.log, "C:one one=ten ", "who left while it was asked is told nothing");
	leave(&a);
	leave(&c);
	end();
}

static void
test_between(void)
{
	struct client a,
				b;

	begin(100);
	fake_init(&a, intern, "one", "{}");
	ask_sub(ask, &a.sub);
	ask_flush(ask);
	notify(EVENT_PROGRESS, "sync:1", 20, "last", true);
	answer(0, 1, "sync:1", 10, "ten", NULL);
	ask_done(sent[0].batch, ASK_ANSWERED);
	is(a.log, "C:one one=last ", "an update between the question and its answer is not lost");
	notify(EVENT_PROGRESS, "sync:1", 15, "older", true);
	is(a.log, "C:one one=last ", "and nothing older follows");

	fake_init(&b, intern, "two", "{}");
	ask_sub(ask, &b.sub);
	ask_flush(ask);
	notify(EVENT_PROGRESS, "sync:2", 5, "old", true);
	answer(1, 1, "sync:2", 10, "ten", NULL);
	ask_done(sent[1].batch, ASK_ANSWERED);
	is(b.log, "C:two two=ten ", "an older one does not win over the answer");
	leave(&b);

	fake_init(&b, intern, "three", "{}");
	ask_sub(ask, &b.sub);
	ask_flush(ask);
	notify(EVENT_PROGRESS, "sync:3", 20, NULL, true);
	answer(2, 1, "sync:3", 10, "ten", NULL);
	ask_done(sent[2].batch, ASK_ANSWERED);
	ask_flush(ask);
	is(sent[3].query, "snapshots {\"sync:3\"}", "one whose data was left out is read afterwards");
	answer(3, 0, "sync:3", 20, "twenty", NULL);
	ask_done(sent[3].batch, ASK_ANSWERED);
	is(b.log, "C:three three=ten three=twenty ", "and told");
	leave(&b);

	fake_init(&b, intern, "four", "{}");
	ask_sub(ask, &b.sub);
	ask_flush(ask);
	notify(EVENT_PROGRESS, "sync:4", 99, "forged", false);
	answer(4, 1, "sync:4", 10, "ten", NULL);
	ask_done(sent[4].batch, ASK_ANSWERED);
	is(b.log, "C:four four=ten ", "one that the worker did not send is not used");
	ask_tick(ask, 2000);
	is(sent[5].query, "snapshots {\"sync:4\"}", "but the stream is read again");
	ask_done(sent[5].batch, ASK_ANSWERED);
	leave(&b);

	fake_init(&b, intern, "five", "{}");
	ask_sub(ask, &b.sub);
	ask_flush(ask);
	notify(EVENT_REVOKED, "sync:5", 0, NULL, true);
	answer(6, 1, "sync:5", 10, "ten", NULL);
	ask_done(sent[6].batch, ASK_ANSWERED);
	ask_flush(ask);
	is_int(sent_count, 8, "a right that was revoked meanwhile is asked for again");
	answer(7, 1, NULL, 0, NULL, "not_found");
	ask_done(sent[7].batch, ASK_ANSWERED);
	is(b.log, "R:five ", "and the subscription is cut off, having been told nothing");
	leave(&b);
	leave(&a);
	end();
}

static void
test_bound(void)
{
	struct client a;
	char		name[32];

	begin(4);
	fake_init(&a, intern, "one", "{}");
	ask_sub(ask, &a.sub);
	ask_flush(ask);
	notify(EVENT_PROGRESS, "sync:1", 20, "last", true);
	for (int i = 0; i < 10; i++)
	{
		snprintf(name, sizeof(name), "other:%d", i);
		notify(EVENT_PROGRESS, name, 1, "x", true);
	}
	answer(0, 1, "sync:1", 10, "ten", NULL);
	ask_done(sent[0].batch, ASK_ANSWERED);
	ask_flush(ask);
	is_int(sent_count, 2, "when more happened than can be kept, it is asked again");
	answer(1, 1, "sync:1", 20, "last", NULL);
	ask_done(sent[1].batch, ASK_ANSWERED);
	is(a.log, "C:one one=last ", "so the last update arrives all the same");
	leave(&a);
	end();
}

static void
test_outage(void)
{
	struct client a,
				b,
				c;

	begin(100);
	fake_init(&a, intern, "one", "{}");
	fake_init(&b, intern, "two", "{}");
	fake_init(&c, intern, "three", "{}");
	ask_sub(ask, &a.sub);
	ask_sub(ask, &b.sub);
	ask_flush(ask);
	answer(0, 1, "sync:1", 10, "ten", NULL);
	answer(0, 2, "sync:2", 10, "ten", NULL);
	ask_done(sent[0].batch, ASK_ANSWERED);

	ask_sub(ask, &c.sub);
	ask_flush(ask);
	ask_set_live(ask, false);
	answer(1, 1, "sync:3", 10, "ten", NULL);
	is(c.log, "", "an answer counts for nothing when notifications were lost meanwhile");
	ask_done(sent[1].batch, ASK_ANSWERED);
	ask_flush(ask);
	is_int(sent_count, 2, "nothing is asked while none are received");

	ask_set_live(ask, true);
	ask_flush(ask);
	is_int(sent_count, 3, "afterwards everything is asked in one query");
	ok(strstr(sent[2].query, "\"one\"") && strstr(sent[2].query, "\"two\"") &&
	   strstr(sent[2].query, "\"three\""), "every subscription, new and old");
	for (int ord = 1; ord <= 3; ord++)
	{
		const char *at = sent[2].query + 1;

		for (int i = 1; i < ord; i++)
			at = strchr(at, ',') + 1;
		if (strncmp(at, "\"one\"", 5) == 0)
			answer(2, ord, "sync:1", 10, "ten", NULL);
		else if (strncmp(at, "\"two\"", 5) == 0)
			answer(2, ord, NULL, 0, NULL, "not_found");
		else
			answer(2, ord, "sync:3", 10, "ten", NULL);
	}
	ask_done(sent[2].batch, ASK_ANSWERED);
	is(a.log, "C:one one=ten ", "what has not changed is not sent again");
	is(b.log, "C:two two=ten R:two ", "what was revoked meanwhile is cut off");
	is(c.log, "C:three three=ten ", "what was lost is answered");
	leave(&a);
	leave(&b);
	leave(&c);
	end();
}

static void
test_failures(void)
{
	struct client clients[5];
	char		name[32];

	begin(100);
	for (int i = 0; i < 5; i++)
	{
		snprintf(name, sizeof(name), "id%d", i);
		fake_init(&clients[i], intern, name, "{}");
		ask_sub(ask, &clients[i].sub);
	}
	refuses = true;
	ask_flush(ask);
	is_int(sent_count, 0, "a question that cannot be sent is kept");
	refuses = false;
	ask_flush(ask);
	is_int(sent_count, 1, "and sent in the next turn");
	ask_done(sent[0].batch, ASK_FAILED);
	ask_flush(ask);
	is_int(sent_count, 3, "a batch that failed is asked again in halves");
	is(sent[1].query, "{\"id0\",\"id1\",\"id2\"} {\"{}\"} {1,1,1}", "the first");
	ask_done(sent[2].batch, ASK_FAILED);
	ask_done(sent[1].batch, ASK_ANSWERED);
	ask_flush(ask);
	is_int(sent_count, 4, "rows without an answer wait, the failed half is asked");
	ask_done(sent[3].batch, ASK_LOST);
	ask_flush(ask);
	answer(4, 1, "sync:3", 1, "x", NULL);
	answer(4, 2, NULL, 0, NULL, "unavailable");
	ask_done(sent[4].batch, ASK_ANSWERED);
	is(clients[3].log, "C:id3 id3=x ", "the good row of it is answered");
	is(clients[4].log, "", "one that is unavailable is not refused");
	sent_count = 0;
	ask_tick(ask, 1500);
	ask_flush(ask);
	is_int(sent_count, 0, "it is not asked again at once");
	ask_tick(ask, 2001);
	ask_flush(ask);
	is_int(sent_count, 1, "but after a while");
	ok(strstr(sent[0].query, "id4") != NULL, "it is");
	ask_done(sent[0].batch, ASK_ANSWERED);
	for (int i = 0; i < 5; i++)
		leave(&clients[i]);
	end();
}

static void
test_limits(void)
{
	static struct client clients[1200];
	char		name[32];

	begin(100);
	for (int i = 0; i < 1200; i++)
	{
		snprintf(name, sizeof(name), "id%d", i);
		fake_init(&clients[i], intern, name, "{}");
		ask_sub(ask, &clients[i].sub);
	}
	ask_flush(ask);
	is_int(sent_count, ASK_BATCHES_MAX, "so many queries are under way and no more");
	for (int i = 0; i < ASK_BATCHES_MAX; i++)
		ask_done(sent[i].batch, ASK_LOST);
	ask_flush(ask);
	is_int(sent_count, 2 * ASK_BATCHES_MAX, "and others when these have ended");
	for (int i = ASK_BATCHES_MAX; i < 2 * ASK_BATCHES_MAX; i++)
		ask_done(sent[i].batch, ASK_LOST);
	for (int i = 0; i < 1200; i++)
		leave(&clients[i]);
	end();
}

int
main(void)
{
	test_plain();
	test_between();
	test_bound();
	test_outage();
	test_failures();
	test_limits();
	return tap_done();
}
