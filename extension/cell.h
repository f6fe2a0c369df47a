/*
 * cell.h
 *		Counters in shared memory: what live mode adds to.
 */
#ifndef SP_CELL_H
#define SP_CELL_H

#include "net.h"
#include "slot.h"

/* One field's count of a session, or of one of its accounts. */
typedef struct SpCell
{
	/* What an increment touches, in one cache line. */
	pg_atomic_uint64 state;		/* generation << 32 | pins, see cell.c */
	pg_atomic_uint64 sum;		/* of all that was ever added, modulo 2^64 */
	SpSlot	   *slot;			/* pinned by the cell */
	int64		session;
	int64		account;		/* 0: none */
	Oid			database;		/* InvalidOid: free; under the lock */
	Oid			relation;
	char		op;				/* an SpOp that adds */

	char		name[NAMEDATALEN];	/* of a named counter, else empty */
	int64		serial;			/* no other cell ever has the same */
	int64		opened_at;		/* stamp of the call that made it */
	int			next_of_slot;	/* -1: none; under the lock, as are these */
	int			next_of_bucket; /* also of the free list */
	bool		closed;			/* an absolute value came after it */
	bool		gone;			/* its session is: not to be counted */

	/* The worker's alone, hints: the truth is in the session's row. */
	int64		flushed;		/* of the sum, how much the row has */
	int64		base;			/* and had when it knew nothing of the cell */
	TransactionId flushed_by;	/* the fold that did it last */
	int64		seen;			/* the sum when it last moved */
	TimestampTz seen_at;
} SP_CACHE_ALIGNED SpCell;

/* A copy of what a cell had. */
typedef struct SpCellSum
{
	SpCell	   *cell;
	int64		serial;
	int64		session;
	int64		account;
	int64		opened_at;
	int64		sum;
	int64		flushed;
	int64		base;
	TransactionId flushed_by;
	bool		is_new;			/* to the row */
	char		op;
	char		name[NAMEDATALEN];
} SpCellSum;

/* Spreads a key's bits over a hash (the finalizer of MurmurHash3). */
static inline uint64
sp_cell_mix(uint64 h)
{
	h ^= h >> 33;
	h *= UINT64CONST(0xff51afd7ed558ccd);
	h ^= h >> 33;
	h *= UINT64CONST(0xc4ceb9fe1a85ec53);
	h ^= h >> 33;
	return h;
}

extern Size sp_cell_memory(void);
extern void sp_cell_attach(bool found);
extern uint64 sp_cell_boot(void);
extern int64 sp_cell_last_serial(void);
extern void sp_cell_continue(uint64 boot, int64 last_serial);
extern SpCell *sp_cell_next_unflushed(int *position);
extern SpCell *sp_cell_pin(SpDatabase *database, SpSlot *slot, const SpRow *row, uint32 *generation);
extern SpCell *sp_cell_by_number(int number);
extern int	sp_cell_number(const SpCell *cell);
extern bool sp_cell_repin(SpCell *cell, uint32 generation);
extern void sp_cell_unpin(SpCell *cell);
extern void sp_cell_close(SpSlot *slot);
extern void sp_cell_discard(SpDatabase *database, const SpSlot *slot);
extern SpCellSum *sp_cell_sums(SpDatabase *database, const SpSlot *slot, int *count);
extern int	sp_cell_tidy(SpDatabase *database, TimestampTz now);
extern void sp_cell_settle(SpDatabase *database);
extern int	sp_cell_count(SpDatabase *database);

#endif							/* SP_CELL_H */
