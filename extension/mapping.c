/*
 * mapping.c
 *		Which column of an application's table says what, and its rows in our words.
 *
 * The mapping is JSON, an argument of the triggers on that table, so that a
 * dump carries it.  Columns are named in it, and looked up when a row is read:
 * where they were last time is believed only if name and type still fit.
 *
 * Reading a row must not fail the application whose row it is: what does not
 * fit is bent (counts) or cut (texts), and an unknown status is a warning.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "compat.h"
#include "mapping.h"
#include "mb/pg_wchar.h"
#include "net.h"
#include "slot.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#define RESULT_MAX_BYTES	2000

/* How a column is read. */
typedef enum Form
{
	FORM_TEXT,
	FORM_COUNT,
	FORM_TIME,
} Form;

/* What a field is called in the JSON, and how it is read. */
typedef struct Key
{
	const char *session;		/* its key where the table has sessions */
	const char *part;			/* and where it has parts; NULL: it has none
								 * there */
	Form		form;
	int			max;			/* characters of a text that is cut */
} Key;

static const Key keys[SP_FIELDS] = {
	[SP_FIELD_ID] = {"id", "id", FORM_TEXT, 0},
	[SP_FIELD_SESSION] = {NULL, "session_id", FORM_TEXT, 0},
	[SP_FIELD_OWNER] = {"owner_id", NULL, FORM_TEXT, 0},
	[SP_FIELD_TITLE] = {"title", "name", FORM_TEXT, 480},
	[SP_FIELD_EMAIL] = {NULL, "email", FORM_TEXT, 480},
	[SP_FIELD_STATUS] = {"status", "status", FORM_TEXT, 0},
	[SP_FIELD_MESSAGE] = {"message", NULL, FORM_TEXT, 480},
	[SP_FIELD_ERROR_MESSAGE] = {"error_message", "error_message", FORM_TEXT, 1000},
	[SP_FIELD_RESULT] = {"result_url", NULL, FORM_TEXT, 0},
	[SP_FIELD_TOTAL] = {"total_count", "total_count", FORM_COUNT, 0},
	[SP_FIELD_PROCESSED] = {"processed_count", "processed_count", FORM_COUNT, 0},
	[SP_FIELD_DETECTED] = {"detected_count", "detected_count", FORM_COUNT, 0},
	[SP_FIELD_ERROR] = {"error_count", "error_count", FORM_COUNT, 0},
	[SP_FIELD_PROGRESS] = {"progress", "progress", FORM_COUNT, 0},
	[SP_FIELD_STARTED] = {"started_at", NULL, FORM_TIME, 0},
	[SP_FIELD_COMPLETED] = {"completed_at", NULL, FORM_TIME, 0},
	[SP_FIELD_CREATED] = {"created_at", NULL, FORM_TIME, 0},
};

/* The key that names the field in this mapping's JSON; NULL: none. */
const char *
sp_mapping_key(const SpMapping *mapping, SpField field)
{
	return mapping->parts ? keys[field].part : keys[field].session;
}

/* "id, owner_id, …" */
static char *
list_keys(const SpMapping *mapping)
{
	char	   *list = NULL;

	for (int i = 0; i < SP_FIELDS; i++)
	{
		const char *key = sp_mapping_key(mapping, i);

		if (key != NULL)
			list = list == NULL ? pstrdup(key) : psprintf("%s, %s", list, key);
	}
	return psprintf("%s, status_map", list);
}

/* Raises an error about the mapping. */
#define refuse(...) \
	ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), __VA_ARGS__))

