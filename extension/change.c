/*
 * change.c
 *		What a changed row of a tracked table leaves in the ledger.
 *
 * Absolute values of what has changed, and of nothing else: what increments
 * have added to another count stays.  All with the stamp of one call, so that
 * they win over what was called before and lose to what is called later.
 */
#include "postgres.h"

#include "change.h"
#include "follow.h"
#include "mark.h"
#include "utils/builtins.h"

/* Whether both rows say the same in a field. */
bool
sp_change_same(const SpTableRow *a, const SpTableRow *b, SpField field)
{
	const char *x = a->values[field];
	const char *y = b->values[field];

	return x == y || (x != NULL && y != NULL && strcmp(x, y) == 0);
}

void
sp_change_add(SpChange *change, char op, int64 amount, const char *label)
{
	SpRow	   *row = &change->rows[change->nrows++];

	Assert(change->nrows <= SP_CHANGE_ROWS);
	row->op = op;
	row->amount = amount;
	row->label = label;
}

/* Adds a row for a field, if it has changed; old NULL: all have. */
static void
add_count(SpChange *change, const SpMapping *mapping, const SpTableRow *old, const SpTableRow *new, SpField field, char op)
{
	const char *value = new->values[field];

	if ((mapping->columns[field].name == NULL && mapping->columns[SP_FIELD_PROGRESS].name == NULL) ||
		(old != NULL && sp_change_same(old, new, field)))
		return;
	if (value == NULL)
		sp_change_add(change, op, -1, NULL);
	else
		sp_change_add(change, op, strtoi64(value, NULL, 10), NULL);
	if (field == SP_FIELD_PROCESSED && old != NULL)
		change->processed = Max(strtoi64(value, NULL, 10) - strtoi64(old->values[field], NULL, 10), 0);
}

static void
add_attribute(SpChange *change, const SpMapping *mapping, const SpTableRow *old, const SpTableRow *new, SpField field, SpAttribute attribute)
{
	if (mapping->columns[field].name == NULL || (old != NULL && sp_change_same(old, new, field)))
		return;
	sp_change_add(change, SP_OP_ATTRIBUTE, attribute, new->values[field]);
	if (attribute == SP_ATTRIBUTE_ERROR)
		change->flags |= SP_SLOT_URGENT;
}

/* What has changed from one row to another, or (old NULL) all that a row says. */
void
sp_change_compare(const SpMapping *mapping, const SpTableRow *old, const SpTableRow *new, SpChange *change)
{
	const char *status = new->values[SP_FIELD_STATUS];
	bool		restatus = status != NULL && (old == NULL || !sp_change_same(old, new, SP_FIELD_STATUS));

	memset(change, 0, sizeof(SpChange));
	add_count(change, mapping, old, new, SP_FIELD_PROCESSED, SP_OP_TABLE_PROCESSED);
	if (mapping->columns[SP_FIELD_PROGRESS].name == NULL)
	{
		add_count(change, mapping, old, new, SP_FIELD_TOTAL, SP_OP_TABLE_TOTAL);
		add_count(change, mapping, old, new, SP_FIELD_DETECTED, SP_OP_TABLE_DETECTED);
		add_count(change, mapping, old, new, SP_FIELD_ERROR, SP_OP_TABLE_ERROR);
	}
	else if (old == NULL)
		sp_change_add(change, SP_OP_TABLE_TOTAL, 100, NULL);
	add_attribute(change, mapping, old, new, SP_FIELD_TITLE, SP_ATTRIBUTE_TITLE);
	add_attribute(change, mapping, old, new, SP_FIELD_ERROR_MESSAGE, SP_ATTRIBUTE_ERROR);
	if (mapping->parts)
		add_attribute(change, mapping, old, new, SP_FIELD_EMAIL, SP_ATTRIBUTE_MESSAGE);
	else
	{
		add_attribute(change, mapping, old, new, SP_FIELD_MESSAGE, SP_ATTRIBUTE_MESSAGE);
		add_attribute(change, mapping, old, new, SP_FIELD_OWNER, SP_ATTRIBUTE_OWNER);
		add_attribute(change, mapping, old, new, SP_FIELD_RESULT, SP_ATTRIBUTE_RESULT);
		add_attribute(change, mapping, old, new, SP_FIELD_STARTED, SP_ATTRIBUTE_STARTED);
		add_attribute(change, mapping, old, new, SP_FIELD_COMPLETED, SP_ATTRIBUTE_COMPLETED);
	}

	/*
	 * a part's status goes with its counts, or reaching its total would
	 * complete it; a session's does not, or it would undo a pause
	 */
	if (restatus || (mapping->parts && status != NULL && change->nrows > 0 && mapping->columns[SP_FIELD_STATUS].name != NULL))
		sp_change_add(change, SP_OP_STATUS, 0, status);
	if (restatus)
		change->flags |= SP_SLOT_URGENT;
}

/* Writes the rows and remembers to tell. */
void
sp_change_write(const SpCatalog *catalog, int64 session, int64 account, SpChange *change)
{
	SpDatabase *database = sp_shared_database(catalog->sessions);
	int64		stamp = sp_ledger_stamp(database);
	int			heap;

	if (change->nrows == 0)
		return;
	for (int i = 0; i < change->nrows; i++)
	{
		change->rows[i].session = session;
		change->rows[i].account = account;
		change->rows[i].stamp = stamp;
	}
	heap = sp_ledger_insert(catalog, database, change->rows, change->nrows);
	if (database != NULL)
	{
		SpMark	   *mark = sp_mark_session(catalog, database, session);

		sp_ledger_raise_floor(database, stamp);
		sp_mark_heap(database, heap);
		mark->counted = true;
		mark->flags |= change->flags;
		mark->processed += change->processed;
		for (int i = 0; i < change->nrows; i++)
			sp_mark_absolute(mark, change->rows[i].op);
	}
}
