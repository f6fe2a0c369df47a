/*
 * rows.h
 *		Reading what a query gave.
 */
#ifndef SP_ROWS_H
#define SP_ROWS_H

#include "executor/spi.h"
#include "net.h"

/* What sp_rows_counts() reads, of sessions and of accounts. */
#define SP_SESSION_COUNTS	"id, processed_count, detected_count, error_count, total_count, processed_set_at, total_set_at, message_set_at, detected_set_at, error_set_at"
#define SP_ACCOUNT_COUNTS	"id, processed_count, detected_count, error_count, total_count, processed_set_at, total_set_at, 0::bigint, detected_set_at, error_set_at"

#define SP_COUNT_COLUMNS	10

extern int	sp_rows_column(TupleDesc desc, const char *name);
extern int64 sp_rows_int64(HeapTuple tuple, int column, bool *isnull);
extern void sp_rows_tid(HeapTuple tuple, int column, ItemPointer tid);
extern char *sp_rows_text(HeapTuple tuple, int column);
extern void sp_rows_counts(HeapTuple tuple, SpCounts *counts);
extern Datum sp_rows_ids(const int64 *ids, int count);
extern Datum sp_rows_array(Oid type, Datum *values, bool *nulls, int count);

#endif							/* SP_ROWS_H */
