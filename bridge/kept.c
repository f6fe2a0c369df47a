/*
 * kept.c
 *		The latest notification of every stream while a query is under way.
 *
 * A subscription's stream is known only when the database has answered.  A
 * notification that arrives after the query's snapshot was taken and before its
 * answer has been applied would find no watcher: if it was the last one of
 * its run, the bar would stand still for ever.  So from kept_begin() to
 * kept_end() everything is noted here by name, watched or not, and whoever
 * applies the answer takes the newer of the two.
 *
 * Everything that happens has a number from one sequence.  An entry is needed
 * while a query is under way that began before it; entries are in the order of
 * their latest number, so what is no longer needed goes from the old end.
 * The table is bounded: when it is full the oldest entry goes, and a query that
 * began before that entry is told so and asks again.
 */
#include "kept.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct kept
{
	void	   *root;			/* tree of entries by stream */
	struct kept_entry *oldest;
	struct kept_entry *newest;
	size_t		count;
	size_t		max;
	uint64_t	seq;
	uint64_t	lost_seq;		/* the latest number that was thrown out */
	uint64_t	begun[KEPT_QUERIES_MAX];	/* 0: free */
};

static int
kept_compare(const void *left, const void *right)
{
	const struct kept_entry *a = left;
	const struct kept_entry *b = right;

	return strcmp(a->stream, b->stream);
}

struct kept *
kept_create(size_t max)
{
	struct kept *kept = mem_zalloc(sizeof(*kept));

	kept->max = max;
	return kept;
}

static void
kept_unlink(struct kept *kept, struct kept_entry *entry)
{
	if (entry->older)
		entry->older->newer = entry->newer;
	else
		kept->oldest = entry->newer;
	if (entry->newer)
		entry->newer->older = entry->older;
	else
		kept->newest = entry->older;
}

static void
kept_push(struct kept *kept, struct kept_entry *entry)
{
	entry->newer = NULL;
	entry->older = kept->newest;
	if (kept->newest)
		kept->newest->newer = entry;
	else
		kept->oldest = entry;
	kept->newest = entry;
}

static void
kept_remove(struct kept *kept, struct kept_entry *entry)
{
	tdelete(entry, &kept->root, kept_compare);
	kept_unlink(kept, entry);
	kept->count--;
	msg_drop(entry->payload);
	free(entry->stream);
	free(entry);
}

void
kept_free(struct kept *kept)
{
	while (kept->oldest)
		kept_remove(kept, kept->oldest);
	free(kept);
}

/*
 * A query is about to be sent.  Returns its number, to be given back to
 * kept_end() when its answer has been applied or it was given up; 0 if there
 * are too many under way.
 */
uint64_t
kept_begin(struct kept *kept)
{
	for (int i = 0; i < KEPT_QUERIES_MAX; i++)
	{
		if (kept->begun[i] == 0)
		{
			kept->begun[i] = ++kept->seq;
			return kept->begun[i];
		}
	}
	return 0;
}

void
kept_end(struct kept *kept, uint64_t begin_seq)
{
	uint64_t	first = UINT64_MAX;

	for (int i = 0; i < KEPT_QUERIES_MAX; i++)
	{
		if (kept->begun[i] == begin_seq)
			kept->begun[i] = 0;
		else if (kept->begun[i] != 0 && kept->begun[i] < first)
			first = kept->begun[i];
	}
	while (kept->oldest && kept->oldest->seq < first)
		kept_remove(kept, kept->oldest);
}

static bool
kept_has_query(const struct kept *kept)
{
	for (int i = 0; i < KEPT_QUERIES_MAX; i++)
		if (kept->begun[i] != 0)
			return true;
	return false;
}

static struct kept_entry *
kept_entry_for(struct kept *kept, const char *stream)
{
	struct kept_entry key = {.stream = (char *) (uintptr_t) stream};
	void	   *node = tfind(&key, &kept->root, kept_compare);
	struct kept_entry *entry;

	if (node)
	{
		entry = *(struct kept_entry **) node;
		kept_unlink(kept, entry);
		kept_push(kept, entry);
		return entry;
	}

	if (kept->count >= kept->max)
	{
		kept->lost_seq = kept->oldest->seq;
		kept_remove(kept, kept->oldest);
	}
	entry = mem_zalloc(sizeof(*entry));
	entry->stream = mem_strdup(stream);
	if (tsearch(entry, &kept->root, kept_compare) == NULL)
		abort();
	kept_push(kept, entry);
	kept->count++;
	return entry;
}

/*
 * Note one notification.  Does nothing while no query is under way.
 */
void
kept_note(struct kept *kept, enum kept_kind kind, const char *stream,
		  int64_t version, bool final, struct msg *payload)
{
	struct kept_entry *entry;

	if (!kept_has_query(kept))
		return;

	entry = kept_entry_for(kept, stream);
	entry->seq = ++kept->seq;
	switch (kind)
	{
		case KEPT_REVOKED:
			entry->revoked_seq = entry->seq;
			break;
		case KEPT_HINT:
			entry->hint_seq = entry->seq;
			break;
		case KEPT_EVENT:
			entry->event_seq = entry->seq;
			break;
		case KEPT_STATE:
			if (version <= entry->version)
				break;
			msg_drop(entry->payload);
			entry->payload = msg_hold(payload);
			entry->version = version;
			entry->final = final;
			break;
	}
}

const struct kept_entry *
kept_find(const struct kept *kept, const char *stream)
{
	struct kept_entry key = {.stream = (char *) (uintptr_t) stream};
	void	   *node = tfind(&key, &kept->root, kept_compare);

	return node ? *(struct kept_entry **) node : NULL;
}

/* Is everything still here that has happened since the query began? */
bool
kept_is_complete(const struct kept *kept, uint64_t begin_seq)
{
	return kept->lost_seq < begin_seq;
}

size_t
kept_count(const struct kept *kept)
{
	return kept->count;
}
