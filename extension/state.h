/*
 * state.h
 *		Sessions as they are told: rows, accounts and kinds, under one snapshot.
 */
#ifndef SP_STATE_H
#define SP_STATE_H

#include "catalog.h"
#include "executor/tuptable.h"

/* Columns in the order of the extension's script, from 0. */
enum
{
	SP_SESSIONS_ID,
	SP_SESSIONS_JOB_ID,
	SP_SESSIONS_KIND,
	SP_SESSIONS_SOURCE_ID,
	SP_SESSIONS_OWNER_ID,
	SP_SESSIONS_TITLE,
	SP_SESSIONS_PINNED,
	SP_SESSIONS_STATUS,
	SP_SESSIONS_MESSAGE,
	SP_SESSIONS_ERROR_MESSAGE,
	SP_SESSIONS_RESULT_URL,
	SP_SESSIONS_TOTAL_COUNT,
	SP_SESSIONS_PROCESSED_COUNT,
	SP_SESSIONS_DETECTED_COUNT,
	SP_SESSIONS_ERROR_COUNT,
	SP_SESSIONS_COUNTERS,
	SP_SESSIONS_STARTED_AT,
	SP_SESSIONS_COMPLETED_AT,
	SP_SESSIONS_CREATED_AT,
	SP_SESSIONS_UPDATED_AT,
	SP_SESSIONS_VERSION,
	SP_SESSIONS_LOCK_VERSION,
	SP_SESSIONS_PROCESSED_SET_AT,
	SP_SESSIONS_TOTAL_SET_AT,
	SP_SESSIONS_MESSAGE_SET_AT,
	SP_SESSIONS_PACE,
	SP_SESSIONS_DETECTED_SET_AT,
	SP_SESSIONS_ERROR_SET_AT,
	SP_SESSIONS_LIVE
};

enum
{
	SP_ACCOUNTS_ID,
	SP_ACCOUNTS_SYNC_SESSION_ID,
	SP_ACCOUNTS_NAME,
	SP_ACCOUNTS_EMAIL,
	SP_ACCOUNTS_POSITION,
	SP_ACCOUNTS_STATUS,
	SP_ACCOUNTS_TOTAL_COUNT,
	SP_ACCOUNTS_PROCESSED_COUNT,
	SP_ACCOUNTS_DETECTED_COUNT,
	SP_ACCOUNTS_ERROR_COUNT,
	SP_ACCOUNTS_ERROR_MESSAGE,
	SP_ACCOUNTS_VERSION,
	SP_ACCOUNTS_PROCESSED_SET_AT,
	SP_ACCOUNTS_TOTAL_SET_AT,
	SP_ACCOUNTS_DETECTED_SET_AT,
	SP_ACCOUNTS_ERROR_SET_AT,
	SP_ACCOUNTS_SOURCE_ID,
	SP_ACCOUNTS_PACE
};

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
