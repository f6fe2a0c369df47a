/*
 * event.h
 *		What happens to an owner's list of sessions, as messages in the ledger.
 */
#ifndef SP_EVENT_H
#define SP_EVENT_H

#include "executor/tuptable.h"
#include "ledger.h"

#define SP_EVENTS_EACH	10		/* of one owner in a statement; more: reload */

/* The list events of one statement. */
typedef struct SpEvents SpEvents;

extern SpEvents *sp_events_begin(const SpCatalog *catalog, SpDatabase *database);
extern void sp_events_add(SpEvents *events, TupleTableSlot *old, TupleTableSlot *new);
extern void sp_events_add_reloaded(SpEvents *events, const char *owner, int64 count);
extern void sp_events_end(SpEvents *events);

extern void sp_event_revoked(const SpCatalog *catalog, SpDatabase *database, int64 session, const char *stream);
extern void sp_event_disconnect(const SpCatalog *catalog, SpDatabase *database, const char *owner, bool reconnect);
extern char *sp_event_message(const SpRow *row, TimestampTz now);

#endif							/* SP_EVENT_H */
