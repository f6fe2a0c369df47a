/*
 * evict.c
 *		Workers make way for what a database's owner does to it.
 *
 * A worker is a connection, and PostgreSQL neither drops nor renames, moves or
 * copies a database that somebody is connected to.  It waits up to five
 * seconds for them, so it is enough to tell the worker to go.
 *
 * DROP DATABASE has a hook of its own, after its rights check and with the
 * database locked.  The others have none, so the rights are looked at here
 * first: who may not do it must not be able to stop a worker by trying.
 */
#include "postgres.h"

#include <signal.h>

#include "access/htup_details.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "compat.h"
#include "evict.h"
#include "miscadmin.h"
#include "shared.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"

static object_access_hook_type previous_access = NULL;
static ProcessUtility_hook_type previous_utility = NULL;

/*
 * Have the database's workers go, and none come.  Returns whether there was
 * one that is wanted again afterwards.
 */
static bool
evict(Oid oid)
{
	bool		any = false;

	for (int i = 0; i < SP_MAX_DATABASES; i++)
	{
		SpDatabase *database = &sp_shared->databases[i];
		uint32		pid = pg_atomic_read_u32(&database->worker_pid);

		if (database->database != oid)
			continue;
		any = pg_atomic_exchange_u32(&database->wanted, 0) != 0 || any;
		if (pid != 0)
			kill((pid_t) pid, SIGTERM);
	}
	return any;
}

static void
readmit(Oid oid)
{
	for (int i = 0; i < SP_MAX_DATABASES; i++)
	{
		if (sp_shared->databases[i].database == oid)
			pg_atomic_write_u32(&sp_shared->databases[i].wanted, 1);
	}
	sp_shared_wake_launcher();
}

static void
access_hook(ObjectAccessType access, Oid classId, Oid objectId, int subId, void *arg)
{
	if (previous_access)
		previous_access(access, classId, objectId, subId, arg);
	if (access == OAT_DROP && classId == DatabaseRelationId)
		(void) evict(objectId);
}

/* The value of a string option; NULL: not given. */
static const char *
string_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

/* Whether the user may create databases at all. */
static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		may;

	if (superuser())
		return true;
	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	may = HeapTupleIsValid(tuple) && ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return may;
}

/* Whether the user may make a database of this one. */
static bool
may_copy(Oid oid)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(oid));
	bool		template = HeapTupleIsValid(tuple) && ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;

	if (HeapTupleIsValid(tuple))
		ReleaseSysCache(tuple);
	return may_create_databases() && (template || SpOwnsDatabase(oid));
}

/*
 * The database that the statement needs to itself; InvalidOid: none, or no right
 * to it.  Within utility(), gcc would warn of what longjmp() does to its variables.
 */
static pg_noinline Oid
wanted_alone(Node *statement)
{
	const char *name = NULL;
	bool		copies = false;
	Oid			oid;

	if (IsA(statement, RenameStmt) && ((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
		name = ((RenameStmt *) statement)->subname;
	else if (IsA(statement, AlterDatabaseStmt) && string_option(((AlterDatabaseStmt *) statement)->options, "tablespace"))
		name = ((AlterDatabaseStmt *) statement)->dbname;
	else if (IsA(statement, CreatedbStmt))
	{
		name = string_option(((CreatedbStmt *) statement)->options, "template");
		if (name == NULL)
			name = "template1";
		copies = true;
	}
	if (name == NULL)
		return InvalidOid;
	oid = get_database_oid(name, true);
	return OidIsValid(oid) && (copies ? may_copy(oid) : SpOwnsDatabase(oid)) ? oid : InvalidOid;
}

/* To the next one, and back. */
static void
pass_on(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type next = previous_utility ? previous_utility : standard_ProcessUtility;

	next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
}

static void
utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
		ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	Oid			oid = wanted_alone(pstmt->utilityStmt);

	if (!OidIsValid(oid) || !evict(oid))
	{
		pass_on(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		return;
	}
	PG_TRY();
	{
		pass_on(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	}
	PG_FINALLY();
	{
		readmit(oid);
	}
	PG_END_TRY();
}

/* Installs the hooks; once, when the library is preloaded. */
void
sp_evict_init(void)
{
	previous_access = object_access_hook;
	object_access_hook = access_hook;
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
}
