/*
 * state.h
 *		Sessions as they are told: rows, accounts and kinds, under one snapshot.
 */
#ifndef SP_STATE_H
#define SP_STATE_H

#include "catalog.h"
#include "columns.h"
#include "executor/tuptable.h"

/* A row of sync_kinds. */
typedef struct SpKind
{
	char	   *name;
	SpThrottle	throttle;
	int64		stall_after_us;
	char	   *payload_function;
} SpKind;

typedef struct SpState SpState;

extern SpState *sp_state_open(const SpCatalog *catalog);
extern const SpCatalog *sp_state_catalog(const SpState *state);
extern void sp_state_close(SpState *state);
extern TupleTableSlot *sp_state_session(SpState *state, int64 session);
extern void sp_state_begin_accounts(SpState *state);
extern TupleTableSlot *sp_state_account(SpState *state);
extern int64 sp_state_version(SpState *state);
extern char *sp_state_text(TupleTableSlot *row, int column);
extern bool sp_state_has_successor(SpState *state);
extern TupleTableSlot *sp_state_lock(SpState *state, int64 session);
extern const SpKind *sp_state_kind(SpState *state, TupleTableSlot *session);

#define sp_state_int64(row, column)	(DatumGetInt64((row)->tts_values[column]))
#define sp_state_is_null(row, column)	((row)->tts_isnull[column])

#endif							/* SP_STATE_H */
