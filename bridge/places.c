/*
 * places.c
 *		How many are connected, in all and from each place, to all workers.
 *
 * A table in shared memory, under one lock: whether there is room and that it
 * is taken are one step, so that a limit is exact however many workers accept
 * at the same time.
 *
 * Each worker counts for itself, in each entry and in all, and the sum is what
 * is limited.  So what a worker held that was killed can be told from the rest:
 * the supervisor clears its counts before there is another in its place.  There
 * is no number that is kept beside its parts, and so none that could disagree.
 *
 * A worker may be killed while it changes the table.  Then the chains are not
 * to be trusted any more, but the entries are: a count is set last and cleared
 * first, so one that is not 0 belongs to an entry that is whole.  The next who
 * takes the lock makes all chains anew from them.
 *
 * An entry exists as long as somebody is connected from there.  It stays where
 * it is, and the table has room for as many as there can be connections.
 */
#include "places.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "digest.h"
#include "lock.h"
#include "shared.h"

#define PLACES_WAIT_MS	20		/* of the supervisor's time */

/* The entry 0 is nobody's: a link to it is the end. */
struct places_entry
{
	struct digest key;
	uint32_t	next;			/* in its chain, or among the free ones */
};

/* What lies in shared memory; heads, entries and counts come behind. */
struct places_table
{
	struct lock lock;
	uint32_t	used;			/* entries above have never been one */
	uint32_t	free;			/* first of those that are not any more */
	uint32_t	total[];		/* of each worker */
};

struct places
{
	struct places_table *table;
	uint32_t	max;
	int			workers;
	uint32_t   *heads;			/* "max" chains */
	struct places_entry *entries;	/* max + 1 */
	uint32_t   *counts;			/* (max + 1) * workers */
};

/* There can be so many places.  Before the workers are forked. */
struct places *
places_create(int max)
{
	struct places *places = mem_zalloc(sizeof(*places));

	places->max = (uint32_t) max;
	places->workers = shared_workers();
	places->table = shared_alloc(sizeof(*places->table) +
								 sizeof(uint32_t) * (size_t) places->workers);
	places->heads = shared_alloc(sizeof(*places->heads) * places->max);
	places->entries = shared_alloc(sizeof(*places->entries) * (places->max + 1));
	places->counts = shared_alloc(sizeof(*places->counts) * (places->max + 1) *
								  (size_t) places->workers);
	lock_init(&places->table->lock);
	return places;
}

/* The table stays: it is the others', too. */
void
places_free(struct places *places)
{
	free(places);
}

/* ---- counts ---- */

static uint32_t
get(const uint32_t *count)
{
	return __atomic_load_n(count, __ATOMIC_RELAXED);
}

static void
set(uint32_t *count, uint32_t value)
{
	__atomic_store_n(count, value, __ATOMIC_SEQ_CST);
}

static uint32_t
sum(const struct places *places, const uint32_t *counts)
{
	uint32_t	all = 0;

	for (int i = 0; i < places->workers; i++)
		all += get(&counts[i]);
	return all;
}

static uint32_t *
counts_of(const struct places *places, uint32_t at)
{
	return &places->counts[(size_t) at * (size_t) places->workers];
}

/* ---- the table ---- */

static uint32_t *
chain_of(const struct places *places, const struct digest *key)
{
	uint32_t	hash;

	memcpy(&hash, key->bytes, sizeof(hash));
	return &places->heads[hash % places->max];
}

static void
link_entry(struct places *places, uint32_t at)
{
	uint32_t   *head = chain_of(places, &places->entries[at].key);

	places->entries[at].next = *head;
	*head = at;
}

static void
free_entry(struct places *places, uint32_t at)
{
	places->entries[at].next = places->table->free;
	places->table->free = at;
}

/* Who held the lock has died: make the chains anew. */
static void
repair(struct places *places)
{
	memset(places->heads, 0, sizeof(*places->heads) * places->max);
	places->table->free = 0;
	for (uint32_t at = 1; at <= places->table->used; at++)
		if (sum(places, counts_of(places, at)) > 0)
			link_entry(places, at);
		else
			free_entry(places, at);
}

static void
take(struct places *places)
{
	if (!lock_take(&places->table->lock))
		repair(places);
}

static void
drop(struct places *places)
{
	lock_drop(&places->table->lock);
}

static uint32_t
find(const struct places *places, const struct digest *key)
{
	uint32_t	at = *chain_of(places, key);

	while (at && memcmp(&places->entries[at].key, key, sizeof(*key)) != 0)
		at = places->entries[at].next;
	return at;
}

