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
 * Keys are salted digests of whatever names somebody, so each has the same
 * size, and nobody can choose names that fall into one chain.  The table has a
 * bound: beyond it the bucket that was used longest ago goes, the likeliest to
 * be full again.  Links are indices and not pointers, so that the table
 * can lie in memory that several processes share.
 *
 * Pure: the caller says what time it is.
 */
#include "limit.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT_MINUTE_MS	60000
#define LIMIT_DEBT_MS	(10 * LIMIT_MINUTE_MS)
#define LIMIT_SALT_BYTES 16

/* The entry 0 is nobody's: a link to it is the end. */
struct limit_entry
{
	struct limit_key key;
	int64_t		full_ms;
	uint32_t	next;			/* in the chain */
	uint32_t	newer;
	uint32_t	older;
};

struct limit
{
	int			per_minute;		/* 0: no limit */
	int64_t		token_ms;
	uint8_t		salt[LIMIT_SALT_BYTES];
	uint32_t	max;
	uint32_t	used;
	uint32_t	newest;
	uint32_t	oldest;
	uint32_t   *heads;			/* "max" chains */
	struct limit_entry *entries;	/* max + 1 */
};

struct limit *
limit_create(int per_minute, int keys_max)
{
	struct limit *limit = mem_zalloc(sizeof(*limit));

	limit->per_minute = per_minute;
	limit->token_ms = per_minute > 0 ? LIMIT_MINUTE_MS / per_minute : 0;
	limit->max = (uint32_t) keys_max;
	limit->heads = mem_zalloc(sizeof(*limit->heads) * limit->max);
	limit->entries = mem_zalloc(sizeof(*limit->entries) * (limit->max + 1));
	if (RAND_bytes(limit->salt, sizeof(limit->salt)) != 1)
		abort();
	return limit;
}

void
limit_free(struct limit *limit)
{
	free(limit->heads);
	free(limit->entries);
	free(limit);
}

/*
 * The key of whom these bytes name; names of different kinds never meet.
 */
struct limit_key
limit_key(const struct limit *limit, char kind, const void *bytes, size_t len)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char digest[EVP_MAX_MD_SIZE];
	struct limit_key key;

	if (context == NULL || !EVP_DigestInit_ex(context, EVP_sha256(), NULL) ||
		!EVP_DigestUpdate(context, limit->salt, sizeof(limit->salt)) ||
		!EVP_DigestUpdate(context, &kind, 1) ||
		!EVP_DigestUpdate(context, bytes, len) ||
		!EVP_DigestFinal_ex(context, digest, NULL))
		abort();
	EVP_MD_CTX_free(context);
	memcpy(key.bytes, digest, sizeof(key.bytes));
	return key;
}

static uint32_t *
chain_of(const struct limit *limit, const struct limit_key *key)
{
	uint32_t	hash;

	memcpy(&hash, key->bytes, sizeof(hash));
	return &limit->heads[hash % limit->max];
}

static uint32_t
find(const struct limit *limit, const struct limit_key *key)
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
		limit->newest = entry->older;
	if (entry->older)
		limit->entries[entry->older].newer = entry->newer;
	else
		limit->oldest = entry->newer;
}

static void
link_newest(struct limit *limit, uint32_t at)
{
	struct limit_entry *entry = &limit->entries[at];

	entry->newer = 0;
	entry->older = limit->newest;
	if (limit->newest)
		limit->entries[limit->newest].newer = at;
	else
		limit->oldest = at;
	limit->newest = at;
}

/* An entry for somebody new: an unused one, or the oldest. */
static uint32_t
take_entry(struct limit *limit, const struct limit_key *key)
{
	uint32_t	at;
	uint32_t   *link;

	if (limit->used < limit->max)
		at = ++limit->used;
	else
	{
		at = limit->oldest;
		unlink_entry(limit, at);
		for (link = chain_of(limit, &limit->entries[at].key); *link != at;)
			link = &limit->entries[*link].next;
		*link = limit->entries[at].next;
	}
	link = chain_of(limit, key);
	limit->entries[at] = (struct limit_entry)
	{
		.key = *key, .next = *link
	};
	*link = at;
	link_newest(limit, at);
	return at;
}

/* ---- counting ---- */

/*
 * 0, or who this is has used up what there is, and for how long.
 */
int64_t
limit_wait_ms(const struct limit *limit, const struct limit_key *key, int64_t now_ms)
{
	uint32_t	at = limit->per_minute > 0 ? find(limit, key) : 0;
	int64_t		wait_ms;

	if (at == 0)
		return 0;
	wait_ms = limit->entries[at].full_ms - now_ms - (limit->per_minute - 1) * limit->token_ms;
	return wait_ms > 0 ? wait_ms : 0;
}

/* It has happened once more. */
void
limit_count(struct limit *limit, const struct limit_key *key, int64_t now_ms)
{
	uint32_t	at;
	struct limit_entry *entry;

	if (limit->per_minute <= 0)
		return;
	at = find(limit, key);
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
