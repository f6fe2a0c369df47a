/*
 * pairs.h
 *		The distinct questions of one batch.
 */
#ifndef PAIRS_H
#define PAIRS_H

#include <stdbool.h>

#include "hub.h"

#define PAIRS_MAX	256

struct ask_list
{
	struct hub_sub *first;
	struct hub_sub *last;
	int			count;
};

struct ask_pair
{
	struct istr *identifier;
	struct istr *claims;
	bool		is_answered;
	struct ask_list subs;
};

/* A batch as the parameters of its query. */
struct pairs_text
{
	struct buf	identifiers;
	struct buf	claims;
	struct buf	who;
};

void		pairs_push(struct ask_list *list, struct hub_sub *sub);
void		pairs_forget(struct hub_sub *sub);
int			pairs_take(struct ask_pair *pairs, int max, struct ask_list *waiting);
void		pairs_write(const struct ask_pair *pairs, int count, struct pairs_text *text);
void		pairs_text_free(struct pairs_text *text);
void		pairs_free(struct ask_pair *pairs, int count);

#endif							/* PAIRS_H */
