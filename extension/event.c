/*
 * event.c
 *		What happens to an owner's list of sessions, as messages in the ledger.
 *
 * A session that is made, renamed, pinned or deleted is told on its owner's
 * stream, each time, with what lists show of it.  The statement that does it
 * leaves a row for each event in the ledger (told.c tells them), so an event
 * is committed or rolled back with its cause.  Its stamp is the row's new
 * version: the order of telling is the order of the changes.
 *
 * A statement that makes many events for one owner leaves one that asks to
 * read the list again: nobody wants ten thousand messages of a bulk load.
 *
 * That an owner is to be disconnected goes the same way.
 *
 * A row's label is the event's type, the owner and the data, a line each.  Only
 * the owner may have line breaks in it, for in JSON they are escaped.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "event.h"
#include "mark.h"
#include "payload.h"
#include "rows.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "utils/uuid.h"

#define DISCONNECT		"disconnect"	/* a type, of no list */

/* The events of one owner. */
typedef struct OwnerEvents
{
	char	   *owner;			/* the key */
	struct OwnerEvents *next;	/* as they came */
	int64		count;
	bool		many;			/* told as one, without the rows */
	SpRow		rows[SP_EVENTS_EACH];
} OwnerEvents;

struct SpEvents
{
	const SpCatalog *catalog;
	SpDatabase *database;
	MemoryContext context;
	HTAB	   *owners;			/* NULL: no event yet */
	OwnerEvents *first;
	OwnerEvents *last;
};

static uint32
hash_owner(const void *key, Size size)
{
	const char *owner = *(char *const *) key;

	return hash_bytes((const unsigned char *) owner, (int) strlen(owner));
}

static int
match_owner(const void *a, const void *b, Size size)
{
	return strcmp(*(char *const *) a, *(char *const *) b);
}

/* Begin to collect, in the current memory context. */
SpEvents *
sp_events_begin(const SpCatalog *catalog, SpDatabase *database)
{
	SpEvents   *events = palloc0(sizeof(SpEvents));

	events->catalog = catalog;
	events->database = database;
	events->context = CurrentMemoryContext;
	return events;
}

