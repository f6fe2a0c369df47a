/*
 * pace.h
 *		A session's pace as a column's value.
 */
#ifndef SP_PACE_H
#define SP_PACE_H

#include "eta.h"
#include "fmgr.h"

extern void sp_pace_read(const bytea *stored, SpPace *pace);
extern bytea *sp_pace_write(const SpPace *pace);

#endif							/* SP_PACE_H */
