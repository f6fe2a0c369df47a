/*
 * locked.h
 *		The last version of a row, locked and then changed by an application's call.
 */
#ifndef SP_LOCKED_H
#define SP_LOCKED_H

#include "catalog.h"
#include "compat.h"
#include "executor/tuptable.h"
#include "fmgr.h"
#include "nodes/lockoptions.h"

extern TupleTableSlot *sp_locked_row(Relation rel, Oid index, int64 id, LockTupleMode mode);
extern Datum sp_locked_value(TupleTableSlot *slot, const char *column, bool *isnull);
extern char *sp_locked_text(TupleTableSlot *slot, const char *column);
extern void sp_locked_run(const SpCatalog *catalog, const char *query, int expected,
						  int nargs, Oid *types, Datum *args, const char *nulls);
extern void SP_NORETURN sp_locked_no_session(FunctionCallInfo fcinfo);

#endif							/* SP_LOCKED_H */
