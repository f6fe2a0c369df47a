/*
 * net.h
 *		What a handful of ledger rows makes of a session's and its accounts' counts.
 *
 * Pure: no PostgreSQL but the integer types of c.h (see net.c).
 */
#ifndef SP_NET_H
#define SP_NET_H

#include <stdbool.h>
#include <stdint.h>

#define SP_COUNT_MAX	INT64_C(9007199254740991)	/* 2^53 - 1 */
#define SP_WHOLE		INT64_C(100000000)	/* 100 % */

/* What a ledger row says; stored in its column op. */
typedef enum SpOp
{
	SP_OP_PROCESSED = 'p',		/* add amount */
	SP_OP_DETECTED = 'd',
	SP_OP_ERROR = 'e',
	SP_OP_TOTAL = 't',
	SP_OP_COUNTER = 'c',		/* add amount to the counter named by label */
	SP_OP_SET_PROCESSED = 'P',	/* absolute value */
	SP_OP_SET_TOTAL = 'T',
	SP_OP_SET_MESSAGE = 'M',	/* label is the text */
	SP_OP_REPORT_COUNT = 'G',	/* processed is at least amount, see net.c */
	SP_OP_REPORT_SHARE = 'H',	/* likewise, amount of SP_WHOLE of the total */
	SP_OP_TABLE_PROCESSED = 'Q',	/* absolute, as a tracked table has it */
	SP_OP_TABLE_DETECTED = 'D',
	SP_OP_TABLE_ERROR = 'R',
	SP_OP_TABLE_TOTAL = 'U',	/* negative: unknown */
	SP_OP_STATUS = 'S',			/* label is the status */
	SP_OP_ATTRIBUTE = 'A',		/* amount: which, see follow.h; label: value */
	SP_OP_GONE = 'K',			/* the table's row was deleted */
	SP_OP_TOUCH = 'x',			/* changed by SQL: tell it; amount: slot
								 * flags, and whether it ended the run */
	SP_OP_REVOKED = 'X',		/* deleted, or another's: label is its stream */
	SP_OP_EVENT = 'E',			/* an owner's; amount: version, label: event.c */
} SpOp;

typedef struct SpRow
{
	int64_t		session;
	int64_t		account;		/* 0: none */
	int64_t		amount;
	int64_t		stamp;			/* time of the call, see ledger.c */
	const char *label;			/* or NULL */
	uint32_t	block;			/* where it lies: heap, block, offset */
	uint16_t	offset;
	uint8_t		heap;
	char		op;
} SpRow;

/* The counts of a session or of one of its accounts. */
typedef struct SpCounts
{
	int64_t		id;
	int64_t		processed;
	int64_t		detected;
	int64_t		error;
	int64_t		total;
	bool		has_total;
	int64_t		processed_set_at;	/* stamps of the newest absolute values */
	int64_t		total_set_at;
	int64_t		message_set_at; /* this and total_set_at negative: by a report */
	int64_t		detected_set_at;
	int64_t		error_set_at;
	const char *message;		/* the newest set in these rows, or NULL */
	const char *status;			/* likewise */
	bool		gone;			/* the newest says that its row is gone */
	int64_t		status_at;		/* stamp of these two */
} SpCounts;

/* The stamp in one of SpCounts' "set_at". */
static inline int64_t
sp_net_when(int64_t set_at)
{
	return set_at < 0 ? -set_at : set_at;
}

extern bool sp_net_is_progress(const SpRow *row);
extern bool sp_net_begins(const SpRow *row);
extern int64_t sp_net_add(int64_t a, int64_t b);
extern int	sp_net_compare(const void *a, const void *b);
extern void sp_net_apply(SpCounts *session, SpCounts *accounts, int naccounts,
						 const SpRow *rows, int nrows);

#endif							/* SP_NET_H */
