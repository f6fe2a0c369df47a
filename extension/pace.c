/*
 * pace.c
 *		A session's pace as a column's value, and as SQL sees it.
 *
 * Stored as it is in memory, with a number in front that changes with its
 * form: what another version or machine wrote reads as "nothing yet", and the
 * estimate is overall until five minutes have passed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "compat.h"
#include "funcapi.h"
#include "pace.h"
#include "utils/timestamp.h"

#define PACE_FORM	INT64CONST(0x5350000000000002)

typedef struct StoredPace
{
	int64		form;
	SpPace		pace;
} StoredPace;

PG_FUNCTION_INFO_V1(sync_progress_pace);

void
sp_pace_read(const bytea *stored, SpPace *pace)
{
	StoredPace	copy;

	memset(pace, 0, sizeof(SpPace));
	if (stored == NULL || VARSIZE_ANY_EXHDR(stored) != sizeof(StoredPace))
		return;
	memcpy(&copy, VARDATA_ANY(stored), sizeof(StoredPace));
	if (copy.form == PACE_FORM)
		*pace = copy.pace;
}

bytea *
sp_pace_write(const SpPace *pace)
{
	StoredPace	copy = {PACE_FORM, *pace};
	bytea	   *stored = palloc(VARHDRSZ + sizeof(StoredPace));

	SET_VARSIZE(stored, VARHDRSZ + sizeof(StoredPace));
	memcpy(VARDATA(stored), &copy, sizeof(StoredPace));
	return stored;
}

/* sync_progress_pace(pace, processed_count, total_count, started_at, at) → (rate, time_remaining, moved_at) */
Datum
sync_progress_pace(PG_FUNCTION_ARGS)
{
	TupleDesc	desc;
	SpPace		pace;
	Datum		values[3] = {0};
	bool		nulls[3] = {true, true, true};
	int64		remaining = -1;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		elog(ERROR, "return type must be a row type");
	sp_pace_read(PG_ARGISNULL(0) ? NULL : PG_GETARG_BYTEA_PP(0), &pace);
	values[2] = TimestampTzGetDatum(pace.moved_at);
	nulls[2] = pace.moved_at == 0;
	if (!PG_ARGISNULL(1) && !PG_ARGISNULL(3) && !PG_ARGISNULL(4))
	{
		int64		started = PG_GETARG_TIMESTAMPTZ(3);
		int64		at = PG_GETARG_TIMESTAMPTZ(4);

		values[0] = Float8GetDatum(sp_eta_recent_rate(&pace, started, at));
		nulls[0] = false;
		if (!PG_ARGISNULL(2))
			remaining = sp_eta_time_remaining(&pace, PG_GETARG_INT64(1), PG_GETARG_INT64(2), started, at);
		values[1] = Int64GetDatum(remaining);
		nulls[1] = remaining < 0;
	}
	PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls)));
}
