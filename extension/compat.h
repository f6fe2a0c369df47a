/*
 * compat.h
 *		Every difference between PostgreSQL versions, and nothing else.
 */
#ifndef SP_COMPAT_H
#define SP_COMPAT_H

#if PG_VERSION_NUM < 150000
#error "sync_progress needs PostgreSQL 15 or later"
#endif

#include "storage/proc.h"
#include "version.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 190000
#include "nodes/miscnodes.h"
#endif

/* A process is known by its number in the array of PGPROCs, which outlives it. */
#if PG_VERSION_NUM >= 170000
#define SpMyProcNumber()	((uint32) MyProcNumber)
#else
#define SpMyProcNumber()	((uint32) MyProc->pgprocno)
#endif

/* The number of the file that a table is in now; VACUUM FULL and TRUNCATE change it. */
#if PG_VERSION_NUM >= 160000
#define SpFileNumber(rel)	((uint32) (rel)->rd_locator.relNumber)
#else
#define SpFileNumber(rel)	((uint32) (rel)->rd_node.relNode)
#endif

/* Standbys' snapshots that do not see this transaction are in the way of what is logged next.  Includer: access/gist_private.h. */
#if PG_VERSION_NUM >= 160000
#define SpLogConflict(rel, xid)	gistXLogPageReuse((rel), (rel), 0, (xid))
#else
#define SpLogConflict(rel, xid)	gistXLogPageReuse((rel), 0, (xid))
#endif

/* Includer: utils/acl.h, catalog/pg_database.h, miscadmin.h. */
#if PG_VERSION_NUM >= 160000
#define SpOwnsDatabase(oid)	object_ownercheck(DatabaseRelationId, (oid), GetUserId())
#else
#define SpOwnsDatabase(oid)	pg_database_ownercheck((oid), GetUserId())
#endif

/* Includer: access/genam.h; for 19, access/tableam.h as well. */
#if PG_VERSION_NUM >= 190000
#define SpIndexBeginScan(rel, index, snapshot, nkeys)	index_beginscan((rel), (index), (snapshot), NULL, (nkeys), 0, SO_NONE)
#elif PG_VERSION_NUM >= 180000
#define SpIndexBeginScan(rel, index, snapshot, nkeys)	index_beginscan((rel), (index), (snapshot), NULL, (nkeys), 0)
#else
#define SpIndexBeginScan(rel, index, snapshot, nkeys)	index_beginscan((rel), (index), (snapshot), (nkeys), 0)
#endif

/* All rows.  Includer: access/tableam.h. */
#if PG_VERSION_NUM >= 190000
#define SpTableBeginScan(rel, snapshot)	table_beginscan((rel), (snapshot), 0, NULL, SO_NONE)
#else
#define SpTableBeginScan(rel, snapshot)	table_beginscan((rel), (snapshot), 0, NULL)
#endif

/* Includer: access/heapam.h. */
#if PG_VERSION_NUM >= 190000
#define SpHeapDelete(rel, tid, cid, failure)	heap_delete((rel), (tid), (cid), 0, InvalidSnapshot, true, (failure))
#else
#define SpHeapDelete(rel, tid, cid, failure)	heap_delete((rel), (tid), (cid), InvalidSnapshot, true, (failure), false)
#endif

/*
 * Pruning may pin the page of the visibility map that goes with it, which the
 * caller releases if so.  The page is about to be written to: it is not worth
 * being called all-visible.  Includer: access/heapam.h, storage/bufmgr.h.
 */
#if PG_VERSION_NUM >= 190000
#define SpHeapPrune(rel, buffer, map)	heap_page_prune_opt((rel), (buffer), (map), false)
#else
#define SpHeapPrune(rel, buffer, map)	((void) (map), heap_page_prune_opt((rel), (buffer)))
#endif

/* A table of "size" entries and no more.  Includer: storage/shmem.h. */
#if PG_VERSION_NUM >= 190000
#define SpShmemInitHash(name, size, info, flags)	ShmemInitHash((name), (size), (info), (flags))
#else
#define SpShmemInitHash(name, size, info, flags)	ShmemInitHash((name), (size), (size), (info), (flags))
#endif

/* Beyond the range is infinite.  Includer: utils/date.h, utils/timestamp.h. */
#if PG_VERSION_NUM >= 190000
#define SpTimestampToTz(value)	timestamp2timestamptz_safe((value), (Node *) &(ErrorSaveContext) {T_ErrorSaveContext})
#define SpDateToTz(value)		date2timestamptz_safe((value), (Node *) &(ErrorSaveContext) {T_ErrorSaveContext})
#else
#define SpTimestampToTz(value)	timestamp2timestamptz_opt_overflow((value), &(int) {0})
#define SpDateToTz(value)		date2timestamptz_opt_overflow((value), &(int) {0})
#endif

/* Its own macro for this is another one in each major version. */
#define SP_NORETURN __attribute__((noreturn))

/* Before 17 all that extensions wait for has one name.  Includer: utils/wait_event.h. */
#if PG_VERSION_NUM >= 170000
#define SpWaitEventNew(name)	WaitEventExtensionNew(name)
#else
#define SpWaitEventNew(name)	((void) (name), PG_WAIT_EXTENSION)
#endif

#define SpProcLatch(procno)	(&ProcGlobal->allProcs[(procno)].procLatch)

#if PG_VERSION_NUM >= 180000
#define SP_MODULE_MAGIC		PG_MODULE_MAGIC_EXT(.name = "sync_progress", .version = SP_VERSION)
#else
#define SP_MODULE_MAGIC		PG_MODULE_MAGIC
#endif

#endif							/* SP_COMPAT_H */
