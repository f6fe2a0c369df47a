/*
 * source.h
 *		Sessions and accounts by the application's own ids: found, and made.
 */
#ifndef SP_SOURCE_H
#define SP_SOURCE_H

#include "catalog.h"
#include "mapping.h"

#define SP_SOURCE_MAX	200		/* characters of an application's id */

extern int64 sp_source_session(const SpCatalog *catalog, const char *kind, const char *source, bool *ended);
extern int64 sp_source_account(const SpCatalog *catalog, int64 session, const char *source);
extern bool sp_source_keep(const SpCatalog *catalog, int64 session);
extern uint64 sp_source_make_sessions(const SpCatalog *catalog, const char *kind, SpTableRow **facts, int nfacts);
extern uint64 sp_source_make_accounts(const SpCatalog *catalog, const int64 *sessions, SpTableRow **facts, int nfacts);

#endif							/* SP_SOURCE_H */
