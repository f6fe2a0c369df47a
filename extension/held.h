/*
 * held.h
 *		The rows of sessions and accounts that a fold has locked.
 */
#ifndef SP_HELD_H
#define SP_HELD_H

#include "eta.h"
#include "executor/spi.h"
#include "fold.h"

#define SP_SESSION_VALUES	16	/* columns that a fold writes, the id, the
								 * place */

/* A session's row, locked. */
typedef struct SpHeldSession
{
	SpCounts	counts;
	ItemPointerData tid;		/* of the version that is locked, or was
								 * written since */
	SpStatus	status;
	SpPace		pace;
	TimestampTz started_at;
	TimestampTz completed_at;	/* 0: not yet */
	int64		version;		/* that the fold gives it */
	char	   *owner;
	char	   *payload_function;
	bytea	   *live;			/* how much of its cells it has, or NULL */
	SpDue	   *due;
	const SpRow *rows;			/* of the ledger, and of its cells */
	int			nrows;
	Datum	   *values;			/* to write; NULL: nothing */
	bool		nulls[SP_SESSION_VALUES];
	bool		begins;			/* they count: a pending run is one no more */
} SpHeldSession;

/* What else is known of an account's row, locked. */
typedef struct SpHeldAccount
{
	int64		session;
	SpStatus	status;
	int64		processed_before;
	SpTempo		tempo;
} SpHeldAccount;

/* A query, prepared once. */
typedef struct SpStatement
{
	const char *text;			/* %s: the schema */
	int			nargs;
	Oid			args[SP_SESSION_VALUES];
	SPIPlanPtr	plan;
} SpStatement;

extern void sp_held_run(const SpCatalog *catalog, SpStatement *query, Datum *args, const char *nulls, int expected);
extern void sp_held_not_written(const char *what, int64 id);
extern SpHeldSession *sp_held_sessions(const SpCatalog *catalog, SpDatabase *database,
									   SpDue *due, int ndue, int *nsessions);
extern SpCounts *sp_held_accounts(const SpCatalog *catalog, SpHeldSession *sessions, int nsessions,
								  SpHeldAccount **accounts, int *naccounts);
extern void sp_held_note_session(const SpCatalog *catalog, SpHeldSession *session,
								 int64 processed_before, TimestampTz now);
extern void sp_held_write_sessions(const SpCatalog *catalog, const SpHeldSession *sessions, int nsessions);
extern void sp_held_write_account(const SpCatalog *catalog, const SpCounts *counts,
								  SpHeldAccount *account, const SpHeldSession *session, TimestampTz now);

#endif							/* SP_HELD_H */
