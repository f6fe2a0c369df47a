/*
 * shared.h
 *		Shared memory: what the backends, the workers and the launcher of a
 *		server tell each other about the databases that use the extension.
 */
#ifndef SP_SHARED_H
#define SP_SHARED_H

#include "datatype/timestamp.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "storage/spin.h"

/* For what many processes write at a time: no two in one cache line. */
#define SP_CACHE_ALIGNED	__attribute__((aligned(64)))

#define SP_MAX_DATABASES	64	/* databases with the extension in one server */
#define SP_HEAPS			16	/* heaps in the ledger's ring */
#define SP_NO_PROC			PG_UINT32_MAX
#define SP_LATENCY_BUCKETS	80	/* quarter powers of two of a microsecond */
#define SP_ERROR_LENGTH		256
#define SP_FUNCTION_LENGTH	256
#define SP_STARTS			8	/* a worker's last starts that are remembered */

/* Versions and the wire count microseconds since 1970. */
#define sp_unix_us(timestamp) \
	((int64) (timestamp) + ((int64) POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* What a worker has done; written by it alone, reset by anybody. */
typedef struct SpStats
{
	int64		folds;			/* transactions that folded something */
	int64		fold_us;		/* time in them */
	int64		last_fold_us;
	int64		increments;		/* ledger rows folded */
	int64		notifications;
	int64		suppressed;		/* commits that got no message of their own */
	int64		discarded;		/* ledger rows of sessions that are gone */
	int64		backed_off;		/* folds put off: locked or failing */
	int64		backed_off_locked;	/* of these: somebody holds the row */
	int64		backed_off_failed;	/* the fold failed */
	int64		backed_off_untold;	/* the payload or the NOTIFY did */
	int64		backed_off_unknown; /* there is no such session yet */
	int64		eta_sessions;	/* completed ones whose estimates were
								 * compared */
	int64		eta_marks;		/* their estimates */
	int64		eta_within_25;	/* those within 25 % of the truth */
	double		eta_error;		/* sum of their relative errors */
	double		eta_bias;		/* sum of ln(estimate / truth) */
	int			blocked_by;		/* pid that last held a session up, or 0 */
	int64		blocked_session;	/* which one, or 0 */
	TimestampTz blocked_at;		/* when that was found last */
	TimestampTz last_error_at;
	char		last_error[SP_ERROR_LENGTH];
	uint32		latency[SP_LATENCY_BUCKETS];	/* due to NOTIFY committed */
	uint32		fold_latency[SP_LATENCY_BUCKETS];	/* a fold's transaction */
	TimestampTz reset_at;
} SpStats;

/*
 * A database that has the extension: (database, relation) with relation the
 * OID of its sync_sessions, so that an extension that was dropped and created
 * again shares nothing with its predecessor.
 */
typedef struct SpDatabase
{
	/* Set and cleared with the lock held exclusively. */
	Oid			database;		/* InvalidOid: free */
	Oid			relation;

	pg_atomic_uint32 worker_proc;	/* who is in office (office.c);
									 * SP_NO_PROC: nobody */
	pg_atomic_uint32 worker_pid;	/* the worker's while it serves, else 0 */
	pg_atomic_uint64 passed_by; /* ended, and left counts to who is in office */
	pg_atomic_uint32 wanted;	/* the launcher is to keep a worker here */
	pg_atomic_uint32 attached;	/* bridges that listen */
	pg_atomic_uint64 wake_at;	/* the worker looks then at the latest; 0:
								 * soon */
	pg_atomic_uint32 live_closed;	/* nobody is to flush what is counted live */
	pg_atomic_uint64 live_fallbacks;	/* calls in live mode that were not */
	pg_atomic_uint32 current_heap;
	pg_atomic_uint32 dirty_heaps;	/* bit per heap with rows committed */
	pg_atomic_uint32 sweep;		/* look everywhere: a mark may have been lost */
	pg_atomic_uint32 messages;	/* rows that are messages are committed */
	pg_atomic_uint64 beat;		/* the worker's last turn */
	pg_atomic_uint32 starts;	/* of workers; the last ones are in started */
	pg_atomic_uint64 started[SP_STARTS];
	pg_atomic_uint64 stamp_floor;	/* newest stamp of an absolute value */

	/* What lies before scan_from needs no fold (see ledger.c). */
	pg_atomic_uint32 scan_from[SP_HEAPS];
	pg_atomic_uint32 scan_file[SP_HEAPS];	/* in this file of the heap */
	pg_atomic_uint32 fold_xid[SP_HEAPS];	/* newest fold that deleted there */

	/* How long each was made for writers to come, see room.c. */
	pg_atomic_uint32 room_to[SP_HEAPS];
	pg_atomic_uint64 page_begun_at; /* in any of them, the last time */

	pg_atomic_uint64 flush_wanted;
	pg_atomic_uint64 flush_done;
	ConditionVariable flushed;

	/* See setback.c; the text is under stats_lock. */
	pg_atomic_uint32 setbacks;	/* workers in a row that ended by an error */
	pg_atomic_uint32 answers;	/* workers that came to know what is here */
	char		setback[SP_ERROR_LENGTH];

	/* The payload function at work, the worker's alone; see tell.c. */
	char		telling[SP_FUNCTION_LENGTH];

	slock_t		stats_lock;
	SpStats		stats;
} SpDatabase;

typedef struct SpShared
{
	LWLock	   *lock;			/* who has which entry and slot */
	pg_atomic_uint32 launcher_proc;
	pg_atomic_uint32 leftover;	/* there is a file of counts (leftover.c) */
	SpDatabase	databases[SP_MAX_DATABASES];
} SpShared;

extern PGDLLIMPORT SpShared *sp_shared; /* NULL: not preloaded */

extern void sp_shared_request(void);
extern void sp_shared_attach(void);
extern void sp_shared_require(void);
extern void sp_shared_require_primary(const char *function);
extern void sp_shared_require_writable(const char *function);
extern SpDatabase *sp_shared_database(Oid relation);
extern SpDatabase *sp_shared_entry(Oid oid, Oid relation);
extern void sp_shared_disown_others(Oid relation);
extern void sp_shared_wake_worker(SpDatabase *database);
extern void sp_shared_wake_launcher(void);
extern Size sp_shared_memory(void);
extern bool sp_shared_note_error(SpDatabase *database, char *error);
extern void sp_shared_note_latency(uint32 *buckets, int64 us);
extern double sp_shared_latency_ms(const uint32 *buckets, double quantile);

#endif							/* SP_SHARED_H */