/* What the table's statuses mean; "value" is the status_map. */
static void
parse_statuses(SpMapping *mapping, const JsonbValue *value)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	item;

	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		refuse(errmsg("status_map must be an object"),
			   errhint("It has the table's words for our statuses: {\"running\":\"processing\",\"done\":\"completed\"}."));
	mapping->theirs = palloc(JsonContainerSize(value->val.binary.data) * sizeof(char *));
	mapping->ours = palloc(JsonContainerSize(value->val.binary.data) * sizeof(char *));
	iterator = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			mapping->theirs[mapping->nstatuses] = pnstrdup(item.val.string.val, item.val.string.len);
		else if (token == WJB_VALUE)
		{
			char	   *status = item.type == jbvString ? pnstrdup(item.val.string.val, item.val.string.len) : "";

			if (sp_status_parse(status) == SP_STATUS_UNKNOWN)
				refuse(errmsg("status_map has no status for \"%s\"", mapping->theirs[mapping->nstatuses]),
					   errhint("A status is pending, processing, paused, completed, failed or cancelled."));
			mapping->ours[mapping->nstatuses++] = status;
		}
	}
}

/* One key of the JSON, and the column that it names. */
static void
parse_key(SpMapping *mapping, const char *key, const JsonbValue *value)
{
	if (strcmp(key, "status_map") == 0)
	{
		parse_statuses(mapping, value);
		return;
	}
	for (int i = 0; i < SP_FIELDS; i++)
	{
		const char *known = sp_mapping_key(mapping, i);

		if (known == NULL || strcmp(known, key) != 0)
			continue;
		if (value->type != jbvString || value->val.string.len == 0)
			refuse(errmsg("\"%s\" must name a column", key),
				   errhint("Leave it out where the table has none."));
		mapping->columns[i].name = pnstrdup(value->val.string.val, value->val.string.len);
		return;
	}
	refuse(errmsg("columns has an unknown key \"%s\"", key),
		   errhint("With %s the keys are %s.", mapping->parts ? "session_id" : "owner_id", list_keys(mapping)));
}

static bool
has(const SpMapping *mapping, SpField field)
{
	return mapping->columns[field].name != NULL;
}

/*
 * The mapping that the JSON describes, palloc'd; an error where it describes
 * none.  Its columns are not looked up yet.
 */
SpMapping *
sp_mapping_parse(const char *json)
{
	SpMapping  *mapping = palloc0(sizeof(SpMapping));
	Jsonb	   *columns = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(json)));
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	char	   *key = NULL;

	if (!JB_ROOT_IS_OBJECT(columns))
		refuse(errmsg("columns must be a JSON object"),
			   errhint("It maps our names to the table's columns: {\"id\":\"id\",\"owner_id\":\"user_id\"}."));
	mapping->parts = getKeyJsonValueFromContainer(&columns->root, "session_id", strlen("session_id"), NULL) != NULL;
	iterator = JsonbIteratorInit(&columns->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			key = pnstrdup(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			parse_key(mapping, key, &value);
	}
	if (!has(mapping, SP_FIELD_ID) || (!mapping->parts && !has(mapping, SP_FIELD_OWNER)))
		refuse(errmsg("columns must name the column of \"%s\"", has(mapping, SP_FIELD_ID) ? "owner_id" : "id"),
			   errhint("A table of sessions needs id and owner_id, a table of their parts id and session_id."));
	if (has(mapping, SP_FIELD_PROGRESS) && (has(mapping, SP_FIELD_PROCESSED) || has(mapping, SP_FIELD_TOTAL)))
		refuse(errmsg("\"progress\" goes with neither processed_count nor total_count"),
			   errhint("It is a percentage, for tables without counts."));
	if (mapping->nstatuses > 0 && !has(mapping, SP_FIELD_STATUS))
		refuse(errmsg("there is a status_map, but no \"status\""),
			   errhint("Name the column that has the status."));
	return mapping;
}

