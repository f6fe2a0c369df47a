/*
 * pace.h
 *		The pace of a session or an account as a column's value.
 */
#ifndef SP_PACE_H
#define SP_PACE_H

#include "eta.h"
#include "fmgr.h"

extern void sp_pace_read(const bytea *stored, SpPace *pace);
extern bytea *sp_pace_write(const SpPace *pace);
extern void sp_pace_read_part(const bytea *stored, SpTempo *tempo);
extern bytea *sp_pace_write_part(const SpTempo *tempo);

#endif							/* SP_PACE_H */