/* The entry of this place, found or made; 0: there is no room for another. */
static uint32_t
obtain(struct places *places, const struct digest *key)
{
	uint32_t	at = find(places, key);

	if (at)
		return at;
	at = places->table->free;
	if (at)
		places->table->free = places->entries[at].next;
	else if (places->table->used < places->max)
		at = ++places->table->used;
	else
		return 0;
	places->entries[at].key = *key;
	link_entry(places, at);
	return at;
}

/* Nobody is there any more. */
static void
discard(struct places *places, uint32_t at)
{
	uint32_t   *link = chain_of(places, &places->entries[at].key);

	while (*link != at)
		link = &places->entries[*link].next;
	*link = places->entries[at].next;
	free_entry(places, at);
}

/* One more from there, unless there are too many. */
static enum places_answer
add(struct places *places, const struct digest *key, int max_here)
{
	uint32_t	at = obtain(places, key);
	uint32_t   *counts = counts_of(places, at);

	if (at == 0)
		return PLACES_FULL;
	if (max_here > 0 && sum(places, counts) >= (uint32_t) max_here)
		return PLACES_CROWDED;
	counts += shared_worker();
	set(counts, get(counts) + 1);
	return PLACES_ENTERED;
}

static void
subtract(struct places *places, const struct digest *key)
{
	uint32_t	at = find(places, key);
	uint32_t   *count = counts_of(places, at) + shared_worker();

	if (at == 0 || get(count) == 0)
		abort();
	set(count, get(count) - 1);
	if (sum(places, counts_of(places, at)) == 0)
		discard(places, at);
}

/* ---- for the workers ---- */

/*
 * Somebody has come.  Below "max" in all and, if that is not 0, "max_here" from
 * there they are counted, until they leave.
 */
enum places_answer
places_enter(struct places *places, const void *name, size_t len, int max, int max_here)
{
	struct digest key = digest_of('p', name, len);
	uint32_t   *own = &places->table->total[shared_worker()];
	enum places_answer answer = PLACES_FULL;

	take(places);
	if (sum(places, places->table->total) < (uint32_t) max)
		answer = add(places, &key, max_here);
	if (answer == PLACES_ENTERED)
		set(own, get(own) + 1);
	drop(places);
	return answer;
}

/*
 * Who was counted as from the one place is from the other.  False: there are
 * too many there, and nothing has changed.
 */
bool
places_move(struct places *places, const void *from, const void *to, size_t len,
			int max_here)
{
	struct digest key_from = digest_of('p', from, len);
	struct digest key_to = digest_of('p', to, len);
	bool		has_moved;

	take(places);
	has_moved = add(places, &key_to, max_here) == PLACES_ENTERED;
	if (has_moved)
		subtract(places, &key_from);
	drop(places);
	return has_moved;
}

void
places_leave(struct places *places, const void *name, size_t len)
{
	struct digest key = digest_of('p', name, len);
	uint32_t   *own = &places->table->total[shared_worker()];

	take(places);
	subtract(places, &key);
	set(own, get(own) - 1);
	drop(places);
}

/* How many are there in all? */
int
places_count(const struct places *places)
{
	return (int) sum(places, places->table->total);
}

/* How many are from there? */
int
places_here(struct places *places, const void *name, size_t len)
{
	struct digest key = digest_of('p', name, len);
	uint32_t	at;
	int			here;

	take(places);
	at = find(places, &key);
	here = at ? (int) sum(places, counts_of(places, at)) : 0;
	drop(places);
	return here;
}

/* ---- for the supervisor ---- */

/*
 * A worker has ended, and nobody else is in its place yet.  False: somebody keeps
 * the table to himself, and nothing has changed; to be tried again.
 */
bool
places_worker_gone(struct places *places, int worker)
{
	enum lock_state state = lock_take_within(&places->table->lock, PLACES_WAIT_MS);

	if (state == LOCK_BUSY)
		return false;
	if (state == LOCK_TAKEN_BROKEN)
		repair(places);
	set(&places->table->total[worker], 0);
	for (uint32_t at = 1; at <= places->table->used; at++)
	{
		uint32_t   *counts = counts_of(places, at);

		if (get(&counts[worker]) == 0)
			continue;
		set(&counts[worker], 0);
		if (sum(places, counts) == 0)
			discard(places, at);
	}
	drop(places);
	return true;
}