/* Raises an error unless the column's type fits its field. */
static void
require_type(const SpMapping *mapping, SpField field, Form_pg_attribute att, const char *table)
{
	Oid			type = mapping->columns[field].base;
	const char *wanted = NULL;

	if (keys[field].form == FORM_COUNT &&
		type != INT2OID && type != INT4OID && type != INT8OID &&
		type != FLOAT4OID && type != FLOAT8OID && type != NUMERICOID)
		wanted = "a number";
	else if (keys[field].form == FORM_TIME &&
			 type != TIMESTAMPTZOID && type != TIMESTAMPOID && type != DATEOID)
		wanted = "a time";
	else if (att->attgenerated != '\0' && att->attgenerated != ATTRIBUTE_GENERATED_STORED)
		wanted = "stored in the row";
	if (wanted != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of table \"%s\" is %s, \"%s\" must be %s", NameStr(att->attname), table,
						format_type_be(att->atttypid), sp_mapping_key(mapping, field), wanted),
				 errhint("Name another column, or leave \"%s\" out.", sp_mapping_key(mapping, field))));
}

/*
 * Find the mapping's columns in the table, or in what is selected from it.
 * Raises an error that names a missing one.
 */
void
sp_mapping_resolve(SpMapping *mapping, TupleDesc desc, const char *table)
{
	for (int i = 0; i < SP_FIELDS; i++)
	{
		SpColumn   *column = &mapping->columns[i];
		Form_pg_attribute att = NULL;

		if (column->name == NULL)
			continue;
		if (column->number > 0 && column->number <= desc->natts)
		{
			att = TupleDescAttr(desc, column->number - 1);
			if (!att->attisdropped && att->atttypid == column->type && strcmp(NameStr(att->attname), column->name) == 0)
				continue;
		}
		column->number = 0;
		for (int n = 0; n < desc->natts && column->number == 0; n++)
		{
			att = TupleDescAttr(desc, n);
			if (!att->attisdropped && strcmp(NameStr(att->attname), column->name) == 0)
				column->number = n + 1;
		}
		if (column->number == 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("table \"%s\" has no column \"%s\", which sync_progress takes \"%s\" from",
							table, column->name, sp_mapping_key(mapping, i)),
					 errhint("Call sync_progress_untrack() and sync_progress_track() with the columns that there are.")));
		column->type = att->atttypid;
		column->base = getBaseType(att->atttypid);
		require_type(mapping, i, att, table);
	}
}

/* Our word for the table's status; NULL: there is none. */
const char *
sp_mapping_status(const SpMapping *mapping, const char *status)
{
	for (int i = 0; i < mapping->nstatuses; i++)
	{
		if (strcmp(mapping->theirs[i], status) == 0)
			return mapping->ours[i];
	}
	return sp_status_parse(status) == SP_STATUS_UNKNOWN ? NULL : status;
}

/*
 * The value as a cast to text has it, cut to "max" characters (0: not at all).
 * By the type's output function, since that takes no lookup of a cast.
 */
static char *
read_text(const SpColumn *column, Datum value, int max)
{
	Oid			output;
	bool		is_varlena;
	char	   *text;
	int			length;

	getTypeOutputInfo(column->type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);

	length = strlen(text);
	if (max > 0)
		length = pg_mbcharcliplen(text, length, max);
	/* what fills up a char(n) is no part of it */
	while (column->base == BPCHAROID && length > 0 && text[length - 1] == ' ')
		length--;
	text[		length] = '\0';
	return text;
}

/*
 * A count, bent to what one can be: whole, not negative, exact in JSON.  Up to
 * there a double is exact, too, so every other type can go through one; NaN is
 * nothing.
 */
static int64
read_count(const SpColumn *column, Datum value, bool down)
{
	double		number;

	switch (column->base)
	{
		case INT2OID:
			return Max(DatumGetInt16(value), 0);
		case INT4OID:
			return Max(DatumGetInt32(value), 0);
		case INT8OID:
			return Min(Max(DatumGetInt64(value), 0), SP_COUNT_MAX);
		case FLOAT4OID:
			number = DatumGetFloat4(value);
			break;
		case FLOAT8OID:
			number = DatumGetFloat8(value);
			break;
		default:
			number = DatumGetFloat8(DirectFunctionCall1(numeric_float8_no_overflow, value));
	}
	if (isnan(number) || number <= 0)
		return 0;
	number = down ? floor(number) : rint(number);
	return number >= (double) SP_COUNT_MAX ? SP_COUNT_MAX : (int64) number;
}

