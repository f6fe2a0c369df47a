/*
 * pace.c
 *		The pace of a session or an account as a column's value, and as SQL sees it.
 *
 * Stored as it is in memory, with a number in front that changes with its
 * form: what another version or machine wrote reads as "nothing yet", and the
 * estimates begin anew.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "compat.h"
#include "funcapi.h"
#include "pace.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#define PACE_FORM	INT64CONST(0x5350000000000003)
#define PART_FORM	INT64CONST(0x5350000000010003)

/* Arguments and columns of sync_progress_pace(). */
enum
{
	ARG_PACE,
	ARG_PROCESSED,
	ARG_TOTAL,
	ARG_STARTED_AT,
	ARG_AT,
	ARG_STATUS,
	ARG_STALL_AFTER,
	ARG_PARTS,
	ARG_PARTS_LEFT,
	ARG_PARTS_OPEN,
	ARG_FOLDED
};

enum
{
	OUT_RATE,
	OUT_TIME_REMAINING,
	OUT_MOVED_AT,
	OUT_ETA_SECONDS,
	OUT_ETA_LOW,
	OUT_ETA_HIGH,
	OUT_ETA_STATE,
	OUT_COLUMNS
};

static const char *const state_names[] = {
	[SP_ETA_NONE] = "none",
	[SP_ETA_ESTIMATING] = "estimating",
	[SP_ETA_STEADY] = "steady",
	[SP_ETA_STALLED] = "stalled",
};

PG_FUNCTION_INFO_V1(sync_progress_pace);
PG_FUNCTION_INFO_V1(sync_progress_part_seconds);

static void
read_form(const bytea *stored, int64 form, void *value, size_t size)
{
	memset(value, 0, size);
	if (stored == NULL || VARSIZE_ANY_EXHDR(stored) != sizeof(form) + size ||
		memcmp(VARDATA_ANY(stored), &form, sizeof(form)) != 0)
		return;
	memcpy(value, VARDATA_ANY(stored) + sizeof(form), size);
}

static bytea *
write_form(int64 form, const void *value, size_t size)
{
	bytea	   *stored = palloc(VARHDRSZ + sizeof(form) + size);

	SET_VARSIZE(stored, VARHDRSZ + sizeof(form) + size);
	memcpy(VARDATA(stored), &form, sizeof(form));
	memcpy(VARDATA(stored) + sizeof(form), value, size);
	return stored;
}

void
sp_pace_read(const bytea *stored, SpPace *pace)
{
	read_form(stored, PACE_FORM, pace, sizeof(SpPace));
}

bytea *
sp_pace_write(const SpPace *pace)
{
	return write_form(PACE_FORM, pace, sizeof(SpPace));
}

void
sp_pace_read_part(const bytea *stored, SpTempo *tempo)
{
	read_form(stored, PART_FORM, tempo, sizeof(SpTempo));
}

bytea *
sp_pace_write_part(const SpTempo *tempo)
{
	return write_form(PART_FORM, tempo, sizeof(SpTempo));
}

/* A length of time in microseconds; a month has 30 days. */
int64
sp_pace_interval_us(const Interval *interval)
{
	double		us = (double) interval->time + ((double) interval->day + 30.0 * interval->month) * USECS_PER_DAY;

	return us >= 9e18 ? PG_INT64_MAX : (int64) us;
}

/*
 * What the pace says of the work at a time.  Who is not processing has no time
 * remaining, and its speed only.
 */
void
sp_pace_show(const SpPace *pace, const SpEtaWork *work, bool processing, TimestampTz at, SpPaceShown *shown)
{
	sp_eta_estimate(pace, work, at, &shown->eta);
	shown->time_remaining = processing && work->total >= 0
		? sp_eta_time_remaining(pace, work->processed, work->total, work->started_us, at) : -1;
	if (!processing)
		shown->eta.state = SP_ETA_NONE;
}

const char *
sp_pace_state_name(SpEtaState state)
{
	return state_names[state];
}

