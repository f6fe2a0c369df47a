/*
 * shape.c
 *		Tables that are still as the extension's script made them.
 *
 * The worker reads rows by the places and types of their columns (state.c).  An
 * ALTER TABLE that makes another type of one, or lets it be NULL, would have it
 * take a number for an address, and the server with it.  So what is opened is
 * looked at first: an error about the column, until it is altered back, and
 * nothing that was counted is lost.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "columns.h"
#include "shape.h"
#include "utils/builtins.h"
#include "utils/rel.h"

typedef struct Column
{
	Oid			type;
	bool		not_null;
} Column;

static const Column sessions[] = {
	[SP_SESSIONS_ID] = {INT8OID, true},
	[SP_SESSIONS_JOB_ID] = {UUIDOID, true},
	[SP_SESSIONS_KIND] = {TEXTOID, true},
	[SP_SESSIONS_SOURCE_ID] = {TEXTOID, true},
	[SP_SESSIONS_OWNER_ID] = {TEXTOID, true},
	[SP_SESSIONS_TITLE] = {TEXTOID, false},
	[SP_SESSIONS_PINNED] = {BOOLOID, true},
	[SP_SESSIONS_STATUS] = {TEXTOID, true},
	[SP_SESSIONS_MESSAGE] = {TEXTOID, false},
	[SP_SESSIONS_ERROR_MESSAGE] = {TEXTOID, false},
	[SP_SESSIONS_RESULT_URL] = {TEXTOID, false},
	[SP_SESSIONS_TOTAL_COUNT] = {INT8OID, false},
	[SP_SESSIONS_PROCESSED_COUNT] = {INT8OID, true},
	[SP_SESSIONS_DETECTED_COUNT] = {INT8OID, true},
	[SP_SESSIONS_ERROR_COUNT] = {INT8OID, true},
	[SP_SESSIONS_COUNTERS] = {JSONBOID, true},
	[SP_SESSIONS_STARTED_AT] = {TIMESTAMPTZOID, false},
	[SP_SESSIONS_COMPLETED_AT] = {TIMESTAMPTZOID, false},
	[SP_SESSIONS_CREATED_AT] = {TIMESTAMPTZOID, true},
	[SP_SESSIONS_UPDATED_AT] = {TIMESTAMPTZOID, true},
	[SP_SESSIONS_VERSION] = {INT8OID, true},
	[SP_SESSIONS_LOCK_VERSION] = {INT4OID, true},
	[SP_SESSIONS_PROCESSED_SET_AT] = {INT8OID, true},
	[SP_SESSIONS_TOTAL_SET_AT] = {INT8OID, true},
	[SP_SESSIONS_MESSAGE_SET_AT] = {INT8OID, true},
	[SP_SESSIONS_PACE] = {BYTEAOID, false},
	[SP_SESSIONS_DETECTED_SET_AT] = {INT8OID, true},
	[SP_SESSIONS_ERROR_SET_AT] = {INT8OID, true},
	[SP_SESSIONS_LIVE] = {BYTEAOID, false},
};

static const Column accounts[] = {
	[SP_ACCOUNTS_ID] = {INT8OID, true},
	[SP_ACCOUNTS_SYNC_SESSION_ID] = {INT8OID, true},
	[SP_ACCOUNTS_NAME] = {TEXTOID, true},
	[SP_ACCOUNTS_EMAIL] = {TEXTOID, false},
	[SP_ACCOUNTS_POSITION] = {INT4OID, true},
	[SP_ACCOUNTS_STATUS] = {TEXTOID, true},
	[SP_ACCOUNTS_TOTAL_COUNT] = {INT8OID, false},
	[SP_ACCOUNTS_PROCESSED_COUNT] = {INT8OID, true},
	[SP_ACCOUNTS_DETECTED_COUNT] = {INT8OID, true},
	[SP_ACCOUNTS_ERROR_COUNT] = {INT8OID, true},
	[SP_ACCOUNTS_ERROR_MESSAGE] = {TEXTOID, false},
	[SP_ACCOUNTS_VERSION] = {INT8OID, true},
	[SP_ACCOUNTS_PROCESSED_SET_AT] = {INT8OID, true},
	[SP_ACCOUNTS_TOTAL_SET_AT] = {INT8OID, true},
	[SP_ACCOUNTS_DETECTED_SET_AT] = {INT8OID, true},
	[SP_ACCOUNTS_ERROR_SET_AT] = {INT8OID, true},
	[SP_ACCOUNTS_SOURCE_ID] = {TEXTOID, false},
	[SP_ACCOUNTS_PACE] = {BYTEAOID, false},
};

static const Column kinds[] = {
	[SP_KINDS_KIND] = {TEXTOID, true},
	[SP_KINDS_CHANNEL] = {TEXTOID, true},
	[SP_KINDS_PARAM] = {TEXTOID, true},
	[SP_KINDS_EVERY_COUNT] = {INT8OID, true},
	[SP_KINDS_EVERY_INTERVAL] = {INTERVALOID, true},
	[SP_KINDS_MIN_INTERVAL] = {INTERVALOID, true},
	[SP_KINDS_STALL_AFTER] = {INTERVALOID, true},
	[SP_KINDS_PAYLOAD_FUNCTION] = {TEXTOID, true},
};

static void
require(Relation rel, const Column *columns, int count)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; i < count; i++)
	{
		Form_pg_attribute att = i < desc->natts ? TupleDescAttr(desc, i) : NULL;

		if (att != NULL && att->atttypid == columns[i].type && (att->attnotnull || !columns[i].not_null))
			continue;
		/* all of it in the message: that is what pg_stat_sync_progress shows */
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column %d (%s) of table \"%s\" was altered, and is to be %s%s", i + 1,
						att == NULL ? "missing" : NameStr(att->attname), RelationGetRelationName(rel),
						format_type_be(columns[i].type), columns[i].not_null ? " NOT NULL" : ""),
				 errhint("Alter it back: the tables of extension \"sync_progress\" are read by its library.")));
	}
}

/* Each raises an error if what is read of the table was altered. */
void
sp_shape_require_sessions(Relation rel)
{
	require(rel, sessions, lengthof(sessions));
}

void
sp_shape_require_accounts(Relation rel)
{
	require(rel, accounts, lengthof(accounts));
}

void
sp_shape_require_kinds(Relation rel)
{
	require(rel, kinds, lengthof(kinds));
}
