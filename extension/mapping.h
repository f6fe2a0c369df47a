/*
 * mapping.h
 *		Which column of an application's table says what, and its rows in our words.
 */
#ifndef SP_MAPPING_H
#define SP_MAPPING_H

#include "access/attnum.h"
#include "access/tupdesc.h"

/* What a column may say, in the order of the keys in mapping.c. */
typedef enum SpField
{
	SP_FIELD_ID,
	SP_FIELD_SESSION,			/* a part's: the id of what it is part of */
	SP_FIELD_OWNER,
	SP_FIELD_TITLE,				/* a part's name */
	SP_FIELD_EMAIL,
	SP_FIELD_STATUS,
	SP_FIELD_MESSAGE,
	SP_FIELD_ERROR_MESSAGE,
	SP_FIELD_RESULT,
	SP_FIELD_TOTAL,
	SP_FIELD_PROCESSED,
	SP_FIELD_DETECTED,
	SP_FIELD_ERROR,
	SP_FIELD_PROGRESS,
	SP_FIELD_STARTED,
	SP_FIELD_COMPLETED,
	SP_FIELD_CREATED,
	SP_FIELDS
} SpField;

/* A table's column that says something. */
typedef struct SpColumn
{
	char	   *name;			/* NULL: none does */
	AttrNumber	number;			/* where it was last */
	Oid			type;
	Oid			base;			/* what the type's domain, if it is one, is
								 * over */
} SpColumn;

typedef struct SpMapping
{
	bool		parts;			/* of accounts, not of sessions */
	SpColumn	columns[SP_FIELDS];
	int			nstatuses;		/* status_map: the table's words, and ours */
	char	  **theirs;
	char	  **ours;
} SpMapping;

/*
 * A row, in our words: statuses and counts as the extension's tables have
 * them, times in ISO 8601.  NULL: nothing.
 */
typedef struct SpTableRow
{
	const char *values[SP_FIELDS];
	const char *unknown;		/* its status, if we have no word for it */
} SpTableRow;

extern SpMapping *sp_mapping_parse(const char *json);
extern void sp_mapping_resolve(SpMapping *mapping, TupleDesc desc, const char *table);
extern const char *sp_mapping_key(const SpMapping *mapping, SpField field);
extern const char *sp_mapping_status(const SpMapping *mapping, const char *status);
extern void sp_mapping_read(const SpMapping *mapping, Datum *values, bool *nulls, SpTableRow *facts);
extern void sp_mapping_warn(const SpMapping *mapping, const SpTableRow *facts);

#endif							/* SP_MAPPING_H */
