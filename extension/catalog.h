/*
 * catalog.h
 *		The extension's own tables in this database, by OID.
 */
#ifndef SP_CATALOG_H
#define SP_CATALOG_H

#include "access/genam.h"
#include "shared.h"
#include "slot.h"

#define SP_SQL_VERSION_LENGTH	64

typedef struct SpCatalog
{
	Oid			schema;
	Oid			sessions;
	Oid			sessions_pkey;
	Oid			sessions_source;
	Oid			accounts;
	Oid			accounts_pkey;
	Oid			accounts_session;
	Oid			accounts_source;
	Oid			kinds;
	Oid			ledger[SP_HEAPS];
} SpCatalog;

extern const SpCatalog *sp_catalog_of_function(Oid function);
extern const SpCatalog *sp_catalog_of_table(Oid relation);
extern const SpCatalog *sp_catalog_of_extension(void);
extern bool sp_catalog_is_served(char *version);
extern Oid	sp_catalog_owner(Oid relation);
extern bool sp_catalog_lock(const SpCatalog *catalog);
extern HeapTuple sp_catalog_find(Relation rel, Oid index, int64 id, SysScanDesc *scan);
extern bool sp_catalog_session(const SpCatalog *catalog, int64 session, SpStatus *status, bool *own);
extern int64 sp_catalog_account_session(const SpCatalog *catalog, int64 account, bool *own);

#endif							/* SP_CATALOG_H */
