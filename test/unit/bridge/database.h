/*
 * database.h
 *		A database that is asked, and answers when the test says so.
 */
#ifndef DATABASE_H
#define DATABASE_H

#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "fake.h"
#include "pairs.h"
#include "unit.h"

#define SENT_MAX	64
#define KEPT_MAX	4
#define CROWD		1200

/* The database: what it was asked, and no answer until the test gives one. */
static struct sent
{
	struct ask_batch *batch;	/* NULL: it has been told that it is done */
	char		query[65536];
}			sent[SENT_MAX];
static int	sent_count;
static bool refuses;

static inline bool
port_subscribe(void *arg, const char *identifiers, const char *claims, const char *who,
			   struct ask_batch *batch)
{
	if (refuses)
		return false;
	assert_in_range(sent_count, 0, SENT_MAX - 1);
	snprintf(sent[sent_count].query, sizeof(sent[0].query), "%s %s %s", identifiers, claims, who);
	sent[sent_count++].batch = batch;
	return true;
}

static inline bool
port_snapshots(void *arg, const char *streams, struct ask_batch *batch)
{
	if (refuses)
		return false;
	assert_in_range(sent_count, 0, SENT_MAX - 1);
	snprintf(sent[sent_count].query, sizeof(sent[0].query), "snapshots %s", streams);
	sent[sent_count++].batch = batch;
	return true;
}

static const struct ask_port port = {.subscribe = port_subscribe, .snapshots = port_snapshots};

static struct ask *ask;

/* "a" and "b" ask for the same, "c" for something else. */
static struct client a;
static struct client b;
static struct client c;
static struct client crowd[CROWD];
static int	crowd_size;

static inline int
begin(void **state)
{
	intern = intern_create();
	hub = hub_create(KEPT_MAX);
	ask = ask_create(hub, &port, NULL);
	ask_tick(ask, 1000);
	ask_set_live(ask, true);
	sent_count = 0;
	refuses = false;
	fake_init(&a, "one", "{}");
	fake_init(&b, "one", "{}");
	fake_init(&c, "two", "{\"sub\":\"c\"}");
	crowd_size = 0;
	return 0;
}

static inline void
leave(struct client *client)
{
	ask_forget(&client->sub);
	hub_detach(hub, &client->sub);
	fake_done(client);
}

static inline void
done(int index, enum ask_result result)
{
	struct ask_batch *batch = sent[index].batch;

	sent[index].batch = NULL;
	ask_done(batch, result);
}

static inline int
end(void **state)
{
	leave(&a);
	leave(&b);
	leave(&c);
	for (int i = 0; i < crowd_size; i++)
		leave(&crowd[i]);
	for (int i = 0; i < sent_count; i++)
		if (sent[i].batch)
			done(i, ASK_LOST);
	ask_free(ask);
	hub_free(hub);
	intern_free(intern);
	return 0;
}

/* So many subscriptions that have nothing in common ask: "id0", "id1" ... */
static inline void
crowd_asks(int size)
{
	char		name[32];

	for (crowd_size = 0; crowd_size < size; crowd_size++)
	{
		snprintf(name, sizeof(name), "id%d", crowd_size);
		fake_init(&crowd[crowd_size], name, "{}");
		ask_sub(ask, &crowd[crowd_size].sub);
	}
	ask_flush(ask);
}

static inline void
asks(struct client *client)
{
	ask_sub(ask, &client->sub);
	ask_flush(ask);
}

static inline void
answer(int index, int ord, const char *stream, int64_t version, const char *payload,
	   const char *refused)
{
	struct ask_row row = {
		.ord = ord, .stream = stream, .version = version, .payload = payload,
		.payload_len = payload ? strlen(payload) : 0, .refused = refused
	};

	ask_answer(sent[index].batch, &row);
}

/* The whole answer to a question with one row: the stream is allowed. */
static inline void
allow(int index, const char *stream, int64_t version, const char *payload)
{
	answer(index, 1, stream, version, payload, NULL);
	done(index, ASK_ANSWERED);
}

static inline void
refuse(int index, const char *why)
{
	answer(index, 1, NULL, 0, NULL, why);
	done(index, ASK_ANSWERED);
}

static inline int rows_of(const char *query);

/* Likewise of one with many: each is allowed, and has a stream of its own. */
static inline void
done_all(int index)
{
	char		name[32];
	int			rows = rows_of(sent[index].query);

	for (int ord = 1; ord <= rows; ord++)
	{
		snprintf(name, sizeof(name), "sync:%d.%d", index, ord);
		answer(index, ord, name, 1, "x", NULL);
	}
	done(index, ASK_ANSWERED);
}

static inline int
rows_of(const char *query)
{
	int			rows = 1;

	while (*query != '}')
		rows += *query++ == ',';
	return rows;
}

#define ask_test(test) cmocka_unit_test_setup_teardown(test, begin, end)

#endif							/* DATABASE_H */
