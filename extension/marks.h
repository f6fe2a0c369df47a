/*
 * marks.h
 *		Estimates that are kept until it is known how good they were.
 */
#ifndef SP_MARKS_H
#define SP_MARKS_H

#include "catalog.h"
#include "eta.h"
#include "net.h"

extern void sp_marks_keep(const SpCatalog *catalog, SpPace *pace, const SpCounts *counts, int64 processed_before,
						  TimestampTz started_at, TimestampTz now);
extern void sp_marks_count(SpStats *stats, const SpEtaScore *score);

#endif							/* SP_MARKS_H */
