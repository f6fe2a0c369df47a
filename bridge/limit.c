/*
 * limit.c
 *		How often something may happen to somebody: token buckets.
 *
 * N a minute: a bucket of N tokens that gets one back every 60/N seconds.  What
 * happens takes one; who has none left is over the limit, and the caller lets
 * it happen no more and counts nothing, or who keeps on trying would never be
 * served again.  What was under way by then is counted all the same: whoever
 * does a hundred things at once owes for ninety, for ten minutes at most.
 *
 * A bucket is one number, the time at which it will be full again.  It is the
 * same as counting tokens, without anything that has to be refilled.
 *
 * The table has a bound: beyond it the bucket that was used longest ago goes, the
 * likeliest to be full again.
 *
 * It lies in shared memory, under a lock, so that a limit is one limit however
 * many workers there are; its links are indices.  Whoever takes the lock after a
 * worker was killed with it does not trust the links and makes them anew.  The
 * order of use is lost by that, and no bucket.
 *
 * Pure: the caller says what time it is.
 */
#include "limit.h"

#include <stdlib.h>
#include <string.h>

#include "lock.h"
#include "shared.h"

#define LIMIT_MINUTE_MS	60000
#define LIMIT_DEBT_MS	(10 * LIMIT_MINUTE_MS)

/* The entry 0 is nobody's: a link to it is the end. */
struct limit_entry
{
	struct digest key;
	int64_t		full_ms;
	uint32_t	next;			/* in the chain */
	uint32_t	newer;
	uint32_t	older;
};

/* What lies in shared memory, beside heads and entries. */
struct limit_table
{
	struct lock lock;
	uint32_t	used;
	uint32_t	newest;
	uint32_t	oldest;
};

struct limit
{
	int			per_minute;		/* 0: no limit */
	int64_t		token_ms;
	uint32_t	max;
	struct limit_table *table;
	uint32_t   *heads;			/* "max" chains */
	struct limit_entry *entries;	/* max + 1 */
};

/* So many a minute from now on; who owes time goes on owing it. */
void
limit_set(struct limit *limit, int per_minute)
{
	limit->per_minute = per_minute;
	limit->token_ms = per_minute > 0 ? LIMIT_MINUTE_MS / per_minute : 0;
}

/* Before the workers are forked. */
struct limit *
limit_create(int per_minute, int keys_max)
{
	struct limit *limit = mem_zalloc(sizeof(*limit));

	limit_set(limit, per_minute);
	limit->max = (uint32_t) keys_max;
	limit->table = shared_alloc(sizeof(*limit->table));
	limit->heads = shared_alloc(sizeof(*limit->heads) * limit->max);
	limit->entries = shared_alloc(sizeof(*limit->entries) * (limit->max + 1));
	lock_init(&limit->table->lock);
	return limit;
}

/* The table stays: it is the others', too. */
void
limit_free(struct limit *limit)
{
	free(limit);
}

static uint32_t *
chain_of(const struct limit *limit, const struct digest *key)
{
	uint32_t	hash;

	memcpy(&hash, key->bytes, sizeof(hash));
	return &limit->heads[hash % limit->max];
}

static uint32_t
find(const struct limit *limit, const struct digest *key)
{
	uint32_t	at = *chain_of(limit, key);

	while (at && memcmp(&limit->entries[at].key, key, sizeof(*key)) != 0)
		at = limit->entries[at].next;
	return at;
}

/* ---- the order of use ---- */

static void
unlink_entry(struct limit *limit, uint32_t at)
{
	struct limit_entry *entry = &limit->entries[at];

	if (entry->newer)
		limit->entries[entry->newer].older = entry->older;
	else
		limit->table->newest = entry->older;
	if (entry->older)
		limit->entries[entry->older].newer = entry->newer;
	else
		limit->table->oldest = entry->newer;
}