static OwnerEvents *
events_of(SpEvents *events, char *owner)
{
	OwnerEvents *of;
	bool		found;

	if (events->owners == NULL)
	{
		HASHCTL		info = {
			.keysize = sizeof(char *), .entrysize = sizeof(OwnerEvents),
			.hash = hash_owner, .match = match_owner, .hcxt = events->context
		};

		events->owners = hash_create("sync_progress events", 16, &info,
									 HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
	}
	of = hash_search(events->owners, &owner, HASH_ENTER, &found);
	if (found)
		return of;
	of->owner = MemoryContextStrdup(events->context, owner);
	of->next = NULL;
	of->count = 0;
	of->many = false;
	if (events->last == NULL)
		events->first = of;
	else
		events->last->next = of;
	events->last = of;
	return of;
}

static Datum
get(TupleTableSlot *slot, const char *column, bool *isnull)
{
	return slot_getattr(slot, sp_rows_column(slot->tts_tupleDescriptor, column), isnull);
}

static char *
get_text(TupleTableSlot *slot, const char *column)
{
	bool		isnull;
	Datum		value = get(slot, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* A column that cannot be NULL. */
static Datum
get_value(TupleTableSlot *slot, const char *column)
{
	bool		isnull;

	return get(slot, column, &isnull);
}

static bool
same_text(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static void
add(SpEvents *events, const char *type, TupleTableSlot *slot, int64 version, int64 stamp)
{
	OwnerEvents *of = events_of(events, get_text(slot, "owner_id"));
	SpRow	   *row;
	SpFacts		facts;
	char	   *label;

	of->many |= ++of->count > SP_EVENTS_EACH;
	if (of->many)
		return;
	facts.session = DatumGetInt64(get_value(slot, "id"));
	facts.job_id = DatumGetCString(DirectFunctionCall1(uuid_out, get_value(slot, "job_id")));
	facts.kind = get_text(slot, "kind");
	facts.source_id = get_text(slot, "source_id");
	facts.title = get_text(slot, "title");
	facts.pinned = DatumGetBool(get_value(slot, "pinned"));
	facts.status = get_text(slot, "status");
	facts.lock_version = DatumGetInt32(get_value(slot, "lock_version"));
	facts.version = version;

	label = psprintf("%s\n%s\n%s", type, of->owner, sp_payload_facts(&facts));
	row = &of->rows[of->count - 1];
	memset(row, 0, sizeof(SpRow));
	row->session = facts.session;
	row->op = SP_OP_EVENT;
	row->amount = version;
	row->stamp = stamp;
	row->label = MemoryContextStrdup(events->context, label);
}

/*
 * Add what became of one session: made (old NULL), deleted (new NULL) or
 * changed.  What is allocated on the way is the caller's to forget.
 */
void
sp_events_add(SpEvents *events, TupleTableSlot *old, TupleTableSlot *new)
{
	int64		now = sp_unix_us(GetCurrentTimestamp());
	int64		version = DatumGetInt64(get_value(new != NULL ? new : old, "version"));

	if (new == NULL)
	{
		version = Max(version + 1, now);
		add(events, "session_deleted", old, version, version);
	}
	else if (old == NULL)
		/* a restored row has an old version, and comes after its deletion */
		add(events, "session_created", new, version, Max(version, now));
	else if (!same_text(get_text(old, "owner_id"), get_text(new, "owner_id")) ||
			 get_value(old, "id") != get_value(new, "id"))
	{
		add(events, "session_deleted", old, version, version);
		add(events, "session_created", new, version, version);
	}
	else
	{
		if (!same_text(get_text(old, "title"), get_text(new, "title")))
			add(events, "session_renamed", new, version, version);
		if (get_value(old, "pinned") != get_value(new, "pinned"))
			add(events, "session_pinned", new, version, version);
	}
}

/* Add so many events of an owner at once, which will be told as one. */
void
sp_events_add_reloaded(SpEvents *events, const char *owner, int64 count)
{
	OwnerEvents *of = events_of(events, pstrdup(owner));

	of->count += count;
	of->many = true;
}

/* Write what was collected into the ledger. */
void
sp_events_end(SpEvents *events)
{
	if (events->first == NULL)
		return;
	for (OwnerEvents *of = events->first; of != NULL; of = of->next)
	{
		SpRow		reloaded = {.op = SP_OP_EVENT};
		int			heap;

		if (of->many)
		{
			reloaded.amount = reloaded.stamp = sp_unix_us(GetCurrentTimestamp());
			reloaded.label = psprintf("sessions_reloaded\n%s\n{\"count\":" INT64_FORMAT "}", of->owner, of->count);
		}
		heap = sp_ledger_insert(events->catalog, events->database,
								of->many ? &reloaded : of->rows, of->many ? 1 : (int) of->count);
		if (events->database != NULL)
			sp_mark_heap(events->database, heap);
	}
	if (events->database != NULL)
		sp_mark_message(events->database);
}

/* Write a message that is no event of a list into the ledger; its stamp is the time. */
static void
leave_message(const SpCatalog *catalog, SpDatabase *database, SpRow *row)
{
	int			heap;

	row->stamp = sp_unix_us(GetCurrentTimestamp()); /* comparable with
													 * versions */
	if (row->op == SP_OP_EVENT)
		row->amount = row->stamp;
	heap = sp_ledger_insert(catalog, database, row, 1);
	if (database == NULL)
		return;
	sp_mark_heap(database, heap);
	sp_mark_message(database);
}

/* Who watches the stream must be asked again whether they may, or what instead. */
void
sp_event_revoked(const SpCatalog *catalog, SpDatabase *database, int64 session, const char *stream)
{
	SpRow		row = {.session = session, .op = SP_OP_REVOKED, .label = stream};

	leave_message(catalog, database, &row);
}

/* Whoever is connected with a token of this owner must go (and come again, or not). */
void
sp_event_disconnect(const SpCatalog *catalog, SpDatabase *database, const char *owner, bool reconnect)
{
	SpRow		row = {.op = SP_OP_EVENT};

	row.label = psprintf(DISCONNECT "\n%s\n{\"reconnect\":%s}", owner, reconnect ? "true" : "false");
	leave_message(catalog, database, &row);
}

/* The message that a row is. */
char *
sp_event_message(const SpRow *row, TimestampTz now)
{
	char	   *type = pstrdup(row->label == NULL ? "" : row->label);
	char	   *owner = strchr(type, '\n');
	char	   *data = strrchr(type, '\n');

	if (owner == NULL || owner == data)
		return NULL;			/* nothing that we wrote */
	*owner++ = '\0';
	*data++ = '\0';
	if (strcmp(type, DISCONNECT) == 0)
		return sp_payload_disconnect(owner, row->amount, data, now);
	return sp_payload_event(owner, row->amount, type, data, now);
}
