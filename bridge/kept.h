/*
 * kept.h
 *		The latest notification of every stream while a query is under way.
 */
#ifndef KEPT_H
#define KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg.h"

#define KEPT_QUERIES_MAX	16

struct kept_entry
{
	char	   *stream;
	uint64_t	seq;			/* of the latest notification */
	uint64_t	revoked_seq;	/* of the latest revocation, 0: none */
	uint64_t	hint_seq;		/* of the latest one whose data is not used */
	uint64_t	event_seq;		/* of the latest event */
	int64_t		version;		/* the highest one told by the worker */
	bool		final;
	struct msg *payload;		/* of that version; NULL: left out */
	struct kept_entry *older;
	struct kept_entry *newer;
};

enum kept_kind
{
	KEPT_STATE,
	KEPT_REVOKED,
	KEPT_HINT,
	KEPT_EVENT
};

struct kept;

struct kept *kept_create(size_t max) must_check;
void		kept_free(struct kept *kept);
uint64_t	kept_begin(struct kept *kept) must_check;
void		kept_end(struct kept *kept, uint64_t begin_seq);
void		kept_note(struct kept *kept, enum kept_kind kind, const char *stream,
					  int64_t version, bool final, struct msg *payload);
const struct kept_entry *kept_find(const struct kept *kept, const char *stream);
bool		kept_is_complete(const struct kept *kept, uint64_t begin_seq);
size_t		kept_count(const struct kept *kept);

#endif							/* KEPT_H */
