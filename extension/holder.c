/*
 * holder.c
 *		Who holds a session's row, so that it cannot be folded.
 *
 * By the row itself, not by the lock table: a row lock is nowhere else.  It may be
 * a savepoint's, several transactions' at a time, or a prepared one's, which has
 * no process.  It waits for no lock.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/multixact.h"
#include "access/relscan.h"
#include "access/subtrans.h"
#include "access/table.h"
#include "access/transam.h"
#include "executor/tuptable.h"
#include "holder.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

/* The transaction that this one is part of, if it goes on; else InvalidTransactionId. */
static TransactionId
get_running(TransactionId xid)
{
	if (!TransactionIdIsNormal(xid) || !TransactionIdIsInProgress(xid))
		return InvalidTransactionId;
	return TransactionIdPrecedes(xid, TransactionXmin) ? xid : SubTransGetTopmostTransaction(xid);
}

/* Of several that hold the row, one that a fold has to wait for. */
static TransactionId
get_member(MultiXactId multi)
{
	MultiXactMember *members;
	int			nmembers = GetMultiXactIdMembers(multi, &members, false, false);
	TransactionId holder = InvalidTransactionId;

	for (int i = 0; i < nmembers && !TransactionIdIsValid(holder); i++)
	{
		if (members[i].status != MultiXactStatusForKeyShare)
			holder = get_running(members[i].xid);
	}
	return holder;
}

/*
 * Who holds a row against a fold, which takes it FOR NO KEY UPDATE;
 * InvalidTransactionId: nobody.
 *
 * Whoever locks the row meanwhile writes what kind of holder it is and which one
 * one after the other, and a transaction looked up as several is an error.
 */
static TransactionId
read_holder(SysScanDesc scan, HeapTuple tuple)
{
	Buffer		buffer = ((BufferHeapTupleTableSlot *) scan->slot)->buffer;
	uint16		infomask;
	TransactionId xmax;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	infomask = tuple->t_data->t_infomask;
	xmax = HeapTupleHeaderGetRawXmax(tuple->t_data);
	LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
	if (infomask & HEAP_XMAX_INVALID)
		return InvalidTransactionId;
	if (infomask & HEAP_XMAX_IS_MULTI)
		return get_member(xmax);
	if (HEAP_XMAX_IS_KEYSHR_LOCKED(infomask))
		return InvalidTransactionId;
	return get_running(xmax);
}

/*
 * Who holds the session's row against a fold, the transaction that others are
 * part of; InvalidTransactionId: nobody, or the table is locked.
 *
 * Within a transaction that has a snapshot.
 */
TransactionId
sp_holder_of_session(const SpCatalog *catalog, int64 session)
{
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tuple;
	TransactionId holder;

	if (!ConditionalLockRelationOid(catalog->sessions, AccessShareLock))
		return InvalidTransactionId;
	rel = table_open(catalog->sessions, NoLock);
	tuple = sp_catalog_find(rel, catalog->sessions_pkey, session, &scan);
	holder = HeapTupleIsValid(tuple) ? read_holder(scan, tuple) : InvalidTransactionId;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return holder;
}
