/*
 * pairs.c
 *		The distinct questions of one batch.
 *
 * Whether a subscription is allowed depends on its claims and its identifier
 * and on nothing else, so all subscriptions that share both are one row of the
 * query.  Both are interned: a pair is two pointers.
 *
 * A subscription is in one list at a time, and can be taken out of it without
 * knowing which.
 */
#include "pairs.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>

/* Put the subscription at the end; it must be in no list. */
void
pairs_push(struct ask_list *list, struct hub_sub *sub)
{
	sub->ask_home = list;
	sub->ask_next = NULL;
	sub->ask_prev = list->last;
	if (list->last)
		list->last->ask_next = sub;
	else
		list->first = sub;
	list->last = sub;
	list->count++;
}

/* No question about this subscription is to be answered any more. */
void
pairs_forget(struct hub_sub *sub)
{
	struct ask_list *list = sub->ask_home;

	if (list == NULL)
		return;
	if (sub->ask_prev)
		sub->ask_prev->ask_next = sub->ask_next;
	else
		list->first = sub->ask_next;
	if (sub->ask_next)
		sub->ask_next->ask_prev = sub->ask_prev;
	else
		list->last = sub->ask_prev;
	sub->ask_home = NULL;
	list->count--;
}

static int
pairs_compare(const void *left, const void *right)
{
	const struct ask_pair *a = left;
	const struct ask_pair *b = right;

	if (a->identifier != b->identifier)
		return (uintptr_t) a->identifier < (uintptr_t) b->identifier ? -1 : 1;
	if (a->claims != b->claims)
		return (uintptr_t) a->claims < (uintptr_t) b->claims ? -1 : 1;
	return 0;
}

static void
pairs_keep_node(void *node)
{
	(void) node;
}

/*
 * Move waiting subscriptions to pairs, as many as have a place in them.  Returns
 * how many pairs there are now.
 */
int
pairs_take(struct ask_pair *pairs, int max, struct ask_list *waiting)
{
	void	   *tree = NULL;
	int			count = 0;

	while (waiting->first)
	{
		struct hub_sub *sub = waiting->first;
		struct ask_pair key = {.identifier = sub->identifier, .claims = sub->claims};
		void	   *node = tfind(&key, &tree, pairs_compare);
		struct ask_pair *pair;

		if (node)
			pair = *(struct ask_pair **) node;
		else
		{
			if (count >= max)
				break;
			pair = &pairs[count++];
			pair->identifier = intern_hold(sub->identifier);
			pair->claims = intern_hold(sub->claims);
			if (tsearch(pair, &tree, pairs_compare) == NULL)
				abort();
		}
		pairs_forget(sub);
		sub->ask_again = false;
		pairs_push(&pair->subs, sub);
	}
	tdestroy(tree, pairs_keep_node);
	return count;
}

/*
 * Write the pairs as three array literals: the identifiers, the distinct claims,
 * and for each identifier which of these.
 */
void
pairs_write(const struct ask_pair *pairs, int count, struct pairs_text *text)
{
	const struct istr *distinct[PAIRS_MAX];
	int			distinct_count = 0;

	buf_reset(&text->identifiers);
	buf_reset(&text->claims);
	buf_reset(&text->who);
	buf_add_text(&text->identifiers, "{");
	buf_add_text(&text->claims, "{");
	buf_add_text(&text->who, "{");
	for (int i = 0; i < count; i++)
	{
		const struct ask_pair *pair = &pairs[i];
		int			who = 0;

		while (who < distinct_count && distinct[who] != pair->claims)
			who++;
		if (who == distinct_count)
		{
			distinct[distinct_count++] = pair->claims;
			buf_add_array_item(&text->claims, pair->claims->bytes, pair->claims->len);
		}
		buf_add_array_item(&text->identifiers, pair->identifier->bytes,
						   pair->identifier->len);
		buf_printf(&text->who, "%s%d", i > 0 ? "," : "", who + 1);
	}
	buf_add_text(&text->identifiers, "}");
	buf_add_text(&text->claims, "}");
	buf_add_text(&text->who, "}");
}

void
pairs_text_free(struct pairs_text *text)
{
	buf_free(&text->identifiers);
	buf_free(&text->claims);
	buf_free(&text->who);
}

/* The subscriptions must have been moved elsewhere. */
void
pairs_free(struct ask_pair *pairs, int count)
{
	for (int i = 0; i < count; i++)
	{
		intern_drop(pairs[i].identifier);
		intern_drop(pairs[i].claims);
	}
	free(pairs);
}