/*
 * A time without a zone is read as a cast reads it, in the session's TimeZone;
 * but one beyond the range is infinite, where a cast would fail.
 */
static char *
read_time(const SpColumn *column, Datum value)
{
	TimestampTz time;

	if (column->base == TIMESTAMPOID)
		time = SpTimestampToTz(DatumGetTimestamp(value));
	else if (column->base == DATEOID)
		time = SpDateToTz(DatumGetDateADT(value));
	else
		time = DatumGetTimestampTz(value);
	return pstrdup(timestamptz_to_str(time));
}

/* A row without a status column runs until it has ended. */
static const char *
read_status(const SpMapping *mapping, const char *text, SpTableRow *facts)
{
	const char *status;

	if (mapping->columns[SP_FIELD_STATUS].name == NULL)
		return facts->values[SP_FIELD_COMPLETED] != NULL ? "completed" : "processing";
	if (text == NULL)
		return "pending";
	status = sp_mapping_status(mapping, text);
	if (status == NULL)
		facts->unknown = text;

	return status;
}

/* Says that the row has a status that nobody knows. */
void
sp_mapping_warn(const SpMapping *mapping, const SpTableRow *facts)
{
	ereport(WARNING,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("sync_progress knows no status \"%s\", which column \"%s\" has",
					facts->unknown, mapping->columns[SP_FIELD_STATUS].name),
			 errdetail("The session's status is left as it is."),
			 errhint("Call sync_progress_untrack() and sync_progress_track() with a status_map that says what it means.")));
}

/*
 * Read a row.  "values" and "nulls" are of the descriptor that was resolved
 * last.
 */
void
sp_mapping_read(const SpMapping *mapping, Datum *values, bool *nulls, SpTableRow *facts)
{
	const char *status = NULL;

	memset(facts, 0, sizeof(SpTableRow));
	for (int i = 0; i < SP_FIELDS; i++)
	{
		const SpColumn *column = &mapping->columns[i];
		Datum		value;

		if (column->name == NULL || nulls[column->number - 1])
			continue;
		value = values[column->number - 1];
		if (keys[i].form == FORM_COUNT)
			facts->values[i] = psprintf(INT64_FORMAT, read_count(column, value, i == SP_FIELD_PROGRESS));
		else if (keys[i].form == FORM_TIME)
			facts->values[i] = read_time(column, value);
		else if (i == SP_FIELD_STATUS)
			status = read_text(column, value, 0);
		else
			facts->values[i] = read_text(column, value, keys[i].max);
		/* half an address is worse than none */
		if (i == SP_FIELD_RESULT && strlen(facts->values[i]) > RESULT_MAX_BYTES)
			facts->values[i] = NULL;
	}
	facts->values[SP_FIELD_STATUS] = read_status(mapping, status, facts);
	if (mapping->columns[SP_FIELD_PROGRESS].name != NULL)
	{
		const char *progress = facts->values[SP_FIELD_PROGRESS];

		facts->values[SP_FIELD_PROCESSED] = progress == NULL ? "0" : strtol(progress, NULL, 10) > 100 ? "100" : progress;
		facts->values[SP_FIELD_TOTAL] = "100";
	}
	for (int i = SP_FIELD_PROCESSED; i <= SP_FIELD_ERROR; i++)
	{
		if (facts->values[i] == NULL)
			facts->values[i] = "0";
	}
	if (facts->values[SP_FIELD_OWNER] == NULL)
		facts->values[SP_FIELD_OWNER] = "";
}
