/*
 * rename.c
 *		A column that a tracked table's mapping names keeps its name.
 *
 * PostgreSQL itself refuses to drop or to retype it, since a trigger's
 * condition depends on it.  A rename it would allow, and the trigger would
 * find the column missing when the application writes next.  So it is refused
 * when it is done: by the hook that is called for every change of a column,
 * after the rights were checked, however it came about (a partition's by its
 * parent's, say).  What is new is not visible yet there to anybody but a look
 * with SnapshotSelf; so both names are known.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "rename.h"
#include "tracked.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

static object_access_hook_type previous_access = NULL;

/* Whether the column's row in pg_attribute has another name by now. */
static bool
is_renamed(Oid table, AttrNumber number, const char *name)
{
	Relation	attributes = table_open(AttributeRelationId, AccessShareLock);
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tuple;
	bool		renamed = false;

	ScanKeyInit(&key[0], Anum_pg_attribute_attrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(table));
	ScanKeyInit(&key[1], Anum_pg_attribute_attnum, BTEqualStrategyNumber, F_INT2EQ, Int16GetDatum(number));
	scan = systable_beginscan(attributes, AttributeRelidNumIndexId, true, SnapshotSelf, lengthof(key), key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
		renamed = strcmp(NameStr(((Form_pg_attribute) GETSTRUCT(tuple))->attname), name) != 0;
	systable_endscan(scan);
	table_close(attributes, AccessShareLock);
	return renamed;
}

/* Raises an error if one of the table's mappings names the column. */
static void
require_unmapped(Relation rel, const char *name)
{
	const SpCatalog *catalog = sp_catalog_of_extension();

	for (int i = 0; catalog != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		SpMapping  *mapping;

		if (!sp_tracked_is(catalog, trigger->tgfoid, trigger->tgnargs))
			continue;
		mapping = sp_mapping_parse(trigger->tgargs[1]);
		for (int field = 0; field < SP_FIELDS; field++)
		{
			if (mapping->columns[field].name != NULL && strcmp(mapping->columns[field].name, name) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						 errmsg("cannot rename column \"%s\" of table \"%s\": sync_progress takes \"%s\" from it",
								name, RelationGetRelationName(rel), sp_mapping_key(mapping, field)),
						 errhint("Call sync_progress_untrack() first, and sync_progress_track() with the new name afterwards; sessions stay.")));
		}
	}
}

static void
access_hook(ObjectAccessType access, Oid classId, Oid objectId, int subId, void *arg)
{
	if (previous_access)
		previous_access(access, classId, objectId, subId, arg);
	if (access == OAT_POST_ALTER && classId == RelationRelationId && subId > 0)
	{
		/* whoever alters it has it locked */
		Relation	rel = relation_open(objectId, NoLock);
		const char *name = get_attname(objectId, subId, true);

		if (rel->trigdesc != NULL && name != NULL && is_renamed(objectId, subId, name))
			require_unmapped(rel, name);
		relation_close(rel, NoLock);
	}
}

/* Installs the hook; once, when the library is preloaded. */
void
sp_rename_init(void)
{
	previous_access = object_access_hook;
	object_access_hook = access_hook;
}
