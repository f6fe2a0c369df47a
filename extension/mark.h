/*
 * mark.h
 *		What the running transaction will tell the worker when it commits.
 */
#ifndef SP_MARK_H
#define SP_MARK_H

#include "catalog.h"

/* A session that this transaction counts or changes. */
typedef struct SpMark
{
	int64		session;
	SpSlot	   *slot;			/* pinned; NULL: no room, the sweep finds it */
	int64		processed;		/* what it adds, for the throttle */
	uint32		flags;			/* SP_SLOT_URGENT … */
	bool		counted;		/* it has something for the worker */
	bool		restatus;		/* it changes the status (or the row's being) */
	uint8		absolute;		/* fields that it sets to absolute values */
} SpMark;

extern void sp_mark_init(void);
extern SpMark *sp_mark_session(const SpCatalog *catalog, SpDatabase *database, int64 session);
extern SpMark *sp_mark_find(int64 session);
extern void sp_mark_heap(SpDatabase *database, int heap);
extern void sp_mark_message(SpDatabase *database);
extern void sp_mark_truncated(SpDatabase *database);
extern void sp_mark_absolute(SpMark *mark, char op);
extern bool sp_mark_is_absolute(const SpMark *mark, char op);
extern void sp_mark_changed(SpMark *mark, uint32 flags);

#endif							/* SP_MARK_H */
