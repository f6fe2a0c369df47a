/*
 * general.h
 *		The payload of kind "sync": the general form, with accounts.
 */
#ifndef SP_GENERAL_H
#define SP_GENERAL_H

#include "fmgr.h"
#include "state.h"

extern char *sp_general_payload(SpState *state, TupleTableSlot *session, bool compact, int64 *version);
extern void sp_general_check(const SpCatalog *catalog, Oid user);
extern Datum sync_progress_general_payload(PG_FUNCTION_ARGS);

#endif							/* SP_GENERAL_H */
