/*
 * rows.h
 *		Reading what a query gave.
 */
#ifndef SP_ROWS_H
#define SP_ROWS_H

#include "executor/spi.h"

extern int64 sp_rows_int64(HeapTuple tuple, int column, bool *isnull);
extern char *sp_rows_text(HeapTuple tuple, int column);
extern Datum sp_rows_ids(const int64 *ids, int count);

#endif							/* SP_ROWS_H */
