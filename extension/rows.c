/*
 * rows.c
 *		Reading what a query gave.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "rows.h"
#include "utils/array.h"
#include "utils/lsyscache.h"

/* The place of one of the extension's own columns. */
int
sp_rows_column(TupleDesc desc, const char *name)
{
	int			number = SPI_fnumber(desc, name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" is missing", name),
				 errhint("The tables of extension \"sync_progress\" are not to be altered.")));
	return number;
}

/* A bigint column of a row in SPI_tuptable; 0 for NULL.  isnull may be NULL. */
int64
sp_rows_int64(HeapTuple tuple, int column, bool *isnull)
{
	bool		null;
	Datum		value = SPI_getbinval(tuple, SPI_tuptable->tupdesc, column, &null);

	if (isnull != NULL)
		*isnull = null;
	return null ? 0 : DatumGetInt64(value);
}

/* A column that is a row's place, and never NULL. */
void
sp_rows_tid(HeapTuple tuple, int column, ItemPointer tid)
{
	bool		isnull;

	*tid = *(ItemPointer) DatumGetPointer(SPI_getbinval(tuple, SPI_tuptable->tupdesc, column, &isnull));
}

/* A column as text; NULL for NULL. */
char *
sp_rows_text(HeapTuple tuple, int column)
{
	return SPI_getvalue(tuple, SPI_tuptable->tupdesc, column);
}

/* Counts from a row's first ten columns, SP_SESSION_COUNTS or SP_ACCOUNT_COUNTS. */
void
sp_rows_counts(HeapTuple tuple, SpCounts *counts)
{
	bool		isnull;

	counts->id = sp_rows_int64(tuple, 1, NULL);
	counts->processed = sp_rows_int64(tuple, 2, NULL);
	counts->detected = sp_rows_int64(tuple, 3, NULL);
	counts->error = sp_rows_int64(tuple, 4, NULL);
	counts->total = sp_rows_int64(tuple, 5, &isnull);
	counts->has_total = !isnull;
	counts->processed_set_at = sp_rows_int64(tuple, 6, NULL);
	counts->total_set_at = sp_rows_int64(tuple, 7, NULL);
	counts->message_set_at = sp_rows_int64(tuple, 8, NULL);
	counts->detected_set_at = sp_rows_int64(tuple, 9, NULL);
	counts->error_set_at = sp_rows_int64(tuple, 10, NULL);
	counts->message = NULL;
}

/* An argument bigint[]. */
Datum
sp_rows_ids(const int64 *ids, int count)
{
	Datum	   *datums = palloc(Max(count, 1) * sizeof(Datum));

	for (int i = 0; i < count; i++)
		datums[i] = Int64GetDatum(ids[i]);
	return PointerGetDatum(construct_array(datums, count, INT8OID, sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/* An argument that is an array of this type. */
Datum
sp_rows_array(Oid type, Datum *values, bool *nulls, int count)
{
	Oid			element = get_element_type(type);
	int			lower = 1;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(element, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(values, nulls, 1, &count, &lower, element, length, by_value, align));
}