/* The three arrays that describe a session's accounts; they have as many elements. */
static SpEtaPart *
get_parts(FunctionCallInfo fcinfo, int *count)
{
	static const Oid types[] = {BYTEAOID, INT8OID, BOOLOID};
	Datum	   *values[3];
	bool	   *nulls[3];
	int			lengths[3];
	SpEtaPart  *parts;

	*count = 0;
	for (int i = 0; i < 3; i++)
	{
		if (PG_ARGISNULL(ARG_PARTS + i))
			return NULL;
		deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_PARTS + i), types[i], i == 0 ? -1 : i == 1 ? 8 : 1,
						  i == 0 ? false : i == 1 ? FLOAT8PASSBYVAL : true,
						  i == 0 ? TYPALIGN_INT : i == 1 ? TYPALIGN_DOUBLE : TYPALIGN_CHAR,
						  &values[i], &nulls[i], &lengths[i]);
	}
	if (lengths[1] != lengths[0] || lengths[2] != lengths[0])
		ereport(ERROR,
				(errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
				 errmsg("the arrays parts, parts_left and parts_open have different lengths"),
				 errhint("Aggregate them from the same rows.")));
	parts = palloc0(Max(lengths[0], 1) * sizeof(SpEtaPart));
	for (int i = 0; i < lengths[0]; i++)
	{
		sp_pace_read_part(nulls[0][i] ? NULL : DatumGetByteaPP(values[0][i]), &parts[i].tempo);
		parts[i].left = nulls[1][i] ? 0 : Max(DatumGetInt64(values[1][i]), 0);
		parts[i].open = !nulls[2][i] && DatumGetBool(values[2][i]);
	}
	*count = lengths[0];
	return parts;
}

/*
 * sync_progress_pace(pace, processed_count, total_count, started_at, at, status, stall_after,
 * parts, parts_left, parts_open, folded_count) → (rate, time_remaining, moved_at, eta_seconds, eta_low, eta_high, eta_state)
 */
Datum
sync_progress_pace(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	SpPace		pace;
	Datum		values[OUT_COLUMNS] = {0};
	bool		nulls[OUT_COLUMNS];
	bool		processing = !PG_ARGISNULL(ARG_STATUS) &&
	strcmp(text_to_cstring(PG_GETARG_TEXT_PP(ARG_STATUS)), "processing") == 0;
	SpPaceShown shown = {.eta.state = SP_ETA_NONE};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	memset(nulls, true, sizeof(nulls));
	sp_pace_read(PG_ARGISNULL(ARG_PACE) ? NULL : PG_GETARG_BYTEA_PP(ARG_PACE), &pace);
	values[OUT_MOVED_AT] = TimestampTzGetDatum(pace.moved_at);
	nulls[OUT_MOVED_AT] = pace.moved_at == 0;
	if (!PG_ARGISNULL(ARG_PROCESSED) && !PG_ARGISNULL(ARG_STARTED_AT) && !PG_ARGISNULL(ARG_AT))
	{
		int64		at = PG_GETARG_TIMESTAMPTZ(ARG_AT);
		SpEtaWork	work = {
			.processed = PG_GETARG_INT64(ARG_PROCESSED),
			.total = PG_ARGISNULL(ARG_TOTAL) ? -1 : PG_GETARG_INT64(ARG_TOTAL),
			.started_us = PG_GETARG_TIMESTAMPTZ(ARG_STARTED_AT),
			.stall_after_us = PG_ARGISNULL(ARG_STALL_AFTER) || !processing ? 0 : sp_pace_interval_us(PG_GETARG_INTERVAL_P(ARG_STALL_AFTER))
		};

		work.ahead = !PG_ARGISNULL(ARG_FOLDED) && PG_GETARG_INT64(ARG_FOLDED) < work.processed;
		if (processing)
			work.parts = get_parts(fcinfo, &work.nparts);
		sp_pace_show(&pace, &work, processing, at, &shown);
		values[OUT_RATE] = Float8GetDatum(shown.eta.rate);
		nulls[OUT_RATE] = false;
		values[OUT_TIME_REMAINING] = Int64GetDatum(shown.time_remaining);
		nulls[OUT_TIME_REMAINING] = shown.time_remaining < 0;
	}
	if (shown.eta.state == SP_ETA_STEADY)
	{
		values[OUT_ETA_SECONDS] = Int64GetDatum(shown.eta.seconds);
		values[OUT_ETA_LOW] = Int64GetDatum(shown.eta.low);
		values[OUT_ETA_HIGH] = Int64GetDatum(shown.eta.high);
		nulls[OUT_ETA_SECONDS] = nulls[OUT_ETA_LOW] = nulls[OUT_ETA_HIGH] = false;
	}
	values[OUT_ETA_STATE] = CStringGetTextDatum(sp_pace_state_name(shown.eta.state));
	nulls[OUT_ETA_STATE] = false;
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}

/* sync_progress_part_seconds(pace, left_count, stall_after, at) */
Datum
sync_progress_part_seconds(PG_FUNCTION_ARGS)
{
	SpEtaPart	part = {.left = PG_GETARG_INT64(1), .open = true};
	int64		seconds;

	sp_pace_read_part(PG_GETARG_BYTEA_PP(0), &part.tempo);
	seconds = sp_eta_part_seconds(&part, sp_pace_interval_us(PG_GETARG_INTERVAL_P(2)), PG_GETARG_TIMESTAMPTZ(3));
	if (seconds < 0)
		PG_RETURN_NULL();
	PG_RETURN_INT64(seconds);
}
