/*
 * fold.h
 *		One batch of due sessions: ledger rows into the tables, and what to tell.
 */
#ifndef SP_FOLD_H
#define SP_FOLD_H

#include "cell.h"
#include "eta.h"
#include "ledger.h"
#include "slot.h"

#define SP_FOLD_BATCH	256		/* sessions whose rows are locked at a time */

typedef enum SpOutcome
{
	SP_OUTCOME_NOTHING,			/* nothing to fold, nothing to tell */
	SP_OUTCOME_FOLDED,			/* folded; message is set */
	SP_OUTCOME_LOCKED,			/* somebody holds its row: a later turn */
	SP_OUTCOME_UNKNOWN,			/* ledger rows, but no session (yet) */
	SP_OUTCOME_FAILED,			/* the fold failed and was undone */
	SP_OUTCOME_UNTOLD,			/* folded, but its payload failed */
	SP_OUTCOME_FLUSHED,			/* folded, and not told: see quiet */
	SP_OUTCOME_PUT_OFF,			/* folded, its payload not tried before
								 * retry_at */
	SP_OUTCOME_ENDING,			/* left to the next turn: see fold.c */
} SpOutcome;

/* Whether the fold was done, or found nothing to do. */
#define sp_outcome_is_folded(outcome) \
	((outcome) != SP_OUTCOME_LOCKED && (outcome) != SP_OUTCOME_FAILED && (outcome) != SP_OUTCOME_UNKNOWN && \
	 (outcome) != SP_OUTCOME_ENDING)

/* A session whose turn it is. */
typedef struct SpDue
{
	int64		session;
	SpSlot	   *slot;			/* pinned; NULL when there was no room */
	uint32		flags;			/* taken from the slot */
	uint64		pending;
	uint64		marks;
	TimestampTz since;			/* when it became due */
	bool		discard;		/* deleted, or unknown for long: its rows go */
	bool		quiet;			/* to be flushed, but not its turn to be told */
	bool		at_exit;		/* the worker ends: there is no later turn */

	const SpRow *rows;			/* its rows, in the order of sp_net_compare() */
	int			nrows;

	SpOutcome	outcome;
	bool		progressed;		/* rows other than touches */
	bool		restatus;		/* the fold changed its status */
	bool		ended;			/* the run had, when its row was locked */
	bool		gone;			/* the fold deleted it */
	SpEtaScore	score;			/* of its estimates, if it saw it completed */
	SpCellSum  *sums;			/* of its cells, read before the ledger */
	int			nsums;
	bool		summed;			/* they were */
	TransactionId fold_xid;		/* that the fold was in */
	char	   *owner;			/* FOLDED: whose it is */
	char	   *payload_function;	/* and who says what is told */
	bool		untellable;		/* its payload alone failed */
	TimestampTz retry_at;
	SpThrottle	throttle;		/* of its kind; every_count 0: not known */
	char	   *message;		/* for NOTIFY, or NULL */
	int			blocked_by;		/* LOCKED: the holder's pid, or 0 */
} SpDue;

extern void sp_fold_batch(const SpCatalog *catalog, SpDatabase *database, SpDue *due, int ndue,
						  MemoryContext context, char *error, size_t error_size);

#endif							/* SP_FOLD_H */
