/*
 * rows.c
 *		Reading what a query gave.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "rows.h"
#include "utils/array.h"

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

/* A column as text; NULL for NULL. */
char *
sp_rows_text(HeapTuple tuple, int column)
{
	return SPI_getvalue(tuple, SPI_tuptable->tupdesc, column);
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
