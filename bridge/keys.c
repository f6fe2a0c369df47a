/*
 * keys.c
 *		When the keys that tokens are checked with are read.
 *
 * When the connection to ask on comes up, every minute, which is how a key that
 * was withdrawn ends, and, at most every five seconds, when a token names a key
 * that is not known: that is how a new key works at once.
 */
#include "keys.h"

#include <stdlib.h>

#include "auth.h"
#include "calls.h"
#include "log.h"
#include "loop.h"
#include "query.h"

#define KEYS_EVERY_MS	60000
#define KEYS_SOONEST_MS	5000

struct keys
{
	struct auth *auth;
	struct query *query;
	keys_read	on_read;
	void	   *arg;
	bool		are_read;		/* at least once */
	bool		is_reading;
	bool		are_wanted;
	bool		are_used;		/* somebody has ever wanted them */
	int64_t		asked_ms;
};

struct keys *
keys_create(struct auth *auth, struct query *query, keys_read on_read, void *arg)
{
	struct keys *keys = mem_zalloc(sizeof(*keys));

	*keys = (struct keys)
	{
		.auth = auth, .query = query, .on_read = on_read, .arg = arg
	};
	return keys;
}

void
keys_free(struct keys *keys)
{
	free(keys);
}

static void
keys_done(void *arg, bool ok)
{
	struct keys *keys = arg;

	keys->is_reading = false;
	if (!ok)
		return;
	if (!keys->are_read)
		log_info("keys", "read count=%d", auth_keys_count(keys->auth));
	keys->are_read = true;
	keys->are_wanted = false;
	keys->on_read(keys->arg);
}

static void
keys_ask(struct keys *keys)
{
	if (!keys->is_reading && calls_keys(keys->query, keys->auth, keys_done, keys))
	{
		keys->is_reading = true;
		keys->asked_ms = loop_clock_ms();
	}
}

/* A token names a key that is not known: read them again, but not too often. */
void
keys_want(struct keys *keys)
{
	keys->are_wanted = keys->are_used = true;
}

/* The connection to ask on is there from now on, or no longer. */
void
keys_set_up(struct keys *keys, bool is_up)
{
	keys->is_reading = false;
	if (is_up)
		keys_ask(keys);
}

void
keys_tick(struct keys *keys, int64_t now_ms)
{
	int64_t		since_ms = now_ms - keys->asked_ms;

	if (since_ms >= KEYS_EVERY_MS ||
		((keys->are_wanted || !keys->are_read) && since_ms >= KEYS_SOONEST_MS))
		keys_ask(keys);
}

bool
keys_are_read(const struct keys *keys)
{
	return keys->are_read;
}

/* Has anybody come with a token that only they can tell the worth of? */
bool
keys_are_used(const struct keys *keys)
{
	return keys->are_used;
}

/* When they were last asked for: what is newer than that is not among them. */
int64_t
keys_asked_ms(const struct keys *keys)
{
	return keys->asked_ms;
}
