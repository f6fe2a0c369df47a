/*
 * pace.h
 *		The pace of a session or an account as a column's value.
 */
#ifndef SP_PACE_H
#define SP_PACE_H

#include "eta.h"
#include "datatype/timestamp.h"
#include "fmgr.h"

/* What a pace says of what is to be done. */
typedef struct SpPaceShown
{
	SpEta		eta;			/* STEADY: with its range */
	int64		time_remaining; /* by the classic formula; negative: none */
} SpPaceShown;

extern void sp_pace_read(const bytea *stored, SpPace *pace);
extern bytea *sp_pace_write(const SpPace *pace);
extern void sp_pace_read_part(const bytea *stored, SpTempo *tempo);
extern bytea *sp_pace_write_part(const SpTempo *tempo);

extern int64 sp_pace_interval_us(const Interval *interval);
extern void sp_pace_show(const SpPace *pace, const SpEtaWork *work, bool processing, TimestampTz at, SpPaceShown *shown);
extern const char *sp_pace_state_name(SpEtaState state);

#endif							/* SP_PACE_H */