static void
link_newest(struct limit *limit, uint32_t at)
{
	struct limit_entry *entry = &limit->entries[at];

	entry->newer = 0;
	entry->older = limit->table->newest;
	if (limit->table->newest)
		limit->entries[limit->table->newest].newer = at;
	else
		limit->table->oldest = at;
	limit->table->newest = at;
}

static void
link_entry(struct limit *limit, uint32_t at)
{
	uint32_t   *head = chain_of(limit, &limit->entries[at].key);

	limit->entries[at].next = *head;
	*head = at;
	link_newest(limit, at);
}

/* An entry for somebody new: an unused one, or the oldest. */
static uint32_t
take_entry(struct limit *limit, const struct digest *key)
{
	uint32_t	at;
	uint32_t   *link;

	if (limit->table->used < limit->max)
		at = ++limit->table->used;
	else
	{
		at = limit->table->oldest;
		unlink_entry(limit, at);
		for (link = chain_of(limit, &limit->entries[at].key); *link != at;)
			link = &limit->entries[*link].next;
		*link = limit->entries[at].next;
	}
	limit->entries[at] = (struct limit_entry)
	{
		.key = *key
	};
	link_entry(limit, at);
	return at;
}

/* Who held the lock has died: make all links anew. */
static void
repair(struct limit *limit)
{
	memset(limit->heads, 0, sizeof(*limit->heads) * limit->max);
	limit->table->newest = 0;
	limit->table->oldest = 0;
	for (uint32_t at = 1; at <= limit->table->used; at++)
		link_entry(limit, at);
}

static void
take(struct limit *limit)
{
	if (!lock_take(&limit->table->lock))
		repair(limit);
}

static void
drop(struct limit *limit)
{
	lock_drop(&limit->table->lock);
}

/* ---- counting ---- */

static int64_t
wait_of(const struct limit *limit, const struct digest *key, int64_t now_ms)
{
	uint32_t	at = find(limit, key);
	int64_t		wait_ms;

	if (at == 0)
		return 0;
	wait_ms = limit->entries[at].full_ms - now_ms - (limit->per_minute - 1) * limit->token_ms;
	return wait_ms > 0 ? wait_ms : 0;
}

static void
count(struct limit *limit, const struct digest *key, int64_t now_ms)
{
	uint32_t	at = find(limit, key);
	struct limit_entry *entry;

	if (at == 0)
		at = take_entry(limit, key);
	else
	{
		unlink_entry(limit, at);
		link_newest(limit, at);
	}
	entry = &limit->entries[at];
	if (entry->full_ms < now_ms)
		entry->full_ms = now_ms;
	entry->full_ms += limit->token_ms;
	if (entry->full_ms > now_ms + LIMIT_DEBT_MS)
		entry->full_ms = now_ms + LIMIT_DEBT_MS;
}

/*
 * 0, or who this is has used up what there is, and for how long.
 */
int64_t
limit_wait_ms(struct limit *limit, const struct digest *key, int64_t now_ms)
{
	int64_t		wait_ms;

	if (limit->per_minute <= 0)
		return 0;
	take(limit);
	wait_ms = wait_of(limit, key, now_ms);
	drop(limit);
	return wait_ms;
}

/* It has happened once more. */
void
limit_count(struct limit *limit, const struct digest *key, int64_t now_ms)
{
	if (limit->per_minute <= 0)
		return;
	take(limit);
	count(limit, key, now_ms);
	drop(limit);
}

/*
 * Both in one step, where several workers could look before any of them counts:
 * 0, and it is counted; or for how long it must not happen.
 */
int64_t
limit_take_ms(struct limit *limit, const struct digest *key, int64_t now_ms)
{
	int64_t		wait_ms;

	if (limit->per_minute <= 0)
		return 0;
	take(limit);
	wait_ms = wait_of(limit, key, now_ms);
	if (wait_ms == 0)
		count(limit, key, now_ms);
	drop(limit);
	return wait_ms;
}
